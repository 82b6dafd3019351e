"""Follow one nightly through Airflow: start every ingestion, wait for the build and the publication."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from oneledger_airflow.processes import StartError
from oneledger_airflow.progress import Progress
from oneledger_airflow.run_ids import run_id_of
from oneledger_airflow.supervisor import Supervisor

DAGS_WITHIN_SECONDS = 120
QUIET_SECONDS = 3.0
DOWNSTREAM = ("build", "publish")
BROKEN = frozenset({"failed", "upstream_failed", "up_for_retry"})


@dataclass
class Nightly:
    """A nightly that was started now; ``run_id`` is the one that its outcome records carry."""

    sources: list[str]
    due_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def airflow_run_id(self) -> str:
        return f"nightly__{self.due_at:%Y-%m-%dT%H:%M:%S.%fZ}"

    @property
    def run_id(self) -> str:
        return run_id_of(self.airflow_run_id, self.due_at)

    @property
    def ingest_dags(self) -> list[str]:
        return [f"ingest_{source}" for source in self.sources]


@dataclass
class Ending:
    """How it ended. ``broken`` names tasks that failed, with the log of each."""

    is_finished: bool
    broken: list[str] = field(default_factory=list)


def wait_for_dags(airflow: Supervisor, wanted: list[str], progress: Progress) -> None:
    """Wait until the scheduler knows the DAGs.

    Raises:
        StartError: a DAG file cannot be imported, or a DAG did not appear in time.
    """
    deadline = time.monotonic() + DAGS_WITHIN_SECONDS
    with progress.step("DAGs") as note:
        while missing := sorted(set(wanted) - set(airflow.api.dags())):
            airflow.check_alive()
            if errors := airflow.api.import_errors():
                raise StartError(
                    "DAG files that cannot be imported:\n"
                    + "\n".join(f"{error['filename']}\n{error['stack_trace']}" for error in errors)
                )
            if time.monotonic() > deadline:
                raise StartError(
                    f"not there after {DAGS_WITHIN_SECONDS} s: {', '.join(missing)}. "
                    f"Log: {airflow.installation.logs_dir / 'dag-processor.log'}"
                )
            note(f"waiting for {', '.join(missing)}")
            time.sleep(0.5)


def make_ready(airflow: Supervisor, sources: list[str], progress: Progress, *, limit_minutes: float) -> None:
    """Unpause what takes part and clear what an earlier interrupted nightly left.

    A scheduled night that became due since `make up` ended can start when Airflow comes up, before the DAG files say
    that nothing starts by the clock. It is let through first: two nights at once would share each other's deliveries.

    Raises:
        StartError: DAGs are missing, or another night did not end in time.
    """
    dags = [*(f"ingest_{source}" for source in sources), *DOWNSTREAM]
    wait_for_dags(airflow, dags, progress)
    for dag_id in dags:
        for run_id in airflow.api.end_interrupted_runs(dag_id, airflow.started_at):
            progress.say(f"  {dag_id}: {run_id} had been interrupted; marked as failed")
    for dag_id in dags:
        airflow.api.unpause(dag_id)
    _let_other_nights_end(airflow, dags, progress, limit_minutes)
    for dag_id in DOWNSTREAM:
        airflow.api.forget_waiting_events(dag_id)


def start(airflow: Supervisor, nightly: Nightly) -> None:
    """Trigger every ingestion; what follows starts by itself."""
    for dag_id in nightly.ingest_dags:
        airflow.api.trigger(dag_id, nightly.airflow_run_id, nightly.due_at, {})


def _let_other_nights_end(airflow: Supervisor, dags: list[str], progress: Progress, limit_minutes: float) -> None:
    deadline = time.monotonic() + limit_minutes * 60
    quiet_since: float | None = None
    with progress.waiting("a night that the schedule started") as note:
        # A run that ends starts the next DAG a moment later.
        while quiet_since is None or time.monotonic() - quiet_since < QUIET_SECONDS:
            airflow.check_alive()
            under_way = [f"{dag_id} {run_id}" for dag_id in dags for run_id in airflow.api.runs_under_way(dag_id)]
            if under_way:
                quiet_since = None
                note(under_way[0])
            elif quiet_since is None:
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise StartError(f"not ended after {limit_minutes:.0f} minutes: {', '.join(under_way)}")
            time.sleep(0.5)


def follow(
    airflow: Supervisor, nightly: Nightly, progress: Progress, *, limit_minutes: float, waits_for_retries: bool = False
) -> Ending:
    """Show each task as it ends, until the publication has ended or something broke.

    What broke is not waited for to be tried again (unless ``waits_for_retries``), but what else is under way may
    end, so that one run shows everything that is wrong.
    """
    ends_it = BROKEN - {"upstream_failed"} - ({"up_for_retry"} if waits_for_retries else set())
    shown: set[tuple[str, str, str, int]] = set()
    states = "nothing"
    deadline = time.monotonic() + limit_minutes * 60
    with progress.waiting("nightly") as note:
        while True:
            airflow.keep_alive()
            if time.monotonic() > deadline:
                return Ending(False, [f"not published within {limit_minutes:.0f} minutes; last seen: {states}"])
            try:
                tasks = _tasks(airflow, nightly)
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                if isinstance(error, httpx.HTTPStatusError) and not error.response.is_server_error:
                    raise
                # The API server was killed and is being started anew; tasks go on meanwhile.
                note(f"Airflow's API does not answer: {error}")
                time.sleep(1)
                continue
            states = ", ".join(f"{task['dag_id']}.{task['task_id']} {task['state']}" for task in tasks)
            broken = []
            for task in tasks:
                key = (task["dag_id"], task["task_id"], task["state"], task["try_number"])
                if task["state"] in {"success", "skipped", *BROKEN} and key not in shown:
                    shown.add(key)
                    progress.say(_task_line(task))
                if task["state"] in ends_it:
                    broken.append(f"{key[0]}.{key[1]}: log {_log_path(airflow, task)}")
            if broken and not any(_is_under_way(task, waits_for_retries) for task in tasks):
                return Ending(False, broken)
            if any(task["dag_id"] == "publish" and task["state"] == "success" for task in tasks):
                return Ending(True)
            running = [f"{task['dag_id']}.{task['task_id']}" for task in tasks if task["state"] == "running"]
            note(", ".join(running) or "the scheduler")
            time.sleep(1)


def _tasks(airflow: Supervisor, nightly: Nightly) -> list[dict[str, Any]]:
    """The task instances of this nightly's ingestions, and of the build and publication that they started."""
    found: list[dict[str, Any]] = []
    for dag_id in nightly.ingest_dags:
        found += airflow.api.tasks(dag_id, nightly.airflow_run_id)
    for dag_id in DOWNSTREAM:
        for run in airflow.api.runs_since(dag_id, nightly.due_at):
            if run["run_type"] == "asset_triggered":
                found += airflow.api.tasks(dag_id, run["dag_run_id"])
    return found


def _is_under_way(task: dict[str, Any], waits_for_retries: bool) -> bool:
    """Downstream tasks without a state wait for one that broke; an ingestion without one is about to start."""
    if waits_for_retries and task["state"] == "up_for_retry":
        return True
    if task["dag_id"] in DOWNSTREAM:
        return task["state"] in {"running", "queued"}
    return task["state"] in {None, "scheduled", "queued", "running"}


def _task_line(task: dict[str, Any]) -> str:
    sign = {"success": "✓", "skipped": "–"}.get(task["state"], "✗")
    seconds = f"{task['duration']:.1f} s" if task.get("duration") is not None else "not run"
    return f"  {sign} {task['dag_id']}.{task['task_id']} ({seconds})"


def _log_path(airflow: Supervisor, task: dict[str, Any]) -> str:
    folder = f"dag_id={task['dag_id']}/run_id={task['dag_run_id']}/task_id={task['task_id']}"
    return str(airflow.installation.logs_dir / folder / f"attempt={max(task['try_number'], 1)}.log")

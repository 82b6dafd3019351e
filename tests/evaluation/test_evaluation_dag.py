"""The evaluation through the real scheduler: a draft, a question, an answer over the REST API, the seal."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from oneledger.audit.verifying import verify as verify_seals
from oneledger.evaluation.runs import evaluation_runs, find_run, verify
from oneledger.reports import list_reports
from oneledger_airflow.evaluation_operators import quarter_before
from tests.orchestration.conftest import Started, processes_of, start_up, unused_port

from .story import Story

DAG = "/api/v2/dags/evaluate"
WITHIN_SECONDS = 180


class Airflow:
    """One running Airflow, asked over its REST API as any client would."""

    def __init__(self, started: Started) -> None:
        self._scheduler_log = started.home / "airflow" / "logs" / "scheduler.log"
        self._client = httpx.Client(base_url=started.address, trust_env=False, timeout=30)
        body = {"username": "admin", "password": started.password}
        token = self._client.post("/auth/token", json=body).json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def start(self, run_id: str, conf: dict[str, Any]) -> None:
        self.until(lambda: self._client.get(DAG).status_code == 200, "the DAG is not known")
        self._client.patch(DAG, json={"is_paused": False}).raise_for_status()
        body = {"dag_run_id": run_id, "logical_date": dt.datetime.now(dt.UTC).isoformat(), "conf": conf}
        self._client.post(f"{DAG}/dagRuns", json=body).raise_for_status()

    def states(self, run_id: str) -> dict[str, str]:
        answer = self._client.get(f"{DAG}/dagRuns/{run_id}/taskInstances").json()
        return {task["task_id"]: task["state"] for task in answer["task_instances"]}

    def question(self, run_id: str) -> dict[str, Any]:
        self.until(lambda: self._has_question(run_id), "the question was not asked", run_id)
        return dict(self._question(run_id).json())

    def answer(self, run_id: str, option: str, form: dict[str, str]) -> None:
        path = f"{DAG}/dagRuns/{run_id}/taskInstances/approval/-1/hitlDetails"
        self._client.patch(path, json={"chosen_options": [option], "params_input": form}).raise_for_status()

    def wait(self, run_id: str) -> str:
        def state() -> str:
            return str(self._client.get(f"{DAG}/dagRuns/{run_id}").json()["state"])

        self.until(lambda: state() in ("success", "failed"), "the run has not ended", run_id)
        return state()

    def until(self, is_so: Any, problem: str, run_id: str | None = None) -> None:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not is_so():
            states = self.states(run_id) if run_id else {}
            assert "failed" not in states.values() or "has not ended" in problem, states
            assert time.monotonic() < deadline, f"{problem} within {WITHIN_SECONDS} s: {states}"
            time.sleep(0.5)

    def _has_question(self, run_id: str) -> bool:
        """Asked, and the scheduler has noticed that the asking process ended.

        An answer that comes within the second in between is taken for a process that died. No person is that quick.
        """
        if self._question(run_id).status_code != 200 or self.states(run_id)["approval"] != "awaiting_input":
            return False
        noticed = f"task_id='approval', run_id='{run_id}'"
        log = self._scheduler_log.read_text(errors="replace")
        return any("Received executor event" in line and noticed in line for line in log.splitlines())

    def _question(self, run_id: str) -> httpx.Response:
        return self._client.get(f"{DAG}/dagRuns/{run_id}/taskInstances/approval/-1/hitlDetails")


@pytest.fixture(scope="module")
def told(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.copy(Path(tmp_path_factory.mktemp("airflow")) / "home")


@pytest.fixture(scope="module")
def airflow(told: Story) -> Iterator[Airflow]:
    started = start_up(told.home, unused_port())
    try:
        started.read_until("Ctrl-C ends it")
        yield Airflow(started)
    finally:
        if started.process.poll() is None:
            started.interrupt()
    assert processes_of(told.home) == []


@pytest.mark.slow
def test_an_approved_draft_is_sealed_with_who_answered_and_replaces_the_run_that_the_question_named(
    told: Story, airflow: Airflow
) -> None:
    airflow.start("by_hand_1", {"period": "2022-Q3"})
    question = airflow.question("by_hand_1")
    draft = evaluation_runs(told.settings)[-1]
    assert draft.state == "draft"
    assert draft.run_id in question["subject"]
    assert "| 五星 five stars |" in question["body"]
    assert f"替代 confirming replaces** `{told.confirmed}`" in question["body"]
    assert told.app_id in question["body"] or "0 apps" in question["body"]
    airflow.answer("by_hand_1", "Approve", {"name": "王敏", "reason": "申诉已核实"})
    assert airflow.wait("by_hand_1") == "success"
    assert set(airflow.states("by_hand_1").values()) == {"success"}
    sealed = find_run(told.settings, draft.run_id)
    assert sealed.state == "confirmed"
    assert (sealed.decision["name"], sealed.decision["reason"]) == ("王敏", "申诉已核实")
    assert sealed.decision["through"]["airflow_user"] == "admin"
    assert sealed.decision["through"]["dag_run_id"] == "by_hand_1"
    assert find_run(told.settings, told.confirmed).state == "superseded"
    assert verify(told.settings)["ok"]
    # The last task made its report, and sealed it.
    made = list_reports(told.settings)
    assert [(one["run_id"], len(one["files"])) for one in made] == [(draft.run_id, 7)]
    assert verify_seals(told.settings, "reports")["ok"]


@pytest.mark.soak
def test_a_rejected_draft_is_marked_as_rejected_and_nothing_is_sealed(told: Story, airflow: Airflow) -> None:
    airflow.start("by_hand_2", {})
    airflow.question("by_hand_2")
    draft = evaluation_runs(told.settings)[-1]
    airflow.answer("by_hand_2", "Reject", {"name": "", "reason": "九月数据待补"})
    assert airflow.wait("by_hand_2") == "success"
    states = airflow.states("by_hand_2")
    assert (states["confirm"], states["report"]) == ("skipped", "skipped")
    rejected = find_run(told.settings, draft.run_id)
    assert rejected.state == "rejected"
    assert (rejected.decision["name"], rejected.decision["reason"]) == ("admin", "九月数据待补")


@pytest.mark.soak
def test_a_draft_that_the_gate_stops_asks_nobody(told: Story, airflow: Airflow) -> None:
    airflow.start("by_hand_3", {"period": "2022-Q2"})
    assert airflow.wait("by_hand_3") == "failed"
    states = airflow.states("by_hand_3")
    assert (states["draft"], states["gate"], states["approval"]) == ("success", "failed", "upstream_failed")
    assert evaluation_runs(told.settings)[-1].state == "stopped"


@pytest.mark.parametrize(
    ("instant", "quarter"),
    [
        ("2022-10-05T00:00:00+00:00", "2022-Q3"),
        ("2023-01-05T00:00:00+00:00", "2022-Q4"),
        ("2022-12-31T15:59:59+00:00", "2022-Q3"),
        ("2022-12-31T16:00:00+00:00", "2022-Q4"),
    ],
)
def test_a_scheduled_run_evaluates_the_quarter_that_ended_last_by_the_citys_clock(instant: str, quarter: str) -> None:
    assert quarter_before(dt.datetime.fromisoformat(instant)) == quarter

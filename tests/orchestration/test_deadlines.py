"""A run that takes too long is reported while it still runs, by Airflow's own scheduler and triggerer."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import pytest

from oneledger.settings import Settings
from oneledger_airflow.nightly_watch import wait_for_dags
from oneledger_airflow.progress import Progress
from oneledger_airflow.supervisor import Supervisor
from tests.orchestration.conftest import unused_port

SLOW_DAG = """
from datetime import timedelta
from airflow.sdk import DAG, task
from oneledger_airflow.schedule import within

deadline = within(minutes=1, what="the slow thing")
deadline.interval = timedelta(seconds=2)
with DAG("slow", schedule=None, deadline=deadline):
    @task
    def wait():
        import time
        time.sleep(120)
    wait()
"""


@pytest.mark.slow
def test_a_run_past_its_deadline_is_written_down_while_it_runs(tmp_path: Path) -> None:
    for folder in ("dags", "plugins"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project" / "dags" / "slow.py").write_text(SLOW_DAG)
    settings = Settings(home=tmp_path / "home", project_root=tmp_path / "project")
    missed = settings.logs_dir / "missed_deadlines.jsonl"
    with Supervisor(settings, unused_port(), Progress()) as airflow:
        wait_for_dags(airflow, ["slow"], Progress())
        airflow.api.unpause("slow")
        airflow.api.trigger("slow", "late", dt.datetime.now(dt.UTC), {})
        until = time.monotonic() + 60
        while not missed.exists() and time.monotonic() < until:
            airflow.check_alive()
            time.sleep(0.5)
        states = {task["state"] for task in airflow.api.tasks("slow", "late")}
    record = json.loads(missed.read_text("utf-8"))
    assert record["dag_id"] == "slow"
    assert "the slow thing: slow run late has not ended within 1 minutes" in record["message"]
    # On a busy machine it may not even have begun.
    assert states <= {"queued", "running"}

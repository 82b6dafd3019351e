"""Whatever breaks, no task that speaks for the run is green: each operator is run on something broken."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from oneledger.catalogue import Catalogue
from oneledger.outcomes import Outcome, record_outcome
from oneledger.pipeline.verdict import verdict_of
from oneledger.pipeline.withheld import run_end
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger_airflow import operators
from oneledger_airflow.run_ids import own_run_id
from tests.quality.conftest import LAST_DAY, add_usage_day, catalogue, settings, warehouse

__all__ = ["catalogue", "settings", "warehouse"]
CONTEXT: Any = {
    "ti": SimpleNamespace(dag_id="build", task_id="gate_sources"),
    "dag_run": SimpleNamespace(run_id="manual", logical_date=None, run_after=dt.datetime(2022, 11, 1, tzinfo=dt.UTC)),
    "triggering_asset_events": {},
    "outlet_events": {},
    "params": {},
}
RUN = own_run_id(CONTEXT)
STEPS = ("extract", "admit", "gate_sources", "build_models", "gate_marts", "publish")


@pytest.fixture
def configured(warehouse: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(operators, "_configured", lambda: (warehouse, catalogue))
    for channel in ("MAIL", "WEBHOOK"):
        monkeypatch.setenv(f"AIRFLOW_CONN_ONELEDGER_NOTICE_{channel}", "")
    monkeypatch.setattr("oneledger_airflow.notifier.export_channels", list)
    return warehouse


def went(settings: Settings, *more: Outcome) -> None:
    for step in STEPS:
        record_outcome(Outcome(RUN, step, "good", source="irs" if step == "extract" else None), settings.outcomes_dir)
    for outcome in more:
        # Made when the tests were collected; it is to come after the others.
        outcome.outcome_id = Outcome(RUN, outcome.step, "good").outcome_id
        record_outcome(outcome, settings.outcomes_dir)


def test_a_check_of_severity_fail_that_fails_makes_the_gate_task_red(configured: Settings) -> None:
    with open_warehouse(configured) as connection:
        add_usage_day(connection, LAST_DAY, apps=12, revision=2)
    with pytest.raises(AirflowFailException, match="20221031: 12 rows, median 40"):
        operators.GateOperator(task_id="gate", gate="sources").execute(CONTEXT)
    with pytest.raises(Exception, match="gate sources is closed"):
        operators.PublishOperator(task_id="publish").execute(CONTEXT)
    assert run_end(configured, RUN).verdict == "not_published"
    with pytest.raises(AirflowFailException, match="not_published"):
        operators.RunEndOperator(task_id="run_end").execute(CONTEXT)


def test_a_check_that_cannot_be_evaluated_is_red_and_leaves_a_record(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_warehouse(configured) as connection:
        connection.execute("drop table control.released_row")
    with pytest.raises(Exception, match="released_row"):
        operators.GateOperator(task_id="gate", gate="sources").execute(CONTEXT)
    assert "gate_sources" in run_end(configured, RUN).problems[0]


def test_a_model_that_fails_makes_the_build_task_red(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Outcome(RUN, "build_models", "failed", message="model dim_app failed")
    monkeypatch.setattr("oneledger.warehouse.models.build_models", lambda *_, **__: failed)
    with pytest.raises(AirflowFailException, match="dim_app"):
        operators.BuildModelsOperator(task_id="build").execute(CONTEXT)


def test_a_source_that_cannot_be_read_makes_its_task_red(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_ZHELIBAN_DROP", "file:///no/such/folder")
    with pytest.raises(AirflowException, match="/no/such/folder"):
        operators.IngestSourceOperator(task_id="ingest", source="zheliban").execute(CONTEXT)


def test_an_exception_in_a_step_goes_through_the_operator(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr("oneledger.warehouse.admission.admit", broken)
    with pytest.raises(MemoryError):
        operators.AdmitOperator(task_id="admit").execute(CONTEXT)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(RUN, "admit", "failed", source="irs", entity="app", message="raw is gone"), "irs.app: raw is gone"),
        (Outcome(RUN, "extract", "failed", source="finance", message="no folder"), "finance: no folder"),
        (Outcome(RUN, "publish", "failed", message="disk full"), "disk full"),
        (
            Outcome(RUN, "admit", "good", source="irs", batch_id="irs.app.1.r001", received_count=9, accepted_count=8,
                    quarantined_count=0, superseded_count=0),
            "irs.app.1.r001: its counts do not add up",
        ),
    ],
)  # fmt: skip
def test_a_run_that_published_all_the_same_ends_red_and_says_what_is_missing(
    configured: Settings, outcome: Outcome, words: str
) -> None:
    went(configured, outcome)
    with pytest.raises(AirflowFailException, match=words):
        operators.RunEndOperator(task_id="run_end").execute(CONTEXT)


def test_a_step_that_was_killed_leaves_no_publication_and_the_run_is_not_published(configured: Settings) -> None:
    record_outcome(Outcome(RUN, "gate_sources", "good"), configured.outcomes_dir)
    assert run_end(configured, RUN).verdict == "not_published"


def test_a_run_in_which_all_is_well_ends_green(configured: Settings) -> None:
    went(configured)
    assert operators.RunEndOperator(task_id="run_end").execute(CONTEXT)["verdict"] == "good"


def test_a_batch_that_does_not_reconcile_is_never_good() -> None:
    record = {"step": "admit", "verdict": "good", "source": "s", "entity": "e", "batch_id": "b", "received_count": 3,
              "accepted_count": 1, "quarantined_count": 1, "superseded_count": 0}  # fmt: skip
    publish = {"step": "publish", "verdict": "good", "source": None, "entity": None, "batch_id": None}
    assert verdict_of([record, publish]) == "not_published"
    assert verdict_of([{**record, "superseded_count": 1}, publish]) == "good"

"""Lineage events: what a real dbt build tells, whom it names as parent, and what happens when nobody listens."""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

import pytest

from oneledger.lineage.openlineage import reading
from oneledger.lineage.openlineage.configuration import events_dir, unsent_dir
from oneledger.lineage.openlineage.runs import as_parent, nightly_run
from oneledger.lineage.openlineage.telling import resend
from oneledger.lineage.openlineage.validation import EventChecker
from oneledger.outcomes import read_outcomes
from oneledger.settings import Settings
from oneledger.warehouse.models import build_models
from tests.lineage.conftest import CONNECTION, Built
from tests.lineage.small_project import CANARY, change, events_of, last_of, receiver

PARENT = "airflow/build.build_models/018f7d2e-0000-7000-8000-0000000000a1"
ROOT = "airflow/build/018f7d2e-0000-7000-8000-0000000000b2"
BROKEN = "select no_such_column from {{ ref('visit') }}"


def input_fields(event: dict[str, Any], column: str) -> set[tuple[str, str, str, str]]:
    """(table, column, type, subtype) that a column of the event's output comes from."""
    facet = event["outputs"][0]["facets"]["columnLineage"]
    return {
        (field["name"], field["field"], one["type"], one["subtype"])
        for field in facet["fields"][column]["inputFields"]
        for one in field["transformations"]
    }


def test_every_event_of_a_build_is_what_openlineages_schemas_say(built: Built) -> None:
    checker = EventChecker()
    checked = [checker.check(event) for event in (*built.first_events, *built.second_events)]
    assert [problem for one in checked for problem in one.problems] == []
    assert set().union(*(one.without_schema for one in checked)) == set()
    assert (
        len(checked) == built.first.detail["lineage_events"]["count"] + built.second.detail["lineage_events"]["count"]
    )


def test_the_check_finds_a_facet_a_time_and_an_id_that_the_schemas_forbid(built: Built) -> None:
    checker = EventChecker()
    for path, value in (
        (("eventTime",), "yesterday"),
        (("run", "runId"), "no-uuid"),
        (("run", "facets", "parent", "job"), {"namespace": "n"}),
        (("outputs", 0, "facets", "schema", "fields"), [{"type": "varchar"}]),
        (("outputs", 0, "outputFacets", "outputStatistics", "rowCount"), "many"),
    ):
        event = json.loads(json.dumps(last_of(built.first_events, "usage_month.build.run")))
        place: Any = event
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert checker.check(event).problems, path


def test_each_seed_and_model_is_a_run_with_start_and_end(built: Built) -> None:
    told = {}
    for event in built.first_events:
        told.setdefault(event["run"]["runId"], []).append((event["job"]["name"], event["eventType"]))
    built_jobs = [runs for runs in told.values() if runs[0][0].endswith((".build.run", ".build.seed"))]
    assert {name for (name, _), _ in built_jobs} == {
        "warehouse.main.small.app.build.seed",
        "warehouse.main.small.visit.build.seed",
        "warehouse.main.small.stg_visit.build.run",
        "warehouse.main.small.usage_month.build.run",
    }
    assert {tuple(state for _, state in runs) for runs in told.values()} == {("START", "COMPLETE")}


def test_a_model_says_its_columns_its_owner_and_what_it_read(built: Built) -> None:
    event = last_of(built.first_events, "usage_month.build.run")
    output = event["outputs"][0]
    assert output["namespace"] == f"duckdb://{built.settings.warehouse_path}"
    assert output["name"] == "warehouse.main.usage_month"
    columns = {one["name"]: (one["type"], one.get("description")) for one in output["facets"]["schema"]["fields"]}
    assert columns["app_id"] == ("varchar", "the app")
    assert columns["visitors_count"] == ("hugeint", "visitors, summed over the month")
    assert output["facets"]["ownership"]["owners"] == [{"name": "市大数据局"}]
    assert output["facets"]["documentation"]["description"] == "One row per app and month."
    assert {one["name"] for one in event["inputs"]} == {"warehouse.main.stg_visit", "warehouse.main.app"}
    assert "sum(visitors)" in event["job"]["facets"]["sql"]["query"]


def test_each_column_says_from_which_columns_it_comes_and_how(built: Built) -> None:
    event = last_of(built.first_events, "usage_month.build.run")
    visit, app = "warehouse.main.stg_visit", "warehouse.main.app"
    assert input_fields(event, "name") == {(app, "app_name", "DIRECT", "IDENTITY")}
    assert input_fields(event, "visitors_count") == {(visit, "visitors", "DIRECT", "AGGREGATION")}
    assert input_fields(event, "weighted_count") == {
        (visit, "visitors", "DIRECT", "AGGREGATION"),
        (app, "level", "INDIRECT", "CONDITIONAL"),
    }
    whole = event["outputs"][0]["facets"]["columnLineage"]["dataset"]
    assert {(one["name"], one["field"], kind["subtype"]) for one in whole for kind in one["transformations"]} == {
        (visit, "app_id", "JOIN"),
        (app, "app_id", "JOIN"),
        (visit, "app_id", "GROUP_BY"),
        (visit, "month", "GROUP_BY"),
    }


def test_rows_are_those_that_the_table_holds_and_those_that_this_build_wrote(built: Built) -> None:
    for events, held, written in ((built.first_events, 3, 3), (built.second_events, 4, 1)):
        output = last_of(events, "usage_month.build.run")["outputs"][0]
        assert output["facets"]["dataQualityMetrics"]["rowCount"] == held
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == written
    metrics = last_of(built.first_events, "usage_month.build.run")["outputs"][0]["facets"]["dataQualityMetrics"]
    assert metrics["columnMetrics"]["weighted_count"]["nullCount"] == 1
    assert metrics["columnMetrics"]["app_id"]["nullCount"] == 0
    view = last_of(built.first_events, "stg_visit.build.run")["outputs"][0]
    assert "outputStatistics" not in view["outputFacets"]


def test_a_test_over_several_data_sets_is_stated_on_each_of_them(built: Built) -> None:
    def assertions(table: str) -> dict[str, dict[str, Any]]:
        (read,) = last_of(built.first_events, f"{table}.build.test")["inputs"]
        return {one["assertion"]: one for one in read["inputFacets"]["dataQualityAssertions"]["assertions"]}

    both = ["main.app", "main.usage_month"]
    for table, column in (("usage_month", "app_id"), ("app", "app_id")):
        stated = assertions(table)["relationships"]
        assert (stated["success"], stated["column"], stated["actual"], stated["expected"]) == (True, column, "0", "0")
        assert sorted(stated["params"]["datasets"]) == both
    assert set(assertions("app")) == {"unique", "relationships", "every_app_is_used"}
    assert set(assertions("stg_visit")) == {"every_app_is_used"}


def test_a_test_that_reads_no_data_set_is_told_too(built: Built) -> None:
    (test,) = last_of(built.first_events, "small.the_clock_goes.build.test")["run"]["facets"]["test"]["tests"]
    assert (test["name"], test["status"]) == ("the_clock_goes", "pass")


def test_the_oneledger_run_is_the_parent_when_no_task_carries_the_build(built: Built) -> None:
    own = nightly_run(built.first.run_id)
    for event in built.first_events:
        parent = event["run"]["facets"]["parent"]
        assert (parent["job"]["name"], parent["run"]["runId"]) == ("nightly", own.run_id)
    assert nightly_run(built.second.run_id).run_id != own.run_id


def test_a_failed_test_and_the_task_that_carried_it_are_told(project: Settings) -> None:
    change(project, "seeds/visit.csv", "app_id,month,visitors\na1,2022-09,30\na2,2022-09,1\na9,2022-10,7\n")
    with as_parent(PARENT, ROOT):
        outcome = build_models(project, run_id="r1")
    assert outcome.verdict == "failed"
    events = events_of(project, "r1")
    for table in ("app", "usage_month"):
        failed = last_of(events, f"{table}.build.test")
        assert failed["eventType"] == "FAIL"
        assert "relationships" in failed["run"]["facets"]["errorMessage"]["message"]
    parents = {json.dumps(event["run"]["facets"]["parent"], sort_keys=True) for event in events}
    (parent,) = (json.loads(one) for one in parents)
    assert (parent["job"]["namespace"], parent["job"]["name"]) == ("airflow", "build.build_models")
    assert parent["root"]["run"]["runId"] == ROOT.rpartition("/")[2]


def test_a_broken_model_ends_in_a_failure_that_wrote_nothing_and_shows_no_secret(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LINEAGE_CANARY", CONNECTION)
    change(project, "models/stg_visit.sql", BROKEN.replace("no_such_column", f'"{CANARY}"'))
    outcome = build_models(project, run_id="r1")
    assert outcome.verdict == "failed"
    failed = last_of(events_of(project, "r1"), "stg_visit.build.run")
    assert (failed["eventType"], failed["outputs"]) == ("FAIL", [])
    message = failed["run"]["facets"]["errorMessage"]["message"]
    assert "not found" in message
    assert CANARY not in message
    assert "***" in message
    # The model that was left out because of it was not run, so nothing is told of it.
    assert not any("usage_month.build.run" in event["job"]["name"] for event in events_of(project, "r1"))


def test_events_go_to_a_receiver_that_the_standard_setting_names_and_to_no_file(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as server:
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        monkeypatch.setenv("OPENLINEAGE_API_KEY", CANARY)
        outcome = build_models(project, run_id="r1")
    assert outcome.verdict == "good"
    assert len(server.events) == outcome.detail["lineage_events"]["count"] > 8
    assert server.paths == {"/api/v1/lineage"}
    assert server.keys == {f"Bearer {CANARY}"}
    assert all(EventChecker().check(event).problems == [] for event in server.events)
    assert not events_dir(project).exists()


def test_a_receiver_that_refuses_makes_a_warning_and_its_events_are_kept_and_sent_later(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as server:
        server.answer = 400
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        outcome = build_models(project, run_id="r1")
        assert outcome.verdict == "warning"
        assert "lineage events not sent (OPENLINEAGE_URL)" in outcome.message
        assert "--resend" in outcome.remedy
        (record,) = read_outcomes(project.outcomes_dir)
        assert record["detail"]["lineage_events"]["problem"]
        kept = [line for path in unsent_dir(project).glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
        assert len(kept) > 8
        assert resend(project).problem
        server.answer = 201
        assert resend(project).events_count == len(kept)
    assert [json.dumps(event, sort_keys=True) for event in server.events] == [
        json.dumps(json.loads(line), sort_keys=True) for line in kept
    ]
    assert list(unsent_dir(project).glob("*.jsonl")) == []


def test_a_part_of_a_composite_transport_that_fails_is_said_although_the_other_works(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as server:
        server.answer = 400
        folder = str(events_dir(project))
        own = {"type": "oneledger.lineage.openlineage.file_transport.DailyFileTransport", "folder": folder}
        both = {"type": "composite", "transports": [own, {"type": "http", "url": server.url}]}
        monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(both))
        outcome = build_models(project, run_id="r1")
    assert outcome.verdict == "warning"
    assert "AIRFLOW__OPENLINEAGE__TRANSPORT" in outcome.message
    assert events_of(project, "r1")


def test_a_setting_that_cannot_be_read_and_a_folder_that_cannot_be_written_end_no_build(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", f'{{"url": "{CANARY}"')
    outcome = build_models(project, run_id="r1")
    assert outcome.verdict == "warning"
    assert "AIRFLOW__OPENLINEAGE__TRANSPORT is no JSON" in outcome.message
    assert CANARY not in json.dumps(outcome.to_json())
    monkeypatch.delenv("AIRFLOW__OPENLINEAGE__TRANSPORT")
    (project.home / "lineage").mkdir(exist_ok=True)
    events_dir(project).write_text("no folder")
    assert build_models(project, run_id="r2").verdict == "warning"


def test_switched_off_nothing_is_told(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    assert build_models(project, run_id="r1").verdict == "good"
    assert not (project.home / "lineage").exists()


def test_sql_that_cannot_be_read_costs_the_columns_of_its_model_only(project: Settings) -> None:
    recursive = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 3) select i from n"
    change(project, "models/counted.sql", recursive)
    outcome = build_models(project, run_id="r1")
    assert outcome.verdict == "good"
    assert set(outcome.detail["lineage_events"]["without_columns"]) == {"main.counted"}
    events = events_of(project, "r1")
    assert "columnLineage" not in last_of(events, "counted.build.run")["outputs"][0]["facets"]
    assert input_fields(last_of(events, "usage_month.build.run"), "name")


def test_no_secret_of_a_connection_is_in_any_event(built: Built) -> None:
    texts = [path.read_text("utf-8") for path in events_dir(built.settings).iterdir()]
    assert texts
    assert all(CANARY not in text for text in texts)


def test_the_reader_lists_runs_and_jobs_and_names_a_line_that_is_no_event(built: Built) -> None:
    runs = reading.told_runs(built.settings)
    assert [one["run_id"] for one in runs["items"]] == [built.second.run_id, built.first.run_id]
    jobs = {job["job"]: job for job in reading.told_jobs(built.settings, "20221101")["items"]}
    model = jobs["warehouse.main.small.usage_month.build.run"]
    assert (model["state"], model["rows_count"], model["outputs"]) == ("good", 1, ["warehouse.main.usage_month"])
    assert jobs["warehouse.main.small.app.build.test"]["assertions_count"] == 3
    assert reading.checked_files(built.settings)["ok"] is True
    (path,) = events_dir(built.settings).iterdir()
    whole = path.read_text("utf-8")
    try:
        path.write_text(whole + '{"eventType": "COMPLETE"}\n{"half', encoding="utf-8")
        answer = reading.checked_files(built.settings)
    finally:
        path.write_text(whole, encoding="utf-8")
    lines = len(whole.splitlines())
    assert {item["line"] for item in answer["items"]} == {lines + 1, lines + 2}


def test_files_of_more_than_a_week_ago_are_packed_and_stay_readable(built: Built) -> None:
    (path,) = events_dir(built.settings).iterdir()
    old = path.with_name("2022-11-02.jsonl")
    path.rename(old)
    try:
        assert reading.pack_old_files(built.settings) == ""
        assert [one.name for one in events_dir(built.settings).iterdir()] == ["2022-11-02.jsonl.gz"]
        assert len(events_of(built.settings, built.first.run_id)) == len(built.first_events)
    finally:
        for packed in events_dir(built.settings).glob("*.gz"):
            path.write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()


def test_a_line_that_a_killed_process_left_does_not_spoil_the_next(project: Settings) -> None:
    events_dir(project).mkdir(parents=True)
    build_models(project, run_id="r1")
    (path,) = events_dir(project).iterdir()
    with path.open("a") as stream:
        stream.write('{"half')
    build_models(project, run_id="r2")
    assert len([line for line in reading.event_lines(project) if line.event is None]) == 1
    assert events_of(project, "r2")
    assert os.environ.get("OPENLINEAGE_PARENT_ID") is None

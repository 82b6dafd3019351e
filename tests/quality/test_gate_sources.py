"""The gate on the sources: open on good data, closed or warning on each fault, and it says what is wrong where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import duckdb
import pytest

from oneledger.catalogue import Catalogue
from oneledger.outcomes import read_outcomes
from oneledger.quality.checks import CheckResult, GateReport
from oneledger.quality.gate_state import closed_gates
from oneledger.quality.gates import run_gate
from oneledger.quality.results import history_of, latest_results
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from tests.quality.conftest import APPS, FIRST_DAY, LAST_DAY, add_usage_day, admit_batch

Damage = Callable[[duckdb.DuckDBPyConnection], object]


def failures(report: GateReport) -> dict[str, CheckResult]:
    return {result.check_id: result for result in report.failed}


def damaged(settings: Settings, catalogue: Catalogue, damage: Damage) -> GateReport:
    with open_warehouse(settings) as connection:
        damage(connection)
    return run_gate("sources", settings, catalogue, run_id="run-damaged")


def test_good_data_open_the_gate_and_every_check_has_looked(warehouse: Settings, catalogue: Catalogue) -> None:
    report = run_gate("sources", warehouse, catalogue, run_id="run-one")
    assert [(one.check_id, one.entity, one.observed) for one in report.failed if one.check_id != "reference"] == []
    assert report.is_open
    assert report.as_of == LAST_DAY
    looked = {result.check_id for result in report.results}
    assert looked >= {"volume", "control_total", "quarantined_share", "freshness", "never_delivered", "missing_days",
                      "natural_key", "row_rules", "counts_reconcile", "reference"}  # fmt: skip
    with open_warehouse(warehouse) as connection:
        assert closed_gates(connection) == ["gate marts has never run"]
    assert [one["verdict"] for one in read_outcomes(warehouse.outcomes_dir, "run-one")] == ["good"]


@pytest.mark.parametrize(
    ("check_id", "words", "damage"),
    [
        ("volume", "20221031: 12 rows, median 40", lambda con: add_usage_day(con, LAST_DAY, apps=12, revision=2)),
        (
            "volume",
            "20221031: 90 rows, median 40",
            lambda con: con.execute("update control.admitted_batch set received_count = 90 where partition ="
                                    " '20221031' and source = 'zheliban'"),
        ),
        (
            "control_total",
            "zheliban.usage.20221031.r002: 40 rows received, control total 41",
            lambda con: add_usage_day(con, LAST_DAY, revision=2, control_total=41),
        ),
        (
            "quarantined_share",
            "zheliban.usage.20221031.r002: 12 of 40 rows",
            lambda con: add_usage_day(con, LAST_DAY, revision=2, quarantined=12),
        ),
        (
            "natural_key",
            "zheliban / app-3 /  / zheliban_app / day / 2022-10-31",
            lambda con: con.execute("insert into admitted.usage from admitted.usage where usage_on = '2022-10-31'"
                                    " and app_id = 'app-3'"),
        ),
        (
            "row_rules",
            "1 admitted rows break minimum of visitors_count, value -5, for instance "
            "zheliban.usage.20221031.r001/f.csv.gz row 8",
            lambda con: con.execute("update admitted.usage set visitors_count = -5 where usage_on = '2022-10-31'"
                                    " and app_id = 'app-7'"),
        ),
        (
            "row_rules",
            "break known_word of release_end, value moon",
            lambda con: con.execute("update admitted.usage set release_end = 'moon' where usage_on = '2022-10-31'"
                                    " and app_id = 'app-7'"),
        ),
        (
            "row_rules",
            "break completions_within_starts of completions_count, starts_count, value 9, 5",
            lambda con: con.execute("update admitted.usage set completions_count = 9, starts_count = 5"
                                    " where usage_on = '2022-10-31' and app_id = 'app-7'"),
        ),
        (
            "row_rules",
            "break personal_data of app_name, value 陈 138******00",
            lambda con: con.execute("update admitted.usage set app_name = '陈 13800138000'"
                                    " where usage_on = '2022-10-31' and app_id = 'app-7'"),
        ),
        (
            "row_rules",
            "break known_reference of app_id, value app-99",
            lambda con: con.execute("insert into admitted.irs__module by name select 'm' as module_id, 'app-99' as"
                                    " app_id, 'n' as module_name, 'module' as module_kind, now()::timestamp as"
                                    " updated_at, _batch_id, _file_id, _row_number, _business_on"
                                    " from admitted.irs__app limit 1;"
                                    " insert into control.admitted_batch select replace(batch_id, 'app', 'module'),"
                                    " source, 'module', * exclude (batch_id, source, entity)"
                                    " from control.admitted_batch where entity = 'app';"
                                    " update admitted.irs__module set _batch_id = replace(_batch_id, 'app', 'module')"),
        ),
        (
            "counts_reconcile",
            "40 received, 40 accepted (39 stand), 0 quarantined (0 stand), 0 superseded",
            lambda con: con.execute("delete from admitted.usage where usage_on = '2022-10-31' and app_id = 'app-7'"),
        ),
        (
            "counts_reconcile",
            "40 received, 39 accepted (39 stand), 1 quarantined (0 stand)",
            lambda con: (add_usage_day(con, LAST_DAY, revision=2, quarantined=1),
                         con.execute("delete from quarantine.row")),
        ),
        (
            "row_rules",
            "break pattern of district_code, value 44ABCD",
            lambda con: con.execute("update admitted.irs__app set district_code = '44ABCD' where app_id = 'app-1'"),
        ),
        (
            "never_delivered",
            "nothing was ever delivered",
            lambda con: con.execute("delete from control.batch where source = 'zheliban'"),
        ),
    ],
)  # fmt: skip
def test_the_gate_closes_on_a_fault_and_says_where_it_is(
    warehouse: Settings, catalogue: Catalogue, check_id: str, words: str, damage: Damage
) -> None:
    report = damaged(warehouse, catalogue, damage)
    assert not report.is_open
    failure = failures(report)[check_id]
    assert words in failure.observed
    assert failure.blocks
    assert failure.since is not None
    assert all((failure.title_zh, failure.title_en, failure.remedy_zh, failure.remedy_en, failure.owner))
    with open_warehouse(warehouse) as connection:
        assert "gate sources is closed since its checks in run run-damaged failed" in closed_gates(connection)


@pytest.mark.parametrize(
    ("check_id", "words", "damage"),
    [
        (
            "missing_days",
            "2022-10-25; 2022-10-26",
            lambda con: con.execute("delete from control.admitted_batch where partition in ('20221025', '20221026')"),
        ),
        (
            "reference",
            "1 values of app_id are not in admitted.irs__app: app-40",
            lambda con: add_usage_day(con, LAST_DAY, apps=APPS + 1, revision=2),
        ),
        (
            "quarantined_rows",
            "zheliban.usage.20221031.r002: 1 of 40 rows",
            lambda con: add_usage_day(con, LAST_DAY, revision=2, quarantined=1),
        ),
        (
            "repeated_values_of_apps",
            "most often 5000 (60 times)",
            lambda con: (
                add_usage_day(con, LAST_DAY, apps=60, revision=2),
                con.execute("update admitted.usage set visitors_count = 5000 where usage_on = '2022-10-31'"),
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_suspicious_is_said_and_does_not_close_the_gate(
    warehouse: Settings, catalogue: Catalogue, check_id: str, words: str, damage: Damage
) -> None:
    report = damaged(warehouse, catalogue, damage)
    assert words in failures(report)[check_id].observed
    assert failures(report)[check_id].severity == "warn"
    assert report.is_open
    assert [one["verdict"] for one in read_outcomes(warehouse.outcomes_dir, "run-damaged")] == ["warning"]


def test_a_monthly_source_has_its_maximum_age_to_deliver_first(
    warehouse: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_FINANCE_DROP", "file:///drops")

    def found(day: dt.date) -> dict[str, set[str]]:
        report = damaged(warehouse, catalogue, lambda con: add_usage_day(con, day, revision=2))
        return {
            check: {str(one.entity) for one in report.failed if one.check_id == check}
            for check in ("never_delivered", "not_delivered_yet")
        }

    early = found(LAST_DAY)
    assert "finance.spending" in early["not_delivered_yet"]
    assert not early["never_delivered"]
    late = found(FIRST_DAY + dt.timedelta(days=51))
    assert "finance.spending" not in late["not_delivered_yet"]
    assert "finance.spending" in late["never_delivered"]


def test_a_source_that_stops_is_stale_against_the_others(warehouse: Settings, catalogue: Catalogue) -> None:
    later = LAST_DAY + dt.timedelta(days=4)
    report = damaged(
        warehouse, catalogue, lambda con: admit_batch(con, "zhezhengding", "usage", later, 0, delivery="partition")
    )
    stale = failures(report)["freshness"]
    assert stale.entity in {"zheliban.usage", "irs.app"}
    assert "newest data of 2022-10-31, 96 hours before 2022-11-04, at most 50" in stale.observed


def test_a_value_that_stays_the_same_day_after_day_is_suspicious(warehouse: Settings, catalogue: Catalogue) -> None:
    def repeat(connection: duckdb.DuckDBPyConnection) -> None:
        for offset in range(1, 4):
            add_usage_day(connection, LAST_DAY + dt.timedelta(days=offset))
        connection.execute("update admitted.usage set visitors_count = 777 where app_id = 'app-9'")

    repeated = failures(damaged(warehouse, catalogue, repeat))["repeated_values_over_time"]
    assert repeated.observed == "app-9 zheliban_app: 777 in the last 14 periods up to 2022-11-03"


def test_since_is_the_first_failure_without_a_pass_between(warehouse: Settings, catalogue: Catalogue) -> None:
    first = damaged(warehouse, catalogue, lambda con: add_usage_day(con, LAST_DAY, apps=12, revision=2))
    second = run_gate("sources", warehouse, catalogue, run_id="run-two")
    assert failures(second)["volume"].since == failures(first)["volume"].since
    with open_warehouse(warehouse) as connection:
        add_usage_day(connection, LAST_DAY, revision=3)
    assert "volume" not in failures(run_gate("sources", warehouse, catalogue, run_id="run-three"))
    with open_warehouse(warehouse) as connection:
        add_usage_day(connection, LAST_DAY, apps=12, revision=4)
    fourth = run_gate("sources", warehouse, catalogue, run_id="run-four")
    assert failures(fourth)["volume"].since != failures(first)["volume"].since
    with open_warehouse(warehouse) as connection:
        passed = [row["is_passed"] for row in history_of(connection, "volume", "zheliban.usage")]
        assert passed == [False, True, False, False]
        latest = [row for row in latest_results(connection, only_failed=True) if row["check_id"] == "volume"]
    assert [row["run_id"] for row in latest] == ["run-four"]


def test_a_tolerated_failure_is_pinned_to_its_number(warehouse: Settings, catalogue: Catalogue, tmp_path) -> None:
    from dataclasses import replace

    from oneledger.settings import PROJECT_ROOT

    folder = tmp_path / "project" / "expectations"
    folder.mkdir(parents=True)
    (folder / "sources.yml").write_text((PROJECT_ROOT / "expectations" / "sources.yml").read_text("utf-8"), "utf-8")
    (folder / "tolerated.yml").write_text(
        "tolerated:\n- {check_id: natural_key, entity: zheliban.usage, count: 1, date: 2022-10-31, cause: twice, "
        "owner: 某处, until: 2022-12-31}\n",
        encoding="utf-8",
    )
    pinned = replace(warehouse, project_root=tmp_path / "project")
    with open_warehouse(warehouse) as connection:
        connection.execute("update control.admitted_batch set received_count = 41, accepted_count = 41"
                           " where partition = '20221031' and source = 'zheliban'")  # fmt: skip
        connection.execute("update control.batch set control_total = null")
        connection.execute("insert into admitted.usage from admitted.usage where usage_on = '2022-10-31'"
                           " and app_id = 'app-3'")  # fmt: skip
    assert run_gate("sources", pinned, catalogue, run_id="run-one").is_open
    with open_warehouse(warehouse) as connection:
        connection.execute("insert into admitted.usage from admitted.usage where usage_on = '2022-10-30'"
                           " and app_id = 'app-4'")  # fmt: skip
    report = run_gate("sources", pinned, catalogue, run_id="run-two")
    assert report.is_open is False
    late = replace(pinned, as_of=dt.date(2023, 1, 1))
    with open_warehouse(warehouse) as connection:
        connection.execute("delete from admitted.usage where usage_on = '2022-10-30' and app_id = 'app-4'")
    assert (
        "which has ended" in failures(run_gate("sources", late, catalogue, run_id="run-three"))["natural_key"].expected
    )

"""Checks that compare a delivery with those before it and sources with each other; trends; Data Docs."""

from __future__ import annotations

import datetime as dt

import duckdb

from oneledger.catalogue import Catalogue
from oneledger.quality.checks import CheckResult, GateReport
from oneledger.quality.data_docs import build_data_docs
from oneledger.quality.gates import run_gate
from oneledger.quality.results import check_trends, record_results, sparkline, trends
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.reader_copies import open_reader_copies
from tests.quality.conftest import LAST_DAY, add_usage_day, admit_batch

NEWEST = LAST_DAY + dt.timedelta(days=4)


def extended(connection: duckdb.DuckDBPyConnection) -> None:
    """Sixteen days of sixty apps, so that there is something to compare the newest with."""
    for offset in range(-11, 5):
        add_usage_day(connection, LAST_DAY + dt.timedelta(days=offset), apps=60, revision=9)
    connection.execute("update admitted.usage set page_views_count = visitors_count * 2")


def amounts(connection: duckdb.DuckDBPyConnection) -> None:
    """Four months of spending, the last one in another unit."""
    for month in range(6, 10):
        day = dt.date(2022, month, 28)
        batch_id = admit_batch(connection, "finance", "spending", day, 12)
        connection.execute(
            "insert into admitted.finance__spending by name select ? as month, '万元' as unit_text,"
            " ? || i as voucher_number, '某局' as department_name, ?::date as spent_on, '办公' as budget_line,"
            " (10000 + 100 * i) * ? as spent_cny, ? as _batch_id, ? || '/f.xlsx' as _file_id, i + 1 as _row_number,"
            " ?::date as _business_on from range(12) as t (i)",
            [f"2022{month:02d}", f"V{month}-", day, 10_000 if month == 9 else 1, batch_id, batch_id, day],
        )


def calls(connection: duckdb.DuckDBPyConnection) -> None:
    batch_id = admit_batch(connection, "irs", "interface_call", NEWEST, 2, delivery="changes")
    connection.execute(
        "insert into admitted.irs__interface_call by name select ?::date - 1 as call_on, 'r' as data_resource_id,"
        " unnest(['app-1', 'ghost']) as app_id, 500 as calls_count, 0 as failed_calls_count,"
        " now()::timestamp as updated_at, ? as _batch_id, 'f' as _file_id, 1 as _row_number, ?::date as _business_on",
        [NEWEST, batch_id, NEWEST],
    )
    connection.execute(
        "insert into admitted.irs__sharing_request by name select 's' as sharing_request_id, 'app-59' as app_id,"
        " 'd-1' as department_id, 'r' as data_resource_id, 'interface' as request_kind,"
        " timestamp '2022-01-01' as applied_at, timestamp '2022-01-02' as opened_at, now()::timestamp as updated_at"
    )


def budgets(connection: duckdb.DuckDBPyConnection) -> None:
    day = dt.date(2022, 12, 31)
    admit_batch(connection, "finance", "budget_release", day, 1)
    connection.execute(
        "insert into admitted.finance__budget_release by name select 2022 as budget_year, 'p-1' as project_id,"
        " 1 as release_number, 2000000 as budget_cny, 'city' as ledger_level, 'S1' as ledger_version,"
        " 'finance.budget_release.20221231.r001' as _batch_id, ?::date as _business_on",
        [day],
    )
    connection.execute("insert into admitted.project_library__project by name select 'p-1' as project_id,"
                       " 200 as budget_cny")  # fmt: skip
    connection.execute("insert into admitted.finance__ledger_entry by name select 'city' as ledger_level,"
                       " 'S0' as ledger_version, 1 as entry_number, 'n' as app_name")  # fmt: skip


COMPARED = {"completeness_of_apps", "completeness_of_measures", "distribution", "unit_of_batch", "calls_and_visitors",
            "budget_and_library", "ledger_and_releases"}  # fmt: skip


def test_what_is_as_before_and_agrees_is_not_said(warehouse: Settings, catalogue: Catalogue) -> None:
    with open_warehouse(warehouse) as connection:
        extended(connection)
    report = run_gate("sources", warehouse, catalogue, run_id="run")
    assert {one.check_id for one in report.failed} & COMPARED == set()
    assert {"completeness_of_apps", "completeness_of_measures", "distribution"} <= {
        one.check_id for one in report.results
    }


def test_what_differs_from_before_or_from_another_source_is_said(warehouse: Settings, catalogue: Catalogue) -> None:
    with open_warehouse(warehouse) as connection:
        extended(connection)
        connection.execute("update admitted.usage set visitors_count = visitors_count * 40 where usage_on = ?",
                           [NEWEST])  # fmt: skip
        connection.execute("update admitted.usage set page_views_count = null where usage_on = ? and app_id < 'app-3'",
                           [NEWEST])  # fmt: skip
        amounts(connection)
        calls(connection)
        budgets(connection)
        connection.execute("delete from admitted.usage where usage_on = ? and app_id in ('app-1', 'app-2')", [NEWEST])
    report = run_gate("sources", warehouse, catalogue, run_id="run")
    found = {one.check_id: one for one in report.failed}
    for check_id, words in {
        "completeness_of_apps": "2022-11-04: 2 of 60 are missing: app-1 zheliban_app, app-2 zheliban_app",
        "completeness_of_measures": "2022-11-04 page_views_count: 0.638 given, before 1",
        "distribution": "2022-11-04: index ",
        "unit_of_batch": "finance.spending.20220928.r001 spent_cny: median 105,500,000, before 10,550",
        "calls_and_visitors": "app-59: 0 calls and ",
        "budget_and_library": "p-1: finance 2,000,000 yuan, library 200 yuan",
        "ledger_and_releases": "city-S1: 1 releases, no entry of this ledger",
    }.items():
        assert words in found[check_id].observed
    assert "ghost: 500 calls and 0 visitors" in found["calls_and_visitors"].observed
    assert {check_id for check_id in COMPARED if found[check_id].blocks} == {"unit_of_batch"}


def test_an_app_that_was_delisted_is_not_missed(warehouse: Settings, catalogue: Catalogue) -> None:
    with open_warehouse(warehouse) as connection:
        extended(connection)
        connection.execute("delete from admitted.usage where usage_on = ? and app_id = 'app-1'", [NEWEST])
        connection.execute("insert into admitted.irs__listing_event by name select 'e' as listing_event_id,"
                           " 'app-1' as app_id, 'zheliban_app' as release_end, 'delisted' as event_kind,"
                           " ?::date as event_on", [NEWEST])  # fmt: skip
    report = run_gate("sources", warehouse, catalogue, run_id="run")
    assert "completeness_of_apps" not in {one.check_id for one in report.failed}


EXPECTATION = '{"type": "expect_column_values_to_be_between", "column": "ratio", "max_value": 2.0}'


def kept(settings: Settings, counts: list[int]) -> None:
    """One run after another in which so many things were not as expected."""
    for number, count in enumerate(counts):
        result = CheckResult("sources", "volume", "zheliban.usage", "fail", count == 0, f"{count} <b>rows</b>", "few",
                             "某处", "数据量", "Rows", "重报", "deliver again", count, 28, EXPECTATION)  # fmt: skip
        record_results(settings, GateReport("sources", f"run-{number:04d}", None, (result,)))


def test_a_trend_shows_the_newest_counts_and_when_a_check_first_failed(warehouse: Settings) -> None:
    kept(warehouse, [0, 1, 8, 4, 0])
    with open_warehouse(warehouse, read_only=True) as connection:
        (trend,) = trends(connection, "volume")
    assert (trend["trend"], trend["failed_runs_count"], trend["runs_count"]) == ("·▁█▄·", 3, 5)
    assert trend["is_passed"]
    assert trend["first_checked_at"] < trend["first_failed_at"] < trend["last_failed_at"]


def test_a_line_of_bars_has_one_sign_a_run() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "··"
    assert sparkline([5]) == "█"


def test_data_docs_need_no_internet_link_to_the_rows_and_stay_bounded(warehouse: Settings) -> None:
    with open_warehouse(warehouse) as connection:
        add_usage_day(connection, LAST_DAY, revision=2, quarantined=3)
        connection.execute("update quarantine.row set value = '陈 13800138000'")
    kept(warehouse, [0, 2, 0, 3])
    made = build_data_docs(warehouse, rendered_runs=1)
    pages = sorted(path.name for path in (made.index.parent / "runs").iterdir())
    assert pages == ["run-0002.sources.html", "run-0003.sources.html"]
    index = made.index.read_text(encoding="utf-8")
    assert "run-0000" in index
    assert 'href="runs/run-0003.sources.html"' in index
    assert 'href="rows/zheliban.usage.html"' in index
    page = (made.index.parent / "runs" / "run-0003.sources.html").read_text(encoding="utf-8")
    assert "3 &lt;b&gt;rows&lt;/b&gt;" in page
    assert "values must be less than or equal to" in page
    assert 'href="../rows/zheliban.usage.html"' in page
    rows = (made.index.parent / "rows" / "zheliban.usage.html").read_text(encoding="utf-8")
    assert "138******00" in rows
    assert "13800138000" not in rows
    for text in (index, page, rows):
        assert "http://" not in text
        assert "https://" not in text
        assert "<script" not in text
    kept(warehouse, [0] * 3)
    again = build_data_docs(warehouse, rendered_runs=1)
    assert len(list((again.index.parent / "runs").iterdir())) == 2


def test_a_check_tells_how_each_of_its_runs_went_and_since_when_it_fails(warehouse: Settings) -> None:
    kept(warehouse, [0, 1, 8])
    with open_reader_copies(warehouse) as copies:
        (trend,) = [one for one in check_trends(copies.connection) if one["check_id"] == "volume"]
    assert [run["run_id"] for run in trend["runs"]] == ["run-0000", "run-0001", "run-0002"]
    assert [run["failed_count"] for run in trend["runs"]] == [0, 1, 1]
    assert [run["unexpected_count"] for run in trend["runs"]] == [0, 1, 8]
    assert (trend["entities_count"], trend["failing_count"], trend["blocking_count"]) == (1, 1, 1)
    assert trend["since"] == trend["runs"][1]["checked_at"]

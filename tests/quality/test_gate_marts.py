"""The gate before publishing: marts that contradict each other, shrink or cannot be do not get through."""

from __future__ import annotations

import json
from collections.abc import Callable

import duckdb
import pytest

from oneledger.catalogue import Catalogue
from oneledger.quality.checks import GateReport
from oneledger.quality.gates import run_gate
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse

MARTS = """
create table marts.fct_app_usage_day as
    select app_id, '' as module_id, usage_on, page_views_count, visitors_count, visits_count, starts_count,
        completions_count, transactions_count
    from admitted.usage;
create table marts.app_usage_month as
    select app_id, date_trunc('month', usage_on)::date as month, sum(page_views_count)::bigint as page_views_count,
        sum(visitors_count)::bigint as visitors_count, sum(visits_count)::bigint as visits_count,
        sum(starts_count)::bigint as starts_count, sum(completions_count)::bigint as completions_count,
        sum(transactions_count)::bigint as transactions_count, count(*) as days_reported_count
    from admitted.usage group by all;
create table marts.dim_project as select 'p-' || i as project_id from range(30) as t (i);
insert into admitted.project_library__project by name select project_id from marts.dim_project;
create table marts.project_inventory as select 30 as projects_count;
create table marts.sharing_request as select 's-' || i as sharing_request_id from range(5) as t (i);
insert into admitted.irs__sharing_request by name select sharing_request_id from marts.sharing_request;
create table marts.sharing_request_month as select unnest([2, 3]) as new_requests_count;
create table evaluation.round as select 'r-1' as round_id, date '2022-09-30' as period_end_on;
create table evaluation.indicator as select unnest(['use', 'online']) as indicator_id,
    'operations' as family, 'all' as side, date '2022-01-01' as effective_from, null::date as effective_to;
create table evaluation.population as
    select 'r-1' as run_id, 'app-' || i as app_id, 'operations' as family, 'service' as side,
        i < 8 as is_in_scope from range(10) as t (i);
create table evaluation.indicator_points as
    select run_id, app_id, indicator_id, 5.0::double as points, 20.0::double as weight
    from evaluation.population cross join evaluation.indicator where is_in_scope;
create table evaluation.app_stars as select run_id, app_id, 4 as stars from evaluation.population where is_in_scope;
create table evaluation.disposition as
    select run_id, 'app' as subject_kind, app_id as subject_id, 'keep' as disposition, 'proposed' as status
    from evaluation.app_stars;
create table evaluation.funding_share as
    select project_id, 2022::bigint as budget_year, 'computed' as state, 0.85::double as share,
        100.00::decimal(18, 2) as budget_cny, 85.00::decimal(18, 2) as payable_cny,
        15.00::decimal(18, 2) as withheld_cny
    from marts.dim_project;
"""


@pytest.fixture
def built(warehouse: Settings) -> Settings:
    """The small warehouse with marts that agree with each other."""
    with open_warehouse(warehouse) as connection:
        connection.execute(MARTS)
    return warehouse


def judged(settings: Settings, catalogue: Catalogue) -> GateReport:
    return run_gate("marts", settings, catalogue, run_id="run-one")


def test_marts_that_agree_open_the_gate(built: Settings, catalogue: Catalogue) -> None:
    report = judged(built, catalogue)
    assert [(one.check_id, one.entity, one.observed) for one in report.failed] == []
    assert {one.check_id for one in report.results} >= {
        "month_equals_days", "totals_agree", "registry_is_whole", "shrinks", "mart_keys", "impossible",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("check_id", "entity", "words", "sql"),
    [
        (
            "month_equals_days",
            "app_usage_month",
            "2022-10-01 visitors_count",
            "update marts.app_usage_month set visitors_count = visitors_count + 1 where app_id = 'app-3'",
        ),
        (
            "month_equals_days",
            "app_usage_month",
            "visitors_count",
            "delete from marts.fct_app_usage_day where usage_on = '2022-10-31'",
        ),
        (
            "totals_agree",
            "project_inventory",
            "projects: 31 in the summary, 30 in the detail",
            "update marts.project_inventory set projects_count = 31",
        ),
        ("totals_agree", "sharing_request_month", "3 in the summary", "delete from marts.sharing_request_month"
                                                                      " where new_requests_count = 2"),
        (
            "totals_agree",
            "indicator_points",
            "15 in the summary, 16 in the detail",
            "delete from evaluation.indicator_points where app_id = 'app-2' and indicator_id = 'use'",
        ),
        ("registry_is_whole", "dim_project", "29 in the mart, 30", "delete from marts.dim_project"
                                                                   " where project_id = 'p-1'"),
        ("mart_keys", "evaluation.app_stars", "1 repeated", "insert into evaluation.app_stars"
                                                            " select * from evaluation.app_stars limit 1"),
        ("mart_keys", "marts.dim_project", "1 empty", "update marts.dim_project set project_id = null"
                                                      " where project_id = 'p-1'"),
        ("impossible", "indicator_points", "8 rows", "update evaluation.indicator_points set points = 21"
                                                     " where indicator_id = 'use'"),
        ("impossible", "app_stars", "1 rows", "update evaluation.app_stars set stars = 2 where app_id = 'app-1'"),
        ("impossible_decisions", "disposition", "1 rows", "update evaluation.disposition set status = 'withheld'"
                                                " where subject_id = 'app-1'"),
        ("impossible_decisions", "funding_share", "1 rows", "update evaluation.funding_share set withheld_cny = 14.99"
                                                  " where project_id = 'p-1'"),
    ],
)  # fmt: skip
def test_marts_that_contradict_each_other_close_the_gate(
    built: Settings, catalogue: Catalogue, check_id: str, entity: str, words: str, sql: str
) -> None:
    with open_warehouse(built) as connection:
        connection.execute(sql)
    report = judged(built, catalogue)
    found = {(one.check_id, one.entity): one.observed for one in report.failed if one.blocks}
    assert words in found[check_id, entity]
    assert not report.is_open


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        (lambda con: con.execute("delete from marts.app_usage_month where app_id in ('app-1', 'app-2', 'app-3')"),
         True),
        (lambda con: con.execute("insert into marts.app_usage_month by name select 'new' as app_id,"
                                 " date '2022-10-01' as month"), False),
    ],
)  # fmt: skip
def test_a_mart_that_shrinks_against_the_published_version_closes_the_gate(
    built: Settings, catalogue: Catalogue, change: Callable[[duckdb.DuckDBPyConnection], object], blocks: bool
) -> None:
    version = built.published_dir / "v1"
    version.mkdir(parents=True)
    with open_warehouse(built) as connection:
        connection.execute("delete from control.pending_date")
        connection.execute(f"copy control.admitted_batch to '{version}/batches.parquet' (format parquet)")
        change(connection)
    tables = [{"name": "marts.app_usage_month", "rows_count": 40}]
    (version / "manifest.json").write_text(
        json.dumps({"version": "v1", "tables": tables, "batches": {"file": "batches.parquet"}}), encoding="utf-8"
    )
    (built.published_dir / "current").symlink_to("v1")
    shrunk = [one for one in judged(built, catalogue).failed if one.check_id == "shrinks" and one.blocks]
    assert [one.observed for one in shrunk] == (["37 rows, published 40"] if blocks else [])

"""The ten findings of the reference city, computed again from the written source systems with SQL of its own."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas
import pytest

from oneledger.city.names import IT_SPENDING_SUMMARIES
from tests.city.conftest import source_views
from tests.city.test_reference_figures import LISTED
from tests.end_to_end.conftest import Installation

FOUND, SEPTEMBER, OCTOBER = dt.date(2022, 6, 30), dt.date(2022, 9, 30), dt.date(2022, 10, 31)
DAYS = pytest.mark.parametrize("day", [FOUND, SEPTEMBER, OCTOBER], ids=str)


@pytest.fixture(scope="module")
def written(reference_city: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The city's systems as plain tables: IRS, the portals, the library (``library_…``) and the workbooks."""
    folder = reference_city.home / "city"
    connection = source_views(folder, tmp_path_factory.mktemp("written"))
    with sqlite3.connect(folder / "project_library.db") as library:
        for table in ("project", "project_stage_event", "pre_review", "project_app_link"):
            cursor = library.execute(f"select * from {table}")
            names = [column[0] for column in cursor.description]
            frame = [dict(zip(names, map(_text, row), strict=True)) for row in cursor.fetchall()]
            _table(connection, f"library_{table}", names, frame)
    finance = folder / "drops" / "finance"
    spending = [row for month in ("202206", "202209", "202210") for row in _lines(finance / f"zhichu_{month}.xlsx", 7)]
    _table(connection, "spending", ["unit", "voucher", "paid", "line", "project", "summary", "wan"], spending)
    releases = [row for year in ("2021", "2022") for row in _lines(finance / f"ysxd_{year}.xlsx", 11)]
    columns = ["unit", "project", "name", "number", "level", "version", "budget", "wan", "arrived", "released", "came"]
    _table(connection, "release", columns, releases)
    yield connection
    connection.close()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _lines(path: Path, width: int) -> list[list[str | None]]:
    """The lines of a workbook that hold a project's or a voucher's number."""
    sheet = openpyxl.load_workbook(path, read_only=True).worksheets[0]
    rows = [list(row[:width]) for row in sheet.iter_rows(values_only=True)]
    return [[_text(cell) for cell in row] for row in rows if str(row[1] or "")[:2] in ("PZ", "XM")]


def _table(connection: duckdb.DuckDBPyConnection, name: str, columns: list[str], rows: list[Any]) -> None:
    frame = pandas.DataFrame([list(row.values()) if isinstance(row, dict) else row for row in rows], columns=columns)
    connection.register("frame", frame)
    connection.execute(f"create table {name} as select columns(*)::varchar from frame")
    connection.unregister("frame")


def one(connection: duckdb.DuckDBPyConnection, sql: str, **values: Any) -> Any:
    return connection.execute(sql, values).fetchall()[0][0]


def valued(city: Installation, metric_id: str, day: dt.date) -> Any:
    """What the marts say of a metric in the month that ends on ``day``."""
    with city.marts() as marts:
        return one(
            marts, "select value from marts.finding_metric_month where metric_id = $metric and measured_on = $day",
            metric=metric_id, day=day,
        )  # fmt: skip


@DAYS
def test_projects_linked_on_declaration_and_overdue_acceptance(
    day: dt.date, written: Any, reference_city: Installation
) -> None:
    linked = one(
        written,
        """
        select count(*) filter (where exists (from library_project_app_link as link where link.project_no = p.project_no
            and link.linked_on::date <= $day)) / count(*)::double
        from library_project as p
        inner join irs_departments as owner on p.department_id = owner."departmentId"
        where p.level = '市本级' and p.family in ('重大应用类', '应用系统类')
            and p.declared_on[:7] = strftime($day, '%Y-%m')
            and owner.kind not in ('state_owned_enterprise', 'hospital', 'university')
        """,
        day=day,
    )
    overdue = one(
        written,
        """
        with project as (
            select project_no, planned_accept_on::date as planned_on,
                (select min(entered_on::date) from library_project_stage_event as e
                    where e.project_no = p.project_no and stage = '竣工验收') as accepted_on,
                (select min(due_on::date) from library_project_stage_event as e
                    where e.project_no = p.project_no and stage = '竣工验收') as due_on,
                (select count(*) from library_project_stage_event as e
                    where e.project_no = p.project_no and stage not in ('申报', '审核')) = 0
                and (select last(outcome order by reviewed_on, review_no) from library_pre_review as r
                    where r.project_no = p.project_no) in ('不通过', '未通过') as is_turned_down
            from library_project as p
            where declared_on::date <= $day
        )
        select count(*) filter (where coalesce(due_on, planned_on) <= $day) / count(*)::double
        from project where coalesce(accepted_on, date '9999-12-31') > $day and is_turned_down is not true
        """,
        day=day,
    )
    assert valued(reference_city, "declared_projects_linked_rate", day) == pytest.approx(linked, abs=1e-8)
    assert valued(reference_city, "acceptance_overdue_rate", day) == pytest.approx(overdue, abs=1e-8)


@DAYS
def test_spending_that_looks_like_it_and_names_no_project(
    day: dt.date, written: Any, reference_city: Installation
) -> None:
    words = list(IT_SPENDING_SUMMARIES)
    wan = one(
        written,
        """select sum(wan::decimal(18, 2)) from spending
        where project is null and list_contains($words, summary)
            and voucher like 'PZ' || strftime($day, '%Y%m') || '%'""",
        day=day, words=words,
    )  # fmt: skip
    assert valued(reference_city, "unlinked_it_spend_cny", day) == float(wan) * 10_000 > 0


@DAYS
def test_projects_of_a_ledger_that_wait_for_their_money(
    day: dt.date, written: Any, reference_city: Installation
) -> None:
    waiting = one(
        written,
        """
        select count(*)
        from library_project as p
        inner join (values ('S0', date '2021-10-18'), ('S1', date '2022-01-21'), ('S2', date '2022-06-01')) as ledger
            (version, published_on) on p.ledger_version = ledger.version
        where greatest(published_on, p.declared_on::date) + 60 < $day and p.funding_source <> '自筹'
            and coalesce((select min(coalesce(try_strptime(released, '%Y年%m月%d日'), released::timestamp)::date)
                from release where release.project = p.project_no and release.version = p.ledger_version),
                date '9999-12-31') > $day
        """,
        day=day,
    )
    assert valued(reference_city, "ledger_projects_waiting", day) == waiting


def test_the_newest_ledger_took_182_days_and_was_still_waiting_when_found(reference_city: Installation) -> None:
    assert valued(reference_city, "ledger_release_days", FOUND) == (FOUND - dt.date(2022, 1, 21)).days
    assert valued(reference_city, "ledger_release_days", OCTOBER) == 182


@DAYS
def test_key_apps_without_a_request_and_the_time_to_open(
    day: dt.date, written: Any, reference_city: Installation
) -> None:
    without = one(
        written,
        """select count(*) from irs_apps as app where app."keyApp" and not exists (from irs_sharing_requests as r
        where r."appId" = app."appId" and r."appliedAt"[:10]::date <= $day)""",
        day=day,
    )
    minutes = one(
        written,
        """select max(date_diff('second', "approvedAt"::timestamp, "openedAt"::timestamp) / 60.0)
        from irs_sharing_requests where "approvedAt"[:7] = strftime($day, '%Y-%m')""",
        day=day,
    )
    grown = one(
        written,
        """
        with two_months as (select [strftime($day, '%m'), strftime($day - interval 1 month, '%m')] as months)
        select count(*) filter (where "appliedAt"[:4] = '2022')
            / count(*) filter (where "appliedAt"[:4] = '2021')::double - 1
        from irs_sharing_requests, two_months where list_contains(months, "appliedAt"[6:7])
        """,
        day=day,
    )
    assert valued(reference_city, "key_apps_without_request", day) == without
    assert valued(reference_city, "longest_open_minutes", day) == pytest.approx(minutes, abs=1e-6)
    assert valued(reference_city, "sharing_growth_rate", day) == pytest.approx(grown, abs=1e-8)


def low_use(written: Any, day: dt.date) -> dict[str, int]:
    """Apps by side that are little used in the month: neither new, nor seasonal, nor silent for half of the month."""
    rows = written.execute(
        f"""
        with day as (
            select unnest(generate_series(date_trunc('month', $day), $day::timestamp, interval 1 day))::date as usage_on
        ),
        listed as (
            select distinct listed.app_id, day.usage_on from ({LISTED}) as listed
            inner join day on day.usage_on >= listed.listed_on and day.usage_on < listed.until_on
            where listed.release_end <> 'standalone_app'
        ),
        used as (
            select app_id, usage_on, sum(visitors)::double as use
            from zheliban where module_id is null and release_end <> '独立APP' group by all
            union all
            select app_id, usage_on, active / provisioned::double from zhezhengding where module_id is null
        ),
        mean as (
            select app.side, app.seasonal, count(*) as listed_days, count(used.use) as reported_days,
                sum(used.use) / count(used.use) as use,
                (select min(date) from irs_listing_events as e where e."appId" = listed.app_id and e.kind = 'listed')
                    as first_listed_on
            from listed
            inner join irs_apps as app on listed.app_id = app."appId"
            left join used on listed.app_id = used.app_id and listed.usage_on = used.usage_on
            group by listed.app_id, app.side, app.seasonal
        )
        select side, count(*) from mean
        where use < case side when 'service' then 10 else 0.1 end and seasonal is not true
            and reported_days > listed_days / 2 and first_listed_on::date <= $day - interval 3 months
        group by side
        """,
        {"day": day},
    ).fetchall()
    return dict(rows)


@DAYS
def test_apps_little_used(day: dt.date, written: Any, reference_city: Installation) -> None:
    found = low_use(written, day)
    assert valued(reference_city, "low_use_zheliban_apps", day) == found["service"]
    assert valued(reference_city, "low_use_zhezhengding_apps", day) == found["governance"]


@DAYS
def test_apps_with_a_weak_share_and_scenes_little_used(
    day: dt.date, written: Any, reference_city: Installation
) -> None:
    weak = one(
        written,
        """
        select count(distinct app_id) from (
            select app_id, module_id, sum(visitors) filter (where release_end <> '独立APP') / sum(visitors) as share
            from zheliban inner join irs_apps as app on zheliban.app_id = app."appId"
            where app."standaloneApp" and module_id is not null
                and strftime(usage_on, '%Y-%m') = strftime($day, '%Y-%m')
            group by all
        ) where share < 0.2
        """,
        day=day,
    )
    quiet, clicks = written.execute(
        """
        with scene as (
            select module."moduleId" as module_id, unit."unitId" as unit_id
            from irs_future_units as unit inner join irs_modules as module on unit."appId" = module."appId"
            where module.kind = 'scene'
        ),
        used as (
            select module_id, sum(visitors) / count(distinct usage_on) as use, sum(clicks) as clicks,
                sum(impressions) as impressions
            from zheliban where strftime(usage_on, '%Y-%m') = strftime($day, '%Y-%m') and release_end <> '独立APP'
            group by all
        )
        select count(*) filter (where use < 10), sum(clicks) / sum(impressions)
        from scene inner join used on scene.module_id = used.module_id
        """,
        {"day": day},
    ).fetchall()[0]
    assert valued(reference_city, "weak_share_apps", day) == weak
    assert valued(reference_city, "low_use_scenes", day) == quiet
    assert valued(reference_city, "scene_click_through_rate", day) == pytest.approx(clicks, abs=1e-8)


@pytest.mark.parametrize("day", [FOUND, SEPTEMBER], ids=str)
def test_projects_implemented_without_a_pre_review(day: dt.date, written: Any, reference_city: Installation) -> None:
    found = one(
        written,
        """
        select count(*) from library_project_stage_event as event
        where stage = '实施' and entered_on[:7] = strftime($day, '%Y-%m') and not exists (
            from library_pre_review as review where review.project_no = event.project_no
                and review.outcome in ('通过', '修改后通过') and review.reviewed_on <= event.entered_on)
        """,
        day=day,
    )
    assert valued(reference_city, "implemented_without_pre_review", day) == found > 0


def test_what_an_ended_round_proposes_is_carried_out_only_in_part(written: Any, reference_city: Installation) -> None:
    with reference_city.marts() as marts:
        proposed = [
            row[0]
            for row in marts.execute(
                "select app_id from evaluation.disposition where subject_kind = 'app' and disposition not in"
                " ('keep', 'improve')"
            ).fetchall()
        ]
    for day in (SEPTEMBER, OCTOBER):
        still = one(
            written,
            f"""select count(distinct app_id) from ({LISTED}) as listed where list_contains($proposed, app_id)
            and listed_on <= $day and until_on > $day""",
            day=day, proposed=proposed,
        )  # fmt: skip
        assert valued(reference_city, "dispositions_not_carried_out", day) == still > 0
    assert valued(reference_city, "dispositions_not_carried_out", FOUND) is None


def test_each_of_the_ten_findings_shows_what_its_data_of_october_say(reference_city: Installation) -> None:
    answer = reference_city.json("findings")
    states = {item["finding_number"]: (item["state"], item["reason"]) for item in answer["items"]}
    # None is closed: in October 2022 each has a target that its data miss, but the ninth, whose office is at work.
    assert states == {
        1: ("open", "target_missed"), 2: ("open", "target_missed"), 3: ("closing", "target_missed"),
        4: ("closing", "target_missed"), 5: ("closing", "target_missed"), 6: ("open", "target_missed"),
        7: ("open", "target_missed"), 8: ("closing", "target_missed"), 9: ("closing", "remedy_not_reported_done"),
        10: ("open", "target_missed"),
    }  # fmt: skip
    assert {item["second_due_on"] for item in answer["items"]} == {"2022-09-25"}
    assert {item["overdue_days"] for item in answer["items"]} == {(OCTOBER - dt.date(2022, 9, 25)).days}
    reported = {item["finding_number"]: item["reported_when_found"] for item in answer["items"]
                if item["reported_when_found"] is not None}  # fmt: skip
    assert reported == {4: 36, 5: 4, 6: 2, 8: 12}
    assert all(item["value_when_found"] == reported.get(item["finding_number"], item["value_when_found"])
               for item in answer["items"])  # fmt: skip


def test_before_the_remedy_no_month_closes_a_finding_or_misses_a_target(reference_city: Installation) -> None:
    with reference_city.marts() as marts:
        early = marts.execute(
            "select distinct state, reason from marts.finding_history where month < date '2022-08-01'"
        ).fetchall()
        judged = marts.execute(
            "select count(*) from marts.finding_metric_month where coalesce(dated_from_on, measured_on) <= remedy_on"
            " and state <> 'before_remedy'"
        ).fetchall()
    assert early == [("open", "no_data_after_remedy")]
    assert judged == [(0,)]


def test_each_value_is_what_its_query_gives_and_each_evidence_row_is_in_its_mart(reference_city: Installation) -> None:
    shown = [reference_city.json("findings", "show", str(number)) for number in (5, 9, 10)]
    with reference_city.marts() as marts:
        for answer in shown:
            for metric in answer["metrics"]:
                value = one(marts, metric["value_query"])
                if metric["value_now"] is not None:
                    assert float(value) == pytest.approx(metric["value_now"], abs=1e-8), metric["metric_id"]
        (low,) = shown[0]["metrics"]
        assert low["evidence_count"] == len(low["evidence"]) == low["value_now"] == 1
        row = low["evidence"][0]
        assert one(marts, "select verdict from marts.low_use_verdict where app_id = $app and period_grain = 'month'"
                   " and portal = $portal and period_start_on = $start",
                   app=row["app_id"], portal=row["portal"], start=row["period_start_on"]) == "low_use"  # fmt: skip
    assert row["trace"].startswith(f"oneledger trace marts.low_use_verdict app_id={row['app_id']} portal=zheliban")
    assert [month["state"] for month in shown[0]["history"]][-1] == "closing"


def test_a_check_of_the_findings_ends_with_1_while_one_is_overdue(reference_city: Installation) -> None:
    reference_city.oneledger("findings")
    answer = reference_city.json("findings", "--check", expected_code=1)
    assert answer["ok"] is False
    assert all(item["problem"] and item["expected"] and item["remedy"] for item in answer["items"])
    reference_city.oneledger("findings", "show", "11", expected_code=2)

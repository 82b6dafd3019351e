"""The published figures, recomputed from the written source systems with SQL of this file alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from .first_round_scores import first_round_scores

FIRST_ROUND = """
    select app."appId" as app_id, app.side
    from irs_apps as app
    inner join irs_departments as department using ("departmentId")
    inner join (
        select "appId", min(date) filter (where kind = 'listed') as first_listed_on,
            count(*) filter (where kind = 'listed' and date <= '2022-07-01')
            - count(*) filter (where kind = 'delisted' and date <= '2022-07-01') as listed_ends
        from irs_listing_events group by "appId"
    ) as listed on app."appId" = listed."appId"
    where app.level = 'city' and department.kind = 'municipal_department'
        and first_listed_on <= '2022-06-30' and listed_ends > 0
"""
# Stretches of time on an end, from its listing to the day before its delisting.
LISTED = """
    select "appId" as app_id, "releaseEnd" as release_end, date::date as listed_on,
        coalesce(lead(date) over (partition by "appId", "releaseEnd" order by date, kind desc)::date,
            date '9999-12-31') as until_on, kind
    from irs_listing_events
    qualify kind = 'listed'
"""


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return con.execute(sql).fetchall()


def one(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return rows(con, sql)[0][0]


def listed_days(first: str, last: str) -> str:
    """Days on which an app was listed on an end of the portals."""
    return f"""
        select distinct listed.app_id, day.usage_on
        from ({LISTED}) as listed
        inner join (
            select unnest(generate_series(date '{first}', date '{last}', interval 1 day))::date as usage_on
        ) as day on day.usage_on >= listed.listed_on and day.usage_on < listed.until_on
        where listed.release_end <> 'standalone_app'
    """


def june_use() -> str:
    """Each app listed in June 2022: side, days listed, days reported, mean use over the listed days."""
    return f"""
        with listed as ({listed_days("2022-06-01", "2022-06-30")}),

        used as (
            select app_id, usage_on, sum(visitors)::double as use
            from zheliban where module_id is null and release_end <> '独立APP' group by all
            union all
            select app_id, usage_on, active / provisioned::double from zhezhengding where module_id is null
        )

        select listed.app_id, app.name, app.side, app.seasonal, count(*) as listed_days, count(used.use) as reported,
            sum(coalesce(used.use, 0)) / count(*) as mean_use,
            (select min(date) from irs_listing_events as e where e."appId" = listed.app_id and e.kind = 'listed')
                as first_listed_on
        from listed
        inner join irs_apps as app on listed.app_id = app."appId"
        left join used on listed.app_id = used.app_id and listed.usage_on = used.usage_on
        group by all
    """


def test_the_first_round_has_198_apps_94_of_them_on_the_service_side(sources: duckdb.DuckDBPyConnection) -> None:
    assert dict(rows(sources, f"select side, count(*) from ({FIRST_ROUND}) group by side")) == {
        "service": 94,
        "governance": 104,
    }


def test_requests_of_august_and_september_2022_are_474_and_245_a_year_before(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    found = rows(
        sources,
        """select "appliedAt"[:4], kind, count(*) from irs_sharing_requests
        where "appliedAt"[6:7] in ('08', '09') group by all""",
    )
    by_year = {year: {kind: n for y, kind, n in found if y == year} for year in ("2021", "2022")}
    assert by_year["2022"] == {"batch": 294, "interface": 180}
    assert sum(by_year["2021"].values()) == 245


def test_data_is_opened_within_10_minutes_of_approval_from_august_2022_and_later_before(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    minutes = """date_diff('second', "approvedAt"::timestamp, "openedAt"::timestamp) / 60.0"""
    assert one(sources, f"""select max({minutes}) from irs_sharing_requests where "approvedAt" >= '2022-08-01'""") < 10
    assert one(sources, f"""select min({minutes}) from irs_sharing_requests where "approvedAt" < '2022-08-01'""") > 10


def test_36_of_60_key_apps_had_no_request_by_june_2022_and_each_gives_a_reason(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    found = rows(
        sources,
        """
        select app."noSharingReason" is not null, count(*)
        from irs_apps as app
        where app."keyApp"
        group by (not exists (select 1 from irs_sharing_requests as r
            where r."appId" = app."appId" and r."appliedAt" < '2022-07-01')), 1
        """,
    )
    assert sorted(found) == [(False, 24), (True, 36)]


def test_4_zheliban_and_12_zhezhengding_apps_are_low_in_use_in_june_2022_with_margin(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    apps = [
        dict(zip(("app_id", "name", "side", "seasonal", "listed", "reported", "use", "first"), row, strict=True))
        for row in rows(sources, june_use())
    ]
    outages = [app for app in apps if app["reported"] <= app["listed"] / 2]
    new = [app for app in apps if app["first"] > "2022-03-30"]
    threshold = {"service": 10, "governance": 0.1}
    low = [app for app in apps if app["use"] < threshold[app["side"]]]
    plain_low = [app for app in low if app not in outages and app not in new and not app["seasonal"]]
    assert sum(app["side"] == "service" for app in plain_low) == 4
    assert sum(app["side"] == "governance" for app in plain_low) == 12
    assert {"公共自行车", "遗失声明", "云公卫"} <= {app["name"] for app in plain_low}
    assert max(app["use"] / threshold[app["side"]] for app in plain_low) < 0.85
    in_use = [app for app in apps if app not in low and app not in new and app not in outages]
    assert min(app["use"] / threshold[app["side"]] for app in in_use) > 1.15
    assert len(outages) == 2
    assert len([app for app in low if app["seasonal"]]) == 2
    assert len([app for app in low if app in new]) >= 3


def test_two_apps_have_a_matter_with_a_weak_zheliban_share_and_four_others_a_healthy_one(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    shares = rows(
        sources,
        """
        select app.name, module.name,
            sum(visitors) filter (where release_end <> '独立APP') / sum(visitors) as share
        from zheliban
        inner join irs_modules as module on zheliban.module_id = module."moduleId"
        inner join irs_apps as app on zheliban.app_id = app."appId"
        where usage_on between '2022-06-01' and '2022-06-30' and app."standaloneApp"
        group by all
        """,
    )
    assert {(app, matter) for app, matter, share in shares if share < 0.2} == {
        ("健康湖州", "预约挂号"),
        ("湖州交警", "违法处理"),
    }
    assert all(share < 0.15 or share > 0.3 for _, _, share in shares)
    assert len({app for app, _, _ in shares} - {"健康湖州", "湖州交警"}) >= 4


def test_the_first_round_gives_28_40_82_48_and_no_score_is_near_a_band_edge(
    sources: duckdb.DuckDBPyConnection, reference_city: Path
) -> None:
    found = first_round_scores(
        sources, reference_city, FIRST_ROUND, LISTED, listed_days("2022-07-01", "2022-09-30")
    )  # fmt: skip
    scores = list(found.values())
    assert len(scores) == 198
    tiers = [sum(low <= score < high for score in scores) for low, high in ((85, 101), (75, 85), (60, 75), (0, 60))]
    assert tiers == [28, 40, 82, 48]
    assert min(abs(score - edge) for score in scores for edge in (60, 75, 85)) >= 2


def test_all_four_families_are_in_the_first_round_and_every_tier_has_a_few_of_each_large_one(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    families = dict(rows(sources, f"""select family, count(*) from ({FIRST_ROUND}) as round
        inner join irs_apps as app on round.app_id = app."appId" group by all"""))  # fmt: skip
    assert set(families) == {"major_application", "application_system", "infrastructure", "operations"}
    assert min(families.values()) >= 5


def test_owners_report_notices_themselves_and_inspection_finds_others_some_of_them_mended_late(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    found = dict(rows(sources, 'select "reportedBy", count(*) from irs_security_notices group by all'))
    assert set(found) == {"self", "inspection"}
    assert min(found.values()) >= 50
    late = """select count(*) from irs_security_notices where "mendedOn" > "dueOn" and "reportedBy" = '{}'"""
    assert one(sources, late.format("self")) > 0
    assert one(sources, late.format("inspection")) > 0


def test_listings_and_delistings_since_august_2022_are_3_and_3_20_and_7(sources: duckdb.DuckDBPyConnection) -> None:
    first = """(select "appId", min(date) as first from irs_listing_events where kind = 'listed' group by all)"""
    listed = dict(
        rows(
            sources,
            f"""select app.side, count(*) from {first} inner join irs_apps as app using ("appId")
            where first >= '2022-08-01' group by all""",
        )
    )
    assert listed == {"service": 3, "governance": 20}
    reviewed = one(
        sources,
        """select count(*) from irs_listing_events where kind = 'listed' and date >= '2022-08-01'
        and "releaseEnd" = 'zhezhengding' and "passedReview" """,
    )
    assert reviewed == 20
    delisted = dict(
        rows(
            sources,
            """select app.side, count(distinct "appId") from irs_listing_events as event inner join irs_apps as app
            using ("appId") where event.kind = 'delisted' and date >= '2022-08-01' group by all""",
        )
    )
    assert delisted == {"service": 3, "governance": 7}


def test_province_assigned_apps_future_units_components_and_broadcasts(sources: duckdb.DuckDBPyConnection) -> None:
    ends = rows(
        sources,
        """select "appId", count(distinct "releaseEnd") from irs_listing_events inner join irs_apps using ("appId")
        where "provinceAssigned" and "releaseEnd" like 'zheliban%' group by all""",
    )
    assert [count for _, count in ends] == [3] * 7
    units = """select kind, count("appId"), count(*) from irs_future_units group by all"""
    assert sorted(rows(sources, units)) == [("future_community", 22, 24), ("future_village", 14, 16)]
    assert rows(sources, """select count("listedOn"), count(*) from irs_components""") == [(13, 17)]
    assert rows(sources, "select count(*), sum(viewers) from irs_promotion_events") == [
        (11, pytest.approx(8e5, rel=0.01))
    ]


def test_the_library_holds_1793_projects_and_36_articles_in_9_chapters(reference_city: Path) -> None:
    with sqlite3.connect(reference_city / "project_library.db") as library:
        levels = dict(library.execute("select level, count(*) from project group by level"))
        kinds = dict(library.execute("select change_kind, count(*) from rule_article group by change_kind"))
        chapters = library.execute("select count(distinct chapter_no) from rule_article where change_kind <> '删除'")
        assert levels == {"市本级": 1254, "县区": 539}
        assert kinds == {"保留": 11, "修订": 19, "增补": 6, "删除": 1}
        assert chapters.fetchone()[0] == 9


def test_every_key_refers_to_a_record(sources: duckdb.DuckDBPyConnection, reference_city: Path) -> None:
    for table, column, target, key in (
        ("irs_apps", "departmentId", "irs_departments", "departmentId"),
        ("irs_modules", "appId", "irs_apps", "appId"),
        ("irs_listing_events", "appId", "irs_apps", "appId"),
        ("irs_sharing_requests", "appId", "irs_apps", "appId"),
        ("irs_sharing_requests", "resourceId", "irs_data_resources", "resourceId"),
        ("irs_sharing_requests", "applicantDepartmentId", "irs_departments", "departmentId"),
        ("irs_interface_calls", "appId", "irs_apps", "appId"),
        ("irs_security_notices", "appId", "irs_apps", "appId"),
        ("irs_future_units", "appId", "irs_apps", "appId"),
        ("zheliban", "app_id", "irs_apps", "appId"),
        ("zheliban", "module_id", "irs_modules", "moduleId"),
        ("zhezhengding", "module_id", "irs_modules", "moduleId"),
    ):
        lost = one(sources, f"""select count(*) from {table} where "{column}" is not null
            and "{column}" not in (select "{key}" from {target})""")  # fmt: skip
        assert lost == 0, f"{table}.{column}"
    with sqlite3.connect(reference_city / "project_library.db") as library:
        apps = {row[0] for row in rows(sources, 'select "appId" from irs_apps')}
        departments = {row[0] for row in rows(sources, 'select "departmentId" from irs_departments')}
        assert {row[0] for row in library.execute("select irs_app_id from project_app_link")} <= apps
        assert {row[0] for row in library.execute("select department_id from project")} <= departments
        for table in ("project_stage_event", "pre_review", "expert_review", "project_app_link"):
            query = f"select count(*) from {table} where project_no not in (select project_no from project)"
            assert library.execute(query).fetchone()[0] == 0


def test_an_app_has_rows_on_the_days_on_which_it_is_listed_and_on_no_other(
    sources: duckdb.DuckDBPyConnection,
) -> None:
    labels = """case release_end when 'zheliban_app' then '浙里办APP' when 'zheliban_wechat' then '微信小程序'
        when 'zheliban_alipay' then '支付宝小程序' when 'standalone_app' then '独立APP' end"""
    expected = f"""
        select app_id, {labels} as release_end, usage_on from ({LISTED}) as listed
        inner join (
            select unnest(generate_series(date '2021-01-01', date '2022-10-31', interval 1 day))::date as usage_on
        ) as day on usage_on >= listed_on and usage_on < until_on
        where release_end <> 'zhezhengding'
    """
    found = "select app_id, release_end, usage_on from zheliban where module_id is null"
    assert rows(sources, f"({found}) except ({expected})") == []
    missing = rows(sources, f"({expected}) except ({found})")
    assert missing
    assert {str(day)[:7] for _, _, day in missing} == {"2022-06"}
    assert len({app for app, _, _ in missing}) == 1


def test_only_the_announced_rows_break_a_row_rule(sources: duckdb.DuckDBPyConnection, reference_city: Path) -> None:
    from oneledger.city.city_manifest import require_manifest

    zheliban = one(sources, """select count(*) from zheliban where completions > starts or clicks > impressions
        or release_end not in ('浙里办APP', '微信小程序', '支付宝小程序', '独立APP')""")  # fmt: skip
    zhezhengding = one(sources, "select count(*) from zhezhengding where completions > starts or active > provisioned")
    announced = require_manifest(reference_city).expected_quarantined
    assert {"zheliban": zheliban, "zhezhengding": zhezhengding} == announced == {"zheliban": 9, "zhezhengding": 3}

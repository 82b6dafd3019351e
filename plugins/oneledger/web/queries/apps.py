"""The list of apps: a row an app with what is asked most, filtered, sorted and paged; or downloaded whole."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import pyarrow as pa

from oneledger.web.evaluated import OpenEvaluation
from oneledger.web.queries.overview import data_day, newest_whole_month
from oneledger.web.reading import Reading

MONTHS_SHOWN = 12
PAGE_ROWS = 50

_NO_STANDINGS = pa.table(
    {
        "app_id": pa.array([], pa.string()),
        "is_in_scope": pa.array([], pa.bool_()),
        "stars": pa.array([], pa.int32()),
        "score": pa.array([], pa.float64()),
        "stars_status": pa.array([], pa.string()),
        "disposition": pa.array([], pa.string()),
    }
)

# One row an app. Visitors are sums of daily visitors on the portals, without the own APP, whose use is no portal use.
_LIST = """
    with months as (
        select month::date as month
        from generate_series($newest::date - interval 11 month, $newest::date, interval 1 month) as series(month)
    ),

    monthly as (
        select app_id, month, sum(visitors_count) as visitors_count
        from marts.portal_usage_month
        where portal <> 'standalone_app' and month between $newest::date - interval 11 month and $newest::date
        group by app_id, month
    ),

    with_use as (
        select distinct app_id
        from monthly
    ),

    lines as (
        select
            with_use.app_id,
            list(monthly.visitors_count::bigint order by months.month) as visitors_by_month,
            any_value(monthly.visitors_count::bigint) filter (months.month = $newest::date) as visitors_count,
            any_value(monthly.visitors_count::bigint) filter (months.month = ($newest::date - interval 11 month)::date)
                as first_visitors_count
        from with_use
        cross join months
        left join monthly on with_use.app_id = monthly.app_id and months.month = monthly.month
        group by with_use.app_id
    ),

    verdicts as (
        select app_id, verdict, month as verdict_month
        from marts.low_use_verdict
        where period_end_on <= $as_of::date and period_end_on > $as_of::date - interval 1 year
        qualify row_number() over (partition by app_id order by period_end_on desc, portal) = 1
    ),

    ends as (
        select app_id, list(distinct release_end order by release_end) as ends
        from marts.app_listing_history
        where is_listed
        group by app_id
    )

    select
        app.app_id,
        app.app_name,
        app.side,
        app.family,
        app.level,
        app.district_code,
        app.department_id,
        app.department_name,
        app.listing_state,
        app.first_listed_on,
        app.is_key_app,
        coalesce(ends.ends, []) as ends,
        case
            when standing.stars_status = 'withheld' then 'withheld'
            when standing.stars_status is null then 'not_evaluated'
            else coalesce(standing.stars::varchar, 'none')
        end as stars_band,
        standing.stars,
        round(standing.score, 2) as score,
        standing.disposition,
        verdicts.verdict,
        verdicts.verdict_month,
        lines.visitors_count,
        lines.first_visitors_count,
        lines.visitors_by_month
    from marts.dim_app as app
    left join ends using (app_id)
    left join standings as standing using (app_id)
    left join verdicts using (app_id)
    left join lines using (app_id)
"""

_MATCHING = """
    ($q::varchar is null or contains(lower(concat_ws(' ', app_id, app_name, department_name)), lower($q)))
    and ($side::varchar is null or side = $side)
    and ($stars::varchar is null or stars_band = $stars)
    and ($department::varchar is null or department_id = $department)
    and ($district::varchar is null or district_code = $district)
    and ($verdict::varchar is null or verdict = $verdict)
    and ($disposition::varchar is null or disposition = $disposition)
    and ($listing::varchar is null or listing_state = $listing)
    and ($release_end::varchar is null or list_contains(ends, $release_end))
"""

SORTS = {
    "name": "app_name",
    "department": "department_name",
    "stars": "stars",
    "score": "score",
    "visitors": "visitors_count",
    "change": "visitors_count / nullif(first_visitors_count, 0)",
    "verdict": "verdict",
    "listed": "first_listed_on",
}

_DOWNLOADED = """
    app_id, app_name, side, family, level, district_code, department_id, department_name, listing_state,
    first_listed_on, array_to_string(ends, ' ') as ends, stars_band, stars, score, disposition, verdict, verdict_month,
    visitors_count
"""
# What the columns of a download hold, for its sheet of definitions.
DOWNLOAD_COLUMNS = {
    "app_id": "应用编码 code of the app on IRS",
    "app_name": "应用名称 name on IRS",
    "side": "service 服务侧（浙里办） or governance 治理侧（浙政钉）",
    "family": "类别 one of the four families",
    "level": "层级 city 市本级 or county 县区",
    "district_code": "行政区划代码 GB/T 2260",
    "department_id": "部门编码 department",
    "department_name": "部门名称 department name",
    "listing_state": "上架状态 listed, delisted, never_listed, unregistered",
    "first_listed_on": "首次上架日期 first listed on",
    "ends": "在架发布端 ends on which it is listed now",
    "stars_band": "星级 5, 4, 3, none 无星, withheld 暂不评, not_evaluated 未参评",
    "stars": "星级数 5, 4, 3; empty for none",
    "score": "得分 of 100; empty when not evaluated or withheld",
    "disposition": "处置建议 what the evaluation proposes",
    "verdict": "低频判定 newest verdict of use",
    "verdict_month": "判定月份 month of the verdict",
    "visitors_count": "最近完整月访客 sum of daily visitors on the portals in the newest whole month, or empty",
}


@dataclass(frozen=True)
class Wanted:
    """What a visitor looks for; None for no wish."""

    q: str | None = None
    side: str | None = None
    stars: str | None = None
    department: str | None = None
    district: str | None = None
    verdict: str | None = None
    disposition: str | None = None
    listing: str | None = None
    release_end: str | None = None

    @property
    def is_filtered(self) -> bool:
        return any(value is not None for value in asdict(self).values())


@dataclass(frozen=True)
class Choices:
    """What there is to choose from, in this version."""

    departments: list[tuple[str, str]]
    districts: list[str]
    ends: list[str]
    months: list[dt.date]


@dataclass(frozen=True)
class Found:
    """One page of the apps that match, and how many there are by stars."""

    rows: list[dict[str, Any]]
    total: int
    page: int
    pages: int
    by_stars: dict[str, int]


def app_list(reading: Reading, evaluation: OpenEvaluation | None) -> pa.Table:
    """Every app with its line of twelve months, its newest verdict, and its stars of this evaluation."""
    as_of_on = data_day(reading)
    run_id = evaluation.about["run_id"] if evaluation else None

    def make() -> pa.Table:
        cursor = reading.cursor()
        cursor.register("standings", evaluation.standings() if evaluation else _NO_STANDINGS)
        try:
            parameters = {"newest": newest_whole_month(as_of_on), "as_of": as_of_on}
            return cursor.execute(_LIST, parameters).to_arrow_table()
        finally:
            cursor.unregister("standings")

    return reading.remembered(("apps", "list", run_id), make)


def choices(reading: Reading, apps: pa.Table) -> Choices:
    """Departments, districts and ends of the apps."""
    cursor = _with(reading, apps)
    departments = cursor.execute(
        "select distinct department_id, department_name from app_list where department_id is not null order by 2, 1"
    ).fetchall()
    districts = cursor.execute(
        "select distinct district_code from app_list where district_code is not null order by 1"
    ).fetchall()
    ends = cursor.execute("select distinct unnest(ends) as release_end from app_list order by 1").fetchall()
    newest = newest_whole_month(data_day(reading))
    months = [_months_before(newest, number) for number in reversed(range(MONTHS_SHOWN))]
    return Choices(departments, [one for (one,) in districts], [one for (one,) in ends], months)


def find_apps(reading: Reading, apps: pa.Table, wanted: Wanted, *, sort: str, page: int) -> Found:
    """One page; a page after the last is the last.

    Args:
        sort: a key of ``SORTS``, with a minus for the greatest first.
    """
    cursor = _with(reading, apps)
    parameters = asdict(wanted)
    by_stars = dict(
        cursor.execute(
            f"select stars_band, count(*) from app_list where {_MATCHING} group by stars_band", parameters
        ).fetchall()
    )
    total = sum(by_stars.values())
    pages = max(1, -(-total // PAGE_ROWS))
    page = min(page, pages)
    order = f"{SORTS[sort.removeprefix('-')]} {'desc' if sort.startswith('-') else 'asc'} nulls last, app_id"
    answer = cursor.execute(
        f"select * from app_list where {_MATCHING} order by {order} limit {PAGE_ROWS} offset $skipped",
        {**parameters, "skipped": (page - 1) * PAGE_ROWS},
    )
    names = [column[0] for column in answer.description]
    rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    return Found(rows, total, page, pages, by_stars)


def keep_for_download(reading: Reading, apps: pa.Table, wanted: Wanted) -> duckdb.DuckDBPyConnection:
    """The request's cursor, with all apps that match in its table ``found_apps``, by name."""
    cursor = _with(reading, apps)
    cursor.execute(
        f"create or replace temp table found_apps as select {_DOWNLOADED} from app_list where {_MATCHING}"
        " order by app_name, app_id",
        asdict(wanted),
    )
    return cursor


def _with(reading: Reading, apps: pa.Table) -> duckdb.DuckDBPyConnection:
    cursor = reading.cursor()
    cursor.register("app_list", apps)
    return cursor


def _months_before(month: dt.date, number: int) -> dt.date:
    months = month.year * 12 + month.month - 1 - number
    return dt.date(months // 12, months % 12 + 1, 1)

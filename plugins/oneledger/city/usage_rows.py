"""The daily usage rows of both portals as SQL: each row is drawn from hashes of seed, app, end, part and day."""

from __future__ import annotations

import datetime as dt

from oneledger.city.suspicions import NIGHT, NIGHT_SHARE, SAME_VALUE, STARTS_LEFT, WITHOUT_STARTS
from oneledger.city.usage_profile import FACTOR_SQL, UNKNOWN_END

ZHELIBAN_HEADER = (
    "日期", "应用编码", "应用名称", "事项编码", "发布端", "浏览量", "访客数", "发起数", "办结数", "曝光量", "点击量",
    "一星", "二星", "三星", "四星", "五星", "夜间访客数",
)  # fmt: skip
ZHEZHENGDING_HEADER = (
    "统计日期", "应用标识", "应用名", "模块标识", "页面访问量", "访问人数", "发起数", "完成数", "活跃用户", "开通用户",
    "评价1分", "评价2分", "评价3分", "评价4分", "评价5分", "夜间访客数",
)  # fmt: skip
# A module row is about this long; used to size the steps.
BYTES_PER_ROW = 80


def _unit(hash_name: str, slot: int) -> str:
    """A number from 0 up to 1 out of 16 of the 64 bits of a hash."""
    return f"(((({hash_name}) >> {16 * slot}) & 65535) / 65536.0)"


def _suspected(kind: str, days: tuple[dt.date, dt.date]) -> str:
    """Whether a row's app raises this suspicion on its day."""
    return f"coalesce(suspicion = '{kind}' and usage_on between date '{days[0]}' and date '{days[1]}', false)"


def _ratings() -> str:
    """Counts of the ratings 1 to 5 whose mean is 1 + 4 × satisfaction: a binomial spread over four steps."""
    columns = []
    for stars, ways in enumerate((1, 4, 6, 4, 1), start=1):
        up, down = stars - 1, 5 - stars
        hash_name, slot = ("hash_2", stars - 1) if stars <= 4 else ("hash_3", 0)
        share = f"{ways} * pow(satisfaction, {up}) * pow(1 - satisfaction, {down})"
        columns.append(
            f"case when counts_ratings then floor(visitors * rating_rate * {share} + {_unit(hash_name, slot)})::bigint"
            f" end as rating_{stars}"
        )
    return ",\n            ".join(columns)


def app_rows_sql(seed: int) -> str:
    """One row an app, end and day. Parameters: side, first and last app number, first and last day."""
    return f"""
        with placed as (
            select
                app.number as app_number, app.app_id, app.name, app.side, app.satisfaction, app.completion,
                app.provisioned, app.suspicion,
                app.wanted_level * listing.share as same_value,
                listing.end_number, listing.end_label, day.usage_on, day.day_number,
                app.level * listing.share * {FACTOR_SQL} as level,
                greatest(0.05, least(0.6, 1.2 / case when app.side = 'service' then app.wanted_level
                    else app.wanted_level * app.provisioned end)) as rating_rate,
                listing.end_number in (1, 2, 5) as counts_ratings,
                hash({seed}, 1, app.number, listing.end_number, day.day_number) as hash_1,
                hash({seed}, 2, app.number, listing.end_number, day.day_number) as hash_2,
                hash({seed}, 3, app.number, listing.end_number, day.day_number) as hash_3
            from usage_app as app
            inner join usage_end as listing on app.number = listing.app_number
            inner join usage_day as day
                on day.usage_on >= listing.listed_on and day.usage_on < coalesce(listing.delisted_on, date '9999-12-31')
            left join usage_promotion as promotion
                on app.number = promotion.app_number and day.usage_on = promotion.usage_on
            where app.side = $side and app.number between $first_app and $last_app
                and day.usage_on between $first_day and $last_day
                and not coalesce(day.usage_on between app.outage_from and app.outage_to, false)
        ),

        visited as (
            select
                *,
                case
                    when {_suspected("same_value_day_after_day", SAME_VALUE)} then round(same_value)::bigint
                    when side = 'service'
                        then floor(level * (0.88 + 0.24 * {_unit("hash_1", 0)}) + {_unit("hash_1", 1)})::bigint
                    else least(provisioned, floor(
                        provisioned * level * (0.93 + 0.14 * {_unit("hash_1", 0)}) + {_unit("hash_1", 1)})::bigint)
                end as visitors
            from placed
        ),

        started as (
            select
                *,
                floor(
                    visitors * 0.4 * case when {_suspected("visits_without_starts", WITHOUT_STARTS)} then {STARTS_LEFT}
                        else 1 end + {_unit("hash_1", 2)}
                )::bigint as starts
            from visited
        )

        select
            app_number, app_id, name, end_number, end_label, usage_on, day_number, completion, visitors, starts,
            provisioned,
            floor(visitors * (2.2 + 2.4 * {_unit("hash_3", 1)}))::bigint as page_views,
            least(starts, floor(starts * completion + {_unit("hash_1", 3)})::bigint) as completions,
            case when end_number = 1 then floor(visitors * (6 + 9 * {_unit("hash_3", 2)}))::bigint end as impressions,
            case when end_number = 1 then visitors end as clicks,
            -- The Alipay mini-program does not count the night apart.
            case when end_number <> 3 then least(visitors, floor(
                visitors * (0.8 + 0.4 * {_unit("hash_3", 3)})
                * case
                    when {_suspected("night_visits", NIGHT)} then {NIGHT_SHARE}
                    when side = 'service' then 0.11
                    else 0.03
                end + {_unit("hash_1", 0)})::bigint) end as night_visitors,
            {_ratings()}
        from started
    """


def part_rows_sql(seed: int) -> str:
    """One row a module, end and day, out of the table ``app_row``."""
    return f"""
        with placed as (
            select
                app_row.*, part.module_id, part.number as module_number, part.is_scene, oddity.oddity,
                case when app_row.end_number = 4 then part.own_weight else part.weight end as weight,
                hash({seed}, 4, part.number, app_row.end_number, app_row.day_number) as hash_4,
                hash({seed}, 5, part.number, app_row.end_number, app_row.day_number) as hash_5
            from app_row
            inner join usage_module as part on app_row.app_number = part.app_number
            left join usage_oddity as oddity
                on part.number = oddity.module_number and app_row.usage_on = oddity.usage_on
                    and app_row.end_number = oddity.end_number
            where not coalesce(app_row.usage_on between part.gap_from and part.gap_to, false)
        ),

        visited as (
            select * replace (
                least(visitors, floor(visitors * weight * (0.9 + 0.2 * {_unit("hash_4", 0)})
                    + {_unit("hash_4", 1)})::bigint) as visitors,
                floor(page_views * weight * 0.9)::bigint as page_views,
                case when not is_scene then floor(starts * weight)::bigint end as starts
            )
            from placed
        )

        select
            app_number, app_id, name, end_number, usage_on, module_id, module_number,
            case when oddity = 'unknown_end' then '{UNKNOWN_END}' else end_label end as end_label,
            page_views, visitors, starts,
            case
                when oddity = 'completed_more' then starts + 3
                else least(starts, floor(starts * completion + {_unit("hash_4", 2)})::bigint)
            end as completions,
            case when is_scene and end_number in (1, 2)
                then floor(visitors * (14 + 30 * {_unit("hash_4", 3)}))::bigint end as impressions,
            case when is_scene and end_number in (1, 2) then visitors end as clicks
        from visited
    """


def zheliban_lines_sql(seed: int) -> str:
    """Text lines of the zheliban file by day: ``usage_on``, ``rows``, ``lines`` (joined by line feeds)."""
    return f"""
        with app_row as materialized ({app_rows_sql(seed)}),

        part_row as ({part_rows_sql(seed)}),

        line as (
            select
                usage_on, app_number, end_number, 0 as module_number,
                concat(usage_on, ',', app_id, ',', name, ',,', end_label, ',', page_views, ',', visitors, ',',
                    starts, ',', completions, ',', impressions, ',', clicks, ',',
                    rating_1, ',', rating_2, ',', rating_3, ',', rating_4, ',', rating_5, ',',
                    night_visitors) as text
            from app_row
            union all
            select
                usage_on, app_number, end_number, module_number,
                concat(usage_on, ',', app_id, ',', name, ',', module_id, ',', end_label, ',', page_views, ',',
                    visitors, ',', starts, ',', completions, ',', impressions, ',',
                    clicks, ',,,,,,') as text
            from part_row
        )

        select usage_on, count(*), string_agg(text, chr(10) order by app_number, end_number, module_number)
        from line
        group by usage_on
        order by usage_on
    """


def zhezhengding_lines_sql(seed: int) -> str:
    """Text lines of the zhezhengding file by day; dates in Chinese until the end of 2021."""
    day = "case when usage_on < date '2022-01-01' then strftime(usage_on, '%Y年%m月%d日') else usage_on::varchar end"
    return f"""
        with app_row as materialized ({app_rows_sql(seed)}),

        part_row as ({part_rows_sql(seed)}),

        line as (
            select
                usage_on, app_number, 0 as module_number,
                concat({day}, ',', app_id, ',', name, ',,', page_views, ',', visitors, ',', starts, ',', completions,
                    ',', visitors, ',', provisioned, ',',
                    rating_1, ',', rating_2, ',', rating_3, ',', rating_4, ',', rating_5, ',',
                    night_visitors) as text
            from app_row
            union all
            select
                usage_on, app_number, module_number,
                concat({day}, ',', app_id, ',', name, ',', module_id, ',', page_views, ',', visitors, ',', starts,
                    ',', completions, ',,,,,,,,') as text
            from part_row
        )

        select usage_on, count(*), string_agg(text, chr(10) order by app_number, module_number)
        from line
        group by usage_on
        order by usage_on
    """

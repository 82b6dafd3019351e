"""How each app is used: tables from which the daily rows of the portals are drawn.

``usage_app``, ``usage_end``, ``usage_module``, ``usage_promotion``, ``usage_oddity`` and ``usage_day`` hold the
city at its scale; ``usage_app.level`` is set so that the third quarter of 2022 has the mean that was drawn.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb

from oneledger.city.apps import own_app_share
from oneledger.city.calendar import days, is_working_day
from oneledger.city.modules import Module
from oneledger.city.population import Population
from oneledger.city.suspicions import ONE_END_SHARE, SPIKE, SPIKE_TIMES, suspicions
from oneledger.city.workspace import NUMBERS_PER_COPY, load_rows

D = dt.date
CALIBRATION = (D(2022, 7, 1), D(2022, 9, 30))
PROMOTED_DAYS = 10
QUIET_SHARE = 0.08
IN_SEASON_TIMES = 25.0
# end → (number, what the portal's file calls it, weight among the ends of one app)
ENDS = {
    "zheliban_app": (1, "浙里办APP", 0.62),
    "zheliban_wechat": (2, "微信小程序", 0.26),
    "zheliban_alipay": (3, "支付宝小程序", 0.12),
    "standalone_app": (4, "独立APP", 0.0),
    "zhezhengding": (5, "", 1.0),
}
UNKNOWN_END = "支付宝生活号"

# What an app's level is multiplied with on a day: working days, growth until mid 2022, its own ups and downs.
FACTOR_SQL = f"""
    case when app.side = 'service' then day.service_factor else day.governance_factor end
    * day.growth
    * case when day.usage_on <= app.quiet_until then {QUIET_SHARE} else 1 end
    * case when list_contains(app.season_months, month(day.usage_on)) then {IN_SEASON_TIMES} else 1 end
    * case when app.suspicion = 'spike_before_cut_off'
            and day.usage_on between date '{SPIKE[0]}' and date '{SPIKE[1]}' then {SPIKE_TIMES} else 1 end
    * coalesce(promotion.times, 1)
"""


def load_profile(con: duckdb.DuckDBPyConnection, population: Population) -> None:
    """Load the profile of the city and of all its copies, and calibrate the levels."""
    _load_apps(con, population)
    _load_ends(con, population)
    _load_modules(con, population)
    _load_promotions(con, population)
    load_rows(
        con,
        "usage_oddity",
        {"usage_on": "date", "module_number": "bigint", "end_number": "integer", "oddity": "varchar"},
        [{"usage_on": day, "module_number": m, "end_number": e, "oddity": o} for day, m, e, o in oddities(population)],
    )
    load_days(con, *CALIBRATION)
    _calibrate(con)


def load_days(con: duckdb.DuckDBPyConnection, first: dt.date, last: dt.date) -> None:
    """Set ``usage_day`` to the days of a range."""
    growth_days = (D(2022, 6, 1) - D(2021, 1, 1)).days
    load_rows(
        con,
        "usage_day",
        {"usage_on": "date", "day_number": "integer", "service_factor": "double", "governance_factor": "double",
         "growth": "double"},
        [
            {
                "usage_on": day,
                "day_number": day.toordinal(),
                "service_factor": 1.06 if is_working_day(day) else 0.86,
                "governance_factor": 1.25 if is_working_day(day) else 0.4,
                "growth": min(1.0, max(0.5, 0.6 + 0.4 * (day - D(2021, 1, 1)).days / growth_days)),
            }
            for day in days(first, last)
        ],
    )  # fmt: skip


def oddities(population: Population) -> list[tuple[dt.date, int, int, str]]:
    """The few rows that break a rule: (day, module number, end number, oddity). None touches a published figure."""
    found = []
    for side, end, wanted in (("service", "zheliban_app", 9), ("governance", "zhezhengding", 3)):
        parts = [part for part in population.modules if _is_ordinary(part, side)]
        for number, part in enumerate(parts[::3][:wanted]):
            day = D(2021, 10, 11) + dt.timedelta(days=23 * number)
            oddity = "unknown_end" if number >= 6 else "completed_more"
            found.append((day, part.number, ENDS[end][0], oddity))
    return found


def _is_ordinary(part: Module, side: str) -> bool:
    app = part.app
    is_old = app.first_listed_on is not None and app.first_listed_on < D(2021, 10, 1)
    return app.role == "county" and app.side == side and is_old and part.gap is None


def _load_apps(con: duckdb.DuckDBPyConnection, population: Population) -> None:
    suspected = suspicions(population.apps, population.promotions)
    rows = [
        {
            "number": app.number, "app_id": app.app_id, "name": app.name, "side": app.side,
            "wanted_level": app.quality.level, "satisfaction": app.quality.satisfaction,
            "completion": app.quality.completion, "provisioned": app.provisioned, "quiet_until": app.quiet_until,
            "season_months": list(app.season_months), "outage_from": app.outage[0] if app.outage else None,
            "outage_to": app.outage[1] if app.outage else None, "suspicion": suspected.get(app.number),
        }
        for app in population.apps if app.listings
    ]  # fmt: skip
    columns = {
        "number": "bigint", "app_id": "varchar", "name": "varchar", "side": "varchar", "wanted_level": "double",
        "satisfaction": "double", "completion": "double", "provisioned": "integer", "quiet_until": "date",
        "season_months": "integer[]", "outage_from": "date", "outage_to": "date", "suspicion": "varchar",
    }  # fmt: skip
    load_rows(con, "drawn_app", columns, rows)
    con.execute(
        f"""
        create or replace table usage_app as
        select drawn_app.* replace (
            number + copy_number * {NUMBERS_PER_COPY} as number,
            app_id || id_suffix as app_id,
            name || name_suffix as name
        ), wanted_level as level
        from drawn_app cross join copy_of_city
        """
    )


def _load_ends(con: duckdb.DuckDBPyConnection, population: Population) -> None:
    rows: list[dict[str, Any]] = []
    suspected = suspicions(population.apps, population.promotions)
    for app in population.apps:
        portal = {listing.release_end for listing in app.listings} - {"standalone_app"}
        together = sum(ENDS[end][2] for end in portal)
        for listing in app.listings:
            number, label, weight = ENDS[listing.release_end]
            share = weight / together
            if suspected.get(app.number) == "one_end_only":
                share = (
                    ONE_END_SHARE
                    if number == 1
                    else (1 - ONE_END_SHARE) * weight / (together - ENDS["zheliban_app"][2])
                )
            if listing.release_end == "standalone_app":
                share = own_app_share(population.draw, app)
            rows.append({
                "app_number": app.number, "end_number": number, "end_label": label, "share": round(share, 6),
                "listed_on": listing.listed_on, "delisted_on": listing.delisted_on,
            })  # fmt: skip
    columns = {"app_number": "bigint", "end_number": "integer", "end_label": "varchar", "share": "double",
               "listed_on": "date", "delisted_on": "date"}  # fmt: skip
    load_rows(con, "drawn_end", columns, rows)
    con.execute(
        f"""
        create or replace table usage_end as
        select drawn_end.* replace (app_number + copy_number * {NUMBERS_PER_COPY} as app_number)
        from drawn_end cross join copy_of_city
        """
    )


def _load_modules(con: duckdb.DuckDBPyConnection, population: Population) -> None:
    rows = [
        {
            "number": part.number, "app_number": part.app.number, "module_id": part.module_id, "weight": part.weight,
            "own_weight": part.own_weight, "is_scene": part.kind == "scene",
            "gap_from": part.gap[0] if part.gap else None, "gap_to": part.gap[1] if part.gap else None,
        }
        for part in population.modules
    ]  # fmt: skip
    columns = {"number": "bigint", "app_number": "bigint", "module_id": "varchar", "weight": "double",
               "own_weight": "double", "is_scene": "boolean", "gap_from": "date", "gap_to": "date"}  # fmt: skip
    load_rows(con, "drawn_module", columns, rows)
    con.execute(
        f"""
        create or replace table usage_module as
        select drawn_module.* replace (
            number + copy_number * {NUMBERS_PER_COPY} as number,
            app_number + copy_number * {NUMBERS_PER_COPY} as app_number,
            module_id || id_suffix as module_id
        )
        from drawn_module cross join copy_of_city
        """
    )


def _load_promotions(con: duckdb.DuckDBPyConnection, population: Population) -> None:
    rows = [
        {"app_number": app.number, "usage_on": event.held_on + dt.timedelta(days=offset),
         "times": 1 + 0.9 * (1 - offset / PROMOTED_DAYS)}
        for event in population.promotions for app in event.apps for offset in range(PROMOTED_DAYS)
    ]  # fmt: skip
    load_rows(con, "drawn_promotion", {"app_number": "bigint", "usage_on": "date", "times": "double"}, rows)
    con.execute(
        f"""
        create or replace table usage_promotion as
        select app_number + copy_number * {NUMBERS_PER_COPY} as app_number, usage_on, max(times) as times
        from drawn_promotion cross join copy_of_city
        group by all
        """
    )


def _calibrate(con: duckdb.DuckDBPyConnection) -> None:
    """Divide every wanted level by the mean factor of the days on which the app was listed in the quarter."""
    con.execute(
        f"""
        create or replace table usage_app as
        with listed as (
            select distinct listing.app_number, day.usage_on
            from usage_end as listing
            inner join usage_day as day
                on day.usage_on >= listing.listed_on and day.usage_on < coalesce(listing.delisted_on, date '9999-12-31')
            where listing.end_number <> 4
        ),

        factor as (
            select app.number, avg({FACTOR_SQL}) as mean_factor
            from usage_app as app
            inner join listed on app.number = listed.app_number
            inner join usage_day as day on listed.usage_on = day.usage_on
            left join usage_promotion as promotion
                on app.number = promotion.app_number and day.usage_on = promotion.usage_on
            group by app.number
        )

        select app.* replace (app.wanted_level / coalesce(factor.mean_factor, 1) as level)
        from usage_app as app
        left join factor on app.number = factor.number
        order by app.number
        """
    )

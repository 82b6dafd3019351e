"""The first round's scores, recomputed from the written source systems: facts by SQL, points by hand.

Weights and bands are those of the rule tables; how they are applied is written down here a second time.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from oneledger.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
# A module's months without a row though it is registered, an app's ends, breaches, calls: one row an app.
FACTS = """
    with round as ({first_round}),

    listed as ({listed_days}),

    row as (
        select app_id, module_id, usage_on, release_end, visitors, null as active_rate, starts, completions,
            rating_1, rating_2, rating_3, rating_4, rating_5
        from zheliban
        union all by name
        select app_id, module_id, usage_on, '浙政钉' as release_end, visitors,
            active / provisioned::double as active_rate, starts, completions,
            rating_1, rating_2, rating_3, rating_4, rating_5
        from zhezhengding
    ),

    in_round as (
        select row.* from row inner join round using (app_id)
        where usage_on between '2022-07-01' and '2022-09-30'
    ),

    app_row as (
        select app_id,
            sum(visitors) as all_visitors,
            sum(visitors) filter (where release_end <> '独立APP') as portal_visitors,
            count(distinct usage_on) filter (where release_end <> '独立APP') as reported_days,
            avg(active_rate) as active_rate,
            sum(starts) as starts, sum(completions) as completions,
            sum(rating_1 + rating_2 + rating_3 + rating_4 + rating_5) as ratings,
            sum(rating_2 + 2 * rating_3 + 3 * rating_4 + 4 * rating_5) as rating_steps
        from in_round where module_id is null group by app_id
    ),

    module_row as (
        select module."appId" as app_id, module."moduleId" as module_id, months.month,
            count(in_round.module_id) as rows,
            coalesce(sum(in_round.visitors), 0) as visitors
        from irs_modules as module
        cross join (values (7), (8), (9)) as months (month)
        inner join (select distinct app_id, month(usage_on) as month from listed) as listed
            on module."appId" = listed.app_id and months.month = listed.month
        left join in_round on module."moduleId" = in_round.module_id and months.month = month(in_round.usage_on)
            and in_round.release_end <> '独立APP'
        group by all
    ),

    modules as (
        select app_id, count(*) filter (where rows = 0) as missing_months,
            count(distinct module_id) filter (where rows > 0) as reporting,
            count(distinct module_id) filter (where visitors > 0) as used
        from module_row group by app_id
    ),

    asked as (
        select "appId" as app_id, count(*) as asked,
            count(*) filter ("approvedAt" < '2022-10-01') as approved
        from irs_sharing_requests where "appliedAt" < '2022-10-01' group by all
    ),

    ended as (
        select app_id, count(distinct release_end) as ends from ({listed}) as stretch
        where release_end like 'zheliban%' and listed_on <= '2022-09-30' and until_on > '2022-09-30' group by all
    ),

    breached as (
        select "appId" as app_id,
            count(*) filter ("noticedOn" >= '2022-07-01') + count(*) filter (
                "dueOn" < '2022-09-30' and coalesce("mendedOn", '9999') > "dueOn"
                and coalesce("mendedOn", '9999') >= '2022-07-01') as breaches
        from irs_security_notices where "reportedBy" = 'inspection' and "noticedOn" <= '2022-09-30' group by all
    ),

    called as (
        select "appId" as app_id, sum(calls) as calls, sum(failed) as failed
        from irs_interface_calls where date between '2022-07-01' and '2022-09-30' group by all
    ),

    held as (
        select "departmentId", count("publishedOn") / count(*)::double as published from irs_data_resources group by all
    )

    select round.app_id, round.side, app.family, app_row.* exclude (app_id), modules.* exclude (app_id),
        (select count(distinct usage_on) from listed where listed.app_id = round.app_id) as listed_days,
        coalesce(asked, 0) as asked, coalesce(approved, 0) as approved, coalesce(ends, 0) as ends,
        coalesce(breaches, 0) as breaches, coalesce(calls, 0) as calls, failed, published
    from round
    inner join irs_apps as app on round.app_id = app."appId"
    left join app_row using (app_id)
    left join modules using (app_id)
    left join asked using (app_id)
    left join ended using (app_id)
    left join breached using (app_id)
    left join called using (app_id)
    left join held on app."departmentId" = held."departmentId"
"""


def first_round_scores(
    con: duckdb.DuckDBPyConnection, city_dir: Path, first_round: str, listed: str, listed_days: str
) -> dict[str, float]:
    """The score of each app of the first round; the SQL of scope and listings is the caller's."""
    found = con.execute(FACTS.format(first_round=first_round, listed=listed, listed_days=listed_days)).fetchdf()
    money = _money(city_dir)
    return {
        fact["app_id"]: _score(fact, money.get(fact["app_id"])) for fact in found.to_dict("records")
    }  # fmt: skip


def _money(city_dir: Path) -> dict[str, float]:
    """10,000 yuan of project budget by app: each project's shared evenly among its apps."""
    with sqlite3.connect(city_dir / "project_library.db") as library:
        rows = library.execute(
            "select link.irs_app_id, sum(project.budget_wan / apps.number) from project_app_link as link"
            " join project on project.project_no = link.project_no"
            " join (select project_no, count(*) as number from project_app_link group by project_no) as apps"
            " on apps.project_no = link.project_no where link.linked_on <= '2022-09-30' group by link.irs_app_id"
        ).fetchall()
    return dict(rows)


def _score(fact: dict[str, Any], money_wan: float | None) -> float:
    published, calls = fact["published"], fact["calls"]
    # Worked out only where an app's family has the indicator: the facts of the others may not be there.
    shares: dict[str, Callable[[], float | None]] = {
        "use": lambda: _curve("use", fact["side"], fact["portal_visitors"] / fact["reported_days"]
                              if fact["side"] == "service" else fact["active_rate"]),
        "satisfaction": lambda: fact["rating_steps"] / (4 * fact["ratings"]),
        "completion": lambda: fact["completions"] / fact["starts"],
        "sharing": lambda: 1.0 if fact["approved"] else 0.5 if fact["asked"] else 0.0,
        "data_resources": lambda: None if published != published else published,
        "release_ends": lambda: {0: 0.0, 1: 0.5, 2: 0.75, 3: 1.0}[fact["ends"]],
        "online": lambda: fact["listed_days"] / 92,
        "stability": lambda: _curve("stability", "all", fact["reported_days"] / fact["listed_days"]),
        "interface_success": lambda: (
            _curve("interface_success", "all", 1 - fact["failed"] / calls) if calls >= 100 else None
        ),
        "cost_benefit": lambda: (
            None if money_wan is None else _curve("cost_benefit", "all", fact["all_visitors"] / money_wan)
        ),
        "function_use": lambda: fact["used"] / fact["reporting"],
    }  # fmt: skip
    points = weights = 0.0
    for indicator in _rows("indicator"):
        name = indicator["indicator_id"]
        if indicator["family"] != fact["family"] or indicator["side"] not in ("all", fact["side"]):
            continue
        weight = float(indicator["weight"])
        if name == "security":
            gained: float | None = max(0.0, weight - 1.0 * fact["breaches"])
        elif name == "module_data":
            gained = max(0.0, weight - 0.5 * fact["missing_months"])
        else:
            share = shares[name]()
            gained = None if share is None else share * weight
        if gained is not None:
            points, weights = points + gained, weights + weight
    return 100 * points / weights


def _curve(name: str, side: str, value: float) -> float:
    """Linear between the knots of scoring_band, flat above the last one."""
    knots = [
        (float(row["lower_value"]), float(row["points_share"]))
        for row in _rows("scoring_band") if row["indicator_id"] == name and row["side"] == side
    ]  # fmt: skip
    for (low, low_share), (high, high_share) in pairwise(knots):
        if low <= value < high:
            return low_share + (high_share - low_share) * (value - low) / (high - low)
    return knots[-1][1]


def _rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))

"""The evaluation recomputed by hand: plain Python over rows of the published marts, without the models' SQL.

An indicator that is new in the catalogue needs a function in ``INDICATORS`` here, a new condition one in
``CONDITIONS``: the test names what is missing.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]
PORTALS = {"service": "zheliban", "governance": "zhezhengding"}
NEVER = dt.date(9999, 12, 31)
# Read from the published version: by app, save what belongs to a department, a portal or a delivery.
TABLES = {
    "dim_app": "app_id", "portal_usage_month": "app_id", "app_listing_history": "app_id", "sharing_request": "app_id",
    "security_notice": "app_id", "app_project_money": "app_id", "dim_module": "app_id", "matter_usage_month": "app_id",
    "missing_module_data": "app_id", "app_interface_month": "app_id", "department_data_capability": "department_id",
    "portal_delivery_month": "portal", "source_freshness": "source",
}  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """What an indicator is made of; ``days`` are (covered, expected) when it hangs on days, ``needs`` deliveries."""

    numerator: float | None
    denominator: float | None
    observations: float | None = None
    days: tuple[int, int] | None = None
    needs: tuple[str, ...] = ()
    nothing: str = "data_missing"


@dataclass(frozen=True)
class Result:
    """One indicator of one app: the reason is None exactly when it is scored."""

    status: str
    reason: str | None
    measure: Measure
    points: float | None = None


@dataclass
class Marts:
    """Rows of the published marts and of the rules, in memory."""

    tables: dict[str, dict[str, list[Row]]]
    rules: Path
    start: dt.date
    end: dt.date
    cut_off: dt.date
    _rule_rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def rule_rows(self, name: str) -> list[dict[str, str]]:
        """Rows in force at the end of the period."""
        if name not in self._rule_rows:
            with (self.rules / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
            day = self.end.isoformat()
            self._rule_rows[name] = [
                row for row in rows if row["effective_from"] <= day <= (row["effective_to"] or "9999")
            ]
        return self._rule_rows[name]

    def catalogue(self, app_id: str) -> dict[str, dict[str, str]]:
        """The indicators of the app's family and side."""
        app = self.app(app_id)
        return {
            row["indicator_id"]: row
            for row in self.rule_rows("indicator")
            if row["family"] == app["family"] and row["side"] in ("all", app["side"])
        }

    def app(self, app_id: str) -> Row:
        return self.tables["dim_app"][app_id][0]

    def portal(self, app_id: str) -> str:
        return PORTALS[self.app(app_id)["side"]]

    def of(self, table: str, key: str) -> list[Row]:
        return self.tables[table].get(key, [])

    def months(self, table: str, app_id: str, portal: str | None = None) -> list[Row]:
        """Rows of the months of the period, of one portal or of all."""
        return [
            row for row in self.of(table, app_id)
            if self.start <= row["month"] <= self.end and portal in (None, row.get("portal"))
        ]  # fmt: skip

    def usage(self, app_id: str) -> list[Row]:
        return self.months("portal_usage_month", app_id)

    def own_usage(self, app_id: str) -> list[Row]:
        return self.months("portal_usage_month", app_id, self.portal(app_id))

    def reported_days(self, app_id: str) -> tuple[int, int]:
        """Days with rows of the app over its listed days, on its portal."""
        rows = self.own_usage(app_id)
        return int(total(rows, "reported_days_count")), int(total(rows, "listed_days_count"))

    def delivered_days(self, app_id: str) -> tuple[int, int]:
        """Days on which the portal sent anything over the app's listed days."""
        sent = {
            row["month"]: row["delivered_days_mask"] for row in self.of("portal_delivery_month", self.portal(app_id))
        }
        rows = self.own_usage(app_id)
        covered = sum(((row["listed_days_mask"] or 0) & sent.get(row["month"], 0)).bit_count() for row in rows)
        return covered, int(total(rows, "listed_days_count"))

    def is_delivered(self, delivery: str) -> bool:
        source, _, entity = delivery.partition(".")
        newest = [row["newest_business_on"] for row in self.of("source_freshness", source) if row["entity"] == entity]
        return bool(newest) and newest[0] is not None and newest[0] >= self.cut_off


def read_marts(version: Path, round_row: dict[str, str]) -> Marts:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{version / 'marts.duckdb'}' as published (read_only)")
        tables = {table: _by(connection, table, key) for table, key in TABLES.items()}
    days = (dt.date.fromisoformat(round_row[name]) for name in ("period_start_on", "period_end_on", "cut_off_on"))
    return Marts(tables, version / "evaluation" / "rules", *days)


def _by(connection: duckdb.DuckDBPyConnection, table: str, key: str) -> dict[str, list[Row]]:
    cursor = connection.execute(f"from published.marts.{table}")
    names = [column[0] for column in cursor.description or []]
    found: dict[str, list[Row]] = {}
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        found.setdefault(row[key], []).append(row)
    return found


def total(rows: list[Row], column: str) -> float:
    return float(sum(row[column] or 0 for row in rows))


def known_total(rows: list[Row], column: str) -> float | None:
    """None when nobody said anything: that is not zero."""
    given = [row[column] for row in rows if row[column] is not None]
    return float(sum(given)) if given else None


def use(marts: Marts, app_id: str) -> Measure:
    """Visitors a day on the app's own portal; for civil servants' apps the mean share of active users."""
    rows, days = marts.own_usage(app_id), marts.reported_days(app_id)
    if marts.app(app_id)["side"] == "service":
        upper, lower = known_total(rows, "visitors_count"), known_total(rows, "reported_days_count")
    else:
        upper, lower = known_total(rows, "active_rate_sum"), known_total(rows, "active_rate_days_count")
    return Measure(upper, lower, lower, days, nothing="no_days_reported")


def satisfaction(marts: Marts, app_id: str) -> Measure:
    """Steps above the lowest rating over the steps that there are, on every end."""
    rows = marts.usage(app_id)
    ratings = sum(total(rows, f"rating_{stars}_count") for stars in range(1, 6))
    steps = sum((stars - 1) * total(rows, f"rating_{stars}_count") for stars in range(1, 6))
    is_known = any(row["rating_1_count"] is not None for row in rows)
    return Measure(
        steps if is_known else None, 4 * ratings if is_known else None, ratings, marts.reported_days(app_id),
        nothing="no_ratings",
    )  # fmt: skip


def completion(marts: Marts, app_id: str) -> Measure:
    """What was finished over what was started, on every end."""
    rows = marts.usage(app_id)
    started = known_total(rows, "starts_count")
    return Measure(
        known_total(rows, "completions_count"), started, started, marts.reported_days(app_id), nothing="nothing_started"
    )


def sharing(marts: Marts, app_id: str) -> Measure:
    """2 when a request was approved by the cut-off, 1 when one was made, else 0."""
    made = [row for row in marts.of("sharing_request", app_id) if row["applied_at"].date() <= marts.cut_off]
    approved = [row for row in made if row["approved_at"] and row["approved_at"].date() <= marts.cut_off]
    return Measure(2.0 if approved else 1.0 if made else 0.0, 1.0, needs=("irs.sharing_request",))


def data_resources(marts: Marts, app_id: str) -> Measure:
    """Of the resources that the owner department registered, those that it published."""
    rows = marts.of("department_data_capability", marts.app(app_id)["department_id"])
    registered = known_total(rows, "resources_count")
    return Measure(
        known_total(rows, "published_resources_count"), registered, registered, needs=("irs.data_resource",),
        nothing="department_without_resources",
    )  # fmt: skip


def module_data(marts: Marts, app_id: str) -> Measure:
    """Months in which a registered module sent nothing though its app did."""
    rows = marts.months("missing_module_data", app_id, marts.portal(app_id))
    silent = [row for row in rows if row["gap_kind"] == "module_without_data"]
    return Measure(float(len(silent)), 1.0, None, marts.reported_days(app_id), ("irs.module",))


def release_ends(marts: Marts, app_id: str) -> Measure:
    """Zheliban ends on which the app is listed on the last day, of three."""
    ends = {
        row["release_end"]
        for row in marts.of("app_listing_history", app_id)
        if row["portal"] == "zheliban" and row["listed_on"] <= marts.end < (row["delisted_on"] or NEVER)
    }
    return Measure(float(len(ends)), 3.0, needs=("irs.listing_event",))


def online(marts: Marts, app_id: str) -> Measure:
    """Days on the portal over the days of the period."""
    listed = total(marts.own_usage(app_id), "listed_days_count")
    return Measure(listed, (marts.end - marts.start).days + 1.0, needs=("irs.listing_event",), nothing="no_days_listed")


def stability(marts: Marts, app_id: str) -> Measure:
    """Days with the app's rows over its listed days on which the portal delivered."""
    delivered = marts.delivered_days(app_id)
    return Measure(
        float(marts.reported_days(app_id)[0]), float(delivered[0]), float(delivered[0]), delivered,
        nothing="no_days_delivered",
    )  # fmt: skip


def interface_success(marts: Marts, app_id: str) -> Measure:
    """Calls that did not fail over all calls."""
    rows = marts.months("app_interface_month", app_id)
    calls = total(rows, "calls_count")
    good = float(sum(row["calls_count"] - row["failed_calls_count"] for row in rows))
    return Measure(good, calls, calls, needs=("irs.interface_call",), nothing="no_interface_calls")


def security(marts: Marts, app_id: str) -> Measure:
    """What an inspection found in the period, and what it found whenever and was mended late; never own reports."""
    found = [
        row for row in marts.of("security_notice", app_id)
        if row["reported_by"] == "inspection" and row["noticed_on"] <= marts.cut_off
    ]  # fmt: skip
    in_period = [row for row in found if row["noticed_on"] >= marts.start]
    late = [
        row for row in found
        if row["due_on"] and row["due_on"] < marts.cut_off
        and (row["mended_on"] or NEVER) > row["due_on"] and (row["mended_on"] or NEVER) >= marts.start
    ]  # fmt: skip
    return Measure(float(len(in_period) + len(late)), 1.0, needs=("irs.security_notice",))


PROJECT_DELIVERIES = ("project_library.app_link", "project_library.project")


def linked_projects(marts: Marts, app_id: str) -> list[Row]:
    rows = marts.of("app_project_money", app_id)
    return [row for row in rows if (row["linked_on"] or marts.cut_off) <= marts.cut_off]


def cost_benefit(marts: Marts, app_id: str) -> Measure:
    """Visitors on every end for each ten thousand yuan of the app's share in its projects' budgets."""
    shares = [row["share_cny"] for row in linked_projects(marts, app_id)]
    wan = float(sum(shares)) / 10_000 if shares and None not in shares else None
    visitors = known_total(marts.usage(app_id), "visitors_count")
    return Measure(visitors, wan, None, marts.reported_days(app_id), PROJECT_DELIVERIES, "no_project_money")


def function_use(marts: Marts, app_id: str) -> Measure:
    """Registered modules that somebody visited over those whose data came."""
    rows = marts.months("matter_usage_month", app_id, marts.portal(app_id))
    rows = [row for row in rows if row["is_registered"]]
    reporting = {row["module_id"] for row in rows}
    used = {row["module_id"] for row in rows if (row["visitors_count"] or 0) > 0}
    days = marts.reported_days(app_id)
    return Measure(float(len(used)), float(len(reporting)), None, days, nothing="no_module_reported")


def starts_in_period(marts: Marts, app_id: str) -> Measure:
    return Measure(known_total(marts.usage(app_id), "starts_count"), 1.0, None, marts.reported_days(app_id))


def department_resources(marts: Marts, app_id: str) -> Measure:
    rows = marts.of("department_data_capability", marts.app(app_id)["department_id"])
    return Measure(known_total(rows, "resources_count"), 1.0, needs=("irs.data_resource",))


def projects_linked(marts: Marts, app_id: str) -> Measure:
    return Measure(float(len(linked_projects(marts, app_id))), 1.0, needs=PROJECT_DELIVERIES)


def modules_registered(marts: Marts, app_id: str) -> Measure:
    registered = [row for row in marts.of("dim_module", app_id) if row["is_registered"]]
    return Measure(float(len(registered)), 1.0, needs=("irs.module",))


def interface_calls(marts: Marts, app_id: str) -> Measure:
    rows = marts.months("app_interface_month", app_id)
    return Measure(total(rows, "calls_count"), 1.0, needs=("irs.interface_call",))


Compute = Callable[[Marts, str], Measure]
INDICATORS: dict[str, Compute] = {
    "use": use, "satisfaction": satisfaction, "completion": completion, "sharing": sharing,
    "data_resources": data_resources, "module_data": module_data, "release_ends": release_ends, "online": online,
    "stability": stability, "interface_success": interface_success, "security": security,
    "cost_benefit": cost_benefit, "function_use": function_use,
}  # fmt: skip
CONDITIONS: dict[str, Compute] = {
    "starts_in_period": starts_in_period, "department_resources": department_resources,
    "projects_linked": projects_linked, "modules_registered": modules_registered, "interface_calls": interface_calls,
}  # fmt: skip


def result_of(marts: Marts, app_id: str, rule: dict[str, str]) -> Result:
    """One indicator of one app: measured, judged, and scored when it may be."""
    measure = INDICATORS[rule["indicator_id"]](marts, app_id)
    condition = None
    if rule["applicability_metric_id"]:
        condition = CONDITIONS[rule["applicability_metric_id"]](marts, app_id)
    needed = {*measure.needs, *(condition.needs if condition else ())}
    if not all(marts.is_delivered(delivery) for delivery in needed):
        return Result("withheld", "source_not_delivered", measure)
    for one in (condition, measure):
        if one is None:
            continue
        if one.days and one.days[0] < float(rule["minimum_coverage"] or 0) * one.days[1]:
            sent, listed = marts.delivered_days(app_id)
            is_portal = sent < float(rule["minimum_coverage"]) * listed
            return Result("withheld", "portal_days_missing" if is_portal else "app_days_missing", measure)
        if one.numerator is None or one.denominator is None:
            return Result("withheld", "data_missing", measure)
        if one is condition and one.numerator == 0:
            return Result("not_applicable", rule["reason_not_applicable"], measure)
        if one.denominator == 0:
            return Result("withheld", one.nothing, measure)
    least = float(rule["minimum_observations"] or 0)
    if measure.observations is not None and measure.observations < least:
        return Result("withheld", "too_few_observations", measure)
    assert measure.numerator is not None and measure.denominator
    return Result("scored", None, measure, points(marts, app_id, rule, measure.numerator / measure.denominator))


def points(marts: Marts, app_id: str, rule: dict[str, str], value: float) -> float:
    """Points of a value: by steps, between the knots of a curve, in proportion (in whole parts), or by deduction."""
    weight = float(rule["weight"])
    lower = float(rule["lower_bound"]) if rule["lower_bound"] else None
    upper = float(rule["upper_bound"]) if rule["upper_bound"] else None
    value = min(value, upper) if upper is not None else value
    value = max(value, lower) if lower is not None else value
    if rule["scoring_method"] == "deduction":
        return max(weight - float(rule["deduction_points"]) * value, float(rule["floor_points"] or 0))
    if rule["scoring_method"] == "pro_rata":
        low, high = lower or 0.0, 1.0 if upper is None else upper
        way = min(max((value - low) / (high - low), 0.0), 1.0)
        if rule["parts_count"]:
            parts = int(rule["parts_count"])
            way = int(round(way * parts, 9)) / parts
        return weight * way
    app = marts.app(app_id)
    bands = sorted(
        (float(row["lower_value"]), float(row["points_share"]) * weight)
        for row in marts.rule_rows("scoring_band")
        if row["indicator_id"] == rule["indicator_id"]
        and row["family"] in ("all", app["family"])
        and row["side"] in ("all", app["side"])
    )
    reached = [band for band in bands if band[0] <= value]
    low, given = reached[-1]
    if rule["scoring_method"] == "step" or len(reached) == len(bands):
        return given
    high, more = bands[len(reached)]
    return given + (more - given) * (value - low) / (high - low)


def score(marts: Marts, results: dict[str, tuple[float, Result]]) -> float | None:
    """Points over the weights that were scored, of 100; None when too much is withheld. ``results``: weight, result."""
    ceiling = next(row for row in marts.rule_rows("rule_threshold") if row["rule_id"] == "withheld_points_maximum")
    withheld = sum(weight for weight, one in results.values() if one.status == "withheld")
    scored = sum(weight for weight, one in results.values() if one.status == "scored")
    if withheld > float(ceiling["value"]) or not scored:
        return None
    return 100 * sum(one.points or 0.0 for _, one in results.values()) / scored


def stars(marts: Marts, value: float | None) -> int | None:
    if value is None:
        return None
    bands = [int(row["stars"]) for row in marts.rule_rows("star_band") if float(row["minimum_score"]) <= value + 1e-9]
    return max(bands, default=None)

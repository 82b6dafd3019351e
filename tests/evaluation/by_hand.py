"""The evaluation recomputed by hand: plain Python over rows of the published marts, without the models' SQL.

An indicator that is new in the catalogue needs a function here: the test names it.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]
PORTALS = {"service": "zheliban", "governance": "zhezhengding"}


@dataclass
class Marts:
    """Rows of the published marts and of the rules, in memory."""

    usage: dict[str, list[Row]]
    requests: dict[str, list[Row]]
    sides: dict[str, str]
    rules: Path
    start: dt.date
    end: dt.date
    cut_off: dt.date

    def rule_rows(self, name: str) -> list[dict[str, str]]:
        """Rows in force at the end of the period."""
        with (self.rules / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        day = self.end.isoformat()
        return [row for row in rows if row["effective_from"] <= day <= (row["effective_to"] or "9999")]

    def months(self, app_id: str, portal: str | None = None) -> list[Row]:
        return [
            row
            for row in self.usage.get(app_id, [])
            if self.start <= row["month"] <= self.end and portal in (None, row["portal"])
        ]

    def portal(self, app_id: str) -> str:
        return PORTALS[self.sides[app_id]]


def read_marts(version: Path, round_row: dict[str, str]) -> Marts:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{version / 'marts.duckdb'}' as published (read_only)")
        usage, requests = (_by_app(connection, table) for table in ("portal_usage_month", "sharing_request"))
        sides = {row["app_id"]: row["side"] for rows in _by_app(connection, "dim_app").values() for row in rows}
    days = (dt.date.fromisoformat(round_row[name]) for name in ("period_start_on", "period_end_on", "cut_off_on"))
    return Marts(usage, requests, sides, version / "evaluation" / "rules", *days)


def _by_app(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, list[Row]]:
    cursor = connection.execute(f"from published.marts.{table}")
    names = [column[0] for column in cursor.description or []]
    found: dict[str, list[Row]] = {}
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        found.setdefault(row["app_id"], []).append(row)
    return found


def total(rows: list[Row], column: str) -> float:
    return float(sum(row[column] or 0 for row in rows))


def use(marts: Marts, app_id: str) -> tuple[float, float]:
    """Visitors a day on the app's own portal; for civil servants' apps the mean share of active users."""
    rows = marts.months(app_id, marts.portal(app_id))
    if marts.sides[app_id] == "service":
        return total(rows, "visitors_count"), total(rows, "reported_days_count")
    return total(rows, "active_rate_sum"), total(rows, "active_rate_days_count")


def satisfaction(marts: Marts, app_id: str) -> tuple[float, float]:
    """Steps above the lowest rating over the steps that there are, on every end."""
    rows = marts.months(app_id)
    steps = sum((stars - 1) * total(rows, f"rating_{stars}_count") for stars in range(1, 6))
    return steps, 4 * sum(total(rows, f"rating_{stars}_count") for stars in range(1, 6))


def online(marts: Marts, app_id: str) -> tuple[float, float]:
    """Days on the portal over the days of the period."""
    return total(marts.months(app_id, marts.portal(app_id)), "listed_days_count"), (marts.end - marts.start).days + 1.0


def completion(marts: Marts, app_id: str) -> tuple[float, float]:
    """What was finished over what was started, on every end."""
    rows = marts.months(app_id)
    return total(rows, "completions_count"), total(rows, "starts_count")


def sharing(marts: Marts, app_id: str) -> tuple[float, float]:
    """2 when a request was approved by the cut-off, 1 when one was made, else 0."""
    made = [row for row in marts.requests.get(app_id, []) if row["applied_at"].date() <= marts.cut_off]
    approved = [row for row in made if row["approved_at"] and row["approved_at"].date() <= marts.cut_off]
    return (2.0 if approved else 1.0 if made else 0.0), 1.0


BY_HAND: dict[str, Callable[[Marts, str], tuple[float, float]]] = {
    "use": use,
    "satisfaction": satisfaction,
    "online": online,
    "completion": completion,
    "sharing": sharing,
}


def points(marts: Marts, app_id: str, indicator: dict[str, str], value: float) -> float:
    """Points of a value: in proportion, by steps, or between the knots of a curve."""
    if indicator["scoring_method"] == "pro_rata":
        return min(max(value, 0.0), 1.0) * float(indicator["weight"])
    bands = sorted(
        (float(row["lower_value"]), float(row["points"]))
        for row in marts.rule_rows("scoring_band")
        if row["indicator_id"] == indicator["indicator_id"] and row["applies_to"] in ("all", marts.sides[app_id])
    )
    reached = [band for band in bands if band[0] <= value]
    lower, given = reached[-1]
    if indicator["scoring_method"] == "step" or len(reached) == len(bands):
        return given
    upper, more = bands[len(reached)]
    return given + (more - given) * (value - lower) / (upper - lower)


def stars(marts: Marts, score: float) -> int | None:
    bands = [int(row["stars"]) for row in marts.rule_rows("star_band") if float(row["minimum_score"]) <= score + 1e-9]
    return max(bands, default=None)

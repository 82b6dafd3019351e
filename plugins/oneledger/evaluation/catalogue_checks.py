"""What rules must be together: weights, bands, metrics and reasons that fit, on every day on which a rule changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from oneledger.evaluation.band_checks import check_bands, check_star_bands
from oneledger.evaluation.metric_checks import check_metrics
from oneledger.evaluation.rule_problems import RuleProblem, problem_of
from oneledger.evaluation.rule_tables import FOREVER, RuleRow, RuleSet, number_of, period_of

FAMILIES = ("major_application", "application_system", "infrastructure", "operations")
SIDES = ("service", "governance")
FORMS = ("step", "piecewise", "pro_rata", "deduction")
BANDED_FORMS = ("step", "piecewise")
FULL_POINTS = 100.0
# Thresholds without which nothing can be evaluated, and the values they may have.
_THRESHOLDS = {"minimum_months_in_service": (0.0, 120.0), "withheld_points_maximum": (0.0, 100.0)}


def check_catalogue(rules: RuleSet) -> list[RuleProblem]:
    """Problems of the rules as a whole; every table is known to be sound by itself."""
    days = days_of_change(row for table in rules.tables.values() if table.shape.is_dated for row in table.rows)
    problems = list(check_metrics(rules))
    for row in rules.rows("indicator"):
        problems += _indicator(rules, row)
    if not problems:
        problems += _weights(rules, days)
        problems += check_bands(rules, days, FAMILIES, SIDES)
    problems += check_star_bands(rules, days)
    problems += _thresholds(rules, days)
    problems += _rounds(rules)
    return problems


def days_of_change(rows: Iterable[RuleRow]) -> list[dt.date]:
    """The days on which a rule begins, or the day after one ends: between them nothing changes."""
    days: set[dt.date] = set()
    for row in rows:
        period = period_of(row)
        if period:
            days.add(period[0])
            if period[1] < FOREVER:
                days.add(period[1] + dt.timedelta(days=1))
    return sorted(days)


def in_force(rows: Iterable[RuleRow], day: dt.date) -> list[RuleRow]:
    """The rows in force on a day."""
    return [row for row in rows if (period := period_of(row)) and period[0] <= day <= period[1]]


def _indicator(rules: RuleSet, row: RuleRow) -> Iterator[RuleProblem]:
    yield from _one_of(row, "family", FAMILIES)
    yield from _one_of(row, "side", (*SIDES, "all"))
    yield from _one_of(row, "scoring_method", FORMS)
    metrics = {metric.metric_id: metric for metric in rules.metrics}
    for column in ("metric_id", "applicability_metric_id"):
        if row[column] and row[column] not in metrics:
            yield problem_of(
                row, column, "there is no such metric", f"one of {', '.join(sorted(metrics))}",
                "Correct the name, or define the metric in macros/metrics.sql",
            )  # fmt: skip
    reasons = {one["reason_id"] for one in rules.rows("evaluation_reason") if one["status"] == "not_applicable"}
    if bool(row["applicability_metric_id"]) != bool(row["reason_not_applicable"]):
        yield problem_of(
            row, "reason_not_applicable", "the condition and its reason go together",
            "both applicability_metric_id and reason_not_applicable, or neither", "Fill in or empty the other one",
        )  # fmt: skip
    elif row["reason_not_applicable"] and row["reason_not_applicable"] not in reasons:
        yield problem_of(
            row, "reason_not_applicable", "there is no such reason", f"one of {', '.join(sorted(reasons))}",
            "Correct the name, or add the reason to evaluation_reason with status not_applicable",
        )  # fmt: skip
    yield from _within(row, "weight", 0, FULL_POINTS, is_above=True)
    yield from _within(row, "minimum_coverage", 0, 1)
    yield from _within(row, "minimum_observations", 1, float("inf"))
    lower, upper = number_of(row["lower_bound"]), number_of(row["upper_bound"])
    if lower is not None and upper is not None and upper <= lower:
        yield problem_of(
            row, "upper_bound", f"is not above lower_bound {row['lower_bound']}", "a number above lower_bound",
            "Correct one of the two bounds",
        )  # fmt: skip
    yield from _form(row)
    for column in ("dimension", "evidence"):
        if not row[column]:
            yield problem_of(row, column, "nothing is given", "text", f"Fill in {column}")


def _form(row: RuleRow) -> Iterator[RuleProblem]:
    """What belongs to one scoring form only."""
    form = row["scoring_method"]
    if form == "deduction":
        yield from _within(row, "deduction_points", 0, FULL_POINTS, is_above=True, is_required=True)
        yield from _within(row, "floor_points", 0, number_of(row["weight"]) or FULL_POINTS)
    if form == "pro_rata":
        yield from _within(row, "parts_count", 1, 1000)
    if form in BANDED_FORMS and not row["lower_bound"]:
        yield problem_of(
            row, "lower_bound", "bands need a lowest value", "the smallest value that is scored", "Fill in lower_bound"
        )
    for column, owner in (
        ("parts_count", "pro_rata"),
        ("deduction_points", "deduction"),
        ("floor_points", "deduction"),
    ):
        if row[column] and form != owner:
            yield problem_of(row, column, f"belongs to {owner} only", "nothing", f"Empty it, or score by {owner}")


def _weights(rules: RuleSet, days: list[dt.date]) -> Iterator[RuleProblem]:
    """The weights of a family and side add up to 100 on every day, each indicator once."""
    said: set[tuple[str, str, str]] = set()
    for day in days:
        for family in FAMILIES:
            for side in SIDES:
                rows = [
                    row for row in in_force(rules.rows("indicator"), day)
                    if row["family"] == family and row["side"] in ("all", side)
                ]  # fmt: skip
                for problem in _weights_of(rules, rows, family, side, day):
                    # What is wrong from one day on is said once.
                    if (family, side, problem.problem.split(" from ")[0]) not in said:
                        said.add((family, side, problem.problem.split(" from ")[0]))
                        yield problem


def _weights_of(
    rules: RuleSet, rows: list[RuleRow], family: str, side: str, day: dt.date
) -> Iterator[RuleProblem]:  # fmt: skip
    seen: dict[str, RuleRow] = {}
    for row in rows:
        if row["indicator_id"] in seen:
            yield problem_of(
                row, "side", f"{row['indicator_id']} of {family} counts twice on the {side} side from {day} on: "
                f"line {seen[row['indicator_id']].line} covers it too", "each indicator once for a family and side",
                "Keep the row for all sides, or those for single sides",
            )  # fmt: skip
        seen[row["indicator_id"]] = row
    together = round(sum(number_of(row["weight"]) or 0 for row in rows), 9)
    if together == FULL_POINTS:
        return
    table = rules.tables["indicator"]
    place = rows[-1] if rows else RuleRow({}, table.file or "indicator.csv", 1)
    parts = " + ".join(f"{row['indicator_id']} {row['weight']}" for row in rows) or "no indicator"
    difference = FULL_POINTS - together
    yield RuleProblem(
        place.file, place.line, "weight", f"{together:g}",
        f"the weights of {family}, {side}, add up to {together:g} from {day} on ({parts})", "100",
        f"{'Add' if difference > 0 else 'Take off'} {abs(difference):g} points among these indicators",
    )  # fmt: skip


def _thresholds(rules: RuleSet, days: list[dt.date]) -> Iterator[RuleProblem]:
    table = rules.tables.get("rule_threshold")
    if table is None:
        return
    for rule_id, (least, most) in _THRESHOLDS.items():
        rows = [row for row in table.rows if row["rule_id"] == rule_id]
        for row in rows:
            yield from _within(row, "value", least, most, is_required=True)
        for day in days:
            if not in_force(rows, day):
                yield RuleProblem(
                    table.file or "rule_threshold.csv", rows[0].line if rows else 1, "rule_id", rule_id,
                    f"the rule is not in force on {day}", "a row in force on every day", "Add the row or its dates",
                )  # fmt: skip
                break


def _rounds(rules: RuleSet) -> Iterator[RuleProblem]:
    for row in rules.rows("evaluation_round"):
        yield from _one_of(row, "family", (*FAMILIES, "all"))
        if not (row["period_start_on"] <= row["period_end_on"] <= row["cut_off_on"]):
            yield problem_of(
                row, "period_end_on", "period and cut-off are not in order",
                "period_start_on, period_end_on, cut_off_on in this order", "Correct the dates",
            )  # fmt: skip


def _one_of(row: RuleRow, column: str, allowed: tuple[str, ...]) -> Iterator[RuleProblem]:
    if row[column] not in allowed:
        yield problem_of(row, column, "is not known", f"one of {', '.join(allowed)}", "Correct the word")


def _within(
    row: RuleRow, column: str, least: float, most: float, *, is_above: bool = False, is_required: bool = False
) -> Iterator[RuleProblem]:
    """A number from ``least`` (or above it) to ``most``; nothing is fine unless it is required."""
    value = number_of(row[column])
    if value is None and not is_required and not row[column]:
        return
    if value is None or value < least or value > most or (is_above and value == least):
        upper = "" if most == float("inf") else f" and at most {most:g}"
        yield problem_of(
            row, column, "is out of range", f"a number {'above' if is_above else 'of at least'} {least:g}{upper}",
            "Correct the number",
        )  # fmt: skip

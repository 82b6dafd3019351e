"""Bands without gaps and overlaps: of indicators scored by steps or curves, and of stars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise

from oneledger.evaluation.rule_problems import RuleProblem, problem_of
from oneledger.evaluation.rule_tables import RuleRow, RuleSet, number_of, period_of

_BANDED = ("step", "piecewise")
_STARS = ("5", "4", "3")


def check_bands(
    rules: RuleSet, days: list[dt.date], families: tuple[str, ...], sides: tuple[str, ...]
) -> Iterator[RuleProblem]:
    """Problems of scoring_band on each day on which a rule changes; the same problem is said once."""
    indicators = {row["indicator_id"]: row for row in rules.rows("indicator")}
    for row in rules.rows("scoring_band"):
        if row["indicator_id"] not in indicators:
            yield problem_of(
                row, "indicator_id", "there is no such indicator", f"one of {', '.join(sorted(indicators))}",
                "Correct the name, or add the indicator",
            )  # fmt: skip
        for column, allowed in (("family", families), ("side", sides)):
            if row[column] not in (*allowed, "all"):
                yield problem_of(row, column, "is not known", f"one of {', '.join(allowed)}, all", "Correct the word")
        share = number_of(row["points_share"])
        if share is None or not 0 <= share <= 1:
            yield problem_of(
                row, "points_share", "is out of range", "a share of the weight from 0 to 1",
                "Divide the points by the weight of the indicator",
            )  # fmt: skip
    said: set[tuple[str, int, str]] = set()
    for day in days:
        for indicator in _in_force(rules.rows("indicator"), day):
            if indicator["scoring_method"] not in _BANDED:
                continue
            for side in sides if indicator["side"] == "all" else (indicator["side"],):
                for problem in _of_indicator(rules, indicator, side, day):
                    key = (problem.file, problem.line, problem.problem.split(" on ")[0])
                    if key not in said:
                        said.add(key)
                        yield problem


def _of_indicator(rules: RuleSet, indicator: RuleRow, side: str, day: dt.date) -> Iterator[RuleProblem]:
    """The bands of one indicator on one side and day: one set, from the lowest value that is scored."""
    knots = [
        row for row in _in_force(rules.rows("scoring_band"), day)
        if row["indicator_id"] == indicator["indicator_id"]
        and row["family"] in ("all", indicator["family"]) and row["side"] in ("all", side)
    ]  # fmt: skip
    named = f"{indicator['indicator_id']} of {indicator['family']}, {side},"
    if not knots:
        yield problem_of(
            indicator, "scoring_method", f"{named} has no bands on {day}",
            "rows in scoring_band for every day on which the indicator is in force", "Add the bands or their dates",
        )  # fmt: skip
        return
    knots.sort(key=lambda row: number_of(row["lower_value"]) or 0.0)
    sets = {(row["family"], row["side"], period_of(row)) for row in knots}
    if len(sets) > 1:
        other = next(row for row in knots if (row["family"], row["side"], period_of(row)) !=
                     (knots[0]["family"], knots[0]["side"], period_of(knots[0])))  # fmt: skip
        yield problem_of(
            other, "lower_value", f"{named} has bands that overlap on {day}: line {knots[0].line} is of another set",
            "one set of bands with the same family, side and dates", "End one of the sets, or give both the same dates",
        )  # fmt: skip
        return
    lowest, upper = number_of(indicator["lower_bound"]), number_of(indicator["upper_bound"])
    first = number_of(knots[0]["lower_value"]) or 0.0
    if lowest is not None and first > lowest:
        yield problem_of(
            knots[0], "lower_value", f"{named} has a gap: values from {lowest:g} to {first:g} have no band on {day}",
            f"a lowest band at {lowest:g}, the lower_bound of the indicator", f"Add a band at {lowest:g}",
        )  # fmt: skip
    for row in knots:
        if upper is not None and (number_of(row["lower_value"]) or 0.0) > upper:
            yield problem_of(
                row, "lower_value", f"{named} never gets so far: its upper_bound is {upper:g}", f"at most {upper:g}",
                "Correct the band or the upper_bound of the indicator",
            )  # fmt: skip
    if indicator["scoring_method"] == "piecewise" and len(knots) < 2:
        yield problem_of(
            knots[0], "lower_value", f"{named} is a curve with one knot", "at least two knots", "Add the next knot"
        )


def check_star_bands(rules: RuleSet, days: list[dt.date]) -> Iterator[RuleProblem]:
    """Problems of star_band: 5, 4 and 3 on every day, more stars for more points."""
    table = rules.tables.get("star_band")
    if table is None:
        return
    for row in table.rows:
        if row["stars"] not in _STARS:
            yield problem_of(row, "stars", "there is no such band", "5, 4 or 3", "Correct the stars")
        minimum = number_of(row["minimum_score"])
        if minimum is None or not 0 < minimum <= 100:
            yield problem_of(
                row, "minimum_score", "is out of range", "a score above 0 and at most 100", "Correct the score"
            )
    for day in days:
        bands = {row["stars"]: row for row in _in_force(table.rows, day)}
        lacking = [stars for stars in _STARS if stars not in bands]
        if lacking:
            yield RuleProblem(
                table.file or "star_band.csv", table.rows[0].line if table.rows else 1, "stars", lacking[0],
                f"there is a gap: no band of {lacking[0]} stars on {day}", "bands of 5, 4 and 3 stars on every day",
                "Add the band or its dates",
            )  # fmt: skip
            return
        for more, less in pairwise(_STARS):
            if (number_of(bands[more]["minimum_score"]) or 0) <= (number_of(bands[less]["minimum_score"]) or 0):
                yield problem_of(
                    bands[more], "minimum_score",
                    f"the bands overlap: {more} stars do not need more points than {less} stars on {day}",
                    f"more than {bands[less]['minimum_score']}, the score of {less} stars", "Correct one of the two",
                )  # fmt: skip
                return


def _in_force(rows: tuple[RuleRow, ...], day: dt.date) -> list[RuleRow]:
    return [row for row in rows if (period := period_of(row)) and period[0] <= day <= period[1]]

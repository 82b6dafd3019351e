"""Which round a period is evaluated in: the row of the rules, or one derived from the newest round."""

from __future__ import annotations

import datetime as dt
import re

from oneledger.evaluation.rule_tables import ROUNDS, RuleRow, RuleSet
from oneledger.settings import ConfigurationError

_QUARTER = re.compile(r"(\d{4})-Q([1-4])")


def rules_for_round(rules: RuleSet, period: str | None, as_of_on: dt.date) -> tuple[RuleSet, RuleRow]:
    """The rules with the rounds up to the wanted one, and the row of that round.

    Args:
        rules: all rules; the table ``evaluation_round`` has a row for each round that was ever decided on.
        period: ``2022-Q3``; None means the newest period whose data are in: a round of the rules, or, where rounds are
            quarters, the quarter after it that is complete by now.
        as_of_on: the day up to which the data go.

    Raises:
        ConfigurationError: there is no such period, or its data are not complete; it says what to do.
    """
    rounds = sorted(rules.rows(ROUNDS), key=lambda row: (row["period_end_on"], row["cut_off_on"]))
    if not rounds:
        raise ConfigurationError(f"The rules have no row in {ROUNDS}. Add one: every other round takes after it.")
    if period is None:
        complete = [row for row in rounds if dt.date.fromisoformat(row["cut_off_on"]) <= as_of_on]
        if not complete:
            first = rounds[0]
            raise ConfigurationError(
                f"No round is complete: the data go to {as_of_on}, the first round ({first['period']}) is cut off on "
                f"{first['cut_off_on']}. Name an earlier quarter with --period, or wait for the data."
            )
        chosen = complete[-1]
        quarter = _last_complete_quarter(as_of_on)
        if _QUARTER.fullmatch(chosen["period"]) and quarter > chosen["period"]:
            return rules_for_round(rules, quarter, as_of_on)
    else:
        of_period = [row for row in rounds if row["period"] == period]
        chosen = of_period[-1] if of_period else _derived(period, rounds[-1])
        if dt.date.fromisoformat(chosen["cut_off_on"]) > as_of_on:
            complete_ones = [row["period"] for row in rounds if row["cut_off_on"] <= as_of_on.isoformat()]
            instead = complete_ones[-1] if complete_ones else _last_complete_quarter(as_of_on)
            raise ConfigurationError(
                f"Period {period} is not complete: it is cut off on {chosen['cut_off_on']} and the data go to "
                f"{as_of_on}. Evaluate {instead}, or wait until a version with data to that day is published."
            )
    earlier = [
        row for row in rounds if row["period_end_on"] <= chosen["period_end_on"] and row["period"] != chosen["period"]
    ]
    return rules.with_rows(ROUNDS, [*earlier, chosen]), chosen


def _derived(period: str, model: RuleRow) -> RuleRow:
    match = _QUARTER.fullmatch(period)
    if match is None:
        raise ConfigurationError(
            f"{period!r} is no period. Give a quarter as 2022-Q3, or add the period as a row to {ROUNDS}.csv."
        )
    year, quarter = int(match[1]), int(match[2])
    start = dt.date(year, 3 * quarter - 2, 1)
    end = dt.date(year + quarter // 4, 3 * quarter % 12 + 1, 1) - dt.timedelta(days=1)
    derived = {
        "round_id": f"round-{period}",
        "period": period,
        "period_start_on": start.isoformat(),
        "period_end_on": end.isoformat(),
        "cut_off_on": end.isoformat(),
        "title_zh": f"{year}年第{quarter}季度绩效评价",
        "title_en": f"Evaluation of quarter {quarter} of {year}",
        "source": f"derived from round {model['round_id']}: same settings, the quarter as period, cut off on its last "
        "day",
    }
    given = {key: value for key, value in derived.items() if key in model.cells}
    return RuleRow({**model.cells, **given}, model.file, model.line)


def _last_complete_quarter(day: dt.date) -> str:
    first_of_quarter = dt.date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    next_quarter = dt.date(day.year + (day.month + 2) // 12, (3 * ((day.month - 1) // 3) + 3) % 12 + 1, 1)
    if day == next_quarter - dt.timedelta(days=1):
        return f"{day.year}-Q{(day.month + 2) // 3}"
    before = first_of_quarter - dt.timedelta(days=1)
    return f"{before.year}-Q{(before.month + 2) // 3}"

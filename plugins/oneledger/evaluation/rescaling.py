"""Weights of a draft brought back to 100."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import groupby

from oneledger.evaluation.catalogue_checks import FULL_POINTS, SIDES, days_of_change, in_force
from oneledger.evaluation.rule_tables import FOREVER, INDICATORS, RuleRow, RuleSet, number_of, period_of

_ONE_DAY = dt.timedelta(days=1)


def rescale(rules: RuleSet) -> RuleSet:
    """Bring the weights of each family and side back to 100 in proportion, on every day; nothing else changes.

    A row for both sides becomes one for each when its weight is no longer the same on both, and a row over days on
    which others change becomes one for each stretch of days. Rows whose dates or weights cannot be read stay.
    """
    rows = rules.rows(INDICATORS)
    readable = [row for row in rows if period_of(row) and number_of(row["weight"]) is not None]
    if INDICATORS not in rules.tables or len(readable) < len(rows):
        return rules
    scaled: list[RuleRow] = []
    for row in rows:
        family = [one for one in rows if one["family"] == row["family"]]
        weights = {side: list(_stretches(row, family, side)) for side in _sides(row)}
        by_side = [weights] if len(weights) == 1 else [{side: one} for side, one in weights.items()]
        if len(weights) > 1 and len({str(one) for one in weights.values()}) == 1:
            by_side = [{row["side"]: next(iter(weights.values()))}]
        scaled += [_part(row, side, *stretch) for part in by_side for side, found in part.items() for stretch in found]
    return rules.with_rows(INDICATORS, scaled)


def _sides(row: RuleRow) -> tuple[str, ...]:
    return SIDES if row["side"] == "all" else (row["side"],)


def _stretches(row: RuleRow, family: list[RuleRow], side: str) -> Iterator[tuple[dt.date, dt.date, str]]:
    """First day, last day and weight of a row, for each stretch of days on which its weight is the same."""
    peers = [one for one in family if side in _sides(one)]
    first, last = period_of(row) or (FOREVER, FOREVER)
    days = [day for day in days_of_change(peers) if first <= day <= last]
    weights = []
    for day in days:
        total = sum(number_of(one["weight"]) or 0.0 for one in in_force(peers, day))
        weights.append((day, _weight(row, total)))
    for weight, found in groupby(weights, key=lambda one: one[1]):
        begins = next(found)[0]
        after = [day for day, other in weights if day > begins and other != weight]
        yield begins, after[0] - _ONE_DAY if after else last, weight


def _weight(row: RuleRow, total: float) -> str:
    if not total or round(total, 9) == FULL_POINTS:
        return row["weight"]
    return f"{float(row['weight']) * FULL_POINTS / total:.15g}"


def _part(row: RuleRow, side: str, begins: dt.date, ends: dt.date, weight: str) -> RuleRow:
    dates = {"effective_from": begins.isoformat(), "effective_to": "" if ends == FOREVER else ends.isoformat()}
    return RuleRow({**row.cells, "side": side, "weight": weight, **dates}, row.file, row.line)

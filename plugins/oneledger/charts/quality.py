"""Charts of quality: how a check went, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification


def check_history(
    runs: Sequence[Mapping[str, Any]], *, titles: Mapping[str, str], palette: Palette = SCREEN
) -> Specification:
    """What a check judged in each run, passed and not passed, oldest run first.

    Args:
        runs: rows with ``checked_at``, ``judged_count``, ``failed_count`` (``check_trends``).
        titles: ``passed``, ``failed`` and ``judged``.
    """
    values = [
        {
            "run": number, "when": f"{run['checked_at']:%m-%d}", "count": count, "which": titles[which],
            "said": f"{run['checked_at']:%Y-%m-%d %H:%M}: {run['failed_count']} / {run['judged_count']} "
            f"{titles['failed']}",
        }
        for number, run in enumerate(runs)
        for which, count in (
            ("failed", run["failed_count"]),
            ("passed", run["judged_count"] - run["failed_count"]),
        )
    ]  # fmt: skip
    labels = {number: f"{run['checked_at']:%m-%d}" for number, run in enumerate(runs)}
    # A label for each bar would not fit when there are many.
    step = max(1, len(runs) // 6)
    shown = [number for number in labels if number % step == 0]
    return {
        "width": 520,
        "height": 150,
        "data": {"values": values},
        "mark": {"type": "bar", "cornerRadiusEnd": 0},
        "encoding": {
            "x": {"field": "run", "type": "ordinal", "scale": {"paddingInner": 0.2},
                  "axis": {"title": None, "values": shown,
                           "labelExpr": " : ".join([*(f"datum.value == {n} ? '{labels[n]}'" for n in shown), "''"])}},
            "y": {"field": "count", "type": "quantitative", "axis": {"title": titles["judged"], "tickMinStep": 1}},
            "color": {"field": "which", "type": "nominal",
                      "scale": {"domain": [titles["failed"], titles["passed"]],
                                "range": [palette.bad, palette.line]}},
            "order": {"field": "which", "type": "nominal",
                      "sort": "ascending" if titles["failed"] < titles["passed"] else "descending"},
            "description": {"field": "said"},
        },
    }  # fmt: skip

"""Charts of money: how long it took from a ledger to the release of its projects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from oneledger.charts.palette import Palette

Specification = dict[str, Any]
_BEFORE, _AFTER = dt.timedelta(days=20), dt.timedelta(days=60)


def lead_times(rows: Sequence[Mapping[str, Any]], palette: Palette, *, words: Mapping[str, str]) -> Specification:
    """A line a ledger on one axis of time: from its publication to the first release of its projects.

    Args:
        rows: ``ledger``, ``published`` and ``released`` (ISO dates; None while nothing was released), ``days_label``.
        words: ``published`` and ``released``, the names of the two marks.
    """
    days = [dt.date.fromisoformat(row[key]) for row in rows for key in ("published", "released") if row[key]]
    # Room for the marks at the left and for the days written at the right. In UTC: a day is the same day everywhere.
    scale = {"type": "utc", "domain": [(min(days) - _BEFORE).isoformat(), (max(days) + _AFTER).isoformat()]}
    axis = {"title": None, "format": "%Y-%m", "grid": True, "tickCount": 7}
    x = {"type": "temporal", "scale": scale, "axis": axis}
    y = {
        "field": "ledger",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelColor": palette.ink, "labelFontSize": 13, "labelLimit": 200},
    }
    values = [
        {**row, "end": row["released"] or row["published"], "description": f"{row['ledger']}: {row['days_label']}"}
        for row in rows
    ]
    marks = [
        {"ledger": row["ledger"], "day": row[key], "kind": words[key]}
        for row in rows
        for key in ("published", "released")
        if row[key]
    ]
    return {
        "width": 560,
        "height": {"step": 34},
        "layer": [
            {
                "data": {"values": [row for row in values if row["released"]]},
                "mark": {"type": "rule", "strokeWidth": 7, "opacity": 0.3, "color": palette.accent},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "published"},
                    "x2": {"field": "released"},
                    "description": {"field": "description"},
                },
            },
            {
                "data": {"values": marks},
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "day"},
                    "color": {
                        "field": "kind",
                        "type": "nominal",
                        "scale": {
                            "domain": [words["published"], words["released"]],
                            "range": [palette.muted, palette.accent],
                        },
                    },
                    "description": {"field": "kind"},
                },
            },
            {
                "data": {"values": values},
                "mark": {"type": "text", "align": "left", "dx": 10, "fontSize": 13},
                "encoding": {"y": y, "x": {**x, "field": "end"}, "text": {"field": "days_label"}},
            },
        ],
    }

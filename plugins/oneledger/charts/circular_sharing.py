"""Charts of data sharing: requests by month, and the two clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oneledger.charts.palette import Palette

Specification = dict[str, Any]


def requests(rows: Sequence[Mapping[str, Any]], palette: Palette, *, words: Mapping[str, str]) -> Specification:
    """A column a month, parted by kind, with the sum above it; a tick where the same month of the year before stood.

    Args:
        rows: ``month_label``, ``batch_count``, ``interface_count``, ``requests_count``, ``year_before_count``
            (None where the records begin later).
        words: ``requests`` (axis), ``batch``, ``interface``, ``year_before`` (legend).
    """
    x = {"field": "month_label", "type": "nominal", "sort": None, "axis": {"title": None}}
    kinds = [("batch_count", words["batch"]), ("interface_count", words["interface"])]
    parts = [
        {
            "month_label": row["month_label"],
            "kind": label,
            "count": row[field],
            "order": order,
            "description": f"{row['month_label']}, {label}: {row[field]}",
        }
        for row in rows
        for order, (field, label) in enumerate(kinds)
    ]
    sums = [
        {
            "month_label": row["month_label"],
            "sum": row["requests_count"],
            "before": row["year_before_count"],
            "kind": words["year_before"],
            "description": f"{row['month_label']}, {words['year_before']}: {row['year_before_count']}",
        }
        for row in rows
    ]
    has_before = any(row["before"] is not None for row in sums)
    legend = [*(label for _, label in kinds), *([words["year_before"]] if has_before else [])]
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": legend, "range": [palette.accent, palette.accent, palette.bad][: len(legend)]},
    }
    opacity = {
        "field": "kind",
        "type": "nominal",
        "scale": {"type": "ordinal", "domain": legend, "range": [1, 0.42, 1][: len(legend)]},
    }
    layers: list[Specification] = [
        # The lighter parts let the grid through; this keeps it behind them.
        {
            "data": {"values": sums},
            "mark": {"type": "bar", "width": {"band": 0.6}, "color": palette.surface, "aria": False},
            "encoding": {"x": x, "y": {"field": "sum", "type": "quantitative"}},
        },
        {
            "data": {"values": parts},
            "mark": {"type": "bar", "width": {"band": 0.6}, "cornerRadiusEnd": 0},
            "encoding": {
                "x": x,
                "y": {"field": "count", "type": "quantitative", "stack": True, "axis": {"title": words["requests"]}},
                "color": colour,
                "opacity": opacity,
                "order": {"field": "order"},
                "description": {"field": "description"},
            },
        },
        {
            "data": {"values": sums},
            "mark": {"type": "text", "dy": -8},
            "encoding": {"x": x, "y": {"field": "sum", "type": "quantitative"}, "text": {"field": "sum"}},
        },
    ]
    if has_before:
        layers.append(
            {
                "data": {"values": [row for row in sums if row["before"] is not None]},
                "mark": {"type": "tick", "thickness": 2.5, "size": 34},
                "encoding": {
                    "x": x,
                    "y": {"field": "before", "type": "quantitative"},
                    "color": colour,
                    "opacity": opacity,
                    "description": {"field": "description"},
                },
            }
        )
    return {"width": 620, "height": 220, "layer": layers}

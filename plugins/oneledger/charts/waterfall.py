"""How points add up to a score: a step an indicator, as long as its points, behind it what could have been reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

_ROW_HEIGHT = 30


def points_waterfall(
    rows: Sequence[dict[str, Any]], total: float, *, width: int = 820, palette: Palette = SCREEN
) -> Specification:
    """One bar an indicator, beginning where the one before ended; full at the top, so a shorter bar is points lost.

    Args:
        rows: in order: title, start (points before it), points, weight, text (points of weight), label (what the mark
            says), kind ``scored``, ``withheld`` or ``not_applicable`` (the last two have no bar).
        total: points that could be reached by the indicators that were scored.
    """
    data = [
        {**row, "end": row["start"] + (row["points"] or 0), "full": row["start"] + row["weight"]}
        for row in rows
        if row["kind"] == "scored"
    ]
    order = [row["title"] for row in data]
    y = {
        "field": "title", "type": "nominal", "sort": order, "title": None,
        "axis": {"labelLimit": 190, "labelColor": palette.ink},
    }  # fmt: skip
    # Room at the right for the last label; the axis itself ends at what could be reached.
    scale = {"domain": [0, total * 1.12], "nice": False}
    axis = {"grid": True, "values": list(range(0, int(total) + 1, 20))}
    x = {"field": "start", "type": "quantitative", "title": None, "scale": scale, "axis": axis}
    said = {"description": {"field": "label", "type": "nominal"}}
    return {
        "width": width, "height": _ROW_HEIGHT * max(len(data), 1), "data": {"values": data},
        "encoding": {"y": y},
        "layer": [
            {"mark": {"type": "bar", "height": 18, "cornerRadius": 2, "color": palette.line, "opacity": 0.8},
             "encoding": {"x": x, "x2": {"field": "full"}, **said}},
            {"mark": {"type": "bar", "height": 18, "cornerRadius": 2, "color": palette.accent},
             "encoding": {"x": x, "x2": {"field": "end"}, **said}},
            {"mark": {"type": "text", "align": "left", "dx": 6},
             "encoding": {"x": {"field": "full", "type": "quantitative"}, "text": {"field": "text"}}},
        ],
    }  # fmt: skip

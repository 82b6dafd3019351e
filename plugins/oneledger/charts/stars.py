"""Charts of stars: the score of one app over the confirmed runs, against the bands that a score must reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification


def score_history(
    rows: Sequence[dict[str, Any]], bands: Sequence[dict[str, Any]], *, width: int = 900, height: int = 190,
    palette: Palette = SCREEN,
) -> Specification:  # fmt: skip
    """The score by run, oldest first.

    Args:
        rows: run (in words, unique; ``|`` breaks the line), score (None when withheld or out of scope), text (the
            stars), label.
        bands: minimum_score, label: a line each.
    """
    y = {"field": "score", "type": "quantitative", "title": None, "scale": {"domain": [0, 100]}}
    x = {
        "field": "run", "type": "ordinal", "sort": None, "title": None, "scale": {"padding": 0.6},
        "axis": {"labelExpr": "split(datum.label, '|')", "labelLimit": 220},
    }  # fmt: skip
    said = {"description": {"field": "label", "type": "nominal"}}
    limit = {"field": "minimum_score", "type": "quantitative"}
    lines = {"data": {"values": list(bands)}}
    return {
        "width": width, "height": height, "data": {"values": list(rows)},
        "layer": [
            {**lines, "mark": {"type": "rule", "color": palette.muted, "strokeDash": [4, 3], "opacity": 0.6},
             "encoding": {"y": limit}},
            {**lines, "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -3,
                               "color": palette.muted},
             "encoding": {"y": limit, "x": {"value": width - 2}, "text": {"field": "label"}}},
            {"mark": {"type": "line", "aria": False}, "encoding": {"x": x, "y": y}},
            {"mark": {"type": "point", "size": 70, "filled": True, "opacity": 1}, "encoding": {"x": x, "y": y, **said}},
            {"mark": {"type": "text", "dy": -12}, "encoding": {"x": x, "y": y, "text": {"field": "text"}, **said}},
        ],
    }  # fmt: skip

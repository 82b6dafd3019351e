"""Charts of stars: how many apps have which, where every score lies, who moved, and how departments stand.

Rows carry the text that is printed (``label``, ``value_label``); the functions only place it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oneledger.charts.palette import Palette

Specification = dict[str, Any]
BANDS = ("5", "4", "3", "none", "withheld")
# One colour in steps: what is better is darker. Without stars is grey, withheld is an outline: it is no result.
_OPACITY = {"5": 1.0, "4": 0.62, "3": 0.32, "none": 0.5, "withheld": 0.0}
_DOT_WIDTH = 2


def distribution(rows: Sequence[Mapping[str, Any]], palette: Palette, *, words: Mapping[str, str]) -> Specification:
    """A column a band, with the count above it; a tick where the run before stood.

    Args:
        rows: ``band``, ``label``, ``count``, ``value_label``, ``before`` (None without a run before).
        words: ``apps`` and ``before``, the titles of the axis and of the ticks.
    """
    values = [{**row, "description": f"{row['label']}: {row['value_label']}"} for row in rows]
    x = {"field": "label", "type": "nominal", "sort": None, "axis": {"title": None, "labelFontSize": 13}}
    y = {"field": "count", "type": "quantitative", "axis": {"title": words["apps"]}}
    layers: list[Specification] = [
        # The lighter columns let the grid through; this keeps it behind them.
        {
            "mark": {"type": "bar", "width": {"band": 0.56}, "color": palette.surface, "aria": False},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "bar", "width": {"band": 0.56}, "strokeWidth": 1.2},
            "encoding": {"x": x, "y": y, **_shades(palette), "description": {"field": "description"}},
        },
        {
            "mark": {"type": "text", "dy": -9, "fontSize": 15, "color": palette.ink},
            "encoding": {"x": x, "y": y, "text": {"field": "value_label"}},
        },
    ]
    if any(row["before"] is not None for row in rows):
        layers.append(
            {
                "mark": {"type": "tick", "thickness": 2.5, "color": palette.bad, "size": 70},
                "encoding": {"x": x, "y": {**y, "field": "before"}, "description": {"field": "before_description"}},
            }
        )
    return {"width": 620, "height": 230, "data": {"values": values}, "layer": layers}


def scores(
    rows: Sequence[Mapping[str, Any]],
    bands: Sequence[Mapping[str, Any]],
    palette: Palette,
    *,
    words: Mapping[str, str],
) -> Specification:
    """A dot an app, stacked over its score; lines where the bands of stars begin.

    Args:
        rows: ``score``, ``band``, ``name``; apps without a score are left out by the caller.
        bands: ``minimum_score``, ``label``.
        words: ``score`` and ``apps``, the titles of the axes.
    """
    heights: dict[int, int] = {}
    dots = []
    for row in sorted(rows, key=lambda one: (one["score"], one["name"])):
        place = int(row["score"] // _DOT_WIDTH) * _DOT_WIDTH
        heights[place] = heights.get(place, 0) + 1
        dots.append({"x": place + _DOT_WIDTH / 2, "y": heights[place], "band": row["band"], "description": row["name"]})
    lowest = min((dot["x"] for dot in dots), default=0) - _DOT_WIDTH
    tallest = max(heights.values(), default=1)
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"domain": [max(0, lowest // 10 * 10), 100], "nice": False},
        "axis": {"title": words["score"], "tickCount": 9},
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [0, tallest + 4]},
        "axis": {"title": words["apps"], "grid": False, "tickMinStep": 1},
    }
    return {
        "width": 620,
        "height": max(120, min(260, 9 * (tallest + 3))),
        "layer": [
            {
                "data": {"values": [dict(band) for band in bands]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1},
                "encoding": {"x": {**x, "field": "minimum_score"}},
            },
            {
                # By turns a line lower: bands that lie close together do not write over each other.
                "data": {"values": [{**band, "top": 2 + 14 * (place % 2)} for place, band in enumerate(bands)]},
                "mark": {"type": "text", "align": "left", "dx": 4, "baseline": "top", "color": palette.muted},
                "encoding": {
                    "x": {**x, "field": "minimum_score"},
                    "y": {"field": "top", "type": "quantitative", "scale": None, "axis": None},
                    "text": {"field": "label"},
                },
            },
            {
                "data": {"values": dots},
                "mark": {"type": "circle", "size": 52, "strokeWidth": 0.8, "opacity": 1},
                "encoding": {"x": x, "y": y, **_shades(palette), "description": {"field": "description"}},
            },
        ],
    }


def movement(rows: Sequence[Mapping[str, Any]], palette: Palette, *, words: Mapping[str, str]) -> Specification:
    """A line an app, from its score before to its score now; rising ones in one colour, falling ones in another.

    Args:
        rows: ``name``, ``score_before``, ``score``, ``value_label``, ``is_risen``.
        words: ``score``, the title of the axis.
    """
    values = [{**row, "description": f"{row['name']}: {row['value_label']}"} for row in rows]
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelColor": palette.ink, "labelLimit": 220},
    }
    colour = {"condition": {"test": "datum.is_risen", "value": palette.good}, "value": palette.bad}
    x = {"field": "score", "type": "quantitative", "scale": {"zero": False}, "axis": {"title": words["score"]}}
    return {
        "width": 470,
        "height": {"step": 22},
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.45},
                "encoding": {"x": {**x, "field": "score_before"}, "x2": {"field": "score"}, "y": y, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": False, "size": 45, "strokeWidth": 1.5},
                "encoding": {"x": {**x, "field": "score_before"}, "y": y, "color": colour},
            },
            {
                "mark": {"type": "circle", "size": 75, "opacity": 1},
                "encoding": {"x": x, "y": y, "color": colour, "description": {"field": "description"}},
            },
        ],
    }


def departments(rows: Sequence[Mapping[str, Any]], palette: Palette, *, words: Mapping[str, str]) -> Specification:
    """A bar a department, parted by bands.

    Args:
        rows: one a department and band: ``department``, ``band``, ``label``, ``count``; departments in their order.
        words: ``apps``, the title of the axis.
    """
    order = list(dict.fromkeys(row["department"] for row in rows))
    labels = list(dict.fromkeys(row["label"] for row in sorted(rows, key=lambda one: BANDS.index(one["band"]))))
    opacity = {row["label"]: _OPACITY[row["band"]] for row in rows}
    grey = {row["label"] for row in rows if row["band"] in ("none", "withheld")}
    values = [
        {
            **row,
            "order": BANDS.index(row["band"]),
            "description": f"{row['department']}, {row['label']}: {row['count']}",
        }
        for row in rows
        if row["count"]
    ]
    shown = [label for label in labels if any(row["label"] == label and row["count"] for row in rows)]
    return {
        "width": 400,
        "height": {"step": 14},
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.7}, "cornerRadiusEnd": 0, "strokeWidth": 0.8},
        "encoding": {
            "y": {
                "field": "department",
                "type": "nominal",
                "sort": order,
                "axis": {"title": None, "labelColor": palette.ink, "labelLimit": 230, "labelFontSize": 11},
            },
            "x": {
                "field": "count",
                "type": "quantitative",
                "axis": {"title": words["apps"], "orient": "top", "grid": False, "tickMinStep": 1},
            },
            "order": {"field": "order"},
            "color": {
                "field": "label",
                "type": "nominal",
                "scale": {
                    "domain": shown,
                    "range": [palette.muted if one in grey else palette.accent for one in shown],
                },
                "legend": {"orient": "top"},
            },
            "opacity": {
                "field": "label",
                "type": "nominal",
                "scale": {"type": "ordinal", "domain": shown, "range": [max(opacity[one], 0.15) for one in shown]},
                "legend": {"orient": "top"},
            },
            "stroke": {"value": palette.surface},
            "description": {"field": "description"},
        },
    }


def _shades(palette: Palette) -> Specification:
    """Fill and outline by band, without a legend: the bands stand at the axis or at the lines."""
    outlined = {"condition": {"test": "datum.band === 'withheld'", "value": palette.muted}, "value": None}
    return {
        "color": {
            "field": "band",
            "type": "nominal",
            "legend": None,
            "scale": {
                "domain": list(BANDS),
                "range": [palette.accent, palette.accent, palette.accent, palette.muted, palette.muted],
            },
        },
        "fillOpacity": {
            "field": "band",
            "type": "nominal",
            "legend": None,
            "scale": {"type": "ordinal", "domain": list(BANDS), "range": [_OPACITY[band] for band in BANDS]},
        },
        "stroke": outlined,
    }

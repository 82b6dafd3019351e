"""Charts of use: visitors by portal, of one app by end and month or day, and the share against its own APP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

Row = dict[str, Any]


def portal_trend(
    rows: Sequence[Row], *, in_wan: bool, width: int = 520, height: int = 140, palette: Palette = SCREEN
) -> Specification:
    """Visitors by portal and month, a line a portal.

    Args:
        rows: month (ISO), portal (in words), visitors, label (what a mark says), is_partial; None in visitors
            breaks the line.
    """
    line = {
        "mark": {"type": "line", "strokeWidth": 2, "interpolate": "monotone", "aria": False},
        "encoding": {"y": _visitors(in_wan), "color": _by("portal")},
    }
    points = {
        "mark": {"type": "point", "size": 28, "filled": False, "strokeWidth": 1.6, "opacity": 1},
        "encoding": {
            "y": _visitors(in_wan), "color": _by("portal"), "description": {"field": "label", "type": "nominal"},
            # A month that lacks days is a ring.
            "fill": {
                "condition": {"test": "datum.is_partial", "value": palette.surface}, "field": "portal",
                "type": "nominal", "sort": None, "legend": None,
            },
        },
    }  # fmt: skip
    return {
        "width": width, "height": height, "data": {"values": list(rows)},
        "encoding": {"x": _month_axis()}, "layer": [line, points],
    }  # fmt: skip


def app_by_month(
    rows: Sequence[Row], marks: Sequence[Row], gaps: Sequence[Row], *, in_wan: bool, width: int = 900,
    height: int = 240, palette: Palette = SCREEN,
) -> Specification:  # fmt: skip
    """Visitors of one app by month, stacked by release end, with what happened to it above.

    Args:
        rows: month, next_month (ISO), end (in words), order, visitors, label.
        marks: day (ISO), kind (in words), label: listings, delistings, promotions.
        gaps: month, next_month, label: months in which days lack.
    """
    layers: list[Specification] = []
    if gaps:
        layers.append(_gap_bands(gaps, "month", "next_month", palette))
    layers.append(
        {
            "data": {"values": list(rows)},
            "mark": {"type": "bar", "cornerRadiusEnd": 0, "width": {"band": 0.72}},
            "encoding": {
                "x": _months_of_bars(rows, width),
                "y": {**_visitors(in_wan), "stack": "zero"},
                "color": _by("end", has_marks=bool(marks)), "order": {"field": "order", "type": "ordinal"},
                "description": {"field": "label", "type": "nominal"},
            },
        }
    )  # fmt: skip
    layers += _events(marks, palette)
    return {"width": width, "height": height, "layer": layers, "resolve": _INDEPENDENT}


def app_by_day(
    rows: Sequence[Row], marks: Sequence[Row], gaps: Sequence[Row], *, in_wan: bool, width: int = 900,
    height: int = 180, palette: Palette = SCREEN,
) -> Specification:  # fmt: skip
    """Visitors of one app by day of one quarter, a line an end; a day without a row breaks the line.

    Args:
        rows: day (ISO), end (in words), visitors (None where no row came), label.
        marks: as in ``app_by_month``.
        gaps: day, next_day, label: days of listing without a row.
    """
    layers: list[Specification] = []
    if gaps:
        layers.append(_gap_bands(gaps, "day", "next_day", palette))
    layers.append(
        {
            "data": {"values": list(rows)},
            "mark": {"type": "line", "strokeWidth": 1.6, "point": {"size": 14, "filled": True}},
            "encoding": {
                "x": _day_axis(), "y": _visitors(in_wan), "color": _by("end", has_marks=bool(marks)),
                "description": {"field": "label", "type": "nominal"},
            },
        }
    )  # fmt: skip
    layers += _events(marks, palette)
    return {"width": width, "height": height, "layer": layers, "resolve": _INDEPENDENT}


def channel_share(
    rows: Sequence[Row], weak_below: float | None, weak_label: str, *, width: int = 900, height: int = 150,
    palette: Palette = SCREEN,
) -> Specification:  # fmt: skip
    """Share of the portal in the visitors of portal and own APP by month, and the line under which it counts as weak.

    Args:
        rows: month (ISO), share (None where it cannot be told), label.
    """
    share = {
        "field": "share", "type": "quantitative", "title": None, "scale": {"domain": [0, 1]},
        "axis": {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1]},
    }  # fmt: skip
    layers: list[Specification] = [
        {"mark": {"type": "line", "color": palette.accent, "aria": False}, "encoding": {"y": share}},
        {
            "mark": {"type": "point", "filled": True, "size": 36, "color": palette.accent},
            "encoding": {"y": share, "description": {"field": "label", "type": "nominal"}},
        },
    ]
    if weak_below is not None:
        limit = {"data": {"values": [{"limit": weak_below, "label": weak_label}]}}
        y = {"field": "limit", "type": "quantitative"}
        layers += [
            {**limit, "mark": {"type": "rule", "color": palette.bad, "strokeDash": [4, 3]},
             "encoding": {"y": y, "x": None, "description": {"field": "label"}}},
            {**limit, "mark": {"type": "text", "align": "left", "baseline": "bottom", "dy": -3, "color": palette.bad},
             "encoding": {"y": y, "x": {"value": 4}, "text": {"field": "label"}}},
        ]  # fmt: skip
    return {
        "width": width, "height": height, "data": {"values": list(rows)}, "encoding": {"x": _month_axis()},
        "layer": layers,
    }  # fmt: skip


_INDEPENDENT = {"scale": {"color": "independent", "shape": "independent"}, "legend": {"color": "independent"}}


def _events(marks: Sequence[Row], palette: Palette) -> list[Specification]:
    """A dashed line from each event down through the chart, and a sign at its top: never by colour alone."""
    if not marks:
        return []
    data = {"data": {"values": list(marks)}}
    x = {"field": "day", "type": "temporal"}
    said = {"description": {"field": "label", "type": "nominal"}}
    return [
        {**data, "mark": {"type": "rule", "color": palette.muted, "strokeDash": [2, 3], "opacity": 0.7},
         "encoding": {"x": x, **said}},
        {**data, "mark": {"type": "text", "fontSize": 13, "baseline": "bottom", "dy": -4, "color": palette.ink},
         "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "sign", "type": "nominal"}, **said}},
    ]  # fmt: skip


def _gap_bands(gaps: Sequence[Row], start: str, end: str, palette: Palette) -> Specification:
    return {
        "data": {"values": list(gaps)},
        "mark": {"type": "rect", "color": palette.warn, "opacity": 0.16},
        "encoding": {
            "x": {"field": start, "type": "temporal"}, "x2": {"field": end},
            "description": {"field": "label", "type": "nominal"},
        },
    }  # fmt: skip


def _visitors(in_wan: bool) -> Row:
    """Counts on the axis as the reader's language groups them: in 万, or in thousands and millions."""
    unit, letter = (10_000, " 万") if in_wan else (1_000, "k")
    label = f"datum.value >= {unit} ? format(datum.value / {unit}, ',~r') + '{letter}' : format(datum.value, ',~r')"
    return {"field": "visitors", "type": "quantitative", "title": None, "axis": {"labelExpr": label}}


def _by(field: str, *, has_marks: bool = False) -> Row:
    """The colour of a line or bar; signs of events stand between chart and legend."""
    legend = {"offset": 24} if has_marks else {}
    return {"field": field, "type": "nominal", "title": None, "sort": None, "legend": legend}


def _month_axis() -> Row:
    # Vega-Lite has no way to say "%Y only in January" but an expression.
    label = "month(datum.value) == 0 ? [timeFormat(datum.value, '%-m'), timeFormat(datum.value, '%Y')]"
    label += " : timeFormat(datum.value, '%-m')"
    return {
        "field": "month", "type": "temporal", "title": None,
        "axis": {"labelExpr": label, "tickCount": "month", "labelOverlap": True},
    }  # fmt: skip


def _months_of_bars(rows: Sequence[Row], width: int) -> Row:
    """The months, each written under the middle of its bar, with the year at the first and at each January."""
    months = sorted({row["month"][:7] for row in rows})
    label = "month(datum.value) == 0 || datum.index == 0"
    label += " ? [timeFormat(datum.value, '%-m'), timeFormat(datum.value, '%Y')] : timeFormat(datum.value, '%-m')"
    axis = {
        "labelExpr": label, "values": [{"year": int(month[:4]), "month": int(month[5:])} for month in months],
        "labelOffset": width / max(len(months), 1) / 2, "labelOverlap": True,
    }  # fmt: skip
    return {"field": "month", "type": "temporal", "title": None, "timeUnit": "yearmonth", "axis": axis}


def _day_axis() -> Row:
    return {"field": "day", "type": "temporal", "title": None, "axis": {"format": "%m-%d", "tickCount": "week"}}

"""Charts of findings: a metric by month beside its target, its value when found and the day of the remedy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

Row = dict[str, Any]
Translate = Callable[[str, str], str]


def metric_history(
    rows: Sequence[Row], *, target: float | None, remedy_on: dt.date | None, found: tuple[dt.date, float] | None,
    is_rate: bool, t: Translate, palette: Palette = SCREEN,
) -> Specification:  # fmt: skip
    """The value of each month; a month without one leaves a gap, one before the remedy is a hollow point.

    Args:
        rows: ``{measured_on, value, state, state_title, text}`` by month; ``text`` is the value as it is written.
        target: what the metric is to reach; a dashed line.
        remedy_on: the day of the remedy; an upright line.
        found: day and value when found, drawn where the months do not show it themselves.
        is_rate: whether values are shares of one.
    """
    colours = {"met": palette.good, "missed": palette.bad}
    values = [
        {
            "on": row["measured_on"].isoformat(), "value": row["value"],
            "state": row["state"] if row["state"] in colours else "other",
            "label": f"{row['measured_on']}: {row['text']} · {row['state_title']}",
        }
        for row in rows
    ]  # fmt: skip
    known = [one for one in values if one["value"] is not None]
    days = [row["measured_on"] for row in rows] + [one for one in (remedy_on,) if one]
    first, last = min(days) - dt.timedelta(days=6), max(days) + dt.timedelta(days=6)
    # A month is measured on its last day: the tick stands there, under the month's name.
    ticks = [
        {"year": one.year, "month": one.month, "date": one.day, "utc": True}
        for one in (row["measured_on"] for row in rows)
    ]
    x = {"type": "temporal", "title": None, "axis": {"format": "%Y-%m", "values": ticks, "labelOverlap": True},
         "scale": {"domain": [first.isoformat(), last.isoformat()]}}  # fmt: skip
    y = {"type": "quantitative", "title": None, "axis": {"format": ".0%" if is_rate else "~s"},
         "scale": {"zero": True}}  # fmt: skip
    layers: list[Specification] = []
    if target is not None:
        data = {"data": {"values": [{"value": target, "on": last.isoformat(), "text": t("目标", "target")}]}}
        layers += [
            {**data,
             "mark": {"type": "rule", "aria": False, "strokeDash": [5, 4], "strokeWidth": 1.5, "color": palette.good},
             "encoding": {"y": {**y, "field": "value"}}},
            {**data,
             "mark": {"type": "text", "aria": False, "align": "right", "dy": -7, "color": palette.good, "fontSize": 11},
             "encoding": {"x": {**x, "field": "on"}, "y": {**y, "field": "value"}, "text": {"field": "text"}}},
        ]  # fmt: skip
    if remedy_on is not None:
        data = {"data": {"values": [{"on": remedy_on.isoformat(),
                                     "text": t("整改 %s", "remedy %s") % remedy_on}]}}  # fmt: skip
        layers += [
            {**data,
             "mark": {"type": "rule", "aria": False, "color": palette.muted}, "encoding": {"x": {**x, "field": "on"}}},
            {**data, "mark": {"type": "text", "aria": False, "color": palette.muted, "fontSize": 11},
             "encoding": {"x": {**x, "field": "on"}, "y": {"value": -9}, "text": {"field": "text"}}},
        ]  # fmt: skip
    if found is not None and all(row["measured_on"] != found[0] for row in rows):
        known.insert(0, {"on": found[0].isoformat(), "value": found[1], "state": "other",
                         "label": f"{found[0]}: {t('发现时', 'when found')}"})  # fmt: skip
    layers += [
        {"data": {"values": values},
         "mark": {"type": "line", "aria": False, "color": palette.accent, "invalid": "break-paths-show-domains"},
         "encoding": {"x": {**x, "field": "on"}, "y": {**y, "field": "value"}}},
        {
            "data": {"values": known}, "mark": {"type": "point", "size": 80, "opacity": 1, "strokeWidth": 2},
            "encoding": {
                "x": {**x, "field": "on"}, "y": {**y, "field": "value"}, "description": {"field": "label"},
                "fill": {"field": "state", "type": "nominal", "legend": None,
                         "scale": {"domain": ["met", "missed", "other"],
                                   "range": [palette.good, palette.bad, palette.surface]}},
                "stroke": {"field": "state", "type": "nominal", "legend": None,
                           "scale": {"domain": ["met", "missed", "other"],
                                     "range": [palette.good, palette.bad, palette.accent]}},
            },
        },
    ]  # fmt: skip
    return {"width": 470, "height": 190, "layer": layers}

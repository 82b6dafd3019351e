"""Charts of projects: how many in each stage, how long stages take, one project's way, its money and its assessors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

Row = dict[str, Any]
Translate = Callable[[str, str], str]

WIDTH = 470


def stage_counts(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """Projects by the stage that they are in, city and county one after the other.

    Args:
        rows: ``{title, city_count, county_count}``, in the order of the life cycle.
    """
    kinds = [("city_count", t("市本级", "city")), ("county_count", t("县区", "county"))]
    values = [
        {"stage": row["title"], "kind": title, "count": row[name], "order": order,
         "label": f"{row['title']} · {title}: {row[name]:,}"}
        for row in rows
        for order, (name, title) in enumerate(kinds)
    ]  # fmt: skip
    totals = [
        {"stage": row["title"], "total": row["city_count"] + row["county_count"],
         "text": f"{row['city_count'] + row['county_count']:,}"}
        for row in rows
    ]  # fmt: skip
    names = [row["title"] for row in rows]
    y = {"field": "stage", "type": "nominal", "sort": names, "title": None}
    return {
        "width": WIDTH, "height": {"step": 38},
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "bar", "height": 20},
                "encoding": {
                    "y": y,
                    "x": {"field": "count", "type": "quantitative", "axis": None, "stack": "zero"},
                    "order": {"field": "order", "type": "quantitative"},
                    "color": {
                        "field": "kind", "type": "nominal",
                        "scale": {"domain": [title for _, title in kinds],
                                  "range": [palette.accent, palette.series[2]]},
                    },
                    "description": {"field": "label"},
                },
            },
            {
                "data": {"values": totals},
                "mark": {"type": "text", "aria": False, "align": "left", "dx": 6, "color": palette.ink},
                "encoding": {"y": y, "x": {"field": "total", "type": "quantitative"}, "text": {"field": "text"}},
            },
        ],
    }  # fmt: skip


def stage_days(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """Days that a stage takes: the middle half of the projects as a line, the median as a point.

    Args:
        rows: ``{title, days_quarter, days_median, days_three_quarters}``; stages that nothing has left are not drawn.
    """
    values = [
        {
            "stage": row["title"], "low": row["days_quarter"], "middle": row["days_median"],
            "high": row["days_three_quarters"], "text": t("%.0f 天", "%.0f days") % row["days_median"],
            "label": t("%s：中位 %.0f 天，半数在 %.0f 至 %.0f 天", "%s: median %.0f days, half between %.0f and %.0f")
            % (row["title"], row["days_median"], row["days_quarter"], row["days_three_quarters"]),
        }
        for row in rows
        if row["days_median"] is not None
    ]  # fmt: skip
    y = {"field": "stage", "type": "nominal", "sort": [one["stage"] for one in values], "title": None}
    described = {"description": {"field": "label"}}
    return {
        "width": WIDTH, "height": {"step": 38}, "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 7, "strokeCap": "round", "color": palette.line},
                "encoding": {
                    "y": y, "x": {"field": "low", "type": "quantitative", "title": t("天", "days"),
                                  "scale": {"zero": True, "nice": True}},
                    "x2": {"field": "high"}, **described,
                },
            },
            {
                "mark": {"type": "point", "size": 110, "opacity": 1, "color": palette.accent},
                "encoding": {"y": y, "x": {"field": "middle", "type": "quantitative"}, **described},
            },
            {
                "mark": {"type": "text", "aria": False, "dy": -14, "color": palette.ink},
                "encoding": {"y": y, "x": {"field": "middle", "type": "quantitative"}, "text": {"field": "text"}},
            },
        ],
    }  # fmt: skip


def life_cycle(rows: Sequence[Row], as_of: dt.date, t: Translate, palette: Palette = SCREEN) -> Specification:
    """One project's stages as bars over time, due dates as upright marks, the newest business date as a line.

    Args:
        rows: ``{title, state, entered_on, left_on, days_in_stage, due_on, is_overdue, overdue_days}`` in order.
    """
    names = [row["title"] for row in rows]
    bars = [
        {
            "stage": row["title"], "from": row["entered_on"].isoformat(),
            "to": (row["left_on"] or as_of).isoformat(), "is_current": row["state"] == "current",
            "label": t("%s：%s 至 %s，%s 天", "%s: %s to %s, %s days")
            % (row["title"], row["entered_on"], row["left_on"] or t("今", "now"), row["days_in_stage"]),
        }
        for row in rows
        if row["entered_on"] is not None
    ]  # fmt: skip
    due = [
        {
            "stage": row["title"], "on": row["due_on"].isoformat(), "is_late": bool(row["is_overdue"]),
            "text": t("逾期 %s 天", "%s days late") % row["overdue_days"] if row["is_overdue"] else "",
            "label": t("%s 应于 %s 进入", "%s due on %s") % (row["title"], row["due_on"])
            + (t("，逾期 %s 天", ", %s days late") % row["overdue_days"] if row["is_overdue"] else ""),
        }
        for row in rows
        if row["due_on"] is not None
    ]  # fmt: skip
    y = {"field": "stage", "type": "nominal", "sort": names, "title": None, "scale": {"domain": names}}
    time = {"type": "temporal", "title": None, "axis": {"format": "%Y-%m", "labelOverlap": True}}
    return {
        "width": 1000, "height": {"step": 34},
        "layer": [
            {
                "data": {"values": [{"on": as_of.isoformat()}]},
                "mark": {"type": "rule", "aria": False, "strokeDash": [3, 3], "color": palette.muted},
                "encoding": {"x": {**time, "field": "on"}},
            },
            {
                "data": {"values": bars},
                "mark": {"type": "bar", "height": 14, "cornerRadius": 3},
                "encoding": {
                    "y": y, "x": {**time, "field": "from"}, "x2": {"field": "to"},
                    "opacity": {"condition": {"test": "datum.is_current", "value": 1}, "value": 0.55},
                    "description": {"field": "label"},
                },
            },
            {
                "data": {"values": due},
                "mark": {"type": "tick", "thickness": 2, "size": 26, "opacity": 1},
                "encoding": {
                    "y": y, "x": {**time, "field": "on"}, "description": {"field": "label"},
                    "color": {"condition": {"test": "datum.is_late", "value": palette.bad}, "value": palette.muted},
                },
            },
            {
                "data": {"values": [one for one in due if one["is_late"]]},
                "mark": {"type": "text", "aria": False, "align": "left", "dx": 6, "dy": -13, "color": palette.bad,
                         "fontSize": 11},
                "encoding": {"y": y, "x": {**time, "field": "on"}, "text": {"field": "text"}},
            },
        ],
    }  # fmt: skip


def money(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """Budget, released, arrived and spent of each budget year, in 万元 (ten thousand yuan) or thousands.

    Args:
        rows: ``{budget_year, budget_cny, released_cny, arrived_cny, spent_cny}``; a missing amount has no bar.
    """
    unit = 10_000 if t("zh", "en") == "zh" else 1_000
    steps = [
        ("budget_cny", t("预算", "budget"), palette.line), ("released_cny", t("下达", "released"), palette.series[5]),
        ("arrived_cny", t("到账", "arrived"), palette.series[2]), ("spent_cny", t("支出", "spent"), palette.accent),
    ]  # fmt: skip
    values = [
        {"year": str(row["budget_year"]), "step": title, "amount": float(row[name]) / unit,
         "label": f"{row['budget_year']} {title}: {float(row[name]) / unit:,.1f} {t('万元', 'thousand yuan')}"}
        for row in rows
        for name, title, _ in steps
        if row[name] is not None
    ]  # fmt: skip
    return {
        "width": 760, "height": {"step": 18}, "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "y": {"field": "year", "type": "nominal", "title": None},
            "yOffset": {"field": "step", "sort": [title for _, title, _ in steps]},
            "x": {"field": "amount", "type": "quantitative", "title": t("万元", "thousand yuan"),
                  "axis": {"tickCount": 6}},
            "color": {
                "field": "step", "type": "nominal",
                "scale": {"domain": [title for _, title, _ in steps], "range": [colour for _, _, colour in steps]},
            },
            "description": {"field": "label"},
        },
    }  # fmt: skip


def assessors(rates: Sequence[tuple[str, float | None]], combined: float | None, t: Translate,
              palette: Palette = SCREEN) -> Specification:  # fmt: skip
    """What each assessor gave, as a share of the points, and the combined rate as a line.

    Args:
        rates: title and rate of each assessor; None for a sheet that did not come.
    """
    names = [title for title, _ in rates]
    values = [
        {"who": title, "rate": rate, "text": f"{rate * 100:.1f}%", "label": f"{title}: {rate * 100:.1f}%"}
        for title, rate in rates
        if rate is not None
    ]
    y = {"field": "who", "type": "nominal", "sort": names, "title": None, "scale": {"domain": names}}
    x = {
        "field": "rate", "type": "quantitative", "title": None, "axis": {"format": ".0%", "tickCount": 5},
        "scale": {"domain": [0, 1]},
    }  # fmt: skip
    layers: list[Specification] = [
        {"data": {"values": values}, "mark": {"type": "bar", "height": 16},
         "encoding": {"y": y, "x": x, "description": {"field": "label"}}},
        {"data": {"values": values},
         "mark": {"type": "text", "aria": False, "align": "right", "dx": -8, "color": palette.surface},
         "encoding": {"y": y, "x": x, "text": {"field": "text"}}},
    ]  # fmt: skip
    if combined is not None:
        layers.append(
            {
                "data": {"values": [{"rate": combined, "label": f"{t('综合', 'combined')}: {combined * 100:.1f}%"}]},
                "mark": {"type": "rule", "strokeWidth": 2, "color": palette.series[1]},
                "encoding": {"x": x, "description": {"field": "label"}},
            }
        )
    return {"width": WIDTH, "height": {"step": 34}, "layer": layers}

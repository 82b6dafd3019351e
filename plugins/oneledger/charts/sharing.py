"""Charts of sharing: requests against the year before, the two clocks, who asks whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

Row = dict[str, Any]
Translate = Callable[[str, str], str]

WIDTH = 470
HEIGHT = 210
_MONTH = {"type": "ordinal", "title": None, "axis": {"labelAngle": 0, "labelOverlap": True, "labelSeparation": 14}}


def requests(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """New requests a month by kind, and the same month of the year before as marks.

    Args:
        rows: ``{month, kind, new_requests_count, year_before_requests_count, is_month_complete}``, ``kind`` as it is
            called; a year before that is unknown has no mark.
    """
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    bars = [
        {"month": str(row["month"])[:7], "kind": row["kind"], "count": row["new_requests_count"],
         "order": kinds.index(row["kind"]),
         "label": f"{str(row['month'])[:7]} {row['kind']}: {row['new_requests_count']:,}"
         + ("" if row["is_month_complete"] else t("（当月未完）", " (month not over)"))}
        for row in rows
    ]  # fmt: skip
    before: dict[str, int | None] = {}
    for row in rows:
        month, count = str(row["month"])[:7], row["year_before_requests_count"]
        known = before.get(month, 0)
        before[month] = None if known is None or count is None else known + count
    title = t("上年同月合计", "same month a year before")
    marks = [
        {"month": month, "count": count, "kind": title, "label": f"{month} {title}: {count:,}"}
        for month, count in before.items()
        if count is not None
    ]
    colours = [palette.accent, palette.series[2]][: len(kinds)]
    return {
        "width": 1000, "height": HEIGHT,
        "layer": [
            {
                "data": {"values": bars}, "mark": {"type": "bar"},
                "encoding": {
                    "x": {**_MONTH, "field": "month"},
                    "y": {"field": "count", "type": "quantitative", "title": t("新增申请", "new requests")},
                    "order": {"field": "order", "type": "quantitative"},
                    "color": {
                        "field": "kind", "type": "nominal",
                        "scale": {"domain": [*kinds, title], "range": [*colours, palette.series[1]]},
                    },
                    "description": {"field": "label"},
                },
            },
            {
                "data": {"values": marks}, "mark": {"type": "tick", "thickness": 3, "size": 26, "opacity": 1},
                "encoding": {
                    "x": {"field": "month", "type": "ordinal"}, "y": {"field": "count", "type": "quantitative"},
                    "color": {"field": "kind", "type": "nominal"}, "description": {"field": "label"},
                },
            },
        ],
    }  # fmt: skip


def approving(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """Share of the judged requests that were approved within their limit of working days, by month of application.

    Args:
        rows: ``{month, in_time_rate, in_time_count, judged_count, median_working_days}``; a month in which nothing was
            judged has no point.
    """
    values = [
        {"month": str(row["month"])[:7], "rate": row["in_time_rate"],
         "label": t("%s：%.0f%% 按时（%s/%s），中位 %.0f 个工作日",
                    "%s: %.0f %% in time (%s of %s), median %.0f working days")
         % (str(row["month"])[:7], row["in_time_rate"] * 100, row["in_time_count"], row["judged_count"],
            row["median_working_days"] or 0)}
        for row in rows
        if row["in_time_rate"] is not None
    ]  # fmt: skip
    return {
        "width": WIDTH, "height": HEIGHT, "data": {"values": values},
        "encoding": {
            "x": {**_MONTH, "field": "month"},
            "y": {"field": "rate", "type": "quantitative", "title": None, "scale": {"domain": [0, 1]},
                  "axis": {"format": ".0%"}},
        },
        "layer": [
            {"mark": {"type": "line", "aria": False}},
            {"mark": {"type": "point", "size": 45, "opacity": 1}, "encoding": {"description": {"field": "label"}}},
        ],
    }  # fmt: skip


def opening(
    rows: Sequence[Row], target_minutes: float | None, t: Translate, palette: Palette = SCREEN
) -> Specification:
    """Minutes from approval to opened data by month of approval, median and longest, against the target; log scale.

    Args:
        rows: ``{month, median_minutes, maximum_minutes}``; months in which nothing was opened have no point.
        target_minutes: None draws no target.
    """
    series = [
        ("median_minutes", t("中位", "median"), palette.accent),
        ("maximum_minutes", t("最长", "longest"), palette.series[5]),
    ]
    values = [
        {"month": str(row["month"])[:7], "kind": title, "minutes": row[name],
         "label": f"{str(row['month'])[:7]} {title}: {row[name]:,.1f} {t('分钟', 'minutes')}"}
        for row in rows
        for name, title, _ in series
        if row[name] is not None and row[name] > 0
    ]  # fmt: skip
    y = {
        "type": "quantitative", "title": t("分钟（对数刻度）", "minutes (log scale)"), "scale": {"type": "log"},
        "axis": {"values": [1, 10, 100, 1000], "format": ","},
    }  # fmt: skip
    first = str(rows[0]["month"])[:7] if rows else ""
    targets = [] if target_minutes is None else [
        {"minutes": target_minutes, "month": first, "text": t("目标 %.0f 分钟", "target %.0f minutes") % target_minutes}
    ]  # fmt: skip
    return {
        "width": WIDTH, "height": HEIGHT,
        "layer": [
            {
                "data": {"values": targets},
                "mark": {"type": "rule", "aria": False, "strokeDash": [5, 4], "strokeWidth": 1.5,
                         "color": palette.good},
                "encoding": {"y": {**y, "field": "minutes"}},
            },
            {
                "data": {"values": targets},
                "mark": {"type": "text", "aria": False, "align": "left", "dy": -8, "dx": -6, "color": palette.good},
                "encoding": {"x": {**_MONTH, "field": "month"}, "y": {**y, "field": "minutes"},
                             "text": {"field": "text"}},
            },
            {
                "data": {"values": values},
                "encoding": {
                    "x": {**_MONTH, "field": "month"}, "y": {**y, "field": "minutes"},
                    "color": {"field": "kind", "type": "nominal",
                              "scale": {"domain": [title for _, title, _ in series],
                                        "range": [colour for _, _, colour in series]}},
                },
                "layer": [
                    {"mark": {"type": "line", "aria": False}},
                    {"mark": {"type": "point", "size": 35, "opacity": 1},
                     "encoding": {"description": {"field": "label"}}},
                ],
            },
        ],
    }  # fmt: skip


def network(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """Who asks whom: a square for each pair, the darker the more requests, with the number in it.

    Args:
        rows: ``{requester, provider, requests_count}``, ordered as the axes are to be.
    """
    values = [
        {"requester": row["requester"], "provider": row["provider"], "count": row["requests_count"],
         "label": t("%s 向 %s 申请 %s 次", "%s asked %s %s times")
         % (row["requester"], row["provider"], row["requests_count"])}
        for row in rows
    ]  # fmt: skip
    most = max((row["requests_count"] for row in rows), default=1)
    providers = list(dict.fromkeys(sorted((one["provider"] for one in values), key=_rank(rows, "provider"))))
    y = {"field": "requester", "type": "nominal", "sort": list(dict.fromkeys(one["requester"] for one in values)),
         "title": t("申请方", "asks"), "axis": {"labelLimit": 190}}  # fmt: skip
    x = {"field": "provider", "type": "nominal", "sort": providers, "title": t("提供方", "is asked"),
         "axis": {"labelAngle": -40, "orient": "top", "labelLimit": 160}}  # fmt: skip
    return {
        "width": {"step": 70}, "height": {"step": 34}, "data": {"values": values},
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 3, "color": palette.accent},
                "encoding": {
                    "opacity": {"field": "count", "type": "quantitative", "legend": None,
                                "scale": {"domain": [0, most], "range": [0.06, 1]}},
                    "description": {"field": "label"},
                },
            },
            {
                "mark": {"type": "text", "aria": False, "fontSize": 11},
                "encoding": {
                    "text": {"field": "count"},
                    "color": {"condition": {"test": f"datum.count > {most * 0.55}", "value": palette.surface},
                              "value": palette.ink},
                },
            },
        ],
    }  # fmt: skip


def _rank(rows: Sequence[Row], name: str) -> Callable[[str], tuple[int, str]]:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[name]] = totals.get(row[name], 0) + row["requests_count"]
    return lambda one: (-totals[one], one)

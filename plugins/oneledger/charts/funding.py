"""Charts of funding: each ledger's way to the money, releases against the yearly window, the share by the rates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

Row = dict[str, Any]
Translate = Callable[[str, str], str]


def ledgers(rows: Sequence[Row], as_of: dt.date, t: Translate, palette: Palette = SCREEN) -> Specification:
    """Each ledger on a line of time: published → projects released → money arrived → spent (medians), or waiting.

    The wait for the release is drawn in full colour and says its days; bands behind show the months of the budget
    cycle: joint review (September and October) and release (March and April).

    Args:
        rows: ``{title, published_on, is_month, first_released_on, median_arrived_on, median_spent_on,
            publish_to_release_days, is_waiting}`` in order of publication.
    """
    names = [row["title"] for row in rows]
    start = min((row["published_on"] for row in rows if row["published_on"]), default=as_of)
    first, last = dt.date(start.year, 1, 1), as_of
    parts = [
        ("wait", t("发布 → 下达", "published → released"), palette.accent),
        ("arrive", t("下达 → 到账", "released → arrived"), palette.series[2]),
        ("spend", t("到账 → 支出", "arrived → spent"), palette.series[5]),
        ("waiting", t("仍在等待", "still waiting"), palette.warn),
    ]
    segments, labels = [], []
    for row in rows:
        published = row["published_on"]
        if published is None:
            continue
        for kind, begin, end in (
            ("wait", published, row["first_released_on"]),
            ("arrive", row["first_released_on"], row["median_arrived_on"]),
            ("spend", row["median_arrived_on"], row["median_spent_on"]),
            ("waiting", published if row["is_waiting"] and not row["first_released_on"] else None, as_of),
        ):
            if begin is None or end is None or end <= begin:
                continue
            name = next(title for code, title, _ in parts if code == kind)
            segments.append(
                {"ledger": row["title"], "kind": name, "from": begin.isoformat(), "to": end.isoformat(),
                 "label": f"{row['title']} {name}: {begin} – {end}, {(end - begin).days} {t('天', 'days')}"}
            )  # fmt: skip
        if row["first_released_on"] is not None and row["publish_to_release_days"] is not None:
            middle = published + (row["first_released_on"] - published) / 2
            labels.append({"ledger": row["title"], "on": middle.isoformat(),
                           "text": t("%s 天", "%s days") % row["publish_to_release_days"]})  # fmt: skip
    points = [
        {"ledger": row["title"], "on": row["published_on"].isoformat(),
         "label": f"{row['title']} {t('发布于', 'published')} "
                  f"{str(row['published_on'])[:7 if row['is_month'] else 10]}"}
        for row in rows
        if row["published_on"] is not None
    ]  # fmt: skip
    y = {"field": "ledger", "type": "nominal", "sort": names, "title": None, "scale": {"domain": names}}
    x = {"type": "temporal", "title": None, "axis": {"format": "%Y-%m", "labelOverlap": True},
         "scale": {"domain": [first.isoformat(), last.isoformat()]}}  # fmt: skip
    return {
        "width": 1000, "height": {"step": 42},
        "layer": [
            *_cycle(first, last, x, t, palette),
            {
                "data": {"values": segments}, "mark": {"type": "bar", "height": 13, "cornerRadius": 2},
                "encoding": {
                    "y": y, "x": {**x, "field": "from"}, "x2": {"field": "to"},
                    "color": {"field": "kind", "type": "nominal",
                              "scale": {"domain": [title for _, title, _ in parts],
                                        "range": [colour for _, _, colour in parts]}},
                    "description": {"field": "label"},
                },
            },
            {
                "data": {"values": points},
                "mark": {"type": "point", "size": 90, "color": palette.ink, "opacity": 1},
                "encoding": {"y": y, "x": {**x, "field": "on"}, "description": {"field": "label"}},
            },
            {
                "data": {"values": labels},
                "mark": {"type": "text", "aria": False, "dy": -15, "color": palette.ink, "fontWeight": "bold"},
                "encoding": {"y": y, "x": {**x, "field": "on"}, "text": {"field": "text"}},
            },
        ],
    }  # fmt: skip


def releases(rows: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """Projects released for the first time a month, by where that lies against the window.

    Args:
        rows: ``{month, position, title, projects_count}``; position as in ``marts.budget_execution``.
    """
    colours = {"in_window": palette.accent, "after_window": palette.warn, "before_window": palette.series[2],
               "no_rule": palette.series[5]}  # fmt: skip
    present = {row["position"]: row["title"] for row in rows}
    kinds = [code for code in colours if code in present]
    values = [
        {"month": row["month"].isoformat(), "kind": row["title"], "count": row["projects_count"],
         "label": f"{str(row['month'])[:7]} {row['title']}: {row['projects_count']:,}"}
        for row in rows
    ]  # fmt: skip
    return {
        "width": 470, "height": 200, "data": {"values": values}, "mark": {"type": "bar", "width": 12},
        "encoding": {
            "x": {"field": "month", "type": "temporal", "title": None,
                  "axis": {"format": "%Y-%m", "labelOverlap": True}},
            "y": {"field": "count", "type": "quantitative", "title": t("首次下达的项目", "projects first released")},
            "color": {"field": "kind", "type": "nominal",
                      "scale": {"domain": [present[code] for code in kinds],
                                "range": [colours[code] for code in kinds]}},
            "description": {"field": "label"},
        },
    }  # fmt: skip


def share_by_rate(rows: Sequence[Row], here: Sequence[Row], t: Translate, palette: Palette = SCREEN) -> Specification:
    """The share that is paid as one rate moves and the others stay.

    Args:
        rows: ``{title, rate, share}`` for each rate that applies, rate and share from 0 to 1.
        here: the same for where the rates stand.
    """
    titles = list(dict.fromkeys(row["title"] for row in rows))
    colours = [palette.accent, palette.series[1], palette.series[2]][: len(titles)]
    x = {"field": "rate", "type": "quantitative", "title": t("该项比率", "the rate that moves"),
         "axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}}  # fmt: skip
    y = {"field": "share", "type": "quantitative", "title": t("拨付比例", "share paid"),
         "axis": {"format": ".0%", "tickCount": 5}, "scale": {"domain": [0, 1.05], "nice": False}}  # fmt: skip
    colour = {"field": "title", "type": "nominal", "scale": {"domain": titles, "range": colours}}
    described = [
        {**row, "label": t("%s 为 %.0f%% 时拨付 %.0f%%", "%s at %.0f %%: %.0f %% is paid")
         % (row["title"], row["rate"] * 100, row["share"] * 100)}
        for row in here
    ]  # fmt: skip
    return {
        "width": 470, "height": 220,
        "layer": [
            {"data": {"values": list(rows)}, "mark": {"type": "line", "aria": False, "interpolate": "step-after"},
             "encoding": {"x": x, "y": y, "color": colour}},
            {"data": {"values": described}, "mark": {"type": "point", "size": 120, "opacity": 1},
             "encoding": {"x": x, "y": y, "color": colour, "description": {"field": "label"}}},
        ],
    }  # fmt: skip


def _cycle(first: dt.date, last: dt.date, x: Specification, t: Translate, palette: Palette) -> list[Specification]:
    """The months of the yearly budget cycle as bands behind a line of time."""
    windows = [(9, 10, t("联审", "review")), (3, 4, t("发布", "release"))]
    bands = []
    for year in range(first.year, last.year + 1):
        for begin, end, title in windows:
            start, stop = dt.date(year, begin, 1), dt.date(year, end + 1, 1)
            if stop > first and start < last:
                bands.append({"from": max(start, first).isoformat(), "to": min(stop, last).isoformat(),
                              "text": title, "label": f"{title}: {year}-{begin:02}–{end:02}"})  # fmt: skip
    data = {"data": {"values": bands}}
    return [
        {
            **data, "mark": {"type": "rect", "color": palette.muted, "opacity": 0.1},
            "encoding": {"x": {**x, "field": "from"}, "x2": {"field": "to"}, "description": {"field": "label"}},
        },
        {
            **data,
            "mark": {"type": "text", "aria": False, "align": "left", "dx": 4, "color": palette.muted, "fontSize": 11},
            "encoding": {"x": {**x, "field": "from"}, "y": {"value": 8}, "text": {"field": "text"}},
        },
    ]  # fmt: skip

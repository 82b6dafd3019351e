"""The charts of one app's page, in the visitor's words; None where there is nothing to draw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from oneledger.charts import stars, usage, waterfall
from oneledger.charts.render import svg
from oneledger.web import formats
from oneledger.web.language import Language
from oneledger.web.page import Page
from oneledger.web.queries.app_usage import Quarter
from oneledger.web.terms import TERMS, term

Row = dict[str, Any]
_SIGNS = {"listed": "▲", "delisted": "▼", "promotion": "◆"}
# How an axis writes the end of its last month or day.
_ONE_DAY = dt.timedelta(days=1)


def months(page: Page, about: Row, rows: Sequence[Row], events: Sequence[Row]) -> str | None:
    """Visitors by end and month."""
    drawn = [one for one in rows if one["visitors_count"] is not None]
    if not drawn:
        return None
    ends = sorted({one["release_end"] for one in drawn}, key=_end_order)
    values = [
        {
            "month": one["month"].isoformat(),
            "end": _end(page, one["release_end"]),
            "order": ends.index(one["release_end"]),
            "visitors": one["visitors_count"],
            "label": f"{_end(page, one['release_end'])} {formats.month(one['month'])}: "
            f"{formats.number(one['visitors_count'])}",
        }
        for one in sorted(drawn, key=lambda one: (_end_order(one["release_end"]), one["month"]))
    ]
    gaps = {
        one["month"]: max(other["days_missing_count"] for other in rows if other["month"] == one["month"])
        for one in rows
        if one["days_missing_count"]
    }
    bands = [
        {
            "month": month.isoformat(),
            "next_month": _next_month(month).isoformat(),
            "label": page.t(
                f"{formats.month(month)}：在架但缺 {count} 天数据",
                f"{formats.month(month)}: {count} days of data are missing while listed",
            ),
        }
        for month, count in gaps.items()
    ]
    first, last = min(one["month"] for one in drawn), _next_month(max(one["month"] for one in drawn))
    title = page.t(f"{_name(about)}：各发布端月度访客", f"{_name(about)}: visitors by release end and month")
    spec = usage.app_by_month(values, _marks(page, events, first, last), bands, in_wan=_in_wan(page))
    return svg(spec, title=title)


def days(page: Page, about: Row, rows: Sequence[Row], events: Sequence[Row], quarter: Quarter) -> str | None:
    """Visitors by end and day of the quarter."""
    if not any(one["visitors_count"] is not None for one in rows):
        return None
    values = [
        {
            "day": one["usage_on"].isoformat(),
            "end": _end(page, one["release_end"]),
            "visitors": one["visitors_count"],
            "label": f"{_end(page, one['release_end'])} {one['usage_on']}: {formats.number(one['visitors_count'])}",
        }
        for one in sorted(rows, key=lambda one: (_end_order(one["release_end"]), one["usage_on"]))
    ]
    lacking = sorted({one["usage_on"] for one in rows if one["is_listed"] and not one["is_reported"]})
    bands = [
        {
            "day": day.isoformat(),
            "next_day": (day + _ONE_DAY).isoformat(),
            "label": page.t(f"{day}：在架但没有数据", f"{day}: listed, and no data came"),
        }
        for day in lacking
    ]
    marks = _marks(page, events, quarter.first_on, quarter.last_on + _ONE_DAY)
    title = page.t(
        f"{_name(about)}：{quarter.name} 各发布端日访客",
        f"{_name(about)}: daily visitors by release end, {quarter.name}",
    )
    return svg(usage.app_by_day(values, marks, bands, in_wan=_in_wan(page)), title=title)


def channel(page: Page, rows: Sequence[Row]) -> str | None:
    """The portal's share against the own APP by month."""
    if not any(one["zheliban_share"] is not None for one in rows):
        return None
    values = [
        {
            "month": one["month"].isoformat(),
            "share": one["zheliban_share"],
            "label": f"{formats.month(one['month'])}: {formats.rate(one['zheliban_share'])}",
        }
        for one in rows
    ]
    weak_below = rows[-1]["weak_below_share"]
    label = page.t(f"偏低线 {formats.rate(weak_below, 0)}", f"weak under {formats.rate(weak_below, 0)}")
    title = page.t(
        "浙里办访客占浙里办与独立APP合计的比例", "Share of Zheliban in the visitors of Zheliban and the own APP"
    )
    return svg(usage.channel_share(values, weak_below, label), title=title)


def points(page: Page, rows: Sequence[Row]) -> str | None:
    """Points by indicator, one step after the other."""
    if not rows:
        return None
    values = [
        {
            "title": page.t(one["title_zh"], one["title_en"]),
            "start": one["start"],
            "points": one["points"],
            "weight": one["weight"],
            "kind": "scored",
            "text": f"{one['points']:.1f} / {one['weight']:g}",
            "label": f"{page.t(one['title_zh'], one['title_en'])}: {one['points']:.2f} / {one['weight']:g} "
            f"({page.t(*one['value_text'])})",
        }
        for one in rows
    ]
    title = page.t("各指标得分", "Points by indicator")
    return svg(waterfall.points_waterfall(values, sum(one["weight"] for one in rows)), title=title)


def history(page: Page, rows: Sequence[Row], banded: Row | None) -> str | None:
    """The score over the runs; one or two are read as well in the table below."""
    if sum(one["score"] is not None for one in rows) < 3:
        return None
    values = [
        {
            "run": f"{one['period']}|{page.t(*_STATES[one['state']])} {formats.moment(one['created_at'])}",
            "score": one["score"],
            "text": "★" * one["stars"] if one["stars"] else page.t("无星", "none"),
            "label": f"{one['period']}: {formats.number(one['score'], 2)}",
        }
        for one in rows
    ]
    bands = [
        {"minimum_score": one["minimum_score"], "label": "★" * one["stars"]} for one in (banded or {}).get("bands", [])
    ]
    return svg(stars.score_history(values, bands), title=page.t("历轮得分与星级", "Score and stars over the runs"))


_STATES = {"confirmed": ("已确认", "confirmed"), "superseded": ("已被取代", "superseded"), "draft": ("草案", "draft")}


def _marks(page: Page, events: Sequence[Row], first_on: dt.date, before: dt.date) -> list[Row]:
    kinds = {
        "listed": ("上架", "listed on"), "delisted": ("下架", "taken off"), "promotion": ("推广直播", "broadcast"),
    }  # fmt: skip
    marks = []
    for one in events:
        if first_on <= one["happened_on"] < before:
            subjects = "、".join(
                one["subjects"] if one["kind"] == "promotion" else [_end(page, end) for end in one["subjects"]]
            )
            reason = f" ({one['reason']})" if one["reason"] else ""
            marks.append(
                {
                    "day": one["happened_on"].isoformat(),
                    "sign": _SIGNS[one["kind"]],
                    "label": f"{one['happened_on']} {page.t(*kinds[one['kind']])} {subjects}{reason}",
                }
            )
    return marks


def _end(page: Page, release_end: str) -> str:
    return term(page.language, "release_end", release_end)


def _end_order(release_end: str) -> tuple[int, str]:
    known = list(TERMS["release_end"])
    return (known.index(release_end) if release_end in known else len(known), release_end)


def _name(about: Row) -> str:
    return str(about["app_name"] or about["app_id"])


def _in_wan(page: Page) -> bool:
    return page.language is Language.ZH


def _next_month(month: dt.date) -> dt.date:
    return (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1)

"""The figures of the audit reply worked out again from traced landed lines, without the project's SQL or marts.

What a figure means is written down here a second time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable

from tests.end_to_end.landed_records import Lines, Record, as_number, day_of, moment_of


def _requests(lines: Lines, year: int, kind: str | None = None) -> int:
    return sum(
        one["appliedAt"][:7] in (f"{year}-08", f"{year}-09") and kind in (None, one["kind"])
        for one in lines.of("irs.sharing_request")
    )


def _minutes(lines: Lines) -> float:
    return max(
        (moment_of(one["openedAt"]) - moment_of(one["approvedAt"])).total_seconds() / 60
        for one in lines.of("irs.sharing_request")
        if one["approvedAt"] and one["openedAt"] and one["approvedAt"] >= "2022-08-01"
    )


def _listed(lines: Lines) -> dict[str, list[Record]]:
    events: dict[str, list[Record]] = defaultdict(list)
    for one in lines.of("irs.listing_event"):
        events[one["appId"]].append(one)
    return events


def _first_listed(events: list[Record]) -> str:
    days = [one["date"] for one in events if one["kind"] == "listed" and one["releaseEnd"] != "standalone_app"]
    return min(days, default="9999")


def _in_first_round(lines: Lines, side: str | None = None) -> int:
    """Municipal apps that were on a portal on 1 July 2022 and before."""
    departments = {one["departmentId"]: one["kind"] for one in lines.of("irs.department")}
    events = _listed(lines)
    count = 0
    for app in lines.of("irs.app"):
        if app["level"] != "city" or departments.get(app["departmentId"]) != "municipal_department":
            continue
        if side is not None and app["side"] != side:
            continue
        own = [
            one for one in events[app["appId"]] if one["releaseEnd"] != "standalone_app" and one["date"] <= "2022-07-01"
        ]
        listed = sum(1 if one["kind"] == "listed" else -1 for one in own)
        count += listed > 0 and _first_listed(own) <= "2022-06-30"
    return count


def _low_use(lines: Lines, source: str) -> int:
    """Apps whose mean day in June 2022 lies under 10 visitors, or under a tenth of the users with an account."""
    apps = {one["appId"]: one for one in lines.of("irs.app")}
    found = 0
    for app_id, app in apps.items():
        june = [
            one for one in lines.usage
            if one["app_id"] == app_id and one["usage_on"].isoformat()[:7] == "2022-06" and not one["module_id"]
            and one["source"] == source and one["release_end"] != "standalone_app"
        ]  # fmt: skip
        days = {one["usage_on"] for one in june}
        if source == "zheliban":
            mean, limit = sum(one["visitors_count"] for one in june) / max(len(days), 1), 10.0
        else:
            rates = [one["active_users_count"] / one["provisioned_users_count"] for one in june
                     if one["active_users_count"] is not None]  # fmt: skip
            mean, limit = sum(rates) / max(len(rates), 1), 0.1
        found += mean < limit and not app["seasonal"]
    return found


def _weak_share_apps(lines: Lines) -> int:
    """Apps with a matter of whose visitors under a fifth came through the portal in June 2022."""
    seen: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in lines.usage:
        if one["usage_on"].isoformat()[:7] == "2022-06" and one["module_id"]:
            pair = seen[one["app_id"], one["module_id"]]
            pair[0] += one["visitors_count"] if one["release_end"] != "standalone_app" else 0
            pair[1] += one["visitors_count"]
    return len({app for (app, _), (portal, everything) in seen.items() if everything and portal / everything < 0.2})


def _delisted(lines: Lines, ends: str) -> int:
    since = [one for one in lines.of("irs.listing_event") if one["date"] >= "2022-08-01"]
    return len({one["appId"] for one in since if one["kind"] == "delisted" and one["releaseEnd"].startswith(ends)})


def _newly_listed(lines: Lines, side: str, *, reviewed: bool = False) -> int:
    events = _listed(lines)
    return sum(
        app["side"] == side and "2022-08-01" <= _first_listed(events[app["appId"]]) < "9999"
        and (not reviewed or any(one["passedReview"] for one in events[app["appId"]]))
        for app in lines.of("irs.app")
    )  # fmt: skip


def _adapted(lines: Lines) -> int:
    ends: dict[str, set[str]] = defaultdict(set)
    for one in lines.of("irs.listing_event"):
        if one["kind"] == "listed" and one["releaseEnd"].startswith("zheliban_"):
            ends[one["appId"]].add(one["releaseEnd"])
    return sum(bool(app["provinceAssigned"]) and len(ends[app["appId"]]) == 3 for app in lines.of("irs.app"))


def _units(lines: Lines, kind: str) -> int:
    listed = {one["appId"] for one in lines.of("irs.listing_event") if one["kind"] == "listed"}
    return sum(one["kind"] == kind and one["appId"] in listed for one in lines.of("irs.future_unit"))


def _published(lines: Lines) -> dt.date:
    texts = " ".join(lines.titles["finance.ledger_entry"])
    found = re.search(r"(\d{4})年(\d{1,2})月(?:(\d{1,2})日)?发布", texts)
    assert found, texts
    return dt.date(int(found[1]), int(found[2]), int(found[3] or 1))


def _released(lines: Lines, version: str) -> dt.date:
    return min(
        day_of(one["下达日期"])
        for one in lines.of("finance.budget_release")
        if one["一本账版本"] == version and one["下达日期"] is not None
    )


def _titled_day(lines: Lines, title: str) -> float:
    found = re.search(
        rf"{title}[:：]\s*(\d{{4}}年\d{{1,2}}月\d{{1,2}}日)", " ".join(lines.titles["finance.rectification"])
    )
    assert found
    return as_number(day_of(found[1]))


def _node(lines: Lines, heading: str) -> float:
    return as_number(max(day_of(one[heading]) for one in lines.of("finance.rectification")))


def _articles(lines: Lines, *kinds: str) -> int:
    return sum(one["change_kind"] in kinds for one in lines.of("project_library.rule_article"))


KEPT = ("保留", "修订", "增补")
FIGURES: dict[str, Callable[[Lines], float]] = {
    "projects_in_library": lambda lines: len({one["project_no"] for one in lines.of("project_library.project")}),
    "projects_city": lambda lines: sum(one["level"] == "市本级" for one in lines.of("project_library.project")),
    "projects_county": lambda lines: sum(one["level"] == "县区" for one in lines.of("project_library.project")),
    "apps_evaluated": _in_first_round,
    "zheliban_apps_evaluated": lambda lines: _in_first_round(lines, "service"),
    "sharing_requests_aug_sep": lambda lines: _requests(lines, 2022),
    "sharing_requests_batch": lambda lines: _requests(lines, 2022, "batch"),
    "sharing_requests_interface": lambda lines: _requests(lines, 2022, "interface"),
    "sharing_requests_growth": lambda lines: _requests(lines, 2022) / _requests(lines, 2021) - 1,
    "approve_to_open_minutes": _minutes,
    "key_apps_without_request": lambda lines: sum(
        bool(app["keyApp"]) and not any(
            one["appId"] == app["appId"] and one["appliedAt"] < "2022-07-01" for one in lines.of("irs.sharing_request")
        )
        for app in lines.of("irs.app")
    ),
    "zheliban_low_use": lambda lines: _low_use(lines, "zheliban"),
    "zhezhengding_low_use": lambda lines: _low_use(lines, "zhezhengding"),
    "zheliban_delisted": lambda lines: _delisted(lines, "zheliban"),
    "zhezhengding_delisted": lambda lines: _delisted(lines, "zhezhengding"),
    "zheliban_listed": lambda lines: _newly_listed(lines, "service"),
    "zhezhengding_listed_by_rules": lambda lines: _newly_listed(lines, "governance", reviewed=True),
    "weak_share_apps": _weak_share_apps,
    "province_assigned_apps": lambda lines: sum(bool(one["provinceAssigned"]) for one in lines.of("irs.app")),
    "province_assigned_apps_adapted": _adapted,
    "future_communities": lambda lines: _units(lines, "future_community"),
    "future_villages": lambda lines: _units(lines, "future_village"),
    "promotion_broadcasts": lambda lines: len({one["eventId"] for one in lines.of("irs.promotion_event")}),
    "promotion_viewers": lambda lines: sum(one["viewers"] for one in lines.of("irs.promotion_event")),
    "components_listed": lambda lines: sum(one["listedOn"] is not None for one in lines.of("irs.component")),
    "projects_evaluated_in_depth": lambda lines: len({one["项目编号"] for one in lines.of("finance.score_sheet")}),
    "city_s0_published_on": lambda lines: as_number(_published(lines)),
    "city_s1_published_on": lambda lines: as_number(_published(lines)),
    "province_s1_published_on": lambda lines: as_number(_published(lines)),
    "province_s0_published_month": lambda lines: float(f"{_published(lines):%Y%m}"),
    "province_s2_published_month": lambda lines: float(f"{_published(lines):%Y%m}"),
    "city_s0_released_on": lambda lines: as_number(_released(lines, "S0")),
    "city_s1_released_on": lambda lines: as_number(_released(lines, "S1")),
    "city_s0_publish_to_release_days": lambda lines: (_released(lines, "S0") - _published(lines)).days,
    "city_s1_publish_to_release_days": lambda lines: (_released(lines, "S1") - _published(lines)).days,
    # No ledger S2 was published: there is no line, and it is 0.
    "city_s2_ledgers": lambda lines: len(lines.titles["finance.ledger_entry"]),
    "city_s2_collection_month": lambda lines: min(
        float(one["declared_on"].replace("-", "")[:6]) for one in lines.of("project_library.project")
    ),
    "rules_articles": lambda lines: _articles(lines, *KEPT),
    "rules_chapters": lambda lines: len(
        {one["chapter_no"] for one in lines.of("project_library.rule_article") if one["change_kind"] in KEPT}
    ),
    "rules_revised": lambda lines: _articles(lines, "修订"),
    "rules_added": lambda lines: _articles(lines, "增补"),
    "rules_removed": lambda lines: _articles(lines, "删除"),
    "findings": lambda lines: len({one["问题编号"] for one in lines.of("finance.rectification")}),
    "audit_received_on": lambda lines: _titled_day(lines, "收到日期"),
    "replied_on": lambda lines: _titled_day(lines, "报送日期"),
    "first_node_on": lambda lines: _node(lines, "第一节点"),
    "second_node_on": lambda lines: _node(lines, "第二节点"),
}  # fmt: skip
# Stars are computed from the lines by tests/city/first_round_scores.py, which has its own SQL and arithmetic.
STAR_FIGURES = {"apps_five_star": 5, "apps_four_star": 4, "apps_three_star": 3, "apps_without_star": None}

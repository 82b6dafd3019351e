"""Published numbers worked out again from traced landed lines, without the project's readers, SQL or marts.

Files are read with the standard library and openpyxl; what a number means is written down here a second time.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl

Record = dict[str, Any]
PORTAL_ENDS = {"浙里办APP": "zheliban_app", "微信小程序": "zheliban_wechat", "支付宝小程序": "zheliban_alipay",
               "独立APP": "standalone_app"}  # fmt: skip
STAGES = ("申报", "审核", "实施", "竣工验收", "运维")
STAGE_CODES = ("declared", "reviewed", "implementing", "accepted", "operating")
MEASURES = {
    "zheliban": {
        "page_views_count": "浏览量", "visitors_count": "访客数", "night_visitors_count": "夜间访客数",
        "starts_count": "发起数", "completions_count": "办结数",
        "impressions_count": "曝光量", "clicks_count": "点击量",
        "rating_1_count": "一星", "rating_2_count": "二星", "rating_3_count": "三星", "rating_4_count": "四星",
        "rating_5_count": "五星",
    },
    "zhezhengding": {
        "page_views_count": "页面访问量", "visitors_count": "访问人数", "night_visitors_count": "夜间访客数",
        "starts_count": "发起数", "completions_count": "完成数", "active_users_count": "活跃用户",
        "provisioned_users_count": "开通用户", "rating_1_count": "评价1分", "rating_2_count": "评价2分",
        "rating_3_count": "评价3分", "rating_4_count": "评价4分", "rating_5_count": "评价5分",
    },
}  # fmt: skip


@dataclass
class Lines:
    """Landed records by ``source.entity``; ``titles`` holds the texts above the table of each workbook read."""

    records: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    titles: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def of(self, entity: str) -> list[Record]:
        return self.records.get(entity, [])

    @property
    def usage(self) -> list[Record]:
        """Usage of both portals: app_id, module_id, release_end, usage_on, and the measures as numbers or None."""
        rows = []
        for source, app, module, day in (
            ("zheliban", "应用编码", "事项编码", "日期"),
            ("zhezhengding", "应用标识", "模块标识", "统计日期"),
        ):
            for one in self.of(f"{source}.usage"):
                end = PORTAL_ENDS[one["发布端"]] if source == "zheliban" else "zhezhengding"
                row: Record = {"app_id": one[app], "module_id": one[module] or "", "release_end": end,
                               "usage_on": day_of(one[day]), "source": source}  # fmt: skip
                for name, heading in MEASURES[source].items():
                    row[name] = int(one[heading]) if one.get(heading) not in (None, "") else None
                rows.append(row)
        return rows


def read_lines(landing: Path, wanted: Mapping[str, list[int]]) -> Lines:
    """The records of these numbers, by file id (``<batch_id>/<file name>``), out of the landed bytes."""
    lines = Lines()
    for file_id, numbers in wanted.items():
        batch_id, _, name = file_id.rpartition("/")
        source, entity, rest = batch_id.split(".", 2)
        partition, _, revision = rest.rpartition(".")
        path = landing / source / entity / partition / revision / name
        key = f"{source}.{entity}"
        if name.endswith(".xlsx"):
            records, titles = _workbook(path)
            lines.titles[key] += titles
        elif name.endswith(".json"):
            records = dict(enumerate(_page(path), start=1))
        elif ".ndjson" in name:
            text = gzip.decompress(path.read_bytes()).decode("utf-8")
            records = dict(enumerate((json.loads(one) for one in text.splitlines()), start=1))
        else:
            records = dict(enumerate(_delimited(path), start=1))
        lines.records[key] += [{**records[number], "_partition": partition, "_file": name} for number in numbers]
    return lines


def _delimited(path: Path) -> list[Record]:
    payload = gzip.decompress(path.read_bytes())
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = payload.decode("gb18030")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _page(path: Path) -> list[Record]:
    content = json.loads(path.read_bytes())
    return next(value for value in content.values() if isinstance(value, list))


def _workbook(path: Path) -> tuple[dict[int, Record], list[str]]:
    """Rows by their number, named by the row that heads the table; a lower heading names a group's parts."""
    sheet = openpyxl.load_workbook(path, data_only=True).worksheets[0]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    place = next(number for number, row in enumerate(rows) if sum(one is not None for one in row) >= 4)
    names = [str(one).strip() if one is not None else "" for one in rows[place]]
    below = rows[place + 1] if place + 1 < len(rows) else []
    if below and below[0] is None:
        left = ""
        for position, one in enumerate(names):
            left = one or left
            lower = below[position] if position < len(below) else None
            names[position] = f"{left}/{lower.strip()}" if isinstance(lower, str) and lower.strip() else one
    # A cell that is blank under a value of its group means that value.
    above: dict[str, Any] = {}
    for row in rows[place + 1 :]:
        for position in (0, 1):
            if names[position] in ("项目编号", "项目名称", "单位名称", "主管部门"):
                row[position] = above[names[position]] = row[position] or above.get(names[position])
    titles = [str(one) for row in rows[:place] for one in row if one is not None]
    return {number + 1: dict(zip(names, row, strict=False)) for number, row in enumerate(rows)}, titles


def day_of(value: Any) -> dt.date:
    """A date as the sources write it."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    found = re.match(r"(\d{4})[年\-/.](\d{1,2})[月\-/.](\d{1,2})", str(value)) or re.match(
        r"(\d{4})(\d{2})(\d{2})", str(value)
    )
    assert found, f"{value!r} is no date"
    return dt.date(*(int(one) for one in found.groups()))


def moment_of(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value)


def as_number(day: dt.date) -> float:
    return float(f"{day:%Y%m%d}")


# Figures of the audit reply.


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


# Cells of marts. Each takes the traced lines and the published row, and gives columns of it again.


def _own(lines: Lines, row: Record, *, module: str | None = "") -> list[Record]:
    month = row["month"].isoformat()[:7]
    return [
        one for one in lines.usage
        if one["app_id"] == row["app_id"] and one["usage_on"].isoformat()[:7] == month
        and (module is None or one["module_id"] == module)
    ]  # fmt: skip


def _sum(rows: list[Record], name: str) -> int | None:
    values = [one[name] for one in rows if one.get(name) is not None]
    return sum(values) if values else None


def _usage_month(lines: Lines, row: Record) -> Record:
    own = [one for one in _own(lines, row) if one["release_end"] == row["release_end"]]
    return {**{name: _sum(own, name) for name in ("page_views_count", "visitors_count", "starts_count",
                                                  "completions_count", "rating_5_count")},
            "days_reported_count": len({one["usage_on"] for one in own})}  # fmt: skip


def _portal_month(lines: Lines, row: Record) -> Record:
    ends = {"zheliban": ("zheliban_app", "zheliban_wechat", "zheliban_alipay")}.get(row["portal"], (row["portal"],))
    own = [one for one in _own(lines, row) if one["release_end"] in ends]
    return {name: _sum(own, name) for name in ("visitors_count", "starts_count", "completions_count")}


def _matter_month(lines: Lines, row: Record) -> Record:
    own = [one for one in _own(lines, row, module=row["module_id"]) if one["release_end"] == row["release_end"]]
    return {name: _sum(own, name) for name in ("visitors_count", "page_views_count")}


def _sharing_request(lines: Lines, row: Record) -> Record:
    one = next(one for one in lines.of("irs.sharing_request") if one["requestId"] == row["sharing_request_id"])
    return {"app_id": one["appId"], "request_kind": one["kind"], "applied_at": moment_of(one["appliedAt"]),
            "approved_at": moment_of(one["approvedAt"]) if one["approvedAt"] else None}  # fmt: skip


def _sharing_month(lines: Lines, row: Record) -> Record:
    month = row["month"].isoformat()[:7]
    own = [one for one in lines.of("irs.sharing_request")
           if one["appliedAt"][:7] == month and one["kind"] == row["request_kind"]]  # fmt: skip
    return {"new_requests_count": len(own)}


def _cny(value: Any, titles: list[str]) -> float:
    return round(float(value) * (10_000 if any("万元" in text for text in titles) else 1), 2)


def _spending_month(lines: Lines, row: Record) -> Record:
    own = [one for one in lines.of("finance.spending")
           if one["单位名称"] == row["department_name"] and one["项目编号"] == row["project_id"]
           and one["_partition"] == f"{row['month']:%Y%m}"]  # fmt: skip
    titles = lines.titles["finance.spending"]
    return {"spending_lines_count": len(own), "spent_cny": sum(_cny(one["支出金额"], titles) for one in own)}


def _unlinked(lines: Lines, row: Record) -> Record:
    one = next(one for one in lines.of("finance.spending")
               if one["凭证号"] == row["voucher_number"] and one["_partition"] == f"{row['month']:%Y%m}")  # fmt: skip
    return {"spent_cny": _cny(one["支出金额"], lines.titles["finance.spending"]), "summary": one["摘要"]}


def _execution(lines: Lines, row: Record) -> Record:
    titles = lines.titles["finance.budget_release"]
    own = [one for one in lines.of("finance.budget_release")
           if one["项目编号"] == row["project_id"] and one["_partition"] == str(row["budget_year"])]  # fmt: skip
    return {
        "released_cny": sum(_cny(one["资金/下达金额"], titles) for one in own if one["资金/下达金额"] is not None),
        "arrived_cny": sum(_cny(one["资金/到账金额"], titles) for one in own if one["资金/到账金额"] is not None),
        "releases_count": len(own),
        "first_released_on": min(day_of(one["下达日期"]) for one in own),
    }


def _lead_time(lines: Lines, row: Record) -> Record:
    own = [one for one in lines.of("finance.budget_release")
           if one["项目编号"] == row["project_id"] and one["一本账版本"] == row["ledger_version"]]  # fmt: skip
    released = min(day_of(one["下达日期"]) for one in own)
    return {"first_released_on": released, "publish_to_release_days": (released - row["published_on"]).days}


def _channel_share(lines: Lines, row: Record) -> Record:
    own = _own(lines, row, module=row["matter_id"])
    portal = _sum([one for one in own if one["release_end"] != "standalone_app"], "visitors_count") or 0
    other = _sum([one for one in own if one["release_end"] == "standalone_app"], "visitors_count") or 0
    return {"zheliban_visitors_count": portal, "own_app_visitors_count": other,
            "zheliban_share": portal / (portal + other)}  # fmt: skip


def _resource_month(lines: Lines, row: Record) -> Record:
    month = row["month"].isoformat()[:7]
    own = [one for one in lines.of("irs.interface_call")
           if one["resourceId"] == row["data_resource_id"] and one["date"][:7] == month]  # fmt: skip
    called: dict[str, int] = defaultdict(int)
    for one in own:
        called[one["appId"]] += one["calls"]
    return {"calls_count": sum(called.values()), "failed_calls_count": sum(one["failed"] for one in own),
            "calling_apps_count": sum(count > 0 for count in called.values())}  # fmt: skip


def _inventory(lines: Lines, row: Record) -> Record:
    """Projects of the group whose newest stage is the one of the row."""
    newest: dict[str, tuple[str, int]] = {}
    for one in lines.of("project_library.stage_event"):
        place = (one["entered_on"], STAGES.index(one["stage"]))
        newest[one["project_no"]] = max(newest.get(one["project_no"], place), place)
    own = [one for one in lines.of("project_library.project")
           if one["department_id"] == row["department_id"] and one["project_no"] in newest
           and STAGE_CODES[newest[one["project_no"]][1]] == row["stage"]]  # fmt: skip
    money = [float(one["budget_wan"]) * 10_000 for one in own if one["budget_wan"] is not None]
    return {"projects_count": len(own), "budget_cny": round(sum(money), 2) if money else None}


def _project(lines: Lines, row: Record) -> Record:
    one = next(one for one in lines.of("project_library.project") if one["project_no"] == row["project_id"])
    return {"project_name": one["project_name"], "declared_on": day_of(one["declared_on"])}


def _app(lines: Lines, row: Record) -> Record:
    one = next(one for one in lines.of("irs.app") if one["appId"] == row["app_id"])
    return {"app_name": one["name"], "side": one["side"], "family": one["family"], "department_id": one["departmentId"]}


def _department(lines: Lines, row: Record) -> Record:
    one = next(one for one in lines.of("irs.department") if one["departmentId"] == row["department_id"])
    return {"department_name": one["name"], "department_kind": one["kind"]}


def _module(lines: Lines, row: Record) -> Record:
    one = next(one for one in lines.of("irs.module") if one["moduleId"] == row["module_id"])
    return {"app_id": one["appId"], "module_name": one["name"]}


def _call_month(lines: Lines, row: Record) -> Record:
    own = [one for one in lines.of("irs.interface_call")
           if one["appId"] == row["app_id"] and one["date"][:7] == row["month"].isoformat()[:7]]  # fmt: skip
    return {"calls_count": sum(one["calls"] for one in own), "failed_calls_count": sum(one["failed"] for one in own)}


def _life_cycle(lines: Lines, row: Record) -> Record:
    stage = STAGES[STAGE_CODES.index(row["stage"])]
    own = [one for one in lines.of("project_library.stage_event")
           if one["project_no"] == row["project_id"] and one["stage"] == stage]  # fmt: skip
    return {"entered_on": min(day_of(one["entered_on"]) for one in own), "events_count": len(own)}


@dataclass(frozen=True)
class Cells:
    """How columns of a mart come again: which rows have enough to be drawn, and what gives them."""

    where: str
    columns: tuple[str, ...]
    again: Callable[[Lines, Record], Record]


CELLS = {
    "marts.app_usage_month": Cells(
        "visitors_count is not null",
        ("page_views_count", "visitors_count", "starts_count", "completions_count", "rating_5_count",
         "days_reported_count"), _usage_month),
    "marts.portal_usage_month": Cells(
        "visitors_count is not null", ("visitors_count", "starts_count", "completions_count"), _portal_month),
    "marts.matter_usage_month": Cells(
        "module_id <> '' and visitors_count is not null", ("visitors_count", "page_views_count"), _matter_month),
    "marts.sharing_request": Cells(
        "true", ("app_id", "request_kind", "applied_at", "approved_at"), _sharing_request),
    "marts.app_interface_month": Cells(
        "calls_count is not null", ("calls_count", "failed_calls_count"), _call_month),
    "marts.sharing_request_month": Cells("new_requests_count > 0", ("new_requests_count",), _sharing_month),
    "marts.channel_share_month": Cells(
        "matter_id <> '' and zheliban_share is not null",
        ("zheliban_visitors_count", "own_app_visitors_count", "zheliban_share"), _channel_share),
    "marts.resource_use_month": Cells(
        "calls_count is not null", ("calls_count", "failed_calls_count", "calling_apps_count"), _resource_month),
    "marts.spending_month": Cells(
        "returned_cny = 0 and lines_outside_month_count = 0", ("spending_lines_count", "spent_cny"), _spending_month),
    "marts.unlinked_it_spend": Cells("true", ("spent_cny", "summary"), _unlinked),
    "marts.budget_execution": Cells(
        "first_released_on is not null", ("released_cny", "arrived_cny", "releases_count", "first_released_on"),
        _execution),
    "marts.funding_lead_time": Cells(
        "publish_to_release_days is not null", ("first_released_on", "publish_to_release_days"), _lead_time),
    "marts.project_life_cycle": Cells("entered_on is not null", ("entered_on", "events_count"), _life_cycle),
    "marts.project_inventory": Cells("true", ("projects_count", "budget_cny"), _inventory),
    "marts.dim_project": Cells("true", ("project_name", "declared_on"), _project),
    "marts.dim_app": Cells("is_registered", ("app_name", "side", "family", "department_id"), _app),
    "marts.dim_department": Cells("true", ("department_name", "department_kind"), _department),
    "marts.dim_module": Cells("is_registered", ("app_id", "module_name"), _module),
}  # fmt: skip

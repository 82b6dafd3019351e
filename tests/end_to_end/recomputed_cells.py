"""Cells of marts worked out again from traced landed lines, without the project's SQL or marts.

Each function takes the traced lines and the published row, and gives columns of it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.end_to_end.landed_records import Lines, Record, day_of, moment_of

STAGES = ("申报", "审核", "实施", "竣工验收", "运维")
STAGE_CODES = ("declared", "reviewed", "implementing", "accepted", "operating")


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

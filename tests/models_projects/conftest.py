"""One small city, admitted and built once for all tests of this folder."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from .sharing_city import random_requests, resources
from .small_warehouse import SmallWarehouse

AS_OF = dt.date(2022, 10, 31)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> SmallWarehouse:
    warehouse = SmallWarehouse(Path(tmp_path_factory.mktemp("small_city")))
    warehouse.set_as_of(AS_OF)
    admit_registry(warehouse)
    admit_projects(warehouse)
    admit_money(warehouse)
    admit_lists(warehouse)
    warehouse.admit("irs__data_resource", *resources())
    warehouse.admit("irs__sharing_request", *random_requests())
    warehouse.build()
    return warehouse


def admit_registry(warehouse: SmallWarehouse) -> None:
    department = {"level": "city", "district_code": "330500"}
    warehouse.admit(
        "irs__department",
        {
            **department,
            "department_id": "police",
            "department_name": "市公安局",
            "department_kind": "municipal_department",
        },
        {**department, "department_id": "clinic", "department_name": "市中心医院", "department_kind": "hospital"},
        {
            **department,
            "department_id": "finance_a",
            "department_name": "财政局",
            "department_kind": "county_department",
        },
        {
            **department,
            "department_id": "finance_b",
            "department_name": "财政局",
            "department_kind": "county_department",
        },
    )
    app = {"department_id": "police", "level": "city", "is_key_app": False, "is_province_assigned": False}
    warehouse.admit(
        "irs__app",
        {**app, "app_id": "traffic", "app_name": "湖州交警", "is_key_app": True},
        {**app, "app_id": "notice", "app_name": "遗失声明", "is_key_app": True, "no_sharing_reason": "数据自有"},
        {**app, "app_id": "given", "app_name": "省统建", "is_province_assigned": True},
    )


def admit_projects(warehouse: SmallWarehouse) -> None:
    project = {
        "family": "application_system", "level": "city", "district_code": "330500", "department_id": "police",
        "funding_source": "it_special_fund", "declared_on": day("2021-09-01"), "budget_cny": 1_000_000,
    }  # fmt: skip
    warehouse.admit(
        "project_library__project",
        {**project, "project_id": "p1", "project_name": "交警平台", "ledger_version": "S0",
         "planned_accept_on": day("2022-10-01")},
        {**project, "project_id": "p2", "project_name": "挂号平台", "department_id": "clinic", "level": "county",
         "funding_source": "self_raised", "budget_cny": None},
        {**project, "project_id": "p3", "project_name": "旧平台", "_is_omitted": True},
        {**project, "project_id": "p4", "project_name": "新重大应用", "ledger_version": "S2"},
    )  # fmt: skip
    warehouse.admit(
        "project_library__stage_event",
        {"stage_event_id": "e1", "project_id": "p1", "stage": "declared", "entered_on": day("2021-09-01")},
        {"stage_event_id": "e2", "project_id": "p1", "stage": "reviewed", "entered_on": day("2021-11-10"),
         "due_on": day("2021-10-31")},
        {"stage_event_id": "e3", "project_id": "p1", "stage": "implementing", "entered_on": day("2021-11-20"),
         "due_on": day("2021-12-01")},
        {"stage_event_id": "e4", "project_id": "gone", "stage": "declared", "entered_on": day("2021-11-20")},
    )  # fmt: skip
    warehouse.admit(
        "project_library__app_link",
        {"project_id": "p1", "app_id": "traffic", "linked_on": day("2021-12-01")},
        {"project_id": "p4", "app_id": "unborn"},
    )
    warehouse.admit(
        "project_library__pre_review",
        {"pre_review_id": "r1", "project_id": "p1", "reviewed_on": day("2021-10-20"), "outcome": "passed",
         "requested_cny": 1_200_000, "approved_cny": 1_000_000},
    )  # fmt: skip


def admit_money(warehouse: SmallWarehouse) -> None:
    entry = {"entry_number": 1, "app_name": "湖州交警", "app_id": "traffic"}
    warehouse.admit(
        "finance__ledger_entry",
        {**entry, "ledger_level": "city", "ledger_version": "S0", "published_text": "2021年10月18日"},
        {**entry, "ledger_level": "province", "ledger_version": "S2", "published_text": "2022年6月"},
    )
    warehouse.admit(
        "finance__budget_release",
        {"budget_year": 2021, "project_id": "p1", "release_number": 1, "ledger_level": "city", "ledger_version": "S0",
         "budget_cny": 1_000_000, "released_cny": 600_000, "arrived_cny": 600_000,
         "released_on": day("2021-11-05"), "arrived_on": day("2021-11-25")},
    )  # fmt: skip
    line = {"budget_line": "委托业务费", "department_name": "市公安局"}
    warehouse.admit(
        "finance__spending",
        {**line, "month": "202112", "voucher_number": "v1", "spent_on": day("2021-12-15"), "project_id": "p1",
         "summary": "平台建设首付款", "spent_cny": 300_000},
        {**line, "month": "202205", "voucher_number": "v2", "spent_on": day("2022-05-15"), "summary": "警务系统升级",
         "spent_cny": 80_000},
        {**line, "month": "202205", "voucher_number": "v3", "spent_on": day("2022-05-16"), "summary": "会议费",
         "spent_cny": 900},
        {**line, "month": "202205", "voucher_number": "v4", "spent_on": day("2022-05-17"), "project_id": "nowhere",
         "summary": "云服务租赁", "department_name": "财政局", "spent_cny": 40_000},
    )  # fmt: skip


def admit_lists(warehouse: SmallWarehouse) -> None:
    finding = {"list_year": 2022, "received_text": "2022年8月8日", "replied_text": "2022年11月10日",
               "first_due_on": day("2022-08-30"), "second_due_on": day("2022-09-25"), "office": "数据资源处",
               "finding_title": "数据共享效力不高"}  # fmt: skip
    warehouse.admit(
        "finance__rectification",
        {**finding, "finding_number": 4, "reported_state": "done"},
        {**finding, "finding_number": 5, "reported_state": "in_progress"},
    )
    score = {"round": "2022A", "project_id": "p1", "indicator_name": "产出", "maximum_points": 100}
    warehouse.admit(
        "finance__score_sheet",
        {**score, "assessor_kind": "self", "points": 95},
        {**score, "assessor_kind": "expert", "points": 78},
        {**score, "assessor_kind": "third_party", "points": 82},
    )
    warehouse.admit(
        "project_library__rule_article",
        {"article_id": "a1", "chapter_number": 1, "article_title": "总则", "change_kind": "kept"},
        {"article_id": "a2", "chapter_number": 2, "article_title": "预审", "change_kind": "added"},
    )

"""Sharing: growth, the two clocks, open requests, key apps without a request, and the departments."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from starlette.responses import HTMLResponse

from oneledger.charts import sharing as charts
from oneledger.charts.render import svg
from oneledger.web.listing import NOT_GIVEN, PageNumber, SearchText, cells
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import sharing as ask
from oneledger.web.reading import Row
from oneledger.web.remembered import PageOfVersion
from oneledger.web.terms import terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

BUSIEST = 12

State = Literal["all", "open", "late", "approved", "rejected", "opened"]
Kind = Literal["batch", "interface"]
SharingKind = Literal["unconditional", "conditional", "conditional_unpublished"]
RequestSort = Literal[
    "applied_at", "-applied_at", "open_working_days", "-open_working_days", "late_working_days", "-late_working_days",
    "requester_name", "-requester_name", "provider_name", "-provider_name", "approve_to_open_minutes",
    "-approve_to_open_minutes", "apply_to_approve_working_days", "-apply_to_approve_working_days",
]  # fmt: skip
CapabilitySort = Literal[
    "capability_score", "-capability_score", "department_name", "-department_name", "published_rate",
    "-published_rate", "approved_within_target_rate", "-approved_within_target_rate", "opened_within_target_rate",
    "-opened_within_target_rate", "provided_requests_count", "-provided_requests_count", "used_requests_count",
    "-used_requests_count", "undecided_requests_count", "-undecided_requests_count", "requested_rate",
    "-requested_rate",
]  # fmt: skip
STATES = {
    "all": ("全部", "all"), "open": ("待审批", "waiting for approval"),
    "late": ("待审批且超时", "waiting, past the limit"),
    "approved": ("已批待开通", "approved, not opened"), "rejected": ("已驳回", "rejected"),
    "opened": ("已开通", "opened"),
}  # fmt: skip


@router.get("/sharing")
def sharing(
    page: ViewerPage,
    key_apps: Annotated[Literal["audited", "now"], Query(description="key apps as audited, or now")] = "audited",
) -> HTMLResponse:
    """The two clocks and what stands still."""
    reading = page.reading
    term = terms_of(page.language)
    months = [
        {**row, "kind": term("request_kind", row["request_kind"])}
        for row in reading.remembered(("sharing.months",), lambda: ask.months(reading))
    ]
    approvals = reading.remembered(("sharing.approvals",), lambda: ask.approvals(reading))
    openings = reading.remembered(("sharing.openings",), lambda: ask.openings(reading))
    oldest = reading.remembered(
        ("sharing.oldest",),
        lambda: ask.request_list(reading, ask.RequestFilter(state="late"), sort="-late_working_days", page=1),
    )
    return page.show(
        "sharing/index.html",
        term=term,
        figures=reading.remembered(("sharing.figures",), lambda: ask.figures(reading)),
        standing=reading.remembered(("sharing.standing",), lambda: ask.standing(reading)),
        limits=reading.remembered(("sharing.limits",), lambda: ask.approval_limits(reading)),
        months=months,
        approval=approvals[-1] if approvals else None,
        opening=openings[-1] if openings else None,
        charts=_charts(page, months, approvals, openings),
        month_rows=cells(
            months, "month", "kind", "new_requests_count", "year_before_requests_count", "growth_rate",
            "still_open_count",
        ),
        approval_rows=cells(approvals, "month", "median_working_days", "in_time_count", "judged_count"),
        opening_rows=cells(
            openings, "month", "median_minutes", "maximum_minutes", "in_time_count", "judged_count",
        ),
        key_apps=key_apps,
        audited_to=ask.AUDITED_TO,
        key_app_counts=reading.remembered(("sharing.key_apps",), lambda: ask.key_app_counts(reading)),
        key_app_rows=reading.remembered(("sharing.key_apps", key_apps), lambda: ask.key_apps(reading, key_apps)),
        most_key_apps=ask.MOST_KEY_APPS,
        oldest=oldest.rows[:10],
    )  # fmt: skip


@router.get("/sharing/requests")
def requests(
    page: ViewerPage,
    q: SearchText = "",
    state: State = "open",
    kind: Annotated[Kind | None, NOT_GIVEN] = None,
    sharing_kind: Annotated[SharingKind | None, NOT_GIVEN] = None,
    requester: Annotated[str, Query(max_length=40)] = "",
    provider: Annotated[str, Query(max_length=40)] = "",
    sort: RequestSort = "-open_working_days",
    number: PageNumber = 1,
) -> HTMLResponse:
    """Requests, first those that wait."""
    reading = page.reading
    wanted = ask.RequestFilter(
        state=None if state == "all" else state, request_kind=kind, sharing_kind=sharing_kind,
        requester=requester or None, provider=provider or None, search=q,
    )  # fmt: skip
    return page.show(
        "sharing/requests.html",
        term=terms_of(page.language),
        wanted=wanted,
        states=STATES,
        requester_name=_department(page, requester),
        provider_name=_department(page, provider),
        standing=reading.remembered(("sharing.standing",), lambda: ask.standing(reading)),
        listing=ask.request_list(reading, wanted, sort=sort, page=number),
    )


@router.get("/sharing/departments")
def departments(page: ViewerPage, sort: CapabilitySort = "-capability_score", number: PageNumber = 1) -> HTMLResponse:
    """Who asks whom, and what each department's data can do."""
    reading = page.reading
    title = page.t("谁向谁申请数据", "Who asks whom for data")
    rows = reading.remembered(("sharing.network",), lambda: ask.network(reading, BUSIEST))

    def drawn() -> str:
        named = [
            {**row, "requester": _short(row["requester_name"] or row["requester_id"]),
             "provider": _short(row["provider_name"] or row["provider_id"])}
            for row in rows
        ]  # fmt: skip
        return svg(charts.network(named, page.t), title=title)

    return page.show(
        "sharing/departments.html",
        term=terms_of(page.language),
        title=title,
        busiest=BUSIEST,
        network=sorted(rows, key=lambda row: -row["requests_count"]),
        network_chart=reading.remembered(("sharing.network", page.language), drawn),
        listing=ask.capability(reading, sort=sort, page=number),
    )


def _charts(page: Page, months: list[Row], approvals: list[Row], openings: list[Row]) -> dict[str, dict[str, str]]:
    target = next((row["target_minutes"] for row in reversed(openings)), None)
    drawings = {
        "requests": (
            page.t("每月新增共享申请", "New sharing requests a month"), lambda: charts.requests(months, page.t),
        ),
        "approving": (
            page.t("时钟一：申请 → 审批", "Clock one: applied → approved"), lambda: charts.approving(approvals, page.t),
        ),
        "opening": (
            page.t("时钟二：审批 → 开通", "Clock two: approved → opened"),
            lambda: charts.opening(openings, target, page.t),
        ),
    }  # fmt: skip
    return page.reading.remembered(
        ("sharing.charts", page.language),
        lambda: {
            name: {"title": title, "drawn": svg(specification(), title=title)}
            for name, (title, specification) in drawings.items()
        },
    )


def _department(page: Page, department_id: str) -> str:
    if not department_id:
        return ""
    name = ask.department_name(page.reading, department_id)
    if name is None:
        raise HTTPException(
            404,
            f"IRS 上没有部门 {department_id}。请从部门网络中选择。 "
            f"IRS knows no department {department_id}. Choose one from the network of departments.",
        )
    return name


def _short(name: str) -> str:
    """A department's name without the city's, which all of them begin with."""
    return name.removeprefix("湖州市") or name

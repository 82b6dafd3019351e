"""Sharing requests against the same counted one by one."""

from __future__ import annotations

import datetime as dt

from .sharing_city import AS_OF_END, random_requests, resources, working_days
from .small_warehouse import SmallWarehouse

PUBLISHED = {resource["data_resource_id"]: resource for resource in resources()}


def month_starts() -> list[dt.date]:
    return [dt.date(2021 + number // 12, number % 12 + 1, 1) for number in range(22)]


def next_month(month: dt.date) -> dt.datetime:
    return dt.datetime(month.year + month.month // 12, month.month % 12 + 1, 1)


def test_both_clocks_of_every_request_are_what_counting_one_by_one_gives(city: SmallWarehouse) -> None:
    expected = []
    for request in random_requests():
        approved, opened = request.get("approved_at"), request.get("opened_at")
        expected.append(
            (
                request["sharing_request_id"],
                working_days(request["applied_at"], approved) if approved else None,
                (opened - approved).total_seconds() / 60 if opened else None,
            )
        )
    found = city.rows(
        "select sharing_request_id, apply_to_approve_working_days, approve_to_open_minutes "
        "from marts.sharing_request order by 1"
    )
    assert found == expected


def test_in_time_or_late_follows_the_limit_of_the_resource_on_the_day_of_application(city: SmallWarehouse) -> None:
    found = dict(
        city.rows(
            "select sharing_request_id, (is_approved_within_target, is_opened_within_target) from marts.sharing_request"
        )
    )
    for request in random_requests():
        resource = PUBLISHED.get(request["data_resource_id"])
        approved, opened, applied = request.get("approved_at"), request.get("opened_at"), request["applied_at"]
        limit = None
        if resource:
            published = resource["published_on"]
            limit = 2 if resource["sharing_kind"] == "unconditional" else 7
            if limit == 7 and (published is None or published > applied.date()):
                limit = 10
        in_time: bool | None = None
        if limit is not None and approved:
            in_time = working_days(applied, approved) <= limit
        elif limit is not None and not request.get("rejected_at"):
            waited = working_days(applied, AS_OF_END - dt.timedelta(days=1))
            in_time = False if waited > limit else None
        quick: bool | None = None
        if opened:
            quick = opened - approved <= dt.timedelta(minutes=10)
        elif approved:
            quick = False if AS_OF_END - approved > dt.timedelta(minutes=10) else None
        assert found[request["sharing_request_id"]] == (in_time, quick), request


def test_every_request_still_undecided_at_a_months_end_is_counted_there(city: SmallWarehouse) -> None:
    expected = []
    for month in month_starts():
        end = next_month(month)
        for kind in ("batch", "interface"):
            mine = [request for request in random_requests() if request["request_kind"] == kind]
            undecided = [
                request
                for request in mine
                if request["applied_at"] < end
                and (request.get("approved_at") or request.get("rejected_at") or AS_OF_END) >= end
            ]
            unopened = [
                request
                for request in mine
                if request.get("approved_at", AS_OF_END) < end and request.get("opened_at", AS_OF_END) >= end
            ]
            new = [request for request in mine if month <= request["applied_at"].date() < end.date()]
            expected.append((month, kind, len(new), len(undecided), len(unopened)))
    assert (
        city.rows(
            "select month, request_kind, new_requests_count, still_open_count, still_unopened_count "
            "from marts.sharing_request_month order by 1, 2"
        )
        == expected
    )


def test_the_first_year_has_no_growth_and_the_second_does(city: SmallWarehouse) -> None:
    states = city.rows(
        "select distinct year(month), growth_state from marts.sharing_request_month where is_month_complete order by 1"
    )
    assert states == [(2021, "missing"), (2022, "reported")]


def test_a_key_app_without_a_request_keeps_its_reason(city: SmallWarehouse) -> None:
    first = min(request["applied_at"] for request in random_requests() if request["app_id"] == "traffic")
    assert city.rows(
        "select app_id, has_requested, first_requested_on, no_sharing_reason, reason_state "
        "from marts.key_app_sharing order by 1"
    ) == [
        ("notice", False, None, "数据自有", "reported"),
        ("traffic", True, first.date(), None, "not_applicable"),
    ]


def test_a_department_that_holds_no_data_is_not_scored(city: SmallWarehouse) -> None:
    states = dict(city.rows("select department_id, capability_state from marts.department_data_capability"))
    assert states == {
        "police": "reported", "clinic": "reported", "finance_a": "not_applicable", "finance_b": "not_applicable"
    }  # fmt: skip


def test_no_interface_calls_at_all_leave_no_month_to_judge(city: SmallWarehouse) -> None:
    assert city.rows("select count(*) from marts.resource_use_month") == [(0,)]

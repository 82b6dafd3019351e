"""Sharing: requests and their growth, the two clocks, what is open, key apps, and who asks whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oneledger.web.listing import Listing, contains, listed
from oneledger.web.reading import Reading, Row

AUDITED_TO = "2022-06-30"
# More key apps than anybody reads on a page; the whole list is there to download.
MOST_KEY_APPS = 200


def months(reading: Reading) -> list[Row]:
    """A row a month and kind of request, first to last: counts, the year before, both clocks.

    A clock that nothing ran on is null; growth is null while the year before is unknown.
    """
    return reading.rows(
        """
        select
            month, request_kind, is_month_complete, new_requests_count, year_before_requests_count, year_before_state,
            growth_rate, median_apply_to_approve_working_days, approved_within_target_count, approval_judged_count,
            median_approve_to_open_minutes, maximum_approve_to_open_minutes, opened_within_target_count,
            opening_judged_count, still_open_count, still_unopened_count
        from marts.sharing_request_month
        order by month, request_kind
        """
    )


def approvals(reading: Reading) -> list[Row]:
    """Clock one, a row a month of application: working days to approval, and how many kept their limit.

    A request that still waits past its limit counts as late; one that waits within it is not judged yet.
    """
    return reading.rows(
        """
        select
            month,
            median(apply_to_approve_working_days) as median_working_days,
            count(*) filter (where is_approved_within_target) as in_time_count,
            count(*) filter (where is_approved_within_target is not null) as judged_count,
            in_time_count / nullif(judged_count, 0) as in_time_rate
        from marts.sharing_request
        group by month
        order by month
        """
    )


def openings(reading: Reading) -> list[Row]:
    """Clock two, a row a month of approval: minutes to opened data, and how many kept the target."""
    return reading.rows(
        """
        with approved as (
            select
                cast(date_trunc('month', approved_at) as date) as month, approve_to_open_minutes,
                is_opened_within_target, open_target_minutes
            from marts.sharing_request
            where approved_at is not null
        )

        select
            month,
            median(approve_to_open_minutes) as median_minutes,
            max(approve_to_open_minutes) as maximum_minutes,
            count(*) filter (where is_opened_within_target) as in_time_count,
            count(*) filter (where is_opened_within_target is not null) as judged_count,
            in_time_count / nullif(judged_count, 0) as in_time_rate,
            max(open_target_minutes) as target_minutes
        from approved
        group by month
        order by month
        """
    )


def approval_limits(reading: Reading) -> list[Row]:
    """Requests by condition and limit in working days: decided in time, and those that wait."""
    return reading.rows(
        """
        select
            sharing_kind,
            approve_target_working_days as limit_working_days,
            count(*) as requests_count,
            count(*) filter (where is_approved_within_target) as in_time_count,
            count(*) filter (where is_approved_within_target is not null) as judged_count,
            in_time_count / nullif(judged_count, 0) as in_time_rate,
            median(apply_to_approve_working_days) as median_working_days,
            count(*) filter (where state = 'open') as open_count,
            count(*) filter (where state = 'open' and open_working_days > approve_target_working_days)
                as open_late_count
        from marts.sharing_request
        group by sharing_kind, approve_target_working_days
        order by approve_target_working_days, sharing_kind
        """
    )


def standing(reading: Reading) -> Row:
    """What is not finished: requests that wait for approval or for opening, and how many are past their limit."""
    found = reading.one(
        """
        select
            count(*) filter (where state = 'open') as open_count,
            count(*) filter (where state = 'open' and open_working_days > approve_target_working_days) as late_count,
            count(*) filter (where state = 'approved') as unopened_count,
            count(*) as requests_count,
            min(applied_at) filter (where state = 'open') as oldest_at,
            max(as_of_on) as as_of_on
        from marts.sharing_request
        """
    )
    assert found is not None
    return found


def figures(reading: Reading) -> dict[str, Row]:
    """The figures that the reply to the audit names, as computed, by their id."""
    rows = reading.rows(
        "select figure_id, title_zh, title_en, published_value, computed_value, is_matched, source_reference"
        " from marts.published_figure where figure_id like 'sharing_%' or figure_id in"
        " ('approve_to_open_minutes', 'key_apps_without_request')"
    )
    return {row["figure_id"]: row for row in rows}


@dataclass(frozen=True)
class RequestFilter:
    """What the list of requests is narrowed to.

    Attributes:
        state: open (waits for approval), late (open, past its limit), approved (waits to be opened), rejected, opened.
    """

    state: str | None = None
    request_kind: str | None = None
    sharing_kind: str | None = None
    requester: str | None = None
    provider: str | None = None
    search: str = ""


def request_list(reading: Reading, wanted: RequestFilter, *, sort: str, page: int) -> Listing:
    """Requests that match, a page of them."""
    return listed(
        reading,
        """
        select
            request.sharing_request_id, request.request_kind, request.sharing_kind, request.resource_name,
            request.data_resource_id, request.state, request.applied_at, request.approved_at, request.opened_at,
            request.apply_to_approve_working_days, request.approve_target_working_days, request.open_working_days,
            greatest(request.open_working_days - request.approve_target_working_days, 0) as late_working_days,
            request.approve_to_open_minutes, request.is_approved_within_target, request.is_opened_within_target,
            request.app_id, app.app_name, requester.department_name as requester_name,
            provider.department_name as provider_name
        from marts.sharing_request as request
        left join marts.dim_app as app on request.app_id = app.app_id
        left join marts.dim_department as requester on request.department_id = requester.department_id
        left join marts.dim_department as provider on request.provider_department_id = provider.department_id
        where
            case $state
                when 'late'
                    then request.state = 'open' and request.open_working_days > request.approve_target_working_days
                else $state is null or request.state = $state
            end
            and ($request_kind is null or request.request_kind = $request_kind)
            and ($sharing_kind is null or request.sharing_kind = $sharing_kind)
            and ($requester is null or request.department_id = $requester)
            and ($provider is null or request.provider_department_id = $provider)
            and (
                $pattern is null
                or request.sharing_request_id ilike $pattern escape '\\'
                or request.resource_name ilike $pattern escape '\\'
                or app.app_name ilike $pattern escape '\\'
                or requester.department_name ilike $pattern escape '\\'
                or provider.department_name ilike $pattern escape '\\'
            )
        """,
        {
            "state": wanted.state, "request_kind": wanted.request_kind, "sharing_kind": wanted.sharing_kind,
            "requester": wanted.requester, "provider": wanted.provider,
            "pattern": contains(wanted.search) if wanted.search.strip() else None,
        },
        sort=sort, key="sharing_request_id", page=page,
    )  # fmt: skip


def department_name(reading: Reading, department_id: str) -> str | None:
    """What a department is called; None for a code that IRS does not know."""
    found = reading.one(
        "select department_name from marts.dim_department where department_id = $department_id",
        {"department_id": department_id},
    )
    return found["department_name"] if found else None


def key_apps(reading: Reading, moment: Literal["audited", "now"]) -> list[Row]:
    """Key apps without a request when they were audited, or now, with the reason that the owner gave.

    Those that have not asked since come first; at most ``MOST_KEY_APPS``.
    """
    return reading.rows(
        """
        select
            sharing.app_id, sharing.app_name, sharing.side, sharing.level, department.department_name,
            sharing.has_requested, sharing.first_requested_on, sharing.requests_count, sharing.no_sharing_reason,
            sharing.reason_state
        from marts.key_app_sharing as sharing
        left join marts.dim_department as department on sharing.department_id = department.department_id
        where
            case
                when $moment = 'now' then not sharing.has_requested
                else sharing.first_requested_on is null or sharing.first_requested_on > cast($audited_to as date)
            end
        order by sharing.has_requested, sharing.no_sharing_reason, sharing.app_name
        limit $most
        """,
        {"moment": moment, "audited_to": AUDITED_TO, "most": MOST_KEY_APPS},
    )


def key_app_counts(reading: Reading) -> Row:
    """Key apps in all, without a request when audited and now."""
    found = reading.one(
        """
        select
            count(*) as apps_count,
            count(*) filter (where first_requested_on is null or first_requested_on > cast($audited_to as date))
                as audited_count,
            count(*) filter (where not has_requested) as now_count,
            max(first_requested_on) as newest_on
        from marts.key_app_sharing
        """,
        {"audited_to": AUDITED_TO},
    )
    assert found is not None
    return found


def network(reading: Reading, busiest: int) -> list[Row]:
    """Who asks whom: requests between the departments that ask most and those that are asked most."""
    return reading.rows(
        """
        with pairs as (
            select
                department_id, provider_department_id, count(*) as requests_count,
                count(*) filter (where state = 'open') as open_count,
                median(apply_to_approve_working_days) as approve_median_days
            from marts.sharing_request
            where department_id is not null and provider_department_id is not null
            group by department_id, provider_department_id
        ),

        requesters as (
            select department_id, sum(requests_count) as asked_count
            from pairs group by department_id order by asked_count desc, department_id limit $busiest
        ),

        providers as (
            select provider_department_id, sum(requests_count) as was_asked_count
            from pairs group by provider_department_id
            order by was_asked_count desc, provider_department_id limit $busiest
        )

        select
            pairs.department_id as requester_id, requester.department_name as requester_name, requesters.asked_count,
            pairs.provider_department_id as provider_id, provider.department_name as provider_name,
            providers.was_asked_count, pairs.requests_count, pairs.open_count, pairs.approve_median_days
        from pairs
        inner join requesters on pairs.department_id = requesters.department_id
        inner join providers on pairs.provider_department_id = providers.provider_department_id
        left join marts.dim_department as requester on pairs.department_id = requester.department_id
        left join marts.dim_department as provider on pairs.provider_department_id = provider.department_id
        order by requesters.asked_count desc, requester_id, providers.was_asked_count desc, provider_id
        """,
        {"busiest": busiest},
    )


def capability(reading: Reading, *, sort: str, page: int) -> Listing:
    """Departments by what they publish and how they answer requests; no score where too little applies."""
    return listed(
        reading,
        """
        select
            department_id, department_name, level, district_code, resources_count, published_resources_count,
            published_rate, requested_rate, provided_requests_count, undecided_requests_count, used_requests_count,
            median_apply_to_approve_working_days, approved_within_target_rate, opened_within_target_rate,
            capability_score, capability_state, applicable_points
        from marts.department_data_capability
        """,
        {}, sort=sort, key="department_id", page=page,
    )  # fmt: skip

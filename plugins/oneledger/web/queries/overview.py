"""The state of the city: what the overview shows of a published version, each from the mart that a page leads on to."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import Any

from oneledger.web.reading import Reading

_SYNTHETIC_LABEL = "合成数据"


@dataclass(frozen=True)
class Inventory:
    """Apps that IRS knows, those listed now, and those that only usage knows."""

    registered_count: int
    listed_count: int
    unregistered_count: int
    is_synthetic: bool


@dataclass(frozen=True)
class LowUse:
    """Of one portal and month: apps used little or not at all among those that could be judged.

    Attributes:
        before_count: the same a month before; None when that month has no verdict.
        excused_count: seasonal and new apps, judged by nobody.
        undetermined_count: apps without the data to judge them.
    """

    portal: str
    month: dt.date
    low_count: int
    judged_count: int
    excused_count: int
    undetermined_count: int
    before_count: int | None


@dataclass(frozen=True)
class Clocks:
    """Requests of one month and their two clocks; medians are None where nothing was decided."""

    month: dt.date
    requests_count: int
    median_approve_working_days: float | None
    approved_in_time_count: int
    approval_judged_count: int
    median_open_minutes: float | None
    opened_in_time_count: int
    opening_judged_count: int
    open_target_minutes: float | None
    year_before_open_minutes: float | None
    undecided_count: int


@dataclass(frozen=True)
class Freshness:
    """How the sources stand: entities, those whose newest data is too old, and parts that are withheld."""

    entities_count: int
    stale_count: int
    withheld: list[dict[str, Any]]


def data_day(reading: Reading) -> dt.date:
    """The newest business date of the version; the day on which it was made when nothing was delivered yet."""
    return reading.version.as_of_on or reading.version.created_at.date()


def newest_whole_month(as_of_on: dt.date) -> dt.date:
    """First day of the newest month that has ended by this date."""
    if as_of_on.day == calendar.monthrange(as_of_on.year, as_of_on.month)[1]:
        return as_of_on.replace(day=1)
    return (as_of_on.replace(day=1) - dt.timedelta(days=1)).replace(day=1)


def inventory(reading: Reading) -> Inventory:
    """Apps by registration and listing; ``is_synthetic`` when the registry itself labels its apps as generated."""
    row = reading.rows(
        """
        select
            count(*) filter (is_registered) as registered_count,
            count(*) filter (is_listed) as listed_count,
            count(*) filter (not is_registered) as unregistered_count,
            coalesce(bool_or(starts_with(description, $label)), false) as is_synthetic
        from marts.dim_app
        """,
        {"label": _SYNTHETIC_LABEL},
    )[0]
    return Inventory(**row)


def low_use(reading: Reading, month: dt.date) -> list[LowUse]:
    """A row a portal, most apps first."""
    return [
        LowUse(month=month, **row)
        for row in reading.rows(
            """
            with counted as (
                select
                    portal,
                    month,
                    count(*) filter (verdict in ('low_use', 'unused')) as low_count,
                    count(*) filter (verdict in ('in_use', 'low_use', 'unused')) as judged_count,
                    count(*) filter (verdict in ('seasonal', 'new')) as excused_count,
                    count(*) filter (verdict in ('collector_outage', 'not_measured')) as undetermined_count
                from marts.low_use_verdict
                where
                    period_grain = 'month'
                    and is_registered
                    and month in ($month::date, ($month::date - interval 1 month)::date)
                group by portal, month
            )

            select
                now.portal,
                now.low_count,
                now.judged_count,
                now.excused_count,
                now.undetermined_count,
                before.low_count as before_count
            from counted as now
            left join counted as before on now.portal = before.portal and before.month < now.month
            where now.month = $month::date
            order by now.judged_count desc, now.portal
            """,
            {"month": month},
        )
    ]


def clocks(reading: Reading, month: dt.date) -> Clocks:
    """Of the requests applied for in the month, of both kinds together."""
    row = reading.rows(
        """
        select
            count(*) filter (month = $month::date) as requests_count,
            median(apply_to_approve_working_days) filter (month = $month::date) as median_approve_working_days,
            count(*) filter (month = $month::date and is_approved_within_target) as approved_in_time_count,
            count(is_approved_within_target) filter (month = $month::date) as approval_judged_count,
            median(approve_to_open_minutes) filter (month = $month::date) as median_open_minutes,
            count(*) filter (month = $month::date and is_opened_within_target) as opened_in_time_count,
            count(is_opened_within_target) filter (month = $month::date) as opening_judged_count,
            max(open_target_minutes) filter (month = $month::date) as open_target_minutes,
            median(approve_to_open_minutes) filter (month = ($month::date - interval 1 year)::date)
                as year_before_open_minutes,
            count(*) filter (state = 'open') as undecided_count
        from marts.sharing_request
        """,
        {"month": month},
    )[0]
    return Clocks(month=month, **row)


def ledgers(reading: Reading) -> list[dict[str, Any]]:
    """A row a ledger of the city: days from publication to release, then the medians of its projects."""
    return reading.rows(
        """
        with steps as (
            select
                ledger_level,
                ledger_version,
                count(*) as projects_count,
                count(first_arrived_on) as arrived_count,
                count(first_spent_on) as spent_count,
                median(release_to_arrive_days) as release_to_arrive_days,
                median(arrive_to_spend_days) as arrive_to_spend_days
            from marts.funding_lead_time
            group by ledger_level, ledger_version
        )

        select
            ledger.ledger_level,
            ledger.ledger_version,
            ledger.published_on,
            ledger.publish_to_release_days,
            ledger.publish_to_release_state,
            steps.projects_count,
            steps.arrived_count,
            steps.spent_count,
            steps.release_to_arrive_days,
            steps.arrive_to_spend_days
        from marts.ledger
        left join steps using (ledger_level, ledger_version)
        where ledger.ledger_level = 'city'
        order by ledger.published_on
        """
    )


def findings(reading: Reading) -> list[dict[str, Any]]:
    """The findings of the newest list, by their number."""
    return reading.rows(
        """
        select finding_number, title_zh, title_en, state, is_overdue, overdue_days, met_count, metrics_count
        from marts.finding
        where list_year = (select max(list_year) from marts.finding)
        order by finding_number
        """
    )


def freshness(reading: Reading) -> Freshness:
    """How the sources stand as of the version's newest business date."""
    counted = reading.rows(
        "select count(*) as entities_count, count(*) filter (is_stale) as stale_count from marts.source_freshness"
    )[0]
    withheld = reading.rows(
        """
        select
            source,
            entity,
            kind,
            reason_zh,
            reason_en,
            sum(rows_count) as rows_count,
            count(*) as parts_count
        from marts.withheld_part
        group by source, entity, kind, reason_zh, reason_en
        order by source, entity, kind
        """
    )
    return Freshness(withheld=withheld, **counted)


def visitors_by_month(reading: Reading) -> list[dict[str, Any]]:
    """A row a portal and month of the last two years: the sum of its apps' daily visitors, and whether days lack."""
    return reading.rows(
        """
        select
            portal,
            month,
            sum(visitors_count) as visitors_count,
            coalesce(sum(missing_days_count) > 0, false) as has_missing_days
        from marts.portal_usage_month
        where
            portal <> 'standalone_app'
            and month >= (select max(month) from marts.portal_usage_month) - interval 23 month
        group by portal, month
        order by portal, month
        """
    )


def live_distribution(reading: Reading) -> dict[str, int]:
    """Apps by stars as the version itself computed them for its newest round; empty when it evaluated none."""
    rows = reading.rows(
        """
        select
            case when status = 'withheld' then 'withheld' else coalesce(stars::varchar, 'none') end as band,
            count(*) as apps_count
        from evaluation.app_stars
        where period = (select max(period) from evaluation.app_stars)
        group by band
        """
    )
    return {row["band"]: row["apps_count"] for row in rows}

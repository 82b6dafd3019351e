"""The use of one app: by end and month, by day of a quarter, what happened to it, and its share against its own APP."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from oneledger.web.queries.overview import data_day
from oneledger.web.reading import Reading

Row = dict[str, Any]
_MONTHS = 36
_QUARTER = re.compile(r"^(\d{4})-Q([1-4])$")


@dataclass(frozen=True)
class Quarter:
    """A quarter of a year: ``2022-Q3``."""

    year: int
    number: int

    @classmethod
    def of(cls, day: dt.date) -> Quarter:
        return cls(day.year, (day.month + 2) // 3)

    @classmethod
    def named(cls, name: str) -> Quarter:
        match = _QUARTER.match(name)
        if match is None:
            raise ValueError(f"{name!r} is no quarter; expected for instance 2022-Q3")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        return f"{self.year}-Q{self.number}"

    @property
    def first_on(self) -> dt.date:
        return dt.date(self.year, 3 * self.number - 2, 1)

    @property
    def last_on(self) -> dt.date:
        return self.after.first_on - dt.timedelta(days=1)

    @property
    def after(self) -> Quarter:
        return Quarter(self.year + 1, 1) if self.number == 4 else Quarter(self.year, self.number + 1)


def months(reading: Reading, app_id: str) -> list[Row]:
    """A row an end and month of the last three years: visitors, and days that lack though it was listed."""
    return reading.rows(
        f"""
        select
            month,
            release_end,
            portal,
            visitors_count,
            visitors_state,
            days_reported_count,
            coalesce(days_missing_count, 0) as days_missing_count
        from marts.app_usage_month
        where
            app_id = $app_id
            and month > (select max(month) from marts.app_usage_month) - interval {_MONTHS} month
        order by month, release_end
        """,
        {"app_id": app_id},
    )


def events(reading: Reading, app_id: str) -> list[Row]:
    """What happened to it, by day: kind (listed, delisted, promotion), ends or the broadcast's name, reason."""
    return reading.rows(
        """
        with happened as (
            select listed_on as happened_on, 'listed' as kind, release_end as subject, null as reason
            from marts.app_listing_history
            where app_id = $app_id
            union all
            select delisted_on, 'delisted', release_end, delisting_reason
            from marts.app_listing_history
            where app_id = $app_id and delisted_on is not null
            union all
            select effect.held_on, 'promotion', event.event_name, null
            from marts.promotion_effect as effect
            left join marts.promotion_event as event using (promotion_event_id)
            where effect.app_id = $app_id
        )

        select
            happened_on,
            kind,
            list(subject order by subject) as subjects,
            any_value(reason) as reason
        from happened
        group by happened_on, kind
        order by happened_on, kind
        """,
        {"app_id": app_id},
    )


def promotions(reading: Reading, app_id: str) -> list[Row]:
    """A row a broadcast that showed the app: visitors a day before and after."""
    return reading.rows(
        """
        select
            effect.promotion_event_id,
            event.event_name,
            effect.held_on,
            effect.window_days,
            effect.days_before_count,
            effect.days_after_count,
            effect.visitors_a_day_before,
            effect.visitors_a_day_after,
            effect.change_rate,
            effect.change_state
        from marts.promotion_effect as effect
        left join marts.promotion_event as event using (promotion_event_id)
        where effect.app_id = $app_id
        order by effect.held_on desc
        """,
        {"app_id": app_id},
    )


def days(reading: Reading, app_id: str, quarter: Quarter) -> list[Row]:
    """A row a day of the quarter and end on which it was listed or had a row; visitors None where no row came."""
    return reading.rows(
        """
        with reported as (
            select usage_on, release_end, sum(visitors_count)::bigint as visitors_count
            from facts.fct_app_usage_day
            where app_id = $app_id and module_id = '' and usage_on between $first_on::date and $last_on::date
            group by usage_on, release_end
        ),

        calendar as (
            select day::date as usage_on
            from generate_series($first_on::date, least($last_on::date, $as_of::date), interval 1 day) as series(day)
        ),

        listed as (
            select calendar.usage_on, history.release_end
            from marts.app_listing_history as history
            inner join calendar
                on
                    calendar.usage_on >= history.listed_on
                    and (history.delisted_on is null or calendar.usage_on < history.delisted_on)
            where history.app_id = $app_id
        )

        select
            coalesce(reported.usage_on, listed.usage_on) as usage_on,
            coalesce(reported.release_end, listed.release_end) as release_end,
            reported.visitors_count,
            listed.usage_on is not null as is_listed,
            reported.usage_on is not null as is_reported
        from reported
        full join listed on reported.usage_on = listed.usage_on and reported.release_end = listed.release_end
        order by 1, 2
        """,
        {
            "app_id": app_id,
            "first_on": quarter.first_on,
            "last_on": quarter.last_on,
            "as_of": data_day(reading),
        },
    )


def channel_months(reading: Reading, app_id: str) -> list[Row]:
    """A row a month: the portal's share of the app's visitors against its own APP; none for an app without one."""
    return reading.rows(
        """
        select
            month,
            zheliban_visitors_count,
            own_app_visitors_count,
            zheliban_share,
            zheliban_share_state,
            weak_below_share,
            is_weak
        from marts.channel_share_month
        where app_id = $app_id and matter_id = ''
        order by month
        """,
        {"app_id": app_id},
    )


def channel_matters(reading: Reading, app_id: str) -> list[Row]:
    """A row a matter, of its newest month, the weakest first."""
    return reading.rows(
        """
        select
            matter_id,
            matter_name,
            month,
            zheliban_visitors_count,
            own_app_visitors_count,
            zheliban_share,
            zheliban_share_state,
            is_weak
        from marts.channel_share_month
        where app_id = $app_id and matter_id <> ''
        qualify row_number() over (partition by matter_id order by month desc) = 1
        order by zheliban_share nulls first, matter_id
        """,
        {"app_id": app_id},
    )

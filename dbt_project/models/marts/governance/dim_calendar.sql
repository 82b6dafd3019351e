with day as (
    select
        cast(
            unnest(
                generate_series(
                    date '{{ var("calendar_first_on", "2020-01-01") }}',
                    date '{{ var("calendar_last_on", "2027-12-31") }}',
                    interval 1 day
                )
            ) as date
        ) as calendar_on
),

exception as (
    select
        exception_on,
        is_working_day,
        holiday_name_zh,
        holiday_name_en
    from {{ ref('working_day_exception') }}
),

known as (
    select max(year(exception_on)) as last_year
    from exception
),

classified as (
    select
        day.calendar_on,
        coalesce(exception.is_working_day, isodow(day.calendar_on) <= 5) as is_working_day,
        case
            when exception.is_working_day then 'make_up_working_day'
            when not exception.is_working_day then 'statutory_holiday'
            when isodow(day.calendar_on) <= 5 then 'working_day'
            else 'weekend'
        end as day_kind,
        exception.holiday_name_zh,
        exception.holiday_name_en,
        coalesce(year(day.calendar_on) > known.last_year, true) as is_provisional
    from day
    cross join known
    left join exception on day.calendar_on = exception.exception_on
)

select
    calendar_on,
    {{ month_of('calendar_on') }} as month,
    isodow(calendar_on) as iso_weekday_number,
    day_kind,
    is_working_day,
    cast(sum(cast(is_working_day as integer)) over (order by calendar_on) as bigint) as working_day_number,
    holiday_name_zh,
    holiday_name_en,
    is_provisional
from classified

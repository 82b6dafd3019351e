with entry as (
    select
        entry.ledger_level,
        entry.ledger_version,
        entry.published_text,
        entry.app_id,
        app.app_id is not null as is_app_known
    from {{ ref('stg_finance__ledger_entry') }} as entry
    left join {{ ref('stg_irs__app') }} as app on entry.app_id = app.app_id
),

ledger as (
    select
        ledger_level,
        ledger_version,
        max(published_text) as published_text,
        count(*) as entries_count,
        count(app_id) as entries_with_app_count,
        count(*) filter (where is_app_known) as entries_with_known_app_count
    from entry
    group by ledger_level, ledger_version
),

dated as (
    select
        ledger_level,
        ledger_version,
        published_text,
        entries_count,
        entries_with_app_count,
        entries_with_known_app_count,
        case
            when {{ chinese_date('published_text') }} is not null then 'day'
            when regexp_matches(published_text, '\d{4}年\d{1,2}月') then 'month'
        end as published_precision,
        -- Of a month only the first day on which it can have been is known.
        coalesce(
            {{ chinese_date('published_text') }},
            cast(try_strptime(regexp_extract(published_text, '\d{4}年\d{1,2}月'), '%Y年%m月') as date)
        ) as published_on
    from ledger
),

release as (
    select
        ledger_level,
        ledger_version,
        min(released_on) as first_released_on,
        max(released_on) as last_released_on,
        count(distinct project_id) as released_projects_count,
        sum(released_cny) as released_cny
    from {{ ref('stg_finance__budget_release') }}
    where released_on is not null and ledger_version is not null
    group by ledger_level, ledger_version
)

select
    dated.ledger_level,
    dated.ledger_version,
    dated.published_text,
    dated.published_on,
    dated.published_precision,
    {{ state_of('dated.published_on') }} as published_state,
    dated.entries_count,
    dated.entries_with_app_count,
    dated.entries_with_known_app_count,
    release.first_released_on,
    release.last_released_on,
    coalesce(release.released_projects_count, 0) as released_projects_count,
    {{ cny('release.released_cny') }} as released_cny,
    case
        when release.first_released_on is not null then 'reported'
        -- The province's projects are paid by the province: the city's finance bureau releases nothing for them.
        when dated.ledger_level = 'province' then 'not_applicable'
        else 'missing'
    end as release_state,
    case
        when dated.published_precision = 'day'
            then date_diff('day', dated.published_on, release.first_released_on)
    end as publish_to_release_days,
    case
        when release.first_released_on is null and dated.ledger_level = 'province' then 'not_applicable'
        when release.first_released_on is not null and dated.published_precision = 'day' then 'reported'
        else 'missing'
    end as publish_to_release_state
from dated
left join release
    on dated.ledger_level = release.ledger_level and dated.ledger_version = release.ledger_version

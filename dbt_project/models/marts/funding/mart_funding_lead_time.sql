with release as (
    select
        project_id,
        ledger_level,
        ledger_version,
        min(released_on) as first_released_on,
        min(arrived_on) as first_arrived_on,
        sum(released_cny) as released_cny,
        sum(arrived_cny) as arrived_cny
    from {{ ref('stg_finance__budget_release') }}
    where ledger_version is not null
    group by project_id, ledger_level, ledger_version
),

ledger as (
    select
        ledger_level,
        ledger_version,
        published_on,
        published_precision
    from {{ ref('mart_ledger') }}
),

city_version as (
    select ledger_version
    from ledger
    where ledger_level = 'city'
),

-- The library names a version without saying whose. It is the city's when the city published one; for a
-- version that the city left out (S2) the projects were collected against the province's.
registered as (
    select
        project.project_id,
        case when city_version.ledger_version is not null then 'city' else 'province' end as ledger_level,
        project.ledger_version
    from {{ ref('dim_project') }} as project
    left join city_version on project.ledger_version = city_version.ledger_version
    where project.ledger_version is not null
),

candidate as (
    select project_id, ledger_level, ledger_version from release
    union
    select registered.project_id, registered.ledger_level, registered.ledger_version
    from registered
    -- A release says whose ledger it pays for: it outweighs the library.
    where not exists (
        select 1 from release
        where release.project_id = registered.project_id and release.ledger_version = registered.ledger_version
    )
),

spent as (
    select
        project_id,
        min(spent_on) as first_spent_on,
        sum(spent_cny) as spent_cny
    from {{ ref('int_spending_line') }}
    where project_match = 'known_project' and spent_cny > 0
    group by project_id
),

joined as (
    select
        candidate.ledger_level,
        candidate.ledger_version,
        candidate.project_id,
        project.project_id is not null as is_project_known,
        project.project_name,
        project.level,
        project.department_id,
        project.funding_source,
        ledger.published_on,
        ledger.published_precision,
        release.first_released_on,
        release.first_arrived_on,
        spent.first_spent_on,
        release.released_cny,
        release.arrived_cny,
        spent.spent_cny,
        clock.as_of_on
    from candidate
    cross join {{ ref('int_as_of') }} as clock
    left join {{ ref('dim_project') }} as project on candidate.project_id = project.project_id
    left join ledger
        on candidate.ledger_level = ledger.ledger_level and candidate.ledger_version = ledger.ledger_version
    left join release
        on
            candidate.project_id = release.project_id
            and candidate.ledger_level is not distinct from release.ledger_level
            and candidate.ledger_version = release.ledger_version
    left join spent on candidate.project_id = spent.project_id
)

select
    ledger_level,
    ledger_version,
    project_id,
    is_project_known,
    project_name,
    level,
    department_id,
    funding_source,
    case
        when first_spent_on is not null then 'spent'
        when first_arrived_on is not null then 'arrived'
        when first_released_on is not null then 'released'
        when published_on is not null then 'published'
        else 'not_published'
    end as state,
    published_on,
    published_precision,
    {{ state_of('published_on') }} as published_state,
    first_released_on,
    case
        when funding_source = 'self_raised' then {{ state_of('first_released_on', "'not_applicable'") }}
        else {{ state_of('first_released_on') }}
    end as released_state,
    first_arrived_on,
    case
        when first_arrived_on is null and first_released_on is null then 'not_applicable'
        else {{ state_of('first_arrived_on') }}
    end as arrived_state,
    first_spent_on,
    case
        when first_spent_on is null and first_arrived_on is null then 'not_applicable'
        else {{ state_of('first_spent_on') }}
    end as spent_state,
    case when published_precision = 'day' then date_diff('day', published_on, first_released_on) end
        as publish_to_release_days,
    date_diff('day', first_released_on, first_arrived_on) as release_to_arrive_days,
    date_diff('day', first_arrived_on, first_spent_on) as arrive_to_spend_days,
    case when published_precision = 'day' then date_diff('day', published_on, first_spent_on) end
        as publish_to_spend_days,
    case
        when first_spent_on is not null then null
        else date_diff('day', coalesce(first_arrived_on, first_released_on, published_on), as_of_on)
    end as waiting_days,
    first_spent_on < first_arrived_on as is_spent_before_arrival,
    {{ cny('released_cny') }} as released_cny,
    {{ cny('arrived_cny') }} as arrived_cny,
    {{ cny('spent_cny') }} as spent_cny
from joined

with round as (
    select
        round.round_id,
        round.period,
        round.period_start_on,
        round.period_end_on,
        round.cut_off_on,
        round.level,
        round.department_kind,
        round.family,
        cast(service.value as integer) as minimum_months_in_service,
        service.rule_version
    from {{ ref('evaluation_round') }} as round
    cross join {{ ref('int_as_of') }} as clock
    left join {{ ref('rule_threshold') }} as service
        on {{ rule_in_force('service', 'minimum_months_in_service', 'round.period_end_on') }}
    -- A round is evaluated once its data is in, never on part of it.
    where round.cut_off_on <= clock.as_of_on
),

portal_listing as (
    select
        app_id,
        listed_on,
        delisted_on
    from {{ ref('mart_app_listing_history') }}
    where portal <> 'standalone_app'
),

candidate as (
    select
        round.round_id,
        round.period,
        round.period_start_on,
        round.period_end_on,
        round.level as wanted_level,
        round.department_kind as wanted_department_kind,
        round.family as wanted_family,
        round.minimum_months_in_service,
        round.rule_version,
        app.app_id,
        app.app_name,
        app.is_registered,
        app.side,
        app.family,
        app.level,
        app.department_id,
        app.department_kind,
        min(listing.listed_on) as first_listed_on,
        coalesce(bool_or(
            listing.listed_on <= round.period_start_on
            and coalesce(listing.delisted_on, date '9999-12-31') > round.period_start_on
        ), false) as is_listed_at_start
    from round
    cross join {{ ref('dim_app') }} as app
    left join portal_listing as listing
        on app.app_id = listing.app_id and round.period_end_on >= listing.listed_on
    group by all
),

judged as (
    select
        round_id,
        period,
        app_id,
        app_name,
        side,
        family,
        department_id,
        first_listed_on,
        case
            when not is_registered then 'not_registered'
            when level <> wanted_level then 'other_level'
            when coalesce(department_kind, '') <> wanted_department_kind then 'other_owner'
            when coalesce(family, '') not in ('major_application', 'application_system', 'infrastructure', 'operations')
                then 'family_unknown'
            when wanted_family not in ('all', family) then 'other_family'
            when first_listed_on is null then 'never_listed'
            when first_listed_on > period_end_on - to_months(minimum_months_in_service) then 'in_service_too_short'
            when not is_listed_at_start then 'delisted_before_period'
            else 'in_scope'
        end as scope_reason,
        rule_version
    from candidate
)

select
    judged.round_id as run_id,
    judged.period,
    judged.app_id,
    judged.app_name,
    judged.side,
    judged.family,
    judged.department_id,
    judged.first_listed_on,
    judged.scope_reason,
    reason.title_zh as scope_reason_zh,
    reason.title_en as scope_reason_en,
    judged.scope_reason = 'in_scope' as is_in_scope,
    judged.rule_version
from judged
left join {{ ref('evaluation_reason') }} as reason on judged.scope_reason = reason.reason_id

-- Pairs are compared only when they share something that few apps have, or their whole core name: never all pairs.
with rule as (
    select
        max(limits.value) filter (where limits.rule_id = 'weight_matters') as weight_matters,
        max(limits.value) filter (where limits.rule_id = 'weight_name') as weight_name,
        max(limits.value) filter (where limits.rule_id = 'weight_resources') as weight_resources,
        max(limits.value) filter (where limits.rule_id = 'weight_description') as weight_description,
        max(limits.value) filter (where limits.rule_id = 'common_to_apps') as common_to_apps,
        max(limits.value) filter (where limits.rule_id = 'listed_strength') as listed_strength,
        max(limits.value) filter (where limits.rule_id = 'candidate_strength') as candidate_strength,
        max(limits.rule_version) as rule_version
    from {{ ref('int_as_of') }} as clock
    inner join {{ ref('merge_rule') }} as limits
        on
            clock.as_of_on >= limits.effective_from
            and clock.as_of_on <= coalesce(limits.effective_to, date '9999-12-31')
),

-- The longest word first, so that a word inside another one does not tear it.
stop_word as (
    select
        string_agg(regexp_escape(lower(word.word)), '|' order by length(word.word) desc, word.word) filter (
            where word.place = 'anywhere'
        ) as anywhere,
        string_agg(regexp_escape(lower(word.word)), '|' order by length(word.word) desc, word.word) filter (
            where word.place = 'end'
        ) as at_end
    from {{ ref('int_as_of') }} as clock
    inner join {{ ref('name_stop_word') }} as word
        on
            clock.as_of_on >= word.effective_from
            and clock.as_of_on <= coalesce(word.effective_to, date '9999-12-31')
),

app as (
    select
        app_id,
        app_name,
        department_id,
        department_name,
        lower(regexp_replace(replace(app_name, coalesce(department_name, ''), ''), '[\s\p{P}\p{S}]', '', 'g'))
            as bare_name,
        lower(regexp_replace(description, '[\s\p{P}\p{S}]', '', 'g')) as bare_description
    from {{ ref('dim_app') }}
    where is_registered and listing_state <> 'delisted' and app_name is not null
),

-- A name made of nothing but stop words stays whole.
core as (
    select
        app.app_id,
        coalesce(
            nullif(
                regexp_replace(
                    regexp_replace(app.bare_name, coalesce(stop_word.anywhere, '^$'), '', 'g'),
                    '(' || coalesce(stop_word.at_end, '^$') || ')+$', ''
                ),
                ''
            ),
            app.bare_name
        ) as core_name,
        nullif(app.bare_description, '') as bare_description
    from app
    cross join stop_word
),

text as (
    select
        app_id,
        'name' as evidence,
        core_name as body
    from core
    union all
    select
        app_id,
        'description',
        bare_description
    from core
    where bare_description is not null
),

position_in_text as (
    select
        app_id,
        evidence,
        body,
        unnest(generate_series(1, greatest(length(body) - 1, 1))) as place
    from text
),

gram as (
    select distinct
        app_id,
        evidence,
        substr(body, place, 2) as item,
        item as item_name
    from position_in_text
),

named as (
    select
        app_id,
        'core_name' as evidence,
        core_name as item,
        item as item_name
    from core
),

matter as (
    select distinct
        module.app_id,
        'matters' as evidence,
        trim(module.module_name) as item,
        item as item_name
    from {{ ref('dim_module') }} as module
    inner join app on module.app_id = app.app_id
    where module.is_registered and trim(module.module_name) <> ''
),

resource as (
    select
        used.app_id,
        'resources' as evidence,
        used.data_resource_id as item,
        coalesce(used.resource_name, used.data_resource_id) as item_name
    from {{ ref('mart_app_resource') }} as used
    inner join app on used.app_id = app.app_id
),

held as (
    select
        app_id,
        evidence,
        item,
        item_name
    from matter
    union all
    select
        app_id,
        evidence,
        item,
        item_name
    from resource
    union all
    select
        app_id,
        evidence,
        item,
        item_name
    from gram
    union all
    select
        app_id,
        evidence,
        item,
        item_name
    from named
),

-- What more apps have than the rule says tells nothing. Words of a name always tell something.
telling as (
    select
        held.app_id,
        held.evidence,
        held.item,
        held.item_name
    from held
    cross join rule
    qualify
        held.evidence = 'name'
        or count(*) over (partition by held.evidence, held.item) <= rule.common_to_apps
),

size_of_app as (
    select
        app_id,
        evidence,
        count(*) as items_count
    from telling
    group by app_id, evidence
),

block as (
    select
        app_id,
        evidence,
        item
    from telling
    where evidence in ('matters', 'resources', 'core_name')
),

pair as (
    select distinct
        first_block.app_id as first_app_id,
        second_block.app_id as second_app_id
    from block as first_block
    inner join block as second_block
        on
            first_block.evidence = second_block.evidence
            and first_block.item = second_block.item
            and first_block.app_id < second_block.app_id
),

shared as (
    select
        pair.first_app_id,
        pair.second_app_id,
        first_item.evidence,
        count(*) as shared_count,
        string_agg(first_item.item_name, '、' order by first_item.item_name) as shared_items
    from pair
    inner join telling as first_item on pair.first_app_id = first_item.app_id
    inner join telling as second_item
        on
            pair.second_app_id = second_item.app_id
            and first_item.evidence = second_item.evidence
            and first_item.item = second_item.item
    where first_item.evidence <> 'core_name'
    group by pair.first_app_id, pair.second_app_id, first_item.evidence
),

compared as (
    select
        shared.first_app_id,
        shared.second_app_id,
        shared.evidence,
        shared.shared_count,
        shared.shared_items,
        shared.shared_count / cast(first_size.items_count as double) as first_covered_share,
        shared.shared_count / cast(second_size.items_count as double) as second_covered_share,
        -- Matters: how much of the smaller app the other one does. Words and data: common over all.
        case shared.evidence
            when 'matters'
                then
                    shared.shared_count
                    / cast(least(first_size.items_count, second_size.items_count) as double)
            else
                shared.shared_count
                / cast(first_size.items_count + second_size.items_count - shared.shared_count as double)
        end as similarity
    from shared
    inner join size_of_app as first_size
        on shared.first_app_id = first_size.app_id and shared.evidence = first_size.evidence
    inner join size_of_app as second_size
        on shared.second_app_id = second_size.app_id and shared.evidence = second_size.evidence
),

gathered as (
    select
        first_app_id,
        second_app_id,
        max(similarity) filter (where evidence = 'matters') as matters_similarity,
        max(shared_count) filter (where evidence = 'matters') as shared_matters_count,
        max(shared_items) filter (where evidence = 'matters') as shared_matters,
        max(first_covered_share) filter (where evidence = 'matters') as first_covered_share,
        max(second_covered_share) filter (where evidence = 'matters') as second_covered_share,
        max(similarity) filter (where evidence = 'resources') as resources_similarity,
        max(shared_count) filter (where evidence = 'resources') as shared_resources_count,
        max(shared_items) filter (where evidence = 'resources') as shared_resources,
        max(similarity) filter (where evidence = 'name') as name_similarity,
        max(shared_items) filter (where evidence = 'name') as shared_name_parts,
        max(similarity) filter (where evidence = 'description') as description_similarity
    from compared
    group by first_app_id, second_app_id
),

comparable as (
    select
        app_id,
        bool_or(evidence = 'matters') as has_matters,
        bool_or(evidence = 'resources') as has_resources,
        bool_or(evidence = 'description') as has_description
    from held
    group by app_id
),

-- Evidence that one of the two does not give is missing: it adds nothing, and the state says so.
stated as (
    select
        gathered.first_app_id,
        gathered.second_app_id,
        case when first_has.has_matters and second_has.has_matters then coalesce(gathered.matters_similarity, 0) end
            as matters_similarity,
        coalesce(gathered.shared_matters_count, 0) as shared_matters_count,
        gathered.shared_matters,
        case when first_has.has_matters and second_has.has_matters then coalesce(gathered.first_covered_share, 0) end
            as first_covered_share,
        case when first_has.has_matters and second_has.has_matters then coalesce(gathered.second_covered_share, 0) end
            as second_covered_share,
        case
            when first_has.has_resources and second_has.has_resources then coalesce(gathered.resources_similarity, 0)
        end as resources_similarity,
        coalesce(gathered.shared_resources_count, 0) as shared_resources_count,
        gathered.shared_resources,
        coalesce(gathered.name_similarity, 0) as name_similarity,
        gathered.shared_name_parts,
        case
            when first_has.has_description and second_has.has_description
                then coalesce(gathered.description_similarity, 0)
        end as description_similarity
    from gathered
    inner join comparable as first_has on gathered.first_app_id = first_has.app_id
    inner join comparable as second_has on gathered.second_app_id = second_has.app_id
),

weighed as (
    select
        stated.first_app_id,
        stated.second_app_id,
        stated.matters_similarity,
        stated.shared_matters_count,
        stated.shared_matters,
        stated.first_covered_share,
        stated.second_covered_share,
        stated.resources_similarity,
        stated.shared_resources_count,
        stated.shared_resources,
        stated.name_similarity,
        stated.shared_name_parts,
        stated.description_similarity,
        rule.listed_strength,
        rule.candidate_strength,
        rule.rule_version,
        round(
            (
                rule.weight_matters * coalesce(stated.matters_similarity, 0)
                + rule.weight_name * stated.name_similarity
                + rule.weight_resources * coalesce(stated.resources_similarity, 0)
                + rule.weight_description * coalesce(stated.description_similarity, 0)
            )
            / (rule.weight_matters + rule.weight_name + rule.weight_resources + rule.weight_description),
            6
        ) as strength
    from stated
    cross join rule
)

select
    weighed.first_app_id,
    weighed.second_app_id,
    first_app.app_name as first_app_name,
    second_app.app_name as second_app_name,
    first_app.department_id as first_department_id,
    second_app.department_id as second_department_id,
    first_app.department_id = second_app.department_id as is_same_department,
    weighed.matters_similarity,
    {{ state_of('weighed.matters_similarity') }} as matters_state,
    weighed.shared_matters_count,
    weighed.shared_matters,
    weighed.first_covered_share,
    weighed.second_covered_share,
    weighed.resources_similarity,
    {{ state_of('weighed.resources_similarity', "'not_applicable'") }} as resources_state,
    weighed.shared_resources_count,
    weighed.shared_resources,
    weighed.name_similarity,
    weighed.shared_name_parts,
    weighed.description_similarity,
    {{ state_of('weighed.description_similarity') }} as description_state,
    weighed.strength,
    weighed.candidate_strength as threshold_value,
    weighed.strength >= weighed.candidate_strength as is_candidate,
    weighed.rule_version
from weighed
inner join app as first_app on weighed.first_app_id = first_app.app_id
inner join app as second_app on weighed.second_app_id = second_app.app_id
where weighed.strength >= weighed.listed_strength

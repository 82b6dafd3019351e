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
        coalesce(
            list(lower(word.word) order by length(word.word) desc, word.word) filter (where word.place = 'anywhere'), []
        ) as anywhere,
        coalesce(
            list(lower(word.word) order by length(word.word) desc, word.word) filter (where word.place = 'end'), []
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

-- Word by word: one regular expression of all words would be compiled for every app. Form words may follow each
-- other at the end, so they are tried twice.
core as (
    select
        app.app_id,
        app.bare_name,
        list_reduce(
            list_prepend(
                list_reduce(
                    list_prepend(app.bare_name, stop_word.anywhere),
                    {{ lambda('body, word', "replace(body, word, '')") }}
                ),
                list_concat(stop_word.at_end, stop_word.at_end)
            ),
            {{ lambda(
                'body, word', 'case when ends_with(body, word) then left(body, length(body) - length(word)) else body end'
            ) }}
        ) as core_name,
        app.bare_description
    from app
    cross join stop_word
),

text as (
    select
        app_id,
        'name' as evidence,
        -- A name made of nothing but stop words stays whole.
        coalesce(nullif(core_name, ''), bare_name) as body
    from core
    union all
    select
        app_id,
        'description',
        bare_description
    from core
    where bare_description <> ''
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
        substr(body, place, 2) as item
    from position_in_text
),

named as (
    select
        app_id,
        'core_name' as evidence,
        body as item
    from text
    where evidence = 'name'
),

matter as (
    select distinct
        module.app_id,
        'matters' as evidence,
        trim(module.module_name) as item
    from {{ ref('dim_module') }} as module
    inner join app on module.app_id = app.app_id
    where module.is_registered and trim(module.module_name) <> ''
),

resource as (
    select
        used.app_id,
        'resources' as evidence,
        concat_ws(' ', used.data_resource_id, used.resource_name) as item
    from {{ ref('mart_app_resource') }} as used
    inner join app on used.app_id = app.app_id
),

held as (
    select
        app_id,
        evidence,
        item
    from matter
    union all
    select
        app_id,
        evidence,
        item
    from resource
    union all
    select
        app_id,
        evidence,
        item
    from gram
    union all
    select
        app_id,
        evidence,
        item
    from named
),

-- What more apps have than the rule says tells nothing. Words of a name always tell something.
weighed_item as (
    select
        held.app_id,
        held.evidence,
        held.item,
        held.evidence = 'name'
        or count(*) over (partition by held.evidence, held.item) <= rule.common_to_apps as is_telling
    from held
    cross join rule
),

-- Lists of one app side by side: pairs are compared by intersecting them, so that no join meets a common word.
app_items as (
    select
        app_id,
        coalesce(list(item) filter (where evidence = 'name' and is_telling), []) as names,
        coalesce(list(item) filter (where evidence = 'matters' and is_telling), []) as matters,
        coalesce(list(item) filter (where evidence = 'resources' and is_telling), []) as resources,
        coalesce(list(item) filter (where evidence = 'description' and is_telling), []) as descriptions,
        bool_or(evidence = 'matters') as has_matters,
        bool_or(evidence = 'resources') as has_resources,
        bool_or(evidence = 'description') as has_description
    from weighed_item
    group by app_id
),

block as (
    select
        app_id,
        evidence,
        item
    from weighed_item
    where is_telling and evidence in ('matters', 'resources', 'core_name')
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

intersected as (
    select
        pair.first_app_id,
        pair.second_app_id,
        len(first_items.names) as first_names_count,
        len(second_items.names) as second_names_count,
        len(first_items.matters) as first_matters_count,
        len(second_items.matters) as second_matters_count,
        len(first_items.resources) as first_resources_count,
        len(second_items.resources) as second_resources_count,
        len(first_items.descriptions) as first_descriptions_count,
        len(second_items.descriptions) as second_descriptions_count,
        first_items.has_matters and second_items.has_matters as has_matters,
        first_items.has_resources and second_items.has_resources as has_resources,
        first_items.has_description and second_items.has_description as has_description,
        list_sort(list_intersect(first_items.names, second_items.names)) as names,
        list_sort(list_intersect(first_items.matters, second_items.matters)) as matters,
        list_sort(list_intersect(first_items.resources, second_items.resources)) as resources,
        len(list_intersect(first_items.descriptions, second_items.descriptions)) as shared_descriptions_count
    from pair
    inner join app_items as first_items on pair.first_app_id = first_items.app_id
    inner join app_items as second_items on pair.second_app_id = second_items.app_id
),

-- Evidence that one of the two does not give is missing: it adds nothing, and the state says so. Matters: how much
-- of the smaller app the other one does. Words and data: common over all.
stated as (
    select
        first_app_id,
        second_app_id,
        case
            when has_matters
                then coalesce(
                    len(matters) / nullif(cast(least(first_matters_count, second_matters_count) as double), 0), 0
                )
        end as matters_similarity,
        len(matters) as shared_matters_count,
        nullif(array_to_string(matters, '、'), '') as shared_matters,
        case when has_matters then coalesce(len(matters) / nullif(cast(first_matters_count as double), 0), 0) end
            as first_covered_share,
        case when has_matters then coalesce(len(matters) / nullif(cast(second_matters_count as double), 0), 0) end
            as second_covered_share,
        case
            when has_resources
                then coalesce(
                    len(resources)
                    / nullif(cast(first_resources_count + second_resources_count - len(resources) as double), 0),
                    0
                )
        end as resources_similarity,
        len(resources) as shared_resources_count,
        nullif(array_to_string(resources, '、'), '') as shared_resources,
        len(names) / cast(first_names_count + second_names_count - len(names) as double) as name_similarity,
        nullif(array_to_string(names, '、'), '') as shared_name_parts,
        case
            when has_description
                then coalesce(
                    shared_descriptions_count
                    / nullif(cast(
                        first_descriptions_count + second_descriptions_count - shared_descriptions_count as double
                    ), 0),
                    0
                )
        end as description_similarity
    from intersected
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

with computed as (
    {%- for figure in published_figures() %}
    select
        '{{ figure.figure_id }}' as figure_id,
        '{{ shown_name(ref(figure.mart)) }}' as mart,
        '{{ figure.filter | replace("'", "''") }}' as filter,
        '{{ figure.measure | replace("'", "''") }}' as measure,
        (
            select cast({{ figure.measure }} as double)
            from {{ ref(figure.mart) }}
            where {{ figure.filter }}
        ) as computed_value
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    figure.figure_id,
    figure.title_zh,
    figure.title_en,
    figure.unit,
    figure.published_value,
    computed.computed_value,
    computed.computed_value - figure.published_value as difference,
    figure.comparison,
    figure.tolerance,
    coalesce(case figure.comparison
        when 'equal' then computed.computed_value = figure.published_value
        when 'at_least' then computed.computed_value >= figure.published_value
        when 'at_most' then computed.computed_value <= figure.published_value
        when 'greater_than' then computed.computed_value > figure.published_value
        when 'within' then abs(computed.computed_value - figure.published_value) <= figure.tolerance
    end, false) as is_matched,
    computed.mart,
    computed.measure,
    computed.filter,
    figure.source_reference
from {{ ref('published_figure') }} as figure
left join computed on figure.figure_id = computed.figure_id

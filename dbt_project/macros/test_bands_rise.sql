{# Fails on a band that pays less than the one below it, or not a share, and on a period without a band from 0. #}
{% test bands_rise(model) %}
with band as (
    select
        effective_from,
        minimum_rate,
        share,
        lag(share) over (partition by effective_from order by minimum_rate) as share_below,
        min(minimum_rate) over (partition by effective_from) as lowest_rate
    from {{ model }}
)

select
    effective_from,
    minimum_rate,
    share
from band
where share < share_below or share not between 0 and 1 or lowest_rate <> 0
{% endtest %}

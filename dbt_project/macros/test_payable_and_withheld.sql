{# Fails on every row whose money does not add up to the fen, or lies outside the budget. #}
{% test payable_and_withheld_make_the_budget(model) %}
select
    project_id,
    budget_year,
    budget_cny,
    payable_cny,
    withheld_cny
from {{ model }}
where
    (state = 'computed') is distinct from (payable_cny is not null)
    or payable_cny + withheld_cny <> budget_cny
    or payable_cny + withheld_cny is null and payable_cny is not null
    or change_cny <> payable_cny - budget_cny
    or share not between 0 and 1
    or payable_cny not between least(budget_cny, 0) and greatest(budget_cny, 0)
{% endtest %}

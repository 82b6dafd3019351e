"""Small counts of people are withheld, and with them what would give them away; as SQL, for all groups at once.

Within a group whose total is published:

1. a count from 1 to under the limit is withheld;
2. if there is one, so are the smallest counts at or over the limit, all of them that are equal. Total minus visible
   cells is then the sum of at least two rows of which nobody can tell which is the small one: however their values
   are dealt out among them, the publication is the same, byte for byte;
3. when the group has no such count, the total is withheld instead.

0 is published: it speaks of nobody. Withheld is not missing, and neither is 0; ``status`` keeps them apart.
"""

from __future__ import annotations

from oneledger.open_data.listing import PublicTable, Suppression
from oneledger.publishing.content import quote

STATUS = "status"
STATUSES = ("reported", "suppressed", "missing", "not_applicable")
TOTAL_STATUSES = ("reported", "partial", "suppressed", "missing")
ROWS = "rows_count"
MISSING_ROWS = "missing_rows_count"


def rows_sql(table: PublicTable, minimum_count: int) -> str:
    """The public rows: the listed columns, measures null unless ``status`` is reported."""
    if table.suppress is None:
        return f"select {', '.join(quote(one) for one in table.columns)} from {table.table}"
    rule = table.suppress
    shown = [
        f"case when {STATUS} = 'reported' then {quote(one)} end as {quote(one)}" if one in rule.measures else quote(one)
        for one in table.columns
    ]
    return f"{_judged(table, rule, minimum_count)} select {', '.join(shown)}, {STATUS} from judged"


def totals_sql(table: PublicTable, minimum_count: int) -> str:
    """One row a group: its rows, those without a count, and the totals of the counted ones unless withheld."""
    rule = table.suppress
    if rule is None:
        raise ValueError(f"{table.table} has no totals")
    within = ", ".join(quote(one) for one in rule.within)
    status = (
        "case when any_value(small_rows_count) > 0 and any_value(next_count) is null then 'suppressed'"
        " when count(*) filter (is_counted) = 0 then 'missing'"
        f" when count(*) filter ({STATUS} = 'missing') > 0 then 'partial' else 'reported' end"
    )
    sums = ", ".join(
        f"case when {STATUS} in ('reported', 'partial') then {quote(one)} end as {quote(one)}" for one in rule.measures
    )
    added = ", ".join(f"cast(sum({quote(one)}) filter (is_counted) as bigint) as {quote(one)}" for one in rule.measures)
    return (
        f"{_judged(table, rule, minimum_count)}, total as (select {within}, count(*) as {ROWS},"
        f" count(*) filter ({STATUS} = 'missing') as {MISSING_ROWS}, {added}, {status} as {STATUS}"
        f" from judged group by {within}) select {within}, {ROWS}, {MISSING_ROWS}, {sums}, {STATUS} from total"
    )


def _judged(table: PublicTable, rule: Suppression, minimum_count: int) -> str:
    """CTEs up to ``judged``: the listed columns of each row and its ``status``."""
    count, state = quote(rule.count), quote(rule.state)
    group = f"(partition by {', '.join(quote(one) for one in rule.within)})"
    return (
        f"with counted as (select *, {state} = 'reported' and {count} is not null as is_counted from {table.table}),"
        f" sized as (select *, is_counted and {count} > 0 and {count} < {minimum_count} as is_small,"
        f" is_counted and {count} >= {minimum_count} as is_large from counted),"
        f" grouped as (select *, count(*) filter (is_small) over {group} as small_rows_count,"
        f" min({count}) filter (is_large) over {group} as next_count from sized),"
        " judged as (select *,"
        f" case when is_small or (small_rows_count > 0 and is_large and {count} = next_count) then 'suppressed'"
        f" when is_counted then 'reported' when {state} = 'not_applicable' then 'not_applicable' else 'missing' end"
        f" as {STATUS} from grouped)"
    )

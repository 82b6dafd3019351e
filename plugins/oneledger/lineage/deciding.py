"""Which rows of a group decide a value: of a smallest or largest value, a set or a flag, a few suffice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from oneledger.lineage.blocks import Block, aggregates_in, has_aggregate
from oneledger.lineage.pushing import is_plain


@dataclass(frozen=True)
class Extreme:
    """An aggregate that a few rows decide.

    Attributes:
        kind: ``min`` or ``max`` (the row with the smallest or largest last part), ``any`` (any row with a value),
            ``each`` (one row for each value), ``bit_or`` (rows that together hold all bits).
        only: the condition of its FILTER.
    """

    kind: str
    parts: tuple[exp.Expr, ...]
    only: exp.Expr | None = None


def extreme_of(aggregate: exp.Expr) -> Extreme | None:
    """None for an aggregate to which every row adds."""
    if isinstance(aggregate, exp.Filter):
        inner = extreme_of(aggregate.this)
        if inner is None or inner.only is not None or inner.kind == "bit_or":
            return None
        return Extreme(inner.kind, inner.parts, aggregate.expression.this)
    if isinstance(aggregate, exp.Min | exp.Max) and not aggregate.expressions:
        return Extreme("min" if isinstance(aggregate, exp.Min) else "max", (aggregate.this,))
    if isinstance(aggregate, exp.ArgMin | exp.ArgMax):
        return Extreme("min" if isinstance(aggregate, exp.ArgMin) else "max", (aggregate.this, aggregate.expression))
    if isinstance(aggregate, exp.LogicalOr | exp.LogicalAnd):
        return Extreme("max" if isinstance(aggregate, exp.LogicalOr) else "min", (aggregate.this,))
    if isinstance(aggregate, exp.AnyValue) and not isinstance(aggregate.this, exp.Order | exp.HavingMax):
        return Extreme("any", (aggregate.this,))
    if isinstance(aggregate, exp.BitwiseOrAgg):
        return Extreme("bit_or", (aggregate.this,))
    if isinstance(aggregate, exp.Count) and isinstance(aggregate.this, exp.Distinct):
        return Extreme("each", tuple(aggregate.this.expressions))
    return None


def witnesses_of(block: Block, columns: set[str], tie: str, written: Callable[[exp.Expr], str]) -> list[str]:
    """Of a group that only gives its smallest or largest value, or whether anything holds, a few rows suffice.

    Args:
        columns: the outputs of which the values are to be explained.
        tie: SQL that orders the rows, so that the same few are taken each time.
        written: writes an expression of the block as SQL.

    Returns:
        One condition for each such value: true in the rows that give it. Empty when all rows count.
    """
    if not block.is_aggregated or block.partitions or block.select.args.get("having"):
        return []
    values = [one for name, one in block.outputs.items() if name in columns and has_aggregate(one)]
    group = ", ".join(written(one) for one in block.group)
    part = f"partition by {group} " if group else ""
    witnesses = []
    for value in values:
        for one in aggregates_in(value):
            extreme = extreme_of(one)
            if extreme is None or not all(is_plain(below) for below in extreme.parts):
                return []
            witnesses.append(_witness(extreme, group, part, tie, written))
    if not witnesses and block.group:
        # Only that the group is there: any of its rows shows it.
        witnesses.append(f"row_number() over ({part}order by {tie}) = 1")
    return list(dict.fromkeys(witnesses))


def _witness(extreme: Extreme, group: str, part: str, tie: str, written: Callable[[exp.Expr], str]) -> str:
    texts = [written(one) for one in extreme.parts]
    first = f"({written(extreme.only)}) desc nulls last, " if extreme.only is not None else ""
    if extreme.kind == "bit_or":
        before = (
            f"bit_or({texts[0]}) over ({part}order by bit_count({texts[0]}) desc, {tie} "
            "rows between unbounded preceding and 1 preceding)"
        )
        return f"({texts[0]} & ~coalesce({before}, 0)) <> 0"
    if extreme.kind == "each":
        each = f"partition by {', '.join([*([group] if group else []), *texts])} "
        return f"row_number() over ({each}order by {first}{tie}) = 1"
    order = {
        "min": f"({texts[-1]}) asc nulls last", "max": f"({texts[-1]}) desc nulls last", "any": f"({texts[0]}) is null"
    }[extreme.kind]  # fmt: skip
    return f"row_number() over ({part}order by {first}{order}, {tie}) = 1"

"""Which rows of a group decide a value: of a smallest or largest value, a set or a flag, a few suffice."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


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

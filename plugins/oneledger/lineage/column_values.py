"""One known value, followed through a select to its sources."""

from __future__ import annotations

from sqlglot import exp

from oneledger.lineage.column_expressions import literal_of, unwrapped
from oneledger.lineage.column_uses import Where

# By the alias of a source: its columns that have one value in all rows that count, with the SQL literal.
KnownValues = dict[str, dict[str, str]]


def known_values(node: exp.Select, where: Where) -> KnownValues | None:
    """By source, the columns of it that have one value in all rows that count; None when that cannot be."""
    known: KnownValues = {}
    wanted = dict(where)
    # A window, and the first rows of an order, are taken from all rows, not from those of one value.
    takes_all = node.args.get("limit") is not None or any(
        one.find(exp.Window) is not None for one in (*node.expressions, node.args.get("qualify")) if one is not None
    )
    for projection in node.expressions:
        value = wanted.get(projection.alias_or_name.lower())
        if value is None or projection.is_star:
            continue
        literal = literal_of(projection)
        inner = unwrapped(projection)
        if isinstance(inner, exp.Null) or (literal is not None and literal != value):
            return None
        if isinstance(inner, exp.Column) and not takes_all:
            _note(node, known, inner, value)
    condition = node.args.get("where")
    for one in conjuncts(condition.this) if condition is not None else ():
        column, literal = _column_and_literal(one)
        if column is not None and literal is not None:
            _note(node, known, column, literal)
    joins = node.args.get("joins") or ()
    equal = [pair for join in joins for pair in _equal_columns(join)]
    for _ in range(3):
        for left, right in equal:
            for one, other in ((left, right), (right, left)):
                value = known.get(one.table.lower(), {}).get(one.name.lower())
                if value is not None:
                    _note(node, known, other, value)
    for join in joins:
        for one in conjuncts(join.args["on"]) if join.args.get("on") is not None else ():
            column, literal = _column_and_literal(one)
            # Of an outer join only the joined side must meet the condition.
            if column is not None and literal is not None and column.table.lower() == alias_of(join.this):
                _note(node, known, column, literal)
    return known


def _note(node: exp.Select, known: KnownValues, column: exp.Column, value: str) -> None:
    alias = column.table.lower()
    if not alias:
        start = node.args.get("from_")
        if start is None or node.args.get("joins") or node.args.get("laterals"):
            return
        alias = alias_of(start.this)
    known.setdefault(alias, {}).setdefault(column.name.lower(), value)


def alias_of(node: exp.Expr) -> str:
    """The name by which the columns of a source are called."""
    return (node.alias or node.name or "").lower() or f"unnamed_{id(node)}"


def conjuncts(node: exp.Expr) -> list[exp.Expr]:
    """The conditions that must all hold."""
    inner = node.unnest()
    if isinstance(inner, exp.And):
        return [*conjuncts(inner.this), *conjuncts(inner.expression)]
    return [inner]


def _column_and_literal(node: exp.Expr) -> tuple[exp.Column | None, str | None]:
    if not isinstance(node, exp.EQ):
        return None, None
    for one, other in ((node.this, node.expression), (node.expression, node.this)):
        if isinstance(one, exp.Column) and (literal := literal_of(other)) is not None:
            return one, literal
    return None, None


def _equal_columns(join: exp.Join) -> list[tuple[exp.Column, exp.Column]]:
    condition = join.args.get("on")
    pairs = []
    for one in conjuncts(condition) if condition is not None else ():
        if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column) and isinstance(one.expression, exp.Column):
            pairs.append((one.this, one.expression))
    return pairs

"""Lists and aggregates that keep an order."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

SAME_IN_SPARK = {
    "aggregate", "any_value", "array_intersect", "array_sort", "arrays_zip", "collect_set", "element_at", "get",
    "max_by", "slice", "transform",
}  # fmt: skip

_VALUE = "listed"


def chosen_by_most(node: exp.Expr) -> exp.Expr:
    """``arg_max`` passes over rows without a value; Spark's ``max_by`` takes them."""
    found = exp.Anonymous(this="max_by", expressions=[node.this.copy(), node.expression.copy()])
    return exp.Filter(
        this=found, expression=exp.Where(this=exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.null())))
    )


def ordered(node: exp.Expr) -> exp.Expr | None:
    """``list``, ``first``, ``last`` and ``any_value`` of rows in an order; a filter around them is dealt with first."""
    if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue) and not node.find(exp.Order):
        # sqlglot would write `ignore nulls` before a filter, where Spark wants it behind.
        return exp.Anonymous(this="any_value", expressions=[node.this.this.copy(), exp.true()])
    if isinstance(node.parent, exp.Filter | exp.IgnoreNulls):
        return None
    return _ordered(node, None)


def filtered(node: exp.Expr) -> exp.Expr | None:
    """An aggregate in an order takes its filter along; two filters of one aggregate become one."""
    of, condition = node.this, node.expression.this
    if isinstance(of, exp.Filter):
        both = exp.and_(condition.copy(), of.expression.this.copy())
        return exp.Filter(this=of.this.copy(), expression=exp.Where(this=both))
    return _ordered(of, condition)


def _ordered(node: exp.Expr, condition: exp.Expr | None) -> exp.Expr | None:
    kind = node.this if isinstance(node, exp.IgnoreNulls) else node
    if not isinstance(kind, exp.ArrayAgg | exp.First | exp.Last | exp.AnyValue) or not isinstance(kind.this, exp.Order):
        return None
    rows = kind.this
    if isinstance(kind, exp.ArrayAgg):
        return _in_order(rows, condition)
    if isinstance(kind, exp.AnyValue):
        # The first value that is there; ``first`` and ``last`` take a null as they find it.
        is_there = _is_there(rows.this)
        condition = is_there if condition is None else exp.and_(condition.copy(), is_there)
    if isinstance(kind, exp.Last):
        in_order = _in_order(rows, condition)
        last = exp.Sub(this=exp.ArraySize(this=in_order.copy()), expression=_number(1))
        return exp.Anonymous(this="get", expressions=[in_order, last])
    return exp.Anonymous(this="get", expressions=[_in_order(rows, condition), _number(0)])


def windowed(node: exp.Expr) -> exp.Expr | None:
    """Spark counts no distinct values in a window; it can collect the set of them there."""
    counted = node.this
    if not isinstance(counted, exp.Count) or not isinstance(counted.this, exp.Distinct):
        return None
    window = node.copy()
    window.set("this", exp.Anonymous(this="collect_set", expressions=[counted.this.expressions[0].copy()]))
    return exp.cast(exp.ArraySize(this=window), "bigint")


def called(node: exp.Expr) -> exp.Expr | None:
    name, arguments = node.name.lower(), [argument.copy() for argument in node.expressions]
    if name == "list_intersect":
        return exp.Anonymous(this="array_intersect", expressions=arguments)
    if name == "arg_max_null":
        return exp.Anonymous(this="max_by", expressions=arguments)
    if name == "list_reduce":
        # Spark's fold needs a start: the first of the list, and then the others.
        items, step = arguments
        first = exp.Anonymous(this="element_at", expressions=[items, exp.Literal.number(1)])
        others = exp.Anonymous(
            this="slice", expressions=[items.copy(), exp.Literal.number(2), exp.ArraySize(this=items.copy())]
        )
        return exp.Anonymous(this="aggregate", expressions=[others, first, step])
    return None


def _in_order(ordered: exp.Order, condition: exp.Expr | None) -> exp.Expr:
    """The list of ``x`` sorted by its keys: pairs of keys and value are collected, sorted, and the value taken out."""
    keys = ordered.expressions
    fields = [exp.alias_(key.this.copy(), f"key_{number}") for number, key in enumerate(keys)]
    pairs: exp.Expr = exp.ArrayAgg(this=exp.Struct(expressions=[*fields, exp.alias_(ordered.this.copy(), _VALUE)]))
    if condition is not None:
        pairs = exp.Filter(this=pairs, expression=exp.Where(this=condition.copy()))
    compared = exp.Case()
    for number, key in enumerate(keys):
        left, right = (exp.column(f"key_{number}", table=side) for side in ("one", "other"))
        first, last = (1, -1) if key.args.get("desc") else (-1, 1)
        # Nulls come last whichever way the others go.
        compared = (
            compared.when(exp.and_(left.copy().is_(exp.null()), exp.not_(right.copy().is_(exp.null()))), _number(1))
            .when(exp.and_(right.copy().is_(exp.null()), exp.not_(left.copy().is_(exp.null()))), _number(-1))
            .when(left.copy() < right.copy(), _number(first))
            .when(left.copy() > right.copy(), _number(last))
        )
    names = [exp.to_identifier("one"), exp.to_identifier("other")]
    in_order = exp.Anonymous(
        this="array_sort", expressions=[pairs, exp.Lambda(this=compared.else_(_number(0)), expressions=names)]
    )
    taken = exp.Lambda(this=exp.column(_VALUE, table="pair"), expressions=[exp.to_identifier("pair")])
    return exp.Anonymous(this="transform", expressions=[in_order, taken])


def _is_there(node: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=node.copy(), expression=exp.null()))


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))


RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.ArgMax: chosen_by_most,
    exp.ArrayAgg: ordered,
    exp.First: ordered,
    exp.Last: ordered,
    exp.AnyValue: ordered,
    exp.IgnoreNulls: ordered,
    exp.Filter: filtered,
    exp.Window: windowed,
}

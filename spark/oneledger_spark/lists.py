"""Lists and aggregates that keep an order."""

from __future__ import annotations

from sqlglot import exp

SAME_IN_SPARK = {"array_intersect", "arrays_zip", "aggregate", "slice", "element_at", "get", "max_by", "array_sort", "transform"}

_VALUE = "listed"


def chosen_by_most(node: exp.Expression) -> exp.Expression:
    """``arg_max`` passes over rows without a value; Spark's ``max_by`` takes them."""
    found = exp.Anonymous(this="max_by", expressions=[node.this.copy(), node.expression.copy()])
    return exp.Filter(this=found, expression=exp.Where(this=exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.null()))))


def any_value(node: exp.Expression) -> exp.Expression | None:
    """The first value that is there, in an order where one is given."""
    ordered = node.find(exp.Order)
    if ordered is None:
        return None
    is_there = exp.Not(this=exp.Is(this=ordered.this.copy(), expression=exp.null()))
    return exp.Anonymous(this="get", expressions=[_in_order(ordered, is_there), exp.Literal.number(0)])


def listed(node: exp.Expression) -> exp.Expression | None:
    """``list(x order by y)``: a list in the order that it is given."""
    if isinstance(node.parent, exp.Filter) or not isinstance(node.this, exp.Order):
        return None
    return _in_order(node.this, None)


def filtered(node: exp.Expression) -> exp.Expression | None:
    """An ordered list takes its filter along; two filters of one aggregate become one."""
    of, condition = node.this, node.expression.this
    if isinstance(of, exp.ArrayAgg) and isinstance(of.this, exp.Order):
        return _in_order(of.this, condition)
    if isinstance(of, exp.Filter):
        both = exp.and_(condition.copy(), of.expression.this.copy())
        return exp.Filter(this=of.this.copy(), expression=exp.Where(this=both))
    return None


def called(node: exp.Expression) -> exp.Expression | None:
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


def _in_order(ordered: exp.Order, condition: exp.Expression | None) -> exp.Expression:
    """The list of ``x`` sorted by its keys: pairs of keys and value are collected, sorted, and the value taken out."""
    keys = ordered.expressions
    fields = [exp.alias_(key.this.copy(), f"key_{number}") for number, key in enumerate(keys)]
    pairs: exp.Expression = exp.ArrayAgg(
        this=exp.Struct(expressions=[*fields, exp.alias_(ordered.this.copy(), _VALUE)])
    )
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


def _number(value: int) -> exp.Expression:
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))


RULES = {
    exp.ArgMax: chosen_by_most,
    exp.ArrayAgg: listed,
    exp.Filter: filtered,
    exp.IgnoreNulls: any_value,
}

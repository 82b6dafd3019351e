"""Numbers: division, rounding, and numbers as text, as DuckDB does them."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

SAME_IN_SPARK = {"bit_count", "rint", "engine.text_of_double", "typeof", "format_string"}

_TEXT = {exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT}
_INTEGERS = {exp.DataType.Type.INT, exp.DataType.Type.BIGINT, exp.DataType.Type.SMALLINT}

# Names of columns that never hold a double, by the project's grammar of names.
_NEVER_DOUBLE = ("_count", "_on", "_at", "_id", "_name", "_zh", "_en", "_ids", "_state", "_number", "_text")


def divided(node: exp.Expr) -> exp.Expr | None:
    """``/`` always gives a double; Spark would divide two decimals as decimals."""
    return exp.Div(this=_as_double(node.this), expression=node.expression.copy(), typed=False, safe=False)


def rounded(node: exp.Expr) -> exp.Expr | None:
    """A double is rounded by its binary value times a power of ten; Spark would round its decimal digits."""
    places = node.args.get("decimals")
    if places is None or is_decimal(node.this):
        return None
    power = exp.Literal.number(f"1e{int(places.name)}")
    scaled = exp.Round(this=exp.Mul(this=_as_double(node.this), expression=power))
    return exp.paren(exp.Div(this=scaled, expression=power.copy(), typed=False, safe=False))


def averaged(node: exp.Expr) -> exp.Expr | None:
    """The mean of decimals is a double; Spark would give a decimal of four more places."""
    if isinstance(node.this, exp.Cast):
        return None
    return exp.Avg(this=_as_double(node.this))


def cast_otherwise(node: exp.Expr) -> exp.Expr | None:
    """A cast to text or to an integer, whose value may be a double."""
    if not isinstance(node, exp.Cast):
        return None
    if node.to.this in _TEXT:
        return text_of(node.this)
    if node.to.this in _INTEGERS and isinstance(node.this, exp.Column) and may_be_double(node.this):
        return _whole(node)
    return None


def _whole(node: exp.Cast) -> exp.Expr:
    """DuckDB rounds a double to the nearest integer, a half to the even one; Spark would cut its places off."""
    nearest = exp.cast(exp.Anonymous(this="rint", expressions=[node.this.copy()]), node.to.copy())
    return exp.Case().when(_is_double(node.this), nearest).else_(node.copy())


def joined(node: exp.Expr) -> exp.Expr | None:
    """Every part of ``a || b`` that may be a double is written as DuckDB writes it."""
    left, right = (
        part.copy() if isinstance(part, exp.DPipe) else text_of(part) or part.copy()
        for part in (node.this, node.expression)
    )
    return exp.DPipe(this=left, expression=right, safe=node.args.get("safe"))


def called(node: exp.Expr) -> exp.Expr | None:
    if node.name.lower() != "printf":
        return None
    arguments = [argument.copy() for argument in node.expressions]
    return exp.Anonymous(this="format_string", expressions=arguments)


def text_of(node: exp.Expr) -> exp.Expr | None:
    """A value as text: 10000000.0 and 0.0005, where Spark writes 1.0E7 and 5.0E-4. None when it is no double."""
    if not may_be_double(node):
        return None
    text = exp.cast(node.copy(), "text")
    written = exp.Anonymous(this="engine.text_of_double", expressions=[text.copy()])
    return exp.Case().when(_is_double(node), written).else_(text)


def may_be_double(node: exp.Expr) -> bool:
    """Whether a value could be a double, by its form and by the names of its columns."""
    if isinstance(node, exp.Paren | exp.IgnoreNulls | exp.Neg):
        return may_be_double(node.this)
    if isinstance(node, exp.Cast):
        return node.to.this == exp.DataType.Type.DOUBLE
    if isinstance(node, exp.Column):
        return not (node.name.endswith(_NEVER_DOUBLE) or node.name.startswith(("is_", "has_")))
    return isinstance(
        node, exp.Round | exp.Div | exp.Mul | exp.Add | exp.Sub | exp.Avg | exp.Sum | exp.Max | exp.Min | exp.Coalesce
    ) and not all(isinstance(part, exp.Literal) for part in node.iter_expressions())


def is_decimal(node: exp.Expr) -> bool:
    """Whether a number is a decimal: money, or cast to one, and nothing in it a double or a quotient."""
    if node.find(exp.Div, exp.Avg) or any(cast.to.this == exp.DataType.Type.DOUBLE for cast in node.find_all(exp.Cast)):
        return False
    return any(cast.to.this == exp.DataType.Type.DECIMAL for cast in node.find_all(exp.Cast))


def _is_double(node: exp.Expr) -> exp.Expr:
    """A condition that Spark decides from the type, before it reads a row."""
    kind = exp.Anonymous(this="typeof", expressions=[node.copy()])
    return exp.EQ(this=kind, expression=exp.Literal.string("double"))


def _as_double(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.DOUBLE:
        return node.copy()
    return exp.cast(node.copy(), "double")


RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Div: divided,
    exp.Round: rounded,
    exp.Avg: averaged,
    exp.Cast: cast_otherwise,
    exp.DPipe: joined,
}

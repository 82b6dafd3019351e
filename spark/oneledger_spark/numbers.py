"""Numbers: division, rounding, and numbers as text, as DuckDB does them."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

SAME_IN_SPARK = {"bit_count", "rint", "engine.text_of_double", "typeof", "format_string"}

_TEXT = {exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT}
# Spark gives a mean four places more, and 38 digits are all it has: 16 of them stay before the point.
_EXACT = "decimal(38, 18)"
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


def take_means_as_doubles(tree: exp.Expr) -> None:
    """Change ``tree`` in place: each ``avg``, with the filter and the window around it, gives a double.

    DuckDB sums decimals exactly and divides once; Spark would give a decimal of four more places, or, of doubles, a sum
    that is rounded with each row. What a mean leaves of a value near it (a score less the mean score) is nothing but
    such roundings. So a decimal's mean is taken of more places than a double holds.
    """
    for mean in list(tree.find_all(exp.Avg)):
        if isinstance(mean.this, exp.Cast) and mean.this.to.this == exp.DataType.Type.DOUBLE:
            continue
        whole: exp.Expr = mean
        while isinstance(whole.parent, exp.Filter | exp.Window) and whole.arg_key == "this":
            whole = whole.parent
        of_decimals, of_doubles = (_mean_of(whole, exp.cast(mean.this.copy(), kind)) for kind in (_EXACT, "double"))
        # Behind ``group by`` a column stands in an aggregate only; that of one is of its type.
        shown = mean.this.copy() if isinstance(whole, exp.Window) else exp.Min(this=mean.this.copy())
        is_decimal_there = exp.Like(
            this=exp.Anonymous(this="typeof", expressions=[shown]), expression=exp.Literal.string("decimal%")
        )
        whole.replace(exp.Case().when(is_decimal_there, exp.cast(of_decimals, "double")).else_(of_doubles))


def _mean_of(whole: exp.Expr, value: exp.Expr) -> exp.Expr:
    other = whole.copy()
    mean = other.find(exp.Avg)
    assert mean is not None  # whole is the mean itself, or what stands around it
    mean.set("this", value)
    return other


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
    exp.Cast: cast_otherwise,
    exp.DPipe: joined,
}

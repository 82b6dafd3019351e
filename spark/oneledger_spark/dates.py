"""Dates and times: rules for DuckDB's arithmetic and formats.

Which of two meanings ``a - b`` has depends on types. The project's grammar of names tells them: a column that ends in
``_on`` is a date, one that ends in ``_at`` an instant (docs/architecture.md, "Names").
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

SAME_IN_SPARK = {"add_months", "date_sub", "date_add", "datediff", "weekday", "unix_micros", "try_to_timestamp"}

# Parts of strptime formats; everything else is literal text.
_FORMAT = {"%Y": "yyyy", "%m": "M", "%d": "d", "%H": "H", "%M": "m", "%S": "s"}


def is_date(node: exp.Expr | None) -> bool:
    """Whether an expression is a date, by the names of its columns and by what its functions give."""
    if isinstance(node, exp.Paren | exp.Min | exp.Max | exp.AnyValue | exp.IgnoreNulls | exp.Filter):
        return is_date(node.this)
    if isinstance(node, exp.Column):
        return node.name.endswith("_on") or node.name == "month" or node.name.endswith("_month")
    if isinstance(node, exp.Cast):
        return node.to.this == exp.DataType.Type.DATE
    if isinstance(node, exp.LastDay | exp.DateStrToDate):
        return True
    if isinstance(node, exp.Coalesce | exp.Least | exp.Greatest):
        return any(is_date(part) for part in (node.this, *node.expressions))
    if isinstance(node, exp.Anonymous):
        return node.name in {"date_sub", "date_add", "add_months", "make_date"}
    return False


def subtracted(node: exp.Expr) -> exp.Expr | None:
    """``date - date`` is a number of days, ``date - number`` a date; intervals stay as they are."""
    left, right = node.this, node.expression
    if _is_call(right, "to_months", "to_days"):
        return _moved(left, right, sign=-1)
    if not is_date(left) or isinstance(right, exp.Interval):
        return None
    if is_date(right):
        # DuckDB's days are a bigint, Spark's an int: products of days must not overflow where DuckDB's do not.
        return exp.cast(_call("datediff", left, right), "bigint")
    return _call("date_sub", left, exp.cast(right.copy(), "int"))


def added(node: exp.Expr) -> exp.Expr | None:
    left, right = node.this, node.expression
    if _is_call(right, "to_months", "to_days"):
        return _moved(left, right, sign=1)
    if not is_date(left) or isinstance(right, exp.Interval):
        return None
    return _call("date_add", left, exp.cast(right.copy(), "int"))


def date_difference(node: exp.Expr) -> exp.Expr | None:
    """``date_diff`` counts the boundaries between two days or months, not whole units that have passed."""
    later, earlier, unit = node.this, node.expression, node.text("unit").lower()
    if unit == "day":
        return exp.cast(_call("datediff", later, earlier), "bigint")
    if unit == "month":
        return exp.cast(exp.paren(_months_between(earlier, later)), "bigint")
    return None


def called(node: exp.Expr) -> exp.Expr | None:
    """Functions that sqlglot passes on under DuckDB's name."""
    name, arguments = node.name.lower(), node.expressions
    if name == "date_sub" and isinstance(arguments[0], exp.Literal) and arguments[0].name == "month":
        return _whole_months(arguments[1], arguments[2])
    if name == "epoch_us":
        # A sum of microseconds is more than a bigint holds; DuckDB sums integers into a hugeint.
        return exp.cast(_call("unix_micros", exp.cast(arguments[0].copy(), "timestampltz")), "decimal(20, 0)")
    if name == "try_strptime":
        return _call("try_to_timestamp", arguments[0], exp.Literal.string(_pattern(arguments[1].name)))
    return None


def series(node: exp.Expr) -> exp.Expr:
    """A series that ends before it starts is empty; Spark's ``sequence`` would refuse it."""
    is_some = exp.LTE(this=node.args["start"].copy(), expression=node.args["end"].copy())
    return exp.Case().when(is_some, node.copy())


def iso_weekday(node: exp.Expr) -> exp.Expr:
    """Monday 1 to Sunday 7. sqlglot's own rendering for Spark counts from Sunday."""
    return exp.paren(exp.Add(this=_call("weekday", node.this), expression=exp.Literal.number(1)))


def _months_between(earlier: exp.Expr, later: exp.Expr) -> exp.Expr:
    years = exp.paren(exp.Sub(this=exp.Year(this=later.copy()), expression=exp.Year(this=earlier.copy())))
    months = exp.Sub(this=exp.Month(this=later.copy()), expression=exp.Month(this=earlier.copy()))
    return exp.Add(this=exp.Mul(this=years, expression=exp.Literal.number(12)), expression=months)


def _whole_months(earlier: exp.Expr, later: exp.Expr) -> exp.Expr:
    """The most months that can be added to ``earlier`` without passing ``later``; the end of a month is clipped."""
    counted = _months_between(earlier, later)
    passes = exp.GT(this=_call("add_months", earlier, counted), expression=later.copy())
    too_many = exp.Case().when(passes, exp.Literal.number(1)).else_(exp.Literal.number(0))
    return exp.cast(exp.paren(exp.Sub(this=counted.copy(), expression=too_many)), "bigint")


def _moved(start: exp.Expr, step: exp.Expr, sign: int) -> exp.Expr:
    count: exp.Expr = exp.cast(step.expressions[0].copy(), "int")
    if sign < 0:
        count = exp.Neg(this=count)
    return _call("add_months" if step.name.lower() == "to_months" else "date_add", start, count)


def _pattern(strptime_format: str) -> str:
    """``yyyy'年'M'月'`` for ``%Y年%m月``; one digit is read as well as two, as DuckDB does."""
    pattern, place = "", 0
    while place < len(strptime_format):
        part = strptime_format[place : place + 2]
        if part in _FORMAT:
            pattern, place = pattern + _FORMAT[part], place + 2
        else:
            pattern, place = f"{pattern}'{strptime_format[place]}'", place + 1
    return pattern


def _is_call(node: exp.Expr, *names: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in names


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Sub: subtracted,
    exp.Add: added,
    exp.DateDiff: date_difference,
    exp.GenerateSeries: series,
    exp.DayOfWeekIso: iso_weekday,
}

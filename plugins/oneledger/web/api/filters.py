"""Filters in the address (``column=value``, ``column__gte=…``) as conditions with bound values.

Names are looked up among the table's columns, values are read by the column's type; neither ever becomes SQL text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from oneledger.publishing.content import quote
from oneledger.web.api.problems import BadParameter, BadQuestionError, unknown
from oneledger.web.api.relations import Column, Relation

COMPARISONS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
OPERATORS = (*COMPARISONS, "in", "contains", "isnull")
MONTH = "month"
MOST_FILTERS = 40
MOST_VALUES = 200
LONGEST_VALUE = 1000
_ORDERED = {"text", "integer", "number", "date", "instant"}
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_EXPECTED = {
    "text": ("文本", "text"),
    "integer": ("整数", "a whole number"),
    "number": ("数", "a number"),
    "boolean": ("true 或 false", "true or false"),
    "date": ("日期 yyyy-mm-dd", "a date, yyyy-mm-dd"),
    "instant": ("时刻，如 2022-10-31T02:00:00Z", "an instant, for instance 2022-10-31T02:00:00Z"),
}


@dataclass(frozen=True)
class Condition:
    """SQL of ours with ``$name`` for each value; ``columns`` are those that it is about."""

    sql: str
    values: tuple[tuple[str, Any], ...]
    columns: tuple[str, ...]


def read_filters(given: Iterable[tuple[str, str]], relation: Relation, reserved: Iterable[str]) -> list[Condition]:
    """The conditions of an address.

    Args:
        given: names and values as they stand in the address, without the parameters that are no filters.
        reserved: the names of those parameters, for the message about a name that is none of either.

    Raises:
        BadQuestionError: a name is neither a column nor a parameter, an operator does not exist or does not suit the
            column, a value is none of the column's type, or a name is given twice.
    """
    problems: list[BadParameter] = []
    conditions: list[Condition] = []
    seen: set[str] = set()
    items = list(given)
    if len(items) > MOST_FILTERS:
        raise BadQuestionError(
            [BadParameter("filters", str(len(items)), f"最多 {MOST_FILTERS} 个。 At most {MOST_FILTERS} filters.")]
        )
    for place, (name, text) in enumerate(items):
        try:
            if name in seen:
                raise BadQuestionError(
                    [BadParameter(name, text, f"只能给一次；多个值用 {name.partition('__')[0]}__in=a,b。 Give it once; "
                                  f"for several values write {name.partition('__')[0]}__in=a,b.")]
                )  # fmt: skip
            seen.add(name)
            conditions.append(_condition(place, name, text, relation, reserved))
        except BadQuestionError as error:
            problems += error.problems
    if problems:
        raise BadQuestionError(problems)
    return conditions


def month_of(text: str) -> tuple[dt.date, dt.date]:
    """The first day of a month (``yyyy-mm``) and that of the next.

    Raises:
        BadQuestionError: it is none.
    """
    if not _MONTH.fullmatch(text) or text.startswith(("0000", "9999-12")):
        raise BadQuestionError([BadParameter(MONTH, text, "应为月份 yyyy-mm。 A month, yyyy-mm.")])
    first = dt.date.fromisoformat(f"{text}-01")
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def _condition(place: int, name: str, text: str, relation: Relation, reserved: Iterable[str]) -> Condition:
    if name == MONTH and relation.date_column and MONTH not in relation.columns:
        first, following = month_of(text)
        day = quote(relation.date_column)
        low, high = f"f{place}_from", f"f{place}_before"
        return Condition(
            f"{day} >= ${low} and {day} < ${high}", ((low, first), (high, following)), (relation.date_column,)
        )
    column_name, mark, operator = name.rpartition("__")
    if not mark or column_name not in relation.columns:
        column_name, operator = name, "eq"
    column = relation.columns.get(column_name)
    if column is None:
        stem = name.partition("__")[0]
        raise BadQuestionError([unknown(name, stem, [*relation.columns, *reserved], "列或参数", "column or parameter")])
    if operator not in OPERATORS:
        raise BadQuestionError([unknown(name, operator, OPERATORS, "比较方式", "operator")])
    return _compared(f"f{place}", name, operator, text, column)


def _compared(parameter: str, name: str, operator: str, text: str, column: Column) -> Condition:
    target = quote(column.name)
    if operator == "isnull":
        if text not in ("true", "false"):
            raise BadQuestionError([BadParameter(name, text, "应为 true 或 false。 Expected true or false.")])
        return Condition(f"{target} is {'' if text == 'true' else 'not '}null", (), (column.name,))
    if column.family == "other" or (operator in ("gt", "gte", "lt", "lte") and column.family not in _ORDERED):
        raise BadQuestionError(
            [BadParameter(name, text, f"{column.name} 是 {column.type}，不能这样比较。 "
                                      f"{column.name} is {column.type} and "
                          f"cannot be compared by {operator}.")]
        )  # fmt: skip
    if operator == "contains":
        if column.family != "text":
            raise BadQuestionError(
                [BadParameter(name, text, f"contains 只用于文本，{column.name} 是 {column.type}。 "
                                          f"contains is for text; "
                              f"{column.name} is {column.type}.")]
            )  # fmt: skip
        value = read_value(name, text, column)
        return Condition(f"contains(lower({target}), lower(${parameter}))", ((parameter, value),), (column.name,))
    if operator == "in":
        words = text.split(",")
        if len(words) > MOST_VALUES:
            raise BadQuestionError(
                [BadParameter(name, f"{len(words)}", f"最多 {MOST_VALUES} 个值。 At most {MOST_VALUES} values.")]
            )
        values = tuple((f"{parameter}_{place}", read_value(name, word, column)) for place, word in enumerate(words))
        return Condition(f"{target} in ({', '.join(f'${one}' for one, _ in values)})", values, (column.name,))
    return Condition(
        f"{target} {COMPARISONS[operator]} ${parameter}", ((parameter, read_value(name, text, column)),), (column.name,)
    )


def read_value(name: str, text: str, column: Column) -> Any:
    """A value of the column's type.

    Raises:
        BadQuestionError: the text is none, is too long, or holds a null character.
    """
    if len(text) > LONGEST_VALUE or "\0" in text:
        raise BadQuestionError(
            [BadParameter(name, text, f"最长 {LONGEST_VALUE} 字，不含空字符。 "
                                      f"At most {LONGEST_VALUE} characters, and no "
                          "null character.")]
        )  # fmt: skip
    try:
        return _READERS[column.family](text, column)
    except (ValueError, ArithmeticError):
        zh, en = _EXPECTED[column.family]
        raise BadQuestionError(
            [BadParameter(name, text, f"{column.name} 应为{zh}。 {column.name} is {column.type}: give {en}.")]
        ) from None


def _text(text: str, column: Column) -> str:
    return text


def _integer(text: str, column: Column) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _number(text: str, column: Column) -> Any:
    if not re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", text, re.ASCII):
        raise ValueError(text)
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _boolean(text: str, column: Column) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _date(text: str, column: Column) -> dt.date:
    # The first day stands for the month in columns that hold months.
    if column.name == MONTH and _MONTH.fullmatch(text):
        text = f"{text}-01"
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(text)
    return dt.date.fromisoformat(text)


def _instant(text: str, column: Column) -> dt.datetime:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ][0-9:.]{5,15}(Z|[+-]\d{2}:\d{2})?)?", text, re.ASCII):
        raise ValueError(text)
    instant = dt.datetime.fromisoformat(text)
    # Ours are UTC without saying so.
    return instant.astimezone(dt.UTC).replace(tzinfo=None) if instant.tzinfo else instant


_READERS = {
    "text": _text, "integer": _integer, "number": _number, "boolean": _boolean, "date": _date, "instant": _instant
}  # fmt: skip

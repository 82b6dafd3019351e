"""Text as received → typed value, as SQL generated from a column of the catalogue.

The functions take SQL that gives the received text and return SQL that gives the typed value: null
when the text is blank, a missing marker or unreadable. The common form is tried first by a plain cast;
marks and signs are only looked at in values that the cast does not understand.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from oneledger.catalogue import Column, MissingState, NumberFormat
from oneledger.warehouse.contract import sql_type
from oneledger.warehouse.date_typing import date_value, timestamp_value
from oneledger.warehouse.received_text import half_width, sql_text, trimmed

Markers = dict[str, MissingState]

# A source that says nothing about its numbers may group digits by commas and write signs of money.
DEFAULT_NUMBER_FORMAT = NumberFormat(thousands=",", strip=("¥", "￥", "元"), parentheses_negative=True)

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_TRUE_WORDS = ("true", "t", "1", "1.0", "yes", "y", "是", "有", "√")
_FALSE_WORDS = ("false", "f", "0", "0.0", "no", "n", "否", "无", "×")


def is_given(markers: Markers, text: str) -> str:
    """True when the text is there at all: neither blank nor a missing marker; never null."""
    words = ", ".join(map(sql_text, markers))
    return f"coalesce({trimmed(text)} not in ({words}), false)"


def missing_state(markers: Markers, text: str) -> str:
    """SQL of ``missing`` or ``not_applicable`` for a text that is not given."""
    not_applicable = [marker for marker, state in markers.items() if state == "not_applicable"]
    if not not_applicable:
        return "'missing'"
    words = ", ".join(map(sql_text, not_applicable))
    return f"case when coalesce({trimmed(text)}, '') in ({words}) then 'not_applicable' else 'missing' end"


def missing_states(columns: dict[str, tuple[Markers, str]]) -> str:
    """SQL of the JSON text column → state of the columns that are null; null when every value was given.

    Args:
        columns: typed column name → its markers and the SQL of its received text.
    """
    parts = []
    for name, (markers, text) in columns.items():
        state = f"""'"{name}":"' || {missing_state(markers, text)} || '"'"""
        parts.append(f"case when {name} is null then {state} end")
    if not parts:
        return "cast(null as varchar)"
    return f"'{{' || nullif(concat_ws(',', {', '.join(parts)}), '') || '}}'"


def constant_value(column: Column, value: str) -> str:
    """SQL of a constant or default of the catalogue, typed as the column."""
    text = f"{column.prefix or ''}{value}" if column.type == "text" else value
    return f"cast({sql_text(text)} as {sql_type(column)})"


def typed_value(column: Column, markers: Markers, text: str) -> str:
    """SQL of the typed value of a delivered column, of type ``sql_type(column)``; defaults are not filled in."""
    if column.values:
        value = _mapped(column, text)
    elif column.type == "text":
        value = f"case when {is_given(markers, text)} then {trimmed(text)} end"
    else:
        value = _typed_as(column, text)
        marked = [marker for marker in markers if marker]
        if marked:
            # A source may mark missing numbers by a number (-999): the marker goes before the cast.
            words = ", ".join(map(sql_text, marked))
            value = f"case when {trimmed(text)} in ({words}) then null else {value} end"
    if column.prefix and column.type == "text":
        value = f"{sql_text(column.prefix)} || {value}"
    return value


def _typed_as(column: Column, text: str) -> str:
    if column.type == "integer":
        return _integer(column, text)
    if column.type == "decimal":
        return _decimal(column, text)
    if column.type == "boolean":
        return _boolean(text)
    if column.type == "date":
        return date_value(column, text)
    return timestamp_value(column.formats, text)


def _mapped(column: Column, text: str) -> str:
    whens = " ".join(
        f"when {sql_text(given)} then cast({sql_text(meant)} as {sql_type(column)})"
        for given, meant in (column.values or {}).items()
    )
    return f"case {trimmed(text)} {whens} end"


def _plain_number(form: NumberFormat, text: str) -> str:
    """The number without marks and signs, as ``-1234.5`` with ``%`` kept at its end."""
    value = half_width(text)
    for mark in (*form.strip, " ", "\u00a0"):
        value = f"replace({value}, {sql_text(mark)}, '')"
    if form.parentheses_negative:
        value = rf"regexp_replace({value}, '^\((.*)\)$', '-\1')"
    if form.thousands:
        # Only where it stands between groups of three: 1,5 is not 15.
        mark, decimal = (rf"\x{{{ord(sign):x}}}" for sign in (form.thousands, form.decimal))
        grouped = rf"^[+-]?\d{{1,3}}({mark}\d{{3}})+({decimal}\d*)?%?$"
        value = (
            f"case when regexp_matches({value}, '{grouped}') "
            f"then replace({value}, {sql_text(form.thousands)}, '') else {value} end"
        )
    if form.decimal != ".":
        value = f"replace(replace({value}, '.', '?'), {sql_text(form.decimal)}, '.')"
    return value


def _read_number(column: Column, text: str) -> str:
    """SQL of the number as decimal(28, 10), in the unit of the source."""
    form = column.number_format or DEFAULT_NUMBER_FORMAT
    plain = _plain_number(form, text)
    hundredths = (
        f"when ends_with({plain}, '%') then try_cast(try_cast(rtrim({plain}, '%') as decimal(28, 10)) / 100 "
        f"as decimal(28, 10)) "
        if form.percent
        else ""
    )
    slow = (
        f"case {hundredths}when regexp_full_match({plain}, '{_NUMBER}') then try_cast({plain} as decimal(28, 10)) end"
    )
    if form.decimal != ".":
        return slow
    return (
        f"case when regexp_full_match({text}, '{_NUMBER}') then try_cast({text} as decimal(28, 10)) "
        f"when {text} is null or {text} = '' then null else {slow} end"
    )


def _scaled(number: str, factor: Decimal | None) -> str:
    """The number in the base unit of its column; division goes through double, which keeps 15 digits."""
    if factor is None or factor == 1:
        return number
    ratio = Fraction(factor).limit_denominator(1_000_000)
    up = f"try_cast({number} as decimal(38, 10)) * {ratio.numerator}" if ratio.numerator != 1 else f"({number})"
    return up if ratio.denominator == 1 else f"{up} / {ratio.denominator}"


def _decimal(column: Column, text: str) -> str:
    return f"try_cast({_scaled(_read_number(column, text), column.unit_factor)} as {sql_type(column)})"


def _integer(column: Column, text: str) -> str:
    read = _scaled(_read_number(column, text), column.unit_factor)
    # 1.5 persons is unreadable, not 2: what is not whole stays null and is reported.
    whole = f"case when ({read}) = trunc({read}) then try_cast({read} as bigint) end"
    if (column.number_format and column.number_format.decimal != ".") or column.unit_factor not in (None, 1):
        return whole
    # A cast alone would round 1.5 and read 0x1F; a number that reads back as it was written is safe.
    fast = f"try_cast({text} as bigint)"
    return (
        f"case when cast({fast} as varchar) = {text} then {fast} "
        f"when {text} is null or {text} = '' then null else {whole} end"
    )


def _boolean(text: str) -> str:
    word = f"lower({half_width(text)})"
    return (
        f"case when {word} in ({', '.join(map(sql_text, _TRUE_WORDS))}) then true "
        f"when {word} in ({', '.join(map(sql_text, _FALSE_WORDS))}) then false end"
    )

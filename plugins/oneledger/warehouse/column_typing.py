"""Text as received → typed value, as SQL generated from a column of the catalogue, in layers.

Each layer is a select over the one before, so that what is worked out once is named once:

``_text_x`` as received → ``_fast_x`` what a plain cast reads for certain → ``_plain_x`` the trimmed text of
what it did not read → ``_bare_x`` without marks, signs and full-width forms → ``_number_x`` (numbers) in the
source's unit → ``x`` typed. Most values end at ``_fast_x``; the later layers are null for them.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from oneledger.catalogue import Column, MissingState, NumberFormat
from oneledger.warehouse.contract import sql_type
from oneledger.warehouse.date_typing import bare_date, date_value, fast_date, fast_timestamp, timestamp_value
from oneledger.warehouse.received_text import half_width, sql_text, trimmed

Markers = dict[str, MissingState]

# A source that says nothing about its numbers may group digits by commas and write signs of money.
DEFAULT_NUMBER_FORMAT = NumberFormat(thousands=",", strip=("¥", "￥", "元"), parentheses_negative=True)

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_TRUE_WORDS = ("true", "t", "1", "1.0", "yes", "y", "是", "有", "√")
_FALSE_WORDS = ("false", "f", "0", "0.0", "no", "n", "否", "无", "×")


def text_of(name: str) -> str:
    """The SQL name of a column's received text."""
    return f'"_text_{name}"'


def plain_of(name: str) -> str:
    """The SQL name of a column's trimmed text; null where the fast cast has read it."""
    return f'"_plain_{name}"'


def is_given(markers: Markers, name: str) -> str:
    """True when a column without a typed value has a text: neither blank nor a missing marker; never null."""
    words = ", ".join(map(sql_text, markers))
    return f"coalesce({plain_of(name)} not in ({words}), false)"


def missing_states(columns: dict[str, Markers]) -> str:
    """SQL of the JSON text column → state of the columns that are null; null when every value was given."""
    parts = []
    for name, markers in columns.items():
        not_applicable = [marker for marker, state in markers.items() if state == "not_applicable"]
        state = sql_text(f'"{name}":"missing"')
        if not_applicable:
            words = ", ".join(map(sql_text, not_applicable))
            other = sql_text(f'"{name}":"not_applicable"')
            state = f"case when coalesce({plain_of(name)}, '') in ({words}) then {other} else {state} end"
        parts.append(f"case when {name} is null then {state} end")
    if not parts:
        return "cast(null as varchar)"
    return f"'{{' || nullif(concat_ws(',', {', '.join(parts)}), '') || '}}'"


def constant_value(column: Column, value: str) -> str:
    """SQL of a constant or default of the catalogue, typed as the column."""
    text = f"{column.prefix or ''}{value}" if column.type == "text" else value
    return f"cast({sql_text(text)} as {sql_type(column)})"


def typing_layers(columns: list[tuple[Column, Markers]]) -> list[list[str]]:
    """The select items that each layer adds, from ``_fast_x`` to ``x``; a later layer keeps what it needs.

    Args:
        columns: the delivered columns, each with its missing markers; ``_text_x`` holds what was received.
    """
    fast: list[str] = []
    plain: list[str] = []
    bare: list[str] = []
    number: list[str] = []
    typed: list[str] = []
    for column, markers in columns:
        name = column.name
        read = _fast_value(column, markers)
        if read:
            fast.append(f'{read} as "_fast_{name}"')
            plain.append(f'case when "_fast_{name}" is null then {trimmed(text_of(name))} end as {plain_of(name)}')
        else:
            plain.append(f"{trimmed(text_of(name))} as {plain_of(name)}")
        given = f"{plain_of(name)} not in ({', '.join(map(sql_text, markers))})"
        if column.values or column.type == "text":
            value = _mapped(column) if column.values else f"case when {given} then {plain_of(name)} end"
            if column.prefix and column.type == "text":
                value = f"{sql_text(column.prefix)} || {value}"
            typed.append(f"{value} as {name}")
            continue
        stripped = half_width(plain_of(name))
        if column.type in ("integer", "decimal"):
            form = column.number_format or DEFAULT_NUMBER_FORMAT
            bare.append(f'case when {given} then {_bare_number(form, stripped)} end as "_bare_{name}"')
            number.append(f'{_grouped_number(form, name)} as "_number_{name}"')
            slow = _scaled_number(column, f'"_number_{name}"')
        else:
            bare.append(f'case when {given} then {bare_date(stripped)} end as "_bare_{name}"')
            slow = _from_bare(column, f'"_bare_{name}"')
        typed.append(f'coalesce("_fast_{name}", {slow}) as {name}' if read else f"{slow} as {name}")
    return [fast, plain, bare, number, typed]


def _fast_value(column: Column, markers: Markers) -> str | None:
    """What a plain cast reads for certain, of the column's type; None when every value needs the layers."""
    text = text_of(column.name)
    if column.values or column.type in ("text", "boolean"):
        return None
    # A source may mark missing numbers by a number (-999): a column with such markers is read slowly.
    if any(any(sign.isdigit() for sign in marker) for marker in markers):
        return None
    if column.type == "date":
        return None if column.formats or column.period_day else fast_date(text)
    if column.type == "timestamp":
        return None if column.formats else fast_timestamp(text)
    if (column.number_format and column.number_format.decimal != ".") or column.unit_factor not in (None, 1):
        return None
    if column.type == "integer":
        # A cast alone would round 1.5 and read 0x1F; a number that reads back as it was written is safe.
        return f"case when cast(try_cast({text} as bigint) as varchar) = {text} then try_cast({text} as bigint) end"
    return f"case when regexp_full_match({text}, '{_NUMBER}') then try_cast({text} as {sql_type(column)}) end"


def _mapped(column: Column) -> str:
    whens = " ".join(
        f"when {sql_text(given)} then cast({sql_text(meant)} as {sql_type(column)})"
        for given, meant in (column.values or {}).items()
    )
    return f"case {plain_of(column.name)} {whens} end"


def _bare_number(form: NumberFormat, text: str) -> str:
    """The number without signs of money and spaces; brackets become a minus."""
    value = text
    for mark in (*form.strip, " ", "\u00a0"):
        value = f"replace({value}, {sql_text(mark)}, '')"
    if form.parentheses_negative:
        value = rf"regexp_replace({value}, '^\((.*)\)$', '-\1')"
    return value


def _grouped_number(form: NumberFormat, name: str) -> str:
    """The number as decimal(28, 10), in the unit of the source; marks between groups of three go first."""
    value = f'"_bare_{name}"'
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
    read = f"case when regexp_full_match({value}, '{_NUMBER}') then try_cast({value} as decimal(28, 10)) end"
    if not form.percent:
        return read
    hundredths = f"try_cast(try_cast(rtrim({value}, '%') as decimal(28, 10)) / 100 as decimal(28, 10))"
    return f"case when ends_with({value}, '%') then {hundredths} else {read} end"


def _scaled_number(column: Column, number: str) -> str:
    """The number in the base unit and type of its column; division goes through double, which keeps 15 digits."""
    scaled = _scaled(number, column.unit_factor)
    if column.type == "decimal":
        return f"try_cast({scaled} as {sql_type(column)})"
    # 1.5 persons is unreadable, not 2: what is not whole stays null and is reported.
    return f"case when ({scaled}) = trunc({scaled}) then try_cast({scaled} as bigint) end"


def _scaled(number: str, factor: Decimal | None) -> str:
    if factor is None or factor == 1:
        return number
    ratio = Fraction(factor).limit_denominator(1_000_000)
    up = f"try_cast({number} as decimal(38, 10)) * {ratio.numerator}" if ratio.numerator != 1 else number
    return up if ratio.denominator == 1 else f"{up} / {ratio.denominator}"


def _from_bare(column: Column, bare: str) -> str:
    if column.type == "date":
        return date_value(column, bare)
    if column.type == "timestamp":
        return timestamp_value(column.formats, bare)
    word = f"lower({bare})"
    return (
        f"case when {word} in ({', '.join(map(sql_text, _TRUE_WORDS))}) then true "
        f"when {word} in ({', '.join(map(sql_text, _FALSE_WORDS))}) then false end"
    )

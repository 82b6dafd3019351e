"""Dates and times as received → ``date`` and ``timestamp``, as SQL.

Times are wall-clock times of the city (Asia/Shanghai): an instant with an offset is moved to +08:00
(China has had no summer time since 1991).
"""

from __future__ import annotations

import re

from oneledger.catalogue import Column
from oneledger.warehouse.received_text import sql_text

_DATE_FORMATS = ("%Y-%m-%d", "%Y年%m月%d日", "%Y年%m月", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m")
_PERIOD_FORMATS = (*_DATE_FORMATS, "%Y年", "%Y", "%Y-Q%q", "%Y年第%q季度")
_TIMESTAMP_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H时%M分%S秒",
    "%Y年%m月%d日 %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y%m%d%H%M%S",
)  # fmt: skip
# A date cell read as a number: days since 1899-12-30. The range is 1954 to 2118, so that a year is no serial.
_SERIAL_FIRST, _SERIAL_LAST = 20_000, 80_000
_ISO_TIME = r"(\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)"
_OFFSET = r" ?(Z|[+-]\d{2}:?\d{2})"
_CITY_OFFSET_MINUTES = 480


def fast_date(text: str) -> str:
    """SQL of a date written as yyyy-mm-dd, null for every other text."""
    return f"case when regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}') then try_cast({text} as date) end"


def fast_timestamp(text: str) -> str:
    """SQL of a time written as yyyy-mm-dd hh:mm[:ss[.f]], with a space or T, null for every other text."""
    return f"case when regexp_full_match({text}, '{_ISO_TIME}') then try_cast({text} as timestamp) end"


def bare_date(text: str) -> str:
    """SQL of the text without the words that DuckDB would read as dates."""
    return f"case when lower({text}) not in ('infinity', '-infinity', 'epoch') then {text} end"


def date_value(column: Column, bare: str) -> str:
    """SQL of a date: the column's own formats, else the common ones, Chinese ones and spreadsheet serials."""
    if column.formats:
        return _by_formats(column.formats, column.period_day, bare)
    if column.period_day:
        return _by_formats(_PERIOD_FORMATS, column.period_day, bare)
    serial = f"try_cast(regexp_extract({bare}, '^(\\d{{5}})(\\.0*)?$', 1) as integer)"
    return (
        f"coalesce({_by_formats(_DATE_FORMATS, None, bare)}, "
        f"case when {serial} between {_SERIAL_FIRST} and {_SERIAL_LAST} then date '1899-12-30' + {serial} end, "
        f"cast({timestamp_value((), bare)} as date))"
    )


def timestamp_value(formats: tuple[str, ...], bare: str) -> str:
    """SQL of a wall-clock time of the city."""
    if formats:
        return f"try_strptime({bare}, {_listed(formats)})"
    with_offset = f"^{_ISO_TIME}{_OFFSET}$"
    offset = f"regexp_extract({bare}, '{with_offset}', 4)"
    minutes = (
        f"case when {offset} = 'Z' then 0 else (case when {offset}[1] = '-' then -1 else 1 end) * "
        f"(try_cast({offset}[2:3] as integer) * 60 + try_cast(right({offset}, 2) as integer)) end"
    )
    moved = (
        f"try_cast(regexp_extract({bare}, '{with_offset}', 1) as timestamp) "
        f"+ to_minutes({_CITY_OFFSET_MINUTES} - ({minutes}))"
    )
    serial = f"try_cast(case when regexp_full_match({bare}, '\\d{{5}}(\\.\\d+)?') then {bare} end as double)"
    return (
        f"case when regexp_full_match({bare}, '{_ISO_TIME}') then try_cast({bare} as timestamp) "
        f"when regexp_matches({bare}, '{with_offset}') then {moved} "
        f"else coalesce(try_strptime({bare}, {_listed((*_TIMESTAMP_FORMATS, *_DATE_FORMATS))}), "
        f"case when {serial} between {_SERIAL_FIRST} and {_SERIAL_LAST} "
        f"then timestamp '1899-12-30 00:00:00' + to_seconds(round({serial} * 86400)) end) end"
    )


def _listed(formats: tuple[str, ...]) -> str:
    return "[" + ", ".join(map(sql_text, formats)) + "]"


def _by_formats(formats: tuple[str, ...], period_day: str | None, plain: str) -> str:
    """The date by the first format that reads the text; a period becomes its first or last day."""
    if period_day != "last" and not any("%q" in form for form in formats):
        return f"cast(try_strptime({plain}, {_listed(formats)}) as date)"
    read = []
    for form in formats:
        first = _quarter(form, plain) if "%q" in form else f"cast(try_strptime({plain}, {sql_text(form)}) as date)"
        months = _period_months(form)
        last = f"cast({first} + interval {months} month - interval 1 day as date)"
        read.append(last if period_day == "last" and months else first)
    return f"coalesce({', '.join(read)})" if len(read) > 1 else read[0]


def _period_months(form: str) -> int:
    """How many months a text of this format names; 0 for a day."""
    if re.search("%-?[djexF]", form):
        return 0
    if "%q" in form:
        return 3
    return 1 if re.search("%-?[mbB]", form) else 12


def _quarter(form: str, plain: str) -> str:
    """First day of the quarter; the format has %Y and %q (1 to 4), which strptime does not know."""
    literal = "".join(
        r"(\d{4})" if part == "%Y" else "([1-4])" if part == "%q" else re.escape(part)
        for part in re.split("(%Y|%q)", form)
    )
    year_first = form.index("%Y") < form.index("%q")
    year, quarter = (1, 2) if year_first else (2, 1)

    def group(number: int) -> str:
        return f"try_cast(regexp_extract({plain}, {sql_text(f'^{literal}$')}, {number}) as integer)"

    return (
        f"case when regexp_full_match({plain}, {sql_text(literal)}) "
        f"then make_date({group(year)}, {group(quarter)} * 3 - 2, 1) end"
    )

"""Text that a spreadsheet program would run: how it is written into a CSV so that it is not, and nothing is lost.

Excel, WPS and LibreOffice run a field of a CSV that begins with ``=``, ``+``, ``-`` or ``@`` (also in full width), a
tab or a line break. Such a text gets one ``'`` before it; so does a text that already begins with ``'`` and then one of
these. To have the text back, take one ``'`` away from a field that begins with ``'`` and, after that and any further
``'``, with one of these signs; all other fields are as they are. Numbers, dates and truth values are never changed. In
``.xlsx`` every text is written as a text cell, which is never run, so nothing is changed there; Parquet and JSON hold
the text itself.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

# Read by RE2 in DuckDB and pyarrow, and by Python.
RUNS_AS_FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"
RULE_ZH = "以 = + - @（含全角）、制表符或换行开头的文本前加一个英文单引号，去掉该单引号即为原文"
RULE_EN = (
    "a text that begins with = + - @ (also in full width), a tab or a line break, after any number of ', has one ' "
    "before it; take it away to have the text"
)
_WRITTEN = re.compile(r"^'+[=+\-@\t\r\n＝＋－＠]")


def runs_sql(column: str) -> str:
    """SQL: whether the text of a column would be run."""
    return f"regexp_matches({column}, '{RUNS_AS_FORMULA.replace(chr(39), chr(39) * 2)}')"


def harmless_sql(column: str) -> str:
    """SQL: the text as a CSV may hold it."""
    return f"case when {runs_sql(column)} then '''' || {column} else {column} end"


def harmless_array(column: pa.Array) -> pa.Array:
    """The texts of a column as a CSV may hold them; other types as they are."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    return pc.if_else(
        pc.match_substring_regex(column, RUNS_AS_FORMULA), pc.binary_join_element_wise("'", column, ""), column
    )


def original(field: str) -> str:
    """The text of a field that was written by this rule."""
    return field[1:] if _WRITTEN.match(field) else field

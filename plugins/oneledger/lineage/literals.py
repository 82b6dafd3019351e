"""Values as SQL literals.

Statements are given their values as literals, not as parameters: files are pruned by them, and DuckDB imports pandas
(half a second) when it is handed its first parameter.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def text_literal(value: str | Path) -> str:
    """A text, or a path, in quotes."""
    return "'" + str(value).replace("'", "''") + "'"


def texts_literal(values: Iterable[str]) -> str:
    """A list of texts."""
    return f"[{', '.join(text_literal(one) for one in values)}]::varchar[]"


def literal(value: Any) -> str | None:
    """A value as sqlglot writes its literal; None for what has no plain one."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | decimal.Decimal):
        return str(value)
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, dt.datetime):
        return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP)"
    if isinstance(value, dt.date):
        return f"CAST('{value.isoformat()}' AS DATE)"
    return None

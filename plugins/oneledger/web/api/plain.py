"""Values as JSON has them: dates in ISO, instants in UTC, decimals as numbers, and no number that JSON cannot hold."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from oneledger.web.api.relations import Column

# Beyond this many programs (all in JavaScript, Excel) would round silently; such a number goes out as text.
SAFE_INTEGER = 2**53 - 1


def json_bytes(body: Any) -> bytes:
    """The JSON text of a body that is plain already."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """Anything that our functions return, as JSON has it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return _decimal(value)
    if isinstance(value, dt.datetime):
        return _instant(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [plain(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Path):
        return value.name
    return str(value)


def plain_rows(rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Rows of a relation as JSON objects."""
    names = [one.name for one in columns]
    converted = [
        (place, _CONVERTED.get(one.family, plain)) for place, one in enumerate(columns) if one.family in _TO_CONVERT
    ]
    items = []
    for row in rows:
        values = list(row)
        for place, convert in converted:
            if values[place] is not None:
                values[place] = convert(values[place])
        items.append(dict(zip(names, values, strict=False)))
    return items


def _integer(value: int) -> int | str:
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)


def _decimal(value: decimal.Decimal) -> float | str | None:
    if not value.is_finite():
        return None
    number = float(value)
    return number if decimal.Decimal(repr(number)) == value else str(value)


def _number(value: Any) -> Any:
    return _decimal(value) if isinstance(value, decimal.Decimal) else value


def _instant(value: dt.datetime) -> str:
    in_utc = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
    return in_utc.isoformat() + "Z"


_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "integer": _integer, "number": _number, "date": dt.date.isoformat, "instant": _instant
}  # fmt: skip
_TO_CONVERT = {"integer", "number", "date", "instant", "other"}

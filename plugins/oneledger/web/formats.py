"""How values are written on a page: numbers, money, rates, dates, stars; what is not there is never a zero."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

from markupsafe import Markup

from oneledger.catalogue.descriptions import chinese_of
from oneledger.settings import CITY_TIMEZONE
from oneledger.web.language import Language

NOTHING = "—"
_WAN = 10_000
_YI = 100_000_000


def number(value: Any, digits: int = 0) -> str:
    """With thousands separated; ``—`` for what is missing."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def rate(value: Any, digits: int = 1) -> str:
    """A share of one as per cent."""
    return NOTHING if value is None else f"{float(value) * 100:.{digits}f}%"


def signed(value: Any, digits: int = 0) -> str:
    """A difference, always with its sign; a real minus."""
    if value is None:
        return NOTHING
    text = f"{abs(value):,.{digits}f}"
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text


def money(value: Any, language: Language) -> str:
    """Yuan, in 万元 or 亿元 in Chinese, in thousands or millions in English."""
    if value is None:
        return NOTHING
    amount = float(value)
    if language is Language.ZH:
        for unit, name in ((_YI, "亿元"), (_WAN, "万元")):
            if abs(amount) >= unit:
                return f"{amount / unit:,.2f} {name}"
        return f"{amount:,.0f} 元"
    for unit, name in ((1_000_000, "m"), (1_000, "k")):
        if abs(amount) >= unit:
            return f"CNY {amount / unit:,.2f}{name}"
    return f"CNY {amount:,.0f}"


def compact(value: Any, language: Language) -> str:
    """A large count in few characters: 80.2 万, 802k."""
    if value is None:
        return NOTHING
    amount = float(value)
    steps = ((_YI, " 亿"), (_WAN, " 万")) if language is Language.ZH else ((1_000_000, "m"), (1_000, "k"))
    for unit, name in steps:
        if abs(amount) >= unit * (10 if unit == 1_000 else 1):
            return f"{amount / unit:,.1f}{name}"
    return f"{amount:,.0f}"


def day(value: Any) -> str:
    """A business date, ISO."""
    return NOTHING if value is None else dt.date.fromisoformat(str(value)[:10]).isoformat()


def month(value: Any) -> str:
    """Year and month of a date."""
    return NOTHING if value is None else str(value)[:7]


def moment(value: Any) -> str:
    """An instant, in the city's time zone; naive ones are UTC, as ours are."""
    if value is None:
        return NOTHING
    instant = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=dt.UTC)
    return instant.astimezone(CITY_TIMEZONE).strftime("%Y-%m-%d %H:%M")


def value(anything: Any) -> str:
    """Any cell of a table, as it is."""
    if anything is None:
        return NOTHING
    if isinstance(anything, bool):
        return "✓" if anything else "✗"
    if isinstance(anything, int):
        return f"{anything:,}"
    if isinstance(anything, float | decimal.Decimal):
        return f"{float(anything):,.4f}".rstrip("0").rstrip(".")
    if isinstance(anything, dt.datetime):
        return anything.strftime("%Y-%m-%d %H:%M:%S")
    return str(anything)


def described(text: str, language: Language) -> str | Markup:
    """A description out of the models in the visitor's language; marked as English where nobody wrote Chinese."""
    if not text or text == NOTHING:
        return NOTHING
    if language is Language.EN:
        return text
    known = chinese_of(text)
    return known if known is not None else Markup('<span lang="en">{}</span>').format(text)


def grain(description: str, language: Language) -> str | Markup:
    """Of a table's description, what one row is: its first sentence in the visitor's language."""
    known = chinese_of(description) if language is Language.ZH else None
    if known is not None:
        return known.partition("。")[0] + "。"
    line = " ".join(description.split())
    end = line.find(". ")
    return described(line if end < 0 else line[: end + 1], language)

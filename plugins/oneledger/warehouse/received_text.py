"""Received text as SQL: literals, white space, full-width forms."""

from __future__ import annotations

# Space, tab, line ends, no-break space, ideographic space, byte order mark: what spreadsheets leave around values.
_WHITESPACE = "' \t\r\n\u00a0\u3000\ufeff'"
_FULL_WIDTH = ("０１２３４５６７８９，．－＋％（）：／", "0123456789,.-+%():/")


def sql_text(value: str) -> str:
    """A Python string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def trimmed(text: str) -> str:
    """SQL of the text without white space around it; most values have none, which is cheap to see."""
    return (
        f"case when {text} between '!' and '~' and right({text}, 1) between '!' and '~' "
        f"then {text} else trim({text}, {_WHITESPACE}) end"
    )


def half_width(text: str) -> str:
    """SQL of the text with full-width digits and signs in their ASCII forms."""
    full_width, ascii_forms = _FULL_WIDTH
    return f"translate({text}, {sql_text(full_width)}, {sql_text(ascii_forms)})"

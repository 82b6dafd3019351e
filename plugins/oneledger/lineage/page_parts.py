"""What pages to hand over are made of: one file, no script, nothing is fetched, and it prints as it is read."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

_LONG = 36
_STYLE = Path(__file__).with_suffix(".css")


def write_document(path: Path, text: str) -> None:
    """Write a page; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def document(title: str, body: str) -> str:
    """A whole page; ``body`` is markup."""
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>{body}</body></html>\n"
    )


def footer(command: str) -> str:
    """When the page was made, and the command that makes it again."""
    made = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return f"<footer>{made} · <code>{escape(command)}</code></footer>"


def heading(zh: str, en: str) -> str:
    return f"<h2>{zh}<small>{en}</small></h2>"


def table(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], used: set[str]) -> str:
    if not rows:
        return ""
    names = [one for one in dict.fromkeys([*columns, *rows[0]]) if any(row.get(one) is not None for row in rows)]
    head = "".join(f"<th{_class(one in used)}>{escape(one)}</th>" for one in names)
    body = "".join(f"<tr>{''.join(_cell(row.get(one), one in used) for one in names)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(is_used: bool) -> str:
    return ' class="used"' if is_used else ""


def _cell(value: Any, is_used: bool) -> str:
    kinds = ["used"] if is_used else []
    if value is None:
        kinds.append("null")
    elif isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool):
        kinds.append("n")
    elif len(str(value)) > _LONG:
        kinds.append("long")
    classes = " ".join(kinds)
    return f'<td class="{classes}">{value_text(value)}</td>' if kinds else f"<td>{value_text(value)}</td>"


def value_text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, float | decimal.Decimal):
        return f"{value:,.6f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    return escape(str(value))

"""How the command line answers: tables for people, JSON for programs, one rule for exit codes."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.errors import MarkupError
from rich.table import Table
from rich.text import Text

from oneledger.redacting import redacted

EXIT_GOOD = 0
EXIT_FOUND_SOMETHING_WRONG = 1
EXIT_USAGE = 2

# Rich guesses 80 columns when the output is no terminal and would cut what a script wants to read.
console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=not sys.stdout.isatty())
errors = Console(stderr=True, highlight=False, soft_wrap=True)


# What our own lines are coloured with; every other square bracket is text, most often of a source.
_OTHER_BRACKET = re.compile(r"(?<!\\)\[(?!/?(?:red|green|yellow|blue|cyan|magenta|dim|bold)\])")
# Signs that would steer the terminal or turn the direction of what follows.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> Text:
    """Text for the terminal: our own colours take effect, nothing in a name does."""
    visible = _STEERING.sub(lambda sign: ascii(sign[0])[1:-1], text)
    try:
        return Text.from_markup(_OTHER_BRACKET.sub(r"\\[", visible), emoji=False)
    except MarkupError:
        return Text(visible)


def emit_json(value: Any) -> None:
    """Print ``value`` as JSON; dates as ISO 8601, decimals as numbers, paths as text."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_jsonable))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], title: str | None = None) -> None:
    """Print rows as a table. ``columns`` maps the key in a row to its heading; numbers stand to the right."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for key, heading in columns.items():
        numeric = bool(rows) and all(isinstance(row.get(key), int | float | decimal.Decimal | None) for row in rows)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(_cell(row.get(key))) for key in columns))
    console.print(table)


def say(text: str) -> None:
    """Print one line for people (our colours as rich markup allowed)."""
    console.print(shown(text))


def fail(problem: str, remedy: str = "", *, code: int = EXIT_USAGE) -> NoReturn:
    """Say on standard error what is wrong and how to mend it, and end with ``code``."""
    errors.print(shown(f"[red]错误 error:[/red] {redacted(problem)}"))
    if remedy:
        errors.print(shown(f"[yellow]处理 remedy:[/yellow] {redacted(remedy)}"))
    raise typer.Exit(code)


def finish(is_good: bool) -> NoReturn:
    """End with 0 when all is good, with 1 when the command ran and found something wrong."""
    raise typer.Exit(EXIT_GOOD if is_good else EXIT_FOUND_SOMETHING_WRONG)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float | decimal.Decimal):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")

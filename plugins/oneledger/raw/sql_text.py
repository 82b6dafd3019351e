"""Names and values of the catalogue and of file headers, written safely into SQL text."""

from __future__ import annotations

from collections.abc import Sequence


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"


def text_types(names: Sequence[str]) -> str:
    """A DuckDB struct that types every column as text: ``{'a': 'varchar'}``."""
    return "{" + ", ".join(f"{literal(name)}: 'varchar'" for name in names) + "}"

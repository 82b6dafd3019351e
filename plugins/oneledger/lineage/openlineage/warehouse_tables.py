"""The tables and views of the warehouse with their columns, in one query."""

from __future__ import annotations

from dataclasses import dataclass, field

from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse


@dataclass
class TableColumns:
    """The columns of a table in table order: name → type, and what they hold where that is said."""

    types: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)


def warehouse_tables(settings: Settings) -> dict[str, TableColumns]:
    """By ``schema.name``. Nobody in this process may have the warehouse open for writing."""
    with open_warehouse(settings, read_only=True) as connection:
        rows = connection.execute(
            "select schema_name || '.' || table_name, column_name, data_type, comment from duckdb_columns() "
            "where database_name = current_database() and not internal order by column_index"
        ).fetchall()
    found: dict[str, TableColumns] = {}
    for relation, name, kind, comment in rows:
        table = found.setdefault(relation, TableColumns())
        table.types[name] = kind.lower()
        if comment:
            table.comments[name] = comment
    return found

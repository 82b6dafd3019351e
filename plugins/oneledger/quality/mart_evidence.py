"""Generated evidence about marts: how many rows each has, and whether its key is given and unique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.publishing.content import RUN_TABLES, quote, quote_all
from oneledger.quality.evidence import text

_JUDGED_SCHEMAS = ("marts", "evaluation")


def row_counts_evidence(tables: Sequence[str], judged_as: str | None = None) -> str:
    """SQL: rows of each mart and of its published version, and the share of the one in the other.

    Daily facts are left out: counting a view over all of history costs with history, and a lost day shows
    as a missing day and in the monthly mart. ``judged_as`` puts all of them under one entity.
    """
    parts = []
    for table in tables:
        schema, _, name = table.partition(".")
        if schema not in _JUDGED_SCHEMAS or table in RUN_TABLES or (name.startswith("fct_") and name.endswith("_day")):
            continue
        parts.append(
            f"select {text(table)} as mart, (select count(*) from {schema}.{quote(name)}) as rows_count,"
            f" (select any_value(rows_count) from published_table where name = {text(table)}) as published_count"
        )
    if not parts:
        return ""
    return (
        f"select {text(judged_as) if judged_as else 'mart'} as entity, mart, rows_count, published_count,"
        " rows_count / nullif(published_count, 0) as share from (" + " union all ".join(parts) + ")"
    )


def mart_keys_evidence(keys: Sequence[dict[str, Any]]) -> str:
    """SQL: empty and repeated keys of each mart. ``keys``: ``{mart, columns}`` each."""
    parts = []
    for key in keys:
        schema, _, name = key["mart"].partition(".")
        columns = quote_all(key["columns"])
        is_empty = " or ".join(f"{quote(column)} is null" for column in key["columns"])
        table = f"{schema}.{quote(name)}"
        parts.append(
            f"select {text(key['mart'])} as entity, {text(', '.join(key['columns']))} as keys,"
            f" (select count(*) from {table} where {is_empty}) as null_count,"
            f" (select count(*) from (select 1 from {table} group by {columns} having count(*) > 1)) as repeated_count"
        )
    if not parts:
        return ""
    return "select *, null_count + repeated_count as fault_count from (" + " union all ".join(parts) + ")"

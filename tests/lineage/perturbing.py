"""Column lineage held against the database: what a query is said not to depend on is spoiled, and nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from oneledger.lineage.column_uses import ROWS
from oneledger.lineage.columns import column_edges

# What each column is spoiled with: nothing at all, and one value for all rows.
SPOILS = ('cast(null as {type}) as "{name}"', 'max("{name}") over () as "{name}"')


@dataclass
class Perturbation:
    """What was tried, and what changed though it was said not to depend on what was spoiled."""

    tried_count: int
    wrong: list[str]


def perturb(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, Mapping[str, str]], catalogue: str
) -> Perturbation:
    """Spoil every column of every table that ``sql`` reads, one at a time.

    Args:
        sql: reads ``"<catalogue>"."schema"."table"``.
        tables: by ``schema.table`` the columns with their types; ``kept."schema.table"`` holds the rows, and this
            puts views on them in their place.
    """
    edges = column_edges(sql, tables).edges
    uses = {(edge.relation, edge.column, edge.target) for edge in edges}
    outputs = [row[0] for row in connection.execute(f"describe {sql}").fetchall()]
    types = {row[0]: row[1] for row in connection.execute(f"describe {sql}").fetchall()}
    connection.execute(f"create or replace temp table expected as {sql}")
    tried, wrong = 0, []
    for relation, columns in tables.items():
        schema, _, name = relation.partition(".")
        view = f'"{catalogue}"."{schema}"."{name}"'
        for column, kind in columns.items():
            if (relation, column.lower(), ROWS) in uses:
                continue  # it decides about the rows: any column may change
            free = [one for one in outputs if (relation, column.lower(), one.lower()) not in uses]
            if not free:
                continue
            shown = ", ".join(f'round("{one}", 9)' if types[one] == "DOUBLE" else f'"{one}"' for one in free)
            for spoil in SPOILS:
                spoiled = spoil.format(name=column, type=kind)
                connection.execute(
                    f'create or replace view {view} as select * replace ({spoiled}) from kept."{relation}"'
                )
                try:
                    different = connection.execute(
                        f"(select {shown} from expected except all select {shown} from ({sql}))"
                        f" union all (select {shown} from ({sql}) except all select {shown} from expected) limit 1"
                    ).fetchall()
                except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
                    continue  # a spoiled value that cannot be computed with gives no answer to compare
                tried += 1
                if different:
                    wrong.append(f"{relation}.{column} spoiled with {spoiled}: {different[0]}")
        connection.execute(f'create or replace view {view} as from kept."{relation}"')
    return Perturbation(tried, wrong)

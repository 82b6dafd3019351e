"""The generator's own DuckDB: the drawn city as tables, and one row a copy of it for larger scales."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from oneledger.settings import Settings
from oneledger.warehouse.spilling import spill_folder

# Numbers of apps and modules of copy r start at r times this.
NUMBERS_PER_COPY = 100_000


@contextmanager
def open_workspace(settings: Settings, scale: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB with the table ``copy_of_city``: its number, suffix of identifiers, suffix of names."""
    with duckdb.connect(
        config={
            "memory_limit": settings.duckdb_memory_limit,
            "threads": settings.threads,
            "temp_directory": str(spill_folder(settings)),
        }
    ) as con:
        con.execute(
            """
            create table copy_of_city as
            select
                copy_number,
                case when copy_number = 0 then '' else '-' || lpad(copy_number::varchar, 4, '0') end as id_suffix,
                case when copy_number = 0 then '' else '（' || lpad(copy_number::varchar, 4, '0') || '）' end
                    as name_suffix
            from range(?) as copies(copy_number)
            """,
            [scale],
        )
        yield con


def load_rows(
    con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], rows: Sequence[dict[str, Any]]
) -> None:
    """Create ``table`` with the given DuckDB types from Python rows; a key that a row lacks is null."""
    declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    con.execute(f"create or replace table {table} ({declared})")
    if rows:
        names = ", ".join(f'"{name}"' for name in columns)
        con.register("rows_to_load", pa.table({name: [row.get(name) for row in rows] for name in columns}))
        con.execute(f"insert into {table} select {names} from rows_to_load")
        con.unregister("rows_to_load")

"""What readers see of check results and quarantine while the warehouse is being written.

DuckDB lets nobody read a file that a process writes, nor write one that a process reads. A page must neither wait for
the nightly nor stop it, so who writes the warehouse leaves copies of these small tables beside it, and readers open
the copies only. A copy is put in place whole; one whose table did not change is left as it is.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.settings import ConfigurationError, Settings

# The table, and the column that is newer in each row that is added.
COPIED = {"checks.result": "checked_at", "checks.gate": "checked_at", "quarantine.row": "found_at"}
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class ReaderCopies:
    """The copies as tables, and which state of them is read.

    Attributes:
        connection: has ``checks.result``, ``checks.gate`` and ``quarantine.row``, in memory, nothing of the warehouse.
        token: another one as soon as a copy was replaced.
    """

    connection: duckdb.DuckDBPyConnection
    token: tuple[int, ...]


def copies_folder(settings: Settings) -> Path:
    """Where the copies lie: ``warehouse/for_readers/<schema>.<table>.parquet``."""
    return settings.warehouse_path.parent / "for_readers"


def write_reader_copies(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Bring the copies up to date; called by who holds the warehouse, after a commit.

    Returns:
        The tables whose copies were replaced.
    """
    folder = copies_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    replaced = []
    for table, newest in COPIED.items():
        if not _is_there(connection, table):
            continue
        path = folder / f"{table}.parquet"
        state = json.dumps(
            [str(value) for value in connection.execute(f"select count(*), max({newest}) from {table}").fetchall()[0]]
        )
        if path.is_file() and _state_of(connection, path) == state:
            continue
        partial = folder / f"{_PARTIAL}{path.name}"
        connection.execute(
            f"copy (select * from {table} order by {newest}) to '{_literal(partial)}' (format parquet,"
            f" compression zstd, kv_metadata {{state: '{_literal(state)}'}})"
        )
        partial.rename(path)
        replaced.append(table)
    return replaced


def has_reader_copies(settings: Settings) -> bool:
    """Whether a run has left copies yet."""
    return all((copies_folder(settings) / f"{table}.parquet").is_file() for table in COPIED)


@contextlib.contextmanager
def open_reader_copies(settings: Settings, needs: Collection[str] = tuple(COPIED)) -> Iterator[ReaderCopies]:
    """The copies, until the block ends.

    Args:
        needs: the tables that must be there: after an admission whose gate was not yet asked only quarantine is.

    Raises:
        ConfigurationError: nothing was admitted and checked here yet.
    """
    paths = {table: copies_folder(settings) / f"{table}.parquet" for table in needs}
    missing = [table for table, path in paths.items() if not path.is_file()]
    if missing:
        raise ConfigurationError(
            f"There is no copy of {' and '.join(missing)} for readers: no run has admitted and checked data since this "
            "installation keeps them. Run `oneledger run`."
        )
    token = tuple(path.stat().st_mtime_ns for path in paths.values())
    with duckdb.connect(":memory:") as connection:
        for table, path in paths.items():
            schema = table.partition(".")[0]
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f"create view {table} as from read_parquet('{_literal(path)}')")
        yield ReaderCopies(connection, token)


def _is_there(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, _, name = table.partition(".")
    found = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchone()
    return found is not None


def _state_of(connection: duckdb.DuckDBPyConnection, path: Path) -> str | None:
    """What ``write_reader_copies`` noted in a copy."""
    found = connection.execute(
        f"select decode(value) from parquet_kv_metadata('{_literal(path)}') where decode(key) = 'state'"
    ).fetchone()
    return str(found[0]) if found else None


def _literal(text: object) -> str:
    return str(text).replace("'", "''")

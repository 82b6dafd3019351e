"""Connections to the warehouse file, with the limits that the settings give."""

from __future__ import annotations

import duckdb

from oneledger.settings import ConfigurationError, Settings


def duckdb_config(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    """The DuckDB options of every connection of ours: bounded memory, spilling under the home, no downloads."""
    scratch = settings.scratch_dir / "duckdb"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
        "temp_directory": str(scratch),
        # Newer files compress text better and faster; every client of ours is DuckDB 1.5.
        "storage_compatibility_version": "v1.5.0",
        # An intranet has no extension server; what we need is built in or comes from the package registry.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def open_warehouse(settings: Settings, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open ``warehouse.duckdb``; the caller closes it (``with open_warehouse(settings) as connection``).

    A writer holds ``oneledger.warehouse.lock.writer_lock`` around it. Readers other than the nightly
    itself use the published versions instead.

    Raises:
        ConfigurationError: the memory limit is not one, the file does not exist and is to be read, or it is no
            database of this DuckDB.
    """
    path = settings.warehouse_path
    if read_only and not path.exists():
        raise ConfigurationError(
            f"There is no warehouse at {path}. Run `oneledger run` first, or set ONELEDGER_HOME to where it lies."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=duckdb_config(settings))
    except (duckdb.ParserException, duckdb.InvalidInputException) as error:
        raise ConfigurationError(
            f"DuckDB refuses its settings: {error}. Correct ONELEDGER_MEMORY_LIMIT "
            f"({settings.memory_limit!r}; for instance 4GB) or ONELEDGER_THREADS ({settings.threads})."
        ) from error
    except (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException) as error:
        if "lock" in str(error):
            raise
        raise ConfigurationError(
            f"The warehouse {path} cannot be opened: {str(error).splitlines()[0]} It is damaged, or of another "
            "version of DuckDB. It holds nothing that landing does not have: make it again with `oneledger rebuild "
            "--from-landing`. More: `oneledger runbook warehouse-damaged`."
        ) from error
    # The order of rows carries no meaning here (row identity does), and keeping it costs memory.
    connection.execute("set preserve_insertion_order = false")
    return connection

"""Connections to the warehouse file, with the limits that the settings give."""

from __future__ import annotations

import errno
import os
import re
import time

import duckdb

from oneledger.disk_space import is_disk_full
from oneledger.locks import BusyError, LockHolder
from oneledger.locks.register import WRITER
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.spilling import spill_folder

# The warehouse file among the databases that a process opens.
WAREHOUSE = "warehouse"
# Who writes waits for those who read the file itself, which takes them seconds; who reads does not wait for a night.
_WAIT_SECONDS = {"write": 60.0, "read": 3.0}
_PAUSE_SECONDS = 0.1
_CONFLICT = "Could not set lock on file"
_PID = re.compile(r"\(PID (\d+)\)")


class WarehouseOpenError(BusyError):
    """Another process has the warehouse file open: DuckDB lets nobody write what another reads, nor the other way."""

    def __init__(self, settings: Settings, holder: LockHolder | None, told: str) -> None:
        self._told = told
        super().__init__(
            "The warehouse is being written",
            "DuckDB lets nobody read the file that a process writes, nor write it while one reads.",
            WRITER.path(settings),
            holder,
        )

    @property
    def problem(self) -> str:
        if self.holder:
            return super().problem
        found = _PID.search(self._told)
        return f"The warehouse file is open in {f'process {found[1]}' if found else 'another process'}."


def duckdb_config(settings: Settings, database: str | None = None) -> dict[str, str | bool | int | float | list[str]]:
    """The DuckDB options of every connection of ours: bounded memory, spilling under the home, no downloads.

    Args:
        settings: limits and where to spill.
        database: ``WAREHOUSE`` for the warehouse file; None for a database in memory.

    Raises:
        ConfigurationError: the memory limit is no size.
    """
    return {
        "memory_limit": settings.duckdb_memory_limit,
        "threads": settings.threads,
        "temp_directory": str(spill_folder(settings, database)),
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
        BusyError: another process has the file open, and did not close it in time.
        OSError: the disk is full.
    """
    path = settings.warehouse_path
    if read_only and not path.exists():
        raise ConfigurationError(
            f"There is no warehouse at {path}. Run `oneledger run` first, or set ONELEDGER_HOME to where it lies."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = _connected(settings, read_only)
    except (duckdb.ParserException, duckdb.InvalidInputException) as error:
        raise ConfigurationError(
            f"DuckDB refuses its settings: {error}. Correct ONELEDGER_MEMORY_LIMIT "
            f"({settings.memory_limit!r}; for instance 4GB) or ONELEDGER_THREADS ({settings.threads})."
        ) from error
    except (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException) as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise ConfigurationError(
            f"The warehouse {path} cannot be opened: {str(error).splitlines()[0]} It is damaged, or of another "
            "version of DuckDB. It holds nothing that landing does not have: make it again with `oneledger rebuild "
            "--from-landing`. More: `oneledger runbook warehouse-damaged`."
        ) from error
    # The order of rows carries no meaning here (row identity does), and keeping it costs memory.
    connection.execute("set preserve_insertion_order = false")
    return connection


def _connected(settings: Settings, read_only: bool) -> duckdb.DuckDBPyConnection:
    give_up_at = time.monotonic() + _WAIT_SECONDS["read" if read_only else "write"]
    while True:
        try:
            options = duckdb_config(settings, WAREHOUSE)
            return duckdb.connect(str(settings.warehouse_path), read_only=read_only, config=options)
        except duckdb.IOException as error:
            if _CONFLICT not in str(error):
                raise
            if time.monotonic() > give_up_at:
                holder = WRITER.holder(settings) if read_only else None
                raise WarehouseOpenError(settings, holder, str(error)) from error
        time.sleep(_PAUSE_SECONDS)

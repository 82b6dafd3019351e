"""A copy of the installation to try a backfill on: landing and raw by hard links, the warehouse as a copy.

Hard-linked files are never edited in place: landing and raw are written under partial names and renamed, published
versions and decided evaluation runs do not change. What is edited (the warehouse, the index of a source) is copied.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from oneledger.landing import source_lock
from oneledger.publishing.versions import CURRENT, PublishedVersion, resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.lock import writer_lock

_INDEX = ".index.db"


@contextmanager
def trial_home(settings: Settings, source_id: str, run_id: str) -> Iterator[Settings]:
    """Settings of a home that holds what this one holds now, to change at will; removed at the end.

    Raises:
        ConfigurationError: nothing is published yet.
        WriterBusyError: another process writes the warehouse; nobody may while it is copied.
    """
    version = resolve(settings)
    folder = settings.scratch_dir / f"backfill-{run_id}"
    home = dataclasses.replace(settings, home=folder)
    try:
        folder.mkdir(parents=True)
        with writer_lock(settings, run_id=run_id, step="copy for the plan of a backfill"):
            _copy_warehouse(settings, home)
            copy_landing(settings, home, source_id, run_id)
            _link_version(settings, home, version)
            for path in (settings.evaluations_dir, settings.releases_dir):
                _link_tree(path, home.home / path.name)
        target = settings.home / "dbt"
        if target.is_dir():
            # dbt need not read the whole project again.
            shutil.copytree(target, folder / "dbt")
        yield home
    finally:
        _make_writable(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def landing_home(settings: Settings, source_id: str, run_id: str) -> Iterator[Settings]:
    """Settings of a home with the landing of one source only: what would be fetched can be fetched there."""
    folder = settings.scratch_dir / f"fetch-{run_id}"
    home = dataclasses.replace(settings, home=folder)
    try:
        folder.mkdir(parents=True)
        copy_landing(settings, home, source_id, run_id)
        yield home
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_landing(settings: Settings, home: Settings, source_id: str, run_id: str) -> None:
    """Landing and raw of every source by links; the index of the source that is fetched as a copy."""
    with source_lock(settings, source_id, run_id):
        _link_tree(settings.landing_dir, home.landing_dir, leave_out=(_INDEX, f"{_INDEX}-wal", f"{_INDEX}-shm"))
        _link_tree(settings.raw_dir, home.raw_dir)
        index = settings.landing_dir / source_id / _INDEX
        if not index.exists():
            raise ConfigurationError(f"{source_id} has landed nothing yet; load it with `oneledger run` first.")
        with (
            closing(sqlite3.connect(index)) as original,
            closing(sqlite3.connect(home.landing_dir / source_id / _INDEX)) as copy,
        ):
            original.backup(copy)
            # Renames that a killed process left concern the original.
            copy.execute("delete from pending")
            copy.commit()


def _copy_warehouse(settings: Settings, home: Settings) -> None:
    with open_warehouse(settings) as connection:
        connection.execute("checkpoint")
    home.warehouse_path.parent.mkdir(parents=True)
    shutil.copyfile(settings.warehouse_path, home.warehouse_path)


def _link_version(settings: Settings, home: Settings, version: PublishedVersion) -> None:
    _link_tree(version.path, home.published_dir / version.version)
    (home.published_dir / CURRENT).symlink_to(version.version)


def _link_tree(source: Path, target: Path, leave_out: tuple[str, ...] = ()) -> None:
    """The same files under another folder; copied where the file system knows no links between the two."""
    if not source.is_dir():
        return
    for folder, folders, files in os.walk(source):
        # What a process is writing, and locks, are nobody else's.
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in files:
            if name in leave_out or name.endswith(".lock") or name.startswith(".partial-"):
                continue
            try:
                os.link(Path(folder) / name, place / name)
            except OSError:
                shutil.copyfile(Path(folder) / name, place / name)


def _make_writable(folder: Path) -> None:
    """Folders of confirmed runs are read-only; here they are only copies. Files are shared: they stay as they are."""
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)

"""The index of one source's batches: what answers in a moment what the manifests say one by one.

The manifests are the truth; ``landing/<source>/.index.db`` can be deleted and is then made again from
them. It also remembers the files that were seen in a drop folder and the tags of HTTP answers, so that
what did not change costs a look; and, from the moment at which batches are entered until it is done, which of their
directories still have to be renamed and which of their outcomes still have to be written.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oneledger.landing.manifest import MANIFEST_NAME, Manifest, manifest_sha256, read_manifest
from oneledger.settings import Settings
from oneledger.sources.received import SeenFile

_TABLES = """
create table if not exists batch (
    sequence integer primary key, batch_id text not null unique, entity text not null, partition text not null,
    revision integer not null, business_on text not null, delivery text not null, payload_hash text not null,
    manifest_sha256 text not null, row_count integer not null, control_total integer, watermark text,
    catalogue_hash text not null, extracted_at text not null, path text not null
);
create index if not exists batch_by_partition on batch (entity, partition, revision);
create index if not exists batch_by_payload on batch (entity, payload_hash);
create table if not exists seen_file (
    entity text not null, name text not null, size_bytes integer not null, mtime_ns integer not null,
    sha256 text not null, batch_id text not null, primary key (entity, name)
) without rowid;
create table if not exists answer_tag (
    entity text not null, url text not null, etag text not null, batch_id text not null, primary key (entity, url)
) without rowid;
create table if not exists pending (partial text primary key, final text not null) without rowid;
create table if not exists outcome_due (record text primary key) without rowid;
"""


@dataclass(frozen=True)
class LandedBatch:
    """One complete batch. ``path`` is its directory, with ``manifest.json`` and the payload."""

    batch_id: str
    source: str
    entity: str
    partition: str
    revision: int
    business_on: dt.date
    delivery: str
    payload_hash: str
    row_count: int
    control_total: int | None
    watermark: str | None
    catalogue_hash: str
    extracted_at: str
    path: Path

    def manifest(self) -> Manifest:
        return read_manifest(self.path)


@dataclass(frozen=True)
class BatchHashes:
    """What proves one batch; ``path`` is its directory below ``landing/``."""

    batch_id: str
    path: str
    manifest_sha256: str
    payload_hash: str


def read_hashes(settings: Settings, source_id: str) -> tuple[list[BatchHashes], set[str]]:
    """The hashes of all batches as the index knows them, and the paths that are still to be renamed.

    Raises:
        ValueError: there is no index, or it cannot be read.
    """
    path = settings.landing_dir / source_id / ".index.db"
    try:
        try:
            return _hashes_in(path, "ro")
        except sqlite3.OperationalError:
            # A process killed within a transaction left its journal, which only one that may write can take back.
            if not path.with_name(f"{path.name}-journal").exists():
                raise
            return _hashes_in(path, "rw")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error})") from error


def _hashes_in(path: Path, mode: str) -> tuple[list[BatchHashes], set[str]]:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=60)) as connection:
        # What is still to be renamed is read first: it can only have become less by the time of the batches.
        pending = {str(row[0]) for row in connection.execute("select final from pending")}
        return [BatchHashes(*row) for row in connection.execute(_HASHES)], pending


class LandingIndex:
    """Reads and writes one source's index. Writing is for the holder of the source lock."""

    def __init__(self, settings: Settings, source_id: str) -> None:
        self.source_id = source_id
        self.landing_dir = settings.landing_dir
        self.folder = settings.landing_dir / source_id
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / ".index.db"
        self.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.connection.execute("pragma synchronous = full")
        self.connection.executescript(_TABLES)
        if self.chain_head() is None:
            self._rebuild()

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def batches(self, entity: str | None = None) -> list[LandedBatch]:
        """All complete batches in the order in which they were landed."""
        return [self._batch(row) for row in self.connection.execute(
            f"{_SELECT} where ?1 is null or entity = ?1 order by sequence", [entity])]  # fmt: skip

    def newest(self, entity: str, partition: str) -> LandedBatch | None:
        """The newest revision of a partition."""
        row = self.connection.execute(
            f"{_SELECT} where entity = ? and partition = ? order by revision desc limit 1", [entity, partition]
        ).fetchone()
        return self._batch(row) if row else None

    def last(self, entity: str) -> LandedBatch | None:
        """The batch of this entity that was landed last."""
        row = self.connection.execute(f"{_SELECT} where entity = ? order by sequence desc limit 1", [entity]).fetchone()
        return self._batch(row) if row else None

    def with_watermark(self, entity: str, watermark: str) -> list[LandedBatch]:
        """The batches of this entity that end at this watermark."""
        return [self._batch(row) for row in self.connection.execute(
            f"{_SELECT} where entity = ? and watermark = ? order by sequence", [entity, watermark])]  # fmt: skip

    def with_payload(self, entity: str, payload_hash: str) -> list[LandedBatch]:
        """The batches of this entity that hold these bytes, newest first."""
        rows = self.connection.execute(
            f"{_SELECT} where entity = ? and payload_hash = ? order by sequence desc", [entity, payload_hash]
        )
        return [self._batch(row) for row in rows]

    def chain_head(self) -> str | None:
        """SHA-256 of the manifest that was landed last; None for the first."""
        row = self.connection.execute("select manifest_sha256 from batch order by sequence desc limit 1").fetchone()
        return str(row[0]) if row else None

    def hashes_after(self, count: int) -> list[BatchHashes]:
        """The hashes of the batches after the first ``count``, in the order in which they were landed."""
        return [BatchHashes(*row) for row in self.connection.execute(f"{_HASHES} limit -1 offset ?", [count])]

    def add(self, manifest: Manifest, sha256: str, path: Path) -> None:
        """Enter a batch (inside a transaction)."""
        self.connection.execute(
            "insert into batch (batch_id, entity, partition, revision, business_on, delivery, payload_hash,"
            " manifest_sha256, row_count, control_total, watermark, catalogue_hash, extracted_at, path)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [manifest.batch_id, manifest.entity, manifest.partition, manifest.revision,
             manifest.business_on.isoformat(), manifest.delivery, manifest.payload_hash, sha256, manifest.row_count,
             manifest.control_total, manifest.watermark, manifest.catalogue_hash, manifest.extracted_at,
             str(path.relative_to(self.landing_dir))],
        )  # fmt: skip

    def seen_files(self, entity: str) -> dict[str, SeenFile]:
        """The files of the drop folder that need no second look, by name."""
        rows = self.connection.execute(
            "select name, size_bytes, mtime_ns, sha256, batch_id from seen_file where entity = ?", [entity]
        )
        return {row[0]: SeenFile(*row) for row in rows}

    def remember_files(self, entity: str, files: Iterable[SeenFile]) -> None:
        self.connection.executemany(
            "insert or replace into seen_file values (?, ?, ?, ?, ?, ?)",
            [(entity, file.name, file.size_bytes, file.mtime_ns, file.sha256, file.batch_id) for file in files],
        )

    def answer_tag(self, entity: str, url: str) -> str | None:
        """The ETag of the last complete answer to this URL."""
        row = self.connection.execute(
            "select etag from answer_tag where entity = ? and url = ?", [entity, url]
        ).fetchone()
        return str(row[0]) if row else None

    def remember_tag(self, entity: str, url: str, etag: str, batch_id: str) -> None:
        """Keep the tag of this URL; older URLs of the entity are forgotten: they are not asked again."""
        self.connection.execute("delete from answer_tag where entity = ?", [entity])
        self.connection.execute("insert into answer_tag values (?, ?, ?, ?)", [entity, url, etag, batch_id])

    def set_pending(self, moves: Sequence[tuple[Path, Path]]) -> None:
        """Say (inside the transaction that enters the batches) which directories still have to be renamed."""
        self.connection.executemany(
            "insert or replace into pending values (?, ?)", [(str(partial), str(final)) for partial, final in moves]
        )

    def note_due(self, records: Sequence[str]) -> None:
        """Keep outcome records (JSON), inside the transaction that enters what they tell of, until they are written."""
        self.connection.executemany("insert or replace into outcome_due values (?)", [(one,) for one in records])

    def due(self) -> list[str]:
        """The outcome records that a killed process may have left unwritten."""
        return [str(row[0]) for row in self.connection.execute("select record from outcome_due order by record")]

    def forget_due(self) -> None:
        """All records that were due are written."""
        self.connection.execute("delete from outcome_due")

    def finish_pending(self) -> int:
        """Carry out renames that a killed process left; returns how many were still to be done."""
        done = 0
        rows = self.connection.execute("select partial, final from pending").fetchall()
        for partial, final in ((Path(row[0]), Path(row[1])) for row in rows):
            if partial.exists() and not final.exists():
                final.parent.mkdir(parents=True, exist_ok=True)
                partial.rename(final)
                done += 1
        if rows:
            self.connection.execute("delete from pending")
        return done

    def _batch(self, row: tuple[object, ...]) -> LandedBatch:
        values = dict(zip(_COLUMNS, row, strict=True))
        values["business_on"] = dt.date.fromisoformat(str(values["business_on"]))
        values["path"] = self.landing_dir / str(values["path"])
        return LandedBatch(source=self.source_id, **values)  # type: ignore[arg-type]

    def _rebuild(self) -> None:
        """Enter every batch on disk, in the order of the hash chain."""
        found = {}
        for file in self.folder.glob(f"*/*/r*/{MANIFEST_NAME}"):
            if not any(part.startswith(".") for part in file.relative_to(self.folder).parts):
                manifest = read_manifest(file)
                found[manifest.previous_manifest_sha256] = (manifest, manifest_sha256(file), file.parent)
        if not found:
            return
        with self.transaction():
            if self.chain_head() is not None:
                return  # another process was faster
            previous = None
            while previous in found:
                manifest, sha256, path = found.pop(previous)
                self.add(manifest, sha256, path)
                previous = sha256
            for manifest, sha256, path in found.values():
                # A broken chain: the batches are still there, `verify_chain` tells what is wrong.
                self.add(manifest, sha256, path)


_COLUMNS = (
    "batch_id", "entity", "partition", "revision", "business_on", "delivery", "payload_hash", "row_count",
    "control_total", "watermark", "catalogue_hash", "extracted_at", "path",
)  # fmt: skip
_HASHES = "select batch_id, path, manifest_sha256, payload_hash from batch order by sequence"
_SELECT = f"select {', '.join(_COLUMNS)} from batch"

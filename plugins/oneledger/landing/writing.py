"""Write batches: partial directories first, then one flush, then renames, many batches at a time."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from oneledger.catalogue import Entity
from oneledger.landing.durability import flush, flush_files
from oneledger.landing.index import LandedBatch, LandingIndex
from oneledger.landing.manifest import MANIFEST_NAME, LandedFile, Manifest, batch_id_of, payload_hash
from oneledger.outcomes import utc_now
from oneledger.settings import Settings
from oneledger.sources.received import SeenFile

PARTIAL_PREFIX = ".partial-"


@dataclass(frozen=True)
class NewBatch:
    """What a delivery becomes when it is landed; counts and watermark are known after the raw conversion.

    ``raw_partial`` is the Parquet file, written under a partial name, that is renamed with the batch.
    """

    entity: Entity
    partition: str
    revision: int
    business_on: dt.date
    directory: Path
    files: tuple[LandedFile, ...]
    row_count: int
    control_total: int | None
    watermark: str | None
    raw_partial: Path
    raw_final: Path
    seen: tuple[SeenFile, ...] = ()
    tag: tuple[str, str] | None = None
    correction: dict[str, str] | None = None


@dataclass
class LandingWriter:
    """Collects new batches of one source and lands them together. Used by the holder of the source lock."""

    settings: Settings
    index: LandingIndex
    _staged: list[tuple[NewBatch, Manifest, str, Path]] = field(default_factory=list)
    _revisions: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    _seen: list[tuple[str, SeenFile]] = field(default_factory=list)
    _head: str | None = None

    def __post_init__(self) -> None:
        self.index.finish_pending()
        shutil.rmtree(self.settings.scratch_dir / "raw" / self.index.source_id, ignore_errors=True)
        self._head = self.index.chain_head()

    def partial_directory(self, entity: Entity, name: str = "") -> Path:
        """A new (or, when named, the kept) partial directory of this entity."""
        path = self.index.folder / entity.id / f"{PARTIAL_PREFIX}{name or uuid.uuid4().hex[:12]}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def clear_partials(self, entity: Entity, keep: Sequence[str] = ()) -> None:
        """Remove what killed attempts left of this entity, but for the named partial directories."""
        for folder in (self.index.folder / entity.id, self.settings.raw_dir / entity.source_id / entity.id):
            for path in folder.glob(f"{PARTIAL_PREFIX}*"):
                if path.name.removeprefix(PARTIAL_PREFIX) in keep:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def newest_revision(self, entity: Entity, partition: str) -> tuple[int, str]:
        """Revision number and payload hash of the newest revision, landed or staged; (0, "") for none."""
        staged = self._revisions.get((entity.id, partition))
        if staged:
            return staged
        newest = self.index.newest(entity.id, partition)
        return (newest.revision, newest.payload_hash) if newest else (0, "")

    def is_unchanged(self, entity: Entity, partition: str, hashes: Sequence[str]) -> bool:
        """Whether these payloads are what the newest revision of the partition holds already."""
        return self.newest_revision(entity, partition)[1] == payload_hash(hashes)

    def same_payload(self, entity: Entity, partition: str, hashes: Sequence[str]) -> str | None:
        """The id of the newest batch of another partition of this entity that holds these very bytes, and rows."""
        wanted = payload_hash(hashes)
        for (entity_id, other), (revision, found) in self._revisions.items():
            if entity_id == entity.id and other != partition and found == wanted:
                return batch_id_of(entity.source_id, entity.id, other, revision)
        for batch in self.index.with_payload(entity.id, wanted):
            is_newest = self.newest_revision(entity, batch.partition)[1] == wanted
            if batch.partition != partition and batch.row_count and is_newest:
                return batch.batch_id
        return None

    def next_batch_id(self, entity: Entity, partition: str) -> tuple[int, str]:
        """Revision number and id of the next batch of this partition."""
        revision = self.newest_revision(entity, partition)[0] + 1
        return revision, batch_id_of(entity.source_id, entity.id, partition, revision)

    def remember_unchanged(self, entity: Entity, seen: SeenFile) -> None:
        """A file that equals what is landed needs no second look."""
        self._seen.append((entity.id, seen))

    @property
    def staged_count(self) -> int:
        return len(self._staged)

    def stage(self, batch: NewBatch) -> Manifest:
        """Write the manifest into the partial directory; ``commit`` makes the batch complete."""
        entity = batch.entity
        manifest = Manifest(
            batch_id=batch_id_of(entity.source_id, entity.id, batch.partition, batch.revision),
            source=entity.source_id,
            entity=entity.id,
            partition=batch.partition,
            revision=batch.revision,
            business_on=batch.business_on,
            delivery=entity.delivery,
            files=batch.files,
            row_count=batch.row_count,
            control_total=batch.control_total,
            watermark=batch.watermark,
            extracted_at=utc_now().isoformat(timespec="seconds"),
            code_version=code_version(),
            catalogue_hash=entity.content_hash,
            previous_manifest_sha256=self._head,
            correction=batch.correction,
        )
        content = manifest.to_bytes()
        (batch.directory / MANIFEST_NAME).write_bytes(content)
        final = self.index.folder / entity.id / batch.partition / f"r{batch.revision:03d}"
        self._head = hashlib.sha256(content).hexdigest()
        self._staged.append((batch, manifest, self._head, final))
        self._revisions[entity.id, batch.partition] = (batch.revision, manifest.payload_hash)
        return manifest

    def commit(self, records: Sequence[str] = ()) -> list[Manifest]:
        """Make every staged batch complete: flush, enter in the index, rename.

        A process killed after the index is written leaves the renames to the next one (``pending``); killed
        before, it leaves only partial directories, which the next one removes.

        Args:
            records: outcome records (JSON) of the batches; they stay due in the index until the caller, who writes
                them, calls ``index.forget_due``.
        """
        if not self._staged and not self._seen:
            return []
        moves: list[tuple[Path, Path]] = []
        written: list[Path] = []
        for batch, _, _, final in self._staged:
            final.parent.mkdir(parents=True, exist_ok=True)
            batch.raw_final.parent.mkdir(parents=True, exist_ok=True)
            # Whoever admits goes by the raw file, so the manifest that it then reads must be there first.
            moves += [(batch.directory, final), (batch.raw_partial, batch.raw_final)]
            written += [batch.directory / file.name for file in batch.files]
            written += [batch.directory / MANIFEST_NAME, batch.directory, batch.raw_partial]
        flush_files(written, self.index.folder)
        with self.index.transaction():
            for batch, manifest, sha256, final in self._staged:
                self.index.add(manifest, sha256, final)
                self.index.remember_files(batch.entity.id, batch.seen)
                if batch.tag:
                    self.index.remember_tag(batch.entity.id, *batch.tag, manifest.batch_id)
            for entity_id, seen in self._seen:
                self.index.remember_files(entity_id, [seen])
            self.index.set_pending(moves)
            self.index.note_due(records)
        for partial, final in moves:
            partial.rename(final)
        for folder in {final.parent for _, final in moves}:
            flush(folder)
        self.index.finish_pending()
        manifests = [manifest for _, manifest, _, _ in self._staged]
        self._staged.clear()
        self._revisions.clear()
        self._seen.clear()
        return manifests


def code_version() -> str:
    """The version of this package, as manifests carry it."""
    try:
        return version("oneledger")
    except PackageNotFoundError:
        return "unknown"


__all__ = ["PARTIAL_PREFIX", "LandedBatch", "LandingWriter", "NewBatch", "code_version"]

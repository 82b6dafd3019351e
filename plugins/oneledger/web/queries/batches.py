"""Batches as they were received: manifest, files, counts, place in the chain, seal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from oneledger.audit.ledger import LedgerEntry, parse, read_document, read_lines
from oneledger.landing.index import BatchHashes, read_hashes
from oneledger.landing.manifest import LandedFile, Manifest, manifest_sha256, read_manifest
from oneledger.lineage.landed_lines import batch_folder
from oneledger.publishing.versions import BATCHES_FILE
from oneledger.settings import Settings
from oneledger.web.listing import with_total
from oneledger.web.reading import Reading, Row

PAGE_SIZE = 50
# What is hashed while a visitor waits; `oneledger verify` hashes everything.
_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class FileState:
    """A payload file and whether its bytes are what the manifest says; None when it was too large to hash here."""

    file: LandedFile
    is_as_received: bool | None


@dataclass(frozen=True)
class BatchState:
    """What is known of a batch.

    Attributes:
        admitted: its counts in the published version; None when that version does not use it.
        manifest: None when it is not in landing any more, or cannot be read (``problem`` says so).
        position, length: its place in the chain of its source.
        is_linked: the manifest before and the one after agree with it; None when nobody stands beside it.
        seal: the entry of the ledger that holds it.
        is_as_sealed: its manifest still has the sealed hash.
    """

    batch_id: str
    admitted: Row | None
    manifest: Manifest | None
    manifest_hash: str | None
    files: tuple[FileState, ...]
    position: int | None
    length: int
    is_linked: bool | None
    seal: LedgerEntry | None
    is_as_sealed: bool | None
    problem: str = ""
    # Entries of the ledger whose document was changed or is gone: the batch may be sealed in one of them.
    broken_seals: tuple[int, ...] = ()


def batch_rows(reading: Reading, *, source: str, entity: str, is_quarantined: bool, page: int) -> tuple[list[Row], int]:
    """A page of the batches that the version is made from, the newest first, and how many there are."""
    parameters = {
        "path": str(reading.version.path / BATCHES_FILE), "source": source, "entity": entity,
        "is_quarantined": is_quarantined, "limit": PAGE_SIZE, "offset": (page - 1) * PAGE_SIZE,
    }  # fmt: skip
    chosen = """
        select
            batch_id, source, entity, business_on, revision, received_count, accepted_count, quarantined_count,
            superseded_count, correction_reason
        from read_parquet($path)
        where
            ($source = '' or source = $source)
            and ($entity = '' or entity = $entity)
            and (not $is_quarantined or quarantined_count > 0)
        """
    rows = reading.rows(
        f"{with_total(chosen)} order by business_on desc, source, entity, revision desc limit $limit offset $offset",
        parameters,
    )
    return rows, rows[0]["total_count"] if rows else 0


def batch_sources(reading: Reading) -> list[Row]:
    """Source and entity of all batches, each with its count."""
    return reading.rows(
        "select source, entity, count(*) as batches_count from read_parquet($path) group by all order by all",
        {"path": str(reading.version.path / BATCHES_FILE)},
    )


def batch_state(settings: Settings, reading: Reading, batch_id: str) -> BatchState | None:
    """Everything that is known of a batch; None when neither the version nor landing knows it."""
    admitted = reading.one(
        "select * from read_parquet($path) where batch_id = $batch_id",
        {"path": str(reading.version.path / BATCHES_FILE), "batch_id": batch_id},
    )
    folder = batch_folder(settings, batch_id)
    has_manifest = (folder / "manifest.json").is_file()
    if admitted is None and not has_manifest:
        return None
    manifest, problem, digest = None, "", None
    if has_manifest:
        digest = manifest_sha256(folder)
        try:
            manifest = read_manifest(folder)
        except ValueError:
            problem = "manifest.json"
    files = tuple(_file_state(folder, one) for one in manifest.files) if manifest is not None else ()
    source = batch_id.partition(".")[0]
    chain = _chain(settings, source)
    place = next((number for number, one in enumerate(chain) if one.batch_id == batch_id), None)
    seal, sealed, broken = _seal(settings, source, batch_id)
    return BatchState(
        batch_id=batch_id,
        admitted=admitted,
        manifest=manifest,
        manifest_hash=digest,
        files=files,
        position=None if place is None else place + 1,
        length=len(chain),
        is_linked=_is_linked(settings, chain, place, manifest, digest),
        seal=seal,
        is_as_sealed=None if sealed is None or digest is None else sealed == digest,
        problem=problem,
        broken_seals=broken,
    )


def _file_state(folder: Path, file: LandedFile) -> FileState:
    path = folder / file.name
    if file.size_bytes > _MOST_BYTES:
        return FileState(file, None)
    try:
        with path.open("rb") as stream:
            return FileState(file, hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256)
    except OSError:
        return FileState(file, False)


def _chain(settings: Settings, source: str) -> list[BatchHashes]:
    try:
        return read_hashes(settings, source)[0]
    except (OSError, ValueError):
        return []


def _is_linked(
    settings: Settings, chain: list[BatchHashes], place: int | None, manifest: Manifest | None, digest: str | None
) -> bool | None:
    if place is None or manifest is None:
        return None
    before = chain[place - 1].manifest_sha256 if place else None
    is_right = manifest.previous_manifest_sha256 == before and chain[place].manifest_sha256 == digest
    if place + 1 < len(chain):
        try:
            after = read_manifest(settings.landing_dir / chain[place + 1].path)
        except (OSError, ValueError):
            return False
        is_right = is_right and after.previous_manifest_sha256 == digest
    return is_right


def _seal(
    settings: Settings, source: str, batch_id: str
) -> tuple[LedgerEntry | None, str | None, tuple[int, ...]]:  # fmt: skip
    """The first entry that holds the batch, the hash of its manifest there, and the entries that cannot be read."""
    broken = []
    for line in read_lines(settings):
        entry = parse(line)
        if entry is None or entry.kind != "landing" or entry.subject != source:
            continue
        try:
            document = read_document(settings, entry.document)
        except ValueError:
            broken.append(entry.sequence)
            continue
        for one in document["batches"]:
            if one["batch_id"] == batch_id:
                return entry, one["manifest_sha256"], ()
    return None, None, tuple(broken)

"""What a batch is: its files, counts and place in the source's hash chain."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class LandedFile:
    """One payload file. ``source_name`` is what the source calls it; ``rows`` are data records."""

    name: str
    sha256: str
    size_bytes: int
    source_name: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """The manifest of one batch, as it stands in ``manifest.json``.

    ``row_count`` counts raw rows (an unpivoted record gives several), ``control_total`` is what the source
    itself says, ``watermark`` the newest change in a delivery of changes. ``extracted_at`` is UTC, ISO 8601.
    ``correction`` (reason, reference, name) says why data are delivered again; None for most batches.
    """

    batch_id: str
    source: str
    entity: str
    partition: str
    revision: int
    business_on: dt.date
    delivery: str
    files: tuple[LandedFile, ...]
    row_count: int
    control_total: int | None
    watermark: str | None
    extracted_at: str
    code_version: str
    catalogue_hash: str
    previous_manifest_sha256: str | None
    correction: dict[str, str] | None = None

    def to_bytes(self) -> bytes:
        """The bytes of ``manifest.json``; the next manifest of the source carries their SHA-256."""
        content = asdict(self)
        content["business_on"] = self.business_on.isoformat()
        if self.correction is None:
            del content["correction"]
        return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()

    @property
    def payload_hash(self) -> str:
        """One hash over the content of all payload files, whatever their names."""
        return payload_hash(file.sha256 for file in self.files)


def payload_hash(file_hashes: Any) -> str:
    """SHA-256 over the sorted file hashes."""
    return hashlib.sha256("\n".join(sorted(file_hashes)).encode()).hexdigest()


def batch_id_of(source: str, entity: str, partition: str, revision: int) -> str:
    """``zheliban.usage.20221031.r001``."""
    return f"{source}.{entity}.{partition}.r{revision:03d}"


def read_manifest(path: Path) -> Manifest:
    """Read a ``manifest.json`` (or the one in this batch directory).

    Raises:
        ValueError: the file is no manifest; the message names it.
    """
    file = path / MANIFEST_NAME if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        content["business_on"] = dt.date.fromisoformat(content["business_on"])
        content["files"] = tuple(LandedFile(**item) for item in content["files"])
        return Manifest(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is no manifest of a batch: {error}. It was changed or cut off after it was written; "
            f"restore it from a backup, or move the directory away and ingest the delivery again."
        ) from error


def manifest_sha256(path: Path) -> str:
    """SHA-256 of the manifest's bytes as they lie on disk."""
    file = path / MANIFEST_NAME if path.is_dir() else path
    return hashlib.sha256(file.read_bytes()).hexdigest()

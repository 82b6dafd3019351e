"""Read what was landed: lists of batches, and whether the bytes are still what was received."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from oneledger.landing.index import LandedBatch, LandingIndex
from oneledger.landing.manifest import MANIFEST_NAME, Manifest, manifest_sha256, read_manifest
from oneledger.settings import Settings


@dataclass(frozen=True)
class ChainProblem:
    """One place where landing is not what was received."""

    source: str
    batch_id: str
    problem: str
    expected: str
    remedy: str


def landed_sources(settings: Settings) -> list[str]:
    """The sources that have a landing directory."""
    if not settings.landing_dir.exists():
        return []
    return sorted(path.name for path in settings.landing_dir.iterdir() if path.is_dir() and path.name[0] != ".")


def list_batches(settings: Settings, source_id: str | None = None, entity: str | None = None) -> list[LandedBatch]:
    """All complete batches, in the order in which each source landed them. Does not wait for a running ingest."""
    batches: list[LandedBatch] = []
    for source in [source_id] if source_id else landed_sources(settings):
        if not (settings.landing_dir / source).is_dir():
            continue
        index = LandingIndex(settings, source)
        try:
            batches += [batch for batch in index.batches(entity) if (batch.path / MANIFEST_NAME).exists()]
        finally:
            index.close()
    return batches


def verify_chain(settings: Settings, source_id: str) -> list[ChainProblem]:
    """Compare every payload with its manifest, and every manifest with the one before it.

    Reads every byte that the source ever delivered.
    """
    problems: list[ChainProblem] = []
    folder = settings.landing_dir / source_id
    manifests: list[tuple[Manifest, Path]] = []
    for file in sorted(folder.glob(f"*/*/r*/{MANIFEST_NAME}")):
        try:
            manifests.append((read_manifest(file), file))
        except ValueError as error:
            problems.append(ChainProblem(source_id, file.parent.name, str(error), "a readable manifest", _RESTORE))
    hashes = {manifest_sha256(file) for _, file in manifests}
    firsts = [manifest for manifest, _ in manifests if manifest.previous_manifest_sha256 is None]
    if len(firsts) > 1:
        problems.append(ChainProblem(
            source_id, firsts[1].batch_id, f"{len(firsts)} manifests say that they are the first of their source",
            "one first manifest", _RESTORE))  # fmt: skip
    followed: dict[str, str] = {}
    for manifest, file in manifests:
        previous = manifest.previous_manifest_sha256
        if previous is not None and previous not in hashes:
            problems.append(ChainProblem(
                source_id, manifest.batch_id, "the manifest before this one is gone or was changed",
                f"a manifest with SHA-256 {previous}", _RESTORE))  # fmt: skip
        elif previous is not None and previous in followed:
            problems.append(ChainProblem(
                source_id, manifest.batch_id, f"{followed[previous]} follows the same manifest",
                "one successor for each manifest", _RESTORE))  # fmt: skip
        if previous is not None:
            followed[previous] = manifest.batch_id
        problems += _payload_problems(manifest, file.parent)
    return problems


def _payload_problems(manifest: Manifest, directory: Path) -> list[ChainProblem]:
    problems = []
    for file in manifest.files:
        path = directory / file.name
        if not path.exists():
            found = "is missing"
        else:
            with path.open("rb") as stream:
                found = f"has SHA-256 {hashlib.file_digest(stream, 'sha256').hexdigest()}"
        if found != f"has SHA-256 {file.sha256}":
            problems.append(ChainProblem(
                manifest.source, manifest.batch_id, f"{path.name} {found}", f"SHA-256 {file.sha256}", _RESTORE
            ))  # fmt: skip
    return problems


_RESTORE = (
    "Landing was changed after it was written. Restore the batch directory from a backup; if the source can "
    "deliver it again, move the directory away and ingest again."
)

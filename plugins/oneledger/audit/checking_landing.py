"""Landing: each source's manifests are the chain that was sealed, and each payload is what its manifest says.

Three witnesses know a manifest's hash: the ledger, the manifest landed after it, and the source's index. The ledger
has the last word; what was landed since the last seal rests on the other two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.audit.checking_ledger import Ledger
from oneledger.audit.links import Broken, Chain, SealedFile, SealedPayload
from oneledger.landing import PARTIAL_PREFIX, Manifest, landed_sources, read_manifest
from oneledger.landing.index import BatchHashes, read_hashes
from oneledger.landing.manifest import MANIFEST_NAME
from oneledger.settings import Settings

_RESTORE = (
    "Landing was changed after it was written. Restore the batch directory from a backup; if the source can deliver it "
    "again, keep the damaged one apart for the auditor, and ingest again."
)
_OWN_FILES = (".index.db", ".index.db-journal", ".index.db-wal", ".index.db-shm", ".lock")


@dataclass(frozen=True)
class _Found:
    """One manifest on disk; ``manifest`` is None when it cannot be read."""

    path: str
    sha256: str
    manifest: Manifest | None
    problem: str = ""


def check_landing(settings: Settings, read: Ledger) -> list[Chain]:
    """One chain a source, sources that are gone included."""
    sealed: dict[str, list[dict[str, Any]]] = {}
    damaged: set[str] = set()
    for entry in read.of_kind("landing"):
        document = read.document(entry.document)
        sealed.setdefault(entry.subject, [])
        if document is None:
            damaged.add(entry.subject)
        else:
            sealed[entry.subject] += document["batches"]
    sources = sorted({*sealed, *landed_sources(settings)})
    return [_SourceCheck(settings, one, sealed.get(one, []), is_damaged=one in damaged).chain() for one in sources]


class _SourceCheck:
    """The comparison of one source's folder with what is known of it."""

    def __init__(
        self, settings: Settings, source: str, sealed: Sequence[Mapping[str, Any]], *, is_damaged: bool
    ) -> None:
        self._settings = settings
        self._folder = settings.landing_dir / source
        self._chain = Chain("landing", f"landing/{source}")
        self._sealed: dict[str, BatchHashes] = {}
        for batch in sealed:
            # The first seal of a batch counts: what was sealed again with other bytes was changed between.
            self._sealed.setdefault(batch["path"], BatchHashes(**batch))
        self._is_damaged = is_damaged
        # What is broken, each thing once, in the order in which it was found.
        self._told: dict[Broken, None] = {}
        self._index, self._pending = self._read_index(source)
        self._found = self._read_manifests()
        # A batch can have been landed while the manifests were read.
        late = [path for path in self._found if path not in self._index and path not in self._sealed]
        if late and self._index:
            self._index, _ = self._read_index(source)
        # Path → place in the chain: in the order of the seals, then of the index.
        self._order = {path: number for number, path in enumerate({**self._sealed, **self._index})}

    def chain(self) -> Chain:
        self._chain.length = len(self._found)
        for path, known in {**self._index, **self._sealed}.items():
            if path not in self._found and str(self._settings.landing_dir / path) not in self._pending:
                self._add(Broken(f"landing/{path}", "is missing: the batch was taken away",
                                 f"a manifest with SHA-256 {known.manifest_sha256}", _RESTORE,
                                 self._place(path), batch_id=known.batch_id))  # fmt: skip
        for path, found in self._found.items():
            self._check_batch(path, found, self._place(path))
        self._check_links()
        self._check_strangers()
        unsealed = [path for path in self._found if path not in self._sealed]
        if not self._sealed and not self._is_damaged:
            self._chain.state = "unsealed"
        if unsealed:
            self._chain.note = f"{len(unsealed)} batches are not sealed yet; the next ingest or run seals them"
            self._add(Broken(
                f"{self._chain.name}", f"{len(unsealed)} of {len(self._found)} batches are not sealed",
                "every batch in an entry of the ledger",
                "The next `oneledger run` seals them. Until then the chain of manifests and the index speak for them.",
                len(self._found), is_warning=True,
            ))  # fmt: skip
        self._chain.broken = list(self._told)
        return self._chain

    def _check_batch(self, path: str, found: _Found, position: int) -> None:
        sealed, index = self._sealed.get(path), self._index.get(path)
        known = sealed or index
        name = f"landing/{path}/{MANIFEST_NAME}"
        batch_id = known.batch_id if known else (found.manifest.batch_id if found.manifest else path)
        directory = self._settings.landing_dir / path
        if known is not None and found.sha256 != known.manifest_sha256:
            says = "as sealed" if sealed else "as the index of the source says"
            self._add(
                Broken(
                    name,
                    found.problem or f"has SHA-256 {found.sha256}",
                    f"SHA-256 {known.manifest_sha256}, {says}",
                    _RESTORE,
                    position,
                    found.sha256,
                    batch_id,
                )
            )
            files = [
                (f"landing/{path}/{one.name}", one) for one in sorted(directory.iterdir()) if one.name != MANIFEST_NAME
            ]
            self._chain.payloads.append(SealedPayload(files, known.payload_hash, position, batch_id))
            return
        if sealed and index and index != sealed:
            self._add(
                Broken(
                    f"{self._chain.name}/.index.db",
                    f"does not tell of batch {batch_id} what was sealed",
                    f"manifest {sealed.manifest_sha256}, payload {sealed.payload_hash}",
                    "Delete the index; it is made again from the manifests.",
                    position,
                    batch_id=batch_id,
                )
            )
        if found.manifest is None:
            self._add(Broken(name, found.problem, "a readable manifest", _RESTORE, position, batch_id=batch_id))
            return
        for file in found.manifest.files:
            self._chain.files.append(SealedFile(
                f"landing/{path}/{file.name}", directory / file.name, file.sha256, position,
                f"the manifest of batch {batch_id}", _RESTORE, batch_id))  # fmt: skip

    def _check_links(self) -> None:
        """The chain of manifests itself, as far as no seal speaks for them."""
        hashes = {one.sha256 for one in self._found.values()}
        followed: dict[str | None, str] = {}
        for path, found in self._found.items():
            if found.manifest is None or path in self._sealed:
                if found.manifest is not None:
                    followed[found.manifest.previous_manifest_sha256] = found.manifest.batch_id
                continue
            previous = found.manifest.previous_manifest_sha256
            name, batch_id = f"landing/{path}/{MANIFEST_NAME}", found.manifest.batch_id
            if previous is not None and previous not in hashes:
                self._add(
                    Broken(
                        name,
                        "the manifest before this one is gone or was changed",
                        f"a manifest with SHA-256 {previous}",
                        _RESTORE,
                        self._place(path),
                        batch_id=batch_id,
                    )
                )
            elif previous in followed:
                self._add(
                    Broken(
                        name,
                        f"follows the same manifest as {followed[previous]}",
                        "one successor for each manifest",
                        _RESTORE,
                        self._place(path),
                        batch_id=batch_id,
                    )
                )
            followed[previous] = batch_id
            if self._index and path not in self._index:
                self._add(Broken(name, "was never landed here: neither the ledger nor the index knows the batch",
                                 "no such batch", "Look at who put it there, and move it away.", self._place(path),
                                 batch_id=batch_id))  # fmt: skip

    def _check_strangers(self) -> None:
        if not self._folder.is_dir():
            return
        wanted = {self._folder / name for name in _OWN_FILES} | {one.path for one in self._chain.files}
        wanted |= {path for payload in self._chain.payloads for _, path in payload.files}
        wanted |= {self._settings.landing_dir / path / MANIFEST_NAME for path in self._found}
        for path in sorted(self._folder.rglob("*")):
            below = path.relative_to(self._folder).parts
            if path.is_dir() or path in wanted or any(part.startswith(PARTIAL_PREFIX) for part in below):
                continue
            if str(path.parent) in self._pending:
                continue
            self._add(Broken(f"{self._chain.name}/{'/'.join(below)}", "does not belong to any batch", "no such file",
                             "Look at who put it there, and move it away.", len(self._found)))  # fmt: skip

    def _read_manifests(self) -> dict[str, _Found]:
        found = {}
        for file in sorted(self._folder.glob(f"*/*/r*/{MANIFEST_NAME}")):
            path = str(file.parent.relative_to(self._settings.landing_dir))
            if any(part.startswith(".") for part in Path(path).parts):
                continue
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            try:
                found[path] = _Found(path, sha256, read_manifest(file))
            except ValueError:
                found[path] = _Found(path, sha256, None, f"is no manifest of a batch, and has SHA-256 {sha256}")
        return found

    def _read_index(self, source: str) -> tuple[dict[str, BatchHashes], set[str]]:
        try:
            batches, pending = read_hashes(self._settings, source)
        except ValueError as error:
            if self._folder.is_dir():
                self._add(
                    Broken(
                        f"{self._chain.name}/.index.db",
                        str(error),
                        "the index of the source",
                        "Delete the index; it is made again from the manifests.",
                        is_warning=True,
                    )
                )
            return {}, set()
        return {one.path: one for one in batches}, pending

    def _place(self, path: str) -> int:
        return self._order.get(path, len(self._found))

    def _add(self, broken: Broken) -> None:
        self._told.setdefault(broken)

"""Published versions: every file is what was sealed, none is missing, none was added."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from oneledger.audit.checking_ledger import LEDGER, Ledger
from oneledger.audit.ledger import LedgerEntry
from oneledger.audit.links import RESTORE, Broken, Chain, SealedFile
from oneledger.publishing.versions import CURRENT, MANIFEST, NOT_YET_CURRENT
from oneledger.settings import Settings

_KEEP = "Keep the folder for the auditor, and point published/current at a version that verifies."


def version_folders(settings: Settings) -> list[Path]:
    """Every folder that is, or says that it is, a version; what begins with a dot is none to anybody."""
    if not settings.published_dir.is_dir():
        return []
    return sorted(
        path
        for path in settings.published_dir.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def check_published(settings: Settings, read: Ledger, folders: list[Path], only: str | None = None) -> list[Chain]:
    """One chain a version, removed ones included; ``only`` leaves out the others."""
    entries: dict[str, list[LedgerEntry]] = {}
    for entry in read.of_kind("version"):
        entries.setdefault(entry.subject, []).append(entry)
    names = sorted({*entries, *(folder.name for folder in folders)})
    first_sealed = min(entries, default="")
    chains = []
    for position, name in enumerate(names):
        if only not in (None, name):
            continue
        chain = Chain("published", f"published/{name}", length=1)
        folder = settings.published_dir / name
        if name in entries:
            _check_sealed(read, chain, folder, entries[name], position)
        else:
            _check_unsealed(chain, folder, position, is_from_before=not first_sealed or name < first_sealed)
        chains.append(chain)
    if chains and only is None and (link := _check_current(settings, list(entries))):
        chains[-1].broken.append(link)
    return chains


def _check_sealed(read: Ledger, chain: Chain, folder: Path, entries: list[LedgerEntry], position: int) -> None:
    entry = entries[0]
    if any(one.document != entry.document for one in entries[1:]):
        chain.broken.append(Broken(
            LEDGER, f"{chain.name} was sealed again with other content, in entry {entries[-1].sequence}",
            f"what entry {entry.sequence} sealed", _KEEP, position))  # fmt: skip
    if not folder.is_dir():
        removal = read.removals().get(("version", folder.name))
        if removal is None:
            chain.broken.append(Broken(chain.name, "is missing", f"the version that entry {entry.sequence} sealed",
                                       RESTORE, position))  # fmt: skip
        else:
            chain.state = "removed"
            chain.note = f"removed by {removal['name']}: {removal['reason']}; its seal stays"
        return
    document = read.document_for(chain, entry, position)
    if document is None:
        return
    chain.note = f"entry {entry.sequence}, {len(document['files'])} files"
    says = f"entry {entry.sequence} of the ledger"
    for name, one in document["files"].items():
        chain.files.append(SealedFile(f"{chain.name}/{name}", folder / name, one["sha256"], position, says))
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_dir() and name not in document["files"] and path.name != NOT_YET_CURRENT:
            chain.broken.append(Broken(f"{chain.name}/{name}", "does not belong to the version", "no such file",
                                       "Look at who put it there, and remove it.", position))  # fmt: skip
    if broken := _anchor_before(read, chain, folder, document, position):
        chain.broken.append(broken)


def _anchor_before(read: Ledger, chain: Chain, folder: Path, document: dict[str, Any], position: int) -> Broken | None:
    """The version's own word on what had been sealed before it was built, which a ledger made anew does not keep."""
    manifest = _manifest(folder)
    if manifest is None or document["files"].get(MANIFEST, {}).get("sha256") != manifest[1]:
        return None
    before = manifest[0].get("anchor_before")
    if before is None or before in read.anchors:
        return None
    return Broken(
        LEDGER,
        f"never had the anchor that stood when {chain.name} was built",
        f"an entry with anchor {before}",
        "The ledger was made anew or changed since: restore it from a backup.",
        position,
    )


def _check_unsealed(chain: Chain, folder: Path, position: int, *, is_from_before: bool) -> None:
    chain.state = "unsealed"
    manifest = _manifest(folder)
    if (folder / NOT_YET_CURRENT).exists() and manifest is not None:
        chain.note = "complete, not sealed and not current yet: the next run does both"
        chain.broken.append(Broken(chain.name, chain.note, "a version that is sealed", "oneledger run", position,
                                   is_warning=True))  # fmt: skip
        return
    if manifest is None:
        chain.broken.append(Broken(f"{chain.name}/{MANIFEST}", "cannot be read, and no entry of the ledger seals the "
                                   "version", "a readable manifest", _KEEP, position))  # fmt: skip
        return
    if "anchor_before" in manifest[0] or not is_from_before:
        chain.broken.append(Broken(
            chain.name, "has no seal in the ledger, although it was made when versions were sealed",
            "an entry of the ledger that seals it",
            f"The ledger was cut, or somebody put the version there. {_KEEP}", position))  # fmt: skip
    else:
        chain.note = "from before there were seals: only what its manifest lists can be compared"
        chain.broken.append(Broken(
            chain.name, "is not sealed: it was published before there were seals, so nobody can say whether somebody "
            "changed it together with its manifest", "an entry of the ledger that seals it",
            "Nothing to do: what is published from now on is sealed. Compare its figures with a copy somebody kept.",
            position, is_warning=True,
        ))  # fmt: skip
    for name, sha256 in _listed(manifest[0]).items():
        chain.files.append(SealedFile(f"{chain.name}/{name}", folder / name, sha256, position,
                                      "the manifest of the version, which is not sealed"))  # fmt: skip


def _check_current(settings: Settings, sealed: list[str]) -> Broken | None:
    """``current`` points at the newest sealed version that is there; else somebody set it back."""
    link = settings.published_dir / CURRENT
    there = [name for name in sealed if (settings.published_dir / name).is_dir()]
    target = link.readlink().name if link.is_symlink() else None
    if not there or target == max(there):
        return None
    return Broken(
        f"published/{CURRENT}", f"points at {target or 'nothing'}, and a newer version is sealed", max(there),
        "When nobody set it back on purpose: oneledger run", 0, is_warning=True,
    )  # fmt: skip


def _manifest(folder: Path) -> tuple[dict[str, Any], str] | None:
    try:
        content = (folder / MANIFEST).read_bytes()
        return dict(json.loads(content)), hashlib.sha256(content).hexdigest()
    except (OSError, ValueError, TypeError):
        return None


def _listed(manifest: dict[str, Any]) -> dict[str, str]:
    listed = {f"facts/{one['fact']}/{one['month']}.parquet": one["sha256"] for one in manifest.get("facts", ())}
    if batches := manifest.get("batches"):
        listed[batches["file"]] = batches["sha256"]
    return {**listed, **((manifest.get("evaluation") or {}).get("files") or {})}

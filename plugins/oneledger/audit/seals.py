"""What is sealed, and when: each function is called by the room that has just made the thing.

A source's landing after each ingest that landed something; each decision of a person when it is made; each published
version before ``current`` points at it, with the heads of landing, the decisions and the rules that stood then; rules
that changed without changing what is published; and what retention removed, so that a gap has a name and a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from oneledger.audit.hashing import sha256_of
from oneledger.audit.ledger import (
    LedgerEntry,
    append,
    catch_up,
    last_entry,
    newest_entry,
    read_document,
    sealed_subjects,
    store_document,
)
from oneledger.landing.index import LandingIndex
from oneledger.landing.reading import landed_sources
from oneledger.publishing.versions import NOT_YET_CURRENT, PublishedVersion
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import DECIDED, EvaluationRun, list_runs

RULE_PARTS = ("dbt_project/models", "dbt_project/macros", "dbt_project/seeds", "dbt_project/dbt_project.yml",
              "expectations")  # fmt: skip
CATALOGUE_PREFIX = "catalogue:"


def present_anchor(settings: Settings) -> str | None:
    """The anchor of the newest entry; None while nothing is sealed."""
    newest = newest_entry(settings)
    return newest.anchor if newest else None


def seal_landing(settings: Settings, index: LandingIndex) -> LedgerEntry | None:
    """Seal what a source landed since it was sealed last; None when that is nothing.

    Called by the holder of the source's lock, or by one who only needs what is landed so far.
    """
    source = index.source_id
    known, count = last_entry(settings, ("landing",), source), 0
    before: dict[str, Any] = {}
    if known is not None:
        before = _document(settings, known)
        count = int(before.get("batches_count", 0))
        tail = index.hashes_after(max(count - 1, 0))
        if not tail or tail[0].manifest_sha256 != before.get("head"):
            # Landing is no longer what was sealed. Everything is listed anew; verifying sets both lists side by side.
            count = 0
    batches = index.hashes_after(count)
    if not batches:
        catch_up(settings)
        return None
    return append(settings, "landing", source, {
        "kind": "landing",
        "source": source,
        "previous_head": before.get("head"),
        "head": batches[-1].manifest_sha256,
        "batches_count": count + len(batches),
        "batches": [asdict(one) for one in batches],
    })  # fmt: skip


def seal_version(settings: Settings, version: PublishedVersion, previous: PublishedVersion | None) -> LedgerEntry:
    """Seal every file of a version, and with it everything that it was made from.

    Landing, decisions and releases that a killed process left unsealed are sealed first.
    """
    seal_open_decisions(settings)
    landing = {}
    for source in landed_sources(settings):
        index = LandingIndex(settings, source)
        try:
            seal_landing(settings, index)
        finally:
            index.close()
        if entry := last_entry(settings, ("landing",), source):
            landing[source] = entry.anchor
    before = last_entry(settings, ("version",), previous.version) if previous else None
    return append(settings, "version", version.version, {
        "kind": "version",
        "version": version.version,
        "run_id": version.manifest["run_id"],
        "created_at": version.manifest["created_at"],
        "content_hash": version.content_hash,
        "previous_version": previous.version if previous else None,
        "previous_version_anchor": before.anchor if before else None,
        "landing_anchors": landing,
        "evaluations": {run.run_id: run.state for run in _decided(settings)},
        "rules": _store_rules(settings),
        "files": _version_files(settings, version, previous, before),
    })  # fmt: skip


def is_sealed(settings: Settings, kind: str, subject: str) -> bool:
    """Whether the ledger has an entry of this kind and subject."""
    return last_entry(settings, (kind,), subject) is not None


def files_as_sealed(settings: Settings, version: PublishedVersion) -> Callable[[str], bool]:
    """Answers whether a file of a version (its path from the version's folder) is, byte for byte, what was sealed."""
    entry = last_entry(settings, ("version",), version.version)
    files: Mapping[str, Any] = _document(settings, entry).get("files", {}) if entry else {}

    def is_as_sealed(name: str) -> bool:
        path = version.path / name
        return name in files and path.is_file() and sha256_of(path) == files[name]["sha256"]

    return is_as_sealed


def seal_rules(settings: Settings, version: PublishedVersion) -> LedgerEntry | None:
    """Seal the rules of today when they differ from those sealed last and the published version stays as it is."""
    last = last_entry(settings, ("version", "rules"))
    rules = _store_rules(settings)
    if last is not None and _document(settings, last).get("rules") == rules:
        return None
    return append(settings, "rules", version.version, {"kind": "rules", "version": version.version, "rules": rules})


def seal_decision_on_run(settings: Settings, run: EvaluationRun, *, is_late: bool = False) -> LedgerEntry:
    """Seal a confirmed or rejected evaluation run with every byte of its folder."""
    return append(settings, "evaluation", run.run_id, {
        "kind": "evaluation",
        "run_id": run.run_id,
        "state": "rejected" if run.state == "rejected" else "confirmed",
        "supersedes": run.decision.get("supersedes"),
        "decided_at": run.decision["decided_at"],
        "version": run.record["version"],
        "is_late": is_late,
        "files": files_of(run.path),
    })  # fmt: skip


def seal_file(settings: Settings, path: Path, *, is_late: bool = False) -> LedgerEntry:
    """Seal one file of the state directory that never changes: a release of quarantined rows, a reviewed plan …"""
    name = str(path.relative_to(settings.home))
    content = {"kind": "decision", "file": name, "is_late": is_late, "files": {name: _described(path)}}
    return append(settings, "decision", name, content)


def seal_report(settings: Settings, folder: Path, run: EvaluationRun, version: str) -> LedgerEntry | None:
    """Seal every file of a report; None when the newest entry about it says the same already.

    A report may be made again, for it follows from a run and a version: the newest entry counts.
    """
    document = {"kind": "report", "run_id": run.run_id, "version": version, "files": files_of_report(folder)}
    known = last_entry(settings, ("report",), run.run_id)
    if known is not None and _document(settings, known) == document:
        return None
    return append(settings, "report", run.run_id, document)


def files_of_report(folder: Path) -> dict[str, dict[str, Any]]:
    """As ``files_of``, without what is hidden: the lock of whoever makes it."""
    return {name: one for name, one in files_of(folder).items() if not name.startswith(".")}


def seal_removal(settings: Settings, kind: str, subject: str, *, name: str, reason: str) -> LedgerEntry:
    """Say, before it is removed, that a version (or another sealed thing) is removed on purpose, by whom and why.

    Args:
        kind: what it was sealed as: ``version``, ``evaluation`` or ``decision``.
        subject: the version, run id or file.
        name: the person or rule that decides.
        reason: in a sentence.
    """
    return append(settings, "removal", subject, {
        "kind": "removal", "removed_kind": kind, "removed": subject, "name": name, "reason": reason
    })  # fmt: skip


class Removed(Protocol):
    """What retention is about to remove: what it is, and which."""

    @property
    def kind(self) -> str: ...

    @property
    def subject(self) -> str: ...


def seal_before_removal(settings: Settings, removal: Removed, name: str, reason: str) -> None:
    """``seal_removal`` as retention calls it before each removal; what was never sealed needs no entry."""
    if is_sealed(settings, removal.kind, removal.subject):
        seal_removal(settings, removal.kind, removal.subject, name=name, reason=reason)


def seal_open_decisions(settings: Settings) -> list[LedgerEntry]:
    """Seal decisions that are in no entry: made before there were seals, or just before a process was killed."""
    known = sealed_subjects(settings, ("evaluation", "decision"))
    sealed = [
        seal_decision_on_run(settings, run, is_late=True)
        for run in _decided(settings)
        if ("evaluation", run.run_id) not in known
    ]
    for path in decision_files(settings):
        if ("decision", str(path.relative_to(settings.home))) not in known:
            sealed.append(seal_file(settings, path, is_late=True))
    return sealed


def decision_files(settings: Settings) -> list[Path]:
    """Decisions of people in files of their own: what data are made from, and what was removed."""
    found = [settings.releases_dir.glob("????-??/*.json"), (settings.home / "retention").glob("????-??/*.json")]
    return sorted(path for paths in found for path in paths)


def rule_files(settings: Settings) -> dict[str, Path]:
    """Every file that decides what is loaded, checked and computed, by the name under which it is sealed."""
    found = {}
    for part in RULE_PARTS:
        start = settings.project_root / part
        for path in [start] if start.is_file() else start.rglob("*"):
            names = path.relative_to(settings.project_root).parts
            if path.is_file() and not any(one.startswith(".") or one == "__pycache__" for one in names):
                found["/".join(names)] = path
    for path in settings.catalogue_paths:
        is_ours = path.is_relative_to(settings.project_root)
        name = str(path.relative_to(settings.project_root)) if is_ours else f"{CATALOGUE_PREFIX}{path.name}"
        if path.is_file():
            found[name] = path
    return dict(sorted(found.items()))


def files_of(folder: Path) -> dict[str, dict[str, Any]]:
    """SHA-256 and size of every file of a folder, by its path from there."""
    return {
        str(path.relative_to(folder)): _described(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NOT_YET_CURRENT
    }


def _version_files(
    settings: Settings, version: PublishedVersion, previous: PublishedVersion | None, before: LedgerEntry | None
) -> dict[str, dict[str, Any]]:
    """As ``files_of``, without reading again what is linked from the version before: history costs nothing.

    For a linked file the seal of the version before holds, or else the hash that was taken when it was written.
    """
    known: Mapping[str, Any] = _document(settings, before).get("files", {}) if before else {}
    written = {
        f"facts/{one['fact']}/{one['month']}.parquet": {"sha256": one["sha256"], "size_bytes": one["size_bytes"]}
        for one in version.manifest.get("facts", ())
    }
    files = {}
    for path in sorted(version.path.rglob("*")):
        name = str(path.relative_to(version.path))
        if not path.is_file() or path.name == NOT_YET_CURRENT:
            continue
        old = previous.path / name if previous else None
        if old is not None and name in known and old.is_file() and old.samefile(path):
            files[name] = dict(known[name])
        else:
            files[name] = written.get(name) or _described(path)
    return files


def _store_rules(settings: Settings) -> str:
    files = {name: sha256_of(path) for name, path in rule_files(settings).items()}
    return store_document(settings, {"kind": "rule_files", "files": files})


def _decided(settings: Settings) -> Sequence[EvaluationRun]:
    return [run for run in list_runs(settings.evaluations_dir) if run.state in DECIDED]


def _described(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "size_bytes": path.stat().st_size}


def _document(settings: Settings, entry: LedgerEntry) -> dict[str, Any]:
    """What an entry sealed; nothing when its document was damaged, which verifying names."""
    try:
        return read_document(settings, entry.document)
    except ValueError:
        return {}

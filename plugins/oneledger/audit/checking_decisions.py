"""Evaluation runs, decision files and rule files: what people decided, and by which rules."""

from __future__ import annotations

import json
from pathlib import Path

from oneledger.audit.checking_ledger import LEDGER, Ledger
from oneledger.audit.ledger import LedgerEntry
from oneledger.audit.links import RESTORE, Broken, Chain, SealedFile
from oneledger.audit.seals import decision_files, rule_files
from oneledger.evaluation.runs import verify_run
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import CONFIRMATION_FILE, REJECTION_FILE, RUN_FILE, EvaluationRun

_FORGED = (
    "A process that was killed between a decision and its seal leaves such a one; `oneledger run` seals it. "
    "Else the ledger was cut, or somebody put it there: ask the person whom it names."
)


def run_folders(settings: Settings) -> list[Path]:
    """Every folder of an evaluation run."""
    if not settings.evaluations_dir.is_dir():
        return []
    return sorted(one for one in settings.evaluations_dir.iterdir() if one.is_dir() and not one.name.startswith("."))


def check_evaluations(settings: Settings, read: Ledger, folders: list[Path]) -> list[Chain]:
    """One chain an evaluation run: decided ones by their seal, drafts by the hashes that they carry themselves."""
    entries = _by_subject(read, "evaluation")
    are_decisions_sealed = bool(read.of_kind("version"))
    chains = []
    for position, name in enumerate(sorted({*entries, *(folder.name for folder in folders)})):
        folder = settings.evaluations_dir / name
        chain = Chain("evaluations", f"evaluations/{name}", length=1)
        if name in entries:
            _check_sealed_folder(read, chain, folder, entries[name], position, kind="evaluation")
        else:
            _check_run(chain, folder, position, are_decisions_sealed=are_decisions_sealed)
        chains.append(chain)
    return chains


def check_decisions(settings: Settings, read: Ledger, files: list[Path]) -> Chain:
    """Decision files (releases of quarantined rows …) as one chain, in the order in which they were sealed."""
    entries = _by_subject(read, "decision")
    chain = Chain("decisions", "decisions", length=len(entries), note="" if entries else "没有 none yet")
    removed = read.removals()
    for position, (name, of_file) in enumerate(entries.items()):
        if of_file[-1].document != of_file[0].document:
            chain.broken.append(_sealed_again(name, of_file, position))
        if ("decision", name) in removed:
            continue
        document = read.document(of_file[0].document)
        for file, one in (document or {}).get("files", {}).items():
            chain.files.append(SealedFile(file, settings.home / file, one["sha256"], position,
                                          f"entry {of_file[0].sequence} of the ledger"))  # fmt: skip
    for path in files:
        name = str(path.relative_to(settings.home))
        if name not in entries:
            chain.broken.append(Broken(
                name, "is a decision that nobody sealed", "an entry of the ledger that seals it", _FORGED, len(entries),
                is_warning=not read.of_kind("version")))  # fmt: skip
    return chain


def check_rules(settings: Settings, read: Ledger, *, may_be_edited: bool) -> Chain:
    """The rule files of the checkout beside those that the published version was made with."""
    chain = Chain("rules", "rules")
    sealed = read.of_kind("version", "rules")
    document = read.document(sealed[-1].document) if sealed else None
    rules = read.document(str(document["rules"])) if document else None
    if document is None or rules is None:
        chain.state = "unproven" if sealed else "unsealed"
        chain.note = (
            "nothing seals the rules yet" if not sealed else "the document that seals them was changed or is gone"
        )
        return chain
    chain.length = len(rules["files"])
    since = f"changed since version {document['version']} was made (entry {sealed[-1].sequence})"
    remedy = (
        "When the change is meant: `oneledger run` publishes by it and seals it. Else `git diff` shows it and "
        "`git checkout` takes it back."
    )
    present = rule_files(settings)
    for position, (name, sha256) in enumerate(rules["files"].items()):
        path = present.get(name)
        if path is None:
            chain.broken.append(Broken(name, f"is missing: {since}", f"SHA-256 {sha256}", remedy, position,
                                       is_warning=may_be_edited))  # fmt: skip
        else:
            chain.files.append(SealedFile(name, path, sha256, position, since, remedy))
    for name in present.keys() - rules["files"].keys():
        chain.broken.append(Broken(name, f"was added: {since}", "no such file", remedy, chain.length,
                                   is_warning=may_be_edited))  # fmt: skip
    chain.note = f"as of version {document['version']}"
    return chain


def _check_sealed_folder(
    read: Ledger, chain: Chain, folder: Path, entries: list[LedgerEntry], position: int, *, kind: str
) -> None:
    entry = entries[0]
    if entries[-1].document != entry.document:
        chain.broken.append(_sealed_again(chain.name, entries, position))
    document = read.document_for(chain, entry, position)
    if document is None:
        return
    if not folder.is_dir():
        removal = read.removals().get((kind, folder.name))
        if removal is None:
            chain.broken.append(Broken(chain.name, "is missing", f"what entry {entry.sequence} sealed", RESTORE,
                                       position))  # fmt: skip
        else:
            chain.state, chain.note = "removed", f"removed by {removal['name']}: {removal['reason']}"
        return
    late = ", sealed later than it was decided" if document["is_late"] else ""
    chain.note = f"{document['state']}, entry {entry.sequence}, {len(document['files'])} files{late}"
    for name, one in document["files"].items():
        chain.files.append(SealedFile(f"{chain.name}/{name}", folder / name, one["sha256"], position,
                                      f"entry {entry.sequence} of the ledger"))  # fmt: skip
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in document["files"]:
            chain.broken.append(Broken(f"{chain.name}/{name}", "does not belong to the run", "no such file",
                                       "Look at who put it there, and remove it.", position))  # fmt: skip


def _check_run(chain: Chain, folder: Path, position: int, *, are_decisions_sealed: bool) -> None:
    """A run without a seal: a draft, or one that was decided before there were seals."""
    decided = [name for name in (CONFIRMATION_FILE, REJECTION_FILE) if (folder / name).is_file()]
    chain.state = "unsealed" if decided else "draft"
    try:
        record = json.loads((folder / RUN_FILE).read_bytes())
        decision = json.loads((folder / decided[0]).read_bytes()) if decided else {}
        problems = verify_run(EvaluationRun(folder, dict(record), dict(decision), "draft"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        chain.broken.append(Broken(f"{chain.name}/{RUN_FILE}", f"cannot be read, or its decision cannot ({error})",
                                   "the record of the run", RESTORE, position))  # fmt: skip
        return
    chain.note = f"{len(record['files'])} files as the run's own record says"
    chain.broken += [
        Broken(f"{chain.name}/{decided[0] if one.file == 'decision' and decided else one.file}", one.problem,
               one.expected, one.remedy, position)
        for one in problems
    ]  # fmt: skip
    if decided and (are_decisions_sealed or "anchor_before" in decision):
        chain.broken.append(Broken(f"{chain.name}/{decided[0]}", "is a decision that nobody sealed",
                                   "an entry of the ledger that seals it", _FORGED, position))  # fmt: skip
    elif decided:
        chain.broken.append(Broken(
            chain.name, "is not sealed in the ledger: it was decided before there was one",
            "an entry of the ledger that seals it", "The next `oneledger run` that publishes seals it.", position,
            is_warning=True))  # fmt: skip


def _by_subject(read: Ledger, kind: str) -> dict[str, list[LedgerEntry]]:
    found: dict[str, list[LedgerEntry]] = {}
    for entry in read.of_kind(kind):
        found.setdefault(entry.subject, []).append(entry)
    return found


def _sealed_again(name: str, entries: list[LedgerEntry], position: int) -> Broken:
    return Broken(LEDGER, f"{name} was sealed again with other content, in entry {entries[-1].sequence}",
                  f"what entry {entries[0].sequence} sealed", RESTORE, position)  # fmt: skip


__all__ = ["check_decisions", "check_evaluations", "check_rules", "decision_files", "run_folders"]

"""Verify: compute every hash again, and name the first broken link of each chain and everything else that is broken."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oneledger.audit.anchors import Anchor, current_anchor, find_anchor, list_anchors
from oneledger.audit.checking_decisions import check_decisions, check_evaluations, check_rules, run_folders
from oneledger.audit.checking_landing import check_landing
from oneledger.audit.checking_ledger import LEDGER, Ledger, check_ledger, read_ledger
from oneledger.audit.checking_published import check_published, version_folders
from oneledger.audit.checking_reports import check_reports, report_folders
from oneledger.audit.hashing import HashRun, Show, hash_files
from oneledger.audit.links import RESTORE, Broken, Chain, SealedFile, SealedPayload
from oneledger.audit.seals import decision_files
from oneledger.audit.signing import public_key
from oneledger.landing.manifest import payload_hash
from oneledger.publishing.versions import resolve
from oneledger.runbooks import page_of
from oneledger.settings import ConfigurationError, Settings

AREAS = ("landing", "published", "evaluations", "decisions", "reports", "rules", "ledger")
_SHOWN_SINCE = 20


def verify(
    settings: Settings,
    area: str | None = None,
    *,
    version: str | None = None,
    anchor: str | None = None,
    public_key_file: str | None = None,
    may_rules_be_edited: bool = False,
    is_strict: bool = False,
    workers: int | None = None,
    is_anew: bool = False,
    show: Show = lambda _: None,
) -> dict[str, Any]:
    """Compare everything that is kept with what was sealed.

    Args:
        area: only this one of ``AREAS``; the ledger is always verified, for all others rest on it.
        version: only this published version (a name, the start of one, or ``current``).
        anchor: one that somebody kept: is it an anchor of this ledger, and what came after it?
        public_key_file: the key that signatures must verify with; default ``ONELEDGER_PUBLIC_KEY``.
        may_rules_be_edited: a rule file of the checkout that differs is told as a warning.
        is_strict: what is not sealed, and every other warning, counts as a failure.
        workers: how many files are read at once.
        is_anew: take nothing over from a verification that was interrupted.
        show: told how it goes on.

    Returns:
        ``{ok, anchor, kept_anchor, files_count, bytes_count, seconds, taken_over_count, items}``. An item that is right
        has area, name, state, length and note; one that is not has ``file``, ``batch_id``, ``problem``, ``expected``,
        ``found``, ``remedy``, ``runbook`` and ``is_first_broken_link``; a warning has ``ok`` true and ``is_warning``.

    Raises:
        ConfigurationError: area, version, anchor or key are none.
    """
    if area not in (None, *AREAS):
        raise ConfigurationError(f"There is no area {area!r} to verify; the areas are {', '.join(AREAS)} and anchors.")
    begun = time.monotonic()
    public = public_key(public_key_file)
    kept = _kept(settings, anchor) if anchor else None
    if version:
        area, version = area or "published", _version_name(settings, version)
    # What is there is listed before the ledger is read: what is sealed in the meantime is then never missing.
    folders, runs, decisions = version_folders(settings), run_folders(settings), decision_files(settings)
    reports = report_folders(settings)
    read = read_ledger(settings)
    chains = [check_ledger(read, public)]
    if area in (None, "landing"):
        chains += check_landing(settings, read)
    if area in (None, "published"):
        chains += check_published(settings, read, folders, version)
    if area in (None, "evaluations"):
        chains += check_evaluations(settings, read, runs)
    if area in (None, "decisions"):
        chains.append(check_decisions(settings, read, decisions))
    if area in (None, "reports"):
        chains += check_reports(settings, read, reports)
    if area in (None, "rules"):
        chains.append(check_rules(settings, read, may_be_edited=may_rules_be_edited))
    hashed = hash_files(settings, _paths(chains), workers=workers, is_anew=is_anew, show=show)
    for chain in chains:
        _judge(chain, hashed, is_warning=chain.area == "rules" and may_rules_be_edited)
        _forgive_what_was_removed_meanwhile(settings, chain)
        _mark_acknowledged(read, chain)
    items = [item for chain in chains for item in _items(chain, is_strict=is_strict)]
    if kept is not None:
        items.insert(0, kept)
    head = current_anchor(settings)
    return {
        "ok": all(item["ok"] for item in items),
        "anchor": head.anchor if head else None,
        "sequence": head.sequence if head else 0,
        "kept_anchor": kept,
        "files_count": len(hashed.sha256) + len(hashed.unread),
        "bytes_count": hashed.bytes_count,
        "taken_over_count": hashed.taken_over_count,
        "seconds": round(time.monotonic() - begun, 2),
        "items": items,
    }


def _kept(settings: Settings, given: str) -> dict[str, Any]:
    """What this ledger says of an anchor that somebody kept."""
    found = find_anchor(settings, given)
    item: dict[str, Any] = {"area": "ledger", "name": f"anchor {given}", "ok": found is not None, "state": "kept"}
    if found is None:
        return item | {
            "file": LEDGER,
            "problem": f"this ledger never had the anchor {given}: it was changed, cut before that entry, or made anew",
            "expected": f"an entry whose line has SHA-256 {given}",
            "found": None,
            "remedy": f"Whoever kept it has it right: restore the ledger from a backup that holds it. {RESTORE}",
            "is_first_broken_link": True,
        }
    since = [one for one in list_anchors(settings) if one.sequence > found.sequence]
    return item | {
        "anchor": found.anchor,
        "sequence": found.sequence,
        "sealed_at": found.sealed_at,
        "since_count": len(since),
        "since": [_told(one) for one in since[-_SHOWN_SINCE:]],
        "note": f"entry {found.sequence} of {found.sealed_at}, {found.kind} {found.subject}; {len(since)} since",
    }


def _told(anchor: Anchor) -> dict[str, Any]:
    return {"sequence": anchor.sequence, "sealed_at": anchor.sealed_at, "kind": anchor.kind, "subject": anchor.subject}


def _version_name(settings: Settings, given: str) -> str:
    """A published version, or one that is only in the ledger any more."""
    sealed = {one.subject for one in read_ledger(settings).of_kind("version")}
    return given if given in sealed else resolve(settings, given).version


def _paths(chains: Sequence[Chain]) -> list[Path]:
    return [one.path for chain in chains for one in chain.files] + [
        path for chain in chains for payload in chain.payloads for _, path in payload.files
    ]


def _judge(chain: Chain, hashed: HashRun, *, is_warning: bool) -> None:
    for file in chain.files:
        found = hashed.sha256.get(file.path)
        if found != file.sha256:
            chain.broken.append(_differs(file, found, hashed.unread.get(file.path), is_warning))
    for payload in chain.payloads:
        hashes = [hashed.sha256.get(path, "") for _, path in payload.files]
        if payload_hash(hashes) != payload.payload_hash:
            chain.broken += _payload_differs(payload, hashes)
    chain.broken.sort(key=lambda one: (one.is_warning, one.position))


def _differs(file: SealedFile, found: str | None, unread: str | None, is_warning: bool) -> Broken:
    return Broken(
        file.file, f"has SHA-256 {found}" if found else unread or "is missing", f"SHA-256 {file.sha256}, {file.says}",
        file.remedy, file.position, found, file.batch_id, is_warning,
    )  # fmt: skip


def _payload_differs(payload: SealedPayload, hashes: Sequence[str]) -> list[Broken]:
    """Which of several files it is cannot be told: their manifest was changed as well."""
    files = payload.files or [(f"the payload of {payload.batch_id}", Path())]
    return [
        Broken(name, f"has SHA-256 {sha256 or 'none'}" + (", or another file of the batch differs" if len(files) > 1
               else ""), f"files that together give {payload.payload_hash}, as sealed", RESTORE, payload.position,
               sha256 or None, payload.batch_id)
        for (name, _), sha256 in zip(files, hashes or [""], strict=True)
    ]  # fmt: skip


def _forgive_what_was_removed_meanwhile(settings: Settings, chain: Chain) -> None:
    """Retention may remove a version while it is read; the ledger says so by then."""
    name = chain.name.partition("/")[2]
    if chain.area != "published" or not chain.broken or (settings.published_dir / name).is_dir():
        return
    removal = read_ledger(settings).removals().get(("version", name))
    if removal is not None:
        chain.state, chain.broken = "removed", []
        chain.note = f"removed by {removal['name']}: {removal['reason']}; its seal stays"


def _mark_acknowledged(read: Ledger, chain: Chain) -> None:
    """What a person has answered for is told, with the name, and fails no more as long as it stays what it was."""
    known = read.acknowledged()
    for number, one in enumerate(chain.broken):
        if not one.is_warning and (answer := known.get(f"{one.file} {one.problem}")):
            name, at, reason = answer
            remedy = f"Acknowledged by {name} on {at[:10]}: {reason}"
            chain.broken[number] = dataclasses.replace(one, is_warning=True, remedy=remedy)
    chain.broken.sort(key=lambda one: (one.is_warning, one.position))


def _items(chain: Chain, *, is_strict: bool) -> list[dict[str, Any]]:
    about = {"area": chain.area, "name": chain.name, "state": chain.state, "length": chain.length}
    failures = [one for one in chain.broken if is_strict or not one.is_warning]
    items: list[dict[str, Any]] = []
    if not failures:
        items.append({**about, "ok": True, "note": chain.note, "files_count": len(chain.files)})
    for one in chain.broken:
        is_failure = is_strict or not one.is_warning
        items.append({
            **about, "ok": not is_failure, "is_warning": not is_failure, "file": one.file, "batch_id": one.batch_id,
            "problem": f"{one.file} {one.problem}", "expected": one.expected, "found": one.found, "remedy": one.remedy,
            "runbook": page_of(f"verify:{chain.area}"), "is_first_broken_link": is_failure and one is failures[0],
        })  # fmt: skip
    return items

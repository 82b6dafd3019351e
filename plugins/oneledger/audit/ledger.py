"""The ledger of seals: one line an entry, each with the hash of the line before, only ever appended to.

``seals/ledger.jsonl``            one entry a line: sequence, kind, subject, sealed_at, document, previous
``seals/documents/<aa>/<sha256>.json``   what was sealed, under the hash of its bytes; an entry names its document
``seals/head.json``               sequence and anchor of the newest entry
``seals/signatures.jsonl``        signatures of anchors (``oneledger.audit.signing``)

The *anchor* of an entry is the SHA-256 of its line, line feed included (``tail -n 1 ledger.jsonl | sha256sum``), and
the next line carries it as ``previous``: who keeps an anchor can tell of every entry up to it, of every document that
they name, and of every file that these list, whether it is still what it was.

This module stands on the settings alone, so that each room can seal what it makes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from oneledger.audit import signing
from oneledger.audit.lines import append_line, canonical, lines_from_end, write_whole
from oneledger.locks.register import LEDGER
from oneledger.outcomes import utc_now
from oneledger.settings import ConfigurationError, Settings

Kind = Literal["landing", "version", "rules", "evaluation", "decision", "report", "removal", "acknowledged", "break"]
LEDGER_FILE = "ledger.jsonl"
HEAD_FILE = "head.json"
DOCUMENTS_DIR = "documents"
LOCK_FILE = ".lock"


@dataclass(frozen=True)
class LedgerEntry:
    """One line of the ledger.

    Attributes:
        sequence: 1 for the first.
        kind: what was sealed.
        subject: of what kind: a source, a version, a run id, a file below the state directory.
        sealed_at: UTC, ISO 8601.
        document: SHA-256 of the document that says what was sealed.
        previous: the anchor of the entry before; None for the first.
        anchor: SHA-256 of the line itself.
    """

    sequence: int
    kind: str
    subject: str
    sealed_at: str
    document: str
    previous: str | None
    anchor: str


def append(settings: Settings, kind: Kind, subject: str, document: Mapping[str, Any]) -> LedgerEntry:
    """Seal a document: store it and add an entry, signed when a key is configured. One process at a time.

    When the ledger is not what its head file says, it was cut or changed since: an entry of kind ``break`` says so
    first, for good, and the work goes on.

    Raises:
        ConfigurationError: the signing key of the environment cannot be used.
        BusyError: another process writes the ledger, and did not end while this one waited.
    """
    key = signing.signing_key()
    with LEDGER.held(settings, run_id=f"{kind} {subject}", step="seal"):
        last = _repaired_tail(settings)
        head = read_head(settings)
        if head is not None and (found := _mismatch(settings, head, last)):
            last = _add(settings, "break", head["anchor"] or "an unreadable head file", found, last, key)
        return _add(settings, kind, subject, document, last, key)


def catch_up(settings: Settings) -> None:
    """Finish what a process left that was killed while it sealed: a half line, a missing signature, an old head file.

    The next seal would do it as well; but a night that seals nothing more should not leave it standing. A ledger that
    differs from its head file in any other way stays as it is: the next seal says so for good.
    """
    newest, head = newest_entry(settings), read_head(settings)
    if not ledger_path(settings).is_file() or (newest is not None and head and head["anchor"] == newest.anchor):
        return
    key = signing.signing_key()
    with LEDGER.held(settings, run_id="after a kill", step="seal"):
        last, head = _repaired_tail(settings), read_head(settings)
        if last is None or (head["anchor"] if head else None) != last.previous:
            return
        if key is not None:
            _sign(settings, key, last)
        write_whole(settings.seals_dir / HEAD_FILE, head_content(last.sequence, last.anchor))


def sign_newest(settings: Settings) -> LedgerEntry:
    """Sign the newest entry with the key of the environment; a signature covers everything before it.

    Raises:
        ConfigurationError: there is no key that can be used, or nothing is sealed yet.
    """
    key = signing.signing_key()
    if key is None:
        raise ConfigurationError(f"{signing.SIGNING_KEY} is not set, so nothing can be signed. {signing.HOW}")
    with LEDGER.held(settings, run_id="newest entry", step="sign"):
        newest = newest_entry(settings)
        if newest is None:
            raise ConfigurationError("Nothing is sealed yet, or the newest entry of the ledger cannot be read.")
        _sign(settings, key, newest)
    return newest


def _sign(settings: Settings, key: signing.SigningKey, entry: LedgerEntry) -> None:
    """Sign an entry, unless this key did so before."""
    known = signing.read_signatures(settings.seals_dir)
    if not any(one and one["anchor"] == entry.anchor and one["fingerprint"] == key.fingerprint for one in known):
        signing.record_signature(settings.seals_dir, key, entry.sequence, entry.anchor)


def store_document(settings: Settings, document: Mapping[str, Any]) -> str:
    """Store a document that another one names; returns the SHA-256 of its bytes, under which it lies."""
    content = canonical(document)
    sha256 = hashlib.sha256(content).hexdigest()
    path = document_path(settings, sha256)
    # Only these bytes can have this name: a damaged document is put right when the same is sealed again.
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return sha256


def read_document(settings: Settings, sha256: str) -> dict[str, Any]:
    """The document of this hash.

    Raises:
        ValueError: it is missing, or its bytes have another hash.
    """
    path = document_path(settings, sha256)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"has SHA-256 {found}")
    return dict(json.loads(content))


def document_path(settings: Settings, sha256: str) -> Path:
    return settings.seals_dir / DOCUMENTS_DIR / sha256[:2] / f"{sha256}.json"


def ledger_path(settings: Settings) -> Path:
    return settings.seals_dir / LEDGER_FILE


def last_entry(settings: Settings, kinds: Collection[str], subject: str | None = None) -> LedgerEntry | None:
    """The newest entry of these kinds (and this subject); read from the end, so a long ledger costs nothing."""
    for line in lines_from_end(ledger_path(settings)):
        entry = parse(line)
        if entry is not None and entry.kind in kinds and subject in (None, entry.subject):
            return entry
    return None


def sealed_subjects(settings: Settings, kinds: Collection[str]) -> set[tuple[str, str]]:
    """Kind and subject of every entry of these kinds, in one pass."""
    entries = (parse(line) for line in read_lines(settings))
    return {(one.kind, one.subject) for one in entries if one is not None and one.kind in kinds}


def newest_entry(settings: Settings) -> LedgerEntry | None:
    """The head of the ledger; None while nothing is sealed."""
    for line in lines_from_end(ledger_path(settings)):
        return parse(line)
    return None


def read_lines(settings: Settings) -> list[bytes]:
    """Every line of the ledger as it lies there, line feeds included."""
    path = ledger_path(settings)
    return path.read_bytes().splitlines(keepends=True) if path.is_file() else []


def read_head(settings: Settings) -> dict[str, Any] | None:
    """What ``head.json`` says; an empty one when it cannot be read, None when there is none."""
    path = settings.seals_dir / HEAD_FILE
    if not path.is_file():
        return None
    unreadable = {"sequence": 0, "anchor": ""}
    content = path.read_bytes()
    try:
        head = json.loads(content)
        is_ours = content == head_content(int(head["sequence"]), str(head["anchor"]))
    except (ValueError, KeyError, TypeError):
        return unreadable
    return dict(head) if is_ours else unreadable


def head_content(sequence: int, anchor: str) -> bytes:
    """What ``head.json`` holds. It proves itself, so that of a head and a last line that differ one knows which."""
    check = hashlib.sha256(f"{sequence} {anchor}".encode()).hexdigest()
    return canonical({"sequence": sequence, "anchor": anchor, "check": check})


def parse(line: bytes) -> LedgerEntry | None:
    """The entry of a line; None when the line is not one that ``append`` wrote, byte for byte."""
    try:
        content = json.loads(line)
        if canonical(content) != line:
            return None
        entry = LedgerEntry(**content, anchor=hashlib.sha256(line).hexdigest())
    except (ValueError, TypeError):
        return None
    texts = (entry.kind, entry.subject, entry.sealed_at, entry.document, entry.previous or "")
    is_typed = isinstance(entry.sequence, int) and all(isinstance(one, str) for one in texts)
    return entry if is_typed else None


def _add(
    settings: Settings,
    kind: Kind,
    subject: str,
    document: Mapping[str, Any],
    last: LedgerEntry | None,
    key: signing.SigningKey | None,
) -> LedgerEntry:
    line = canonical(
        {
            "sequence": last.sequence + 1 if last else 1,
            "kind": kind,
            "subject": subject,
            "sealed_at": utc_now().isoformat(timespec="milliseconds"),
            "document": store_document(settings, document),
            "previous": last.anchor if last else None,
        }
    )
    append_line(ledger_path(settings), line)
    entry = parse(line)
    if entry is None:
        raise RuntimeError(f"an entry of kind {kind} cannot be read back")
    if key is not None:
        signing.record_signature(settings.seals_dir, key, entry.sequence, entry.anchor)
    write_whole(settings.seals_dir / HEAD_FILE, head_content(entry.sequence, entry.anchor))
    return entry


def _mismatch(settings: Settings, head: Mapping[str, Any], last: LedgerEntry | None) -> dict[str, Any] | None:
    """How the ledger differs from what the head file says; None when it does not.

    A process killed between its line and the head file leaves one entry more: that is no break.
    """
    if last is not None and head["anchor"] in (last.anchor, last.previous):
        return None
    return {
        "kind": "break",
        "expected": {"sequence": head["sequence"], "anchor": head["anchor"]},
        "found": {"sequence": last.sequence, "anchor": last.anchor} if last else None,
        "lines_count": len(read_lines(settings)),
    }


def _repaired_tail(settings: Settings) -> LedgerEntry | None:
    """The newest entry. A line that a killed process did not finish was never anybody's anchor: it is taken away."""
    path = ledger_path(settings)
    if not path.is_file():
        return None
    content_size = path.stat().st_size
    newest = next(lines_from_end(path), b"")
    if newest and not newest.endswith(b"\n"):
        with path.open("r+b") as stream:
            if parse(newest + b"\n") is not None:
                stream.seek(0, os.SEEK_END)
                stream.write(b"\n")
            else:
                stream.truncate(content_size - len(newest))
    for line in lines_from_end(path):
        # A line that was changed since still has a place and a hash; verifying names it.
        return parse(line) or LedgerEntry(
            len(read_lines(settings)), "?", "?", "", "", None, hashlib.sha256(line).hexdigest()
        )
    return None

"""The ledger itself: every line links to the one before, every document is what its entry names, the head is last."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oneledger.audit import ledger, signing
from oneledger.audit.ledger import LedgerEntry, parse, read_document, read_lines
from oneledger.audit.links import Broken, Chain, SealedFile
from oneledger.settings import Settings

LEDGER = f"seals/{ledger.LEDGER_FILE}"
_CUT = (
    "Restore the ledger from a backup. Anchors that outsiders kept tell up to where it was whole: "
    "`oneledger verify ledger --anchor HASH`."
)


@dataclass
class Ledger:
    """The ledger as it was read once, for all checks of one verification.

    Attributes:
        lines: how many lines it has.
        entries: those that are as they were written.
        anchors: the anchor of every line, changed ones included.
    """

    settings: Settings
    lines: list[bytes]
    entries: list[LedgerEntry] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    _documents: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[LedgerEntry]:
        return [one for one in self.entries if one.kind in kinds]

    def document(self, sha256: str) -> dict[str, Any] | None:
        """What was sealed under this hash; None when the document was changed or is gone."""
        if sha256 not in self._documents:
            try:
                self._documents[sha256] = read_document(self.settings, sha256)
            except ValueError:
                self._documents[sha256] = None
        return self._documents[sha256]

    def document_for(self, chain: Chain, entry: LedgerEntry, position: int) -> dict[str, Any] | None:
        """The document of an entry; without it the chain is unproven, and says so."""
        document = self.document(entry.document)
        if document is None:
            chain.state = "unproven"
            chain.broken.append(
                Broken(
                    chain.name,
                    "cannot be compared: the document of its seal was changed or is gone",
                    f"document {entry.document}",
                    "Restore seals/documents from a backup.",
                    position,
                    is_warning=True,
                )
            )
        return document

    def removals(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What was removed on purpose, by kind and subject."""
        found = [self.document(one.document) for one in self.of_kind("removal")]
        return {(one["removed_kind"], one["removed"]): one for one in found if one}

    def acknowledged(self) -> dict[str, tuple[str, str, str]]:
        """Problem → who acknowledged it, when and why."""
        known: dict[str, tuple[str, str, str]] = {}
        for entry in self.of_kind("acknowledged"):
            if document := self.document(entry.document):
                answer = (document["name"], entry.sealed_at, document["reason"])
                known |= dict.fromkeys(document["problems"], answer)
        return known


def read_ledger(settings: Settings) -> Ledger:
    """Read every line; ``check_ledger`` says which are not as they were written."""
    lines = read_lines(settings)
    entries = [entry for line in lines if (entry := parse(line)) is not None]
    return Ledger(settings, lines, entries, {hashlib.sha256(line).hexdigest() for line in lines})


def check_ledger(read: Ledger, public: signing.PublicKey | None) -> Chain:
    """Links, documents, head file and signatures."""
    settings = read.settings
    chain = Chain("ledger", "ledger", length=len(read.lines))
    if not read.lines and not settings.seals_dir.is_dir():
        chain.state, chain.note = "unsealed", "没有存证 nothing is sealed yet: the next run begins the ledger"
        if public is not None:
            chain.broken.append(_signature("no entry is signed", f"signatures by {public.fingerprint}"))
        return chain
    chain.broken += _broken_links(read.lines)
    chain.broken += _head(settings, read)
    chain.broken += [_break(read, one) for one in read.of_kind("break")]
    chain.files += _documents(settings, read)
    chain.broken += _strangers(settings, read)
    chain.broken += _signatures(settings, read, public)
    return chain


def _broken_links(lines: list[bytes]) -> list[Broken]:
    broken = []
    before: LedgerEntry | None = None
    for number, line in enumerate(lines, start=1):
        entry = parse(line)
        if entry is None:
            is_cut_off = number == len(lines) and not line.endswith(b"\n")
            broken.append(Broken(
                LEDGER, f"line {number} is not an entry as it was written",
                f"line {number} in canonical JSON, ended by a line feed",
                "A process that was killed while it wrote leaves such a line at the end; the next seal takes it away. "
                f"Else: {_CUT}" if is_cut_off else _CUT, position=number,
            ))  # fmt: skip
        else:
            previous = hashlib.sha256(lines[number - 2]).hexdigest() if number > 1 else None
            if entry.previous != previous and (number == 1 or before is not None):
                broken.append(Broken(
                    LEDGER, f"line {number} does not link to line {number - 1}: one of them was changed, or lines "
                    "between them were taken away", f"a line with SHA-256 {entry.previous} before line {number}", _CUT,
                    position=number - 1, found=previous,
                ))  # fmt: skip
            elif entry.sequence != (before.sequence + 1 if before else number):
                broken.append(Broken(LEDGER, f"line {number} says that it is entry {entry.sequence}",
                                     f"entry {before.sequence + 1 if before else number}", _CUT,
                                     position=number))  # fmt: skip
        before = entry
    return broken


def _head(settings: Settings, read: Ledger) -> list[Broken]:
    name = f"seals/{ledger.HEAD_FILE}"
    head = ledger.read_head(settings)
    last = len(read.lines)
    newest = hashlib.sha256(read.lines[-1]).hexdigest() if read.lines else None
    if head is None:
        return [Broken(name, "is missing", f"the anchor of entry {last}", _CUT, position=last)] if read.lines else []
    if not head["anchor"]:
        return [Broken(name, "is not as it was written", f"sequence and anchor of entry {last}", _CUT, position=last)]
    if head["anchor"] == newest:
        if read.entries and head["sequence"] != read.entries[-1].sequence:
            return [Broken(name, f"says that the newest entry is {head['sequence']}",
                           f"entry {read.entries[-1].sequence}", _CUT, position=last)]  # fmt: skip
        return []
    if len(read.lines) > 1 and head["anchor"] == hashlib.sha256(read.lines[-2]).hexdigest():
        return [Broken(
            name, f"knows the ledger up to entry {head['sequence']}; line {last} came after it", f"anchor {newest}",
            "A process was killed just then; the next seal mends it. If none was: somebody added that line.",
            position=last, is_warning=True,
        )]  # fmt: skip
    return [Broken(
        LEDGER, f"ends with line {last}, whose SHA-256 the head file does not know: its newest line was changed, or "
        "lines at its end are gone or new", f"entry {head['sequence']} with anchor {head['anchor']} at the end",
        _CUT, position=last, found=newest,
    )]  # fmt: skip


def _break(read: Ledger, entry: LedgerEntry) -> Broken:
    document = read.document(entry.document) or {}
    expected = document.get("expected", {})
    anchor = expected.get("anchor")
    what = f"its newest entry was no longer {anchor}" if anchor else "its head file could not be read"
    return Broken(
        LEDGER,
        f"entry {entry.sequence} of {entry.sealed_at} says that the ledger was found cut or changed: {what}",
        f"entry {expected.get('sequence')} with anchor {anchor}" if anchor else "a head file that proves itself",
        _CUT,
        position=entry.sequence,
    )


def _documents(settings: Settings, read: Ledger) -> list[SealedFile]:
    return [
        SealedFile(_relative(settings, ledger.document_path(settings, sha256)), ledger.document_path(settings, sha256),
                   sha256, entry.sequence, f"entry {entry.sequence} of the ledger, {entry.kind} {entry.subject}")
        for sha256, entry in _named(read).items()
    ]  # fmt: skip


def _named(read: Ledger) -> dict[str, LedgerEntry]:
    """Every document that an entry, or the document of an entry, names."""
    named: dict[str, LedgerEntry] = {}
    for entry in read.entries:
        named.setdefault(entry.document, entry)
        if entry.kind in ("version", "rules") and (document := read.document(entry.document)):
            named.setdefault(str(document["rules"]), entry)
    return named


def _strangers(settings: Settings, read: Ledger) -> list[Broken]:
    """Files in ``seals/`` that no entry names."""
    wanted = {ledger.document_path(settings, sha256) for sha256 in _named(read)}
    for line in read.lines:
        # What a changed line may have named is no stranger: the line is told of already.
        if parse(line) is None:
            return []
    wanted |= {settings.seals_dir / name for name in (ledger.LEDGER_FILE, ledger.HEAD_FILE, ledger.LOCK_FILE,
                                                      signing.SIGNATURES_FILE)}  # fmt: skip
    keys = settings.seals_dir / signing.KEYS_DIR
    damaged = any(read.document(one.document) is None for one in read.of_kind("version", "rules"))
    return [
        Broken(_relative(settings, path), "does not belong to the ledger", "no such file",
               "Look at who put it there, and remove it.", is_warning=True)
        for path in sorted(settings.seals_dir.rglob("*"))
        if path.is_file() and path not in wanted and path.parent != keys and not path.name.endswith(".partial")
        and not damaged
    ]  # fmt: skip


def _signatures(settings: Settings, read: Ledger, public: signing.PublicKey | None) -> list[Broken]:
    broken: list[Broken] = []
    by_anchor = {one.anchor: one for one in read.entries}
    keys = _kept_keys(settings, broken)
    newest_good = 0
    signed = signing.read_signatures(settings.seals_dir)
    for number, one in enumerate(signed, start=1):
        if one is None:
            broken.append(_signature(f"line {number} is not a signature as it was written", "one signature a line"))
            continue
        entry = by_anchor.get(one["anchor"])
        if entry is None or entry.sequence != one["sequence"]:
            broken.append(_signature(
                f"line {number} signs {one['anchor']} as entry {one['sequence']}, which this ledger does not have",
                "an anchor of this ledger", position=int(one["sequence"]), remedy=_CUT))  # fmt: skip
            continue
        key = keys.get(one["fingerprint"])
        if key is None or not signing.is_signed_by(key, one["anchor"], one["signature"]):
            broken.append(_signature(
                f"the signature of entry {one['sequence']} does not verify with key {one['fingerprint']}",
                "a signature of its anchor by that key", position=int(one["sequence"])))  # fmt: skip
            continue
        if public is None or one["fingerprint"] == public.fingerprint:
            newest_good = max(newest_good, int(one["sequence"]))
    last = read.entries[-1].sequence if read.entries else 0
    if public is not None and newest_good == 0:
        broken.append(_signature(f"no entry is signed with key {public.fingerprint}", "the newest entry signed"))
    elif (public is not None or signed) and newest_good < last:
        broken.append(_signature(
            f"entries after {newest_good} are not signed: {last - newest_good} of {last}", "the newest entry, signed",
            remedy=f"Set {signing.SIGNING_KEY} for every process that runs, ingests, publishes and decides.",
            is_warning=True))  # fmt: skip
    return broken


def _kept_keys(settings: Settings, broken: list[Broken]) -> dict[str, signing.PublicKey]:
    keys = {}
    for path in sorted((settings.seals_dir / signing.KEYS_DIR).glob("*")):
        key = signing.read_public_key(path.read_bytes())
        if key is None or path.stem != key.fingerprint or path.read_bytes() != signing.public_pem(key.key):
            broken.append(Broken(_relative(settings, path), "is not the public key of its name",
                                 f"a PEM of the key {path.stem}"))  # fmt: skip
        else:
            keys[key.fingerprint] = key
    return keys


def _signature(problem: str, expected: str, *, position: int = 0, remedy: str = "", is_warning: bool = False) -> Broken:
    remedy = remedy or "Whoever holds the private key signs anew what is right; see docs/audit.md."
    return Broken(f"seals/{signing.SIGNATURES_FILE}", problem, expected, remedy, position, is_warning=is_warning)


def _relative(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.home))

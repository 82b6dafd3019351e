"""Anchors: what an outsider keeps in order to see later that nothing before it was changed or taken away."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.audit import signing
from oneledger.audit.ledger import LedgerEntry, last_entry, newest_entry, parse, read_lines
from oneledger.settings import ConfigurationError, Settings

_SHORTEST = 12


@dataclass(frozen=True)
class Anchor:
    """The head of the ledger of seals at some time.

    Attributes:
        anchor: 64 hexadecimal digits, the SHA-256 of the ledger's line.
        sequence: how many entries it covers.
        sealed_at: UTC, ISO 8601.
        kind: of the newest entry that it covers (``version``, ``evaluation``, ``landing`` …).
        subject: of that entry.
        fingerprint: of the public key that its signature verifies with; None when it is not signed.
    """

    anchor: str
    sequence: int
    sealed_at: str
    kind: str
    subject: str
    fingerprint: str | None = None

    @property
    def line(self) -> str:
        """As reports and pages print it, Chinese and English."""
        signed = f", signed 已签名 {self.fingerprint[:16]}" if self.fingerprint else ""
        return f"存证锚 anchor: {self.anchor} (entry 第 {self.sequence} 条{signed})"


def current_anchor(settings: Settings) -> Anchor | None:
    """The anchor as of now, for reports, pages and the end of each run; None while nothing is sealed."""
    entry = newest_entry(settings)
    if entry is None:
        return None
    signatures = _signatures(settings)
    return _anchor(entry, signatures)


def anchor_of_version(settings: Settings, version: str) -> Anchor | None:
    """The anchor of the entry that seals a published version, for files and pages about it; None for unsealed ones."""
    entry = last_entry(settings, ("version",), version)
    return _anchor(entry, _signatures(settings)) if entry else None


def list_anchors(settings: Settings) -> list[Anchor]:
    """Every anchor that this ledger ever had, oldest first; lines that were changed have none."""
    signatures = _signatures(settings)
    entries = (parse(line) for line in read_lines(settings))
    return [_anchor(entry, signatures) for entry in entries if entry is not None]


def find_anchor(settings: Settings, given: str) -> Anchor | None:
    """The anchor that begins with these digits; None when this ledger never had it.

    Raises:
        ConfigurationError: what is given is no anchor, or so short that another could begin like it.
    """
    text = given.strip().lower()
    if len(text) < _SHORTEST or len(text) > 64 or set(text) - set("0123456789abcdef"):
        raise ConfigurationError(
            f"{given!r} is no anchor: that is 64 hexadecimal digits, or at least the first {_SHORTEST} of them, as "
            "each run, report and page prints them."
        )
    return next((one for one in list_anchors(settings) if one.anchor.startswith(text)), None)


def export_anchor(settings: Settings, folder: Path) -> list[Path]:
    """Write the current anchor for somebody who has nothing but `openssl`.

    Returns:
        ``anchor.txt`` (its 64 digits) and, when it is signed, ``anchor.sig`` and ``public.pem``.

    Raises:
        ConfigurationError: nothing is sealed yet.
    """
    anchor = current_anchor(settings)
    if anchor is None:
        raise ConfigurationError("Nothing is sealed yet, so there is no anchor. Run `oneledger run` first.")
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"anchor.txt": anchor.anchor.encode()}
    signature = _signatures(settings).get(anchor.anchor)
    if signature:
        contents["anchor.sig"] = base64.b64decode(signature["signature"])
        contents["public.pem"] = signing.key_path(settings.seals_dir, signature["fingerprint"]).read_bytes()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def _signatures(settings: Settings) -> dict[str, dict[str, Any]]:
    return {one["anchor"]: one for one in signing.read_signatures(settings.seals_dir) if one is not None}


def _anchor(entry: LedgerEntry, signatures: dict[str, dict[str, Any]]) -> Anchor:
    signature = signatures.get(entry.anchor)
    return Anchor(
        entry.anchor, entry.sequence, entry.sealed_at, entry.kind, entry.subject,
        signature["fingerprint"] if signature else None,
    )  # fmt: skip

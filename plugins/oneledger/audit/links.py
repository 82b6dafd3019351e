"""The pieces that verifying works with: chains, the files that each of them proves, and what is broken in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESTORE = "Restore it from a backup, and find out who changed it: everything sealed since says when at the latest."


@dataclass(frozen=True)
class SealedFile:
    """A file that must have these bytes.

    Attributes:
        file: its name as people are told it, from the state directory or the checkout.
        path: where it lies.
        sha256: what its bytes must give.
        position: its place in the chain; what is broken first in the chain has the smallest.
        says: what seals it.
        remedy: what to do when it is not so.
        batch_id: the landed batch that it belongs to.
    """

    file: str
    path: Path
    sha256: str
    position: int
    says: str
    remedy: str = RESTORE
    batch_id: str | None = None


@dataclass(frozen=True)
class SealedPayload:
    """Files of a batch whose manifest can no longer tell their hashes one by one; together they have this hash."""

    files: Sequence[tuple[str, Path]]
    payload_hash: str
    position: int
    batch_id: str


@dataclass(frozen=True)
class Broken:
    """One broken link, or one thing to be told. A warning is no proof of a change."""

    file: str
    problem: str
    expected: str
    remedy: str = RESTORE
    position: int = 0
    found: str | None = None
    batch_id: str | None = None
    is_warning: bool = False


@dataclass
class Chain:
    """One thing that is verified as a whole: a source's landing, a version, an evaluation run, the ledger …

    Attributes:
        area: ``ledger``, ``landing``, ``published``, ``evaluations``, ``decisions``, ``reports`` or ``rules``.
        name: ``landing/zheliban``, ``published/<version>`` …
        state: ``sealed``, ``unsealed``, ``removed``, ``draft`` …
        length: how many links it has.
        note: a word for people about its state.
    """

    area: str
    name: str
    state: str = "sealed"
    length: int = 0
    note: str = ""
    files: list[SealedFile] = field(default_factory=list)
    payloads: list[SealedPayload] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

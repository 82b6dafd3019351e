"""What a connector hands over: payload files in a partial directory, and what the source said of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SeenFile:
    """A file of a drop folder as it was when it was landed, or found to equal what was landed."""

    name: str
    size_bytes: int
    mtime_ns: int
    sha256: str
    batch_id: str


@dataclass(frozen=True)
class ReceivedFile:
    """One payload file. ``expected_rows`` is what the source says it holds, where it says so."""

    name: str
    sha256: str
    size_bytes: int
    source_name: str
    expected_rows: int | None = None


@dataclass
class Received:
    """One delivery of one partition, not yet converted or landed.

    Attributes:
        control_total: rows that the source says the delivery has; None when it says nothing.
        watermark_cap: a change dated after this cannot be; it does not move the watermark.
        since: the watermark that the source was asked from, for deliveries of changes.
        tag: URL and ETag of the answer.
        warnings: what is to be said of the delivery although it is taken.
        correction: reason, reference and name, when the delivery corrects an earlier one.
    """

    partition: str
    business_on: dt.date
    directory: Path
    files: tuple[ReceivedFile, ...]
    control_total: int | None = None
    watermark_cap: dt.date | None = None
    since: str | None = None
    seen: tuple[SeenFile, ...] = ()
    tag: tuple[str, str] | None = None
    warnings: tuple[str, ...] = ()
    correction: dict[str, str] | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Waiting:
    """A delivery that is not complete yet: taken by a later run."""

    message: str
    detail: dict[str, Any]

"""Take files of a drop folder into a partial directory: copied byte by byte, checked against their control file."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from oneledger.catalogue import Entity
from oneledger.sources.drop_folder import Control, DropFile, partition_of, read_control, read_correction
from oneledger.sources.received import Received, ReceivedFile, SeenFile
from oneledger.sources.refusal import RefusalError

_CHUNK = 1024 * 1024


def receive_files(entity: Entity, group: Sequence[DropFile], directory: Callable[[], Path], as_of: dt.date) -> Received:
    """Copy the files of one delivery into a new partial directory.

    Args:
        entity: what the files belong to.
        group: one file, or all parts of one delivery.
        directory: makes the partial directory.
        as_of: the business date when the file name carries none.

    Raises:
        RefusalError: a file is empty, is not what its control file says, or its reason cannot be read.
    """
    partition, business_on = partition_of(entity, group[0], as_of)
    target = directory()
    files: list[ReceivedFile] = []
    seen: list[SeenFile] = []
    corrections: list[dict[str, str]] = []
    for file in group:
        control = read_control(file, entity.files) if entity.files else None
        if correction := read_correction(file):
            corrections.append(correction)
        if file.size_bytes == 0:
            raise RefusalError(
                f"{file.name} is empty (0 bytes); it must hold at least its header.",
                "The sender delivers the file again.",
                {"file": file.name},
            )
        sha256, size = _copy(file.path, target / file.name)
        _check_control(file, control, sha256)
        files.append(ReceivedFile(file.name, sha256, size, file.name, control.rows if control else None))
        # The time is of before the copy: a file changed meanwhile is looked at again by the next run.
        seen.append(SeenFile(file.name, file.size_bytes, file.mtime_ns, sha256, ""))
    totals = [file.expected_rows for file in files]
    control_total = sum(total for total in totals if total is not None) if None not in totals else None
    if any(one != corrections[0] for one in corrections):
        raise RefusalError(
            f"The parts of {files[0].source_name} come with different reasons.",
            "The sender gives one reason for all parts of a delivery.",
            {"files": [file.source_name for file in files]},
        )
    return Received(
        partition, business_on, target, tuple(files), control_total=control_total, seen=tuple(seen),
        correction=corrections[0] if corrections else None,
    )  # fmt: skip


def _copy(source: Path, target: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _check_control(file: DropFile, control: Control | None, sha256: str) -> None:
    if control and control.sha256 and control.sha256 != sha256:
        raise RefusalError(
            f"{file.name} has SHA-256 {sha256}; its control file {control.name} says {control.sha256}.",
            "The file was changed or cut off on its way: the sender delivers file and control file again.",
            {"file": file.name, "found_sha256": sha256, "expected_sha256": control.sha256},
        )

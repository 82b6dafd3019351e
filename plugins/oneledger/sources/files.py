"""Take files of a drop folder into a partial directory: copied byte by byte, checked against their control file."""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from oneledger.catalogue import Entity, worded
from oneledger.settings import CITY_TIMEZONE
from oneledger.sources.drop_folder import (
    Control,
    DropFile,
    open_regular,
    partition_of,
    read_control,
    read_correction,
)
from oneledger.sources.received import Received, ReceivedFile, SeenFile
from oneledger.sources.refusal import RefusalError

_CHUNK = 1024 * 1024
# What lies beside the payload in a batch.
_OUR_NAMES = ("manifest.json",)
# Control signs, line and paragraph separators, and the half characters that Python writes for bytes that are no UTF-8.
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
# They make a name look like another one.
_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


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
    for file in group:
        _check_name_and_size(entity, file)
    partition, business_on = partition_of(entity, group[0], as_of)
    warnings = _future(entity, group[0], business_on)
    target = directory()
    files: list[ReceivedFile] = []
    seen: list[SeenFile] = []
    corrections: list[dict[str, str]] = []
    for file in group:
        control, said = _control(entity, file)
        warnings += said
        if correction := read_correction(file):
            corrections.append(correction)
        if file.size_bytes == 0:
            raise RefusalError(
                f"{file.name} is empty (0 bytes); it must hold at least its header.",
                "The sender delivers the file again.",
                {"file": file.name},
                problem="empty_file",
            )
        sha256, size = _copy(file, target / file.name, _most_bytes(entity))
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
        partition,
        business_on,
        target,
        tuple(files),
        control_total=control_total,
        seen=tuple(seen),
        warnings=tuple(warnings),
        correction=corrections[0] if corrections else None,
    )


def _future(entity: Entity, file: DropFile, business_on: dt.date) -> list[str]:
    """A file of a day that has not come yet: were it taken, every mart would be computed as of that day."""
    today = dt.datetime.now(CITY_TIMEZONE).date()
    if (
        not file.fields.get("business_date")
        or business_on <= today
        or entity.decisions.future_business_date == "accept"
    ):
        return []
    text = f"{file.name} is of {business_on}, and today is {today}"
    if entity.decisions.future_business_date == "refuse":
        raise RefusalError(
            f"{text}; a file may be of today at the latest.",
            "The sender corrects the date in the file name and delivers it again.",
            {"file": file.name, "business_on": str(business_on)},
            problem="future_business_date",
        )
    return [worded("future_business_date", text)]


def _control(entity: Entity, file: DropFile) -> tuple[Control | None, list[str]]:
    """What the control file says, and what is to be said of the control file."""
    if entity.files is None or entity.files.control_suffix is None:
        return None, []
    try:
        control = read_control(file, entity.files)
    except RefusalError as error:
        if entity.decisions.control_file_unreadable == "refuse":
            raise
        return None, [error.message]
    if control is None:
        name = f"{file.name}{entity.files.control_suffix}"
        return None, [worded("control_file_missing", f"{name} is not there; {file.name} was taken without it")]
    return control, []


def _check_name_and_size(entity: Entity, file: DropFile) -> None:
    """A name becomes one of landing, where a manifest lies beside it, and stands in records and on pages.

    Raises:
        RefusalError: it cannot be written, hides something, or the file is larger than the catalogue allows.
    """
    is_text = not any(unicodedata.category(sign) in _UNSEEN or sign in _DIRECTION for sign in file.name)
    if not is_text or file.name in _OUR_NAMES or file.name.startswith("."):
        raise RefusalError(
            f"{file.name!a} cannot be the name of a delivery: a name has no control or direction marks, does not begin "
            f"with a dot, and is none of {', '.join(_OUR_NAMES)}.",
            "The sender delivers the file under an ordinary name.",
            {"file": ascii(file.name)},
            problem="unsafe_content",
        )
    if file.size_bytes > _most_bytes(entity):
        raise _too_large(file, _most_bytes(entity))


def _most_bytes(entity: Entity) -> int:
    return entity.files.max_file_bytes if entity.files else 0


def _too_large(file: DropFile, most: int) -> RefusalError:
    return RefusalError(
        f"{file.name} is larger than {most:,} bytes (`files.max_file_bytes`).",
        "The sender delivers it in parts, or packed; when so much is right, raise the setting.",
        {"file": file.name, "size_bytes": file.size_bytes},
        problem="too_large",
    )


def _copy(file: DropFile, target: Path, most_bytes: int) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with open_regular(file.path, file) as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            size += len(chunk)
            if size > most_bytes:
                raise _too_large(file, most_bytes)
            digest.update(chunk)
            writing.write(chunk)
    return digest.hexdigest(), size


def _check_control(file: DropFile, control: Control | None, sha256: str) -> None:
    if control and control.sha256 and control.sha256 != sha256:
        raise RefusalError(
            f"{file.name} has SHA-256 {sha256}; its control file {control.name} says {control.sha256}.",
            "The file was changed or cut off on its way: the sender delivers file and control file again.",
            {"file": file.name, "found_sha256": sha256, "expected_sha256": control.sha256},
            problem="control_total_differs",
        )

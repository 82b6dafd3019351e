"""Find new files in a drop folder by comparing names, sizes and times with what was seen; never by a clock."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from oneledger.catalogue import Entity, FilesSpec, worded
from oneledger.settings import CITY_TIMEZONE, ConfigurationError
from oneledger.sources.received import SeenFile, Waiting
from oneledger.sources.refusal import RefusalError

# Beside a delivery that corrects an earlier one: why, on what grounds, and who says so.
CORRECTION_SUFFIX = ".reason.json"
_CORRECTION_KEYS = ("reason", "reference", "name")
_LONGEST_SMALL_FILE = 64 * 1024
_PARTITION_CHARACTER = re.compile(r"[^\w\-]+")


@dataclass(frozen=True)
class DropFile:
    """One file of the folder that belongs to an entity. ``fields`` are the named groups of its name."""

    path: Path
    size_bytes: int
    mtime_ns: int
    fields: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.path.name

    def is_as(self, seen: SeenFile | None) -> bool:
        """Whether it still is what it was when it was seen."""
        return seen is not None and (seen.size_bytes, seen.mtime_ns) == (self.size_bytes, self.mtime_ns)


@dataclass(frozen=True)
class Control:
    """What a control file says of the file beside it."""

    name: str
    rows: int | None
    sha256: str | None


@dataclass(frozen=True)
class Listing:
    """What a look into the folder found.

    Attributes:
        groups: files that together make one new delivery (one file each, unless the pattern has a ``part``),
            oldest first, so that the newest becomes the newest revision.
        known_count: files that did not change since they were taken.
    """

    groups: tuple[tuple[DropFile, ...], ...]
    waiting: tuple[Waiting, ...]
    known_count: int


def fields_of(entity: Entity, file_name: str) -> dict[str, str]:
    """The named groups of a file name; empty when the name does not match the entity's pattern."""
    match = re.fullmatch(_files(entity).pattern, file_name)
    return {key: value or "" for key, value in match.groupdict().items()} if match else {}


def list_folder(
    folder: Path,
    entity: Entity,
    seen: Mapping[str, SeenFile],
    as_of: dt.date | None,
    between: tuple[dt.date, dt.date] | None = None,
) -> Listing:
    """List the files of an entity that are new or changed.

    Args:
        folder: the drop folder.
        entity: names the pattern, the control suffix and the settling time.
        seen: what was taken before, by name.
        as_of: files of a later business date wait; None takes all.
        between: only files of these business dates, first and last, and of files whose name carries none all; they are
            looked at again even when they were taken before.
    """
    spec = _files(entity)
    pattern = re.compile(spec.pattern)
    found: list[DropFile] = []
    names: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            names.add(entry.name)
            match = pattern.fullmatch(entry.name)
            # Of a link the link itself: `open_regular` refuses it, so that it is said and not passed over.
            if match and (entry.is_file() or entry.is_symlink()):
                status = entry.stat(follow_symlinks=False)
                fields = {key: value or "" for key, value in match.groupdict().items()}
                file = DropFile(Path(entry.path), status.st_size, status.st_mtime_ns, fields)
                if between is None or between[0] <= (_date_of(file) or between[0]) <= between[1]:
                    found.append(file)
    new = [file for file in found if between or not file.is_as(seen.get(file.name))]
    parts_of_new = {_group_key(file) for file in new} if "part" in spec.groups else set()
    waiting: list[Waiting] = []
    ready: dict[tuple[str, ...], list[DropFile]] = {}
    for file in sorted(new if not parts_of_new else found, key=lambda file: (file.mtime_ns, file.name)):
        if parts_of_new and _group_key(file) not in parts_of_new:
            continue
        reason = _reason_to_wait(file, entity, names, as_of)
        if reason:
            waiting.append(Waiting(reason, {"file": file.name}))
        else:
            key = _group_key(file) if parts_of_new else (file.name,)
            ready.setdefault(key, []).append(file)
    return Listing(tuple(map(tuple, ready.values())), tuple(waiting), len(found) - len(new))


def partition_of(entity: Entity, file: DropFile, as_of: dt.date) -> tuple[str, dt.date]:
    """Partition and business date of a file.

    Raises:
        RefusalError: the name carries a business date that is none.
    """
    text = file.fields.get("business_date")
    business_on = as_of
    if text:
        try:
            business_on = dt.date.fromisoformat(text)
        except ValueError as error:
            raise RefusalError(
                f"{file.name}: {text!r} in the file name is no date; it must be yyyymmdd or yyyy-mm-dd.",
                "The sender corrects the file name and delivers it again.",
                {"file": file.name},
                problem="date_in_name_unreadable",
            ) from error
    if entity.partition_by:
        values = [file.fields.get(name, "") for name in entity.partition_by]
        return "-".join(_PARTITION_CHARACTER.sub("_", value) for value in values if value) or "all", business_on
    return f"{business_on:%Y%m%d}", business_on


def read_control(file: DropFile, spec: FilesSpec) -> Control | None:
    """The control file beside ``file``; None when the entity has none, or when it is not there.

    Raises:
        RefusalError: it says neither ``rows=`` nor ``sha256=``, or its row count is no number.
    """
    if spec.control_suffix is None:
        return None
    path = file.path.with_name(file.name + spec.control_suffix)
    if not os.path.lexists(path):
        return None
    text = _short_text(path, file).decode("utf-8-sig", errors="replace")
    content = dict(re.findall(r"^\s*(\w+)\s*=\s*(\S*)\s*$", text, re.MULTILINE))
    rows = content.get("rows")
    if not content.keys() & {"rows", "sha256"} or (rows is not None and not rows.isdigit()):
        raise RefusalError(
            f"The control file {path.name} says {text[:200]!r}; it must have lines rows=<number> and sha256=<hash>.",
            "The sender writes the control file again.",
            {"file": file.name, "control_file": path.name},
            problem="control_file_unreadable",
        )
    return Control(path.name, int(rows) if rows is not None else None, (content.get("sha256") or "").lower() or None)


def read_correction(file: DropFile) -> dict[str, str] | None:
    """What ``<file>.reason.json`` says: reason, reference and name; None when there is no such file.

    Raises:
        RefusalError: it is no JSON object with just these three texts.
    """
    path = file.path.with_name(file.name + CORRECTION_SUFFIX)
    if not os.path.lexists(path):
        return None
    try:
        content = json.loads(_short_text(path, file).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        content = f"no JSON: {error}"
    is_complete = (
        isinstance(content, dict)
        and set(content) == set(_CORRECTION_KEYS)
        and all(isinstance(value, str) and value.strip() for value in content.values())
    )
    if not is_complete:
        raise RefusalError(
            f"{path.name} says {str(content)[:200]!r}; it must be a JSON object with the texts "
            f"{', '.join(_CORRECTION_KEYS)}, none of them empty.",
            "The sender writes it again: why the data are corrected, the number of the appeal, and who says so.",
            {"file": file.name, "reason_file": path.name},
        )
    return {key: content[key].strip() for key in _CORRECTION_KEYS}


def open_regular(path: Path, file: DropFile) -> IO[bytes]:
    """Open a file of the folder for reading; only a plain file, never what a link points to.

    Whoever may write to the folder could else have us read, land and publish any file of this machine.

    Raises:
        RefusalError: it is a link, a pipe, a device or a folder.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _no_plain_file(path, file, "a symbolic link") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_plain_file(path, file, "no plain file (a pipe, a device or a folder)")
    return os.fdopen(descriptor, "rb")


def _no_plain_file(path: Path, file: DropFile, what: str) -> RefusalError:
    return RefusalError(
        f"{path.name} is {what}; only plain files are read.",
        "The sender delivers the file itself; when nobody there made the link, treat it as an attack and find out who "
        "can write to the folder.",
        {"file": file.name},
        problem="unsafe_content",
    )


def _short_text(path: Path, file: DropFile) -> bytes:
    """The beginning of a small file beside a delivery."""
    with open_regular(path, file) as stream:
        return stream.read(_LONGEST_SMALL_FILE)


def unmatched_hint(folder: Path, entity: Entity) -> str:
    """A sentence for a folder in which no file matches: how many files lie there, and one name."""
    names = _some_names(folder)
    if not names:
        return f"{folder} is empty"
    return (
        f"{folder} holds {len(names)} files, none of which matches {_files(entity).pattern!r} (for instance {names[0]})"
    )


def _some_names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in _scan(folder) if entry.is_file())


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _group_key(file: DropFile) -> tuple[str, ...]:
    return tuple(value for name, value in sorted(file.fields.items()) if name != "part")


def _reason_to_wait(file: DropFile, entity: Entity, names: set[str], as_of: dt.date | None) -> str:
    spec = _files(entity)
    if (
        spec.control_suffix
        and file.name + spec.control_suffix not in names
        and entity.decisions.control_file_missing == "wait"
    ):
        return worded(
            "control_file_missing", f"{file.name} waits for its control file {file.name}{spec.control_suffix}"
        )
    age = time.time() - file.mtime_ns / 1e9
    if 0 <= age < spec.settle_seconds:
        return (
            f"{file.name} was changed {age:.0f} s ago; it is taken when it has not changed for "
            f"{spec.settle_seconds:.0f} s"
        )
    # A day that has not come yet, or that is none, is no day to wait for: `files` decides what becomes of such a file.
    if as_of and (date := _date_of(file)) and as_of < date <= dt.datetime.now(CITY_TIMEZONE).date():
        return f"{file.name} is of a later day than {as_of}, as of which this run was asked for"
    return ""


def _date_of(file: DropFile) -> dt.date | None:
    try:
        return dt.date.fromisoformat(file.fields.get("business_date", ""))
    except ValueError:
        return None


def _files(entity: Entity) -> FilesSpec:
    if entity.files is None:
        raise ConfigurationError(f"{entity.full_id} has no `files` in the catalogue; add files: {{pattern: …}}.")
    return entity.files

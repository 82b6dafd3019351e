"""Keep the bytes from before a fault beside the city, and put them back."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from oneledger.settings import ConfigurationError

_RECORD = "fault.json"


def kept_dir(city_dir: Path) -> Path:
    """The folder beside the city; ``city build --fresh`` removes it with the city."""
    return city_dir.with_name(f"{city_dir.name}.kept")


@dataclass(frozen=True)
class Kept:
    """What was kept before one fault. ``files`` are paths inside the city; None in place of a copy: there was none."""

    folder: Path
    kind: str
    changed: str
    files: dict[str, str | None]


def kept_faults(city_dir: Path) -> list[Kept]:
    """The faults that a city has, in the order in which they were made."""
    found = []
    for record in sorted(kept_dir(city_dir).glob(f"*/{_RECORD}")):
        content = json.loads(record.read_text("utf-8"))
        found.append(Kept(record.parent, content["kind"], content["changed"], content["files"]))
    return found


def keep(city_dir: Path, kind: str, paths: list[Path]) -> Kept:
    """Copy the files that a fault is going to touch; ``finish`` makes the record of it."""
    known = kept_faults(city_dir)
    number = int(known[-1].folder.name.split("-")[0]) + 1 if known else 1
    folder = kept_dir(city_dir) / f"{number:04d}-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files: dict[str, str | None] = {}
    for position, path in enumerate(paths):
        copy = folder / f"{position:03d}"
        if path.exists():
            shutil.copyfile(path, copy)
        files[str(path.relative_to(city_dir))] = copy.name if path.exists() else None
    return Kept(folder, kind, "", files)


def finish(kept: Kept, changed: str) -> None:
    """The fault is made: say so beside the copies."""
    record = {"kind": kept.kind, "changed": changed, "files": kept.files}
    (kept.folder / _RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def put_back(city_dir: Path, kept: Kept) -> str:
    """Put every file of a fault back, byte for byte, with a new time, so that it is delivered again.

    Raises:
        ConfigurationError: a later fault touched the same files; it must be mended first.
    """
    later = [one for one in kept_faults(city_dir) if one.folder.name > kept.folder.name and one.files and (
        set(one.files) & set(kept.files))]  # fmt: skip
    if later:
        raise ConfigurationError(
            f"{later[-1].kind} was made later and touched the same files as {kept.kind}; mend it first: "
            f"oneledger city mend {later[-1].kind}, or all of them: oneledger city mend --all"
        )
    for name, copy in kept.files.items():
        path = city_dir / name
        if copy is None:
            path.unlink(missing_ok=True)
        else:
            partial = path.with_name(f".{path.name}.partial")
            shutil.copyfile(kept.folder / copy, partial)
            partial.replace(path)
    shutil.rmtree(kept.folder)
    return f"{len(kept.files)} files are as before" if kept.files else "the API answers as before"

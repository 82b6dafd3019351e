"""Faults that the API shows on purpose: set by ``oneledger city break``, read at each request, removed by ``mend``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "faults.json"


@dataclass(frozen=True)
class Fault:
    """What the API does wrong for one collection.

    Attributes:
        kind: how it answers, for instance ``html_error_page``; ``oneledger.city.spoiled_answers`` knows them all.
        path: the collection, ``apps``.
        field: the field that is spoiled; ``value`` what is written there, or its new name.
        name: the named fault that this belongs to.
    """

    kind: str
    path: str
    field: str = ""
    value: str = ""
    name: str = ""


def read_faults(store: Path) -> list[Fault]:
    path = store / FILE_NAME
    if not path.exists():
        return []
    return [Fault(**record) for record in json.loads(path.read_text("utf-8"))]


def add_fault(store: Path, fault: Fault) -> Path:
    return _write(store, [*read_faults(store), fault])


def remove_faults(store: Path, name: str) -> Path:
    """Take away what belongs to one named fault."""
    return _write(store, [fault for fault in read_faults(store) if fault.name != name])


def _write(store: Path, faults: list[Fault]) -> Path:
    path = store / FILE_NAME
    if not faults:
        path.unlink(missing_ok=True)
        return path
    partial = path.with_name(f".{FILE_NAME}.partial")
    partial.write_text(json.dumps([asdict(fault) for fault in faults], indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return path

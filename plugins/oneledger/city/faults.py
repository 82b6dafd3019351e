"""Faults that the API shows on purpose: set by ``oneledger city break``, read at each request."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "faults.json"


@dataclass(frozen=True)
class Fault:
    """What the API does wrong for one collection.

    Attributes:
        kind: ``html_error_page``, ``server_error``, ``wrong_total`` or ``renamed_field``.
        path: the collection, ``apps``.
        field, renamed_to: for ``renamed_field``.
    """

    kind: str
    path: str
    field: str = ""
    renamed_to: str = ""


def read_faults(store: Path) -> list[Fault]:
    path = store / FILE_NAME
    if not path.exists():
        return []
    return [Fault(**record) for record in json.loads(path.read_text("utf-8"))]


def add_fault(store: Path, fault: Fault) -> Path:
    path = store / FILE_NAME
    records = [asdict(known) for known in (*read_faults(store), fault)]
    partial = path.with_name(f".{FILE_NAME}.partial")
    partial.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return path

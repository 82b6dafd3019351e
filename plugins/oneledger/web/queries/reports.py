"""Reports that were made: what ``report.json`` of each says, and the file behind a name that stands there.

``reports/<run_id>/report.json`` names the files that lie beside it; nothing else of the folder is ever served.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.settings import Settings

RECORD = "report.json"


@dataclass(frozen=True)
class ReportFile:
    """One file of a report; ``language`` is ``zh``, ``en`` or empty for both."""

    name: str
    language: str
    format: str
    sha256: str
    size_bytes: int
    path: Path


@dataclass(frozen=True)
class Report:
    """The report of one evaluation run; ``anchor`` is empty while nothing was sealed."""

    run_id: str
    version: str
    period: str
    made_at: str
    anchor: str
    files: tuple[ReportFile, ...]

    @property
    def formats(self) -> list[str]:
        return list(dict.fromkeys(one.format for one in self.files))

    def file(self, name: str) -> ReportFile | None:
        """The file of this name, when the record names it."""
        return next((one for one in self.files if one.name == name), None)


def list_reports(settings: Settings) -> list[Report]:
    """Every report, the newest first; a folder whose record cannot be read is left out."""
    found = [_read(path) for path in settings.reports_dir.glob(f"*/{RECORD}")]
    return sorted((one for one in found if one), key=lambda one: (one.made_at, one.run_id), reverse=True)


def find_report(settings: Settings, run_id: str) -> Report | None:
    """The report of an evaluation run; None when there is none."""
    return next((one for one in list_reports(settings) if one.run_id == run_id), None)


def report_of_run(settings: Settings, run_id: str) -> bool:
    """Whether a report of this evaluation run was made."""
    return find_report(settings, run_id) is not None


def _read(path: Path) -> Report | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(_file(path.parent, one) for one in record["files"])
        anchor = record.get("anchor") or ""
        return Report(
            run_id=str(record["run_id"]),
            version=str(record["version"]),
            period=str(record["period"]),
            made_at=str(record["made_at"]),
            anchor=str(anchor["anchor"] if isinstance(anchor, dict) else anchor),
            files=tuple(one for one in files if one),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(folder: Path, one: dict[str, Any]) -> ReportFile | None:
    """None for a name that is no plain file of the folder itself."""
    name = str(one["name"])
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        return None
    return ReportFile(
        name, str(one.get("language") or ""), str(one["format"]), str(one["sha256"]), int(one["size_bytes"]), path
    )

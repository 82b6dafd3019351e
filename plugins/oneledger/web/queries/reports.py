"""Reports that were made: what ``report.json`` of each says, and the file behind a name that stands there.

``reports/<run_id>/report.json`` names the files that lie beside it; nothing else of the folder is ever served.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.reports.listing import RECORD_FILE, read_record
from oneledger.settings import ConfigurationError, Settings


@dataclass(frozen=True)
class ReportFile:
    """One file of a report; ``language`` is ``zh``, ``en`` or ``both``."""

    name: str
    language: str
    format: str
    sha256: str
    size_bytes: int
    path: Path


@dataclass(frozen=True)
class Report:
    """The report of one evaluation run.

    Attributes:
        is_draft: made of a draft, with a watermark; never sealed.
        confirmed_at: when the run was confirmed, UTC; None for a draft.
        anchor, sequence: of the entry that sealed the run; None while nothing is sealed.
    """

    run_id: str
    version: str
    period: str
    title_zh: str
    title_en: str
    is_draft: bool
    is_synthetic: bool
    confirmed_by: str | None
    confirmed_at: str | None
    anchor: str | None
    sequence: int | None
    files: tuple[ReportFile, ...]

    def file(self, name: str) -> ReportFile | None:
        """The file of this name, when the record names it."""
        return next((one for one in self.files if one.name == name), None)


@dataclass(frozen=True)
class Reports:
    """Every report, that of the newest period first, and the folders whose record cannot be read."""

    found: tuple[Report, ...]
    unreadable: tuple[str, ...]


def list_reports(settings: Settings) -> Reports:
    """The reports that were made; what one folder holds never hides the others."""
    found, unreadable = [], []
    for folder in sorted(path.parent for path in settings.reports_dir.glob(f"*/{RECORD_FILE}")):
        try:
            found.append(_report(folder))
        except (ConfigurationError, ValueError, KeyError, TypeError):
            unreadable.append(folder.name)
    found.sort(key=lambda one: (one.period, one.confirmed_at or "", one.run_id), reverse=True)
    return Reports(tuple(found), tuple(unreadable))


def find_report(settings: Settings, run_id: str) -> Report | None:
    """The report of an evaluation run; None when there is none."""
    return next((one for one in list_reports(settings).found if one.run_id == run_id), None)


def _report(folder: Path) -> Report:
    record = read_record(folder) or {}
    files = [_file(folder, one) for one in record["files"]]
    return Report(
        run_id=str(record["run_id"]),
        version=str(record["version"]),
        period=str(record["period"]),
        title_zh=str(record["title_zh"]),
        title_en=str(record["title_en"]),
        is_draft=bool(record["is_draft"]),
        is_synthetic=bool(record["is_synthetic"]),
        confirmed_by=record["confirmed_by"],
        confirmed_at=record["confirmed_at"],
        anchor=record["anchor"],
        sequence=record["sequence"],
        files=tuple(one for one in files if one),
    )


def _file(folder: Path, one: dict[str, Any]) -> ReportFile | None:
    """None for a name that is no plain file of the folder itself."""
    name = str(one["name"])
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        return None
    return ReportFile(name, str(one["language"]), str(one["format"]), str(one["sha256"]), int(one["size_bytes"]), path)

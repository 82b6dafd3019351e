"""Reports that were made: what ``report.json`` of each says, and the file behind a name that stands there."""

from __future__ import annotations

from oneledger.settings import Settings


def report_of_run(settings: Settings, run_id: str) -> bool:
    """Whether a report of this evaluation run was made."""
    return (settings.reports_dir / run_id / "report.json").is_file()

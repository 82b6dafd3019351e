"""Reports: whether the files that were handed out are those that were made."""

from __future__ import annotations

import json
from pathlib import Path

from oneledger.audit.checking_ledger import Ledger
from oneledger.audit.ledger import LedgerEntry
from oneledger.audit.links import Broken, Chain, SealedFile
from oneledger.settings import Settings

_RECORD_FILE = "report.json"


def report_folders(settings: Settings) -> list[Path]:
    """Every folder of a report that was meant to be handed out; that of a draft is not."""
    if not settings.reports_dir.is_dir():
        return []
    return sorted(
        path for path in settings.reports_dir.iterdir() if (path / _RECORD_FILE).is_file() and not _is_draft(path)
    )


def check_reports(settings: Settings, read: Ledger, folders: list[Path]) -> list[Chain]:
    """One chain a report: its files beside the newest entry that seals it.

    A report follows from a run and a version and can be made again: one that is gone is told, one that differs is a
    failure.
    """
    entries: dict[str, LedgerEntry] = {entry.subject: entry for entry in read.of_kind("report")}
    chains = []
    for position, name in enumerate(sorted({*entries, *(folder.name for folder in folders)})):
        folder = settings.reports_dir / name
        chain = Chain("reports", f"reports/{name}", length=1)
        remedy = (
            f"Make it again with `oneledger report --run {name}` and compare; find out who changed it, and who has "
            "been given "
            "the changed file."
        )
        if name not in entries:
            chain.state = "unsealed"
            chain.broken.append(
                Broken(
                    f"{chain.name}/{_RECORD_FILE}",
                    "is a report that nobody sealed",
                    "an entry of the ledger that seals it",
                    f"`oneledger report --run {name}` makes and seals it.",
                    position,
                )
            )
        else:
            _check(chain, read, folder, entries[name], position, remedy)
        chains.append(chain)
    return chains


def _check(chain: Chain, read: Ledger, folder: Path, entry: LedgerEntry, position: int, remedy: str) -> None:
    again = f"`oneledger report --run {folder.name}` makes it again."
    document = read.document_for(chain, entry, position)
    if document is None:
        return
    if not folder.is_dir():
        chain.state = "removed"
        chain.broken.append(
            Broken(chain.name, "is gone", f"what entry {entry.sequence} sealed", again, position, is_warning=True)
        )
        return
    chain.note = f"entry {entry.sequence}, {len(document['files'])} files"
    for name, one in document["files"].items():
        chain.files.append(
            SealedFile(
                f"{chain.name}/{name}",
                folder / name,
                one["sha256"],
                position,
                f"entry {entry.sequence} of the ledger",
                remedy,
            )
        )
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith(".") and name not in document["files"]:
            chain.broken.append(
                Broken(
                    f"{chain.name}/{name}",
                    "does not belong to the report",
                    "no such file",
                    "Look at who put it there, and remove it.",
                    position,
                )
            )


def _is_draft(folder: Path) -> bool:
    """A record that cannot be read is none of a draft: verifying names it."""
    try:
        return json.loads((folder / _RECORD_FILE).read_bytes())["is_draft"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False

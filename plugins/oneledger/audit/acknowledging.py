"""What is broken and cannot be restored: a person says so by name, in the ledger, and it stays visible for good."""

from __future__ import annotations

from typing import Any

from oneledger.audit.ledger import LedgerEntry, append
from oneledger.audit.verifying import verify
from oneledger.settings import ConfigurationError, Settings


def acknowledge(settings: Settings, file: str, *, name: str, reason: str) -> LedgerEntry:
    """Record that somebody knows of a broken file and why it stays as it is now.

    From then on verifying tells it as a warning with name and reason. It is a failure again as soon as the file differs
    from what was acknowledged, and for everybody who asks with ``--strict``.

    Args:
        file: as verifying names it.
        name: the person who answers for it.
        reason: in a sentence that an auditor understands.

    Raises:
        ConfigurationError: name or reason is empty, or verifying finds nothing wrong with this file.
    """
    if not name.strip() or not reason.strip():
        raise ConfigurationError("An acknowledgement needs --name (who answers for it) and --reason (why it stays).")
    items: list[dict[str, Any]] = [item for item in verify(settings)["items"] if not item["ok"]]
    problems = [item["problem"] for item in items if item["file"] == file]
    if not problems:
        named = ", ".join(sorted({str(item["file"]) for item in items})[:5]) or "nothing"
        raise ConfigurationError(f"{file!r} is not broken, so there is nothing to acknowledge. Broken is: {named}.")
    return append(settings, "acknowledged", file, {
        "kind": "acknowledged", "file": file, "problems": problems, "name": name.strip(), "reason": reason.strip()
    })  # fmt: skip

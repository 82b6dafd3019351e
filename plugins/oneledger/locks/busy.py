"""The refusal of the one who comes second: who holds what since when, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oneledger.locks.holder import LockHolder


class BusyError(Exception):
    """Somebody else holds the lock. Nothing was changed by the one who is refused.

    Attributes:
        what: what is held, as the beginning of a sentence (``The warehouse is being written``).
        rule: why a second one is not let in, a sentence.
        lock_path: the lock file.
        holder: who holds it; None when it has not yet written its name.
    """

    def __init__(self, what: str, rule: str, lock_path: Path, holder: LockHolder | None) -> None:
        self.what = what
        self.rule = rule
        self.lock_path = lock_path
        self.holder = holder
        super().__init__(f"{self.problem} {self.rule} {self.remedy}")

    @property
    def problem(self) -> str:
        who = str(self.holder) if self.holder else "a process that has not yet written its name into the lock file"
        return f"{self.what} by {who}."

    @property
    def remedy(self) -> str:
        end_it = (
            f", or end process {self.holder.pid} on {self.holder.host} if it hangs: what it held is free at once"
            if self.holder
            else ""
        )
        return (
            f"Wait until that run has ended and start again{end_it}. `oneledger status` shows who holds what. "
            f"Never remove the lock file: {self.lock_path} More: `oneledger runbook somebody-else-writes`."
        )

    def to_json(self) -> dict[str, Any]:
        """The answer of a verb with ``--json`` that was refused."""
        item = {
            "problem": self.problem,
            "expected": self.rule,
            "remedy": self.remedy,
            "holder": self.holder.to_json() if self.holder else None,
        }
        return {"ok": False, "items": [item]}

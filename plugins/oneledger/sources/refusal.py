"""What a connector says when a delivery cannot be taken, or not yet."""

from __future__ import annotations

from typing import Any

from oneledger.catalogue import remedy_of, worded


class RefusalError(Exception):
    """The delivery is not taken: what is wrong, where, and what to do. Other entities go on.

    Attributes:
        message: what is, and what must be.
        remedy: what to do, and by whom.
        detail: facts for the outcome record (JSON); ``problem`` is what is decided at the door
            (``oneledger.catalogue.door_problems``).
    """

    def __init__(self, message: str, remedy: str, detail: dict[str, Any] | None = None, *, problem: str = "") -> None:
        super().__init__(message)
        self.problem = problem
        self.message = worded(problem, message)
        self.remedy = remedy_of(problem, remedy)
        self.detail = {**(detail or {}), **({"problem": problem, "decision": "refuse"} if problem else {})}

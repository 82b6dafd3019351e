"""What a connector says when a delivery cannot be taken, or not yet."""

from __future__ import annotations

from typing import Any


class RefusalError(Exception):
    """The delivery is not taken: what is wrong, where, and what to do. Other entities go on.

    Attributes:
        message: what is, and what must be.
        remedy: what to do, and by whom.
        detail: facts for the outcome record (JSON).
    """

    def __init__(self, message: str, remedy: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = detail or {}

"""Who may see what: roles, and the two ways in (Airflow's login, or tokens when the pages run alone)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection


class Role(enum.IntEnum):
    """What a visitor may do; each role may what the one before may.

    VIEWER reads what is published. AUDITOR also reads rows as they were received: traces down to the landed lines and
    quarantined cells. ENGINEER also decides: confirms or rejects an evaluation.
    """

    VIEWER = 1
    AUDITOR = 2
    ENGINEER = 3

    @property
    def title_zh(self) -> str:
        return {Role.VIEWER: "查阅", Role.AUDITOR: "审计", Role.ENGINEER: "运维"}[self]

    @property
    def title_en(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in."""

    name: str
    role: Role


class Access(Protocol):
    """How a request becomes a visitor."""

    async def visitor(self, request: HTTPConnection) -> Visitor | None:
        """Who asks; None for somebody who is not logged in."""
        ...

    def login_address(self, request: HTTPConnection) -> str:
        """Where to log in and come back from."""
        ...

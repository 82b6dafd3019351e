"""The named points at which a night is killed: between which two effects on the disk, in the words of the effects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.kills.effects import Effect, takes_space

Decide = Callable[[Effect], str | None]


@dataclass(frozen=True)
class Point:
    """A place between two effects.

    Attributes:
        name: what it is called in a report.
        calls: which effects it is about, separated by blanks.
        path: a regular expression that finds their path (of a rename or link, what comes to be).
        number: which of these effects it is, 1 for the first.
        is_after: the process is killed before whatever follows that effect; else before the effect itself.
        once: an effect that must have come before (its path), where a path alone would fit too early.
    """

    name: str
    calls: str
    path: str
    number: int = 1
    is_after: bool = False
    once: str = ""

    def decide(self) -> Decide:
        """Kills at this point; a fresh one for each night."""
        calls, path, once = self.calls.split(), re.compile(self.path), re.compile(self.once)
        state = {"armed": not self.once, "count": 0, "passed": False}

        def decide(effect: Effect) -> str | None:
            if state["passed"]:
                return "kill"
            if not state["armed"]:
                state["armed"] = bool(once.search(effect.path))
                return None
            if effect.call not in calls or not path.search(effect.path):
                return None
            state["count"] += 1
            if state["count"] != self.number:
                return None
            state["passed"] = True
            return None if self.is_after else "kill"

        return decide


_PAGE = r"^landing/registry/app/\.partial-answer/page-00001\.json$"
_VERSION = r"^published/2\d{7}T[^/]+$"
_OUTCOME = r"^outcomes/.*\.partial$"
_WAREHOUSE = r"^warehouse/warehouse\.duckdb(\.wal)?$"
_DBT_BEGINS = r"^logs/dbt/"
NAMED = (
    Point("mid-page: an answer is half written", "write", _PAGE, 2),
    Point("between a page and the note of how far it got", "rename", r"\.partial-answer/progress\.json$", 2),
    Point("after the last page, before the batch has a manifest", "create", r"^landing/registry/.*/manifest\.json$"),
    Point("mid-file: a copied file is half there", "write", r"^landing/desk/usage/\.partial-[^/]+/desk_", 2),
    Point("mid-file: a table is being read", "write", r"^landing/library/project/\.partial-[^/]+/"),
    Point("mid-conversion: raw rows half written", "write", r"^raw/desk/usage/\.partial-"),
    Point("landing: flushed, before the index", "write", r"^landing/portal/\.index\.db-journal$"),
    Point("landing: within the index's transaction", "write", r"^landing/portal/\.index\.db$"),
    Point("landing: entered in the index, before the renames", "rename", r"^landing/portal/usage/\d+/r\d+$"),
    Point("landing: the batch renamed, before its raw rows", "rename", r"^raw/portal/.*\.parquet$"),
    Point("landing: everything renamed, before it is noted", "rename", r"^raw/portal/.*\.parquet$", 2, is_after=True),
    Point("between rename and record of landing", "create", _OUTCOME, 1, once=r"^raw/portal/.*r\d+\.parquet$"),
    Point("outcome: written, before its rename", "rename", r"^outcomes/.*\.json$"),
    Point("outcome: one of two of a batch written", "create", _OUTCOME, 2, once=r"^raw/desk/.*r\d+\.parquet$"),
    Point("seal of landing: document written, before the line", "write", r"^seals/ledger\.jsonl$"),
    Point("seal of landing: before the document's rename", "rename", r"^seals/documents/"),
    Point("seal: between the line and the head", "create", r"^seals/\.head\.json\.partial$"),
    Point("seal: before the head's rename", "rename", r"^seals/head\.json$"),
    Point("mid-load: before the first row is admitted", "write", _WAREHOUSE, 4),
    Point("mid-load: within an admission", "write", _WAREHOUSE, 30),
    Point("mid-load: before a commit reaches the disk", "fsync", _WAREHOUSE, 6),
    Point("between an admission and its outcome", "create", _OUTCOME, 1, once=_WAREHOUSE),
    Point("source gate: answered, before its copy for readers", "rename", r"^warehouse/for_readers/checks\.result"),
    Point("mid-model: as the models begin", "write", _WAREHOUSE, 1, once=_DBT_BEGINS),
    Point("mid-model: some models are built", "write", _WAREHOUSE, 10, once=_DBT_BEGINS),
    Point("mid-model: most models are built", "write", _WAREHOUSE, 18, once=_DBT_BEGINS),
    Point("mart gate: answered, before its copy for readers", "rename", r"^warehouse/for_readers/checks\.result", 2),
    Point("lineage: before an event is written", "write", r"^lineage/events/", 5),
    Point("mid-publish: marts half written", "write", r"^published/\.partial-[^/]+/marts\.duckdb", 8),
    Point("mid-publish: a month of facts", "write", r"^published/\.partial-[^/]+/facts/"),
    Point("mid-publish: sharing what did not change", "link", r"^published/\.partial-"),
    Point("mid-publish: before the manifest", "create", r"^published/\.partial-[^/]+/manifest\.json$"),
    Point("publish: whole, before it has its name", "rename", _VERSION),
    Point("publish: has its name, not sealed", "rename", _VERSION, is_after=True),
    Point("publish: before the line of its seal", "write", r"^seals/ledger\.jsonl$", once=_VERSION),
    Point("publish: line of its seal, before the head", "write", r"^seals/ledger\.jsonl$", is_after=True,
          once=_VERSION),
    Point("publish: sealed, before `current`", "rename", r"^published/current$"),
    Point("publish: `current` points at it, still marked", "rename", r"^published/current$", is_after=True),
    Point("publish: the mark taken away, nothing noted", "unlink", r"/\.not-yet-current$", is_after=True),
    Point("between rename and record of publishing", "create", _OUTCOME, once=r"^published/current$"),
    Point("record of publishing: before its rename", "rename", r"^outcomes/.*\.json$", once=r"^published/current$"),
)  # fmt: skip
# One of each kind, the most telling: for a quick look.
TELLING = (
    "mid-page: an answer is half written",
    "landing: the batch renamed, before its raw rows",
    "mid-model: some models are built",
    "between rename and record of publishing",
)


def full_from(number: int) -> Decide:
    """A disk that is full from this effect on, until the night is over."""
    return lambda effect: "full" if effect.number >= number and takes_space(effect) else None


def once_at(point: Point, happens: Callable[[], None]) -> Decide:
    """Something outside happens at a point; the night goes on."""
    inner, done = point.decide(), []

    def decide(effect: Effect) -> str | None:
        if not done and inner(effect) == "kill":
            done.append(True)
            happens()
        return None

    return decide

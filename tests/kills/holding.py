"""What must hold of an installation after a night, and how two installations are compared."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oneledger.audit.verifying import verify
from oneledger.landing import list_batches, verify_chain
from oneledger.landing.reading import landed_sources
from oneledger.outcomes import read_outcomes
from oneledger.pipeline.verdict import reconciles
from oneledger.publishing.content import RUN_TABLES
from oneledger.publishing.versions import current_version, list_versions
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.lock import lock_holder

# What a process holds while it lives, and leaves as an empty or outdated note: a lock is what the system holds of it.
_LOCK_FILES = {".lock", "writer.lock"}
# Files that only count while they are being made.
_TELLTALE = (".partial", ".tmp", ".wal", "-journal", ".fresh")


@dataclass
class State:
    """An installation after a night.

    Attributes:
        content: rows and content hash of every published table and month of facts.
        landed: batch ids with payload hash and rows, how often each.
        admitted: batch ids with received, accepted, quarantined and superseded rows.
        recorded: how many good records there are of each step and batch, and of each published version.
        problems: what is broken in itself.
    """

    content_hash: str = ""
    content: dict[str, str] = field(default_factory=dict)
    landed: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    raw: Counter[str] = field(default_factory=Counter)
    admitted: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    quarantined: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    recorded: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def differences(self, other: State) -> list[str]:
        """What differs from an undisturbed installation, in words."""
        found = []
        for name in sorted(self.content.keys() | other.content.keys()):
            if self.content.get(name) != other.content.get(name):
                found.append(f"{name}: {self.content.get(name)}, undisturbed {other.content.get(name)}")
        for what in ("landed", "raw", "admitted", "quarantined", "recorded"):
            ours, theirs = getattr(self, what), getattr(other, what)
            found += [f"{what}: {one} is not there" for one in theirs - ours]
            found += [f"{what}: {one} is there too often" for one in ours - theirs]
        return found


def read_state(settings: Settings) -> State:
    """Look at everything that a night leaves."""
    state = State()
    version = current_version(settings)
    if version is None:
        return State(problems=["nothing is published"])
    state.content_hash = version.content_hash
    tables = {one["name"]: one for one in version.manifest["tables"] if one["name"] not in RUN_TABLES}
    facts = {f"{one['fact']} {one['month']}": one for one in version.manifest["facts"]}
    state.content = {name: f"{one['rows_count']} {one['content_hash']}" for name, one in {**tables, **facts}.items()}
    state.landed = Counter((one.batch_id, one.payload_hash, one.row_count) for one in list_batches(settings))
    state.raw = Counter(path.name for path in settings.raw_dir.rglob("*.parquet"))
    _read_warehouse(settings, state)
    _read_records(settings, state)
    for source in landed_sources(settings):
        state.problems += [f"landing: {one.batch_id} {one.problem}" for one in verify_chain(settings, source)]
    for item in verify(settings, workers=2)["items"]:
        if not item["ok"] or item.get("is_warning"):
            state.problems.append(f"verify: {item.get('file')} {item.get('problem')} {item.get('note', '')}")
    state.problems += leftovers(settings)
    return state


def leftovers(settings: Settings) -> list[str]:
    """Half-made files, locks that are held, and what only counts while it is being made."""
    found = []
    for path in sorted(settings.home.rglob("*")):
        name = str(path.relative_to(settings.home))
        if path.name in _LOCK_FILES:
            if _is_held(path):
                found.append(f"left behind: lock {name} is held")
        elif path.name.startswith(".partial") or path.name.endswith(_TELLTALE) or _is_scratch(name, path):
            found.append(f"left behind: {name}")
    if (holder := lock_holder(settings)) is not None:
        found.append(f"left behind: the writer's lock, held by {holder}")
    waiting = [one.version for one in list_versions(settings) if (one.path / ".not-yet-current").exists()]
    found += [f"left behind: {one} is complete and not current" for one in waiting]
    return found


def _is_scratch(name: str, path: Path) -> bool:
    """A file of a moment. A living process keeps its place for spilling by a lock."""
    return name.startswith("scratch/") and path.is_file() and not (path.suffix == ".lock" and _is_held(path))


def _is_held(path: Path) -> bool:
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _read_warehouse(settings: Settings, state: State) -> None:
    with open_warehouse(settings) as connection:
        state.admitted = Counter(connection.execute(
            "select batch_id, received_count, accepted_count, quarantined_count, superseded_count"
            " from control.admitted_batch"
        ).fetchall())  # fmt: skip
        state.quarantined = Counter(connection.execute(
            "select batch_id, row_number, rule_id, value from quarantine.row"
        ).fetchall())  # fmt: skip
        for batch_id, received, *others in state.admitted:
            if received != sum(others):
                state.problems.append(f"{batch_id}: {received} rows received are not {others}")
        pending = connection.execute("select count(*) from control.pending_date").fetchall()[0][0]
        if pending:
            state.problems.append(f"{pending} dates are pending after a published night")
        # The next admission forgets what is due; what matters is that it is written.
        due = connection.execute("select outcome_id from control.outcome_due").fetchall()
        written = {path.stem for path in settings.outcomes_dir.glob("*/*.json")}
        state.problems += [f"outcome {one} is due and not written" for (one,) in due if one not in written]
        helpers = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where table_name like '%__dbt_%'"
            " union all select schema_name || '.' || view_name from duckdb_views() where view_name like '%__dbt_%'"
        ).fetchall()
        state.problems += [f"left behind: relation {name}" for (name,) in helpers]


def _read_records(settings: Settings, state: State) -> None:
    known: set[str] = set()
    for record in read_outcomes(settings.outcomes_dir):
        if record["outcome_id"] in known:
            state.problems.append(f"outcome {record['outcome_id']} is there twice")
        known.add(record["outcome_id"])
        if not reconciles(record):
            state.problems.append(f"outcome {record['outcome_id']}: its counts do not add up")
        if record["batch_id"] and record["verdict"] in ("good", "warning"):
            state.recorded[record["step"], record["batch_id"]] += 1
        if record["step"] == "publish" and record["verdict"] == "good":
            # Versions are named by their time: their place in the row of versions tells them apart here.
            state.recorded["publish", "a version"] += 1
    versions = len(list_versions(settings))
    if state.recorded["publish", "a version"] != versions:
        state.problems.append(
            f"{versions} versions are published, {state.recorded['publish', 'a version']} of them are recorded"
        )
    for folder in settings.outcomes_dir.glob("*"):
        for path in folder.glob("*.json"):
            with contextlib.suppress(OSError):
                try:
                    json.loads(path.read_text("utf-8"))
                except ValueError:
                    state.problems.append(f"outcome {path.name} cannot be read")

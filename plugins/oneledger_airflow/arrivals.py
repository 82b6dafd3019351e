"""Which sources have delivered since the night began, from the outcome records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# The night's ingestion starts at 02:00; what came the evening before belongs to the day before.
NIGHT = dt.timedelta(hours=12)
LANDING_STEPS = frozenset({"extract", "load_raw"})
BUILD_BEGINS = frozenset({"admit", "gate_sources"})  # nothing new: no admit record
ARRIVED = frozenset({"good", "warning", "unchanged"})


@dataclass
class Arrivals:
    """``problems`` holds what the newest failed attempt of a missing source said."""

    arrived: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    is_all_published: bool = False

    def __str__(self) -> str:
        lines = [f"arrived 已到: {', '.join(self.arrived) or 'nothing'}"]
        for source in self.missing:
            lines.append(f"missing 未到: {source}: {self.problems.get(source, 'no attempt was recorded')}")
        return "\n".join(lines)


def arrivals(records: Iterable[Mapping[str, Any]], sources: Iterable[str], now: dt.datetime) -> Arrivals:
    """Read the outcome records of the night before ``now`` (in the order in which they were made).

    A source has arrived when the newest record of each of its entities tonight is not a failure.
    ``is_all_published``: the last new batch landed before the build began whose result was published.
    """
    newest: dict[str, dict[str, Mapping[str, Any]]] = {}
    landed_at = published_at = None
    build_began_at: dict[str, str] = {}
    for record in records:
        if dt.datetime.fromisoformat(record["started_at"]) < now - NIGHT:
            continue
        if record["step"] in LANDING_STEPS and record["source"]:
            newest.setdefault(record["source"], {})[record["entity"] or ""] = record
            if record["verdict"] in {"good", "warning"}:
                landed_at = record["ended_at"]
        elif record["step"] in BUILD_BEGINS:
            build_began_at.setdefault(record["run_id"], record["started_at"])
        elif record["step"] == "publish" and record["verdict"] in ARRIVED:
            published_at = build_began_at.get(record["run_id"], published_at)
    found = Arrivals(is_all_published=published_at is not None and (landed_at is None or landed_at <= published_at))
    for source in sources:
        entities = newest.get(source, {})
        failed = [record for record in entities.values() if record["verdict"] not in ARRIVED]
        if entities and not failed:
            found.arrived.append(source)
        else:
            found.missing.append(source)
        if failed:
            found.problems[source] = "; ".join(record["message"] for record in failed)
    return found

"""Which sources have delivered since the night began, from the outcome records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# The night's ingestion starts at 02:00; what came the evening before belongs to the day before.
NIGHT = dt.timedelta(hours=12)
LANDING_STEPS = frozenset({"extract", "load_raw"})
ARRIVED = frozenset({"good", "warning", "unchanged"})


@dataclass
class Arrivals:
    """``problems`` holds what the newest failed attempt of a missing source said."""

    arrived: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"arrived 已到: {', '.join(self.arrived) or 'nothing'}"]
        for source in self.missing:
            lines.append(f"missing 未到: {source}: {self.problems.get(source, 'no attempt was recorded')}")
        return "\n".join(lines)


def arrivals(records: Iterable[Mapping[str, Any]], sources: Iterable[str], now: dt.datetime) -> Arrivals:
    """Read the outcome records of the night before ``now`` (in the order in which they were made).

    A source has arrived when the newest record of each of its entities tonight is not a failure.
    """
    newest: dict[str, dict[str, Mapping[str, Any]]] = {}
    for record in records:
        is_tonights = dt.datetime.fromisoformat(record["started_at"]) >= now - NIGHT
        if is_tonights and record["step"] in LANDING_STEPS and record["source"]:
            newest.setdefault(record["source"], {})[record["entity"] or ""] = record
    found = Arrivals()
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

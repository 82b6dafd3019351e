"""What a trace costs in an installation that is there: seconds by kind of subject, and rows behind each."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oneledger.lineage import subjects
from oneledger.lineage.ground import open_ground, quoted, read_models
from oneledger.lineage.subjects import Subject
from oneledger.lineage.trace_report import trace
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings, load_settings

_SEED = 20221031
_TIMES = 5


@dataclass(frozen=True)
class TraceCost:
    """Some traces of one kind.

    Attributes:
        seconds: of each, from the question to the whole report, in a process that has imported all of it.
        command_seconds: of each, the whole command as a person types it, start to end.
    """

    kind: str
    seconds: tuple[float, ...]
    command_seconds: tuple[float, ...]
    largest_lines_count: int
    are_equal: bool

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "seconds": list(self.seconds), "command_seconds": list(self.command_seconds),
                "largest_lines_count": self.largest_lines_count,
                "are_equal": self.are_equal}  # fmt: skip


def measure_tracing(home: Path, *, memory_limit: str, say: Callable[[str], None]) -> list[TraceCost]:
    """Trace a few things of each kind, drawn with a fixed seed, each in a tracer of its own as the command does."""
    settings = replace(load_settings(), home=home, memory_limit=memory_limit)
    draw = random.Random(_SEED)  # noqa: S311 - which things are traced is no secret
    costs = []
    for kind, drawn in _subjects(settings, draw).items():
        seconds, commands, lines, are_equal = [], [], 0, True
        for subject in drawn:
            started = time.monotonic()
            report = trace(settings, subject)
            seconds.append(round(time.monotonic() - started, 3))
            commands.append(_command_seconds(settings, subject))
            lines = max(lines, report["lines_count"])
            are_equal = are_equal and report["verdict"]["is_equal"] is True
        costs.append(TraceCost(kind, tuple(seconds), tuple(commands), lines, are_equal))
        say(f"{kind}: {_median(seconds):.2f} s median, {max(seconds):.2f} s at most; the whole command "
            f"{_median(commands):.2f} s median, {max(commands):.2f} s at most; up to {lines:,} lines, "
            f"{'equal' if are_equal else 'NOT equal'}")  # fmt: skip
    return costs


def _median(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


def _command_seconds(settings: Settings, subject: Subject) -> float:
    key = [f"{name}={value}" for name, value in subject.key.items()]
    columns = [part for name in subject.columns or () for part in ("--column", name)]
    environment = {**os.environ, "ONELEDGER_HOME": str(settings.home), "ONELEDGER_MEMORY_LIMIT": settings.memory_limit}
    started = time.monotonic()
    subprocess.run(
        [str(Path(sys.executable).with_name("oneledger")), "trace", subject.relation, *key, *columns],
        env=environment, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return round(time.monotonic() - started, 3)


def _subjects(settings: Settings, draw: random.Random) -> dict[str, list[Subject]]:
    models = read_models(resolve(settings))
    with open_ground(settings, models.version, models) as connection:

        def some(relation: str, *columns: str) -> list[tuple[str, ...]]:
            rows = connection.execute(
                f"select distinct {', '.join(columns)} from {quoted(relation)} order by all"
            ).fetchall()
            return [tuple(str(value) for value in row) for row in draw.sample(rows, min(_TIMES, len(rows)))]

        usage = ("app_id", "release_end", "month")
        return {
            "star": [subjects.star(*row) for row in some("evaluation.app_stars", "app_id")],
            "points": [subjects.points(*row) for row in some("evaluation.indicator_points", "app_id", "indicator_id")],
            "share": [subjects.share(*row) for row in some("evaluation.funding_share", "project_id", "budget_year")],
            "app_usage_month": [
                subjects.cell("marts.app_usage_month", dict(zip(usage, row, strict=True)), ("visitors_count",))
                for row in some("marts.app_usage_month", *usage)
            ],
            "figure": [subjects.figure(*row) for row in some("marts.published_figure", "figure_id")],
        }

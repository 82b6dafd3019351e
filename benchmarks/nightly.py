"""Measure the real nightly (``oneledger run``) on a generated city, stage by stage, from its outcome records."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks import plain_duckdb
from benchmarks.processes import Measured, measure, oneledger
from oneledger.outcomes import read_outcomes

DATA_WORK = ("load_raw", "admit", "gate_sources", "build_models", "gate_marts")
Say = Callable[[str], None]


@dataclass(frozen=True)
class RunCost:
    """One nightly: wall seconds of each stage, of the whole command, peak memory, rows received as usage."""

    stages: dict[str, float]
    seconds: float
    peak_mib: float
    usage_rows: int

    @property
    def data_work_seconds(self) -> float:
        return sum(self.stages.get(stage, 0.0) for stage in DATA_WORK)


@dataclass(frozen=True)
class ScaleCost:
    """One scale: the first load, one more day, and the plain script beside each (seconds)."""

    scale: int
    first: RunCost
    day: RunCost
    plain_first: float
    plain_all_again: float
    plain_day: float
    months_compared: int

    def to_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class HistoryCost:
    """The same day on a short and on a long history."""

    scale: int
    short_days: int
    long_days: int
    short: RunCost
    long: RunCost

    @property
    def ratio(self) -> float:
        return self.long.data_work_seconds / self.short.data_work_seconds

    def to_json(self) -> dict[str, object]:
        return {**dataclasses.asdict(self), "ratio": self.ratio}


def measure_scale(
    home: Path, *, scale: int, first_day: dt.date, last_day: dt.date, memory_limit: str, say: Say
) -> ScaleCost:
    """Load a city of ``scale`` up to the day before ``last_day``, then that day; each beside plain SQL."""
    eve = last_day - dt.timedelta(days=1)
    city = home / "city"
    plain = home / "plain.duckdb"
    build_city(home, scale, first_day, eve, say)
    first = run_nightly(home, eve, memory_limit, say)
    plain_first = plain_duckdb.build_from_all_files(city / "drops", plain, memory_limit)
    say(f"scale {scale}: plain SQL over the same files {plain_first.seconds:.1f} s, {plain_first.rows:,} rows")
    build_city(home, scale, first_day, last_day, say)
    day = run_nightly(home, last_day, memory_limit, say)
    plain_day = plain_duckdb.add_one_day(city / "drops", plain, f"{last_day:%Y%m%d}", memory_limit)
    again = plain_duckdb.build_from_all_files(city / "drops", home / "plain_again.duckdb", memory_limit)
    months = compare_month_marts(home / "published" / "current" / "marts.duckdb", home / "plain_again.duckdb")
    return ScaleCost(scale, first, day, plain_first.seconds, again.seconds, plain_day.seconds, months)


def measure_history(
    home: Path, *, scale: int, last_day: dt.date, short_days: int, long_days: int, memory_limit: str, say: Say
) -> HistoryCost:
    """Load ``last_day`` on top of ``short_days`` and of ``long_days`` days of history."""
    costs = []
    for days in (short_days, long_days):
        part = home / f"{days}-days"
        first_day = last_day - dt.timedelta(days=days)
        build_city(part, scale, first_day, last_day - dt.timedelta(days=1), say)
        run_nightly(part, last_day - dt.timedelta(days=1), memory_limit, say)
        build_city(part, scale, first_day, last_day, say)
        costs.append(run_nightly(part, last_day, memory_limit, say))
    return HistoryCost(scale, short_days, long_days, costs[0], costs[1])


def compare_month_marts(marts: Path, plain: Path) -> int:
    """Rows of the monthly usage mart, once it is shown that the plain script computed the same ones.

    Raises:
        AssertionError: the two marts differ; the message shows the first differences.
    """
    wanted = "app_id, release_end, month, visitors_count, page_views_count, starts_count, completions_count"
    with duckdb.connect() as con:
        con.execute(f"attach '{marts}' as published (read_only)")
        con.execute(f"attach '{plain}' as plain (read_only)")
        ours = f"select {wanted} from published.marts.app_usage_month where days_reported_count > 0"
        theirs = f"select {wanted} from plain.app_usage_month"
        different = con.execute(f"({ours} except {theirs}) union all ({theirs} except {ours}) limit 5").fetchall()
        if different:
            raise AssertionError(f"the monthly mart differs from the plain script's: {different}")
        counted = con.execute(f"select count(*) from ({ours})").fetchone()
    return int(counted[0]) if counted else 0


def build_city(home: Path, scale: int, first_day: dt.date, last_day: dt.date, say: Say) -> None:
    """Write the synthetic city under ``home``, or the days that it lacks."""
    took = measure(
        oneledger("city", "build", "--scale", str(scale), "--from", str(first_day), "--to", str(last_day)),
        {"ONELEDGER_HOME": str(home)},
    )
    say(f"scale {scale}: city written up to {last_day} in {took.seconds:.1f} s")


def run_nightly(home: Path, as_of: dt.date, memory_limit: str, say: Say) -> RunCost:
    """``oneledger run`` as of a day, with the city's API served beside it."""
    before = {record["run_id"] for record in read_outcomes(home / "outcomes")}
    with _serve_city(home, as_of) as connections:
        environment = {
            **connections,
            "ONELEDGER_HOME": str(home),
            "ONELEDGER_AS_OF": str(as_of),
            "ONELEDGER_MEMORY_LIMIT": memory_limit,
        }
        took = measure(oneledger("run"), environment)
    cost = _cost_of_new_run(home, before, took)
    say(
        f"  run as of {as_of}: {cost.usage_rows:,} usage rows, {took.seconds:.1f} s, data work "
        f"{cost.data_work_seconds:.1f} s, peak {took.peak_mib:,.0f} MiB"
    )
    return cost


def _cost_of_new_run(home: Path, before: set[str], took: Measured) -> RunCost:
    records = [record for record in read_outcomes(home / "outcomes") if record["run_id"] not in before]
    stages: dict[str, float] = {}
    for step in {record["step"] for record in records}:
        spans = [
            (dt.datetime.fromisoformat(record["started_at"]), dt.datetime.fromisoformat(record["ended_at"]))
            for record in records
            if record["step"] == step
        ]
        stages[step] = _covered_seconds(spans)
    usage_rows = sum(
        record["received_count"] or 0 for record in records if record["step"] == "admit" and record["entity"] == "usage"
    )
    return RunCost(stages, took.seconds, took.peak_mib, usage_rows)


def _covered_seconds(spans: list[tuple[dt.datetime, dt.datetime]]) -> float:
    """Length of the union of the spans: what runs side by side counts once."""
    covered, end = 0.0, dt.datetime.min.replace(tzinfo=dt.UTC)
    for begin, stop in sorted(spans):
        if stop > end:
            covered += (stop - max(begin, end)).total_seconds()
            end = stop
    return covered


@contextmanager
def _serve_city(home: Path, as_of: dt.date) -> Iterator[dict[str, str]]:
    """The city's HTTP API as a process of its own, and the connections of its source systems."""
    connections = home / "city" / "connections.env"
    stamp = connections.stat().st_mtime_ns
    with subprocess.Popen(
        oneledger("city", "serve", "--as-of", str(as_of)),
        env={**os.environ, "ONELEDGER_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            deadline = time.monotonic() + 60
            while connections.stat().st_mtime_ns == stamp:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"oneledger city serve did not start on {home}")
                time.sleep(0.1)
            yield dict(re.findall(r"^(?:export )?(\w+)='?([^'\n]*)'?$", connections.read_text("utf-8"), re.MULTILINE))
        finally:
            server.terminate()

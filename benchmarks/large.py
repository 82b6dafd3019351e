"""One large scale by itself: a long history, then one more day on top of it.

The history stays in the home that is given. What is there is not built again, so a run that was interrupted goes on
where it stood, and each further run measures the day after the one before. Every row goes through ``oneledger city
build`` and ``oneledger run``; when the history is landed the portals' drop files become hard links to the landed ones
(the same bytes), to spare the disk, and interface calls begin ten days before the measured day.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import plain_duckdb
from benchmarks.nightly import DATA_WORK, RunCost, Say, compare_month_marts, run_nightly
from benchmarks.processes import measure, oneledger
from oneledger.charts.palette import PAPER
from oneledger.city.city_manifest import read_manifest
from oneledger.publishing.published_state import is_all_published
from oneledger.publishing.versions import current_version
from oneledger.settings import Settings

FIGURES = "large.json"
_DAYS_AT_A_TIME = 10
_DAYS_WITH_CALLS = 10
_PORTALS = ("zheliban", "zhezhengding")


@dataclass(frozen=True)
class LargeCost:
    """One more day on a long history.

    Attributes:
        history_rows: usage rows in the warehouse before the day.
        linked_files, linked_mib: files of the version that are shared with the one before, and their size.
        written_mib: what the version wrote anew.
        plain_seconds: the plain script over all files; None when it was left out.
        plain_day_seconds: the plain script that knows which day is new.
    """

    scale: int
    day: str
    history_rows: int
    run: RunCost
    linked_files: int
    linked_mib: float
    written_mib: float
    memory_limit: str
    plain_seconds: float | None = None
    plain_day_seconds: float | None = None
    months_compared: int = 0

    @property
    def ratio(self) -> float | None:
        return self.run.data_work_seconds / self.plain_seconds if self.plain_seconds else None

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "data_work_seconds": self.run.data_work_seconds, "ratio": self.ratio}


def measure_large(
    home: Path, *, scale: int, last_day: dt.date, history_days: int, memory_limit: str, with_plain: bool, say: Say
) -> LargeCost:
    """Build what is missing of the history, then measure the next day.

    Args:
        home: kept; an interrupted or finished history in it is taken up.
        last_day: the day to measure on a fresh history; on one that holds it already, the day that follows.
        history_days: days of usage before it.
        with_plain: run the plain script over all files beside it, and compare its monthly mart.
    """
    eve = last_day - dt.timedelta(days=1)
    usage_from = last_day - dt.timedelta(days=history_days)
    home.mkdir(parents=True, exist_ok=True)
    if _published_until(home) < eve:
        _build_city(home, scale, usage_from, last_day, eve, say)
        load = run_nightly(home, eve, memory_limit, say)
        _note(home, "loads", {"until": str(eve), "scale": scale, **dataclasses.asdict(load)})
        say(f"  {_share_drops(home)} drop files are links to the landed ones now")
    settings = Settings(home=home, memory_limit=memory_limit, as_of=_published_until(home))
    if not is_all_published(settings):
        say("  models, rules or checks changed since the history was published: it is built again first")
        run_nightly(home, _published_until(home), memory_limit, say)
    day = _published_until(home) + dt.timedelta(days=1)
    _build_city(home, scale, usage_from, last_day, day, say)
    history_rows = _usage_rows(settings)
    before = _files_of_version(settings)
    run = run_nightly(home, day, memory_limit, say)
    after = _files_of_version(settings)
    _share_drops(home)
    linked = [size for inode, size in after.items() if inode in before]
    written = [size for inode, size in after.items() if inode not in before]
    cost = LargeCost(
        scale, str(day), history_rows, run, len(linked), sum(linked) / 1024**2, sum(written) / 1024**2, memory_limit
    )
    if with_plain:
        cost = _beside_plain(home, cost, day, memory_limit)
    _note(home, "days", cost.to_json())
    return cost


def read_figures(home: Path) -> dict[str, list[dict[str, Any]]]:
    """``loads`` of history and measured ``days``, oldest first."""
    path = home / FIGURES
    return json.loads(path.read_text("utf-8")) if path.is_file() else {"loads": [], "days": []}


def _published_until(home: Path) -> dt.date:
    version = current_version(Settings(home=home))
    return (version.as_of_on if version else None) or dt.date.min


def _build_city(home: Path, scale: int, usage_from: dt.date, last_day: dt.date, until: dt.date, say: Say) -> None:
    """Add the days up to ``until``, ten at a time: what was added stays when the next ten are interrupted."""
    known = read_manifest(home / "city")
    reached = known.last_on if known else usage_from - dt.timedelta(days=1)
    first_on = known.first_on if known else usage_from.replace(day=1)
    options = [] if known else [
        "--usage-from", str(usage_from), "--calls-from", str(last_day - dt.timedelta(days=_DAYS_WITH_CALLS))
    ]  # fmt: skip
    while reached < until:
        reached = min(until, reached + dt.timedelta(days=_DAYS_AT_A_TIME))
        took = measure(
            oneledger("city", "build", "--scale", str(scale), "--from", str(first_on), "--to", str(reached), *options),
            {"ONELEDGER_HOME": str(home)},
        )
        options = []
        say(f"scale {scale}: city written up to {reached} in {took.seconds:.1f} s")


def _share_drops(home: Path) -> int:
    """Put a link to the landed payload in the place of each drop file of the same bytes; returns how many there are."""
    shared = 0
    for portal in _PORTALS:
        drops = home / "city" / "drops" / portal
        for landed in (home / "landing" / portal / "usage").glob("*/*/*.csv.gz"):
            drop = drops / landed.name
            if not drop.is_file() or drop.stat().st_size != landed.stat().st_size:
                continue
            if not drop.samefile(landed):
                partial = drop.with_name(f".{drop.name}.link")
                partial.unlink(missing_ok=True)
                partial.hardlink_to(landed)
                partial.replace(drop)
            shared += 1
    return shared


def _usage_rows(settings: Settings) -> int:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
        return int(con.execute("select count(*) from admitted.usage").fetchall()[0][0])


def _files_of_version(settings: Settings) -> dict[int, int]:
    """Size by inode of every file of the current version."""
    version = current_version(settings)
    files = version.path.rglob("*") if version else ()
    return {status.st_ino: status.st_size for path in files if path.is_file() for status in [path.stat()]}


def _beside_plain(home: Path, cost: LargeCost, day: dt.date, memory_limit: str) -> LargeCost:
    database = home / "plain.duckdb"
    try:
        whole = plain_duckdb.build_from_all_files(home / "city" / "drops", database, memory_limit)
        months = compare_month_marts(home / "published" / "current" / "marts.duckdb", database)
        with duckdb.connect(str(database)) as con:
            con.execute("delete from usage where usage_on = ?", [day])
        alone = plain_duckdb.add_one_day(home / "city" / "drops", database, f"{day:%Y%m%d}", memory_limit)
    finally:
        database.unlink(missing_ok=True)
    return dataclasses.replace(
        cost, plain_seconds=whole.seconds, plain_day_seconds=alone.seconds, months_compared=months
    )


def _note(home: Path, kind: str, record: dict[str, Any]) -> None:
    figures = read_figures(home)
    figures.setdefault(kind, []).append(record)
    (home / FIGURES).write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")


def table_of(cost: LargeCost) -> str:
    """The measured day as a table of Markdown, as it stands in docs/benchmarks.md."""
    run = cost.run
    stages = ("load_raw", "admit", "gate_sources", "build_models", "gate_marts")
    heads = ["scale", "history, usage rows", "day, usage rows", *stages, "data work s", "publish", "all s", "peak MiB",
             "plain SQL s", "ratio"]  # fmt: skip
    cells = [
        str(cost.scale), f"{cost.history_rows:,}", f"{run.usage_rows:,}",
        *(f"{run.stages.get(stage, 0.0):.1f}" for stage in stages),
        f"{run.data_work_seconds:.1f}", f"{run.stages.get('publish', 0.0):.1f}", f"{run.seconds:.1f}",
        f"{run.peak_mib:,.0f}", "–" if cost.plain_seconds is None else f"{cost.plain_seconds:.1f}",
        "–" if cost.ratio is None else f"**{cost.ratio:.2f}**",
    ]  # fmt: skip
    rows = (heads, ["---"] * len(heads), cells)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def plot_of(cost: LargeCost) -> dict[str, Any]:
    """The day's seconds by stage above those of the plain scripts: a Vega-Lite specification."""
    stages = (*DATA_WORK, "publish")
    bars = [
        {"what": "one more day, without reading", "stage": stage, "seconds": round(cost.run.stages.get(stage, 0.0), 1),
         "order": number}
        for number, stage in enumerate(stages)
    ]  # fmt: skip
    for what, seconds in (
        ("plain SQL, all files", cost.plain_seconds),
        ("plain SQL, new day", cost.plain_day_seconds),
    ):
        if seconds is not None:
            bars.append({"what": what, "stage": "plain SQL", "seconds": round(seconds, 1), "order": len(stages)})
    return {
        "width": 560,
        "height": {"step": 40},
        "data": {"values": bars},
        "mark": {"type": "bar"},
        "encoding": {
            "y": {"field": "what", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 220}},
            "x": {"field": "seconds", "type": "quantitative", "axis": {"title": "seconds", "grid": True}},
            "color": {
                "field": "stage",
                "type": "nominal",
                "scale": {"domain": [*stages, "plain SQL"], "range": [*PAPER.series, PAPER.ink]},
            },
            "order": {"field": "order", "type": "quantitative"},
        },
    }

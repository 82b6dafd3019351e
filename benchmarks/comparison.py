"""``python -m benchmarks peers``: the product beside its peers on the same files in one run, as table and plot.

Two kinds of work. *Files to the monthly usage mart*: plain DuckDB SQL, pandas as people write it in Airflow tasks, and
the night's data work (which does far more: rows with identity, quarantine, two gates, all marts and the evaluation).
*All models*: the same dbt project from the same admitted rows, built by dbt as in the night, and by SQLMesh.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.nightly import RunCost, build_city, compare_month_marts, run_nightly
from benchmarks.processes import CommandFailedError, Measured, measure
from benchmarks.same_models import SameModels, measure_same_models
from oneledger.charts.palette import PAPER
from oneledger.charts.render import Specification

Say = Callable[[str], None]
FILES, MODELS = "files to the monthly mart", "all models"


@dataclass(frozen=True)
class Contender:
    """One row of the table; seconds are None where it failed, and ``remark`` says why.

    Attributes:
        ratio_first, ratio_day: over the first contender of the same scale and kind of work.
    """

    scale: int
    work: str
    name: str
    first_seconds: float | None
    day_seconds: float | None
    peak_mib: float | None
    ratio_first: float | None
    ratio_day: float | None
    remark: str = ""


@dataclass(frozen=True)
class Limits:
    """DuckDB's and the night's memory as the settings write it, and what pandas may allocate, in bytes."""

    memory_limit: str
    pandas_bytes: int


def measure_comparison(
    home: Path, *, scale: int, first_day: dt.date, last_day: dt.date, limits: Limits, say: Say
) -> list[Contender]:
    """All contenders at one scale; the history up to the day before ``last_day`` first, then that day.

    Raises:
        AssertionError: two of them computed different marts.
    """
    eve, drops = last_day - dt.timedelta(days=1), home / "city" / "drops"
    build_city(home, scale, first_day, eve, say)
    first_night = run_nightly(home, eve, limits.memory_limit, say)
    plain_first = _plain(home, "all", "plain.duckdb", limits)
    pandas_first = _pandas(home, "all", limits)
    _say_files(say, plain_first, pandas_first)
    build_city(home, scale, first_day, last_day, say)
    day_night = run_nightly(home, last_day, limits.memory_limit, say)
    day = f"{last_day:%Y%m%d}"
    plain_day = _plain(home, "day", "plain.duckdb", limits, day)
    pandas_day = _pandas(home, "day", limits, day) if isinstance(pandas_first, Measured) else pandas_first
    plain_again = _plain(home, "all", "plain_again.duckdb", limits)
    pandas_again = _pandas(home, "again", limits)
    _say_files(say, plain_again, pandas_again)
    marts = home / "published" / "current" / "marts.duckdb"
    for database in ("plain.duckdb", "plain_again.duckdb"):
        compare_month_marts(marts, home / database)
    for folder, took in (("pandas", pandas_day), ("pandas-again", pandas_again)):
        if isinstance(took, Measured):
            compare_month_marts(marts, _as_database(home / folder))
    shutil.rmtree(drops)
    models = measure_same_models(
        home / "same-models", home / "warehouse" / "warehouse.duckdb", memory_limit=limits.memory_limit, say=say
    )
    say(f"  dbt and SQLMesh: {models.tables_count} tables with {models.rows_count:,} rows equal")
    return _contenders(
        scale, (plain_first, plain_again, plain_day), (pandas_first, pandas_again, pandas_day),
        (first_night, day_night), models,
    )  # fmt: skip


def table_of(contenders: Sequence[Contender]) -> str:
    """The table of the docs, in Markdown."""
    lines = [
        "| scale | work | who | first load s | one more day s | peak MiB | ratio first | ratio day |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in contenders:
        figures = [_number(one.first_seconds, 1), _number(one.day_seconds, 1), _number(one.peak_mib, 0),
                   _number(one.ratio_first, 2), _number(one.ratio_day, 2)]  # fmt: skip
        remark = f" ({one.remark})" if one.remark else ""
        lines.append(f"| {one.scale} | {one.work} | {one.name}{remark} | {' | '.join(figures)} |")
    return "\n".join(lines)


def plot_of(contenders: Sequence[Contender]) -> Specification:
    """Seconds of a first load and of one more day, and peak memory, by contender and scale."""
    values = [
        {
            "scale": f"scale {one.scale}",
            "who": one.name,
            "work": one.work,
            "measure": measure_name,
            "value": value,
            "label": f"{one.name}, scale {one.scale}, {measure_name}: {value:,.1f}",
        }
        for one in contenders
        for measure_name, value in (
            ("first load, s", one.first_seconds),
            ("one more day, s", one.day_seconds),
            ("peak memory, MiB", one.peak_mib),
        )
        if value is not None
    ]
    names = list(dict.fromkeys(str(value["who"]) for value in values))
    return {
        "data": {"values": values},
        "facet": {
            "row": {"field": "scale", "type": "nominal", "title": None, "sort": None},
            "column": {"field": "measure", "type": "nominal", "title": None, "sort": None},
        },
        "spec": {
            "width": 200, "height": {"step": 16},
            "mark": "bar",
            "encoding": {
                "y": {"field": "who", "type": "nominal", "title": None, "sort": names, "axis": {"labelLimit": 330}},
                "x": {"field": "value", "type": "quantitative", "title": None, "axis": {"tickCount": 4}},
                "color": {"field": "work", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
                          "scale": {"domain": [FILES, MODELS], "range": list(PAPER.series[:2])}},
                "description": {"field": "label"},
            },
        },
        "resolve": {"scale": {"x": "independent"}},
    }  # fmt: skip


def to_json(contenders: Sequence[Contender]) -> list[dict[str, object]]:
    return [dataclasses.asdict(one) for one in contenders]


def _contenders(
    scale: int,
    plain: Sequence[Measured],
    pandas: Sequence[Measured | str],
    nights: Sequence[RunCost],
    models: SameModels,
) -> list[Contender]:
    first, again, day = plain
    measured = [(one.seconds, one.peak_mib) if isinstance(one, Measured) else (None, None) for one in pandas]
    remark = next((one for one in pandas if isinstance(one, str)), "")
    base_first, base_day = first.seconds, again.seconds

    def row(name: str, first: float | None, day: float | None, peak: float | None, remark: str = "") -> Contender:
        return Contender(scale, FILES, name, first, day, peak, _ratio(first, base_first), _ratio(day, base_day), remark)

    def of_models(name: str, first: Measured, day: Measured) -> Contender:
        return Contender(
            scale, MODELS, name, first.seconds, day.seconds, max(first.peak_mib, day.peak_mib),
            first.seconds / models.dbt_first.seconds, day.seconds / models.dbt_day.seconds,
        )  # fmt: skip

    return [
        row("plain DuckDB SQL, all files", first.seconds, again.seconds, max(first.peak_mib, again.peak_mib)),
        row("plain DuckDB SQL, new day only", None, day.seconds, day.peak_mib),
        row("pandas, all files", measured[0][0], measured[1][0], _most(measured[0][1], measured[1][1]), remark),
        row("pandas, new day only", None, measured[2][0], measured[2][1], remark),
        row("OneLedger, data work of the night", nights[0].data_work_seconds, nights[1].data_work_seconds,
            max(night.peak_mib for night in nights)),
        of_models("dbt, as in the night", models.dbt_first, models.dbt_day),
        of_models("SQLMesh", models.sqlmesh_first, models.sqlmesh_day),
    ]  # fmt: skip


def _ratio(seconds: float | None, base: float) -> float | None:
    return None if seconds is None else seconds / base


def _most(*values: float | None) -> float | None:
    return max((one for one in values if one is not None), default=None)


def _number(value: float | None, places: int) -> str:
    return "—" if value is None else f"{value:,.{places}f}"


def _say_files(say: Say, plain: Measured, pandas: Measured | str) -> None:
    told = pandas if isinstance(pandas, str) else f"{pandas.seconds:.1f} s, {pandas.peak_mib:,.0f} MiB"
    say(f"  all files: plain SQL {plain.seconds:.1f} s, {plain.peak_mib:,.0f} MiB; pandas {told}")


def _plain(home: Path, how: str, database: str, limits: Limits, *day: str) -> Measured:
    places = [how, str(home / "city" / "drops"), str(home / database), limits.memory_limit, *day]
    return measure([sys.executable, "-m", "benchmarks.plain_duckdb", *places], {})


def _pandas(home: Path, how: str, limits: Limits, *day: str) -> Measured | str:
    """What it took, or why it failed: pandas holds all rows in memory, and no more than the limit is given to it."""
    folder = home / ("pandas-again" if how == "again" else "pandas")
    places = ["day" if how == "day" else "all", str(home / "city" / "drops"), str(folder), *day]
    try:
        return measure([sys.executable, "-m", "benchmarks.plain_pandas", *places], {}, most_bytes=limits.pandas_bytes)
    except CommandFailedError as error:
        if "MemoryError" not in str(error) and "memory" not in str(error).lower():
            raise
        return f"needs more than {limits.pandas_bytes / 1024**3:.0f} GiB"


def _as_database(folder: Path) -> Path:
    """The mart that pandas wrote as Parquet, where the comparison looks for one."""
    database = folder / "mart.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "create or replace table app_usage_month as select * replace (cast(month as date) as month)"
            f" from read_parquet('{folder / 'app_usage_month.parquet'}')"
        )
    return database

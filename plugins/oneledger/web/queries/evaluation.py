"""Evaluation runs for the pages: what they say of themselves, and their results asked in SQL."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from oneledger.evaluation.rule_tables import INDICATORS, number_of
from oneledger.evaluation.rules import load_frozen
from oneledger.evaluation.runs import evaluation_runs
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun
from oneledger.web.api.files import batches, csv_bytes
from oneledger.web.api.relations import Column
from oneledger.web.listing import with_total
from oneledger.web.reading import Reading

PAGE_ROWS = 50
Band = Literal["5", "4", "3", "none", "withheld"]
ResultSort = Literal["app_name", "-app_name", "score", "-score", "family", "-family"]
_BAND = "case when stars.status = 'withheld' then 'withheld' else coalesce(stars.stars::varchar, 'none') end"

_RESULT = f"""
    select
        stars.app_id, coalesce(population.app_name, stars.app_id) as app_name, population.side, population.family,
        stars.stars, stars.score, stars.status, {_BAND} as band, stars.reason_zh, stars.reason_en, stars.scored_weight,
        stars.withheld_weight, stars.not_applicable_weight, stars.rule_version
    from app_stars as stars
    left join population using (app_id)
"""
_CHOSEN = (
    "($text = '' or contains(lower(app_name), lower($text)) or app_id = $text) and ($band is null or band = $band)"
)
_CSV_COLUMNS = (
    ("app_id", "VARCHAR"), ("app_name", "VARCHAR"), ("side", "VARCHAR"), ("family", "VARCHAR"), ("stars", "INTEGER"),
    ("score", "DOUBLE"), ("status", "VARCHAR"), ("reason_zh", "VARCHAR"), ("reason_en", "VARCHAR"),
    ("scored_weight", "DOUBLE"), ("withheld_weight", "DOUBLE"), ("not_applicable_weight", "DOUBLE"),
    ("rule_version", "VARCHAR"),
)  # fmt: skip


@dataclass(frozen=True)
class Results:
    """One page of the results of a run, and how many rows there are in all."""

    rows: list[dict[str, Any]]
    total: int

    @property
    def pages(self) -> int:
        return math.ceil(self.total / PAGE_ROWS)


@dataclass(frozen=True)
class Withheld:
    """What could not be scored in a run, and why.

    Attributes:
        apps: reason (zh, en) and ``apps_count`` of apps without a score.
        indicators: indicator, reason id, ``apps_count`` and one of its reasons in words, the most first.
    """

    apps: list[dict[str, Any]]
    indicators: list[dict[str, Any]]


def results_of(
    run: EvaluationRun, *, text: str = "", band: Band | None = None, sort: ResultSort = "-score", page: int = 1
) -> Results:
    """The apps of a run with score and stars.

    Args:
        text: part of a name, or an id.
        band: only these stars.
        page: from 1, ``PAGE_ROWS`` each.
    """
    with _opened(run, "app_stars", "population") as connection:
        rows = _rows(
            connection,
            f"{with_total(f'select * from ({_RESULT}) where {_CHOSEN}')} order by {_order(sort)}"
            f" limit {PAGE_ROWS} offset $skipped",
            {**_asked(text, band), "skipped": (page - 1) * PAGE_ROWS},
        )
        total = rows[0]["total_count"] if rows else 0
        if not rows and page > 1:
            return Results([], results_of(run, text=text, band=band, sort=sort).total)
    return Results(rows, total)


def results_as_csv(run: EvaluationRun, *, text: str, band: Band | None, sort: ResultSort) -> Iterator[bytes]:
    """All rows that ``results_of`` pages through, as CSV for Excel, read while they are sent."""
    with _opened(run, "app_stars", "population") as connection:
        wanted = ", ".join(name for name, _ in _CSV_COLUMNS)
        reader = batches(
            connection,
            f"select {wanted} from ({_RESULT}) where {_CHOSEN} order by {_order(sort)}",
            _asked(text, band),
        )
        yield from csv_bytes(reader, [Column(name, kind) for name, kind in _CSV_COLUMNS], for_excel=True)


def live_stars(reading: Reading) -> list[dict[str, Any]]:
    """Apps by period and stars as the nightly computed them for this version; what is shown before there is any run."""
    return reading.rows(
        f"select period, {_BAND} as band, count(*) as apps_count from evaluation.app_stars as stars group by all"
        " order by period desc, band"
    )


def score_bins(run: EvaluationRun, width: int) -> list[dict[str, Any]]:
    """Apps by score in steps of ``width`` points and by stars; full marks count to the last step."""
    with _opened(run, "app_stars") as connection:
        return _rows(
            connection,
            f"""
            select
                least(floor(stars.score / {width}) * {width}, {100 - width})::integer as from_score, {_BAND} as band,
                count(*) as apps_count
            from app_stars as stars
            where stars.score is not null
            group by all
            order by 1, 2
            """,
        )


def withheld_in(run: EvaluationRun) -> Withheld:
    """Apps and indicators of a run that the data did not allow to score."""
    with _opened(run, "app_stars", "indicator_points") as connection:
        apps = _rows(
            connection,
            "select coalesce(reason_zh, reason) as reason_zh, coalesce(reason_en, reason) as reason_en,"
            " count(*) as apps_count from app_stars where status = 'withheld' group by all order by apps_count desc, 1"
            " limit 20",
        )
        indicators = _rows(
            connection,
            "select indicator_id, any_value(title_zh) as title_zh, any_value(title_en) as title_en, reason,"
            " min(reason_zh) as reason_zh, min(reason_en) as reason_en, count(*) as apps_count, sum(weight) as weight"
            " from indicator_points where status = 'withheld' group by indicator_id, reason"
            " order by apps_count desc, indicator_id limit 30",
        )
    return Withheld(apps, indicators)


def transitions(first: EvaluationRun, second: EvaluationRun) -> dict[tuple[str, str], int]:
    """Apps by stars in the first and in the second run; ``absent`` for one that was not evaluated."""
    with duckdb.connect() as connection:
        for name, run in (("first", first), ("second", second)):
            path = _literal(run.result_path("app_stars"))
            connection.execute(
                f"create view {name} as select app_id, {_BAND} as band from read_parquet('{path}') as stars"
            )
        return {
            (before, after): count
            for before, after, count in connection.execute(
                "select coalesce(first.band, 'absent'), coalesce(second.band, 'absent'), count(*)"
                " from first full join second using (app_id) group by all"
            ).fetchall()
        }


def star_cut_offs(run: EvaluationRun) -> list[tuple[int, float]]:
    """Stars and the score from which on they are given, by the run's rules in force at the end of its period."""
    day = run.record["round"]["period_end_on"]
    rows = load_frozen(run.path / RULES_DIR).rows("star_band")
    return sorted(
        (int(row["stars"]), number_of(row["minimum_score"]) or 0.0)
        for row in rows
        if row["effective_from"] <= day and (not row["effective_to"] or row["effective_to"] >= day)
    )


def indicator_titles(*runs: EvaluationRun) -> dict[str, tuple[str, str]]:
    """What the indicators of these runs are called, Chinese and English; the first run's word counts."""
    return {
        row["indicator_id"]: (row["title_zh"], row["title_en"])
        for run in reversed(runs)
        for row in load_frozen(run.path / RULES_DIR).rows(INDICATORS)
    }


def superseded_by(settings: Settings, run: EvaluationRun) -> str | None:
    """The run that replaced this one."""
    return next((one.run_id for one in evaluation_runs(settings) if one.decision.get("supersedes") == run.run_id), None)


def in_force_of_round(settings: Settings, run: EvaluationRun) -> EvaluationRun | None:
    """The confirmed run of the same round, which confirming this one would replace."""
    return next(
        (one for one in evaluation_runs(settings) if one.state == "confirmed" and one.round_id == run.round_id), None
    )


def _asked(text: str, band: Band | None) -> dict[str, Any]:
    return {"text": text.strip(), "band": band}


def _order(sort: ResultSort) -> str:
    return f"{sort.removeprefix('-')} {'desc' if sort.startswith('-') else 'asc'} nulls last, app_id"


@contextmanager
def _opened(run: EvaluationRun, *tables: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Result tables of a run as views, in memory."""
    with duckdb.connect() as connection:
        for table in tables:
            connection.execute(f"create view {table} as from read_parquet('{_literal(run.result_path(table))}')")
        yield connection


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, parameters) if parameters else connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _literal(path: object) -> str:
    return str(path).replace("'", "''")

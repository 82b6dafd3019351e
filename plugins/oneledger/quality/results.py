"""Results of checks over time: since when a check fails, the latest result of each, and the history of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb

from oneledger.quality.checks import CheckResult, GateReport
from oneledger.quality.gate_state import record_gate
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables, utc_timestamp
from oneledger.warehouse.lock import writer_lock
from oneledger.warehouse.reader_copies import write_reader_copies

KEPT_RUNS = 400
_COLUMNS = (
    "run_id", "gate", "check_id", "entity", "severity", "is_passed", "observed", "expected", "since", "owner",
    "remedy_zh", "remedy_en", "title_zh", "title_en", "unexpected_count", "judged_count", "expectation", "checked_at",
)  # fmt: skip
_BARS = "▁▂▃▄▅▆▇█"
TREND_RUNS = 30


def record_results(settings: Settings, report: GateReport) -> GateReport:
    """Write a gate's results and its answer; returns the report with ``since`` filled in.

    Raises:
        WriterBusyError: another process writes the warehouse.
    """
    step = "gate_sources" if report.gate == "sources" else "gate_marts"
    with writer_lock(settings, run_id=report.run_id, step=step), open_warehouse(settings) as connection:
        create_control_tables(connection)
        now = utc_timestamp()
        failing_since = {
            (check_id, entity): since
            for check_id, entity, since in connection.execute(
                "select check_id, entity, arg_max(since, checked_at) from checks.result where gate = ?"
                " group by check_id, entity having not arg_max(is_passed, checked_at)",
                [report.gate],
            ).fetchall()
        }
        results = tuple(
            result
            if result.is_passed
            else replace(result, since=failing_since.get((result.check_id, result.entity)) or now)
            for result in report.results
        )
        connection.execute("begin transaction")
        try:
            for result in results:
                connection.execute(
                    f"insert into checks.result ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))})",
                    [*_values(result, report.run_id), now],
                )
            _forget_old(connection, report.gate)
            report = replace(report, results=results)
            record_gate(connection, report.gate, run_id=report.run_id, is_open=report.is_open, as_of=report.as_of)
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
        write_reader_copies(connection, settings)
    return report


def latest_results(connection: duckdb.DuckDBPyConnection, *, only_failed: bool = False) -> list[dict[str, Any]]:
    """The newest result of each check and entity, what blocks first.

    A check that does not apply any more (its batch was replaced, its table is gone) keeps its last result
    until the gate has passed without it.
    """
    where = "where not is_passed" if only_failed else ""
    return _rows(
        connection,
        "with ranked as (select *, row_number() over (partition by gate, check_id, entity order by checked_at desc)"
        " as recency from checks.result)"
        f" select {', '.join(_COLUMNS)} from (select * from ranked where recency = 1) {where}"
        " order by is_passed, severity, gate desc, check_id, entity",
    )


def results_of_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """Every result of one run."""
    return _rows(
        connection,
        f"select {', '.join(_COLUMNS)} from checks.result where run_id = ?"
        " order by is_passed, severity, gate desc, check_id, entity",
        [run_id],
    )


def history_of(connection: duckdb.DuckDBPyConnection, check_id: str, entity: str | None) -> list[dict[str, Any]]:
    """All kept results of one check, newest first."""
    return _rows(
        connection,
        f"select {', '.join(_COLUMNS)} from checks.result where check_id = ? and (? is null or entity = ?)"
        " order by checked_at desc, entity",
        [check_id, entity, entity],
    )


def trends(connection: duckdb.DuckDBPyConnection, check_id: str | None = None) -> list[dict[str, Any]]:
    """How each check and entity went over its kept runs, what fails now first.

    Returns:
        check_id, entity, titles, severity, is_passed (now), runs_count, failed_runs_count, first_failed_at and
        last_failed_at (UTC, null when it never failed in the kept runs), first_checked_at, newest
        ``unexpected_count``, and ``trend``: the unexpected counts of the newest runs as a line of bars, oldest
        first; ``·`` is a run in which all was as expected.
    """
    found = connection.execute(
        """
        with kept as (
            select *, row_number() over (partition by gate, check_id, entity order by checked_at desc) as recency
            from checks.result
            where $check_id is null or check_id = $check_id
        )
        select
            check_id, entity, arg_max(title_zh, checked_at) as title_zh, arg_max(title_en, checked_at) as title_en,
            arg_max(severity, checked_at) as severity, arg_max(is_passed, checked_at) as is_passed,
            count(*) as runs_count, count(*) filter (not is_passed) as failed_runs_count,
            min(checked_at) filter (not is_passed) as first_failed_at,
            max(checked_at) filter (not is_passed) as last_failed_at, min(checked_at) as first_checked_at,
            arg_max(coalesce(unexpected_count, (not is_passed)::bigint), checked_at) as unexpected_count,
            list(coalesce(unexpected_count, (not is_passed)::bigint) order by checked_at)
                filter (recency <= $shown) as counts
        from kept
        group by gate, check_id, entity
        order by is_passed, severity, check_id, entity
        """,
        {"check_id": check_id, "shown": TREND_RUNS},
    )
    names = [column[0] for column in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        row["trend"] = sparkline(row.pop("counts"))
    return rows


def check_trends(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """How each check went over its kept runs, all that it judges together; what fails now first.

    Returns:
        check_id, gate, titles, severity, owner, ``entities_count`` and ``failing_count`` (entities judged, and failing
        now), ``since`` (since when the first of them fails, UTC; null when none does), ``checked_at``, and ``runs``:
        of the newest runs, oldest first, run_id, checked_at, ``judged_count`` and ``failed_count`` of entities,
        ``unexpected_count`` and ``has_blocked``.
    """
    found = connection.execute(
        """
        with newest as (
            select *
            from checks.result
            qualify row_number() over (partition by gate, check_id, entity order by checked_at desc) = 1
        ),
        now_of_check as (
            select
                gate, check_id, arg_max(title_zh, checked_at) as title_zh, arg_max(title_en, checked_at) as title_en,
                arg_max(owner, checked_at) as owner, min(severity) as severity, count(*) as entities_count,
                count(*) filter (not is_passed) as failing_count,
                count(*) filter (not is_passed and severity = 'fail') as blocking_count,
                min(since) filter (not is_passed) as since, max(checked_at) as checked_at
            from newest
            group by gate, check_id
        ),
        of_run as (
            select
                gate, check_id, run_id, max(checked_at) as checked_at, count(*) as judged_count,
                count(*) filter (not is_passed) as failed_count,
                sum(coalesce(unexpected_count, (not is_passed)::bigint))::bigint as unexpected_count,
                bool_or(not is_passed and severity = 'fail') as has_blocked
            from checks.result
            group by gate, check_id, run_id
            qualify row_number() over (partition by gate, check_id order by max(checked_at) desc) <= $shown
        ),
        trend as (
            select
                gate, check_id,
                list(
                    {
                        'run_id': run_id, 'checked_at': checked_at, 'judged_count': judged_count,
                        'failed_count': failed_count, 'unexpected_count': unexpected_count, 'has_blocked': has_blocked
                    }
                    order by checked_at
                ) as runs
            from of_run
            group by gate, check_id
        )
        select *
        from now_of_check
        inner join trend using (gate, check_id)
        order by blocking_count = 0, failing_count = 0, gate desc, check_id
        """,
        {"shown": TREND_RUNS},
    )
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def sparkline(counts: Sequence[int]) -> str:
    """Counts as bars between the smallest and the largest above zero; a zero is a dot."""
    largest = max(counts, default=0)
    return "".join(
        "·" if count == 0 else _BARS[max(0, -(-count * len(_BARS) // largest) - 1)] for count in counts
    )  # fmt: skip


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    return [dict(zip(_COLUMNS, row, strict=True)) for row in connection.execute(sql, parameters or []).fetchall()]


def _values(result: CheckResult, run_id: str) -> list[Any]:
    # A tolerated failure does not block: it is kept as a warning, with the toleration in `expected`.
    severity = "warn" if result.tolerated else result.severity
    return [
        run_id, result.gate, result.check_id, result.entity, severity, result.is_passed, result.observed,
        result.expected, result.since, result.owner, result.remedy_zh, result.remedy_en, result.title_zh,
        result.title_en, result.unexpected_count, result.judged_count, result.expectation,
    ]  # fmt: skip


def _forget_old(connection: duckdb.DuckDBPyConnection, gate: str) -> None:
    """Keep the newest runs, and of each check its newest result whatever its age."""
    connection.execute(
        "with kept_run as (select run_id from checks.result where gate = $gate group by run_id"
        " order by max(checked_at) desc limit $kept),"
        " newest as (select check_id, coalesce(entity, '') as entity, max(checked_at) as checked_at from checks.result"
        " where gate = $gate group by all)"
        " delete from checks.result as old where gate = $gate and run_id not in (select run_id from kept_run)"
        " and not exists (select 1 from newest where newest.check_id = old.check_id"
        " and newest.entity = coalesce(old.entity, '') and newest.checked_at = old.checked_at)",
        {"gate": gate, "kept": KEPT_RUNS},
    )

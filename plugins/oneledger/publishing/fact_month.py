"""One month of a daily fact as one Parquet file, written so that neither memory nor time follows the month's size.

The days of a month stand in runs of up to five million rows, each sorted by app: what is looked for stands together
within a run, a run fits into memory, and the runs before the first day that changed are taken over from the file
before as they are. Of a small city the whole month is one run. The content is counted for the changed days alone.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.publishing.content import digest_of, quote, quote_all
from oneledger.publishing.parts import FactPart
from oneledger.time_left import TimeLeft

ROWS_OF_A_RUN = 5_000_000
_PARQUET = "format parquet, compression zstd, row_group_size 122880"
# Read once more and thrown away.
_PASSING = "format parquet, compression lz4, row_group_size 122880"


@dataclass(frozen=True)
class DailyFact:
    """A daily fact of the warehouse: its table, its date column, and what its rows are sorted by."""

    name: str
    date_column: str
    sort_columns: tuple[str, ...]
    columns_hash: str


def write_month(
    connection: duckdb.DuckDBPyConnection,
    fact: DailyFact,
    month: str,
    path: Path,
    *,
    ground: Path | None = None,
    known: FactPart | None = None,
    days: Sequence[dt.date] | None = None,
    progress: Callable[[str], None],
) -> FactPart:
    """Write the month's file.

    Args:
        month: ``yyyy-mm``.
        path: the file to write.
        ground: the file of the version before, to take over what did not change; None for none.
        known: what is known of ``ground``.
        days: the days that may differ from ``ground``; None when it may be any.
        progress: told one line a run, with what is left of the month.

    Returns:
        The digest of the whole month, and its runs.

    Raises:
        RuntimeError: what was taken over from ``ground`` does not hold as many rows as the warehouse.
    """
    days_held = _days(connection, fact, month)
    runs = _runs(days_held)
    if ground is None or known is None or days is None:
        _write(connection, fact, path, runs, month, ground=None, first_new=0, progress=progress)
        _require_all_rows(connection, path, days_held)
        return FactPart(digest_of(connection, _file(path)), _as_text(runs))
    first_new = _first_run_to_write(runs, known, min(days))
    _write(connection, fact, path, runs, month, ground=ground, first_new=first_new, progress=progress)
    _require_all_rows(connection, path, days_held)
    changed = f"{quote(fact.date_column)} in ({', '.join(_date(day) for day in sorted(days))})"
    digest = known.digest - digest_of(connection, _file(ground), changed) + digest_of(connection, _file(path), changed)
    return FactPart(digest, _as_text(runs))


def _require_all_rows(
    connection: duckdb.DuckDBPyConnection, path: Path, days_held: Sequence[tuple[dt.date, int]]
) -> None:
    """Stop when the file does not hold as many rows as the warehouse: nothing may be published of it."""
    held = sum(rows for _, rows in days_held)
    written = connection.execute(f"select count(*) from {_file(path)}").fetchall()[0][0]
    if written != held:
        raise RuntimeError(f"{path.name} would be published with {written} rows, the warehouse holds {held}")


def _days(connection: duckdb.DuckDBPyConnection, fact: DailyFact, month: str) -> list[tuple[dt.date, int]]:
    """The days of the month, each with its rows."""
    day = quote(fact.date_column)
    return connection.execute(
        f"select {day}, count(*) from marts.{quote(fact.name)} where {_within(fact, month)} group by 1 order by 1"
    ).fetchall()


def _runs(days_held: Sequence[tuple[dt.date, int]]) -> list[dt.date]:
    """The first day of each run of the month."""
    runs: list[dt.date] = []
    rows_of_run = 0
    for on, rows in days_held:
        if not runs or rows_of_run + rows > ROWS_OF_A_RUN:
            runs.append(on)
            rows_of_run = 0
        rows_of_run += rows
    return runs


def _first_run_to_write(runs: Sequence[dt.date], known: FactPart, first_changed: dt.date) -> int:
    """How many runs the file before holds, sorted, with no changed day among them."""
    taken = 0
    for number, (start, following) in enumerate(itertools.pairwise(runs)):
        end_before = known.runs[number + 1] if number + 1 < len(known.runs) else "9999-12-31"
        is_there = known.runs[number : number + 1] == (start.isoformat(),) and end_before >= following.isoformat()
        if not is_there or following > first_changed:
            break
        taken += 1
    return taken


def _write(
    connection: duckdb.DuckDBPyConnection, fact: DailyFact, path: Path, runs: Sequence[dt.date], month: str, *,
    ground: Path | None, first_new: int, progress: Callable[[str], None],
) -> None:  # fmt: skip
    day = quote(fact.date_column)
    written = list(runs[first_new:])
    if len(runs) == 1:
        connection.execute(f"copy ({_sorted_rows(fact, month, runs[0], None)}) to '{_literal(path)}' ({_PARQUET})")
        return
    pieces = [path.with_name(f".{path.stem}.run-{number:02d}.parquet") for number in range(len(written))]
    # Putting them together at the end takes about as long as a quarter of sorting them.
    left, parts = TimeLeft(), len(pieces) * 1.25
    try:
        for number, (start, following) in enumerate(zip(written, [*written[1:], None], strict=True)):
            progress(f"{fact.name} of {month}: {number + 1} of {len(pieces)} runs{left.words(number, parts)}")
            rows = _sorted_rows(fact, month, start, following)
            connection.execute(f"copy ({rows}) to '{_literal(pieces[number])}' ({_PASSING})")
        progress(f"{fact.name} of {month}: all runs into one file{left.words(len(pieces), parts)}")
        # One scan over all of them: of two that are united the later rows would wait for the earlier ones, in memory
        # and then on the disk.
        rows = f"select * from {_file(*pieces)}"
        if ground and first_new:
            kept = f"filename <> '{_literal(ground)}' or {day} < {_date(written[0])}"
            rows = f"select * from {_file(ground, *pieces)} where {kept}"
        # The order of the pieces is what the file is for.
        connection.execute("set preserve_insertion_order = true")
        connection.execute(f"copy ({rows}) to '{_literal(path)}' ({_PARQUET})")
    finally:
        connection.execute("set preserve_insertion_order = false")
        for piece in pieces:
            piece.unlink(missing_ok=True)


def _sorted_rows(fact: DailyFact, month: str, start: dt.date, following: dt.date | None) -> str:
    day = quote(fact.date_column)
    until = f" and {day} < {_date(following)}" if following else ""
    return (
        f"select * from marts.{quote(fact.name)} where {_within(fact, month)} and {day} >= {_date(start)}{until}"
        f" order by {quote_all(fact.sort_columns)}"
    )


def _within(fact: DailyFact, month: str) -> str:
    day = quote(fact.date_column)
    return f"{day} >= date '{month}-01' and {day} < date '{month}-01' + interval 1 month"


def _as_text(runs: Sequence[dt.date]) -> tuple[str, ...]:
    return tuple(day.isoformat() for day in runs)


def _file(*paths: Path) -> str:
    return "read_parquet([" + ", ".join(f"'{_literal(path)}'" for path in paths) + "])"


def _date(day: dt.date) -> str:
    return f"date '{day.isoformat()}'"


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")

"""Daily drop files of the portals: gzip CSV with a control file, the same bytes for the same day."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.city.usage_profile import load_days
from oneledger.city.usage_rows import (
    ZHELIBAN_HEADER,
    ZHEZHENGDING_HEADER,
    zheliban_lines_sql,
    zhezhengding_lines_sql,
)
from oneledger.city.work_progress import WorkProgress

CONTROL_SUFFIX = ".ctl"
# Rows drawn in one statement; bounds memory whatever the scale.
ROWS_PER_STEP = 300_000


@dataclass(frozen=True)
class Portal:
    """One portal: its folder, file names, header and encoding."""

    name: str
    side: str
    file_name: str
    header: tuple[str, ...]
    encoding: str

    def path(self, drops: Path, day: dt.date) -> Path:
        return drops / self.name / self.file_name.format(day=day)

    def lines_sql(self, seed: int) -> str:
        return zheliban_lines_sql(seed) if self.side == "service" else zhezhengding_lines_sql(seed)


PORTALS = (
    Portal("zheliban", "service", "zheliban_usage_{day:%Y%m%d}.csv.gz", ZHELIBAN_HEADER, "utf-8"),
    Portal("zhezhengding", "governance", "zzd_yysy_{day:%Y%m%d}.csv.gz", ZHEZHENGDING_HEADER, "gb18030"),
)


class DropFile:
    """One data file being written; ``finish`` puts it in place and writes its control file after it."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.encoding = encoding
        self.rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = path.with_name(f".{path.name}.partial")
        self._raw = self._partial.open("wb")
        # Neither the file name nor the time goes into the gzip header: the same day has the same bytes.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, compresslevel=5, mtime=0)

    def write(self, lines: str, rows: int) -> None:
        self._gzip.write(lines.encode(self.encoding))
        self._gzip.write(b"\n")
        self.rows += rows

    def finish(self) -> None:
        self._gzip.close()
        self._raw.close()
        self._partial.replace(self.path)
        write_control(self.path, self.rows)

    def abandon(self) -> None:
        self._raw.close()
        self._partial.unlink(missing_ok=True)


def write_control(path: Path, rows: int) -> None:
    """Write ``<file>.ctl``: rows and SHA-256 of the compressed bytes."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    control = path.with_name(path.name + CONTROL_SUFFIX)
    partial = control.with_name(f".{control.name}.partial")
    partial.write_text(f"rows={rows}\nsha256={digest}\n", encoding="ascii")
    partial.replace(control)


def delivered_rows(path: Path) -> int | None:
    """The rows that a file's control file names, which is written when the file is whole; None without one."""
    control = path.with_name(path.name + CONTROL_SUFFIX)
    if not (path.is_file() and control.is_file()):
        return None
    rows = control.read_text("ascii").partition("\n")[0]
    return int(rows.removeprefix("rows="))


@contextmanager
def drop_file(portal: Portal, drops: Path, day: dt.date) -> Iterator[DropFile]:
    """A data file with its header; put in place when the block ends well."""
    file = DropFile(portal.path(drops, day), portal.encoding)
    try:
        file.write(",".join(portal.header), 0)
        yield file
    except BaseException:
        file.abandon()
        raise
    file.finish()


def write_drop_files(
    con: duckdb.DuckDBPyConnection, drops: Path, seed: int, first: dt.date, last: dt.date, progress: WorkProgress
) -> dict[str, int]:
    """Write every portal's files for a range of days; returns rows by portal. Profile tables must be loaded."""
    written = {}
    for portal in PORTALS:
        rows_per_day, last_app = _size(con, portal.side)
        progress.begin(f"{portal.name} drop files", (last - first).days + 1)
        if rows_per_day > ROWS_PER_STEP:
            written[portal.name] = _write_by_app(con, drops, portal, seed, first, last, rows_per_day, progress)
        else:
            days = max(1, ROWS_PER_STEP // max(1, rows_per_day))
            written[portal.name] = _write_by_days(con, drops, portal, seed, first, last, days, last_app, progress)
    return written


def _size(con: duckdb.DuckDBPyConnection, side: str) -> tuple[int, int]:
    """Rows a day at most, and the highest app number."""
    found = con.execute(
        """
        with part as (select app_number, count(*) as parts from usage_module group by app_number)

        select coalesce(sum(1 + part.parts), 0)::bigint, coalesce(max(app.number), 0)::bigint
        from usage_app as app
        inner join usage_end as listing on app.number = listing.app_number
        inner join part on app.number = part.app_number
        where app.side = ?
        """,
        [side],
    ).fetchone()
    assert found is not None  # an aggregate without grouping has one row
    return int(found[0]), int(found[1])


def _write_by_days(
    con: duckdb.DuckDBPyConnection, drops: Path, portal: Portal, seed: int, first: dt.date, last: dt.date,
    days: int, last_app: int, progress: WorkProgress,
) -> int:  # fmt: skip
    """Several days a statement, one text a day."""
    written, day = 0, first
    while day <= last:
        until = min(last, day + dt.timedelta(days=days - 1))
        load_days(con, day, until)
        parameters = {"side": portal.side, "first_app": 0, "last_app": last_app, "first_day": day, "last_day": until}
        texts = {on: (rows, text) for on, rows, text in con.execute(portal.lines_sql(seed), parameters).fetchall()}
        while day <= until:
            rows, text = texts.pop(day, (0, ""))
            with drop_file(portal, drops, day) as file:
                if rows:
                    file.write(text, rows)
            written += rows
            day += dt.timedelta(days=1)
            progress.advance(1, rows)
    return written


def _write_by_app(
    con: duckdb.DuckDBPyConnection, drops: Path, portal: Portal, seed: int, first: dt.date, last: dt.date,
    rows_per_day: int, progress: WorkProgress,
) -> int:  # fmt: skip
    """One day in several statements, each over a part of the apps in their order."""
    steps = -(-rows_per_day // ROWS_PER_STEP)
    bounds = con.execute(
        """
        select min(number), max(number)
        from (select number, ntile(?) over (order by number) as step from usage_app where side = ?)
        group by step
        order by step
        """,
        [steps, portal.side],
    ).fetchall()
    written, day = 0, first
    while day <= last:
        known = delivered_rows(portal.path(drops, day))
        if known is not None:
            # A large city's build that was interrupted goes on where it stood: a day's bytes are always the same.
            written += known
            progress.advance(1, known)
            day += dt.timedelta(days=1)
            continue
        load_days(con, day, day)
        with drop_file(portal, drops, day) as file:
            for low, high in bounds:
                parameters = {
                    "side": portal.side,
                    "first_app": low,
                    "last_app": high,
                    "first_day": day,
                    "last_day": day,
                }
                for _, rows, text in con.execute(portal.lines_sql(seed), parameters).fetchall():
                    file.write(text, rows)
                    progress.advance(0, rows)
        written += file.rows
        progress.advance(1, 0)
        day += dt.timedelta(days=1)
    return written

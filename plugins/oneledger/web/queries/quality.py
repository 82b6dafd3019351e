"""Quality for the pages: nights, checks over time, what is withheld or old, and rows that were kept out."""

from __future__ import annotations

import contextlib
import functools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from oneledger.pipeline.runs import newest_runs
from oneledger.pipeline.withheld import grouped_parts
from oneledger.publishing.versions import BATCHES_FILE
from oneledger.quality.quarantine import Filter, count_rows, quarantined_rows
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.reader_copies import ReaderCopies, open_reader_copies
from oneledger.web.listing import with_total
from oneledger.web.reading import Reading

PAGE_ROWS = 50
ROWS_OF_QUARANTINE = 20
NIGHTS = 14
# Sources that are ingested one by one leave a run each, beside the run that builds.
_RUNS_LOOKED_AT = 120


@dataclass(frozen=True)
class WithheldPart:
    """What the published version lacks of one entity, in one way."""

    source: str
    entity: str
    kind: str
    dates: tuple[Any, ...]
    since_on: Any
    rows_count: int
    reason_zh: str
    reason_en: str
    remedy_zh: str
    remedy_en: str
    owner: str


@dataclass(frozen=True)
class Cell:
    """One value of a row as it was received."""

    column: str
    value: Any
    is_bad: bool


@dataclass(frozen=True)
class KeptOut:
    """A quarantined row with the cells that hold something, the bad ones marked."""

    row: dict[str, Any]
    cells: list[Cell]


@contextlib.contextmanager
def kept_results(settings: Settings) -> Iterator[ReaderCopies]:
    """Check results and quarantine as the writers left them for readers.

    Raises:
        HTTPException: 503 with ``Retry-After`` while no run has left them.
    """
    try:
        with open_reader_copies(settings) as copies:
            yield copies
    except ConfigurationError as error:
        raise HTTPException(
            503, f"还没有检查结果可看，请先运行一次 oneledger run。 {error}", headers={"Retry-After": "300"}
        ) from error


def newest_nights(settings: Settings) -> list[dict[str, Any]]:
    """The newest whole runs (``oneledger.pipeline.runs``), newest first; read again when a record was added."""
    folders = sorted(one for one in settings.outcomes_dir.glob("*") if one.is_dir())
    return _nights(settings, (folders[-1].name, folders[-1].stat().st_mtime_ns) if folders else None)


@functools.lru_cache(maxsize=2)
def _nights(settings: Settings, state: tuple[str, int] | None) -> list[dict[str, Any]]:
    """``state`` differs with each record: a record is a file that is put into the newest folder."""
    return [one for one in newest_runs(settings, _RUNS_LOOKED_AT) if one["is_whole"]][:NIGHTS]


def gates(copies: ReaderCopies) -> list[dict[str, Any]]:
    """What each gate last said."""
    cursor = copies.connection.execute(
        "select gate, is_open, run_id, as_of_on, checked_at from checks.gate order by gate desc"
    )
    return _dicts(cursor)


def freshness(reading: Reading) -> list[dict[str, Any]]:
    """Age of each entity's newest data against the age that it may reach, the oldest against its limit first."""
    return reading.rows(
        "select *, max_age_hours / 24 as max_age_days, age_days * 24 / nullif(max_age_hours, 0) as share_of_limit"
        " from marts.source_freshness order by is_stale desc, share_of_limit desc nulls last, source, entity"
    )


def withheld_parts(reading: Reading) -> list[WithheldPart]:
    """What the version lacks, one line an entity and kind."""
    rows = reading.rows("select * from marts.withheld_part order by source, entity, kind, period_on")
    parts = []
    for group in grouped_parts(rows):
        first = group[0]
        parts.append(
            WithheldPart(
                first["source"], first["entity"], first["kind"],
                tuple(one["period_on"] for one in group if one["period_on"]),
                min((one["since_on"] for one in group if one["since_on"]), default=None),
                sum(one["rows_count"] or 0 for one in group), first["reason_zh"], first["reason_en"],
                first["remedy_zh"], first["remedy_en"], first["owner"],
            )
        )  # fmt: skip
    return parts


def accounted_for(reading: Reading) -> list[dict[str, Any]]:
    """By entity: rows received, accepted, quarantined and superseded in the batches of the version."""
    return reading.rows(
        f"""
        select
            source, entity, count(*) as batches_count, sum(received_count)::bigint as received_count,
            sum(accepted_count)::bigint as accepted_count, sum(quarantined_count)::bigint as quarantined_count,
            sum(superseded_count)::bigint as superseded_count,
            bool_and(received_count = accepted_count + quarantined_count + superseded_count) as adds_up
        from read_parquet('{_batches(reading)}')
        group by source, entity
        order by quarantined_count desc, source, entity
        """
    )


def batches(
    reading: Reading, *, source: str | None, entity: str | None, only_quarantined: bool, page: int
) -> tuple[list[dict[str, Any]], int]:
    """Batches of the version, newest business date first: one page, and how many there are."""
    chosen = f"""
        select
            batch_id, source, entity, business_on, revision, received_count, accepted_count, quarantined_count,
            superseded_count, correction_reason, correction_name,
            received_count = accepted_count + quarantined_count + superseded_count as adds_up
        from read_parquet('{_batches(reading)}')
        where ($source is null or source = $source) and ($entity is null or entity = $entity)
            and (not $only_quarantined or quarantined_count > 0)
        """
    rows = reading.rows(
        f"{with_total(chosen)} order by business_on desc, batch_id desc limit {PAGE_ROWS} offset $skipped",
        {"source": source, "entity": entity, "only_quarantined": only_quarantined, "skipped": (page - 1) * PAGE_ROWS},
    )
    return rows, rows[0]["total_count"] if rows else 0


def kept_out(
    settings: Settings, copies: ReaderCopies, chosen: Filter, *, page: int
) -> tuple[list[KeptOut], int]:  # fmt: skip
    """Quarantined rows, newest batch first: one page, and how many there are."""
    rows = quarantined_rows(
        settings, chosen, limit=ROWS_OF_QUARANTINE, offset=(page - 1) * ROWS_OF_QUARANTINE, connection=copies.connection
    )
    found = []
    for row in rows:
        bad = {name.strip() for name in str(row["column_name"] or "").split(",")}
        received = json.loads(row["line"]) if row["line"] else {}
        cells = [Cell(name, value, name in bad) for name, value in received.items() if value is not None or name in bad]
        # A column that the record does not even have is what is wrong with it.
        cells += [Cell(name, None, True) for name in sorted(bad - set(received)) if name]
        found.append(KeptOut(row, cells))
    return found, count_rows(settings, chosen, connection=copies.connection)


def pages_of(total: int, size: int) -> int:
    """How many pages so many rows fill."""
    return math.ceil(total / size)


def _batches(reading: Reading) -> str:
    return str(reading.version.path / BATCHES_FILE).replace("'", "''")


def _dicts(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

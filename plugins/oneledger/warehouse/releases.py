"""Decisions of people about quarantined rows: one file each under ``releases/``, read again by every rebuild.

A release never edits rows. It names rows of batches; the batches are admitted again from raw, the rows judged under
the rules of the day, and those that a person took as they are pass the rules that he waived for them.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue import Entity
from oneledger.landing.durability import flush
from oneledger.outcomes import utc_now
from oneledger.quality.row_rules import REFERENCE_RULE_ID, Check
from oneledger.settings import Settings
from oneledger.warehouse.received_text import sql_text


@dataclass(frozen=True)
class ReleasedRow:
    """One row and one rule that it broke."""

    source: str
    entity: str
    batch_id: str
    file_id: str
    row_number: int
    rule_id: str
    column_name: str


@dataclass(frozen=True)
class Release:
    """Who let which rows through, when and why; ``is_anyway`` means as they are, although they break rules."""

    name: str
    reason: str
    is_anyway: bool
    rows: tuple[ReleasedRow, ...]
    filters: dict[str, str] = field(default_factory=dict)
    released_at: dt.datetime = field(default_factory=utc_now)
    release_id: str = field(default_factory=lambda: f"{utc_now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}")

    @property
    def rows_count(self) -> int:
        """Rows, not pairs of row and rule."""
        return len({(row.file_id, row.row_number) for row in self.rows})


def record_release(settings: Settings, release: Release) -> Path:
    """Write the decision to ``releases/<yyyy-mm>/<release_id>.json``, whole or not at all; returns the file."""
    folder = settings.releases_dir / f"{release.released_at:%Y-%m}"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{release.release_id}.partial"
    with partial.open("w", encoding="utf-8") as stream:
        content = asdict(release) | {"released_at": release.released_at.isoformat(), "rows_count": release.rows_count}
        stream.write(json.dumps(content, ensure_ascii=False))
        stream.flush()
        os.fsync(stream.fileno())
    path = folder / f"{release.release_id}.json"
    partial.rename(path)
    flush(folder)
    return path


def read_releases(settings: Settings, known: Iterable[str] = ()) -> Iterator[Release]:
    """The decisions in the order in which they were made, without the ``known`` ones."""
    passed_over = set(known)
    for path in sorted(settings.releases_dir.glob("????-??/*.json"), key=lambda found: found.name):
        if path.stem in passed_over:
            continue
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content.pop("rows_count")
        content["rows"] = tuple(ReleasedRow(**row) for row in content["rows"])
        content["released_at"] = dt.datetime.fromisoformat(content["released_at"])
        yield Release(**content)


def load_releases(connection: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Bring the files that ``control.release`` does not hold into it; returns how many there were."""
    known = [row[0] for row in connection.execute("select release_id from control.release").fetchall()]
    count = 0
    for release in read_releases(settings, known):
        connection.execute("begin transaction")
        connection.execute(
            "insert into control.release values (?, ?, ?, ?, ?)",
            [release.release_id, release.name, release.reason, release.is_anyway,
             release.released_at.astimezone(dt.UTC).replace(tzinfo=None)],
        )  # fmt: skip
        connection.execute(
            "insert into control.released_row select ?, row.source, row.entity, row.batch_id, row.file_id,"
            " row.row_number, row.rule_id, row.column_name, ? from (select unnest(from_json(?, ?)) as row)",
            [release.release_id, release.is_anyway, json.dumps([asdict(row) for row in release.rows],
                                                               ensure_ascii=False), _ROWS],
        )  # fmt: skip
        connection.execute("commit")
        count += 1
    return count


_ROWS = json.dumps(
    [{"source": "VARCHAR", "entity": "VARCHAR", "batch_id": "VARCHAR", "file_id": "VARCHAR", "row_number": "BIGINT",
      "rule_id": "VARCHAR", "column_name": "VARCHAR"}]
)  # fmt: skip

# Batch and the mark that its releases leave on its contract hash: a batch whose mark differs is admitted again.
RELEASE_MARKS = (
    "select batch_id, '+' || left(md5(string_agg(distinct release_id, ',' order by release_id)), 8) as mark"
    " from control.released_row group by batch_id"
)


def waive(connection: duckdb.DuckDBPyConnection, checks: tuple[Check, ...]) -> None:
    """Take from the rows of ``chunk`` the broken rules that a person waived for them; they become findings."""
    found = connection.execute(
        "select 1 from control.released_row where is_anyway and batch_id in (select batch_id from arriving) limit 1"
    ).fetchone()
    waivable = [(position, check) for position, check in enumerate(checks) if check.may_be_waived]
    if not found or not waivable:
        return
    rules = ", ".join(
        f"({position}, {sql_text(check.rule_id)}, {sql_text(', '.join(check.columns))})" for position, check in waivable
    )
    connection.execute(
        f"""
        update chunk set
            _broken = case when len(list_filter(_broken, lambda one: not list_contains(waived.positions, one))) > 0
                then list_filter(_broken, lambda one: not list_contains(waived.positions, one)) end,
            _warned = list_concat(coalesce(_warned, []),
                list_filter(_broken, lambda one: list_contains(waived.positions, one)))
        from (
            select released.file_id, released.row_number, list(distinct cast(rule.position as usmallint)) as positions
            from control.released_row as released
            inner join (values {rules}) as rule (position, rule_id, column_name)
                on released.rule_id = rule.rule_id and released.column_name = rule.column_name
            where released.is_anyway and released.batch_id in (select batch_id from arriving)
            group by all
        ) as waived
        where chunk._file_id = waived.file_id and chunk._row_number = waived.row_number and chunk._broken is not null
        """
    )


def judge_mended_references_again(connection: duckdb.DuckDBPyConnection, entity: Entity) -> list[str]:
    """Have batches admitted again whose rows were held back for a code that is registered by now.

    Called once the registries, which stand earlier in the catalogue, are admitted.

    Returns:
        These batches. The rest of their rows comes out as before.
    """
    mended: list[str] = []
    for reference in entity.references:
        if reference.severity != "quarantine":
            continue
        prefix = entity.column(reference.column).prefix or ""
        mended += [
            batch_id
            for (batch_id,) in connection.execute(
                f"select distinct batch_id from quarantine.row where source = ? and entity = ? and rule_id = ?"
                f" and column_name = ? and ? || trim(value) in"
                f" (select {reference.target} from {reference.table}) order by 1",
                [entity.source_id, entity.id, REFERENCE_RULE_ID, reference.column, prefix],
            ).fetchall()
        ]
    if mended:
        connection.execute(
            "update control.admitted_batch set contract_hash = 'a reference was mended'"
            " where batch_id in (select unnest(?))",
            [mended],
        )
    return mended

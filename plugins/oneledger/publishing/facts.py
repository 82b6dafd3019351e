"""Daily facts: one Parquet file a month, written when the month changed, else shared with the version before."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from oneledger.publishing.before import Before
from oneledger.publishing.content import content_columns, content_of, quote
from oneledger.publishing.fact_month import DailyFact, write_month
from oneledger.publishing.parts import Parts
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion

_READ_BLOCK = 1 << 20


@dataclass(frozen=True)
class FactFile:
    """One month of one daily fact as published."""

    fact: str
    month: str
    rows_count: int
    size_bytes: int
    sha256: str
    content_hash: str

    @property
    def name(self) -> str:
        return f"{FACTS_DIR}.{self.fact}.{self.month}"


def daily_facts(connection: duckdb.DuckDBPyConnection) -> list[DailyFact]:
    """The tables ``marts.fct_*_day`` of the warehouse; the date is ``usage_on`` or else the first date column."""
    found = connection.execute(
        "select table_name, list(struct_pack(name := column_name, kind := data_type) order by column_index)"
        " from duckdb_columns() where schema_name = 'marts' and database_name = current_database()"
        " and regexp_full_match(table_name, 'fct_.*_day') group by table_name order by table_name"
    ).fetchall()
    facts = []
    for name, columns in found:
        dates = [column["name"] for column in columns if column["kind"] == "DATE"]
        if not dates:
            raise RuntimeError(f"marts.{name} is named as a daily fact and has no date column")
        date_column = "usage_on" if "usage_on" in dates else dates[0]
        keys = [
            column["name"]
            for column in columns
            if column["name"] in ("app_id", "module_id", "release_end", "source", "data_resource_id", "period_grain")
        ]
        keys.sort(key=lambda key: (key != "app_id", key))
        signature = hashlib.sha256(repr(columns).encode()).hexdigest()
        # One app's days stand together, so that following a number of one app reads little of a month.
        facts.append(DailyFact(name, date_column, (*keys, date_column), signature))
    return facts


def months_of(connection: duckdb.DuckDBPyConnection, fact: DailyFact) -> list[str]:
    """The months (``yyyy-mm``) in which the fact has rows, oldest first."""
    day = quote(fact.date_column)
    rows = connection.execute(
        # Truncating after the distinct: a month has millions of rows and thirty-one days.
        f"select distinct strftime(day, '%Y-%m') from (select distinct {day} as day from marts.{quote(fact.name)})"
        " where day is not null order by 1"
    ).fetchall()
    return [month for (month,) in rows]


def write_fact(
    connection: duckdb.DuckDBPyConnection,
    fact: DailyFact,
    target: Path,
    parts: Parts,
    *,
    before: Before | None,
    changed_days: Callable[[str], tuple[dt.date, ...] | None],
    progress: Callable[[str], None],
) -> list[FactFile]:
    """Write the changed months of ``fact`` into ``target`` and link the others from the version before.

    Args:
        parts: the parts of the version in the making, which are added to.
        before: the version that is published now.
        changed_days: the days of a month (``yyyy-mm``) that may differ from what ``before`` holds; none of an
            unchanged month, None when it may be any.
        progress: told one line a month that is written.
    """
    earlier = {one.month: one for one in fact_files_of(before.version, fact.name)} if before else {}
    known = before.parts.facts.get(fact.name, {}) if before else {}
    folder = target / FACTS_DIR / fact.name
    folder.mkdir(parents=True)
    files = []
    for month in months_of(connection, fact):
        path = folder / f"{month}.parquet"
        old, days = earlier.get(month), changed_days(month)
        if before and old and days == ():
            os.link(_published(before.version, fact.name, month), path)
            files.append(old)
            if month in known:
                parts.facts.setdefault(fact.name, {})[month] = known[month]
            continue
        progress(f"{fact.name} of {month}" + (f", {len(days)} changed days" if days else ""))
        ground = before.fact_to_build_on(_name(fact.name, month)) if before and old and month in known else None
        part = write_month(
            connection, fact, month, path, ground=ground, known=known.get(month), days=days, progress=progress
        )
        content = content_of(fact.name, content_columns(connection, f"read_parquet('{_literal(path)}')"), part.digest)
        written = FactFile(
            fact.name, month, content.rows_count, path.stat().st_size, file_sha256(path), content.content_hash
        )
        if before and old and old.content_hash == written.content_hash and old.rows_count == written.rows_count:
            # A redelivery of the same rows: keep sharing the file that is already published.
            path.unlink()
            os.link(_published(before.version, fact.name, month), path)
            written, part = old, known.get(month, replace(part, runs=()))
        files.append(written)
        parts.facts.setdefault(fact.name, {})[month] = part
    return files


def fact_files_of(version: PublishedVersion, fact: str) -> list[FactFile]:
    """The files of one fact as the version's manifest lists them."""
    return [FactFile(**entry) for entry in version.manifest["facts"] if entry["fact"] == fact]


def as_manifest(files: list[FactFile]) -> list[dict[str, Any]]:
    return [asdict(one) for one in files]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def hashes_of(folder: Path, part: str) -> dict[str, str]:
    """SHA-256 of every file under ``folder/part``, by its path from ``folder``."""
    return {
        str(path.relative_to(folder)): file_sha256(path)
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }


def _name(fact: str, month: str) -> str:
    return f"{FACTS_DIR}/{fact}/{month}.parquet"


def _published(version: PublishedVersion, fact: str, month: str) -> Path:
    return version.path / _name(fact, month)


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")

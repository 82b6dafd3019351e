"""Daily facts: one Parquet file a month, written when the month changed, else shared with the version before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from oneledger.publishing.content import hash_relation, quote, quote_all
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion

_PARQUET = "format parquet, compression zstd, row_group_size 122880"
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


@dataclass(frozen=True)
class DailyFact:
    """A daily fact of the warehouse: its table, its date column, and what its rows are sorted by."""

    name: str
    date_column: str
    sort_columns: tuple[str, ...]
    columns_hash: str


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
    *,
    previous: PublishedVersion | None,
    has_changed: Callable[[str], bool],
) -> list[FactFile]:
    """Write the changed months of ``fact`` into ``target`` and link the others from ``previous``.

    Args:
        has_changed: whether a month (``yyyy-mm``) may differ from what ``previous`` holds.
    """
    before = {one.month: one for one in fact_files_of(previous, fact.name)} if previous else {}
    folder = target / FACTS_DIR / fact.name
    folder.mkdir(parents=True)
    files = []
    for month in months_of(connection, fact):
        path = folder / f"{month}.parquet"
        old = before.get(month)
        if previous and old and not has_changed(month):
            os.link(_published(previous, fact.name, month), path)
            files.append(old)
            continue
        written = _write_month(connection, fact, month, path)
        if previous and old and old.content_hash == written.content_hash and old.rows_count == written.rows_count:
            # A redelivery of the same rows: keep sharing the file that is already published.
            path.unlink()
            os.link(_published(previous, fact.name, month), path)
            written = old
        files.append(written)
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


def _published(version: PublishedVersion, fact: str, month: str) -> Path:
    return version.path / FACTS_DIR / fact / f"{month}.parquet"


def _write_month(connection: duckdb.DuckDBPyConnection, fact: DailyFact, month: str, path: Path) -> FactFile:
    day = quote(fact.date_column)
    connection.execute(
        f"copy (select * from marts.{quote(fact.name)} where {day} >= date '{month}-01'"
        f" and {day} < date '{month}-01' + interval 1 month order by {quote_all(fact.sort_columns)})"
        f" to '{_literal(path)}' ({_PARQUET})"
    )
    content = hash_relation(connection, f"read_parquet('{_literal(path)}')", fact.name)
    return FactFile(fact.name, month, content.rows_count, path.stat().st_size, file_sha256(path), content.content_hash)


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")

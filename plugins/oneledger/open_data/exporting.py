"""Write the open data of a published version: one folder with CSV, Parquet and ``datapackage.json``.

The same version and list give the same bytes: rows are ordered by all their columns, nothing says when or where it was
written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from oneledger.audit.anchors import anchor_of_version
from oneledger.open_data.listing import OPEN_DATA_FILE, OpenData, PublicTable, SuppressionRule, read_open_data
from oneledger.open_data.package import Resource, data_package
from oneledger.open_data.suppression import rows_sql, totals_sql
from oneledger.publishing.content import quote
from oneledger.publishing.lineage_basis import FOLDER, MODELS_FILE
from oneledger.publishing.query import open_version
from oneledger.publishing.spreadsheet_text import harmless_array
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError, Settings

PACKAGE_FILE = "datapackage.json"
DATA_DIR = "data"
_ROWS_A_BATCH = 50_000


@dataclass(frozen=True)
class OpenDataExport:
    """What was written.

    Attributes:
        resources: name → rows.
        suppressed_rows_count: rows whose counts were withheld.
        suppressed_totals_count: groups whose totals were.
        not_yet_public: listed tables that are public only of later data.
    """

    path: Path
    version: str
    resources: dict[str, int]
    suppressed_rows_count: int
    suppressed_totals_count: int
    not_yet_public: tuple[str, ...]


def export_open_data(
    settings: Settings,
    version: PublishedVersion,
    *,
    out: Path,
    tables: Sequence[str] | None = None,
    force: bool = False,
) -> OpenDataExport:
    """Write what may be public of a version to the folder ``out``, beside it first and then renamed.

    Args:
        tables: ``schema.name`` or resource names, fewer than all that are listed.
        force: replace a data package that is there.

    Raises:
        ConfigurationError: the list is wrong or names what the version does not have, a table is not listed, or
            ``out`` exists and may not be replaced.
    """
    listed = read_open_data(settings)
    chosen = _chosen(listed, tables)
    _check_target(out, force)
    if version.as_of_on is None:
        raise ConfigurationError(f"Version {version.version} does not say as of which day it is; it cannot be public.")
    public = [one for one in chosen if one.since <= version.as_of_on]
    rule = listed.rule_on(version.as_of_on)
    sealed = anchor_of_version(settings, version.version)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    resources: list[Resource] = []
    suppressed_rows = suppressed_totals = 0
    try:
        (partial / DATA_DIR).mkdir(parents=True)
        described = _described(version)
        with open_version(settings, version) as connection:
            for table in public:
                _check_columns(connection, table, version)
                resources.append(_write(connection, version, table, rule, partial, described, is_total=False))
                if table.suppress:
                    resources.append(_write(connection, version, table, rule, partial, described, is_total=True))
                    suppressed_rows += _suppressed(connection, rows_sql(table, rule.minimum_count))
                    suppressed_totals += _suppressed(connection, totals_sql(table, rule.minimum_count))
        text = data_package(listed, version, sealed.anchor if sealed else None, rule, resources)
        (partial / PACKAGE_FILE).write_text(text, "utf-8")
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return OpenDataExport(
        path=out,
        version=version.version,
        resources={one.name: one.rows_count for one in resources},
        suppressed_rows_count=suppressed_rows,
        suppressed_totals_count=suppressed_totals,
        not_yet_public=tuple(one.table for one in chosen if one not in public),
    )


def _chosen(listed: OpenData, tables: Sequence[str] | None) -> list[PublicTable]:
    if tables is None:
        return list(listed.tables)
    by_name = {name: one for one in listed.tables for name in (one.table, one.resource)}
    for name in tables:
        if name not in by_name:
            raise ConfigurationError(
                f"{name} is not public. {OPEN_DATA_FILE} lists what is: "
                f"{', '.join(one.table for one in listed.tables)}. To publish more, have it reviewed and added there."
            )
    return [one for one in listed.tables if one.table in tables or one.resource in tables]


def _check_target(out: Path, force: bool) -> None:
    if not out.parent.is_dir():
        raise ConfigurationError(f"The folder {out.parent} does not exist. Create it first.")
    if not out.exists():
        return
    if not (out / PACKAGE_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"{out} exists and is no data package; it is left alone. Choose another name.")
    if not force and (out / PACKAGE_FILE).is_file():
        raise ConfigurationError(f"{out} holds a data package. Choose another name, or replace it with --force.")


def _check_columns(connection: duckdb.DuckDBPyConnection, table: PublicTable, version: PublishedVersion) -> None:
    schema, _, name = table.table.partition(".")
    present = [
        row[0]
        for row in connection.execute(
            "select column_name from duckdb_columns() where database_name = 'memory' and schema_name = ?"
            " and table_name = ?",
            [schema, name],
        ).fetchall()
    ]
    if not present:
        raise ConfigurationError(f"{OPEN_DATA_FILE} lists {table.table}, which version {version.version} lacks.")
    needed = (*table.columns, *((table.suppress.state,) if table.suppress else ()))
    if absent := [one for one in needed if one not in present]:
        raise ConfigurationError(
            f"{OPEN_DATA_FILE} lists {', '.join(absent)} of {table.table}, which version {version.version} lacks. It "
            f"has: {', '.join(present)}."
        )


def _write(
    connection: duckdb.DuckDBPyConnection,
    version: PublishedVersion,
    table: PublicTable,
    rule: SuppressionRule,
    folder: Path,
    described: dict[str, dict[str, Any]],
    *,
    is_total: bool,
) -> Resource:
    name = table.suppress.totals if is_total and table.suppress else table.resource
    query = (totals_sql if is_total else rows_sql)(table, rule.minimum_count)
    columns = tuple((row[0], row[1]) for row in connection.execute(f"describe {query}").fetchall())
    key = table.suppress.within if is_total and table.suppress else _key(version, table)
    order = ", ".join(quote(one) for one in (*key, *(name for name, _ in columns if name not in key)))
    paths = {one: f"{DATA_DIR}/{name}.{one}" for one in ("csv", "parquet")}
    reader = connection.execute(f"select * from ({query}) order by {order}").to_arrow_reader(_ROWS_A_BATCH)
    rows_count = 0
    with (
        pa.csv.CSVWriter(folder / paths["csv"], reader.schema) as csv,
        pa.parquet.ParquetWriter(folder / paths["parquet"], reader.schema, compression="zstd") as parquet,
    ):
        for batch in reader:
            csv.write_batch(pa.record_batch([harmless_array(column) for column in batch.columns], schema=batch.schema))
            parquet.write_batch(batch)
            rows_count += batch.num_rows
    about = described.get(table.table, {})
    titles = about.get("meta", {})
    suffix_zh, suffix_en = ("合计", ", totals") if is_total else ("", "")
    return Resource(
        name=name,
        table=table,
        is_total=is_total,
        title_zh=f"{titles.get('title_zh', name)}{suffix_zh}",
        title_en=f"{titles.get('title_en', name)}{suffix_en}",
        description=str(about.get("description", "")) if not is_total else f"One row a group of {table.resource}.",
        columns=columns,
        described={
            column: (
                one["meta"].get("title_zh", column), one["meta"].get("title_en", column), one["description"]
            )
            for column, one in about.get("columns", {}).items()
        },
        primary_key=tuple(key),
        rows_count=rows_count,
        files={one: (path, *_hash_and_size(folder / path)) for one, path in paths.items()},
    )  # fmt: skip


def _key(version: PublishedVersion, table: PublicTable) -> tuple[str, ...]:
    """The key of the table when all of it is public."""
    keys = next((one.get("keys") for one in version.manifest["tables"] if one["name"] == table.table), None) or ()
    return tuple(keys) if set(keys) <= set(table.columns) else ()


def _suppressed(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(f"select count(*) from ({query}) where status = 'suppressed'").fetchall()[0][0])


def _hash_and_size(path: Path) -> tuple[str, int]:
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)


def _described(version: PublishedVersion) -> dict[str, dict[str, Any]]:
    """Relation → what its model says of itself and its columns."""
    path = version.path / FOLDER / MODELS_FILE
    if not path.is_file():
        return {}
    return {one["relation"]: one for one in json.loads(path.read_text("utf-8"))["models"]}

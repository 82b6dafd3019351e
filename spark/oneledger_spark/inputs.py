"""What the models read, as Parquet: one folder a source table, for DuckDB and Spark the same rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import yaml

from oneledger.settings import ConfigurationError, Settings


def export_inputs(settings: Settings, folder: Path) -> int:
    """Write every dbt source of the warehouse to ``folder/<schema>/<table>/``, and answer how many rows.

    Timestamps go without a zone, as DuckDB holds them; a large table becomes several files, so that several cores of a
    cluster read it.

    Raises:
        ConfigurationError: there is no warehouse, or a source table is not in it.
    """
    if not settings.warehouse_path.exists():
        raise ConfigurationError(f"There is no warehouse at {settings.warehouse_path} yet. Run `oneledger run` first.")
    shutil.rmtree(folder, ignore_errors=True)
    rows_count = 0
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        warehouse.execute(f"set threads = {settings.threads}")
        warehouse.execute(f"set memory_limit = '{settings.duckdb_memory_limit}'")
        for schema, table in source_tables(settings):
            target = folder / schema / table
            target.mkdir(parents=True)
            try:
                copied = warehouse.execute(
                    f"copy {schema}.\"{table}\" to '{target}' "
                    "(format parquet, compression zstd, per_thread_output, overwrite_or_ignore)"
                ).fetchone()
            except duckdb.CatalogException as error:
                raise ConfigurationError(
                    f"{schema}.{table} is a source of the dbt project and not in the warehouse. Run `oneledger run`, "
                    f"then again. DuckDB says: {error}"
                ) from error
            rows_count += int(copied[0]) if copied else 0
    return rows_count


def load_inputs(settings: Settings, folder: Path, warehouse_path: Path) -> None:
    """A warehouse of DuckDB with nothing in it but what ``export_inputs`` wrote: what Spark reads, no later record."""
    warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    warehouse_path.unlink(missing_ok=True)
    with duckdb.connect(str(warehouse_path)) as warehouse:
        warehouse.execute(f"set threads = {settings.threads}")
        warehouse.execute(f"set memory_limit = '{settings.duckdb_memory_limit}'")
        for schema, table in source_tables(settings):
            warehouse.execute(f"create schema if not exists {schema}")
            warehouse.execute(f"create table {schema}.\"{table}\" as from '{folder / schema / table}/*.parquet'")


def source_tables(settings: Settings) -> list[tuple[str, str]]:
    """Schema and name of every dbt source, in the order of models/staging/sources.yml."""
    declared = yaml.safe_load((settings.dbt_project_dir / "models" / "staging" / "sources.yml").read_text())
    return [
        (source["schema"], table.get("identifier", table["name"]))
        for source in declared["sources"]
        for table in source["tables"]
    ]

"""Every mart of Spark beside DuckDB's, row for row, in DuckDB."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

COMPARED_SCHEMAS = ("marts", "evaluation")


@dataclass(frozen=True)
class Mart:
    """A relation that both engines built, and where Spark's rows lie as Parquet."""

    schema: str
    name: str
    parquet: Path

    @property
    def shown(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Comparison:
    """What was found for one mart.

    Attributes:
        mart: schema and name.
        rows_count: rows in DuckDB's.
        spark_rows_count: rows in Spark's.
        missing_count: rows of DuckDB's that Spark's has not, each as often as it is missing.
        extra_count: rows of Spark's that DuckDB's has not.
        differing_columns: columns whose values, taken alone, are not the same; ``name: type here, type there`` when
            the types differ.
    """

    mart: str
    rows_count: int
    spark_rows_count: int
    missing_count: int
    extra_count: int
    differing_columns: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        return not (self.missing_count or self.extra_count or self.differing_columns)


def marts_of(manifest_path: Path, warehouse: Path, views: Path) -> list[Mart]:
    """Every model of the schemas that readers see, by dbt's manifest: tables in Spark's warehouse, views written out."""
    nodes = json.loads(manifest_path.read_text())["nodes"].values()
    marts = []
    for node in nodes:
        if node["resource_type"] not in {"model", "seed"} or node["schema"] not in COMPARED_SCHEMAS:
            continue
        schema, name = node["schema"], node["alias"]
        is_view = node["config"]["materialized"] == "view"
        marts.append(Mart(schema, name, views / schema / name if is_view else warehouse / f"{schema}.db" / name))
    return sorted(marts, key=lambda mart: mart.shown)


def compare_marts(duckdb_warehouse: Path, marts: list[Mart]) -> list[Comparison]:
    """Compare each mart with the one of the same name in DuckDB's warehouse: types, then rows as a multiset.

    Nothing is rounded: two doubles are the same when every bit is.
    """
    with duckdb.connect() as connection:
        connection.execute(f"attach '{duckdb_warehouse}' as built (read_only)")
        return [_compare(connection, mart) for mart in marts]


def _compare(connection: duckdb.DuckDBPyConnection, mart: Mart) -> Comparison:
    here, there = f'built.{mart.schema}."{mart.name}"', f"read_parquet('{mart.parquet}/*.parquet')"
    types_here, types_there = _types(connection, here), _types(connection, there)
    different = [
        f"{name}: {types_here.get(name, 'absent')}, on Spark {types_there.get(name, 'absent')}"
        for name in sorted(types_here.keys() | types_there.keys())
        if types_here.get(name) != types_there.get(name)
    ]
    counts = [_count(connection, f"from {relation}") for relation in (here, there)]
    shared = [name for name in types_here if name in types_there]
    missing, extra = _except(connection, shared, here, there), _except(connection, shared, there, here)
    if missing or extra:
        different += [name for name in shared if _except(connection, [name], here, there)]
    return Comparison(mart.shown, counts[0], counts[1], missing, extra, tuple(different))


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe from {relation}").fetchall()}


def _except(connection: duckdb.DuckDBPyConnection, columns: list[str], first: str, second: str) -> int:
    listed = ", ".join(f'"{name}"' for name in columns)
    return _count(connection, f"from (select {listed} from {first} except all select {listed} from {second})")


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    counted = connection.execute(f"select count(*) {rows}").fetchone()
    return int(counted[0]) if counted else 0

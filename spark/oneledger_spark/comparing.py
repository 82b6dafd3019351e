"""Every mart of Spark beside DuckDB's, row for row, in DuckDB."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

COMPARED_SCHEMAS = ("marts", "evaluation")
# A sum of doubles depends on the order in which they are added, and two executors add in another order than two
# threads. Everything else is compared bit by bit.
DOUBLE_TOLERANCE = 1e-12
_CATALOG = "warehouse"


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
        missing_count: rows of DuckDB's that have no equal in Spark's, each as often as it is missing.
        extra_count: rows of Spark's that have no equal in DuckDB's.
        last_bits_count: rows that are equal only because doubles may differ by ``DOUBLE_TOLERANCE``.
        largest_difference: the largest relative difference of two doubles that were taken for equal.
        differing_columns: columns whose values, taken alone, are not the same; ``name: type here, type there`` when
            the types differ.
    """

    mart: str
    rows_count: int
    spark_rows_count: int
    missing_count: int
    extra_count: int
    last_bits_count: int = 0
    largest_difference: float = 0.0
    differing_columns: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        return not (self.missing_count or self.extra_count or self.differing_columns)


def marts_of(manifest_path: Path, warehouse: Path, views: Path) -> list[Mart]:
    """Every model that readers see, by dbt's manifest: tables in Spark's warehouse, views written out."""
    nodes = json.loads(manifest_path.read_text())["nodes"].values()
    marts = []
    for node in nodes:
        if node["resource_type"] not in {"model", "seed"} or node["schema"] not in COMPARED_SCHEMAS:
            continue
        schema, name = node["schema"], node["alias"]
        is_view = node["config"]["materialized"] == "view"
        marts.append(Mart(schema, name, views / schema / name if is_view else warehouse / f"{schema}.db" / name))
    return sorted(marts, key=lambda mart: mart.shown)


def compare_marts(duckdb_warehouse: Path, marts: list[Mart], *, memory_limit: str) -> list[Comparison]:
    """Compare each mart with the one of the same name in DuckDB's warehouse: types, then rows as a multiset.

    A row that has no equal is set beside the one that is equal in all columns but doubles; these may differ by
    ``DOUBLE_TOLERANCE`` of the larger. How many rows needed it is told. What does not fit into ``memory_limit`` is
    spilled beside the warehouse.
    """
    with duckdb.connect(config={"temp_directory": f"{duckdb_warehouse}.spill"}) as connection:
        connection.execute(f"set memory_limit = '{memory_limit}'")
        connection.execute("set preserve_insertion_order = false")
        # A view names the catalog that its tables lie in, which is the file's name: under another it finds nothing.
        connection.execute(f"attach '{duckdb_warehouse}' as {_CATALOG} (read_only)")
        return [_compare(connection, mart) for mart in marts]


def _compare(connection: duckdb.DuckDBPyConnection, mart: Mart) -> Comparison:
    here, there = f'{_CATALOG}.{mart.schema}."{mart.name}"', f"read_parquet('{mart.parquet}/*.parquet')"
    types_here, types_there = _types(connection, here), _types(connection, there)
    different = [
        f"{name}: {types_here.get(name, 'absent')}, on Spark {types_there.get(name, 'absent')}"
        for name in sorted(types_here.keys() | types_there.keys())
        if types_here.get(name) != types_there.get(name)
    ]
    rows_here, rows_there = (_count(connection, f"from {relation}") for relation in (here, there))
    shared = [name for name in types_here if name in types_there]
    listed = _quoted(shared)
    connection.execute(f"create or replace temp table only_here as {_left_over(listed, here, there)}")
    connection.execute(f"create or replace temp table only_there as {_left_over(listed, there, here)}")
    doubles = [name for name in shared if types_here[name] == types_there[name] == "DOUBLE"]
    exact = [name for name in shared if name not in doubles]
    last_bits, largest = _pairs_but_for_last_bits(connection, exact, doubles) if doubles else (0, 0.0)
    missing = _count(connection, "from only_here") - last_bits
    extra = _count(connection, "from only_there") - last_bits
    if missing or extra:
        # Each column taken alone, of the rows that are left over: most differ in one or two.
        different += [
            name
            for name in shared
            if _count(connection, f"from ({_left_over(_quoted([name]), 'only_here', 'only_there')})")
        ]
    return Comparison(mart.shown, rows_here, rows_there, missing, extra, last_bits, largest, tuple(different))


def _left_over(listed: str, first: str, second: str) -> str:
    return f"select {listed} from {first} except all select {listed} from {second}"


def _pairs_but_for_last_bits(
    connection: duckdb.DuckDBPyConnection, exact: list[str], doubles: list[str]
) -> tuple[int, float]:
    """Rows of both sides that differ in nothing but doubles, by no more than the tolerance; the largest difference."""
    same_key = " and ".join(f'here."{name}" is not distinct from there."{name}"' for name in ("_nth", *exact))
    part = f"partition by {_quoted(exact)}" if exact else ""
    apart = [
        f'coalesce(abs(here."{name}" - there."{name}") '
        f'/ nullif(greatest(abs(here."{name}"), abs(there."{name}")), 0), 0)'
        for name in doubles
    ]
    both_null = " and ".join(f'(here."{name}" is null) = (there."{name}" is null)' for name in doubles)
    numbered = {
        side: f"(select *, row_number() over ({part} order by {_quoted(doubles)}) as _nth from only_{side})"
        for side in ("here", "there")
    }
    found = connection.execute(
        f"select count(*), coalesce(max(apart), 0) from (select greatest({', '.join(apart)}) as apart "
        f"from {numbered['here']} as here join {numbered['there']} as there on {same_key} where {both_null}) "
        f"where apart <= {DOUBLE_TOLERANCE}"
    ).fetchone()
    return (int(found[0]), float(found[1])) if found else (0, 0.0)


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe from {relation}").fetchall()}


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    counted = connection.execute(f"select count(*) {rows}").fetchone()
    return int(counted[0]) if counted else 0

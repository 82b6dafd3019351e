"""The grain, the ancestors and the code of each model, as the last build had them, kept in the warehouse.

By these two published versions are compared: the key says which rows are the same thing, what a model reads says
which deliveries can have changed it, and the code's hash says whether it was computed as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

_KEY_OF_MANY, _KEY_OF_ONE = "unique_combination", "unique"


@dataclass(frozen=True)
class ModelGrain:
    """One model or seed.

    Attributes:
        relation: ``schema.name`` in the warehouse.
        is_seed: True for a rule or reference table that is loaded from a CSV file.
        key_columns: the columns that tell its rows apart, by the test of its key; empty when it has none.
        reads: the relations that it selects from, ``schema.name`` each.
        code_hash: SHA-256 over its SQL and that of the macros it uses, or over the CSV file.
    """

    relation: str
    is_seed: bool
    key_columns: tuple[str, ...]
    reads: tuple[str, ...]
    code_hash: str


def read_grains(manifest: Any, project_dir: Path) -> list[ModelGrain]:
    """The models and seeds of a finished ``dbt build``, by relation.

    Args:
        manifest: dbt's manifest of that build, as the object that dbt works with.
        project_dir: where the files lie.
    """
    nodes = {name: node for name, node in manifest.nodes.items() if str(node.resource_type) in ("model", "seed")}
    relations = {name: f"{node.schema}.{node.alias}" for name, node in nodes.items()}
    relations |= {name: f"{source.schema}.{source.identifier}" for name, source in manifest.sources.items()}
    keys = _keys(manifest)
    grains = []
    for unique_id, node in nodes.items():
        digest = hashlib.sha256((project_dir / node.original_file_path).read_bytes())
        for macro in _macros(manifest, node):
            digest.update(f"\0{macro}\0{manifest.macros[macro].macro_sql}".encode())
        grains.append(
            ModelGrain(
                relation=relations[unique_id],
                is_seed=str(node.resource_type) == "seed",
                key_columns=keys.get(unique_id, ()),
                reads=tuple(sorted({relations[one] for one in node.depends_on_nodes if one in relations})),
                code_hash=digest.hexdigest(),
            )
        )
    return sorted(grains, key=lambda one: one.relation)


def keep_grains(connection: duckdb.DuckDBPyConnection, grains: Iterable[ModelGrain]) -> None:
    """Replace ``control.model_grain`` by this build."""
    connection.execute("begin transaction")
    connection.execute("delete from control.model_grain")
    connection.executemany(
        "insert into control.model_grain values (?, ?, ?, ?, ?)",
        [[one.relation, one.is_seed, list(one.key_columns), list(one.reads), one.code_hash] for one in grains],
    )
    connection.execute("commit")


def last_grains(connection: duckdb.DuckDBPyConnection) -> list[ModelGrain]:
    """What the last successful build made; empty before the first."""
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'control' and table_name = 'model_grain'"
        " and database_name = current_database()"
    ).fetchone()
    if known is None:
        return []
    rows = connection.execute(
        "select relation, is_seed, key_columns, reads, code_hash from control.model_grain order by relation"
    ).fetchall()
    return [
        ModelGrain(relation, is_seed, tuple(key), tuple(reads), code) for relation, is_seed, key, reads, code in rows
    ]


def _keys(manifest: Any) -> dict[str, tuple[str, ...]]:
    """By model, the columns of the shortest test that says a combination, or one column, is unique."""
    found: dict[str, tuple[str, ...]] = {}
    for node in manifest.nodes.values():
        test = getattr(node, "test_metadata", None)
        model = getattr(node, "attached_node", None)
        if test is None or not model or test.name not in (_KEY_OF_MANY, _KEY_OF_ONE):
            continue
        columns = tuple(test.kwargs["columns"]) if test.name == _KEY_OF_MANY else (str(test.kwargs["column_name"]),)
        if model not in found or len(columns) < len(found[model]):
            found[model] = columns
    return found


def _macros(manifest: Any, node: Any) -> list[str]:
    """The project's own macros that a model uses, directly or through others."""
    waiting = list(node.depends_on_macros)
    seen: set[str] = set()
    while waiting:
        macro = waiting.pop()
        known = manifest.macros.get(macro)
        if macro in seen or known is None or known.package_name != manifest.metadata.project_name:
            continue
        seen.add(macro)
        waiting += known.depends_on.macros
    return sorted(seen)

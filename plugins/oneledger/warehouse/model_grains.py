"""The grain, the ancestors and the code of each model, as the last build had them, kept in the warehouse.

By these two published versions are compared: the key says which rows are the same thing, what a model reads says
which deliveries can have changed it, and the code's hash says whether it was computed as before.
"""

from __future__ import annotations

import hashlib
import json
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


def read_grains(manifest_path: Path, project_dir: Path) -> list[ModelGrain]:
    """The models and seeds of dbt's ``manifest.json``, by relation."""
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    relations = {
        unique_id: f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}"
        for kind in ("nodes", "sources")
        for unique_id, node in manifest[kind].items()
        if node["resource_type"] in ("model", "seed", "source")
    }
    keys = _keys(manifest)
    grains = []
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] not in ("model", "seed"):
            continue
        is_seed = node["resource_type"] == "seed"
        reads = {relations[one] for one in node["depends_on"].get("nodes", []) if one in relations}
        digest = hashlib.sha256((project_dir / node["original_file_path"]).read_bytes())
        for macro in _macros(manifest, node):
            digest.update(f"\0{macro}\0{manifest['macros'][macro]['macro_sql']}".encode())
        grains.append(
            ModelGrain(relations[unique_id], is_seed, keys.get(unique_id, ()), tuple(sorted(reads)), digest.hexdigest())
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


def _keys(manifest: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """By model, the columns of the widest test that says a combination, or one column, is unique."""
    found: dict[str, tuple[str, ...]] = {}
    for node in manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        model = node.get("attached_node")
        if not model or test.get("name") not in (_KEY_OF_MANY, _KEY_OF_ONE):
            continue
        arguments = test["kwargs"]
        columns = tuple(arguments["columns"]) if test["name"] == _KEY_OF_MANY else (str(arguments["column_name"]),)
        # A column that is unique by itself tells rows apart; of several keys the shortest does.
        if model not in found or len(columns) < len(found[model]):
            found[model] = columns
    return found


def _macros(manifest: dict[str, Any], node: dict[str, Any]) -> list[str]:
    """The project's own macros that a model uses, directly or through others."""
    project = manifest["metadata"]["project_name"]
    waiting, seen = list(node["depends_on"].get("macros", [])), set()
    while waiting:
        macro = waiting.pop()
        if macro in seen or manifest["macros"].get(macro, {}).get("package_name") != project:
            continue
        seen.add(macro)
        waiting += manifest["macros"][macro]["depends_on"].get("macros", [])
    return sorted(seen)

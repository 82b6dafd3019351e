"""What dbt built: the SQL of the evaluation as it was run, what every model read, and the rules it was run with.

Kept in the warehouse beside the tables that it made, so that publishing can give a version the SQL and the
rules of just that build, whatever was edited in the project since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

EVALUATION_SCHEMA = "evaluation"
# The macro that defines the metrics stands among the models like a rule table of a schema of its own.
METRICS = "macro.metrics"


@dataclass(frozen=True)
class BuiltModel:
    """One model or seed of the last build.

    Attributes:
        relation: ``schema.name`` in the warehouse.
        is_seed: True for a rule or reference table that is loaded from a CSV file.
        sql: the compiled SQL of an evaluation model; None for everything else.
        reads: the relations that it selects from, ``schema.name`` each, in alphabetical order.
        file_name: of a seed, its CSV file; None for models.
        content: the bytes of an evaluation seed's CSV file, or of the file with the metrics; None for everything else.
    """

    relation: str
    is_seed: bool
    sql: str | None
    reads: tuple[str, ...]
    file_name: str | None = None
    content: bytes | None = None

    @property
    def schema(self) -> str:
        return self.relation.partition(".")[0]

    @property
    def name(self) -> str:
        return self.relation.partition(".")[2]


def read_build(manifest_path: Path, results: Iterable[Any], project_dir: Path) -> list[BuiltModel]:
    """The models and seeds of a finished ``dbt build``.

    Args:
        manifest_path: dbt's ``manifest.json`` of that build.
        results: dbt's results; their nodes carry the SQL that was run.
        project_dir: where the seed files lie.
    """
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    compiled = {result.node.unique_id: getattr(result.node, "compiled_code", None) for result in results}
    relations = {
        unique_id: f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}"
        for kind in ("nodes", "sources")
        for unique_id, node in manifest[kind].items()
        if node["resource_type"] in ("model", "seed", "source")
    }
    built = []
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] not in ("model", "seed"):
            continue
        is_seed = node["resource_type"] == "seed"
        is_evaluation = node["schema"] == EVALUATION_SCHEMA
        reads = {relations[one] for one in node["depends_on"].get("nodes", []) if one in relations}
        built.append(
            BuiltModel(
                relation=relations[unique_id],
                is_seed=is_seed,
                sql=compiled.get(unique_id) if is_evaluation and not is_seed else None,
                reads=tuple(sorted(reads)),
                file_name=Path(node["original_file_path"]).name if is_seed else None,
                content=(project_dir / node["original_file_path"]).read_bytes() if is_evaluation and is_seed else None,
            )
        )
    for macro in manifest["macros"].values():
        path = Path(macro["original_file_path"])
        if macro["package_name"] == manifest["metadata"]["project_name"] and f"macro.{macro['name']}" == METRICS:
            built.append(BuiltModel(METRICS, False, None, (), path.name, (project_dir / path).read_bytes()))
    return sorted(built, key=lambda one: one.relation)


def keep_build(connection: duckdb.DuckDBPyConnection, built: Iterable[BuiltModel]) -> None:
    """Replace ``control.built_model`` by this build."""
    connection.execute("begin transaction")
    connection.execute("delete from control.built_model")
    for one in built:
        connection.execute(
            "insert into control.built_model values (?, ?, ?, ?, ?, ?)",
            [one.relation, one.is_seed, one.sql, list(one.reads), one.file_name, one.content],
        )
    connection.execute("commit")


def last_build(connection: duckdb.DuckDBPyConnection) -> list[BuiltModel]:
    """What the last successful build made; empty before the first."""
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'control' and table_name = 'built_model'"
        " and database_name = current_database()"
    ).fetchone()
    if known is None:
        return []
    rows = connection.execute(
        "select relation, is_seed, compiled_sql, reads, file_name, content from control.built_model order by relation"
    ).fetchall()
    return [
        BuiltModel(relation, is_seed, sql, tuple(reads), file_name, bytes(content) if content is not None else None)
        for relation, is_seed, sql, reads, file_name, content in rows
    ]

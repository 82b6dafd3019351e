"""What dbt built: the SQL of every model as it was run, what it read, its descriptions, and the rules it ran with.

Kept in the warehouse beside the tables that it made, so that publishing can give a version the SQL and the
rules of just that build, whatever was edited in the project since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

EVALUATION_SCHEMA = "evaluation"
# The macro that defines the metrics stands among the models like a rule table of a schema of its own.
METRICS = "macro.metrics"
_COLUMNS = "relation, is_seed, compiled_sql, reads, file_name, content, materialized, described"


@dataclass(frozen=True)
class BuiltModel:
    """One model or seed of the last build.

    Attributes:
        relation: ``schema.name`` in the warehouse.
        is_seed: True for a rule or reference table that is loaded from a CSV file.
        sql: the compiled SQL of a model, of an incremental one that which builds all of it; None for seeds.
        reads: the relations that it selects from, ``schema.name`` each, in alphabetical order.
        file_name: of a seed, its CSV file, of a model its path in the dbt project.
        content: the bytes of a seed's CSV file, or of the file with the metrics; None for everything else.
        materialized: ``table``, ``view``, ``incremental`` or ``seed``.
        described: ``{description, meta, columns: {name: {description, meta}}}`` as the project says.
    """

    relation: str
    is_seed: bool
    sql: str | None
    reads: tuple[str, ...]
    file_name: str | None = None
    content: bytes | None = None
    materialized: str = "table"
    described: dict[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> str:
        return self.relation.partition(".")[0]

    @property
    def name(self) -> str:
        return self.relation.partition(".")[2]


def read_build(manifest: Any, results: Iterable[Any], project_dir: Path) -> list[BuiltModel]:
    """The models and seeds of a finished ``dbt build``.

    Args:
        manifest: dbt's manifest of that build, as the object that dbt works with.
        results: dbt's results; their nodes carry the SQL that was run.
        project_dir: where the seed files lie.
    """
    compiled = {result.node.unique_id: getattr(result.node, "compiled_code", None) for result in results}
    nodes = {name: node for name, node in manifest.nodes.items() if str(node.resource_type) in ("model", "seed")}
    relations = {name: f"{node.schema}.{node.alias}" for name, node in nodes.items()}
    relations |= {name: f"{source.schema}.{source.identifier}" for name, source in manifest.sources.items()}
    built = []
    for unique_id, node in nodes.items():
        is_seed = str(node.resource_type) == "seed"
        reads = {relations[one] for one in node.depends_on_nodes if one in relations}
        built.append(
            BuiltModel(
                relation=relations[unique_id],
                is_seed=is_seed,
                sql=None if is_seed else compiled.get(unique_id),
                reads=tuple(sorted(reads)),
                file_name=Path(node.original_file_path).name if is_seed else node.original_file_path,
                content=(project_dir / node.original_file_path).read_bytes() if is_seed else None,
                materialized=str(node.config.materialized),
                described={
                    "description": _one_line(node.description),
                    "meta": dict(node.config.meta),
                    "columns": {
                        column.name: {"description": _one_line(column.description), "meta": dict(column.config.meta)}
                        for column in node.columns.values()
                    },
                },
            )
        )
    for macro in manifest.macros.values():
        path = Path(macro.original_file_path)
        if macro.package_name == manifest.metadata.project_name and f"macro.{macro.name}" == METRICS:
            built.append(BuiltModel(METRICS, False, None, (), path.name, (project_dir / path).read_bytes(), "macro"))
    return sorted(built, key=lambda one: one.relation)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def keep_build(connection: duckdb.DuckDBPyConnection, built: Iterable[BuiltModel], *, is_full: bool) -> None:
    """Replace ``control.built_model`` by this build.

    Args:
        is_full: incremental models were built from nothing. Otherwise what ran only added to them, and the SQL that
            builds all of them stays as the last full build left it; the models did not change since.
    """
    connection.execute("begin transaction")
    kept = (
        {}
        if is_full
        else dict(
            connection.execute(
                "select relation, compiled_sql from control.built_model where materialized = 'incremental'"
            ).fetchall()
        )
    )
    connection.execute("delete from control.built_model")
    for one in built:
        connection.execute(
            f"insert into control.built_model ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                one.relation, one.is_seed, kept.get(one.relation, one.sql), list(one.reads), one.file_name, one.content,
                one.materialized, json.dumps(one.described, ensure_ascii=False, default=str),
            ],
        )  # fmt: skip
    connection.execute("commit")


def knows_all_sql(connection: duckdb.DuckDBPyConnection) -> bool:
    """False when the last build is not known, or was kept before the SQL of every model was."""
    counts = connection.execute(
        "select count(*), count(*) filter (where materialized is null) from control.built_model"
    ).fetchall()[0]
    return counts[0] > 0 and counts[1] == 0


def last_build(connection: duckdb.DuckDBPyConnection) -> list[BuiltModel]:
    """What the last successful build made; empty before the first."""
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'control' and table_name = 'built_model'"
        " and database_name = current_database()"
    ).fetchone()
    if known is None:
        return []
    rows = connection.execute(f"select {_COLUMNS} from control.built_model order by relation").fetchall()
    return [
        BuiltModel(
            relation, is_seed, sql, tuple(reads), file_name, None if content is None else bytes(content),
            materialized or "table", json.loads(described or "{}"),
        )
        for relation, is_seed, sql, reads, file_name, content, materialized, described in rows
    ]  # fmt: skip

"""The semantic layer of the last build: dbt's semantic manifest, kept beside the tables of its metrics.

What dbt writes to ``target/semantic_manifest.json`` names the warehouse's file and the time of parsing. Neither belongs
to the metrics: without them the same definitions give the same bytes, and they hold on any file with these tables.
"""

from __future__ import annotations

import json
from typing import Any

import duckdb


def read_semantic_manifest(manifest: Any) -> str:
    """The semantic manifest of dbt's parsed project as JSON, the same bytes for the same definitions.

    Args:
        manifest: dbt's manifest, as the object that dbt works with.
    """
    from dbt.contracts.graph.semantic_manifest import SemanticManifest

    written = json.loads(SemanticManifest(manifest)._get_pydantic_semantic_manifest().json())
    for named in ("semantic_models", "metrics", "saved_queries"):
        written[named] = sorted(written[named], key=lambda one: str(one["name"]))
    for relation in [
        *(one["node_relation"] for one in written["semantic_models"]),
        *(one["node_relation"] for one in written["project_configuration"]["time_spines"]),
    ]:
        relation["database"] = None
        relation["relation_name"] = f'"{relation["schema_name"]}"."{relation["alias"]}"'
    return json.dumps(_without_positions(written), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def keep_semantic_manifest(connection: duckdb.DuckDBPyConnection, content: str) -> None:
    """Replace ``control.semantic_manifest`` by that of this build."""
    connection.execute("insert or replace into control.semantic_manifest values (1, ?)", [content])


def last_semantic_manifest(connection: duckdb.DuckDBPyConnection) -> str | None:
    """That of the last successful build; None when the warehouse was last built before there were metrics."""
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'control' and table_name = 'semantic_manifest'"
        " and database_name = current_database()"
    ).fetchone()
    if known is None:
        return None
    found = connection.execute("select content from control.semantic_manifest").fetchone()
    return None if found is None else str(found[0])


def _without_positions(value: Any) -> Any:
    """``metadata`` and ``created_at`` say where in which file, and when, something was read."""
    if isinstance(value, dict):
        return {key: _without_positions(one) for key, one in value.items() if key not in ("metadata", "created_at")}
    if isinstance(value, list):
        return [_without_positions(one) for one in value]
    return value

"""What a version needs to be evaluated by itself: the evaluation's SQL, its rules, and what it reads beside the marts.

Written into ``<version>/evaluation/``:

``models.json``   the models of schema ``evaluation`` in the order in which they are run, each with its SQL, columns
                  and what it reads; the rule tables with their columns; the inputs; which marts read rules too
``rules/*.csv``   the bytes of the rule seeds
``macros/metrics.sql``   the metrics that the rules refer to, as they were defined for the build
``inputs/*.parquet``   relations outside the published schemas that the evaluation reads (the day as of which it is
                  computed, results confirmed before)

The engine of ``oneledger.evaluation`` computes drafts, simulations and replays from these files alone.
"""

from __future__ import annotations

import graphlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from oneledger.publishing.content import quote
from oneledger.warehouse.built_models import EVALUATION_SCHEMA, METRICS, BuiltModel, last_build

FOLDER = "evaluation"
MODELS_FILE = "models.json"
RULES_DIR = "rules"
MACROS_DIR = "macros"
INPUTS_DIR = "inputs"
_PUBLISHED = ("marts", EVALUATION_SCHEMA)
# About the installation's own runs, which an evaluation of apps neither reads nor gives.
_ABOUT_RUNS = "control"


def write_basis(connection: duckdb.DuckDBPyConnection, version_folder: Path) -> dict[str, Any] | None:
    """Write ``evaluation/`` into a version in the making.

    Returns:
        What ``models.json`` holds; None when the warehouse knows no build with an evaluation.
    """
    built = {one.relation: one for one in last_build(connection)}
    models = [one for one in built.values() if one.schema == EVALUATION_SCHEMA and one.sql and not _about_runs(one)]
    if not models:
        return None
    rules = [one for one in built.values() if one.schema == EVALUATION_SCHEMA and one.is_seed]
    folder = version_folder / FOLDER
    (folder / RULES_DIR).mkdir(parents=True)
    (folder / MACROS_DIR).mkdir()
    (folder / INPUTS_DIR).mkdir()
    for rule in rules:
        (folder / RULES_DIR / str(rule.file_name)).write_bytes(rule.content or b"")
    metrics = built[METRICS]
    (folder / MACROS_DIR / str(metrics.file_name)).write_bytes(metrics.content or b"")
    basis = {
        "models": [
            {
                "relation": one.relation,
                "columns": _columns(connection, one.relation),
                "reads": list(one.reads),
                "sql": one.sql,
            }
            for one in _in_order(models)
        ],
        "rules": [
            {"relation": one.relation, "file": one.file_name, "columns": _columns(connection, one.relation)}
            for one in rules
        ],
        "inputs": [_write_input(connection, folder, relation) for relation in _inputs(models)],
        "marts_that_read_rules": _marts_that_read(built, {one.relation for one in rules}, set(_inputs(models))),
        "as_of_on": as_of_on(connection),
    }
    (folder / MODELS_FILE).write_text(json.dumps(basis, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return basis


def is_input(name: str) -> bool:
    """Whether a file of a version (its path from the version's folder) is an input rather than SQL or rules."""
    return name.startswith(f"{FOLDER}/{INPUTS_DIR}/")


def _about_runs(model: BuiltModel) -> bool:
    return any(one.partition(".")[0] == _ABOUT_RUNS for one in model.reads)


def _in_order(models: Sequence[BuiltModel]) -> list[BuiltModel]:
    """What is read comes before what reads it; otherwise alphabetical, so that equal builds give equal files."""
    by_relation = {one.relation: one for one in models}
    graph = graphlib.TopologicalSorter({one.relation: set(one.reads) & set(by_relation) for one in models})
    graph.prepare()
    order: list[BuiltModel] = []
    while graph.is_active():
        ready = sorted(graph.get_ready())
        order += [by_relation[one] for one in ready]
        graph.done(*ready)
    return order


def _inputs(models: Sequence[BuiltModel]) -> list[str]:
    read = {relation for one in models for relation in one.reads}
    return sorted(relation for relation in read if relation.partition(".")[0] not in _PUBLISHED)


def _write_input(connection: duckdb.DuckDBPyConnection, folder: Path, relation: str) -> dict[str, Any]:
    path = folder / INPUTS_DIR / f"{relation}.parquet"
    connection.execute(
        f"copy (select * from {_quoted(relation)} order by all) to '{str(path).replace(chr(39), chr(39) * 2)}'"
        " (format parquet, compression zstd)"
    )
    return {"relation": relation, "columns": _columns(connection, relation)}


def _marts_that_read(built: dict[str, BuiltModel], rules: set[str], inputs: set[str]) -> dict[str, list[str]]:
    """By rule table, the marts and inputs that depend on it: a changed rule changes them with the next build only."""
    found: dict[str, list[str]] = {rule: [] for rule in sorted(rules)}
    for model in sorted(built.values(), key=lambda one: one.relation):
        if model.schema != "marts" and model.relation not in inputs:
            continue
        seen: set[str] = set()
        waiting = list(model.reads)
        while waiting:
            relation = waiting.pop()
            if relation in seen:
                continue
            seen.add(relation)
            if relation in built and relation.partition(".")[0] != EVALUATION_SCHEMA:
                waiting += built[relation].reads
        for rule in seen & rules:
            found[rule].append(model.relation)
    return {rule: marts for rule, marts in found.items() if marts}


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe {_quoted(relation)}").fetchall()}


def as_of_on(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The day as of which the models computed (``int_as_of``), ISO 8601; None when they know none."""
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'intermediate' and table_name = 'int_as_of'"
        " and database_name = current_database()"
    ).fetchone()
    if known is None:
        return None
    day = connection.execute("select max(as_of_on) from intermediate.int_as_of").fetchall()[0][0]
    return day.isoformat() if day else None


def _quoted(relation: str) -> str:
    schema, _, name = relation.partition(".")
    return f"{quote(schema)}.{quote(name)}"

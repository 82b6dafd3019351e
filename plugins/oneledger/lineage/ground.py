"""A published version opened with everything that its numbers were made from, down to the admitted rows.

In one connection, under the names that the compiled SQL uses: ``admitted.*`` and ``control.*`` (rows as they were
admitted, with ``_batch_id``, ``_file_id``, ``_row_number``), the seeds, ``staging.*`` and ``intermediate.*`` (worked
out again from these by the version's own SQL, as views), ``marts.*`` and ``evaluation.*`` (as published).
"""

from __future__ import annotations

import graphlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from oneledger.publishing.content import quote
from oneledger.publishing.lineage_basis import FOLDER, INPUTS_DIR, MODELS_FILE, SEEDS_DIR, USAGE
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import duckdb_config

# The compiled SQL names its relations with the warehouse's catalogue.
CATALOGUE = "warehouse"
PUBLISHED_SCHEMAS = ("marts", "evaluation")
_USAGE_FACT = "fct_app_usage_day"
_USAGE_OF_PERIODS = f"{USAGE}_of_periods"


@dataclass(frozen=True)
class Relation:
    """One model, seed or input of a version.

    Attributes:
        name: ``schema.table``.
        kind: ``model``, ``seed`` (a rule or reference table of ours) or ``input`` (admitted rows, the nightly's notes).
        materialized: ``table``, ``view``, ``incremental``, ``seed`` or ``input``.
        file: in the dbt project, of a model; the CSV file's name, of a seed; None for inputs.
        reads: the relations that it selects from.
        sql: the compiled SQL of a model; None for the others.
        columns: by name ``{type, description, meta: {title_zh, title_en}}``.
    """

    name: str
    kind: str
    materialized: str
    file: str | None
    reads: tuple[str, ...]
    sql: str | None
    description: str
    meta: dict[str, Any]
    columns: dict[str, dict[str, Any]]

    @property
    def schema(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class VersionModels:
    """Every relation of a version by name."""

    version: PublishedVersion
    relations: dict[str, Relation]

    def readers_of(self, name: str) -> list[str]:
        return sorted(one.name for one in self.relations.values() if name in one.reads)

    @cached_property
    def in_order(self) -> list[Relation]:
        """What is read comes before what reads it."""
        graph = {name: set(one.reads) & set(self.relations) for name, one in sorted(self.relations.items())}
        return [self.relations[name] for name in graphlib.TopologicalSorter(graph).static_order()]


def read_models(version: PublishedVersion) -> VersionModels:
    """The models, seeds and inputs of a version.

    Raises:
        ConfigurationError: it was published before versions carried them.
    """
    path = version.path / FOLDER / MODELS_FILE
    if not path.is_file():
        raise ConfigurationError(
            f"Version {version.version} holds no {FOLDER}/{MODELS_FILE}: it was published before versions could be "
            "followed back by themselves. Publish a new one with `oneledger run`, or give another --version."
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    relations = {
        one["relation"]: Relation(
            name=one["relation"],
            kind="seed" if one["materialized"] == "seed" else "model",
            materialized=one["materialized"],
            file=one["file"],
            reads=tuple(one["reads"]),
            sql=one["sql"],
            description=one["description"],
            meta=one["meta"],
            columns=one["columns"],
        )
        for one in content["models"]
    }
    for one in content["inputs"]:
        name = USAGE if one["relation"] == _USAGE_OF_PERIODS else one["relation"]
        columns = {column: {"type": kind, "description": "", "meta": {}} for column, kind in one["columns"].items()}
        relations[name] = Relation(name, "input", "input", None, (), None, "", {}, columns)
    return VersionModels(version, relations)


@contextmanager
def open_ground(
    settings: Settings, version: PublishedVersion, models: VersionModels | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on all relations of a version; what it creates is gone when it closes.

    Raises:
        ConfigurationError: the version carries no lineage.
    """
    models = models or read_models(version)
    connection = duckdb.connect(":memory:", config=dict(duckdb_config(settings)))
    try:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach '{_literal(version.marts_path)}' as published (read_only)")
        connection.execute(f"attach ':memory:' as {CATALOGUE}")
        connection.execute(f"use {CATALOGUE}")
        for schema in sorted({one.schema for one in models.relations.values()}):
            connection.execute(f"create schema if not exists {schema}")
        # The outcomes of runs are published as a mart of their own and not a second time.
        connection.execute("create schema if not exists control")
        connection.execute("create view control.outcome as from published.marts.run_outcome")
        for one in models.in_order:
            _define(connection, version, one)
        yield connection
    finally:
        connection.close()


def _define(connection: duckdb.DuckDBPyConnection, version: PublishedVersion, one: Relation) -> None:
    target = quoted(one.name)
    if one.name == USAGE:
        connection.execute(f"create view {target} as {_usage(version, one)}")
    elif one.kind == "input":
        connection.execute(f"create view {target} as from read_parquet('{_parts(version, one.name)}')")
    elif one.kind == "seed":
        columns = ", ".join(f"{quote(name)} {column['type']}" for name, column in one.columns.items())
        connection.execute(f"create table {target} ({columns})")
        path = version.path / FOLDER / SEEDS_DIR / str(one.file)
        connection.execute(f"copy {target} from '{_literal(path)}' (format csv, header, delimiter ',')")
    elif one.schema in PUBLISHED_SCHEMAS and one.materialized != "view":
        connection.execute(f"create view {target} as from published.{target}")
    elif one.schema in PUBLISHED_SCHEMAS and (version.path / FACTS_DIR / one.name.partition(".")[2]).is_dir():
        files = version.path / FACTS_DIR / one.name.partition(".")[2] / "*.parquet"
        connection.execute(f"create view {target} as from read_parquet('{_literal(files)}')")
    else:
        connection.execute(f"create view {target} as {one.sql}")


def _usage(version: PublishedVersion, one: Relation) -> str:
    """``admitted.usage`` again: its days out of the daily facts, other periods as they were kept."""
    renamed = {"_missing_states": "missing_states", "module_id": "nullif(module_id, '')", "period_grain": "'day'"}
    renamed |= {"_is_omitted": "false", "_business_on": "usage_on"}
    fact = version.path / FACTS_DIR / _USAGE_FACT
    if not fact.is_dir():
        return f"from read_parquet('{_parts(version, _USAGE_OF_PERIODS)}')"
    files = f"read_parquet('{_literal(fact / '*.parquet')}')"
    known = {row[0] for row in duckdb.sql(f"describe select * from {files}").fetchall()}
    selected = []
    for name, column in one.columns.items():
        source = renamed.get(name, quote(name) if name in known else "null")
        selected.append(f"cast({source} as {column['type']}) as {quote(name)}")
    return (
        f"select {', '.join(selected)} from {files} union all by name"
        f" select * from read_parquet('{_parts(version, _USAGE_OF_PERIODS)}')"
    )


def _parts(version: PublishedVersion, relation: str) -> str:
    return _literal(version.path / FOLDER / INPUTS_DIR / relation / "*.parquet")


def quoted(relation: str) -> str:
    """``schema.table`` with both names in quotes."""
    schema, _, name = relation.partition(".")
    return f"{quote(schema)}.{quote(name)}"


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")

"""A published version opened with everything that its numbers were made from, down to the admitted rows.

In one connection, under the names that the compiled SQL uses: ``admitted.*`` and ``control.*`` (rows as they were
admitted, with ``_batch_id``, ``_file_id``, ``_row_number``), the seeds, ``staging.*`` and ``intermediate.*`` (worked
out again from these by the version's own SQL, as views), ``marts.*`` and ``evaluation.*`` (as published).
"""

from __future__ import annotations

import graphlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from oneledger.lineage.literals import text_literal
from oneledger.publishing.content import quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.lineage_basis import FOLDER, INPUTS_DIR, MODELS_FILE, SEEDS_DIR, USAGE
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import duckdb_config
from oneledger.warehouse.evaluation_runs import EvaluationRun

# The compiled SQL names its relations with the warehouse's catalogue.
CATALOGUE = "warehouse"
NAMED = re.compile(rf'"{CATALOGUE}"\."(\w+)"\."(\w+)"')
PUBLISHED_SCHEMAS = ("marts", "evaluation")
OUTCOMES = "control.outcome"
_PUBLISHED_OUTCOMES = "published.marts.run_outcome"
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
        graph = {name: sorted(set(one.reads) & set(self.relations)) for name, one in sorted(self.relations.items())}
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


class Ground:
    """The relations of a version in one connection, each defined when it is first asked for, with all that it reads.

    Args:
        run: an evaluation run that was made on the version: its results and rules stand in place of the live ones.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, models: VersionModels, run: EvaluationRun | None = None
    ) -> None:
        self.connection = connection
        self.models = models
        self.run = run
        self._defined: set[str] = set()
        self._schemas: set[str] = set()
        version = models.version
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach {text_literal(version.marts_path)} as published (read_only)")
        connection.execute(f"attach ':memory:' as {CATALOGUE}")
        connection.execute(f"use {CATALOGUE}")
        # The outcomes of runs are published as a mart of their own and not a second time.
        self._create(OUTCOMES, f"view {OUTCOMES} as from {_PUBLISHED_OUTCOMES}")

    def define(self, name: str) -> None:
        """Make sure that a relation can be read under its name; one that is not known is left alone."""
        if name in self._defined or name not in self.models.relations:
            return
        self._defined.add(name)
        one = self.models.relations[name]
        if self.table_of(name) is None and one.kind == "model" and self._file_of(one) is None:
            for read in one.reads:
                self.define(read)
        self._define(one)

    def define_all(self) -> None:
        for one in self.models.in_order:
            self.define(one.name)

    def table_of(self, name: str) -> str | None:
        """The table in which the rows of a relation lie as such; None when they are read from files or worked out."""
        if name == OUTCOMES:
            return _PUBLISHED_OUTCOMES
        one = self.models.relations.get(name)
        if one is None or self._file_of(one) is not None:
            return None
        if one.kind == "seed":
            self.define(name)
            return f'"{CATALOGUE}".{quoted(name)}'
        is_published = one.schema in PUBLISHED_SCHEMAS and one.kind == "model" and one.materialized != "view"
        return f"published.{quoted(name)}" if is_published else None

    def _define(self, one: Relation) -> None:
        version = self.models.version
        target = quoted(one.name)
        table, files = self.table_of(one.name) if one.kind != "seed" else None, self._file_of(one)
        if one.kind == "seed":
            columns = ", ".join(f"{quote(name)} {column['type']}" for name, column in one.columns.items())
            self._create(one.name, f"table {target} ({columns})")
            rules = self.run.path / RULES_DIR / str(one.file) if self.run is not None else None
            path = rules if rules is not None and rules.is_file() else version.path / FOLDER / SEEDS_DIR / str(one.file)
            self.connection.execute(f"copy {target} from {text_literal(path)} (format csv, header, delimiter ',')")
        elif one.name == USAGE:
            self._create(one.name, f"view {target} as {_usage(self.connection, version, one)}")
        elif one.kind == "input":
            self._create(one.name, f"view {target} as from read_parquet({_parts(version, one.name)})")
        elif files is not None:
            self._create(one.name, f"view {target} as from read_parquet({text_literal(files)})")
        elif table is not None:
            self._create(one.name, f"view {target} as from {table}")
        else:
            self._create(one.name, f"view {target} as {one.sql}")

    def _file_of(self, one: Relation) -> Path | None:
        """The files that hold the rows of a model: the result of an evaluation run, the months of a daily fact."""
        if one.kind != "model" or one.schema not in PUBLISHED_SCHEMAS:
            return None
        name = one.name.partition(".")[2]
        if self.run is not None and one.schema == "evaluation" and self.run.result_path(name).is_file():
            return self.run.result_path(name)
        folder = self.models.version.path / FACTS_DIR / name
        return folder / "*.parquet" if one.materialized == "view" and folder.is_dir() else None

    def _create(self, name: str, what: str) -> None:
        schema = name.partition(".")[0]
        if schema not in self._schemas:
            self.connection.execute(f"create schema if not exists {quote(schema)}")
            self._schemas.add(schema)
        self.connection.execute(f"create {what}")


@contextmanager
def open_lazily(settings: Settings, models: VersionModels, run: EvaluationRun | None = None) -> Iterator[Ground]:
    """The relations of a version, each defined when it is asked for; what is created is gone when it closes."""
    connection = duckdb.connect(":memory:", config=dict(duckdb_config(settings)))
    try:
        yield Ground(connection, models, run)
    finally:
        connection.close()


@contextmanager
def open_ground(
    settings: Settings, version: PublishedVersion, models: VersionModels | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on all relations of a version; what it creates is gone when it closes.

    Raises:
        ConfigurationError: the version carries no lineage.
    """
    with open_lazily(settings, models or read_models(version)) as ground:
        ground.define_all()
        yield ground.connection


def _usage(connection: duckdb.DuckDBPyConnection, version: PublishedVersion, one: Relation) -> str:
    """``admitted.usage`` again: its days out of the daily facts, other periods as they were kept."""
    renamed = {"_missing_states": "missing_states", "module_id": "nullif(module_id, '')", "period_grain": "'day'"}
    renamed |= {"_is_omitted": "false", "_business_on": "usage_on"}
    fact = version.path / FACTS_DIR / _USAGE_FACT
    if not fact.is_dir():
        return f"from read_parquet({_parts(version, _USAGE_OF_PERIODS)})"
    files = f"read_parquet({text_literal(fact / '*.parquet')})"
    known = {row[0] for row in connection.execute(f"describe select * from {files}").fetchall()}
    selected = []
    for name, column in one.columns.items():
        source = renamed.get(name, quote(name) if name in known else "null")
        selected.append(f"cast({source} as {column['type']}) as {quote(name)}")
    return (
        f"select {', '.join(selected)} from {files} union all by name"
        f" select * from read_parquet({_parts(version, _USAGE_OF_PERIODS)})"
    )


def _parts(version: PublishedVersion, relation: str) -> str:
    return text_literal(version.path / FOLDER / INPUTS_DIR / relation / "*.parquet")


def quoted(relation: str) -> str:
    """``schema.table`` with both names in quotes."""
    schema, _, name = relation.partition(".")
    return f"{quote(schema)}.{quote(name)}"

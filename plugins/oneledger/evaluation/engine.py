"""The engine: the evaluation's own SQL, run in memory on a published version, with whatever rules are given.

The SQL is what dbt compiled for the build that was published; the marts, facts and inputs are the version's.
So a draft, a simulation and a replay compute with the same code as the nightly, without a dbt process.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from oneledger.evaluation.rule_tables import ROUNDS, RuleSet
from oneledger.evaluation.rules import load_frozen, write
from oneledger.publishing.content import TableContent, hash_relation, quote
from oneledger.publishing.evaluation_basis import FOLDER, INPUTS_DIR, MODELS_FILE, RULES_DIR
from oneledger.publishing.holds import reading
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.built_models import EVALUATION_SCHEMA
from oneledger.warehouse.connection import duckdb_config

# The compiled SQL names its relations with the warehouse's catalogue.
_CATALOGUE = "warehouse"
_PUBLISHED = "published"
# Doubles are kept to as many decimals as the content hash counts: their last bits depend on the order of a sum.
_DECIMALS = 9


@dataclass(frozen=True)
class Basis:
    """``evaluation/models.json`` of a version.

    Attributes:
        models: ``{relation, columns, reads, sql}`` in the order in which they are run.
        rules: ``{relation, file, columns}`` each.
        inputs: ``{relation, columns}`` each.
        marts_that_read_rules: by rule table, the marts and inputs that a changed rule reaches with the next build only.
        as_of_on: the day as of which the version was computed, ISO 8601.
    """

    folder: Path
    models: tuple[dict[str, Any], ...]
    rules: tuple[dict[str, Any], ...]
    inputs: tuple[dict[str, Any], ...]
    marts_that_read_rules: dict[str, list[str]]
    as_of_on: str | None

    @property
    def relations(self) -> list[str]:
        return [one["relation"] for one in self.models]

    def columns_of(self, relation: str) -> dict[str, str]:
        return dict(next(one["columns"] for one in self.models if one["relation"] == relation))

    def relation_of_rule(self, name: str) -> str | None:
        """The relation that the rule table ``name`` (its file without ``.csv``) becomes."""
        return next((one["relation"] for one in self.rules if Path(one["file"]).stem == name), None)

    def as_published(self, base: RuleSet, rules: RuleSet) -> list[str]:
        """What the evaluation reads and stays as published although ``rules`` change a table that it was built with."""
        differs = {name for name, table in rules.tables.items() if name != ROUNDS and table != base.tables.get(name)}
        reached = {
            one for name in differs for one in self.marts_that_read_rules.get(self.relation_of_rule(name) or "", ())
        }
        return sorted(reached & {one for model in self.models for one in model["reads"]})

    def dependents(self, relations: Iterable[str]) -> list[str]:
        """The models that read any of these relations, directly or through others, in order."""
        touched = set(relations)
        found = []
        for model in self.models:
            if touched & set(model["reads"]):
                touched.add(model["relation"])
                found.append(model["relation"])
        return found


def read_basis(version: PublishedVersion) -> Basis:
    """What a version says about its evaluation.

    Raises:
        ConfigurationError: it was published before versions carried it.
    """
    path = version.path / FOLDER / MODELS_FILE
    if not path.is_file():
        raise ConfigurationError(
            f"Version {version.version} holds no {FOLDER}/{MODELS_FILE}: it was published before versions could be "
            "evaluated by themselves. Publish a new one with `oneledger run`, or give another --version."
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    return Basis(
        folder=path.parent,
        models=tuple(content["models"]),
        rules=tuple(content["rules"]),
        inputs=tuple(content["inputs"]),
        marts_that_read_rules=content["marts_that_read_rules"],
        as_of_on=content["as_of_on"],
    )


def published_rules(version: PublishedVersion) -> RuleSet:
    """The rules that a version was built with."""
    return load_frozen(read_basis(version).folder / RULES_DIR)


class Engine:
    """One version, opened; tables of the evaluation are made in memory."""

    def __init__(self, settings: Settings, version: PublishedVersion) -> None:
        self.version = version
        self.basis = read_basis(version)
        self.connection = duckdb.connect(":memory:", config=dict(duckdb_config(settings)))
        self._threads = settings.threads
        self._open()

    def close(self) -> None:
        self.connection.close()

    def load_rules(self, rules: RuleSet, only: Iterable[str] | None = None) -> None:
        """Load the rule tables as dbt loads its seeds: by COPY, into columns of the published types.

        Args:
            only: relations to load; None means all.

        Raises:
            ConfigurationError: a table is missing, or a value does not fit the type of its column.
        """
        wanted = None if only is None else set(only)
        with tempfile.TemporaryDirectory(prefix="oneledger-rules-") as name:
            folder = Path(name) / RULES_DIR
            write(rules, folder)
            for rule in self.basis.rules:
                if wanted is None or rule["relation"] in wanted:
                    self._load_rule(rule, folder / rule["file"])

    def show_published(self, relations: Iterable[str]) -> None:
        """Let these tables of the evaluation be the version's own instead of computing them."""
        for relation in relations:
            self._drop(relation)
            self.connection.execute(f"create view {_quoted(relation)} as from {_PUBLISHED}.{_quoted(relation)}")

    def substitute(self, relation: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Let a relation hold these rows instead of the version's, for this engine only.

        Columns keep their names and types. All rows name the same columns; the others are null.
        """
        if relation in self.basis.relations:
            columns = self.basis.columns_of(relation)
        else:
            described = self.connection.execute(f"describe {_quoted(relation)}").fetchall()
            columns = {name: kind for name, kind, *_ in described}
        self._drop(relation)
        self.connection.execute(
            f"create table {_quoted(relation)} ({', '.join(f'{quote(name)} {kind}' for name, kind in columns.items())})"
        )
        if rows:
            given = list(rows[0])
            self.connection.execute(
                f"insert into {_quoted(relation)} by name"
                f" select {', '.join(f'unnest(?) as {quote(name)}' for name in given)}",
                [[row[name] for row in rows] for name in given],
            )

    def run(self, relations: Sequence[str] | None = None) -> None:
        """Compute models in order; all of them for None.

        Raises:
            EngineError: the SQL fails on these data and rules.
        """
        for model in self.basis.models:
            if relations is None or model["relation"] in relations:
                self._run(model)

    def content(self, relation: str, where: str = "true") -> TableContent:
        """Rows and content hash of a computed table."""
        return hash_relation(self.connection, _quoted(relation), relation, where)

    def write(self, relation: str, path: Path, where: str = "true") -> None:
        """Write a table as Parquet; equal tables give equal bytes: rows in order, doubles to nine decimals."""
        selected = ", ".join(
            f"round({quote(name)}, {_DECIMALS}) as {quote(name)}" if kind in ("DOUBLE", "FLOAT") else quote(name)
            for name, kind in self.basis.columns_of(relation).items()
        )
        self.connection.execute("set threads = 1")
        try:
            self.connection.execute(
                f"copy (select {selected} from {_quoted(relation)} where {where} order by all)"
                f" to '{_literal(path)}' (format parquet, compression zstd)"
            )
        finally:
            self.connection.execute(f"set threads = {self._threads}")

    def _open(self) -> None:
        execute = self.connection.execute
        execute(f"attach ':memory:' as {_CATALOGUE}")
        execute(f"attach '{_literal(self.version.marts_path)}' as {_PUBLISHED} (read_only)")
        execute(f"use {_CATALOGUE}")
        tables = execute(
            f"select table_name from duckdb_tables() where database_name = '{_PUBLISHED}' and schema_name = 'marts'"
        ).fetchall()
        schemas = {"marts", EVALUATION_SCHEMA, *(one["relation"].partition(".")[0] for one in self.basis.inputs)}
        for schema in sorted(schemas):
            execute(f"create schema if not exists {quote(schema)}")
        for (table,) in tables:
            execute(f"create view marts.{quote(table)} as from {_PUBLISHED}.marts.{quote(table)}")
        for fact in self.version.fact_names():
            files = _literal(self.version.path / FACTS_DIR / fact / "*.parquet")
            execute(f"create or replace view marts.{quote(fact)} as from read_parquet('{files}')")
        for one in self.basis.inputs:
            path = _literal(self.basis.folder / INPUTS_DIR / f"{one['relation']}.parquet")
            execute(f"create view {_quoted(one['relation'])} as from read_parquet('{path}')")

    def _load_rule(self, rule: dict[str, Any], path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(f"The rules lack the table {path.stem}, which the evaluation reads. Add it.")
        relation = _quoted(rule["relation"])
        columns = ", ".join(f"{quote(name)} {kind}" for name, kind in rule["columns"].items())
        self._drop(rule["relation"])
        try:
            self.connection.execute(f"create table {relation} ({columns})")
            self.connection.execute(f"copy {relation} from '{_literal(path)}' (format csv, header true, delimiter ',')")
        except duckdb.Error as error:
            first = str(error).partition("\n")[0]
            raise ConfigurationError(
                f"The rule table {path.stem} cannot be loaded: {first}. Its columns are "
                f"{', '.join(f'{name} ({kind.lower()})' for name, kind in rule['columns'].items())}."
            ) from error

    def _run(self, model: dict[str, Any]) -> None:
        relation = _quoted(model["relation"])
        columns = ", ".join(f"{quote(name)} {kind}" for name, kind in model["columns"].items())
        self._drop(model["relation"])
        self.connection.execute(f"create table {relation} ({columns})")
        try:
            self.connection.execute(f"insert into {relation} by name ({model['sql']})")
        except duckdb.Error as error:
            raise EngineError(f"{model['relation']} cannot be computed with these rules: {error}") from error

    def _drop(self, relation: str) -> None:
        for kind in ("view", "table"):
            found = self.connection.execute(
                f"select 1 from duckdb_{kind}s() where database_name = ? and schema_name = ? and {kind}_name = ?",
                [_CATALOGUE, *relation.split(".", 1)],
            ).fetchone()
            if found:
                self.connection.execute(f"drop {kind} {_quoted(relation)}")


class EngineError(Exception):
    """The evaluation's SQL failed on these data and rules."""


@contextmanager
def open_engine(settings: Settings, version: PublishedVersion) -> Iterator[Engine]:
    """An engine on a version, closed at the end.

    Raises:
        ConfigurationError: the version carries no evaluation.
    """
    with reading(version):
        engine = Engine(settings, version)
        try:
            yield engine
        finally:
            engine.close()


def _quoted(relation: str) -> str:
    schema, _, name = relation.partition(".")
    return f"{quote(schema)}.{quote(name)}"


def _literal(path: object) -> str:
    return str(path).replace("'", "''")

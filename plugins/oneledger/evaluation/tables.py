"""Where the tables of an evaluation are read from: the results of a run, or the live tables of a version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from oneledger.evaluation.engine import read_basis
from oneledger.evaluation.rule_tables import ROUNDS, Row, RuleSet, load_rules
from oneledger.evaluation.runs import preferred_run
from oneledger.publishing.content import quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun


@dataclass(frozen=True)
class Evaluated:
    """The tables of one round, and the rules that they were computed with.

    Attributes:
        connection: views ``app_stars``, ``indicator_points``, ``population`` … hold the rows of the round.
        about: run_id (None for live tables), state, version, round.
    """

    connection: duckdb.DuckDBPyConnection
    rules: RuleSet
    round: Row
    about: dict[str, Any]

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The answer of a query as dicts."""
        cursor = self.connection.execute(sql, parameters or [])
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def has(self, table: str) -> bool:
        """Whether there is such a result."""
        found = self.connection.execute("select 1 from duckdb_views() where view_name = ?", [table]).fetchone()
        return found is not None


@contextmanager
def open_run(run: EvaluationRun) -> Iterator[Evaluated]:
    """The results of a run, as they were frozen."""
    with duckdb.connect() as connection:
        for path in sorted((run.path / "results").glob("*.parquet")):
            connection.execute(f"create view {quote(path.stem)} as from read_parquet('{_literal(path)}')")
        about = {
            "run_id": run.run_id, "state": run.state, "version": run.record["version"], "round_id": run.round_id,
            "period": run.period, "rule_version": run.record["rule_version"], "rules_hash": run.record["rules_hash"],
        }  # fmt: skip
        yield Evaluated(connection, load_rules(run.path / RULES_DIR), run.record["round"], about)


@contextmanager
def open_live(settings: Settings, version: str = "current") -> Iterator[Evaluated]:
    """The newest round that the version itself has evaluated.

    Raises:
        ConfigurationError: nothing is published, or the version has no evaluated round.
    """
    published = resolve(settings, version)
    basis = read_basis(published)
    rules = load_rules(basis.folder / RULES_DIR)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{_literal(published.marts_path)}' as published (read_only)")
        evaluated = {row[0] for row in connection.execute(
            "select distinct run_id from published.evaluation.population"
        ).fetchall()}  # fmt: skip
        rounds = [row for row in rules.tables[ROUNDS].rows if row["round_id"] in evaluated]
        if not rounds:
            raise ConfigurationError(
                f"Version {published.version} has evaluated no round yet: the data go to {basis.as_of_on}. Name a run "
                "with --run, or evaluate a complete quarter with `oneledger evaluate --period`."
            )
        newest = max(rounds, key=lambda row: row["period_end_on"])
        for relation in basis.relations:
            name = quote(relation.partition(".")[2])
            where = ""
            if "run_id" in basis.columns_of(relation):
                where = f" where run_id = '{_literal(newest['round_id'])}'"
            connection.execute(f"create view {name} as from published.evaluation.{name}{where}")
        about = {
            "run_id": None, "state": "live", "version": published.version, "round_id": newest["round_id"],
            "period": newest["period"], "rule_version": newest.get("rule_version"), "rules_hash": None,
        }  # fmt: skip
        yield Evaluated(connection, rules, newest, about)


@contextmanager
def open_preferred(settings: Settings, run: EvaluationRun | None) -> Iterator[Evaluated]:
    """A named run; else the confirmed run of the newest round, else its draft, else the live tables."""
    chosen = run or preferred_run(settings)
    with open_run(chosen) if chosen else open_live(settings) as evaluated:
        yield evaluated


def _literal(path: object) -> str:
    return str(path).replace("'", "''")

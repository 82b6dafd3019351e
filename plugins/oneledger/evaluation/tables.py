"""Where the tables of an evaluation are read from: the results of a run, or the live tables of a version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from oneledger.evaluation.engine import read_basis
from oneledger.evaluation.rule_tables import ROUNDS, RuleSet
from oneledger.evaluation.rules import load_frozen
from oneledger.evaluation.runs import preferred_run
from oneledger.publishing.content import quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.versions import MARTS_FILE, resolve
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
    round: dict[str, str]
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
def open_run(settings: Settings, run: EvaluationRun) -> Iterator[Evaluated]:
    """The results of a run, as they were frozen; ``project_app_link`` is its version's, while that is kept."""
    with duckdb.connect() as connection:
        for path in sorted((run.path / "results").glob("*.parquet")):
            connection.execute(f"create view {quote(path.stem)} as from read_parquet('{_literal(path)}')")
        about = {
            "run_id": run.run_id, "state": run.state, "version": run.record["version"], "round_id": run.round_id,
            "period": run.period, "rule_version": run.record["rule_version"], "rules_hash": run.record["rules_hash"],
        }  # fmt: skip
        _show_links(connection, settings.published_dir / run.record["version"] / MARTS_FILE)
        yield Evaluated(connection, load_frozen(run.path / RULES_DIR), run.record["round"], about)


@contextmanager
def open_live(settings: Settings, version: str = "current") -> Iterator[Evaluated]:
    """The newest round that the version itself has evaluated.

    Raises:
        ConfigurationError: nothing is published, or the version has no evaluated round.
    """
    published = resolve(settings, version)
    basis = read_basis(published)
    rules = load_frozen(basis.folder / RULES_DIR)
    with duckdb.connect() as connection:
        _show_links(connection, published.marts_path)
        evaluated = {row[0] for row in connection.execute(
            "select distinct run_id from published.evaluation.population"
        ).fetchall()}  # fmt: skip
        rounds = [row for row in rules.rows(ROUNDS) if row["round_id"] in evaluated]
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
            "period": newest["period"], "rule_version": newest["rule_version"], "rules_hash": None,
        }  # fmt: skip
        yield Evaluated(connection, rules, newest.cells, about)


@contextmanager
def open_preferred(settings: Settings, run: EvaluationRun | None) -> Iterator[Evaluated]:
    """A named run; else the confirmed run of the newest round, else its draft, else the live tables."""
    chosen = run or preferred_run(settings)
    with open_run(settings, chosen) if chosen else open_live(settings) as evaluated:
        yield evaluated


def _show_links(connection: duckdb.DuckDBPyConnection, marts_path: Path) -> None:
    """Attach a version as ``published``; its links of projects and apps say which money belongs to an app."""
    if not marts_path.is_file():
        return
    connection.execute(f"attach '{_literal(marts_path)}' as published (read_only)")
    known = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'published' and schema_name = 'marts'"
        " and table_name = 'project_app_link'"
    ).fetchone()
    if known:
        connection.execute("create view project_app_link as from published.marts.project_app_link")


def _literal(path: object) -> str:
    return str(path).replace("'", "''")

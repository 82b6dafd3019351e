"""The facts of a circular and of a workbook: read once, from one published version and one evaluation run.

Nothing here is a sentence and nothing is formatted. What the marts and the evaluation have computed is read; only what
a period needs beside it (a median over its months, counts by department) is aggregated, in the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from oneledger.evaluation.rule_tables import RuleSet
from oneledger.evaluation.rules import load_frozen
from oneledger.publishing.content import quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.holds import reading
from oneledger.publishing.versions import PublishedVersion
from oneledger.reports import facts_sql
from oneledger.settings import ConfigurationError
from oneledger.warehouse.evaluation_runs import RESULTS_DIR, EvaluationRun

Row = dict[str, Any]
BANDS = ("5", "4", "3", "none", "withheld")


@dataclass(frozen=True)
class Facts:
    """Everything that a circular tells.

    Attributes:
        run, version: what it is about.
        issuer: the department that issues it, as IRS calls it; None when IRS has none of the level.
        is_synthetic: the apps' own descriptions say that they were generated.
        period_start_on, period_end_on, as_of_on: the period, and the day up to which the data go.
        distribution: apps by ``BANDS``; they add up to the population.
        before_distribution: the same of the run compared with; None without one.
        ranking: one row an app in scope, best first, those withheld last; ``rank`` is shared by equal scores.
        movers: apps whose stars or state differ from the run before.
        by_side, by_family: counts by band.
        low_use: apps little used or unused in the last month of the period.
        low_use_months: how many, by month of the period and portal.
        dispositions: what is proposed, counted; ``proposals``: the apps for which it is not ``keep``.
        requests: sharing requests of each month up to the period's end, a year of them.
        sharing: the clocks over the requests of the period.
        key_apps: of the key apps, how many asked and why others did not.
        ledgers, lead_times: the path of money.
        funding_share: the year's money by state.
        findings: the audit's findings as of the newest month.
        departments: apps by band, mean score and little used apps.
        withheld, not_applicable: reasons for indicators without points, counted.
        left_out: apps outside the population, by reason.
        stale, quarantined_rows_count, missing_parts: what the data of the version lack.
        suspicious: flags about apps in scope, by kind.
        rules: those of the run.
    """

    run: EvaluationRun
    version: PublishedVersion
    previous: EvaluationRun | None
    issuer: str | None
    is_synthetic: bool
    period_start_on: dt.date
    period_end_on: dt.date
    as_of_on: dt.date
    distribution: dict[str, int]
    before_distribution: dict[str, int] | None
    ranking: Sequence[Row]
    movers: Sequence[Row]
    by_side: Sequence[Row]
    by_family: Sequence[Row]
    low_use: Sequence[Row]
    low_use_months: Sequence[Row]
    dispositions: dict[str, int]
    proposals: Sequence[Row]
    requests: Sequence[Row]
    sharing: Row
    key_apps: Row
    key_app_reasons: Sequence[Row]
    ledgers: Sequence[Row]
    lead_times: Sequence[Row]
    funding_share: Sequence[Row]
    findings: Sequence[Row]
    departments: Sequence[Row]
    projects: Sequence[Row]
    withheld: Sequence[Row]
    not_applicable: Sequence[Row]
    left_out: Sequence[Row]
    stale: Sequence[Row]
    missing_parts: Sequence[Row]
    quarantined_rows_count: int
    suspicious: Sequence[Row]
    rules: RuleSet

    @property
    def population(self) -> int:
        return len(self.ranking)


@contextmanager
def open_facts(
    run: EvaluationRun, version: PublishedVersion, previous: EvaluationRun | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the version as ``published``, the runs as ``result`` and ``before``, the rules as
    ``rule``."""
    with reading(version), duckdb.connect() as connection:
        # One thread adds floating-point numbers in one order: the same facts give the same last digit.
        connection.execute("set threads = 1")
        connection.execute(f"attach '{_literal(version.marts_path)}' as published (read_only)")
        for schema, one in (("result", run), ("before", previous)):
            connection.execute(f"create schema {schema}")
            for path in sorted((one.path / RESULTS_DIR).glob("*.parquet")) if one else ():
                connection.execute(f"create view {schema}.{quote(path.stem)} as from read_parquet('{_literal(path)}')")
        connection.execute("create schema rule")
        for path in sorted((run.path / RULES_DIR).glob("*.csv")):
            connection.execute(
                f"create view rule.{quote(path.stem)} as from read_csv('{_literal(path)}', all_varchar = true, "
                "header = true)"
            )
        yield connection


def read_facts(run: EvaluationRun, version: PublishedVersion, previous: EvaluationRun | None) -> Facts:
    """Read everything that is told about a run.

    Args:
        run: the evaluation run.
        version: the published version that it evaluated.
        previous: the confirmed run that it is compared with.

    Raises:
        ConfigurationError: the version or the run lacks a table that a circular needs.
    """
    try:
        with open_facts(run, version, previous) as connection:
            return _read(connection, run, version, previous)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ConfigurationError(
            f"Version {version.version} or run {run.run_id} lacks what a report needs ({str(error).splitlines()[0]}). "
            "They were made by an older program: publish again with `oneledger run` and evaluate again."
        ) from error


def _read(
    connection: duckdb.DuckDBPyConnection, run: EvaluationRun, version: PublishedVersion, previous: EvaluationRun | None
) -> Facts:
    period = (
        dt.date.fromisoformat(run.record["round"]["period_start_on"]),
        dt.date.fromisoformat(run.record["round"]["period_end_on"]),
    )
    level = run.record["round"]["level"]
    as_of_on = dt.date.fromisoformat(run.record["as_of_on"])

    def rows(sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        return fetch(connection, sql, parameters)

    month = period[1].replace(day=1)
    ranking = rows(facts_sql.RANKING)
    return Facts(
        run=run,
        version=version,
        previous=previous,
        issuer=_single(rows(facts_sql.ISSUER, [level])),
        is_synthetic=bool(_single(rows(facts_sql.SYNTHETIC))),
        period_start_on=period[0],
        period_end_on=period[1],
        as_of_on=as_of_on,
        distribution=_bands(rows(facts_sql.DISTRIBUTION.format(schema="result"))),
        before_distribution=_bands(rows(facts_sql.DISTRIBUTION.format(schema="before"))) if previous else None,
        ranking=ranking,
        movers=rows(facts_sql.MOVERS) if previous else [],
        by_side=rows(facts_sql.BY.format(column="side")),
        by_family=rows(facts_sql.BY.format(column="family")),
        low_use=rows(facts_sql.LOW_USE, {"month": month, "from": period[0], "to": period[1], "level": level}),
        low_use_months=rows(facts_sql.LOW_USE_MONTHS, {"from": period[0], "to": period[1], "level": level}),
        dispositions={row["disposition"]: row["apps_count"] for row in rows(facts_sql.DISPOSITIONS)},
        proposals=rows(facts_sql.PROPOSALS),
        requests=rows(facts_sql.REQUESTS, {"to": period[1]}),
        sharing=rows(facts_sql.SHARING, {"from": period[0], "to": period[1]})[0],
        key_apps=rows(facts_sql.KEY_APPS, [level])[0],
        key_app_reasons=rows(facts_sql.KEY_APP_REASONS, [level]),
        ledgers=rows(facts_sql.LEDGERS),
        lead_times=rows(facts_sql.LEAD_TIMES),
        funding_share=rows(facts_sql.FUNDING_SHARE, [period[1].year]),
        findings=rows(facts_sql.FINDINGS),
        departments=rows(facts_sql.DEPARTMENTS, {"month": month}),
        projects=rows(facts_sql.PROJECTS),
        withheld=rows(facts_sql.REASONS, ["withheld"]),
        not_applicable=rows(facts_sql.REASONS, ["not_applicable"]),
        left_out=rows(facts_sql.LEFT_OUT),
        stale=rows(facts_sql.STALE),
        missing_parts=rows(facts_sql.MISSING_PARTS),
        quarantined_rows_count=int(_single(rows(facts_sql.QUARANTINED)) or 0),
        suspicious=rows(facts_sql.SUSPICIOUS),
        rules=load_frozen(run.path / RULES_DIR),
    )


def fetch(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = ()) -> list[Row]:
    """The answer of a query as dicts."""
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _single(found: list[Row]) -> Any:
    return next(iter(found[0].values())) if found else None


def _bands(found: list[Row]) -> dict[str, int]:
    counted = {row["band"]: row["apps_count"] for row in found}
    return {band: counted.get(band, 0) for band in BANDS}


def _literal(path: object) -> str:
    return str(path).replace("'", "''")

"""Letting quarantined rows in: judged again once a rule or a reference is mended, or taken as they are by a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import duckdb

from oneledger.audit.seals import seal_file
from oneledger.catalogue import Catalogue
from oneledger.outcomes import Outcome
from oneledger.quality.quarantine import Filter
from oneledger.quality.row_rules import DUPLICATE_RULE_ID
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.admission import admit
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.entity_admission import EntityAdmission
from oneledger.warehouse.lock import writer_lock
from oneledger.warehouse.registration import AdmissionPlan
from oneledger.warehouse.releases import Release, ReleasedRow, read_releases, record_release
from oneledger.warehouse.row_staging import StagingStatement

_NOT_WAIVED = {
    DUPLICATE_RULE_ID: "two records of one key cannot both stand; the source says which is right",
}
_NOT_WAIVED_OTHERWISE = "a required value that is not there, or personal data, is never taken as it is"


@dataclass
class ReleaseReport:
    """What a release does, or would do.

    Attributes:
        rows_count: quarantined rows that the filter meets.
        passing_count: rows that keep every rule of today.
        waived_count: rows that break a rule which the person waives.
        kept: rule id → rows that stay in quarantine for it.
        release: what was recorded; None when nothing was, or nothing was to be.
        admitted: outcomes of the admission that followed.
    """

    rows_count: int = 0
    passing_count: int = 0
    waived_count: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    release: Release | None = None
    admitted: list[Outcome] = field(default_factory=list)

    @property
    def released_count(self) -> int:
        return self.passing_count + self.waived_count

    @property
    def why_kept(self) -> dict[str, str]:
        """Rule id → why these rows stay."""
        return {rule: _NOT_WAIVED.get(rule, _NOT_WAIVED_OTHERWISE) for rule in self.kept}


def release_rows(
    settings: Settings,
    catalogue: Catalogue,
    chosen: Filter,
    *,
    name: str,
    reason: str,
    run_id: str,
    is_anyway: bool = False,
    is_dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ReleaseReport:
    """Judge the chosen rows under today's rules, record the decision, and admit their batches again.

    The decision is a file under ``releases/``, so a rebuild gives the same rows. Doing it twice changes nothing:
    the second time no such row is in quarantine. What is admitted is published by the next run.

    Args:
        chosen: which rows; at least a source.
        name: the person who decides.
        reason: why, in a sentence that an auditor understands.
        is_anyway: take rows that still break a rule, as far as the rule may be waived.
        is_dry_run: only say what would happen.

    Raises:
        ConfigurationError: no source, name or reason, or the warehouse does not exist.
        WriterBusyError: another process writes the warehouse.
    """
    if not chosen.source:
        raise ConfigurationError("Say which source's rows: --source S (`oneledger quarantine list` names them).")
    if not name.strip() or not reason.strip():
        raise ConfigurationError("A release needs --name (who decides) and --reason (why): both are kept for auditors.")
    catalogue.source(chosen.source)
    with writer_lock(settings, run_id=run_id, step="release"):
        with open_warehouse(settings) as connection:
            create_control_tables(connection)
            report, rows = _judged(connection, settings, catalogue, chosen, run_id, is_anyway)
        if is_dry_run or not rows:
            return report
        report.release = Release(name.strip(), reason.strip(), is_anyway, tuple(rows), chosen.given)
        seal_file(settings, record_release(settings, report.release))
        report.admitted = admit(settings, catalogue, run_id=run_id, progress=progress)
    return report


def _judged(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalogue: Catalogue,
    chosen: Filter,
    run_id: str,
    is_anyway: bool,
) -> tuple[ReleaseReport, list[ReleasedRow]]:
    """Stage the batches of the chosen rows as admission would, and read what it says of these rows."""
    report = ReleaseReport()
    rows: list[ReleasedRow] = []
    connection.execute(
        f"create or replace temp table chosen as select distinct source, entity, batch_id, file_id, row_number,"
        f" rule_id, column_name from quarantine.row where {chosen.where}",
        list(chosen.given.values()),
    )
    entities = connection.execute("select distinct source, entity from chosen order by all").fetchall()
    for source, entity_id in entities:
        entity = catalogue.entity(source, entity_id)
        batches = [
            row[0]
            for row in connection.execute(
                "select distinct batch_id from chosen where source = ? and entity = ? order by 1", [source, entity_id]
            ).fetchall()
        ]
        statement = StagingStatement.of(entity)
        plan = AdmissionPlan(entity, (), tuple(batches), is_recomputed=False)
        admission = EntityAdmission(connection, settings, plan, run_id, lambda _: None)
        for batch_id in batches:
            admission.stage(statement, [batch_id], {batch_id: admission.raw_file(batch_id)})
            _judge_batch(connection, statement, report, rows, is_anyway)
    return report, rows


def _judge_batch(
    connection: duckdb.DuckDBPyConnection,
    statement: StagingStatement,
    report: ReleaseReport,
    rows: list[ReleasedRow],
    is_anyway: bool,
) -> None:
    has_repeated = connection.execute(
        "select count(*) from duckdb_tables() where table_name = 'repeated' and temporary"
    ).fetchall()[0][0]
    conflict = (
        "exists (select 1 from repeated where repeated.row_id = chunk.rowid and verdict = 'conflict')"
        if has_repeated
        else "false"
    )
    found: list[tuple[Any, ...]] = connection.execute(
        f"""
        with judged as (
            select _batch_id as batch_id, _file_id as file_id, _row_number as row_number,
                list_distinct(flatten(list(coalesce(_broken, [])))) as broken, bool_or({conflict}) as is_conflict
            from chunk group by all
        )
        select chosen.source, chosen.entity, batch_id, file_id, row_number, judged.broken, judged.is_conflict,
            list(struct_pack(rule_id := chosen.rule_id, column_name := coalesce(chosen.column_name, ''))) as reports
        from chosen inner join judged using (batch_id, file_id, row_number)
        group by all order by file_id, row_number
        """
    ).fetchall()
    connection.execute("drop table if exists temp.repeated")
    for source, entity, batch_id, file_id, row_number, broken, is_conflict, reports in found:
        report.rows_count += 1
        checks = [statement.checks[position] for position in broken]
        blocking = [check for check in checks if not (is_anyway and check.may_be_waived)]
        if is_conflict or blocking:
            rule = blocking[0].rule_id if blocking else DUPLICATE_RULE_ID
            report.kept[rule] = report.kept.get(rule, 0) + 1
            continue
        if checks:
            report.waived_count += 1
        else:
            report.passing_count += 1
        # What is waived is what the row breaks today, which need not be what it was held back for.
        named = [(check.rule_id, ", ".join(check.columns)) for check in checks] or [
            (one["rule_id"], one["column_name"]) for one in reports
        ]
        rows += [ReleasedRow(source, entity, batch_id, file_id, row_number, *pair) for pair in named]


def released_decisions(settings: Settings) -> list[dict[str, Any]]:
    """Every decision: who, when, why, how many rows, of which filter; the newest first."""
    return [
        {
            "release_id": one.release_id, "released_at": one.released_at, "name": one.name, "reason": one.reason,
            "is_anyway": one.is_anyway, "rows_count": one.rows_count, "filters": one.filters,
        }
        for one in reversed(list(read_releases(settings)))
    ]  # fmt: skip

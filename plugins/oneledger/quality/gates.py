"""The two gates: ``sources`` on what was admitted, ``marts`` before publishing.

A gate never raises for bad data: it reports what is wrong, in which data, since when, who should act and
how, and whether publishing may go on. It looks at what the published version does not hold yet, so its
cost follows the new data.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from oneledger.catalogue import Catalogue
from oneledger.lineage.openlineage.gate_events import tell_gate
from oneledger.outcomes import Outcome, record_outcome, utc_now
from oneledger.publishing.content import quote
from oneledger.publishing.versions import current_version
from oneledger.quality.checks import Check, CheckResult, GateReport, load_checks
from oneledger.quality.evidence import (
    ChangedRows,
    changed_rows,
    natural_keys_evidence,
    prepare,
    references_evidence,
    row_counts_of_batches_evidence,
    row_rules_evidence,
)
from oneledger.quality.gate_state import Gate
from oneledger.quality.mart_evidence import mart_keys_evidence, row_counts_evidence
from oneledger.quality.results import record_results
from oneledger.quality.session import CheckSession, ExpectationError, Judgement, open_session
from oneledger.quality.tolerated import apply_tolerations, load_tolerations
from oneledger.runbooks import code_of_check
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.lock import writer_lock

_SHOWN_ROWS = 3


def run_gate(
    gate: Gate, settings: Settings, catalogue: Catalogue, *, run_id: str, sources: Collection[str] | None = None
) -> GateReport:
    """Run every check of a gate, keep the results in ``checks.result`` and the answer in ``checks.gate``.

    Args:
        gate: ``sources`` (after admission) or ``marts`` (after the models).
        settings: where the warehouse, the published versions and ``expectations/`` lie.
        catalogue: what was to be delivered.
        run_id: the run that asks.
        sources: only these are expected to have delivered; None means all that are connected.

    Raises:
        ConfigurationError: an expectation file is wrong.
        ExpectationError: a check cannot be evaluated; that is a fault of the check.
        WriterBusyError: another process writes the warehouse.
    """
    step = "gate_sources" if gate == "sources" else "gate_marts"
    outcome = Outcome(run_id=run_id, step=step, verdict="failed")
    try:
        folder = settings.project_root / "expectations"
        checks = load_checks(folder, gate)
        tolerations = load_tolerations(folder / "tolerated.yml")
        published = current_version(settings)
        # What is judged is what the answer stands for: nobody writes between the two.
        with writer_lock(settings, run_id=run_id, step=step):
            with open_session(settings) as session:
                # Importing Great Expectations takes longer than most gates and is no work on the data.
                outcome.started_at = utc_now()
                as_of = prepare(session, settings, catalogue, published, sources)
                changed = changed_rows(session, catalogue)
                results = Judge(gate, session, catalogue, changed).results(checks)
            results = apply_tolerations(results, tolerations, as_of or settings.business_date())
            report = record_results(settings, GateReport(gate, run_id, as_of, tuple(results)))
    except Exception as error:
        outcome.message = f"{type(error).__name__}: {error}"
        outcome.remedy = "The gate could not be run. Correct what the message names and run again."
        record_outcome(outcome, settings.outcomes_dir)
        raise
    told = tell_gate(settings, catalogue, report, checks, outcome.started_at)
    outcome = _told(outcome, report)
    told.note_in(outcome)
    record_outcome(outcome, settings.outcomes_dir)
    return report


def _told(outcome: Outcome, report: GateReport) -> Outcome:
    failed = report.failed
    outcome.verdict = "failed" if not report.is_open else "warning" if failed else "good"
    outcome.business_on = report.as_of
    outcome.accepted_count = sum(result.is_passed for result in report.results)
    outcome.quarantined_count = len(failed)
    outcome.received_count = len(report.results)
    blocking = [result for result in failed if result.blocks] or list(failed)
    outcome.message = "; ".join(f"{one.title_en} ({one.entity}): {one.observed}" for one in blocking[:_SHOWN_ROWS])
    outcome.remedy = "; ".join(dict.fromkeys(f"{one.owner}: {one.remedy_en}" for one in blocking[:_SHOWN_ROWS]))
    outcome.detail = {
        "is_open": report.is_open,
        "blocking": sum(result.blocks for result in failed),
        # What leads to the runbook: the check that shut the gate, not that a gate is shut.
        "failure": code_of_check(blocking[0].check_id) if blocking else "",
        "warnings": sum(not result.blocks for result in failed),
    }
    return outcome


class Judge:
    """Runs the checks of one gate on one session."""

    def __init__(self, gate: Gate, session: CheckSession, catalogue: Catalogue, changed: Sequence[ChangedRows]) -> None:
        self._gate: Gate = gate
        self._session = session
        self._catalogue = catalogue
        self._changed = changed
        self._tables = {
            row[0]
            for row in session.execute(
                "select table_schema || '.' || table_name from information_schema.tables"
                " where table_catalog = current_database()"
            )
        }

    def results(self, checks: Sequence[Check]) -> list[CheckResult]:
        """All checks that apply, in the order of the file."""
        made: list[CheckResult] = []
        for check in checks:
            if not set(check.needs) <= self._tables:
                continue
            made += self._evidence(check)
        return made

    def _evidence(self, check: Check) -> list[CheckResult]:
        query = self._query_of(check)
        if not query:
            return []
        table = f"evidence_{check.check_id}"
        try:
            self._session.execute(f"create or replace temp table {quote(table)} as {query}")
        except duckdb.Error as error:
            raise ExpectationError(f"the evidence of check {check.check_id} cannot be made: {error}") from error
        columns = [row[0] for row in self._session.execute(f"describe {quote(table)}")]
        # One judgement for all entities: each costs Great Expectations a tenth of a second whatever the data.
        judged = self._session.judge(f"select * from {quote(table)}", [check.expectation], index_columns=columns)[0]
        if not judged.is_met and not judged.unexpected_rows:
            raise ExpectationError(f"check {check.check_id} names no rows; its expectation must be on a column")
        unexpected: dict[str, list[dict[str, Any]]] = {}
        for row in judged.unexpected_rows:
            unexpected.setdefault(str(row["entity"]), []).append(row)
        counted = self._session.execute(f"select entity, count(*) from {quote(table)} group by entity order by 1")
        return [self._entity_result(check, entity, count, unexpected.get(entity, [])) for entity, count in counted]

    def _entity_result(
        self, check: Check, entity: str, count: int, unexpected: Sequence[dict[str, Any]]
    ) -> CheckResult:
        shown = [_filled(check.wording.observed, row) for row in unexpected[:_SHOWN_ROWS]]
        if more := len(unexpected) - len(shown):
            shown.append(f"and {more} more")
        faults = sum(row[check.count_column] for row in unexpected) if check.count_column else len(unexpected)
        judged = Judgement(not unexpected, faults, (), ())
        judged_count = max(count, faults)
        observed = "; ".join(shown) if unexpected else f"{count} judged, all as expected"
        made = self._result(check, entity, judged, observed, check.wording.expected)
        return replace(made, judged_count=judged_count, expectation=json.dumps(check.expectation, default=str))

    def _query_of(self, check: Check) -> str:
        if not check.is_generated:
            return self._dated(check.evidence)
        if check.evidence == "natural_keys":
            return natural_keys_evidence(self._changed)
        if check.evidence == "row_counts":
            judged = self._tables - set(check.parameters.get("leaves_out", ()))
            return row_counts_evidence(sorted(judged), check.parameters.get("judged_as"))
        if check.evidence == "mart_keys":
            return mart_keys_evidence([one for one in check.parameters["keys"] if one["mart"] in self._tables])
        if check.evidence == "references":
            return references_evidence(self._changed, self._tables)
        if check.evidence == "row_rules":
            return row_rules_evidence(self._changed, self._released())
        if check.evidence == "batch_counts":
            return row_counts_of_batches_evidence(self._changed)
        raise ConfigurationError(f"expectations/{self._gate}.yml, check {check.check_id}: nothing generates "
                                 f"{check.evidence!r}.")  # fmt: skip

    def _released(self) -> set[str]:
        """The entities of which a person let rows through as they are."""
        found = self._session.execute("select distinct source || '.' || entity from control.released_row"
                                      " where is_anyway")  # fmt: skip
        return {entity for (entity,) in found}

    def _dated(self, query: str) -> str:
        """Dates as literals: only then does DuckDB skip the parts of a table that lie outside them."""
        if ":first_pending_month" in query:
            pending = self._session.execute(
                "select date_trunc('month', min(usage_on))::date from control.pending_date where shape = 'usage'"
            )[0][0]
            return query.replace(":first_pending_month", f"date '{pending}'" if pending else "null::date")
        if not any(name in query for name in (":first_new_on", ":last_new_on", ":last_daily_on")):
            return query
        first, last, daily = self._session.execute(
            "select min(business_on), max(business_on), coalesce(max(business_on) filter (is_daily), max(business_on))"
            " from new_batch left join expected_entity on expected_entity.entity = new_batch.entity"
        )[0]
        if first is None:
            return ""
        dates = {":first_new_on": first, ":last_new_on": last, ":last_daily_on": daily}
        for name, date in dates.items():
            query = query.replace(name, f"date '{date}'")
        return query

    def _result(self, check: Check, entity: str, judged: Judgement, observed: str, expected: str) -> CheckResult:
        source = self._catalogue.sources.get(entity.partition(".")[0])
        owner = (source.owner if source else "") or "市大数据局数据仓库运维"
        return CheckResult(
            gate=self._gate,
            check_id=check.check_id,
            entity=entity,
            severity=check.severity,
            is_passed=judged.is_met,
            observed=observed,
            expected=expected,
            owner=owner if check.owner == "source" else check.owner,
            title_zh=check.wording.title_zh,
            title_en=check.wording.title_en,
            remedy_zh=check.wording.remedy_zh,
            remedy_en=check.wording.remedy_en,
            unexpected_count=judged.unexpected_count,
        )


def _filled(template: str, row: dict[str, object]) -> str:
    return template.format_map({key: _shown(value) for key, value in row.items()})


def _shown(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return value.isoformat() if isinstance(value, dt.date) else value

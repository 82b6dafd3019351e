"""The nightly without a scheduler: ingest → admit → gate → models → gate → publish, one after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from oneledger.audit.anchors import Anchor, current_anchor
from oneledger.audit.seals import present_anchor, seal_rules
from oneledger.audit.signing import signing_key
from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.disk_space import is_disk_full, problem_and_remedy, says_disk_full
from oneledger.findings import state_changes
from oneledger.lineage.openlineage.nightly_events import NightlyTale
from oneledger.outcomes import Outcome, new_run_id, read_outcomes, record_outcome
from oneledger.pipeline.expected_seconds import expected_seconds
from oneledger.pipeline.ingest import active_sources
from oneledger.pipeline.steps import STEPS, StepName, Steps, steps_from
from oneledger.pipeline.verdict import RunVerdict, newest_tries, verdict_of, what_is_missing
from oneledger.publishing.publish import PublishRefusedError, recover
from oneledger.publishing.published_state import is_all_published
from oneledger.publishing.versions import PublishedVersion, current_version
from oneledger.quality.checks import CheckResult, GateReport
from oneledger.quality.session import ExpectationError
from oneledger.runbooks import code_of_check, code_of_outcome, page_of
from oneledger.settings import ConfigurationError, Settings
from oneledger.sources.connections import is_configured
from oneledger.warehouse.lock import writer_lock


@dataclass(frozen=True)
class Progress:
    """One line of live progress: where the run is, what it says, seconds since the step began, what comes next.

    Attributes:
        step_seconds_left: seconds left of the step, as long as it took the last time; None while nobody knows.
        run_seconds_left: seconds left of the whole run.
    """

    step: StepName
    message: str
    seconds: float
    next_step: StepName | None
    is_end_of_step: bool = False
    step_seconds_left: float | None = None
    run_seconds_left: float | None = None


Show = Callable[[Progress], None]
_LINE = 200
_TICK_SECONDS = 5.0


@dataclass
class RunReport:
    """What a run did.

    Attributes:
        verdict: computed from the run's outcome records.
        steps: name, seconds and message of each step that ran.
        missing: one sentence for each source or entity that could not be read or admitted.
        failed_checks: checks that did not pass, what blocks first.
        counts: rows received, accepted, quarantined and superseded by admission.
        published: the version that readers see now.
        findings_changed: findings of the audit whose state the new version changed (``findings.state_changes``).
        anchor: the head of the ledger of seals when the run had ended, for outsiders to keep.
        problem: why the run ended before publishing, and what to do.
        failure: the code of that (``oneledger.runbooks``).
        runbooks: the pages about everything that was not as it should be, what stopped the run first.
        lineage_problem: why the end of the run could not be told as a lineage event; the data are not concerned.
    """

    run_id: str
    verdict: RunVerdict = "not_published"
    steps: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed_checks: list[CheckResult] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    published: PublishedVersion | None = None
    findings_changed: list[dict[str, Any]] = field(default_factory=list)
    anchor: Anchor | None = None
    problem: str = ""
    remedy: str = ""
    failure: str = ""
    runbooks: list[str] = field(default_factory=list)
    lineage_problem: str = ""

    @property
    def is_published(self) -> bool:
        return self.verdict != "not_published"


class _StopError(Exception):
    """The run ends here; the published version stays."""

    def __init__(self, problem: str, remedy: str, failure: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.failure = failure


def run(
    settings: Settings,
    sources: Sequence[str] | None = None,
    as_of: dt.date | None = None,
    from_step: str | None = None,
    progress: Show = lambda _: None,
    run_id: str | None = None,
) -> RunReport:
    """Carry what is new from the sources to a published version.

    One source that fails does not stop the others: the run goes on with what is there and says what is
    missing. A closed gate, or models that cannot be built, end the run; readers keep the version from before.

    Args:
        settings: where everything lies.
        sources: only these; default all that take part (optional ones only when connected).
        as_of: business date of deliveries that carry none.
        from_step: leave out the steps before this one (``admit`` on landed data, for instance).
        progress: called with live progress.
        run_id: of a run that holds the writer's lock already; default a new one.

    Raises:
        WriterBusyError: another process writes the warehouse; nothing was fetched and nothing recorded.
        ConfigurationError: the catalogue, the arguments or the signing key are wrong, or no source is connected.
    """
    if as_of is not None:
        settings = dataclasses.replace(settings, as_of=as_of)
    catalogue = load_catalogue(settings)
    chosen = [catalogue.source(name).id for name in sources] if sources else [s.id for s in active_sources(catalogue)]
    todo = steps_from(from_step)
    if "ingest" in todo and not any(is_configured(catalogue.source(name).connection) for name in chosen):
        raise ConfigurationError(
            f"None of the sources {', '.join(chosen)} is connected. Set their AIRFLOW_CONN_… variables; for the "
            "synthetic city: `oneledger city build`, `oneledger city serve &`, then "
            "`set -a; . var/city/connections.env; set +a`."
        )
    signing_key()
    run_id = run_id or new_run_id()
    # One lock from the first question to a source to the publication: a second run is refused before it does anything,
    # and nobody writes between the gates and the publishing.
    try:
        with writer_lock(settings, run_id=run_id, step="nightly"):
            return _run_held(settings, catalogue, chosen, todo, run_id, bool(sources), progress)
    except Exception as error:
        if not is_disk_full(error):
            raise
        # Not even that the run failed can be recorded then.
        problem, remedy = problem_and_remedy(settings)
        report = RunReport(run_id, problem=problem, remedy=remedy, published=current_version(settings))
        report.failure = "situation:disk_full"
        report.runbooks = _runbooks(report, [])
        return report


def _run_held(
    settings: Settings,
    catalogue: Catalogue,
    chosen: list[str],
    todo: Sequence[StepName],
    run_id: str,
    is_chosen: bool,
    progress: Show,
) -> RunReport:
    report = RunReport(run_id)
    nightly = _Nightly(Steps(settings, catalogue, run_id, chosen if is_chosen else None), chosen, progress, report)
    tale = NightlyTale(settings, run_id)
    try:
        with tale.told():
            nightly.carry_out(todo)
    except _StopError as stop:
        report.problem, report.remedy, report.failure = stop.problem, stop.remedy, stop.failure
        if says_disk_full(stop.problem):
            report.problem, report.remedy = problem_and_remedy(settings)
            report.failure = "situation:disk_full"
    except (PublishRefusedError, ExpectationError) as error:
        report.problem, report.remedy = str(error), "oneledger status"
        report.failure = f"refusal:{type(error).__name__}"
    report.lineage_problem = tale.end(report.problem).problem
    records = list(read_outcomes(settings.outcomes_dir, run_id))
    report.missing = what_is_missing(records)
    report.counts = _counts(records)
    report.verdict = "not_published" if report.problem else verdict_of(records)
    report.runbooks = _runbooks(report, records)
    report.published = current_version(settings)
    if report.published is not None and report.published.manifest.get("run_id") == run_id:
        report.findings_changed = state_changes(settings, report.published)
    report.anchor = current_anchor(settings)
    return report


class _Nightly:
    """The state of one run while it goes on."""

    def __init__(self, steps: Steps, sources: Sequence[str], progress: Show, report: RunReport) -> None:
        self._steps = dataclasses.replace(steps, say=self._say)
        self._sources = sources
        self._progress = progress
        self._report = report
        self._step: StepName = "ingest"
        self._begun = time.monotonic()
        self._warming: threading.Thread | None = None
        self._expected = expected_seconds(steps.settings)
        self._rows: int | None = None
        self._said = ""

    def carry_out(self, todo: Sequence[StepName]) -> None:
        """Run the steps in order; raises ``_StopError`` where the run must end. The caller holds the writer's lock."""
        settings = self._steps.settings
        if "ingest" in todo:
            self._do("ingest", self._ingest)
        if todo[-1] == "ingest":
            return
        recover(settings)
        if "admit" in todo:
            self._do("admit", self._admit)
        if is_all_published(settings):
            self._nothing_new()
            return
        for step in (step for step in STEPS if step in todo and step not in ("ingest", "admit")):
            self._do(step, getattr(self, f"_{step}"))

    def _do(self, step: StepName, work: Callable[[], str]) -> None:
        self._step = step
        self._begun = time.monotonic()
        self._say("…")
        try:
            with self._ticking():
                message = work()
        except _StopError as stop:
            # The whole of it stands in the report; here it is one line of progress.
            self._end(stop.problem[:_LINE])
            raise
        self._end(message)

    def _end(self, message: str) -> None:
        seconds = time.monotonic() - self._begun
        self._report.steps.append({"step": self._step, "seconds": round(seconds, 2), "message": message})
        self._progress(Progress(self._step, message, seconds, self._next(), is_end_of_step=True))

    def _say(self, message: str) -> None:
        self._said = message
        seconds = time.monotonic() - self._begun
        step_left, run_left = self._left(seconds)
        self._progress(
            Progress(self._step, message, seconds, self._next(), step_seconds_left=step_left, run_seconds_left=run_left)
        )

    def _left(self, seconds: float) -> tuple[float | None, float | None]:
        """Seconds left of the step and of the run, going by the last run; none when the step takes longer than then."""
        expected = self._expected.of(self._step, self._rows)
        if expected is None or seconds > expected:
            return None, None
        following = self._expected.after(self._step, self._rows)
        return expected - seconds, None if following is None else expected - seconds + following

    @contextlib.contextmanager
    def _ticking(self) -> Iterator[None]:
        """Say every few seconds again what was said last: one statement may take minutes, and the time goes on."""
        is_over = threading.Event()

        def tick() -> None:
            while not is_over.wait(_TICK_SECONDS):
                self._say(self._said)

        ticking = threading.Thread(target=tick, daemon=True)
        ticking.start()
        try:
            yield
        finally:
            is_over.set()
            ticking.join()

    def _next(self) -> StepName | None:
        position = STEPS.index(self._step) + 1
        return STEPS[position] if position < len(STEPS) else None

    def _ingest(self) -> str:
        landed = rows = failed = 0
        for source in self._sources:
            outcomes = self._steps.ingest(source)
            fresh = [one for one in outcomes if one.step == "load_raw" and one.verdict in ("good", "warning")]
            landed += len(fresh)
            rows += sum(one.received_count or 0 for one in fresh)
            failed += sum(one.verdict == "failed" for one in outcomes)
            if fresh:
                self._warm_up()
        self._rows = rows
        return f"{landed} batches, {rows:,} rows" + (f"; {failed} deliveries failed" if failed else "")

    def _admit(self) -> str:
        outcomes = self._steps.admit()
        counts = _counts([outcome.to_json() for outcome in outcomes])
        failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
        words = ", ".join(f"{value:,} {name}" for name, value in counts.items())
        return words + (f"; {len(failed)} entities failed" if failed else "")

    def _gate_sources(self) -> str:
        return self._gate(self._steps.gate_sources())

    def _gate_marts(self) -> str:
        return self._gate(self._steps.gate_marts())

    def _gate(self, gate: GateReport) -> str:
        self._report.failed_checks += gate.failed
        blocking = [result for result in gate.failed if result.blocks]
        if blocking:
            first = blocking[0]
            raise _StopError(
                f"闸门 gate {gate.gate} closed: {len(blocking)} of {len(gate.results)} checks failed, first "
                f"{first.title_zh} {first.title_en} ({first.entity}): {first.observed}",
                f"{first.owner}: {first.remedy_zh} {first.remedy_en}",
                code_of_check(first.check_id),
            )
        warnings = f", {len(gate.failed)} warnings" if gate.failed else ""
        return f"open, {len(gate.results)} checks{warnings}"

    def _build_models(self) -> str:
        outcome = self._steps.build_models()
        if outcome.verdict == "failed":
            raise _StopError(outcome.message, outcome.remedy, code_of_outcome(outcome.to_json()))
        return outcome.message

    def _publish(self) -> str:
        version = self._steps.publish()
        state = "unchanged" if version.is_unchanged else "published"
        return f"{state} {version.version}, content hash {version.content_hash[:16]}"

    def _nothing_new(self) -> None:
        """Nothing was admitted since the published version: say so in the records and leave it in place."""
        version = current_version(self._steps.settings)
        if version is None:
            raise RuntimeError("nothing is published, so there is something to do")
        seal_rules(self._steps.settings, version)
        for step in ("gate_sources", "build_models", "gate_marts"):
            self._record(step, "skipped", "nothing was admitted since the published version", version)
        self._record("publish", "unchanged", f"nothing differs from version {version.version}", version)
        self._step, self._begun = "publish", time.monotonic()
        self._end(f"unchanged {version.version}, content hash {version.content_hash[:16]}")

    def _record(self, step: str, verdict: Any, message: str, version: PublishedVersion) -> None:
        outcome = Outcome(run_id=self._steps.run_id, step=step, verdict=verdict, message=message)
        outcome.business_on = version.as_of_on
        if step == "publish":
            anchor = present_anchor(self._steps.settings)
            outcome.detail = {"version": version.version, "content_hash": version.content_hash, "anchor": anchor}
        record_outcome(outcome, self._steps.settings.outcomes_dir)

    def _warm_up(self) -> None:
        """Import Great Expectations and dbt while sources answer and admission works inside DuckDB: it takes seconds
        and needs no data."""
        if self._warming is None:
            self._warming = threading.Thread(target=_import_checks_and_models, daemon=True)
            self._warming.start()


def _import_checks_and_models() -> None:
    from oneledger.quality.session import warm_up as import_checks
    from oneledger.warehouse.models import warm_up as import_models

    import_checks()
    import_models()


def _runbooks(report: RunReport, records: Sequence[dict[str, Any]]) -> list[str]:
    codes = [report.failure] if report.failure else []
    codes += [code_of_check(one.check_id) for one in report.failed_checks]
    codes += [code_of_outcome(one) for one in newest_tries(records) if one["verdict"] == "failed"]
    return list(dict.fromkeys(page_of(code) for code in codes))


def _counts(records: Sequence[dict[str, Any]]) -> dict[str, int]:
    names = ("received", "accepted", "quarantined", "superseded")
    admitted = [record for record in records if record["step"] == "admit"]
    return {name: sum(record[f"{name}_count"] or 0 for record in admitted) for name in names}

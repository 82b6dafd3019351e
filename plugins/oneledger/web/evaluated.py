"""The evaluation that pages speak of: the confirmed run in force, else a draft, else what the version itself computed.

A run never changes after it was made, so its tables stay open in memory; what was decided about it is read anew.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from oneledger.evaluation.runs import evaluation_runs, last_confirmed, preferred_run
from oneledger.evaluation.tables import Evaluated, open_live, open_run
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

# Of each app: its stars and score in the run, and what the run proposes for it; none for an app out of scope.
_STANDINGS = """
    select
        population.app_id,
        population.is_in_scope,
        app_stars.stars,
        app_stars.score,
        app_stars.status as stars_status,
        proposed.disposition
    from population
    left join app_stars using (app_id)
    left join (select * from disposition where subject_kind = 'app') as proposed using (app_id)
"""


@dataclasses.dataclass(frozen=True)
class Standing:
    """Which evaluation it is.

    Attributes:
        run_id: None for what the version computed by itself.
        state: confirmed, draft, or live.
        round: the round's row, with titles and dates.
    """

    run_id: str | None
    state: str
    period: str
    round: dict[str, Any]
    rule_version: str

    @property
    def is_confirmed(self) -> bool:
        return self.state == "confirmed"


class OpenEvaluation:
    """The tables of one run (or of a version's own evaluation), held open and shared by requests."""

    def __init__(self, settings: Settings, run: EvaluationRun | None, version: str) -> None:
        self._stack = ExitStack()
        opened = open_run(settings, run) if run else open_live(settings, version)
        self._evaluated = self._stack.enter_context(opened)
        self._lock = threading.Lock()
        self._standings: pa.Table | None = None

    @contextmanager
    def reading(self) -> Iterator[Evaluated]:
        """The tables, with a cursor of one's own."""
        cursor = self._evaluated.connection.cursor()
        try:
            yield dataclasses.replace(self._evaluated, connection=cursor)
        finally:
            cursor.close()

    @property
    def about(self) -> dict[str, Any]:
        return self._evaluated.about

    @property
    def round(self) -> dict[str, Any]:
        return dict(self._evaluated.round)

    def standings(self) -> pa.Table:
        """app_id, is_in_scope, stars, score, stars_status, disposition: to join with what a version says."""
        with self._lock:
            if self._standings is None:
                with self.reading() as evaluated:
                    self._standings = evaluated.connection.execute(_STANDINGS).to_arrow_table()
            return self._standings


def confirmed_or_draft(settings: Settings) -> EvaluationRun | None:
    """The confirmed run in force of the newest confirmed round; else the newest draft; None when there is neither."""
    return last_confirmed(settings) or preferred_run(settings)


def confirmed_before(settings: Settings, run: EvaluationRun) -> EvaluationRun | None:
    """What was confirmed before this run: the run of an earlier round that is in force, else the one it superseded."""
    ends = [
        one
        for one in evaluation_runs(settings)
        if one.state == "confirmed" and one.record["round"]["period_end_on"] < run.record["round"]["period_end_on"]
    ]
    if ends:
        return max(ends, key=lambda one: (one.record["round"]["period_end_on"], one.record["created_at"]))
    superseded = run.decision.get("supersedes")
    return next((one for one in evaluation_runs(settings) if one.run_id == superseded), None)


def evaluation_for(settings: Settings, version: str) -> OpenEvaluation | None:
    """The evaluation that pages over this version speak of; None when nothing was ever evaluated."""
    run = confirmed_or_draft(settings)
    if run is not None:
        return open_run_of(settings, run)
    try:
        return _open(settings, None, version)
    except ConfigurationError:
        return None


def open_run_of(settings: Settings, run: EvaluationRun) -> OpenEvaluation:
    """The tables of one run."""
    return _open(settings, run.path, "")


def standing_of(settings: Settings, evaluation: OpenEvaluation) -> Standing:
    """Which evaluation it is, with the state that it has now."""
    about = evaluation.about
    now = {run.run_id: run.state for run in evaluation_runs(settings)} if about["run_id"] else {}
    return Standing(
        run_id=about["run_id"],
        state=now.get(about["run_id"] or "", about["state"]),
        period=about["period"],
        round=evaluation.round,
        rule_version=about["rule_version"],
    )


@functools.lru_cache(maxsize=6)
def _open(settings: Settings, run_path: Path | None, version: str) -> OpenEvaluation:
    run = None
    if run_path is not None:
        run = next(one for one in evaluation_runs(settings) if one.path == run_path)
    return OpenEvaluation(settings, run, version)

"""What the corrected data do to evaluations: drafts on the trial's version, beside the runs that somebody confirmed."""

from __future__ import annotations

from typing import Any

import duckdb

from oneledger.corrections.comparing import changed_stars
from oneledger.evaluation.drafting import make_draft
from oneledger.evaluation.runs import evaluation_runs
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

Row = dict[str, Any]
Stars = dict[tuple[str, str], Any]
_COLUMNS = "select run_id, app_id, stars, status, score"


def draft_on(
    trial: Settings, old: PublishedVersion, new: PublishedVersion, changed_tables: list[str]
) -> tuple[list[Row], list[Row]]:
    """Evaluate the trial's version as drafts, and say which confirmed runs would come out otherwise.

    Args:
        trial: the home of the trial, with both versions and the decided runs in it.
        changed_tables: tables that differ between the versions; without one of the evaluation nothing is evaluated.

    Returns:
        Drafts, one a period of the version: ``{period, round_id, gate_is_open, before, after, stars}`` (``before`` and
        ``after``: apps by stars; ``stars``: the apps whose stars change, against the version before), or ``{period,
        problem, stars}``. Confirmed runs: ``{run_id, period, confirmed_by, apps_that_would_differ, stars}``; a
        confirmed run itself is never changed.
    """
    if not any(name.startswith("evaluation.") for name in changed_tables):
        return [], []
    confirmed = [run for run in evaluation_runs(trial) if run.state == "confirmed"]
    drafts: list[Row] = []
    differing: list[Row] = []
    for period in _periods(trial, new):
        try:
            draft = make_draft(trial, period=period, version=new.version, made_by="backfill plan")
        except ConfigurationError as error:
            drafts.append({"period": period, "problem": str(error), "stars": []})
            continue
        after = _stars_of(draft)
        before = _published_stars(trial, old, draft.round_id)
        drafts.append(
            {
                "period": period,
                "round_id": draft.round_id,
                "gate_is_open": draft.record["gate"]["is_open"],
                "before": _distribution(before),
                "after": _distribution(after),
                "stars": changed_stars(before, after),
            }
        )
        for run in confirmed:
            if run.round_id == draft.round_id and (stars := changed_stars(_stars_of(run), after)):
                differing.append(
                    {
                        "run_id": run.run_id,
                        "period": run.period,
                        "confirmed_by": run.decision["name"],
                        "apps_that_would_differ": len(stars),
                        "stars": stars,
                    }
                )
    return drafts, differing


def _periods(settings: Settings, version: PublishedVersion) -> list[str]:
    with open_version(settings, version) as connection:
        rows = connection.execute("select distinct period from evaluation.app_stars order by 1").fetchall()
    return [period for (period,) in rows]


def _published_stars(settings: Settings, version: PublishedVersion, round_id: str) -> Stars:
    with open_version(settings, version) as connection:
        rows = connection.execute(f"{_COLUMNS} from evaluation.app_stars where run_id = ?", [round_id]).fetchall()
    return {row[:2]: row[2:] for row in rows}


def _stars_of(run: EvaluationRun) -> Stars:
    with duckdb.connect() as connection:
        path = str(run.result_path("app_stars")).replace("'", "''")
        rows = connection.execute(f"{_COLUMNS} from read_parquet('{path}')").fetchall()
    return {row[:2]: row[2:] for row in rows}


def _distribution(stars: Stars) -> dict[str, int]:
    counts: dict[str, int] = {}
    for band, status, _ in stars.values():
        name = "withheld" if status == "withheld" else str(band or "none")
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), reverse=True))

"""What the corrected data do to evaluations: drafts on the trial's version, beside the runs that somebody confirmed."""

from __future__ import annotations

from typing import Any

import duckdb

from oneledger.corrections.comparing import changed_stars
from oneledger.evaluation.drafting import make_draft
from oneledger.evaluation.runs import evaluation_runs
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

Row = dict[str, Any]


def draft_on(
    trial: Settings, old: PublishedVersion, new: PublishedVersion, changed_tables: list[str]
) -> tuple[list[Row], list[Row]]:
    """Evaluate the trial's version as drafts, and say which confirmed runs would come out otherwise.

    Args:
        trial: the home of the trial, with both versions and the decided runs in it.
        changed_tables: tables that differ between the versions; without one of the evaluation nothing is evaluated.

    Returns:
        Drafts: ``{period, round_id, gate_is_open, distribution, before, stars}`` (``stars`` as ``compare_versions``
        gives them, against a draft on the version before). Confirmed runs: ``{run_id, period, confirmed_by,
        apps_that_would_differ, stars}``; a confirmed run itself is never changed.
    """
    if not any(name.startswith("evaluation.") for name in changed_tables):
        return [], []
    confirmed = [run for run in evaluation_runs(trial) if run.state == "confirmed"]
    drafts, differing = [], []
    for period in sorted({run.period for run in confirmed} | {None}, key=str):  # type: ignore[arg-type]
        try:
            before = make_draft(trial, period=period, version=old.version, made_by="backfill plan")
            after = make_draft(trial, period=period, version=new.version, made_by="backfill plan")
        except ConfigurationError as error:
            if period is not None:
                drafts.append({"period": period, "problem": str(error), "stars": []})
            continue
        if any(one["round_id"] == after.round_id for one in drafts if "round_id" in one):
            continue
        drafts.append(_draft(before, after))
        for run in confirmed:
            stars = changed_stars(_stars_of(run), _stars_of(after)) if run.round_id == after.round_id else []
            if stars:
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


def _draft(before: EvaluationRun, after: EvaluationRun) -> Row:
    return {
        "period": after.period,
        "round_id": after.round_id,
        "gate_is_open": after.record["gate"]["is_open"],
        "before": before.record["distribution"],
        "distribution": after.record["distribution"],
        "stars": changed_stars(_stars_of(before), _stars_of(after)),
    }


def _stars_of(run: EvaluationRun) -> dict[tuple[str, str], Any]:
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select run_id, app_id, stars, status, score from read_parquet('{run.result_path('app_stars')}')"
        ).fetchall()
    return {row[:2]: row[2:] for row in rows}

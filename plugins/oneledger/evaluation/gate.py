"""The gate of an evaluation: what was computed is checked before it becomes a draft that may be confirmed.

The checks stand in ``expectations/evaluation.yml`` and are held by Great Expectations like those of the other
gates, on a DuckDB file of their own: schema ``evaluation`` holds the results, ``previous`` those of the last
confirmed run, when there is one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import uuid
from typing import Any

from oneledger.catalogue import load_catalogue
from oneledger.evaluation.engine import Engine
from oneledger.publishing.content import quote
from oneledger.quality.checks import GateReport, load_checks
from oneledger.quality.gates import Judge
from oneledger.quality.session import open_session
from oneledger.quality.tolerated import apply_tolerations, load_tolerations
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

_ATTACHED = "judged"


def run_evaluation_gate(
    settings: Settings, engine: Engine, round_id: str, previous: EvaluationRun | None
) -> dict[str, Any]:
    """Check the results of one round that the engine has computed.

    Returns:
        ``is_open``, ``checks_count`` and ``results``: one item a check and judged thing, as run.json keeps them.

    Raises:
        ExpectationError: a check cannot be evaluated; that is a fault of the check.
    """
    scratch = dataclasses.replace(settings, home=settings.scratch_dir / f"gate-{uuid.uuid4().hex[:8]}")
    try:
        _lay_out(engine, scratch, round_id, previous)
        folder = settings.project_root / "expectations"
        checks = load_checks(folder, "evaluation")
        with open_session(scratch) as session:
            results = Judge("evaluation", session, load_catalogue(settings), ()).results(checks)
        as_of = dt.date.fromisoformat(str(engine.basis.as_of_on))
        judged = apply_tolerations(results, load_tolerations(folder / "tolerated.yml"), as_of)
        report = GateReport("evaluation", round_id, as_of, tuple(judged))
    finally:
        shutil.rmtree(scratch.home, ignore_errors=True)
    return {
        "is_open": report.is_open,
        "checks_count": len(report.results),
        "results": [
            {
                "check_id": one.check_id, "entity": one.entity, "severity": one.severity, "is_passed": one.is_passed,
                "blocks": one.blocks, "observed": one.observed, "expected": one.expected, "owner": one.owner,
                "title_zh": one.title_zh, "title_en": one.title_en, "remedy_zh": one.remedy_zh,
                "remedy_en": one.remedy_en, "tolerated": one.tolerated,
            }
            for one in (*report.failed, *(result for result in report.results if result.is_passed))
        ],
    }  # fmt: skip


def _lay_out(engine: Engine, scratch: Settings, round_id: str, previous: EvaluationRun | None) -> None:
    scratch.warehouse_path.parent.mkdir(parents=True)
    execute = engine.connection.execute
    execute(f"attach '{str(scratch.warehouse_path).replace(chr(39), chr(39) * 2)}' as {_ATTACHED}")
    try:
        execute(f"create schema {_ATTACHED}.evaluation")
        for relation in engine.basis.relations:
            schema, _, name = relation.partition(".")
            has_round = "run_id" in engine.basis.columns_of(relation)
            execute(
                f"create table {_ATTACHED}.{schema}.{quote(name)} as from {schema}.{quote(name)}"
                + (" where run_id = ?" if has_round else ""),
                [round_id] if has_round else [],
            )
        if previous is not None:
            execute(f"create schema {_ATTACHED}.previous")
            for path in sorted((previous.path / "results").glob("*.parquet")):
                execute(
                    f"create table {_ATTACHED}.previous.{quote(path.stem)} as"
                    f" from read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
                )
    finally:
        execute(f"detach {_ATTACHED}")

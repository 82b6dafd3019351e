"""Make a draft: choose data, rules and round, compute, put it through the gate, freeze it in a folder."""

from __future__ import annotations

import datetime as dt
import getpass
import importlib.metadata
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from oneledger.evaluation.engine import Engine, EngineError, open_engine
from oneledger.evaluation.gate import run_evaluation_gate
from oneledger.evaluation.rounds import rules_for_round
from oneledger.evaluation.rule_problems import RuleProblem
from oneledger.evaluation.rule_tables import RuleRow, RuleSet
from oneledger.evaluation.rules import check, load_frozen, overlay, rules_hash, write
from oneledger.evaluation.runs import last_confirmed, results_hash, write_record
from oneledger.outcomes import utc_now
from oneledger.publishing.build import sync
from oneledger.publishing.evaluation_basis import MACROS_DIR, MODELS_FILE, RULES_DIR
from oneledger.publishing.facts import file_sha256, hashes_of
from oneledger.publishing.versions import BATCHES_FILE, NOT_YET_CURRENT, PublishedVersion, resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import RESULTS_DIR, RUN_FILE, EvaluationRun

Progress = Callable[[str], None]
BANDS = ("5", "4", "3", "none", "withheld")
_PARTIAL = ".partial-"
_TOLD_PROBLEMS = 5


def make_draft(
    settings: Settings,
    *,
    period: str | None = None,
    version: str = "current",
    rules_path: Path | None = None,
    made_by: str | None = None,
    progress: Progress = lambda _: None,
) -> EvaluationRun:
    """Evaluate a period on a published version and keep the result as a run.

    Args:
        period: ``2022-Q3``; None means the newest round whose data are in.
        version: current, or the start of a version's name.
        rules_path: rules that differ from the published ones: a YAML draft, or a folder of CSV files.
        made_by: who asks; default the user of this process.

    Returns:
        The run: a draft when the evaluation's gate is open, else ``stopped`` with the checks that failed.

    Raises:
        ConfigurationError: the period, version or rules cannot be evaluated; it says what to do.
    """
    published = resolve(settings, version)
    _must_have_passed(published)
    with open_engine(settings, published) as engine:
        rules, chosen = choose_rules(engine, period, rules_path)
        progress(f"{chosen['period']}: evaluating version {published.version}")
        engine.load_rules(rules)
        try:
            engine.run()
        except EngineError as error:
            raise ConfigurationError(str(error)) from error
        progress("the gate of the evaluation")
        before = last_confirmed(settings, up_to=chosen["period_end_on"])
        gate = run_evaluation_gate(settings, engine, chosen["round_id"], before)
        record = {
            **_about(engine, rules, chosen, made_by),
            # A rule that marts were built with too reaches them with the next build: until then they are as published.
            "marts_as_published": engine.basis.as_published(load_frozen(engine.basis.folder / RULES_DIR), rules),
            "gate": gate,
            "compared_with": before.run_id if before else None,
        }
        return _freeze(settings, engine, rules, record)


def choose_rules(engine: Engine, period: str | None, rules_path: Path | None = None) -> tuple[RuleSet, RuleRow]:
    """The rules of a round on a version: the version's own, or changed by a draft.

    Raises:
        ConfigurationError: the period is unknown or incomplete, or the validator refuses the rules.
    """
    rules = load_frozen(engine.basis.folder / RULES_DIR)
    if rules_path is not None:
        rules = overlay(rules, rules_path)
        refuse_wrong(rules)
    as_of_on = engine.basis.as_of_on
    if as_of_on is None:
        raise ConfigurationError(f"Version {engine.version.version} does not say up to which day its data go.")
    return rules_for_round(rules, period, dt.date.fromisoformat(as_of_on))


def refuse_wrong(rules: RuleSet) -> None:
    """Raise what the validator finds.

    Raises:
        ConfigurationError: the rules contradict themselves.
    """
    if problems := check(rules):
        raise ConfigurationError(f"The rules are refused. {told(problems)}")


def told(problems: list[RuleProblem]) -> str:
    """The first problems, each with its place, what is expected and the remedy."""
    more = f" And {len(problems) - _TOLD_PROBLEMS} more." if len(problems) > _TOLD_PROBLEMS else ""
    return " ".join(one.message for one in problems[:_TOLD_PROBLEMS]) + more


def of_round(engine: Engine, relation: str, round_id: str) -> str:
    """The condition that picks the rows of one round; ``true`` for tables that know no round."""
    if "run_id" not in engine.basis.columns_of(relation):
        return "true"
    return f"run_id = '{round_id.replace(chr(39), chr(39) * 2)}'"


def distribution(engine: Engine, round_id: str) -> dict[str, int]:
    """Apps by stars (``5``, ``4``, ``3``, ``none``) and ``withheld``."""
    rows = engine.connection.execute(
        "select case when status = 'withheld' then 'withheld' else coalesce(stars::varchar, 'none') end, count(*)"
        " from evaluation.app_stars where run_id = ? group by 1",
        [round_id],
    ).fetchall()
    return {band: dict(rows).get(band, 0) for band in BANDS}


def _must_have_passed(version: PublishedVersion) -> None:
    gates = version.manifest.get("gates") or {}
    shut = [name for name in ("sources", "marts") if not gates.get(name, {}).get("is_open")]
    if shut or (version.path / NOT_YET_CURRENT).exists():
        raise ConfigurationError(
            f"Version {version.version} cannot be evaluated: it does not say that gate {' and '.join(shut) or 'marts'} "
            "passed. Publish a version with `oneledger run`, and see `oneledger checks --failed` for what is wrong."
        )


def _about(engine: Engine, rules: RuleSet, chosen: RuleRow, made_by: str | None) -> dict[str, Any]:
    round_id = chosen["round_id"]
    now = utc_now()
    scope = engine.connection.execute(
        "select scope_reason, count(*) from evaluation.population where run_id = ? group by 1 order by 1", [round_id]
    ).fetchall()
    versions = engine.connection.execute(
        "select string_agg(distinct rule_version, ', ' order by rule_version) from evaluation.app_stars"
        " where run_id = ?",
        [round_id],
    ).fetchall()[0][0]
    return {
        "run_id": f"{chosen['period']}-{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}",
        "round_id": round_id,
        "period": chosen["period"],
        "round": chosen.cells,
        "version": engine.version.version,
        "version_content_hash": engine.version.content_hash,
        "as_of_on": engine.basis.as_of_on,
        "rule_version": versions or chosen["rule_version"],
        "rules_hash": rules_hash(rules),
        "models_hash": engine.version.manifest["models_hash"],
        "evaluation_sql_hash": file_sha256(engine.basis.folder / MODELS_FILE),
        "code_version": importlib.metadata.version("oneledger"),
        "duckdb_version": duckdb.__version__,
        "created_at": now.isoformat(timespec="milliseconds").removesuffix("+00:00"),
        "created_by": made_by or getpass.getuser(),
        "population": {
            "in_scope": dict(scope).get("in_scope", 0),
            "left_out": {reason: count for reason, count in scope if reason != "in_scope"},
        },
        "distribution": distribution(engine, round_id),
        "confirmed_before": confirmed_in(engine),
    }


def confirmed_in(engine: Engine) -> list[str]:
    """The runs that somebody had confirmed when the version was built: their money went into it."""
    known = engine.connection.execute(
        "select 1 from duckdb_tables() where database_name = 'published' and schema_name = 'evaluation'"
        " and table_name = 'evaluation_run'"
    ).fetchone()
    if known is None:
        return []
    rows = engine.connection.execute(
        "select run_id from published.evaluation.evaluation_run where state in ('confirmed', 'superseded') order by 1"
    ).fetchall()
    return [run_id for (run_id,) in rows]


def _freeze(settings: Settings, engine: Engine, rules: RuleSet, record: dict[str, Any]) -> EvaluationRun:
    """Write the run's folder under a partial name and give it its name at the end."""
    partial = settings.evaluations_dir / f"{_PARTIAL}{record['run_id']}"
    (partial / RESULTS_DIR).mkdir(parents=True)
    results = []
    for relation in engine.basis.relations:
        where = of_round(engine, relation, record["round_id"])
        name = relation.partition(".")[2]
        path = partial / RESULTS_DIR / f"{name}.parquet"
        engine.write(relation, path, where)
        content = engine.content(relation, where)
        results.append(
            {
                "table": relation,
                "rows_count": content.rows_count,
                "content_hash": content.content_hash,
                "file": f"{RESULTS_DIR}/{name}.parquet",
                "sha256": file_sha256(path),
            }
        )
    write(rules, partial / RULES_DIR)
    # A run can be explained and replayed by itself, whatever becomes of the version's folder.
    shutil.copyfile(engine.version.path / BATCHES_FILE, partial / BATCHES_FILE)
    shutil.copyfile(engine.basis.folder / MODELS_FILE, partial / MODELS_FILE)
    files = {
        **hashes_of(partial, RESULTS_DIR),
        **hashes_of(partial, RULES_DIR),
        **hashes_of(partial, MACROS_DIR),
        BATCHES_FILE: file_sha256(partial / BATCHES_FILE),
        MODELS_FILE: file_sha256(partial / MODELS_FILE),
    }
    record = {**record, "content_hash": results_hash(results), "results": results, "files": files}
    record = write_record(partial / RUN_FILE, record)
    for path in (*partial.rglob("*"), partial):
        sync(path)
    folder = settings.evaluations_dir / record["run_id"]
    partial.rename(folder)
    sync(settings.evaluations_dir)
    return EvaluationRun(folder, record, {}, "draft" if record["gate"]["is_open"] else "stopped")

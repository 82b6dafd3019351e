"""Who would gain or lose under draft rules: computed in memory on a published version; nothing is written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from oneledger.evaluation.drafting import choose_rules, distribution, told
from oneledger.evaluation.drafts import Draft
from oneledger.evaluation.engine import Engine, EngineError, open_engine, published_rules
from oneledger.evaluation.rule_problems import RuleProblem
from oneledger.evaluation.rule_tables import ROUNDS, RuleSet
from oneledger.evaluation.rules import check, read_drafts, rescale, rules_hash
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings

# Apps that keep their stars are many when a weight changes: so many with the biggest change are told.
_SHOWN_SCORES = 50


def simulate(
    settings: Settings,
    rules_path: Path,
    *,
    period: str | None = None,
    version: str = "current",
    is_rescaled: bool = False,
) -> dict[str, Any]:
    """Evaluate a period with the published rules and with one or many drafts.

    Args:
        rules_path: a YAML draft, a YAML list of drafts with names, or a folder of CSV files.
        period: ``2022-Q3``; None means the newest round whose data are in.
        version: current, or the start of a version's name.
        is_rescaled: bring weights that no longer add to 100 back to it, in proportion, instead of refusing the draft.

    Returns:
        ``version``, ``period``, ``base`` (distribution), ``seconds`` and ``items``: one a draft with its distribution,
        how many apps rise, fall or change their score, and ``apps`` (all whose stars or status change, and the
        biggest changes of score); a refused draft has ``problem``, ``remedy`` and ``problems`` instead.

    Raises:
        ConfigurationError: the file cannot be read or changes what is not there, or the period is unknown.
    """
    begun = time.monotonic()
    published = resolve(settings, version)
    with open_engine(settings, published) as engine:
        base, chosen = choose_rules(engine, period)
        drafts = read_drafts(base, rules_path)
        _prepare(engine, base, is_published=rules_hash(base) == rules_hash(published_rules(published)))
        round_id = chosen["round_id"]
        engine.connection.execute(
            "create temp table base_stars as select app_id, stars, score, status from evaluation.app_stars"
            " where run_id = ?",
            [round_id],
        )
        before = distribution(engine, round_id)
        items = []
        touched: set[str] = set()
        for given in drafts:
            draft = Draft(given.name, rescale(given.rules)) if is_rescaled else given
            if problems := check(draft.rules):
                items.append(_refused(draft, problems))
                continue
            item, touched = _simulate(engine, base, draft, round_id, touched)
            items.append(item)
    return {
        "ok": all(item["ok"] for item in items),
        "version": published.version,
        "period": chosen["period"],
        "base": {"distribution": before},
        "seconds": round(time.monotonic() - begun, 2),
        "items": items,
    }


def _refused(draft: Draft, problems: list[RuleProblem]) -> dict[str, Any]:
    return {
        "name": draft.name, "ok": False, "problem": told(problems), "remedy": problems[0].remedy,
        "problems": [one.as_item() for one in problems],
    }  # fmt: skip


def _prepare(engine: Engine, base: RuleSet, *, is_published: bool) -> None:
    """The base case; the version's own tables when it was evaluated with just these rules and rounds."""
    if is_published:
        engine.show_published([*(one["relation"] for one in engine.basis.rules), *engine.basis.relations])
    else:
        engine.load_rules(base)
        engine.run()


def _simulate(
    engine: Engine, base: RuleSet, draft: Draft, round_id: str, touched: set[str]
) -> tuple[dict[str, Any], set[str]]:
    """One draft: load what differs from the base (or was changed by the draft before), compute what reads it."""
    differs = {name for name, table in draft.rules.tables.items() if table != base.tables.get(name)}
    relations = {relation for name in differs if (relation := engine.basis.relation_of_rule(name))}
    begun = time.monotonic()
    try:
        engine.load_rules(draft.rules, only=relations | touched)
        engine.run(engine.basis.dependents(relations | touched))
    except (ConfigurationError, EngineError) as error:
        problem = {"name": draft.name, "ok": False, "problem": str(error), "remedy": "Correct the draft."}
        return problem, relations | touched
    counts, apps = _moved(engine, round_id)
    item = {
        "name": draft.name,
        "ok": True,
        "changed_tables": sorted(differs - {ROUNDS}),
        "distribution": distribution(engine, round_id),
        **counts,
        # Their figures are the published ones: a changed threshold reaches them with the next build.
        "marts_as_published": engine.basis.as_published(base, draft.rules),
        "seconds": round(time.monotonic() - begun, 3),
        "apps": apps,
    }
    return item, relations


def _moved(engine: Engine, round_id: str) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """How many apps move, and which: all whose stars or status change, and the biggest changes of score."""
    engine.connection.execute(
        """
        create or replace temp table moved as
        select
            app_id, base.stars as stars_before, draft.stars as stars_after,
            round(base.score, 6) as score_before, round(draft.score, 6) as score_after,
            round(draft.score - base.score, 6) as score_change,
            case
                when base.status is distinct from draft.status then
                    case when draft.status = 'scored' then 'scored' else coalesce(draft.status, 'left') end
                when coalesce(draft.stars, 0) > coalesce(base.stars, 0) then 'rose'
                when coalesce(draft.stars, 0) < coalesce(base.stars, 0) then 'fell'
                else 'same_stars'
            end as movement
        from base_stars as base
        full join (select app_id, stars, score, status from evaluation.app_stars where run_id = ?) as draft
            using (app_id)
        where base.stars is distinct from draft.stars or base.status is distinct from draft.status
            or abs(coalesce(draft.score, 0) - coalesce(base.score, 0)) >= 1e-6
        """,
        [round_id],
    )
    counted = _rows(
        engine,
        "select count(*) filter (where movement = 'rose') as rose_count, count(*) filter (where movement = 'fell') as"
        " fell_count, count(*) filter (where score_change > 0) as higher_scores_count, count(*) filter (where"
        " score_change < 0) as lower_scores_count, count(*) filter (where score_before is distinct from score_after)"
        " as changed_scores_count from moved",
    )[0]
    apps = _rows(
        engine,
        "select moved.app_id, population.app_name, moved.* exclude (app_id) from ("
        f"from moved qualify movement <> 'same_stars' or row_number() over (order by movement <> 'same_stars',"
        f" abs(score_change) desc, app_id) <= {_SHOWN_SCORES}) as moved"
        " left join (select app_id, app_name from evaluation.population where run_id = ?) as population using (app_id)"
        " order by movement <> 'fell', movement <> 'rose', abs(score_change) desc, app_id",
        [round_id],
    )
    return counted, apps


def _rows(engine: Engine, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    cursor = engine.connection.execute(sql, parameters or [])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

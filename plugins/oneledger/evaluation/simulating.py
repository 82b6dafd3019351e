"""Who would gain or lose under draft rules: computed in memory on a published version; nothing is written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.evaluation.drafting import choose_rules, distribution
from oneledger.evaluation.engine import Engine, EngineError, open_engine, published_rules
from oneledger.evaluation.rule_tables import (
    ROUNDS,
    RuleSet,
    changed,
    check,
    overlay,
    read_yaml,
    rescaled,
    rules_hash,
)
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings


@dataclass(frozen=True)
class RuleDraft:
    """One set of draft rules: its name, and what is wrong with it when the validator refuses it."""

    name: str
    rules: RuleSet
    problem: str = ""
    remedy: str = ""


def simulate(
    settings: Settings,
    rules_path: Path,
    *,
    period: str | None = None,
    version: str = "current",
    rescale: bool = False,
) -> dict[str, Any]:
    """Evaluate a period with the published rules and with one or many drafts.

    Args:
        rules_path: a YAML file with ``changes``, or with ``drafts`` (a list, each with ``name`` and ``changes``), or a
            folder of CSV files.
        period: ``2022-Q3``; None means the newest round whose data are in.
        version: current, or the start of a version's name.
        rescale: bring weights that no longer add to 100 back to it, in proportion, instead of refusing the draft.

    Returns:
        ``version``, ``period``, ``base`` (distribution), ``seconds`` and ``items``: one a draft with its distribution,
        how many apps gain, lose or keep stars, and ``apps`` (whose stars, score or status change, biggest change
        first); a refused draft has ``problem`` and ``remedy`` instead.

    Raises:
        ConfigurationError: the file cannot be read or changes what is not there, or the period is unknown.
    """
    begun = time.monotonic()
    published = resolve(settings, version)
    with open_engine(settings, published) as engine:
        base, chosen = choose_rules(engine, period)
        drafts = read_drafts(base, rules_path, rescale=rescale)
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
        for draft in drafts:
            if draft.problem:
                items.append({"name": draft.name, "ok": False, "problem": draft.problem, "remedy": draft.remedy})
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


def read_drafts(base: RuleSet, path: Path, *, rescale: bool = False) -> list[RuleDraft]:
    """The drafts that a file or folder describes, each put before the validator.

    Raises:
        ConfigurationError: a draft changes what is not there.
    """
    content = None if path.is_dir() else read_yaml(path)
    if isinstance(content, dict) and "drafts" in content:
        content = content["drafts"]
    if isinstance(content, list):
        drafts = [
            RuleDraft(
                str(one.get("name") or f"draft {number}"),
                changed(base, one.get("changes"), f"{path}, draft {number}"),
            )
            for number, one in enumerate(content, start=1)
            if isinstance(one, dict)
        ]
        if len(drafts) != len(content) or not drafts:
            raise ConfigurationError(f"{path}: every draft must be a mapping with `name` and `changes`.")
    else:
        drafts = [RuleDraft(path.stem, overlay(base, path))]
    return [_judged(one, rescale) for one in drafts]


def _judged(draft: RuleDraft, rescale: bool) -> RuleDraft:
    rules = rescaled(draft.rules) if rescale else draft.rules
    problems = check(rules)
    if not problems:
        return RuleDraft(draft.name, rules)
    return RuleDraft(
        draft.name, rules, "; ".join(f"{one.table}: {one.problem}" for one in problems), problems[0].remedy
    )


def _prepare(engine: Engine, base: RuleSet, *, is_published: bool) -> None:
    """The base case; the version's own tables when it was evaluated with just these rules and rounds."""
    engine.load_rules(base)
    if is_published:
        engine.show_published(engine.basis.relations)
    else:
        engine.run()


def _simulate(
    engine: Engine, base: RuleSet, draft: RuleDraft, round_id: str, touched: set[str]
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
    apps = _moved(engine, round_id)
    rose = sum(one["movement"] == "rose" for one in apps)
    fell = sum(one["movement"] == "fell" for one in apps)
    marts = sorted({mart for one in relations for mart in engine.basis.marts_that_read_rules.get(one, ())})
    item = {
        "name": draft.name,
        "ok": True,
        "changed_tables": sorted(differs - {ROUNDS}),
        "distribution": distribution(engine, round_id),
        "rose_count": rose,
        "fell_count": fell,
        "changed_scores_count": len(apps),
        # Their figures are the published ones: a changed threshold reaches them with the next build.
        "marts_as_published": marts,
        "seconds": round(time.monotonic() - begun, 3),
        "apps": apps,
    }
    return item, relations


def _moved(engine: Engine, round_id: str) -> list[dict[str, Any]]:
    cursor = engine.connection.execute(
        """
        select
            app_id, population.app_name, base.stars as stars_before, draft.stars as stars_after,
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
        full join (select app_id, stars, score, status from evaluation.app_stars where run_id = $round) as draft
            using (app_id)
        left join (select app_id, app_name from evaluation.population where run_id = $round) as population
            using (app_id)
        where base.stars is distinct from draft.stars or base.status is distinct from draft.status
            or abs(coalesce(draft.score, 0) - coalesce(base.score, 0)) >= 1e-6
        order by movement <> 'fell', movement <> 'rose', abs(score_change) desc, app_id
        """,
        {"round": round_id},
    )
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

"""Explain an app's score: every indicator with its inputs, rule and points, the arithmetic, and the star bands."""

from __future__ import annotations

import datetime as dt
import difflib
from typing import Any

from oneledger.evaluation.catalogue_checks import BANDED_FORMS, in_force
from oneledger.evaluation.rule_tables import INDICATORS, RuleRow
from oneledger.evaluation.runs import find_run
from oneledger.evaluation.tables import Evaluated, open_preferred
from oneledger.settings import ConfigurationError, Settings

_ROUND = ("run_id", "period")
_ALREADY_SAID = (*_ROUND, "app_id")


class AmbiguousNameError(Exception):
    """Several apps have this name; ``candidates`` lists them."""

    def __init__(self, name: str, candidates: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(candidates)} apps are called {name!r}; give the id of one of them.")
        self.candidates = candidates


def explain(settings: Settings, app: str, run_id: str | None = None) -> dict[str, Any]:
    """Why an app has its score.

    Args:
        app: its id, or its name.
        run_id: a run; default the confirmed run of the newest round, else its draft, else the live tables.

    Returns:
        ``evaluation`` (run, round, version, rules), ``app``, ``population`` (scope and reason), ``indicators`` (one
        item each: all that ``evaluation.indicator_points`` says, the rule with its source, the bands), ``score`` (the
        arithmetic), ``stars`` (band, the next one and how far it is); ``disposition``, ``suspicious_use``,
        ``merge_candidates`` and ``funding_share`` (of the app's projects) as far as the run knows them.

    Raises:
        ConfigurationError: there is no such app; the message names those that are spelt alike.
        AmbiguousNameError: several apps have this name.
    """
    run = find_run(settings, run_id) if run_id else None
    with open_preferred(settings, run) as evaluated:
        return explain_in(evaluated, app)


def explain_in(evaluated: Evaluated, app: str) -> dict[str, Any]:
    """The same out of an evaluation that is open already: see ``explain``."""
    candidate = _find(evaluated, app)
    app_id = candidate["app_id"]
    stars = evaluated.rows("select * from app_stars where app_id = ?", [app_id])
    answer: dict[str, Any] = {
        "evaluation": {**evaluated.about, "round": evaluated.round},
        "app": {key: candidate.get(key) for key in ("app_id", "app_name", "side", "family", "department_id")},
        "population": {key: value for key, value in candidate.items() if key not in _ALREADY_SAID},
        "is_evaluated": bool(stars),
        "indicators": [],
        "score": None,
        "stars": None,
        **_consequences(evaluated, app_id),
    }
    if not stars:
        return answer
    indicators = [_indicator(evaluated, candidate, row) for row in evaluated.rows(
        "select * from indicator_points where app_id = ? order by weight desc, indicator_id", [app_id]
    )]  # fmt: skip
    answer["indicators"] = indicators
    answer["score"] = _score(stars[0], indicators)
    answer["stars"] = _stars(evaluated, stars[0])
    return answer


def _find(evaluated: Evaluated, app: str) -> dict[str, Any]:
    found = evaluated.rows("select * from population where app_id = ?", [app])
    if not found:
        found = evaluated.rows("select * from population where app_name = ? order by app_id", [app])
    if len(found) > 1:
        kept = ("app_id", "app_name", "side", "family", "department_id", "scope_reason")
        raise AmbiguousNameError(app, [{key: one.get(key) for key in kept} for one in found])
    if found:
        return found[0]
    known = evaluated.rows("select app_id, app_name from population order by app_id")
    names = {str(text): one for one in known for text in (one["app_id"], one["app_name"]) if text}
    near = difflib.get_close_matches(app, names, n=5, cutoff=0.4) or [name for name in names if app and app in name][:5]
    told = ", ".join(f"{names[one]['app_name']} ({names[one]['app_id']})" for one in near) or "none"
    raise ConfigurationError(
        f"Round {evaluated.about['round_id']} knows no app {app!r}. Spelt alike: {told}. Give an id or a whole name; "
        'all are in `oneledger query "from evaluation.population"`.'
    )


def _indicator(evaluated: Evaluated, candidate: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """What the index says, the row of the catalogue behind it, and the whole curve or all steps where it has bands."""
    rule = _rule_of(evaluated, candidate, row["indicator_id"])
    bands = _bands_of(evaluated, candidate, row) if row["scoring_method"] in BANDED_FORMS else []
    return {**{key: value for key, value in row.items() if key not in _ALREADY_SAID}, "rule": rule, "bands": bands}


def _rule_of(evaluated: Evaluated, candidate: dict[str, Any], indicator_id: str) -> dict[str, str]:
    """The row of the catalogue for the app's family and side, in force at the end of the period."""
    found = [
        row.cells
        for row in _in_force(evaluated, INDICATORS)
        if row["indicator_id"] == indicator_id
        and row["family"] == candidate["family"]
        and row["side"] in ("all", candidate["side"])
    ]
    return found[0] if found else {}


def _bands_of(evaluated: Evaluated, candidate: dict[str, Any], row: dict[str, Any]) -> list[dict[str, float]]:
    bands = [
        {"lower_value": float(band["lower_value"]), "points": float(band["points_share"]) * row["weight"]}
        for band in _in_force(evaluated, "scoring_band")
        if band["indicator_id"] == row["indicator_id"]
        and band["family"] in ("all", candidate["family"])
        and band["side"] in ("all", candidate["side"])
    ]
    return sorted(bands, key=lambda one: one["lower_value"])


def _in_force(evaluated: Evaluated, table: str) -> list[RuleRow]:
    return in_force(evaluated.rules.rows(table), dt.date.fromisoformat(evaluated.round["period_end_on"]))


def _consequences(evaluated: Evaluated, app_id: str) -> dict[str, Any]:
    """What else the evaluation says of the app; None for a table that the run does not hold."""

    def of(table: str, where: str, order: str) -> list[dict[str, Any]] | None:
        if not evaluated.has(table):
            return None
        mentions = [app_id] * where.count("?")
        rows = evaluated.rows(f"select * from {table} where {where} order by {order}", mentions)
        return [{key: value for key, value in row.items() if key not in _ROUND} for row in rows]

    proposed = of("disposition", "app_id = ?", "subject_id")
    return {
        "disposition": proposed[0] if proposed else None,
        "suspicious_use": of("suspicious_use", "app_id = ?", "kind"),
        "merge_candidates": of("merge_candidate", "first_app_id = ? or second_app_id = ?", "strength desc"),
        "funding_share": of(
            "funding_share", "project_id in (select project_id from project_app_link where app_id = ?)",
            "budget_year, project_id",
        )
        if evaluated.has("project_app_link")
        else None,
    }  # fmt: skip


def _score(stars: dict[str, Any], indicators: list[dict[str, Any]]) -> dict[str, Any]:
    scored = [one for one in indicators if one["status"] == "scored"]
    points = sum(one["points"] for one in scored)
    weight = sum(one["weight"] for one in scored)
    withheld = sum(one["weight"] for one in indicators if one["status"] == "withheld")
    spread = f"100 × {points:.6g} / {weight:.6g}" if weight else "no indicator could be scored"
    return {
        "score": stars["score"],
        "status": stars["status"],
        "reason": stars["reason"],
        "reason_zh": stars["reason_zh"],
        "reason_en": stars["reason_en"],
        "points": points,
        "scored_weight": weight,
        "withheld_weight": withheld,
        "not_applicable_weight": sum(one["weight"] for one in indicators if one["status"] == "not_applicable"),
        "arithmetic": spread + (f" = {stars['score']:.6g}" if stars["score"] is not None else ""),
    }


def _stars(evaluated: Evaluated, stars: dict[str, Any]) -> dict[str, Any]:
    bands = sorted(
        ({"stars": int(one["stars"]), "minimum_score": float(one["minimum_score"])}
         for one in _in_force(evaluated, "star_band")),
        key=lambda one: one["minimum_score"],
    )  # fmt: skip
    score = stars["score"]
    above = [one for one in bands if score is not None and one["minimum_score"] > score]
    reached = [one for one in bands if score is not None and one["minimum_score"] <= score]
    return {
        "stars": stars["stars"],
        "state": stars["stars_state"],
        "bands": bands,
        "band": reached[-1] if reached else None,
        "next_band": {**above[0], "points_missing": round(above[0]["minimum_score"] - score, 6)} if above else None,
        "points_above_band": round(score - reached[-1]["minimum_score"], 6) if reached else None,
    }

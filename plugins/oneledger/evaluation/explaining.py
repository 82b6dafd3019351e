"""Explain an app's score: every indicator with its inputs, rule and points, the arithmetic, and the star bands."""

from __future__ import annotations

import difflib
from typing import Any

from oneledger.evaluation.rule_tables import INDICATORS, Row
from oneledger.evaluation.runs import find_run
from oneledger.evaluation.tables import Evaluated, open_preferred
from oneledger.settings import ConfigurationError, Settings

_ALREADY_SAID = ("run_id", "period", "app_id")


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
        item each: inputs, value, points, weight, status, reason, the rule with its source, the bands), ``score`` (the
        arithmetic), ``stars`` (band, the next one and how far it is).

    Raises:
        ConfigurationError: there is no such app; the message names those that are spelt alike.
        AmbiguousNameError: several apps have this name.
    """
    run = find_run(settings, run_id) if run_id else None
    with open_preferred(settings, run) as evaluated:
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
    rule = _rule_of(evaluated, candidate, row)
    bands = _bands_of(evaluated, candidate, row["indicator_id"])
    return {
        **{key: value for key, value in row.items() if key not in _ALREADY_SAID},
        "title_zh": row.get("title_zh") or rule.get("title_zh"),
        "title_en": row.get("title_en") or rule.get("title_en"),
        "rule": rule,
        "bands": bands,
        "band": _band_hit(bands, row["value"]),
    }


def _rule_of(evaluated: Evaluated, candidate: dict[str, Any], row: dict[str, Any]) -> Row:
    """The row of the catalogue: the indicator's, in force at the end of the period, of the app's family if it says."""
    table = evaluated.rules.tables.get(INDICATORS)
    found = [one for one in table.rows if one["indicator_id"] == row["indicator_id"]] if table else []
    found = [one for one in found if _is_in_force(one, evaluated.round["period_end_on"])]
    family = row.get("family") or candidate.get("family")
    return next((one for one in found if one.get("family") in (None, "", "all", family)), found[0] if found else {})


def _bands_of(evaluated: Evaluated, candidate: dict[str, Any], indicator_id: str) -> list[Row]:
    table = evaluated.rules.tables.get("scoring_band")
    if table is None:
        return []
    fits = ("", "all", candidate.get("side"), candidate.get("family"))
    return sorted(
        (
            one
            for one in table.rows
            if one.get("indicator_id") == indicator_id
            and one.get("applies_to", "all") in fits
            and _is_in_force(one, evaluated.round["period_end_on"])
        ),
        key=lambda one: float(one.get("lower_value") or 0),
    )


def _band_hit(bands: list[Row], value: float | None) -> Row | None:
    """The band with the highest lower bound that the value reaches."""
    if value is None:
        return None
    reached = [one for one in bands if one.get("lower_value") not in (None, "") and value >= float(one["lower_value"])]
    return reached[-1] if reached else None


def _score(stars: dict[str, Any], indicators: list[dict[str, Any]]) -> dict[str, Any]:
    scored = [one for one in indicators if one["status"] == "scored"]
    points = sum(one["points"] for one in scored)
    weight = sum(one["weight"] for one in scored)
    withheld = sum(one["weight"] for one in indicators if one["status"] == "withheld")
    spread = f"100 × {points:.6g} / {weight:.6g}" if weight else "no indicator could be scored"
    return {
        "score": stars["score"],
        "status": stars["status"],
        "reason": stars.get("reason"),
        "points": points,
        "scored_weight": weight,
        "withheld_weight": withheld,
        "not_applicable_weight": sum(one["weight"] for one in indicators if one["status"] == "not_applicable"),
        "arithmetic": spread + (f" = {stars['score']:.6g}" if stars["score"] is not None else ""),
    }


def _stars(evaluated: Evaluated, stars: dict[str, Any]) -> dict[str, Any]:
    day = evaluated.round["period_end_on"]
    table = evaluated.rules.tables.get("star_band")
    bands = sorted(
        ({"stars": int(one["stars"]), "minimum_score": float(one["minimum_score"])} for one in table.rows
         if _is_in_force(one, day)) if table else (),
        key=lambda one: one["minimum_score"],
    )  # fmt: skip
    score = stars["score"]
    above = [one for one in bands if score is not None and one["minimum_score"] > score]
    reached = [one for one in bands if score is not None and one["minimum_score"] <= score]
    return {
        "stars": stars["stars"],
        "state": stars.get("stars_state"),
        "bands": bands,
        "band": reached[-1] if reached else None,
        "next_band": {**above[0], "points_missing": round(above[0]["minimum_score"] - score, 6)} if above else None,
        "points_above_band": round(score - reached[-1]["minimum_score"], 6) if reached else None,
    }


def _is_in_force(row: Row, day: str) -> bool:
    return (row.get("effective_from") or "") <= day <= (row.get("effective_to") or "9999-12-31")

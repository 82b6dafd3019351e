"""Compare two runs: whose stars, score or status changed, which indicators moved, and whether data or rules moved them.

The cause is computed. With A and B for the two runs, the engine evaluates A's data with B's rules and B's data
with A's rules. What changes when only the rules change is theirs, what changes when only the data change is
the data's; where both did something, each gets the mean of its effect before and after the other, so that the
effects add up to the whole.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

from oneledger.evaluation.corrections import batches_between
from oneledger.evaluation.drafting import of_round
from oneledger.evaluation.engine import EngineError, open_engine
from oneledger.evaluation.rule_tables import ROUNDS, RuleSet
from oneledger.evaluation.rules import load_frozen, rules_hash
from oneledger.evaluation.runs import find_run
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

# Which data and which rules: the first letter is the data's run, the second the rules'.
_CASES = ("aa", "ab", "ba", "bb")
_TABLES = ("app_stars", "indicator_points", "population")
_NOT_SEPARABLE = "data_or_rule"
# A score is out of 100 and kept to six decimals.
_TINY = 1e-6


def diff(settings: Settings, first: str, second: str) -> dict[str, Any]:
    """What changed from one run to another, and why.

    Returns:
        ``first``, ``second`` (what they are); ``has_differences``; ``summary`` (apps that rose, fell, entered, left …,
        and how many changes have which cause); ``corrections`` (batches with a reason that came between); ``items``
        (one an app: stars, score and status before and after, ``causes``, ``data_effect`` and ``rule_effect`` in
        points of the score, and the indicators that moved).

    Raises:
        ConfigurationError: there is no such run, or the version of one is gone.
    """
    a, b = find_run(settings, first), find_run(settings, second)
    with duckdb.connect() as connection:
        _read(connection, a, "aa")
        _read(connection, b, "bb")
        problem = _cross(settings, connection, a, b)
        indicators = _indicators(connection)
        items = [_item(row, indicators.get(row["app_id"], [])) for row in _apps(connection)]
        between = batches_between(connection, a, b)
    if problem:
        _forget_causes(items)
    for item in items:
        if {"data", _NOT_SEPARABLE} & set(item["causes"]):
            item["corrections"] = [one["batch_id"] for one in between["corrections"]]
    return {
        "first": _about(a),
        "second": _about(b),
        "same_data": a.record["version_content_hash"] == b.record["version_content_hash"],
        "same_rules": a.record["rules_hash"] == b.record["rules_hash"],
        "same_evaluation_sql": a.record["evaluation_sql_hash"] == b.record["evaluation_sql_hash"],
        # Why data and rules cannot be told apart: the tables of the rules changed their form between the versions.
        "not_separable": problem,
        "has_differences": bool(items),
        "summary": _summary(items),
        **between,
        "items": items,
    }


def _about(run: EvaluationRun) -> dict[str, Any]:
    kept = ("run_id", "round_id", "period", "version", "as_of_on", "rule_version", "rules_hash", "distribution")
    return {key: run.record[key] for key in kept} | {"state": run.state}


def _read(connection: duckdb.DuckDBPyConnection, run: EvaluationRun, case: str) -> None:
    for table in _TABLES:
        path = str(run.result_path(table)).replace("'", "''")
        connection.execute(f"create table {table}_{case} as from read_parquet('{path}')")


def _cross(settings: Settings, connection: duckdb.DuckDBPyConnection, a: EvaluationRun, b: EvaluationRun) -> str | None:
    """Fill the two crossed cases: A's data with B's rules, and B's data with A's rules.

    Returns:
        Why that cannot be computed, when the SQL of one version does not understand the rules of the other.
    """
    problem = None
    rules_a, rules_b = load_frozen(a.path / RULES_DIR), load_frozen(b.path / RULES_DIR)
    same_rules = rules_hash(rules_a.without(ROUNDS)) == rules_hash(rules_b.without(ROUNDS))
    same_data = a.record["version"] == b.record["version"] and a.record["round"] == b.record["round"]
    for case, data, rules, equal_when_rules, equal_when_data in (
        ("ab", a, rules_b, "aa", "bb"),
        ("ba", b, rules_a, "bb", "aa"),
    ):
        if same_rules or same_data:
            for table in _TABLES:
                connection.execute(
                    f"create table {table}_{case} as from {table}_{equal_when_rules if same_rules else equal_when_data}"
                )
            continue
        # Which round is evaluated goes with the data: the other run's rules, this run's round.
        own_rounds = rules_a.rows(ROUNDS) if data is a else rules_b.rows(ROUNDS)
        try:
            _evaluate(settings, connection, data, rules.with_rows(ROUNDS, own_rounds), case)
        except (ConfigurationError, EngineError) as error:
            if a.record["evaluation_sql_hash"] == b.record["evaluation_sql_hash"]:
                raise
            problem = str(error)
            for table in _TABLES:
                connection.execute(f"create or replace table {table}_{case} as from {table}_{equal_when_rules}")
    return problem


def _forget_causes(items: list[dict[str, Any]]) -> None:
    """What changed stays told; whether data or rules did it cannot be."""
    for item in items:
        for one in (item, *item["indicators"]):
            one["causes"] = [cause for cause in one["causes"] if cause == "population"] + [_NOT_SEPARABLE]
            one["data_effect"] = one["rule_effect"] = None


def _evaluate(
    settings: Settings, connection: duckdb.DuckDBPyConnection, data: EvaluationRun, rules: RuleSet, case: str
) -> None:
    with open_engine(settings, resolve(settings, data.record["version"])) as engine:
        engine.load_rules(rules)
        engine.run()
        scratch = settings.scratch_dir / "diff"
        scratch.mkdir(parents=True, exist_ok=True)
        for table in _TABLES:
            path = Path(scratch / f"{data.run_id}-{case}-{table}.parquet")
            try:
                engine.write(f"evaluation.{table}", path, of_round(engine, f"evaluation.{table}", data.round_id))
                literal = str(path).replace("'", "''")
                connection.execute(f"create table {table}_{case} as from read_parquet('{literal}')")
            finally:
                path.unlink(missing_ok=True)


def _apps(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """One row an app that differs between the two runs, with its outcome in all four cases."""
    for case in _CASES:
        connection.execute(
            f"create view outcome_{case} as select population.app_id, population.app_name, population.is_in_scope,"
            " population.scope_reason, stars.stars, round(stars.score, 6) as score, stars.status"
            f" from population_{case} as population left join app_stars_{case} as stars using (app_id)"
        )
    columns = ", ".join(
        f"{case}.{name} as {name}_{case}"
        for case in _CASES
        for name in ("is_in_scope", "scope_reason", "stars", "score", "status")
    )
    same = " and ".join(
        f"aa.{name} is not distinct from bb.{name}" for name in ("scope_reason", "stars", "score", "status")
    )
    return _rows(
        connection,
        f"select app_id, coalesce(aa.app_name, bb.app_name) as app_name, {columns} from outcome_aa as aa"
        " full join outcome_bb as bb using (app_id) left join outcome_ab as ab using (app_id)"
        f" left join outcome_ba as ba using (app_id) where not ({same}) order by app_id",
    )


def _indicators(connection: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """By app, the indicators that moved, with what each gives to the score in all four cases."""
    for case in _CASES:
        connection.execute(
            f"create view part_{case} as select app_id, indicator_id, numerator, denominator, value, points, weight,"
            " status, reason, 100 * points / nullif(sum(weight) filter (where status = 'scored') over"
            f" (partition by app_id), 0) as share from indicator_points_{case}"
        )
    names = ("numerator", "denominator", "value", "points", "weight", "status", "reason", "share")
    columns = ", ".join(f"{case}.{name} as {name}_{case}" for case in _CASES for name in names)
    same = " and ".join(
        f"aa.{name} is not distinct from bb.{name}" for name in ("numerator", "denominator", "weight", "status")
    )
    rows = _rows(
        connection,
        f"select app_id, indicator_id, {columns} from part_aa as aa"
        " full join part_bb as bb using (app_id, indicator_id)"
        " left join part_ab as ab using (app_id, indicator_id) left join part_ba as ba using (app_id, indicator_id)"
        f" where not ({same} and abs(coalesce(aa.share, 0) - coalesce(bb.share, 0)) < {_TINY})"
        " order by app_id, indicator_id",
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shares = [row[f"share_{case}"] or 0.0 for case in _CASES]
        data_effect, rule_effect = _effects(shares)
        inputs = [(row[f"numerator_{case}"], row[f"denominator_{case}"], row[f"status_{case}"], row[f"reason_{case}"],
                   row[f"weight_{case}"], _rounded(row[f"points_{case}"])) for case in _CASES]  # fmt: skip
        found.setdefault(row["app_id"], []).append(
            {
                "indicator_id": row["indicator_id"],
                "before": {name: row[f"{name}_aa"] for name in names[:-1]},
                "after": {name: row[f"{name}_bb"] for name in names[:-1]},
                "score_effect": round(shares[3] - shares[0], 6),
                "data_effect": data_effect,
                "rule_effect": rule_effect,
                "causes": _causes(inputs) or ["other_indicators"],
            }
        )
    for parts in found.values():
        parts.sort(key=lambda one: (-abs(one["score_effect"]), one["indicator_id"]))
    return found


def _item(row: dict[str, Any], indicators: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = [
        (row[f"scope_reason_{case}"], row[f"stars_{case}"], row[f"score_{case}"], row[f"status_{case}"])
        for case in _CASES
    ]
    causes = _causes(outcomes)
    if bool(row["is_in_scope_aa"]) != bool(row["is_in_scope_bb"]):
        causes = ["population", *causes]
    scores = [row[f"score_{case}"] for case in _CASES]
    data_effect, rule_effect = (None, None) if None in scores else _effects(scores)
    return {
        "app_id": row["app_id"],
        "app_name": row["app_name"],
        "movement": _movement(row),
        "before": {key: row[f"{key}_aa"] for key in ("stars", "score", "status", "scope_reason")},
        "after": {key: row[f"{key}_bb"] for key in ("stars", "score", "status", "scope_reason")},
        "score_change": round(scores[3] - scores[0], 6) if None not in (scores[0], scores[3]) else None,
        "causes": causes,
        "data_effect": data_effect,
        "rule_effect": rule_effect,
        "indicators": indicators,
    }


def _causes(cases: list[Any]) -> list[str]:
    """``data`` when changing only the data changes the outcome, with either rules; ``rule`` likewise."""
    aa, ab, ba, bb = cases
    causes = []
    if aa != ba or ab != bb:
        causes.append("data")
    if aa != ab or ba != bb:
        causes.append("rule")
    return causes


def _effects(values: list[float]) -> tuple[float, float]:
    aa, ab, ba, bb = values
    return round(((ba - aa) + (bb - ab)) / 2, 6), round(((ab - aa) + (bb - ba)) / 2, 6)


def _movement(row: dict[str, Any]) -> str:
    if bool(row["is_in_scope_aa"]) != bool(row["is_in_scope_bb"]):
        return "entered" if row["is_in_scope_bb"] else "left"
    if row["status_aa"] != row["status_bb"]:
        return "withheld" if row["status_bb"] == "withheld" else "scored_again"
    before, after = row["stars_aa"] or 0, row["stars_bb"] or 0
    if before != after:
        return "rose" if after > before else "fell"
    return "same_stars" if row["is_in_scope_bb"] else "left_out_for_another_reason"


def _summary(items: list[dict[str, Any]]) -> dict[str, Any]:
    transitions = Counter(
        (_band(item["before"]), _band(item["after"])) for item in items if _band(item["before"]) != _band(item["after"])
    )
    return {
        "changed_apps": len(items),
        "changed_stars": sum(transitions.values()),
        "movements": dict(sorted(Counter(item["movement"] for item in items).items())),
        "causes": dict(sorted(Counter(" and ".join(item["causes"]) for item in items).items())),
        "transitions": [
            {"from": before, "to": after, "apps": count} for (before, after), count in sorted(transitions.items())
        ],
    }


def _band(outcome: dict[str, Any]) -> str:
    if outcome["status"] is None:
        return "not evaluated"
    return "withheld" if outcome["status"] == "withheld" else str(outcome["stars"] or "none")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

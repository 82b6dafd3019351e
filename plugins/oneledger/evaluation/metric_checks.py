"""Metrics that are whole, refer to metrics that exist, and not to themselves."""

from __future__ import annotations

from collections.abc import Iterator

from oneledger.evaluation.metrics import Metric
from oneledger.evaluation.rule_problems import RuleProblem
from oneledger.evaluation.rule_tables import RuleSet

_COVERAGES = ("reported_days", "delivered_days")


def check_metrics(rules: RuleSet) -> Iterator[RuleProblem]:
    """Problems of macros/metrics.sql."""
    known: dict[str, Metric] = {}
    reasons = {row["reason_id"] for row in rules.rows("evaluation_reason")}
    for metric in rules.metrics:
        if metric.metric_id in known:
            yield _problem(
                rules, metric, "metric_id", "is defined twice", "each metric once", "Remove or rename one of them"
            )
        known[metric.metric_id] = metric
        wanted = ["metric_id", "title_zh", "title_en", "unit"]
        wanted += ["numerator_metric", "denominator_metric"] if metric.is_derived else ["mart", "filter", "numerator",
                                                                                     "denominator"]  # fmt: skip
        for name in wanted:
            if not metric.definition.get(name):
                yield _problem(rules, metric, name, "nothing is given", "text", f"Fill in {name}")
        coverage = metric.definition.get("coverage")
        if coverage and coverage not in _COVERAGES:
            yield _problem(
                rules, metric, "coverage", "is not known", f"one of {', '.join(_COVERAGES)}", "Correct the word"
            )
        reason = metric.definition.get("reason_without_denominator")
        if reason and reason not in reasons:
            yield _problem(
                rules, metric, "reason_without_denominator", "there is no such reason",
                "a reason of evaluation_reason", "Correct the name, or add the reason to evaluation_reason",
            )  # fmt: skip
    for metric in rules.metrics:
        for parent in metric.parents:
            if parent not in known:
                yield _problem(
                    rules, metric, "numerator_metric", f"there is no metric {parent}", "metrics that are defined",
                    "Correct the name, or define the metric",
                )  # fmt: skip
    yield from _cycles(rules, known)


def _cycles(rules: RuleSet, known: dict[str, Metric]) -> Iterator[RuleProblem]:
    """Each cycle once, said at the metric of it that is defined first."""
    said: set[frozenset[str]] = set()
    for start in known:
        cycle = _way_back(known, start, start, ())
        if cycle and frozenset(cycle) not in said:
            said.add(frozenset(cycle))
            yield _problem(
                rules, known[start], "numerator_metric", f"the metric is made of itself: {' → '.join((*cycle, start))}",
                "metrics that end at base metrics", "Let one of them read a mart instead",
            )  # fmt: skip


def _way_back(known: dict[str, Metric], here: str, goal: str, way: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics from ``here`` back to ``goal``; empty when there is no such way."""
    if here in way:
        return ()
    for parent in known[here].parents if here in known else ():
        if parent == goal:
            return (*way, here)
        found = _way_back(known, parent, goal, (*way, here))
        if found:
            return found
    return ()


def _problem(
    rules: RuleSet, metric: Metric, column: str, problem: str, expected: str, remedy: str
) -> RuleProblem:  # fmt: skip
    value = str(metric.definition.get(column) or "")
    return RuleProblem(
        rules.metrics_file, metric.line, column, value, f"{metric.metric_id}: {problem}", expected, remedy
    )

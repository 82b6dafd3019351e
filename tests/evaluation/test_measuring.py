"""How the metrics are measured: each app meets its own rows of a mart, whatever the number of apps."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import sqlglot
from sqlglot import exp

from tests.models.usage_city import UsageCity


@pytest.fixture(scope="module")
def joins(families: UsageCity) -> list[exp.Join]:
    """What joins a mart (``fact``) to the apps of a round (``scope``) in the compiled evaluation_indicator_measure."""
    manifest = json.loads((families.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    compiled = manifest["nodes"]["model.oneledger.evaluation_indicator_measure"]["compiled_code"]
    found = sqlglot.parse_one(compiled, dialect="duckdb").find_all(exp.Join)
    return [join for join in found if join.this.alias_or_name == "fact"]


def test_no_metric_compares_every_app_with_every_row(joins: list[exp.Join]) -> None:
    assert len(joins) > 15
    assert [part.sql("duckdb") for join in joins for part in mixed_parts(join.args["on"])] == []


def test_an_expression_over_both_sides_is_seen() -> None:
    mixed = "fact.app_id = scope.app_id and coalesce(fact.linked_on, scope.cut_off_on) <= scope.cut_off_on"
    assert [part.sql() for part in mixed_parts(sqlglot.parse_one(mixed))] == [
        "COALESCE(fact.linked_on, scope.cut_off_on) <= scope.cut_off_on"
    ]
    either = "fact.app_id = scope.app_id or fact.app_id is null"
    assert len(list(mixed_parts(sqlglot.parse_one(either)))) == 1


def mixed_parts(condition: exp.Expression) -> Iterator[exp.Expression]:
    """The parts of a condition that a join cannot look up, because one side of a comparison takes from both relations.

    DuckDB 1.5 carries such a left join out as a comparison of every row with every other.
    """
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        if len(relations_of(part)) > 1 and not is_looked_up(part):
            yield part


def is_looked_up(part: exp.Expression) -> bool:
    if isinstance(part, exp.Between):
        sides = [[part.this], [part.args["low"], part.args["high"]]]
    elif isinstance(part, exp.EQ | exp.LT | exp.LTE | exp.GT | exp.GTE):
        sides = [[part.left], [part.right]]
    else:
        return False
    return all(len(set().union(*map(relations_of, side))) < 2 for side in sides)


def relations_of(part: exp.Expression) -> set[str]:
    return {column.table for column in part.find_all(exp.Column)}

"""The four scoring forms as the models really compute them, on values and rules that nobody thought of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.usage_city import UsageCity

INPUTS = ("population", "round", "indicator", "scoring_band", "indicator_measure", "usage_coverage", "reason")
VALUES = st.lists(st.floats(0, 2000, allow_nan=False), min_size=2, max_size=6).map(sorted)
WEIGHTS = st.floats(0.5, 100)
# Rising knots: values apart from each other, shares from 0 to 1.
KNOTS = st.lists(st.integers(1, 2000), min_size=1, max_size=5, unique=True).flatmap(
    lambda values: st.tuples(
        st.just([0.0, *sorted(float(value) for value in values)]),
        st.lists(st.floats(0, 1), min_size=len(values) + 1, max_size=len(values) + 1).map(sorted),
    )
)


class Scoring:
    """The compiled model evaluation_indicator_points over tables that a test fills."""

    def __init__(self, city: UsageCity) -> None:
        manifest = json.loads((city.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
        self.sql = manifest["nodes"]["model.oneledger.evaluation_indicator_points"]["compiled_code"]
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("attach ':memory:' as warehouse; create schema warehouse.evaluation")
        self.connection.execute(f"attach '{city.path}' as built (read_only)")
        for name in INPUTS:
            self.connection.execute(f"create table warehouse.evaluation.{name} as from built.evaluation.{name} limit 0")
        self.connection.execute("detach built; use warehouse")
        self.insert("round", {"round_id": "r1", "period_end_on": "2022-09-30"})

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        for row in rows:
            self.connection.execute(
                f"insert into evaluation.{table} ({', '.join(row)}) values ({', '.join('?' * len(row))})",
                list(row.values()),
            )

    def points(
        self, form: dict[str, Any], values: list[float | None], knots: tuple[list[float], list[float]] = ([], []),
        measure: dict[str, Any] | None = None,
    ) -> list[tuple[str, float | None, float | None, str | None]]:  # fmt: skip
        """Status, points, value and reason of one indicator for one app a value."""
        for name in INPUTS:
            if name not in ("round", "reason"):
                self.connection.execute(f"delete from evaluation.{name}")
        self.insert("indicator", {
            "indicator_id": "i", "family": "operations", "side": "all", "metric_id": "m",
            "effective_from": "2010-01-01", **form,
        })  # fmt: skip
        for value, share in zip(*knots, strict=True):
            self.insert("scoring_band", {"indicator_id": "i", "family": "all", "side": "all", "lower_value": value,
                                         "points_share": share, "effective_from": "2010-01-01"})  # fmt: skip
        for number, value in enumerate(values):
            app_id = f"a{number}"
            self.insert("population", {"run_id": "r1", "period": "2022-Q3", "app_id": app_id, "side": "service",
                                       "family": "operations", "is_in_scope": True})  # fmt: skip
            self.insert("usage_coverage", {"run_id": "r1", "app_id": app_id, "portal": "zheliban",
                                           "listed_days_count": 92, "delivered_days_count": 92})  # fmt: skip
            self.insert("indicator_measure", {
                "run_id": "r1", "app_id": app_id, "metric_id": "m", "numerator": value, "denominator": 1,
                "value": value, **(measure or {}),
            })  # fmt: skip
        return self.connection.execute(
            f"select status, points, value, reason from ({self.sql}) order by app_id"
        ).fetchall()


@pytest.fixture(scope="module")
def scoring(families: UsageCity) -> Iterator[Scoring]:
    found = Scoring(families)
    yield found
    found.connection.close()


def given_points(rows: list[tuple[str, float | None, float | None, str | None]], weight: float) -> list[float]:
    """The points, each of which must be there and lie within 0 and the weight."""
    assert [status for status, *_ in rows] == ["scored"] * len(rows)
    points = [points for _, points, _, _ in rows if points is not None]
    assert len(points) == len(rows)
    assert all(0 <= one <= weight + 1e-9 for one in points)
    return points


@settings(max_examples=60)
@given(values=VALUES, weight=WEIGHTS, knots=KNOTS, form=st.sampled_from(["step", "piecewise"]))
def test_steps_and_rising_curves_give_more_for_more_and_never_more_than_the_weight(
    scoring: Scoring, values: list[float], weight: float, knots: tuple[list[float], list[float]], form: str
) -> None:
    rows = scoring.points({"scoring_method": form, "weight": weight, "lower_bound": 0}, list(values), knots)
    points = given_points(rows, weight)
    assert all(less <= more + 1e-8 for less, more in pairwise(points))


@settings(max_examples=50)
@given(
    values=VALUES, weight=WEIGHTS, lower=st.floats(0, 500), width=st.floats(0.1, 1000),
    parts=st.none() | st.integers(1, 10),
)  # fmt: skip
def test_pro_rata_gives_the_way_between_the_bounds_in_whole_parts_when_wanted(
    scoring: Scoring, values: list[float], weight: float, lower: float, width: float, parts: int | None
) -> None:
    form = {"scoring_method": "pro_rata", "weight": weight, "lower_bound": lower, "upper_bound": lower + width,
            "parts_count": parts}  # fmt: skip
    points = given_points(scoring.points(form, list(values)), weight)
    assert all(less <= more + 1e-8 for less, more in pairwise(points))
    for value, one in zip(values, points, strict=True):
        share = min(1.0, max(0.0, (value - lower) / width))
        if parts is None:
            assert one == pytest.approx(share * weight, abs=1e-6)
        else:
            assert one * parts / weight == pytest.approx(round(one * parts / weight), abs=1e-6)
            assert one <= share * weight + 1e-6


@settings(max_examples=50)
@given(
    breaches=st.lists(st.integers(0, 200), min_size=2, max_size=6).map(sorted), weight=WEIGHTS,
    deduction=st.floats(0.01, 20), floor_share=st.floats(0, 1),
)  # fmt: skip
def test_each_breach_costs_the_same_until_the_floor(
    scoring: Scoring, breaches: list[int], weight: float, deduction: float, floor_share: float
) -> None:
    floor = weight * floor_share
    form = {"scoring_method": "deduction", "weight": weight, "deduction_points": deduction, "floor_points": floor,
            "lower_bound": 0}  # fmt: skip
    points = given_points(scoring.points(form, [float(one) for one in breaches]), weight)
    for count, one in zip(breaches, points, strict=True):
        assert one == pytest.approx(max(weight - deduction * count, floor), abs=1e-6)


@settings(max_examples=50)
@given(
    form=st.sampled_from(["step", "piecewise", "pro_rata", "deduction"]),
    measure=st.sampled_from([
        {"reason": "data_missing", "value": None, "numerator": None},
        {"reason": "no_ratings", "value": None, "denominator": 0},
        {"missing_deliveries": "irs.module", "reason": "source_not_delivered", "value": None},
        {"covered_days_count": 61, "expected_days_count": 92},
        {"observations_count": 4},
    ]),
    value=st.floats(0, 2000),
)  # fmt: skip
def test_what_is_withheld_never_has_points_nor_a_value(
    scoring: Scoring, form: str, measure: dict[str, Any], value: float
) -> None:
    rule = {"scoring_method": form, "weight": 10, "lower_bound": 0, "deduction_points": 1, "minimum_coverage": 0.9,
            "minimum_observations": 5}  # fmt: skip
    status, points, shown, reason = scoring.points(rule, [value], ([0.0], [1.0]), measure)[0]
    assert (status, points, shown) == ("withheld", None, None)
    assert reason

"""The funding share as somebody tries it: by the SQL and the rules of the version, and nothing beside them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from oneledger.evaluation.engine import open_engine
from oneledger.evaluation.funding_simulating import FundingCase, TriedRate, funding_outcomes
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import resolve

from .story import Story

CASE = FundingCase(2022, TriedRate(1.0), TriedRate(0.5), TriedRate(0.5), Decimal("1000000.00"))


def test_every_project_at_its_own_rates_gets_the_share_that_is_published(story: Story) -> None:
    version = resolve(story.settings, "current")
    with open_version(story.settings, version) as connection:
        rows = connection.execute(
            "select budget_year, online_rate, online_state, usage_rate, usage_state, satisfaction_rate,"
            " satisfaction_state, budget_cny, linked_apps_count, state, share, payable_cny, combined_rate"
            " from evaluation.funding_share order by project_id, budget_year"
        ).fetchall()
    cases = [
        FundingCase(row[0], TriedRate(row[1], row[2]), TriedRate(row[3], row[4]), TriedRate(row[5], row[6]), *row[7:9])
        for row in rows
    ]
    outcomes = funding_outcomes(story.settings, version, cases)
    assert {row[9] for row in rows} >= {"computed", "not_applicable"}
    assert [(one.state, one.share, one.payable_cny) for one in outcomes] == [row[9:12] for row in rows]
    # The last bit of a sum of doubles hangs on the order of its terms.
    assert [one.combined_rate for one in outcomes] == pytest.approx([row[12] for row in rows], abs=2e-9)


def test_a_rate_on_the_edge_of_a_band_belongs_to_the_upper_band(story: Story) -> None:
    version = resolve(story.settings, "current")
    with open_version(story.settings, version) as connection:
        edges = connection.execute("select minimum_rate, share from evaluation.funding_band order by 1").fetchall()
    for edge, share in edges:
        at, under = (
            replace(CASE, online=TriedRate(rate), usage=TriedRate(rate), satisfaction=TriedRate(rate))
            for rate in (edge, max(edge - 0.0001, 0.0))
        )
        outcomes = funding_outcomes(story.settings, version, [at, under])
        assert outcomes[0].share == share
        assert edge == 0 or outcomes[1].share < share


def test_money_paid_and_money_kept_back_are_the_budget_to_the_fen(story: Story) -> None:
    case = replace(CASE, budget_cny=Decimal("333333.33"), usage=TriedRate(0.4), satisfaction=TriedRate(0.3))
    (outcome,) = funding_outcomes(story.settings, resolve(story.settings, "current"), [case])
    assert outcome.share is not None
    assert outcome.share < 1
    assert outcome.payable_cny is not None
    assert outcome.withheld_cny is not None
    assert outcome.payable_cny + outcome.withheld_cny == Decimal("333333.33")


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({"usage": TriedRate(None, "missing")}, "withheld", "rate_missing: usage_rate"),
        ({"budget_cny": None}, "withheld", "budget_missing"),
        ({"linked_apps_count": 0}, "not_applicable", "no_app_linked"),
        ({"budget_year": 2001}, "withheld", "no_weight_in_force"),
        (dict.fromkeys(("online", "usage", "satisfaction"), TriedRate(None, "not_applicable")), "not_applicable",
         "nothing_to_measure"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_says_why(story: Story, change: dict, state: str, reason: str) -> None:
    (outcome,) = funding_outcomes(story.settings, resolve(story.settings, "current"), [replace(CASE, **change)])
    assert (outcome.state, outcome.reason, outcome.share) == (state, reason, None)


def test_a_rate_that_does_not_apply_leaves_its_weight_to_the_others(story: Story) -> None:
    case = replace(CASE, online=TriedRate(0.6), usage=TriedRate(None, "not_applicable"), satisfaction=TriedRate(0.8))
    (outcome,) = funding_outcomes(story.settings, resolve(story.settings, "current"), [case])
    assert outcome.combined_rate == pytest.approx(0.7)


def test_what_is_tried_changes_nothing_of_the_version(story: Story) -> None:
    version = resolve(story.settings, "current")
    before = version.marts_path.stat()
    funding_outcomes(story.settings, version, [CASE])
    with open_engine(story.settings, version) as engine:
        engine.substitute("marts.budget_execution", [])
        assert engine.connection.execute("select count(*) from marts.budget_execution").fetchone() == (0,)
        assert engine.connection.execute("select count(*) > 0 from published.marts.budget_execution").fetchone() == (
            True,
        )
    assert version.marts_path.stat() == before

"""Every app in scope has a row for every indicator of its family, and what is missing costs nobody a star."""

from __future__ import annotations

import csv

import pytest

from oneledger.evaluation.rules import load_rules
from oneledger.settings import PROJECT_ROOT
from tests.evaluation.conftest import ENDS, FAMILIES
from tests.models.usage_city import UsageCity


def stars_of(city: UsageCity) -> dict[str, tuple[str, int | None, float | None]]:
    rows = city.rows("select app_id, status, stars, score from evaluation.app_stars")
    return {app_id: (status, stars, score) for app_id, status, stars, score in rows}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ENDS)
def test_the_index_has_exactly_the_indicators_of_family_and_side(
    families: UsageCity, without_august: UsageCity, family: str, side: str
) -> None:
    wanted = sorted(
        row["indicator_id"]
        for row in load_rules().rows("indicator")
        if row["family"] == family and row["side"] in ("all", side)
    )
    assert wanted
    for city in (families, without_august):
        found = city.rows(
            f"select indicator_id, status, reason from evaluation.indicator_points where app_id = '{family}-{side}'"
        )
        assert sorted(indicator_id for indicator_id, _, _ in found) == wanted
        assert all((status == "scored") == (reason is None) for _, status, reason in found)


def test_every_reason_that_is_given_is_named_in_both_languages(families: UsageCity, without_august: UsageCity) -> None:
    for city in (families, without_august):
        assert (
            city.rows(
                "select reason from evaluation.indicator_points where reason is not null"
                " and (reason_zh is null or reason_en is null)"
            )
            == []
        )
        assert (
            city.rows(
                "select app_id from evaluation.population where scope_reason_zh is null or scope_reason_en is null"
            )
            == []
        )


def test_a_month_of_one_portal_that_did_not_come_withholds_the_scores_of_its_apps_and_says_so(
    families: UsageCity, without_august: UsageCity
) -> None:
    before, after = stars_of(families), stars_of(without_august)
    services = [f"{family}-service" for family in FAMILIES] + ["traffic", "lost"]
    assert {after[app_id] for app_id in services} == {("withheld", None, None)}
    assert all(before[app_id][0] == "scored" for app_id in services)
    for app_id, (status, stars, _) in after.items():
        assert status == "withheld" or (stars or 0) >= (before[app_id][1] or 0), app_id
    reasons = set(without_august.rows(
        "select reason, reason_en from evaluation.indicator_points where app_id = 'operations-service'"
        " and indicator_id in ('use', 'satisfaction', 'completion', 'stability')"
    ))  # fmt: skip
    assert reasons == {(
        "portal_days_missing", "Days of the portal are missing: zheliban, 31 of 92 listed days, 2022-08 (31)"
    )}  # fmt: skip
    said = without_august.rows("select reason_zh from evaluation.app_stars where app_id = 'operations-service'")[0][0]
    assert "浙里办上架92天中缺31天" in said


def test_the_other_portal_is_scored_as_before(families: UsageCity, without_august: UsageCity) -> None:
    before, after = stars_of(families), stars_of(without_august)
    for family in FAMILIES:
        assert after[f"{family}-governance"][0] == "scored"
        if family == "major_application" or family == "application_system":
            assert after[f"{family}-governance"] == before[f"{family}-governance"]


def test_a_delivery_that_stopped_before_the_cut_off_is_unknown_and_not_none(
    families: UsageCity, without_august: UsageCity
) -> None:
    question = (
        "select distinct status, reason from evaluation.indicator_points where indicator_id = 'interface_success'"
        " and app_id like '%-governance'"
    )
    assert families.rows(question) == [("not_applicable", "no_interface_calls")]
    assert without_august.rows(question) == [("withheld", "source_not_delivered")]


def test_reporting_a_risk_honestly_costs_no_points_and_an_inspection_that_finds_one_does(families: UsageCity) -> None:
    points = dict(families.rows(
        "select app_id, points - weight from evaluation.indicator_points where indicator_id = 'security'"
        " and app_id like 'operations-%'"
    ))  # fmt: skip
    assert points == {"operations-service": 0, "operations-governance": -1}


def test_what_a_row_of_the_index_says_is_enough_to_compute_its_points_by_hand(families: UsageCity) -> None:
    rows = families.rows(
        "select scoring_method, value, points, weight, band_lower_value, band_lower_points, band_upper_value,"
        " band_upper_points, numerator / denominator from evaluation.indicator_points where status = 'scored'"
    )
    assert len(rows) > 80
    for form, value, points, weight, low, low_points, high, high_points, quotient in rows:
        assert value == pytest.approx(quotient)
        if form == "step" or high is None:
            by_hand = low_points
        else:
            way = min(1.0, max(0.0, (value - low) / (high - low)))
            by_hand = low_points + way * (high_points - low_points)
        assert points == pytest.approx(by_hand, abs=1e-8)
        assert 0 <= points <= weight


def test_the_catalogue_of_metrics_holds_every_metric_that_an_indicator_refers_to(families: UsageCity) -> None:
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "indicator.csv").open(encoding="utf-8") as source:
        wanted = {
            row[column] for row in csv.DictReader(source) for column in ("metric_id", "applicability_metric_id")
        } - {""}
    known = {metric_id for (metric_id,) in families.rows("select metric_id from evaluation.metric")}
    assert wanted <= known
    measured = {
        metric_id for (metric_id,) in families.rows("select distinct metric_id from evaluation.indicator_measure")
    }
    assert measured == known

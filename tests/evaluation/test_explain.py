"""Every figure of an explanation can be recomputed by hand from the published marts and the rules."""

from __future__ import annotations

import pytest

from oneledger.evaluation.explaining import AmbiguousNameError, explain
from oneledger.evaluation.runs import find_run
from oneledger.evaluation.tables import open_run
from oneledger.settings import ConfigurationError

from .by_hand import BY_HAND, points, read_marts, stars
from .story import Story


def apps_with(story: Story, condition: str) -> list[str]:
    with open_run(find_run(story.settings, story.confirmed)) as evaluated:
        return [row["app_id"] for row in evaluated.rows(f"from population where {condition} order by app_id")]


def test_every_indicator_of_every_app_the_score_and_the_stars_are_what_one_computes_by_hand(story: Story) -> None:
    run = find_run(story.settings, story.confirmed)
    marts = read_marts(story.home / "published" / story.first_version, run.record["round"])
    catalogue = {row["indicator_id"]: row for row in marts.rule_rows("indicator")}
    assert set(catalogue) == set(BY_HAND), "write a computation by hand for each new indicator in by_hand.py"
    compared = 0
    for app_id in apps_with(story, "is_in_scope"):
        told = explain(story.settings, app_id, story.confirmed)
        assert {one["indicator_id"] for one in told["indicators"]} == set(catalogue)
        total, weight = 0.0, 0.0
        for one in told["indicators"]:
            numerator, denominator = BY_HAND[one["indicator_id"]](marts, app_id)
            if one["status"] != "scored":
                assert denominator == 0, (app_id, one)
                continue
            rule = catalogue[one["indicator_id"]]
            assert one["numerator"] == pytest.approx(numerator), (app_id, one)
            assert one["denominator"] == pytest.approx(denominator), (app_id, one)
            assert one["value"] == pytest.approx(numerator / denominator)
            assert one["points"] == pytest.approx(points(marts, app_id, rule, numerator / denominator), abs=1e-6)
            assert one["weight"] == float(rule["weight"])
            total, weight = total + one["points"], weight + one["weight"]
            compared += 1
        assert told["score"]["score"] == pytest.approx(100 * total / weight, abs=1e-5)
        assert told["stars"]["stars"] == stars(marts, told["score"]["score"])
    assert compared > 900


def test_each_indicator_names_its_rule_with_source_and_the_band_that_its_value_reached(story: Story) -> None:
    told = explain(story.settings, apps_with(story, "is_in_scope and side = 'service'")[0], story.confirmed)
    for one in told["indicators"]:
        assert one["rule"]["source"] and one["rule_version"] == one["rule"]["rule_version"]
        assert one["title_zh"] and one["title_en"]
        if one["bands"] and one["value"] is not None:
            bounds = [float(band["lower_value"]) for band in one["bands"]]
            assert float(one["band"]["lower_value"]) == max(bound for bound in bounds if bound <= one["value"])


def test_the_distance_to_the_next_band_is_what_the_score_lacks(story: Story) -> None:
    for app_id in apps_with(story, "is_in_scope")[:20]:
        told = explain(story.settings, app_id, story.confirmed)
        score, band, following = told["score"]["score"], told["stars"]["band"], told["stars"]["next_band"]
        assert following is None or score + following["points_missing"] == pytest.approx(following["minimum_score"])
        assert band is None or score - told["stars"]["points_above_band"] == pytest.approx(band["minimum_score"])
        assert (band["stars"] if band else None) == told["stars"]["stars"]


def test_an_app_that_was_not_evaluated_has_the_reason(story: Story) -> None:
    app_id = apps_with(story, "scope_reason = 'other_owner'")[0]
    told = explain(story.settings, app_id)
    assert not told["is_evaluated"]
    assert told["population"]["scope_reason"] == "other_owner"
    assert told["score"] is None
    assert "other_owner" in story.installation.oneledger("explain", app_id).stdout


def test_an_app_is_found_by_its_name_and_a_name_of_several_apps_lists_them(story: Story) -> None:
    with open_run(find_run(story.settings, story.confirmed)) as evaluated:
        once = evaluated.rows(
            "select any_value(app_id) as app_id, app_name from population group by 2 having count(*) = 1"
        )
        often = evaluated.rows("select app_name, count(*) as n from population group by 1 having count(*) > 1")
    assert explain(story.settings, once[0]["app_name"])["app"]["app_id"] == once[0]["app_id"]
    for row in often[:1]:
        with pytest.raises(AmbiguousNameError) as raised:
            explain(story.settings, row["app_name"])
        assert len(raised.value.candidates) == row["n"]


def test_an_unknown_app_is_answered_with_those_that_are_spelt_alike(story: Story) -> None:
    with pytest.raises(ConfigurationError, match=r"knows no app '湖州交'.*湖州交警 \("):
        explain(story.settings, "湖州交")
    assert story.installation.oneledger("explain", "湖州交", expected_code=2).stdout == ""


def test_the_text_shows_a_bar_an_input_and_the_arithmetic_for_people(story: Story) -> None:
    app_id = apps_with(story, "is_in_scope and side = 'service'")[0]
    told = explain(story.settings, app_id, story.confirmed)
    text = story.installation.oneledger("explain", app_id, "--run", story.confirmed).stdout
    assert told["score"]["arithmetic"] in text
    assert text.count("█") >= 10
    for one in told["indicators"]:
        assert f"({one['indicator_id']})" in text

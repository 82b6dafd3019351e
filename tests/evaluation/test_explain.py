"""Every figure of an explanation can be recomputed by hand from the published marts and the rules."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from oneledger.evaluation.engine import published_rules
from oneledger.evaluation.explaining import AmbiguousNameError, explain
from oneledger.evaluation.runs import find_run
from oneledger.evaluation.tables import open_run
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError

from . import by_hand
from .story import Story


def apps_with(story: Story, condition: str) -> list[str]:
    with open_run(story.settings, find_run(story.settings, story.confirmed)) as evaluated:
        return [row["app_id"] for row in evaluated.rows(f"from population where {condition} order by app_id")]


def test_every_indicator_of_the_catalogue_has_a_computation_by_hand(story: Story) -> None:
    rules = published_rules(resolve(story.settings, story.first_version)).rows("indicator")
    missing = {row["indicator_id"] for row in rules} - set(by_hand.INDICATORS)
    missing |= {row["applicability_metric_id"] for row in rules} - set(by_hand.CONDITIONS) - {""}
    assert missing == set(), f"write in by_hand.py how {', '.join(sorted(missing))} is computed"


def test_every_indicator_of_every_app_the_score_and_the_stars_are_what_one_computes_by_hand(story: Story) -> None:
    run = find_run(story.settings, story.confirmed)
    marts = by_hand.read_marts(story.home / "published" / story.first_version, run.record["round"])
    with open_run(story.settings, run) as evaluated:
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for row in evaluated.rows("from indicator_points"):
            found.setdefault(row["app_id"], {})[row["indicator_id"]] = row
        outcomes = evaluated.rows("from app_stars order by app_id")
    assert [row["app_id"] for row in outcomes] == apps_with(story, "is_in_scope")
    seen: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        app_id, rules = outcome["app_id"], marts.catalogue(outcome["app_id"])
        assert set(found[app_id]) == set(rules), app_id
        results = {}
        for indicator_id, rule in rules.items():
            one, wanted = found[app_id][indicator_id], by_hand.result_of(marts, app_id, rule)
            results[indicator_id] = (float(rule["weight"]), wanted)
            assert (one["status"], one["reason"]) == (wanted.status, wanted.reason), (app_id, one, wanted)
            assert one["weight"] == float(rule["weight"])
            seen[indicator_id, wanted.status] += 1
            if wanted.status == "scored":
                assert one["numerator"] == pytest.approx(wanted.measure.numerator), (app_id, one)
                assert one["denominator"] == pytest.approx(wanted.measure.denominator), (app_id, one)
                assert one["points"] == pytest.approx(wanted.points, abs=1e-6), (app_id, one, wanted)
            else:
                assert (one["points"], one["value"]) == (None, None)
        score = by_hand.score(marts, results)
        assert outcome["score"] == pytest.approx(score, abs=1e-5), app_id
        assert (outcome["stars"], outcome["status"]) == (
            by_hand.stars(marts, score),
            "withheld" if score is None else "scored",
        )
    assert {indicator_id for indicator_id, status in seen if status == "scored"} == set(by_hand.INDICATORS)
    assert {status for _, status in seen} >= {"scored", "not_applicable"}


def test_an_explanation_tells_all_that_the_index_knows_of_each_indicator(story: Story) -> None:
    run = find_run(story.settings, story.confirmed)
    for app_id in apps_with(story, "is_in_scope")[::25]:
        told = explain(story.settings, app_id, story.confirmed)
        with open_run(story.settings, run) as evaluated:
            rows = evaluated.rows(
                "select * exclude (run_id, period, app_id) from indicator_points where app_id = ?", [app_id]
            )
        indexed = {row["indicator_id"]: row for row in rows}
        assert {one["indicator_id"] for one in told["indicators"]} == set(indexed)
        for one in told["indicators"]:
            row = indexed[one["indicator_id"]]
            assert {key: one[key] for key in row} == row
            assert one["rule"]["source"]
            assert one["rule"]["rule_version"] == one["rule_version"]
            if one["bands"] and one["status"] == "scored":
                reached = [band for band in one["bands"] if band["lower_value"] <= max(one["value"], 0)]
                assert reached[-1]["points"] == pytest.approx(one["band_lower_points"])


def test_beside_the_score_stand_what_is_proposed_what_is_suspicious_alike_apps_and_the_money(story: Story) -> None:
    with open_run(story.settings, find_run(story.settings, story.confirmed)) as evaluated:
        suspicious = evaluated.rows("select app_id, kind from suspicious_use order by all")
        pairs = evaluated.rows("select first_app_id, second_app_id from merge_candidate order by all")
        paid = evaluated.rows(
            "select app_id, project_id from funding_share inner join project_app_link using (project_id) order by all"
        )
    told = explain(story.settings, suspicious[0]["app_id"], story.confirmed)
    assert suspicious[0]["kind"] in {one["kind"] for one in told["suspicious_use"]}
    told = explain(story.settings, pairs[0]["second_app_id"], story.confirmed)
    assert pairs[0]["first_app_id"] in {one["first_app_id"] for one in told["merge_candidates"]}
    told = explain(story.settings, paid[0]["app_id"], story.confirmed)
    assert paid[0]["project_id"] in {one["project_id"] for one in told["funding_share"]}
    in_scope = apps_with(story, "is_in_scope")[0]
    told = explain(story.settings, in_scope, story.confirmed)
    assert told["disposition"]["status"] in ("proposed", "withheld", "not_applicable")
    text = story.installation.oneledger("explain", in_scope, "--run", story.confirmed).stdout
    assert "处置建议 disposition:" in text


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
    with open_run(story.settings, find_run(story.settings, story.confirmed)) as evaluated:
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
        assert f"({one['indicator_id']}, {one['dimension']})" in " ".join(text.split())
        assert one["evidence"] in " ".join(text.split())

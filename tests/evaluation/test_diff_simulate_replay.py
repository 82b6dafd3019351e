"""Differences have computed causes, a simulation touches nothing, and a replay from landing is identical."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from oneledger.evaluation.diffing import diff
from oneledger.evaluation.replaying import _lay_out_project, replay
from oneledger.evaluation.rules import load_rules, rules_hash
from oneledger.evaluation.runs import find_run
from oneledger.evaluation.simulating import simulate
from oneledger.settings import ConfigurationError

from .story import CORRECTION, DRAFT_RULES, Story, correct


def state_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not {"scratch", "logs"} & set(path.relative_to(folder).parts)
    }


def test_a_run_does_not_differ_from_itself(story: Story) -> None:
    assert not diff(story.settings, story.confirmed, story.confirmed)["has_differences"]
    assert story.installation.json("diff", story.confirmed, story.confirmed)["ok"]


def test_a_lower_band_raises_stars_by_rule_alone_and_moves_no_score(story: Story) -> None:
    found = diff(story.settings, story.confirmed, story.ruled)
    assert found["summary"]["causes"].keys() == {"rule"}
    assert found["summary"]["movements"].keys() == {"rose"}
    assert {(one["from"], one["to"]) for one in found["summary"]["transitions"]} == {("4", "5")}
    for item in found["items"]:
        assert 80 <= item["after"]["score"] < 85
        assert item["score_change"] == 0
        assert item["indicators"] == []


def test_a_correction_moves_its_app_by_data_alone_and_the_batch_with_its_reason_is_named(story: Story) -> None:
    found = diff(story.settings, story.confirmed, story.corrected)
    assert [item["app_id"] for item in found["items"]] == [story.app_id]
    item = found["items"][0]
    assert item["causes"] == ["data"]
    assert item["score_change"] > 0
    assert item["data_effect"] == item["score_change"]
    assert item["rule_effect"] == 0
    use = next(one for one in item["indicators"] if one["indicator_id"] == "use")
    assert use["causes"] == ["data"]
    assert use["after"]["numerator"] - use["before"]["numerator"] == 40_000
    assert use["after"]["weight"] == use["before"]["weight"]
    correction = found["corrections"][0]
    assert {key: correction[key] for key in CORRECTION} == CORRECTION
    assert correction["batch_id"] == "zheliban.usage.20220915.r002"
    assert item["corrections"] == ["zheliban.usage.20220915.r002"]
    assert found["batches"] == {"new_count": 1, "replaced_count": 1}


def test_when_data_and_rules_both_changed_each_gets_its_share_and_the_shares_add_up(story: Story) -> None:
    found = diff(story.settings, story.ruled, story.corrected)
    items = {item["app_id"]: item for item in found["items"]}
    assert "data" in items[story.app_id]["causes"]
    others = [item for app_id, item in items.items() if app_id != story.app_id]
    assert others and all(item["causes"] == ["rule"] and item["movement"] == "fell" for item in others)
    for item in found["items"]:
        assert item["data_effect"] + item["rule_effect"] == pytest.approx(item["score_change"], abs=1e-5)
        parts = sum(part["score_effect"] for part in item["indicators"])
        assert parts == pytest.approx(item["score_change"], abs=1e-4)


def test_a_simulation_says_who_gains_and_writes_nothing(story: Story, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yml"
    draft.write_text(DRAFT_RULES, "utf-8")
    before = state_of(story.home)
    answer = simulate(story.settings, draft, version=story.first_version)
    assert state_of(story.home) == before
    item = answer["items"][0]
    frozen = find_run(story.settings, story.ruled).record["distribution"]
    assert item["distribution"] == frozen
    assert item["rose_count"] == frozen["5"] - answer["base"]["distribution"]["5"] > 0
    assert item["fell_count"] == 0
    risen = {one["app_id"] for one in item["apps"]}
    assert risen == {one["app_id"] for one in diff(story.settings, story.confirmed, story.ruled)["items"]}


def test_many_drafts_are_each_compared_with_the_published_rules_not_with_the_draft_before(
    story: Story, tmp_path: Path
) -> None:
    drafts = tmp_path / "drafts.yml"
    drafts.write_text(
        "\n".join(
            f"- {{name: five from {score}, rules: {{star_band: [{{stars: 5, minimum_score: {score}}}]}}}}"
            for score in (80, 90, 85)
        ),
        "utf-8",
    )
    lower, higher, same = simulate(story.settings, drafts)["items"]
    assert lower["name"] == "five from 80"
    assert lower["rose_count"] > 0 and lower["fell_count"] == 0
    assert higher["fell_count"] > 0 and higher["rose_count"] == 0
    assert same["apps"] == []


def test_weights_that_do_not_add_to_100_are_refused_unless_they_are_rescaled(story: Story, tmp_path: Path) -> None:
    draft = tmp_path / "heavy.yml"
    draft.write_text("indicator:\n  - {indicator_id: satisfaction, family: operations, weight: 45}\n", "utf-8")
    answer = story.installation.json("simulate", "--rules", str(draft), expected_code=1)
    problem = answer["items"][0]["problems"][0]
    assert "the weights of operations, service, add up to 120" in problem["problem"]
    assert (problem["column"], problem["expected"]) == ("weight", "100")
    assert problem["remedy"] == "Take off 20 points among these indicators"
    refused = story.installation.oneledger("evaluate", "--rules", str(draft), expected_code=2)
    assert "add up to 120" in " ".join(refused.stderr.split())
    rescaled = story.installation.json("simulate", "--rules", str(draft), "--rescale")
    assert rescaled["items"][0]["changed_scores_count"] > 0


def test_a_replay_of_the_confirmed_run_is_identical_though_the_data_were_delivered_again_since(story: Story) -> None:
    assert story.second_version != story.first_version
    lines: list[str] = []
    before = state_of(story.home / "landing") | state_of(story.home / "published")
    answer = replay(story.settings, story.confirmed, progress=lines.append)
    assert answer["ok"], [item for item in answer["items"] if not item["ok"]]
    assert answer["changed_since"] == []
    assert {item["table"] for item in answer["items"]} >= {"evaluation.app_stars", "evaluation.indicator_points"}
    assert any("identical" in line for line in lines)
    assert state_of(story.home / "landing") | state_of(story.home / "published") == before
    assert not list(story.settings.scratch_dir.glob("replay-*"))


def test_a_replay_is_laid_out_with_the_rules_and_metrics_of_the_run_though_the_project_changed_them_since(
    story: Story, tmp_path: Path
) -> None:
    project = tmp_path / "changed" / "dbt_project"
    shutil.copytree(story.settings.dbt_project_dir, project, ignore=shutil.ignore_patterns("target", "logs"))
    metrics = project / "macros" / "metrics.sql"
    metrics.write_text(
        metrics.read_text("utf-8").replace("sum(fact.visitors_count)", "max(fact.visitors_count)"), "utf-8"
    )
    (project / "seeds" / "star_band.csv").write_text("stars\n", "utf-8")
    home = dataclasses.replace(story.settings, project_root=tmp_path / "home")
    run = find_run(story.settings, story.confirmed)
    _lay_out_project(dataclasses.replace(story.settings, project_root=tmp_path / "changed"), home, run)
    assert rules_hash(load_rules(home.dbt_project_dir / "seeds")) == run.record["rules_hash"]
    assert rules_hash(load_rules(project / "seeds")) != run.record["rules_hash"]


def test_a_replay_needs_every_batch_and_names_the_one_that_is_gone(changed_story: Story) -> None:
    gone = changed_story.home / "landing" / "zheliban" / "usage" / "20220915" / "r001" / "manifest.json"
    gone.unlink()
    with pytest.raises(ConfigurationError, match=r"Batch zheliban\.usage\.20220915\.r001 is not in"):
        replay(changed_story.settings, changed_story.confirmed)


def test_a_reason_that_says_nothing_is_refused_and_the_delivery_is_not_landed(changed_story: Story) -> None:
    correct(changed_story.home, {"reason": "", "reference": "17"})
    city = changed_story.installation
    with city.served() as connections:
        done = city.oneledger("ingest", "zheliban", expected_code=None, **connections)
    told = " ".join((done.stdout + done.stderr).split())
    assert "it must be a JSON object with the texts reason, reference, name" in told
    assert not (changed_story.home / "landing" / "zheliban" / "usage" / "20220915" / "r003").exists()

"""Runs are drafts until a person decides; what is confirmed never changes, and one changed byte is found."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from oneledger.evaluation.deciding import DecisionRefusedError, confirm, reject
from oneledger.evaluation.runs import describe, find_run, preferred_run, verify
from oneledger.publishing.published_state import is_all_published

from .story import Story


def test_the_first_round_gives_the_published_distribution_and_says_what_it_was_made_of(story: Story) -> None:
    run = describe(find_run(story.settings, story.confirmed))
    assert run["state"] == "confirmed"
    assert run["distribution"] == {"5": 28, "4": 40, "3": 82, "none": 48, "withheld": 0}
    assert run["population"]["in_scope"] == 198
    assert all(run["population"]["left_out"].values())
    assert run["version"] == story.first_version
    assert run["run_id"].startswith("2022-Q3-")
    assert run["decision"]["name"] == "王敏"
    assert run["decision"]["reason"] == "各部门已核对"


def test_the_preferred_run_is_the_confirmed_one_though_drafts_are_newer(story: Story) -> None:
    chosen = preferred_run(story.settings)
    assert chosen is not None and chosen.run_id == story.confirmed


def test_everything_of_a_confirmed_run_is_read_only(story: Story) -> None:
    run = find_run(story.settings, story.confirmed)
    assert {path.stat().st_mode & 0o222 for path in (run.path, *run.path.rglob("*"))} == {0}
    assert verify(story.settings)["ok"]


@pytest.mark.parametrize(
    "file",
    [
        "results/app_stars.parquet",
        "rules/indicator.csv",
        "macros/metrics.sql",
        "batches.parquet",
        "run.json",
        "confirmation.json",
    ],
)
def test_one_changed_byte_of_a_confirmed_run_is_found_and_the_file_is_named(changed_story: Story, file: str) -> None:
    path = find_run(changed_story.settings, changed_story.confirmed).path / file
    content = path.read_bytes()
    # One letter or digit, so that JSON stays JSON.
    place = next(i for i in range(len(content) // 2, len(content)) if content[i : i + 1].isalnum())
    fresh = b"1" if content[place : place + 1] != b"1" else b"2"
    path.write_bytes(content[:place] + fresh + content[place + 1 :])
    try:
        answer = verify(changed_story.settings, changed_story.confirmed)
    except Exception as error:
        assert path.name in str(error)
        return
    assert not answer["ok"]
    assert answer["items"][0]["file"] in (file, "decision")
    assert answer["items"][0]["remedy"]
    assert verify(changed_story.settings, changed_story.ruled)["ok"]


def test_a_file_that_is_added_or_removed_is_found(changed_story: Story) -> None:
    run = find_run(changed_story.settings, changed_story.confirmed)
    (run.path / "results" / "more.parquet").write_bytes(b"x")
    assert verify(changed_story.settings, run.run_id)["items"][0]["file"] == "results/more.parquet"
    (run.path / "results" / "more.parquet").unlink()
    (run.path / "results" / "population.parquet").unlink()
    assert "is missing" in verify(changed_story.settings, run.run_id)["items"][0]["problem"]


def test_confirming_is_refused_twice_for_a_second_run_of_the_round_and_for_a_changed_draft(
    changed_story: Story,
) -> None:
    settings = changed_story.settings
    said = {"name": "王敏", "reason": "again"}
    with pytest.raises(DecisionRefusedError, match="was confirmed by 王敏"):
        confirm(settings, changed_story.confirmed, **said)
    with pytest.raises(DecisionRefusedError, match=f"--supersedes {changed_story.confirmed}"):
        confirm(settings, changed_story.corrected, **said)
    path = find_run(settings, changed_story.ruled).result_path("app_stars")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DecisionRefusedError, match=r"is not what was made: results/app_stars\.parquet"):
        confirm(settings, changed_story.ruled, supersedes=changed_story.confirmed, **said)


def test_a_run_that_supersedes_takes_the_place_of_the_one_before_and_has_to_be_published(changed_story: Story) -> None:
    settings = changed_story.settings
    assert is_all_published(settings)
    done = confirm(settings, changed_story.corrected, name="王敏", reason="申诉", supersedes=changed_story.confirmed)
    assert done.state == "confirmed"
    assert find_run(settings, changed_story.confirmed).state == "superseded"
    assert verify(settings)["ok"]
    assert not is_all_published(settings)


def test_a_rejected_run_stays_and_cannot_be_confirmed(changed_story: Story) -> None:
    assert reject(changed_story.settings, changed_story.ruled, name="王敏", reason="门槛未定").state == "rejected"
    with pytest.raises(DecisionRefusedError, match="was rejected by 王敏"):
        confirm(changed_story.settings, changed_story.ruled, name="王敏", reason="doch")


def test_a_period_whose_data_are_missing_is_stopped_by_the_gate_and_cannot_be_confirmed(changed_story: Story) -> None:
    """Nobody reported anything in the second quarter: the indicators have no data, and nobody gets bad stars for it."""
    answer = changed_story.installation.json("evaluate", "--period", "2022-Q2", expected_code=1)
    assert answer["state"] == "stopped"
    blocking = {one["check_id"] for one in answer["gate"]["results"] if one["blocks"]}
    assert blocking & {"indicator_coverage", "withheld_share"}
    assert answer["distribution"]["5"] == 0
    done = changed_story.installation.oneledger(
        "evaluate", "confirm", answer["run_id"], "--name", "王敏", "--reason", "trotzdem", expected_code=1
    )
    assert "the gate of the evaluation stopped it" in " ".join(done.stderr.split())


def test_the_nightly_takes_the_confirmed_run_over_into_the_warehouse_and_the_published_marts(story: Story) -> None:
    with duckdb.connect(str(story.home / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
        stars = connection.execute(
            "select evaluation_run_id, count(*), count(*) filter (where stars = 5) from confirmed.app_stars group by 1"
        ).fetchall()
    assert stars == [(story.confirmed, 198, 28)]
    with duckdb.connect() as connection:
        path = story.home / "published" / story.second_version / "marts.duckdb"
        connection.execute(f"attach '{path}' as published (read_only)")
        rows = connection.execute(
            "select run_id, state, confirmed_by, reason, version from published.evaluation.evaluation_run"
        ).fetchall()
    assert rows == [(story.confirmed, "confirmed", "王敏", "各部门已核对", story.first_version)]


def test_the_build_after_a_confirmation_shows_the_confirmed_money_as_frozen_and_beside_it_what_it_would_be_now(
    story: Story,
) -> None:
    confirmed = find_run(story.settings, story.confirmed).result_path("funding_share")
    with duckdb.connect() as connection:
        path = story.home / "published" / story.second_version / "marts.duckdb"
        connection.execute(f"attach '{path}' as published (read_only)")
        computed, unlike = connection.execute(
            "select count(*), count(*) filter (where not shown.is_frozen or shown.payable_cny <> run.payable_cny"
            " or shown.current_difference_cny <> shown.current_payable_cny - shown.payable_cny)"
            f" from read_parquet('{confirmed}') as run left join published.evaluation.funding_share as shown"
            " using (project_id, budget_year) where run.state = 'computed'"
        ).fetchall()[0]
        frozen = connection.execute(
            "select count(*) from published.evaluation.funding_share where is_frozen"
        ).fetchall()[0][0]
    assert computed == frozen > 0
    assert unlike == 0


def test_a_version_without_the_word_of_its_gates_is_not_evaluated(changed_story: Story) -> None:
    path: Path = changed_story.home / "published" / changed_story.second_version / "manifest.json"
    path.write_text(path.read_text("utf-8").replace('"is_open": true', '"is_open": false'), "utf-8")
    done = changed_story.installation.oneledger("evaluate", expected_code=2)
    assert "cannot be evaluated" in done.stderr
    assert "oneledger checks --failed" in done.stderr

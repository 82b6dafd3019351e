"""Pages of the evaluation: what a run says, who may decide, what moved between runs, a change of rules tried out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import yaml

from oneledger.evaluation import deciding
from oneledger.evaluation.diffing import diff
from oneledger.evaluation.runs import find_run
from oneledger.evaluation.simulating import simulate
from oneledger.locks.register import DECISION
from oneledger.settings import Settings
from tests.evaluation.story import Story, settings_of

from .conftest import ClientOf, app_over, client_of

LANGUAGES = ("zh", "en")


@pytest.fixture
def decidable(story: Story, tmp_path: Path) -> Settings:
    """The story's installation with runs and seals of its own, so that something can be decided."""
    for part in ("evaluations", "seals"):
        shutil.copytree(story.home / part, tmp_path / part)
        for path in (tmp_path / part).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "published").symlink_to(story.home / "published")
    return settings_of(tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", ["/evaluation", "/evaluation/compare", "/evaluation/simulate"])
def test_every_page_answers_in_both_languages(client: ClientOf, address: str, language: str) -> None:
    answer = client("viewer").get(address, params={"lang": language})
    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in answer.text


def test_every_run_is_listed_with_its_state_and_who_decided(client: ClientOf, story: Story) -> None:
    text = client("viewer").get("/evaluation?lang=zh").text
    for run_id in (story.confirmed, story.ruled, story.corrected):
        assert f"/evaluation/runs/{run_id}" in text
    assert "王敏" in text and "各部门已核对" in text


def test_a_run_shows_what_it_was_made_of_and_how_to_replay_it(client: ClientOf, story: Story) -> None:
    record = find_run(story.settings, story.confirmed).record
    text = client("viewer").get(f"/evaluation/runs/{story.confirmed}?lang=en").text
    for part in (record["rules_hash"], record["version"], record["content_hash"], record["seal"]):
        assert part in text
    assert f"oneledger replay {story.confirmed}" in text


def test_the_results_are_those_of_the_run(client: ClientOf, story: Story) -> None:
    run = find_run(story.settings, story.corrected)
    with duckdb.connect() as connection:
        expected = connection.execute(
            f"select app_id, score from read_parquet('{run.result_path('app_stars')}') where stars = 5"
            " order by score desc, app_id limit 50"
        ).fetchall()
    text = client("viewer").get(f"/evaluation/runs/{story.corrected}?stars=5&lang=en").text
    assert re.findall(r'<span class="sub">(A\d+)</span>', text) == [app_id for app_id, _ in expected]
    assert re.findall(r">(\d+\.\d\d)</a>", text) == [f"{score:.2f}" for _, score in expected]


def test_the_results_are_searched_by_name_and_by_id(client: ClientOf, story: Story) -> None:
    address = f"/evaluation/runs/{story.confirmed}"
    for_id = client("viewer").get(address, params={"q": story.app_id}).text
    assert re.findall(r'<span class="sub">(A\d+)</span>', for_id) == [story.app_id]
    assert "没有符合条件的应用" in client("viewer").get(address, params={"q": "没有这样的应用", "lang": "zh"}).text


def test_the_results_are_taken_away_as_they_are_filtered(client: ClientOf, story: Story, tmp_path: Path) -> None:
    run = find_run(story.settings, story.confirmed)
    answer = client("viewer").get(f"/evaluation/runs/{story.confirmed}/results.csv?stars=4")
    assert answer.headers["content-type"].startswith("text/csv")
    assert story.confirmed in answer.headers["content-disposition"]
    path = tmp_path / "results.csv"
    path.write_bytes(answer.content)
    with duckdb.connect() as connection:
        given = connection.execute(f"select app_id, round(score, 9) from read_csv('{path}') order by app_id").fetchall()
        expected = connection.execute(
            f"select app_id, round(score, 9) from read_parquet('{run.result_path('app_stars')}') where stars = 4"
            " order by app_id"
        ).fetchall()
    assert given == expected != []


@pytest.mark.parametrize(
    "address",
    [
        "/evaluation/runs/{run}?stars=6",
        "/evaluation/runs/{run}/results.csv?sort=1",
        "/evaluation/runs/{run}?sort=score;drop",
        "/evaluation/runs/{run}?page=0",
        "/evaluation/compare?movement=sideways",
        "/evaluation/compare?first=%27%20or%201",
        "/evaluation/simulate?family=unknown",
        "/evaluation/simulate?weight.application_system.all.nothing=3",
        "/evaluation/simulate?weight.application_system.all.satisfaction=many",
        "/evaluation/simulate?stars.5=101",
        "/evaluation/simulate?stars.5=nan",
        "/evaluation/simulate?rescale=maybe",
    ],
)
def test_a_wrong_parameter_is_told_with_what_was_expected(client: ClientOf, story: Story, address: str) -> None:
    answer = client("viewer").get(address.format(run=story.confirmed))
    assert answer.status_code == 422
    assert "Traceback" not in answer.text
    assert "应为" in answer.text


def test_an_unknown_run_is_not_found(client: ClientOf) -> None:
    for address in ("/evaluation/runs/2020-Q1-nothing", "/evaluation/compare?first=2020-Q1-nothing"):
        answer = client("viewer").get(address)
        assert answer.status_code == 404
        assert "没有这次评价运行" in answer.text


def test_nobody_reads_no_run(client: ClientOf, story: Story) -> None:
    answer = client(None).get(f"/evaluation/runs/{story.confirmed}")
    assert answer.status_code == 303
    assert story.confirmed not in answer.text


# The decision


def test_only_an_engineer_sees_the_form_of_a_draft(client: ClientOf, story: Story) -> None:
    address = f"/evaluation/runs/{story.corrected}"
    assert f'action="{address}/decision"' in client("engineer").get(address).text
    for role in ("viewer", "auditor"):
        assert "/decision" not in client(role).get(address).text
    assert "/decision" not in client("engineer").get(f"/evaluation/runs/{story.confirmed}").text


def test_an_engineer_confirms_a_draft_with_name_and_reason(decidable: Settings, story: Story) -> None:
    client = client_of(app_over(decidable), "engineer")
    address = f"/evaluation/runs/{story.corrected}"
    form = {"decision": "confirm", "name": "李强", "reason": "申诉核实", "supersedes": story.confirmed}
    answer = client.post(f"{address}/decision", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{address}?decided=confirmed")
    run = find_run(decidable, story.corrected)
    assert (run.state, run.decision["name"], run.decision["reason"]) == ("confirmed", "李强", "申诉核实")
    assert run.decision["through"] == {"way": "web", "visitor": "engineer", "role": "engineer"}
    assert find_run(decidable, story.confirmed).state == "superseded"
    after = client.get(answer.headers["location"]).text
    assert "已记录您的决定" in after and "申诉核实" in after
    assert story.corrected in client.get(f"/evaluation/runs/{story.confirmed}").text


def test_a_rejected_draft_stays_with_its_reason(decidable: Settings, story: Story) -> None:
    client = client_of(app_over(decidable), "engineer")
    address = f"/evaluation/runs/{story.ruled}"
    form = {"decision": "reject", "name": "李强", "reason": "规则未经批准"}
    assert client.post(f"{address}/decision", data=form).status_code == 303
    assert find_run(decidable, story.ruled).state == "rejected"
    assert "规则未经批准" in client.get(address).text


def test_a_second_decision_is_told_that_somebody_decided_meanwhile(decidable: Settings, story: Story) -> None:
    client = client_of(app_over(decidable), "engineer")
    form = {"decision": "reject", "name": "李强", "reason": "规则未经批准"}
    assert client.post(f"/evaluation/runs/{story.ruled}/decision", data=form).status_code == 303
    answer = client.post(f"/evaluation/runs/{story.ruled}/decision", data={**form, "decision": "confirm"})
    assert answer.status_code == 409
    assert "规则未经批准" in answer.text


def test_a_decision_while_another_is_being_sealed_waits_and_then_says_who_is_at_it_and_decides_nothing(
    decidable: Settings, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "DECISION", dataclasses.replace(DECISION, wait_seconds=0.1))
    form = {"decision": "reject", "name": "李强", "reason": "规则未经批准"}
    with DECISION.held(decidable, run_id="theirs", step="confirm"):
        client = client_of(app_over(decidable), "engineer")
        answer = client.post(f"/evaluation/runs/{story.ruled}/decision", data=form)
    assert answer.status_code == 409
    assert "run theirs, step confirm" in answer.text
    assert str(decidable.home) not in answer.text
    assert find_run(decidable, story.ruled).state == "draft"


def test_a_draft_that_would_replace_a_result_unsaid_is_refused(decidable: Settings, story: Story) -> None:
    form = {"decision": "confirm", "name": "李强", "reason": "申诉核实"}
    answer = client_of(app_over(decidable), "engineer").post(f"/evaluation/runs/{story.corrected}/decision", data=form)
    assert answer.status_code == 409
    assert story.confirmed in answer.text
    assert find_run(decidable, story.corrected).state == "draft"


@pytest.mark.parametrize(
    "wrong", [{"reason": ""}, {"reason": "   "}, {"name": " "}, {"decision": "maybe"}, {"reason": "长" * 501}]
)
def test_a_decision_without_name_or_reason_is_refused(
    decidable: Settings, story: Story, wrong: dict[str, str]
) -> None:  # fmt: skip
    form = {"decision": "reject", "name": "李强", "reason": "规则未经批准", **wrong}
    answer = client_of(app_over(decidable), "engineer").post(f"/evaluation/runs/{story.ruled}/decision", data=form)
    assert answer.status_code == 422
    assert find_run(decidable, story.ruled).state == "draft"


def test_nobody_but_an_engineer_decides(decidable: Settings, story: Story) -> None:
    app = app_over(decidable)
    form = {"decision": "reject", "name": "李强", "reason": "规则未经批准"}
    address = f"/evaluation/runs/{story.ruled}/decision"
    assert client_of(app, "viewer").post(address, data=form).status_code == 403
    assert client_of(app, "auditor").post(address, data=form).status_code == 403
    assert client_of(app, None).post(address, data=form).status_code == 401
    assert find_run(decidable, story.ruled).state == "draft"


def test_another_sites_form_decides_nothing(decidable: Settings, story: Story) -> None:
    engineer = client_of(app_over(decidable), None)
    token = client_of(app_over(decidable), "engineer").headers["authorization"].removeprefix("Bearer ")
    engineer.post("/login", data={"token": token})
    form = {"decision": "reject", "name": "李强", "reason": "规则未经批准"}
    answer = engineer.post(
        f"/evaluation/runs/{story.ruled}/decision", data=form, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert find_run(decidable, story.ruled).state == "draft"


# Two runs


def test_the_comparison_names_who_moved_and_why(client: ClientOf, story: Story) -> None:
    answer = diff(story.settings, story.confirmed, story.ruled)
    query = {"first": story.confirmed, "second": story.ruled, "movement": "rose", "lang": "en"}
    text = client("viewer").get("/evaluation/compare", params=query).text
    rose = {one["app_id"] for one in answer["items"] if one["movement"] == "rose"}
    assert rose
    assert set(re.findall(r'<span class="sub">(A\d+)</span>', text)) == rose
    assert "same data" in text and "other rules" in text


def test_the_matrix_counts_every_app_of_both_runs(client: ClientOf, story: Story) -> None:
    query = {"first": story.confirmed, "second": story.ruled, "lang": "en"}
    text = client("viewer").get("/evaluation/compare", params=query).text
    matrix = re.search(r'<table class="matrix">(.*?)</table>', text, re.DOTALL)
    assert matrix
    counted = sum(int(count) for count in re.findall(r'<td class="number[^"]*">(\d+)</td>', matrix[1]))
    assert counted == find_run(story.settings, story.confirmed).record["population"]["in_scope"]


def test_a_run_compared_with_itself_does_not_differ(client: ClientOf, story: Story) -> None:
    query = {"first": story.confirmed, "second": story.confirmed, "lang": "zh"}
    assert "没有差异" in client("viewer").get("/evaluation/compare", params=query).text


# A change of rules tried out


@pytest.fixture
def published_weight(client: ClientOf) -> Callable[[str], float]:
    """The published weight of an input of the form."""
    text = client("viewer").get("/evaluation/simulate?family=application_system").text
    return lambda name: float(re.search(rf'id="{re.escape(name)}"[^>]*data-published="([\d.]+)"', text)[1])  # type: ignore[index]


def test_lower_star_lines_give_what_simulate_gives_for_the_same_draft(
    client: ClientOf, story: Story, tmp_path: Path
) -> None:
    draft = client("viewer").get("/evaluation/simulate/draft.yml?stars.5=80")
    assert draft.headers["content-type"].startswith("application/yaml")
    assert yaml.safe_load(draft.text) == {"star_band": [{"stars": 5, "minimum_score": 80}]}
    path = tmp_path / "draft.yml"
    path.write_text(draft.text, "utf-8")
    expected = simulate(story.settings, path)["items"][0]
    text = client("viewer").get("/evaluation/simulate?stars.5=80&lang=en").text
    shown = re.findall(r'<span class="value">(\d+)<span class="unit"> apps', text)
    assert [int(count) for count in shown] == [
        expected[name] for name in ("rose_count", "fell_count", "higher_scores_count", "lower_scores_count")
    ]
    assert expected["rose_count"] > 0


def test_a_sum_that_is_not_100_is_refused_as_the_validator_says_it(
    client: ClientOf, published_weight: Callable[[str], float]
) -> None:
    name = "weight.application_system.all.satisfaction"
    more = published_weight(name) + 10
    answer = client("viewer").get("/evaluation/simulate", params={name: more, "lang": "zh"})
    assert answer.status_code == 422
    assert "the weights of application_system, service, add up to 110" in answer.text
    assert "权重合计 110，应为 100" in answer.text
    assert client("viewer").get("/evaluation/simulate/draft.yml", params={name: more}).status_code == 422


def test_rescaled_weights_are_computed_and_make_a_sound_draft(
    client: ClientOf, story: Story, published_weight: Callable[[str], float], tmp_path: Path
) -> None:
    name = "weight.application_system.all.satisfaction"
    query = {name: published_weight(name) + 10, "rescale": "yes"}
    assert client("viewer").get("/evaluation/simulate", params=query).status_code == 200
    path = tmp_path / "draft.yml"
    path.write_text(client("viewer").get("/evaluation/simulate/draft.yml", params=query).text, "utf-8")
    assert simulate(story.settings, path)["ok"]


def test_weights_changed_in_another_family_are_kept_while_one_is_shown(client: ClientOf) -> None:
    query = {"family": "operations", "weight.application_system.all.satisfaction": 8, "stars.5": 80}
    text = client("viewer").get("/evaluation/simulate", params=query).text
    assert '<input type="hidden" name="weight.application_system.all.satisfaction" value="8">' in text


def test_nothing_changed_computes_nothing_and_has_no_draft(client: ClientOf) -> None:
    assert 'id="result"' not in client("viewer").get("/evaluation/simulate").text
    assert client("viewer").get("/evaluation/simulate/draft.yml").status_code == 404


def test_a_simulation_writes_nothing(client: ClientOf, story: Story) -> None:
    def files() -> set[tuple[str, float]]:
        evaluations = story.home / "evaluations"
        return {(str(path), path.stat().st_mtime) for path in evaluations.rglob("*")}

    before = files()
    begun = dt.datetime.now(dt.UTC)
    assert client("viewer").get("/evaluation/simulate?stars.4=70").status_code == 200
    assert files() == before
    # Generous: a loaded machine computes it with everything else.
    assert (dt.datetime.now(dt.UTC) - begun).total_seconds() < 20


def test_before_any_run_the_page_shows_what_the_nightly_computed(story: Story, tmp_path: Path) -> None:
    (tmp_path / "published").symlink_to(story.home / "published")
    client = client_of(app_over(settings_of(tmp_path)), "viewer")
    with duckdb.connect() as connection:
        marts = story.home / "published" / "current" / "marts.duckdb"
        connection.execute(f"attach '{marts}' as version (read_only)")
        five = connection.execute("select count(*) from version.evaluation.app_stars where stars = 5").fetchall()[0][0]
    text = client.get("/evaluation?lang=en").text
    assert "nobody froze or confirmed them" in text
    assert re.search(rf'5 stars</span>\s*<span class="value">{five}<', text)
    assert "oneledger evaluate" in text
    assert client.get("/evaluation/compare").status_code == 200

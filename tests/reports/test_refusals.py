"""`oneledger report` as a person types it: what it refuses, and what it says to do instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from oneledger.cli import app, main
from oneledger.evaluation.deciding import reject
from oneledger.reports import make_report
from oneledger.settings import ConfigurationError
from tests.evaluation.story import Story


@pytest.fixture
def story_copy(story: Story, tmp_path: Path) -> Story:
    return story.copy(tmp_path / "home")


def without_confirmation(story: Story) -> Story:
    """As it was before anybody decided."""
    (story.home / "evaluations" / story.confirmed / "confirmation.json").unlink()
    return story


def test_when_nothing_is_confirmed_it_says_what_to_type(story_copy: Story) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_report(without_confirmation(story_copy).settings)
    assert "No evaluation is confirmed yet" in str(refused.value)
    assert f"oneledger evaluate confirm {story_copy.corrected} --name" in str(refused.value)


def test_when_there_is_not_even_a_draft_it_says_how_to_make_one(story: Story, tmp_path: Path) -> None:
    empty = Story(**{**vars(story), "home": tmp_path})
    with pytest.raises(ConfigurationError, match="Make one: oneledger evaluate;"):
        make_report(empty.settings)


def test_a_draft_is_refused_because_drafts_are_not_circulated(story: Story) -> None:
    with pytest.raises(ConfigurationError, match="drafts are not circulated") as refused:
        make_report(story.settings, story.ruled)
    assert "--draft" in str(refused.value)
    assert not (story.home / "reports" / story.ruled).exists()


def test_a_rejected_run_gets_no_report_even_as_a_draft(story_copy: Story) -> None:
    reject(story_copy.settings, story_copy.ruled, name="王敏", reason="规则未获批准")
    with pytest.raises(ConfigurationError, match="was rejected by 王敏: 规则未获批准"):
        make_report(story_copy.settings, story_copy.ruled, is_draft_allowed=True)


def test_a_run_that_was_changed_since_is_not_reported(story_copy: Story) -> None:
    path = story_copy.home / "evaluations" / story_copy.confirmed / "results" / "app_stars.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(ConfigurationError, match=r"is not what was sealed: results/app_stars\.parquet"):
        make_report(story_copy.settings)
    assert not (story_copy.home / "reports").exists()


def test_a_run_that_there_is_not_is_named_with_those_that_there_are(story: Story) -> None:
    with pytest.raises(ConfigurationError, match="'2031-Q1' is no evaluation run") as refused:
        make_report(story.settings, "2031-Q1")
    assert story.confirmed in str(refused.value)


def test_a_file_in_the_place_of_the_folder_is_named_before_anything_is_computed(story: Story, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", "utf-8")
    with pytest.raises(ConfigurationError, match=r"out is no folder\. Choose another with --out"):
        make_report(story.settings, out=tmp_path / "out" / "reports")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--language", "fr"], "--language takes zh, en or both"),
        (["--format", "odt"], "--format takes html, pdf, docx, xlsx"),
        (["--format", ","], "--format takes html, pdf, docx, xlsx"),
    ],
)
def test_a_language_or_format_that_there_is_not_ends_with_2_and_names_those_that_there_are(
    options: list[str], said: str
) -> None:
    done = asked(*options)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_one_file_in_another_folder_is_written_and_not_sealed(
    story_copy: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONELEDGER_HOME", str(story_copy.home))
    out = tmp_path / "out"
    answer = json.loads(asked("--language", "zh", "--format", "html", "--out", str(out), "--json").stdout)
    assert answer["ok"]
    assert not answer["is_sealed"]
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == [
        "circular-2022-Q3.zh.html", "report.json"
    ]  # fmt: skip
    assert not (story_copy.home / "reports").exists()
    assert json.loads(asked("list", "--json").stdout) == {"ok": True, "items": []}


def asked(*arguments: str) -> Result:
    """Type `oneledger report …`."""
    if not app.registered_groups:
        # The verbs are registered when the program starts.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.argv", ["oneledger", "--help"])
            with pytest.raises(SystemExit):
                main()
    return CliRunner().invoke(app, ["report", *arguments])

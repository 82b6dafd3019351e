"""Any published version can be asked: by its name, or as of the end of a day in the city."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oneledger.cli import ROOMS, app
from oneledger.publishing.reconcile import reconcile
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError
from tests.audit.small_history import History, start


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Published on the evening of 2 November, and a minute before midnight of 4 November in the city."""
    made = start(tmp_path, monkeypatch)
    made.publish("2022-11-02T20:00:00+08:00")
    made.deliver("2022-10-02", 40)
    made.publish("2022-11-04T23:59:00+08:00")
    monkeypatch.setenv("ONELEDGER_HOME", str(made.settings.home))
    monkeypatch.setenv("ONELEDGER_PROJECT_ROOT", str(made.settings.project_root))
    return made


@pytest.mark.parametrize(
    ("day", "stamp"),
    [("2022-11-02", "20221102T120000"), ("2022-11-03", "20221102T120000"), ("2022-11-04", "20221104T155900"),
     ("2022-12-31", "20221104T155900")],
)  # fmt: skip
def test_a_day_is_answered_by_the_version_that_was_current_when_it_ended_in_the_city(
    history: History, day: str, stamp: str
) -> None:
    assert resolve(history.settings, as_of=dt.date.fromisoformat(day)).version.startswith(stamp)


def test_before_the_first_publication_the_answer_says_which_version_is_the_first(history: History) -> None:
    with pytest.raises(ConfigurationError, match=r"Nothing was published by the end of 2022-11-01.*20221102T120000"):
        resolve(history.settings, as_of=dt.date(2022, 11, 1))


def test_a_version_and_a_day_together_are_refused(history: History) -> None:
    with pytest.raises(ConfigurationError, match="two answers to one question"):
        reconcile(history.settings, "20221102", as_of=dt.date(2022, 11, 3))


def oneledger(*arguments: str) -> str:
    import importlib

    if not app.registered_commands:
        for room in ROOMS:
            importlib.import_module(f"oneledger.cli.{room}").register(app)
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("where", "visitors", "stamp"),
    [(("--as-of", "2022-11-03"), 180, "20221102T120000"), (("--version", "20221102T"), 180, "20221102T120000"),
     ((), 300, "20221104T155900")],
)  # fmt: skip
def test_reading_verbs_answer_from_the_version_that_is_asked_for_and_say_which(
    history: History, tmp_path: Path, where: tuple[str, ...], visitors: int, stamp: str
) -> None:
    sql = "select sum(visitors_count)::bigint as visitors from facts.fct_app_usage_day"
    answer = json.loads(oneledger("query", sql, *where, "--json"))
    assert answer["items"] == [{"visitors": visitors}]
    assert answer["version"].startswith(stamp)
    out = tmp_path / "out.csv"
    made = json.loads(oneledger("export", "--sql", sql, "--out", str(out), *where, "--json"))
    assert out.read_text("utf-8-sig").split() == ['"visitors"', str(visitors)]
    assert made["version"] == answer["version"]
    shown = [*where[1:]] if where[:1] == ("--version",) else [*where]
    assert json.loads(oneledger("versions", "show", *shown, "--json"))["items"][0]["version"] == answer["version"]

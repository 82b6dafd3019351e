"""The verb ``ingest`` as a person types it: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from oneledger.cli import ingest
from oneledger.settings import ConfigurationError

CATALOGUE = """\
version: 1
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        files: {pattern: 'u_(?P<business_date>\\d{8})\\.csv'}
        natural_key: [app_id]
        columns:
          app_id: {from: app, type: text, required: true}
  archive:
    connector: delimited
    connection: archive_drop
    optional: true
    defaults: {delivery: partition}
    entities:
      usage:
        files: {pattern: 'a_(?P<business_date>\\d{8})\\.csv'}
        natural_key: [app_id]
        columns:
          app_id: {from: app, type: text, required: true}
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    (tmp_path / "sources.yml").write_text(CATALOGUE, encoding="utf-8")
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "u_20221031.csv").write_text("app\nA1\nA2\n", encoding="utf-8")
    monkeypatch.setenv("ONELEDGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ONELEDGER_CATALOGUE", str(tmp_path / "sources.yml"))
    monkeypatch.setenv("AIRFLOW_CONN_PORTAL_DROP", (tmp_path / "drop").as_uri())
    command_line = typer.Typer()
    ingest.register(command_line)
    command_line.command("another")(lambda: None)
    return command_line


def run(app: typer.Typer, *arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["ingest", *arguments, "--json"])
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def test_a_dry_run_says_what_would_be_taken_and_takes_nothing(app: typer.Typer, tmp_path: Path) -> None:
    answer = run(app, "--dry-run")
    assert answer["items"][0]["files"] == ["u_20221031.csv"]
    assert not (tmp_path / "home" / "raw").exists()
    assert run(app)["items"][1]["received_count"] == 2
    assert run(app, "--dry-run")["items"][0]["files"] == []


def test_an_optional_source_without_a_connection_takes_no_part(app: typer.Typer) -> None:
    assert {item["source"] for item in run(app)["items"]} == {"portal"}


def test_a_refused_delivery_ends_with_1_and_says_problem_expected_and_remedy(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "drop" / "u_20221030.csv").write_text("application\nA1\n", encoding="utf-8")
    answer = run(app, "portal", code=1)
    assert answer["ok"] is False
    failed = next(item for item in answer["items"] if item["verdict"] == "failed")
    assert failed["problem"]
    assert failed["expected"]
    assert "from: application" in failed["remedy"]
    assert any(item["verdict"] == "good" for item in answer["items"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["prtal"], "no source 'prtal'; it has archive, portal"), (["portal", "--entity", "user"], "no entity 'user'"),
     (["archive"], "AIRFLOW_CONN_ARCHIVE_DROP is not set")],
)  # fmt: skip
def test_a_wrong_name_or_connection_is_a_configuration_error(
    app: typer.Typer, arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, ["ingest", *arguments])
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)


def test_the_help_shows_examples(app: typer.Typer) -> None:
    assert "oneledger ingest irs --entity app" in CliRunner().invoke(app, ["ingest", "--help"]).stdout

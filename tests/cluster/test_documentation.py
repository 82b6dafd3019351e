"""docs/cluster.md names every service, secret, volume and command that exists, and no others."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from oneledger_airflow.cluster import EXAMPLES, PROGRAM, main
from oneledger_airflow.compose import Service
from tests.cluster.conftest import ROOT

CHAPTER = (ROOT / "docs" / "cluster.md").read_text("utf-8")


def test_every_service_has_its_place_in_the_table(services: dict[str, Service]) -> None:
    table = CHAPTER.split("## What runs where")[1].split("Which task goes where")[0]
    named = set(re.findall(r"`([\w-]+)`", "".join(row.split("|")[1] for row in table.splitlines() if row[:1] == "|")))
    assert named - {"docker-compose.yml", "pages"} == set(services)


def test_every_secret_and_volume_is_explained(compose: dict[str, Any]) -> None:
    table = CHAPTER.split("## Secrets")[1].split("The folder is")[0]
    first = "".join(row.split("|")[1] for row in table.splitlines() if row[:1] == "|")
    assert set(re.findall(r"`(\w+)`", first)) == set(compose["secrets"])
    assert all(f"`{name}`" in CHAPTER for name in compose["volumes"])


def test_every_variable_that_the_compose_file_asks_for_is_documented() -> None:
    asked = set(re.findall(r"\$\{(ONELEDGER_\w+)", (ROOT / "docker-compose.yml").read_text("utf-8")))
    told = CHAPTER + "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("operations.md", "pages.md"))
    assert {name for name in asked if name not in told} == set()


def test_every_command_of_the_cluster_is_shown_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for example in EXAMPLES:
        verb = example.split()[0]
        assert f"{PROGRAM} {verb}" in CHAPTER
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0
    assert "secrets" in capsys.readouterr().out


def test_an_unknown_verb_is_a_mistake_of_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oneledger_airflow.cluster", "down"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "invalid choice: 'down'" in done.stderr


def test_limits_in_the_table_of_sizes_are_those_of_the_file(services: dict[str, Service]) -> None:
    table = CHAPTER.split("## Sizing")[1].split("What a night takes")[0]
    told = {}
    for row in table.splitlines():
        for name in re.findall(r"`([\w-]+)`", row.split("|")[1]) if row[:1] == "|" else []:
            told[name] = re.findall(r"(\d+) (GB|MB)", row.split("|")[2])
    limits = {name: one.definition["deploy"]["resources"]["limits"]["memory"] for name, one in services.items()}
    for name, found in told.items():
        said = {f"{number}{unit[0].lower()}" for number, unit in found}
        assert limits[name] in said, name


def test_the_chapter_and_the_readme_know_each_other() -> None:
    assert "(docs/cluster.md)" in (ROOT / "README.md").read_text("utf-8")
    for name in re.findall(r"\(([\w-]+\.md)\)", CHAPTER):
        assert (ROOT / "docs" / name).exists(), name

"""Pages that were made once are given again: to whom, how long, and what makes them anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from oneledger.settings import Settings
from oneledger.web.app import create_app
from oneledger.web.remembered import Shelf
from oneledger.web.tokens import TOKENS_VARIABLE, token_access
from tests.evaluation.story import Story, settings_of

PEOPLE = {"王敏": "viewer", "<b>李华": "viewer", "赵强": "engineer"}
_TOKENS = {name: f"token-of-{number}-0123456789" for number, name in enumerate(PEOPLE)}


@pytest.fixture
def installation(story: Story, tmp_path: Path) -> Settings:
    """What the pages of the story read, to change."""
    for part in ("published", "evaluations", "seals", "outcomes"):
        shutil.copytree(story.home / part, tmp_path / part, symlinks=True)
    for path in (tmp_path / "evaluations").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return settings_of(tmp_path)


@pytest.fixture
def pages(installation: Settings) -> FastAPI:
    tokens = ",".join(f"{name}:{role}={_TOKENS[name]}" for name, role in PEOPLE.items())
    return create_app(installation, token_access({TOKENS_VARIABLE: tokens}))


@pytest.fixture
def made(pages: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each page or answer that is made, which is when a version is read."""
    counted: list[str] = []
    reading = pages.state.pool.reading

    @contextmanager
    def counting(*arguments: Any) -> Iterator[Any]:
        counted.append("read")
        with reading(*arguments) as opened:
            yield opened

    monkeypatch.setattr(pages.state.pool, "reading", counting)
    return counted


def asking(pages: FastAPI, name: str) -> TestClient:
    return TestClient(pages, headers={"Authorization": f"Bearer {_TOKENS[name]}"}, follow_redirects=False)


def test_a_page_is_made_once_and_everybody_reads_their_own_name(pages: FastAPI, made: list[str]) -> None:
    first, second = asking(pages, "王敏").get("/apps").text, asking(pages, "<b>李华").get("/apps").text
    assert len(made) == 1
    assert "王敏" in first
    assert "李华" not in first
    assert "&lt;b&gt;李华" in second
    assert "王敏" not in second
    assert first.replace("王敏", "") == second.replace("&lt;b&gt;李华", "")


def test_another_role_or_language_reads_a_page_of_its_own(pages: FastAPI, made: list[str]) -> None:
    asking(pages, "王敏").get("/apps")
    assert "运维" in asking(pages, "赵强").get("/apps").text
    assert "Log out" in asking(pages, "王敏").get("/apps", headers={"Accept-Language": "en"}).text
    assert len(made) == 3


def test_nobody_reads_what_was_made_for_somebody(pages: FastAPI) -> None:
    asking(pages, "王敏").get("/apps")
    answer = TestClient(pages, follow_redirects=False).get("/apps")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fapps")


def test_who_has_the_page_is_told_that_it_did_not_change(pages: FastAPI, made: list[str]) -> None:
    client = asking(pages, "王敏")
    etag = client.get("/projects").headers["ETag"]
    again = client.get("/projects", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, len(made)) == (304, b"", 1)
    assert asking(pages, "<b>李华").get("/projects", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("path", ["evaluations/{confirmed}/rejection.json", "seals/another.txt"])
def test_a_decision_or_a_seal_makes_pages_anew(
    pages: FastAPI, made: list[str], installation: Settings, story: Story, path: str
) -> None:
    client = asking(pages, "王敏")
    client.get("/apps")
    (installation.home / path.format(confirmed=story.confirmed)).with_suffix(".new").write_text("{}", "utf-8")
    client.get("/apps")
    assert len(made) == 2


def test_the_overview_is_made_anew_when_a_run_says_something(
    pages: FastAPI, made: list[str], installation: Settings
) -> None:
    client = asking(pages, "王敏")
    client.get("/")
    client.get("/")
    assert len(made) == 1
    newest = max(installation.outcomes_dir.iterdir())
    shutil.copy(min(newest.iterdir()), newest / "99991231T000000000000-00000000.json")
    client.get("/")
    assert len(made) == 2


def test_an_error_is_not_remembered_and_shows_the_name(pages: FastAPI, made: list[str]) -> None:
    client = asking(pages, "王敏")
    answers = [client.get("/apps/none") for _ in range(2)]
    assert [(answer.status_code, "王敏" in answer.text) for answer in answers] == [(404, True)] * 2
    assert len(made) == 2


def test_the_shelf_holds_no_more_than_it_may() -> None:
    shelf = Shelf(most_bytes=30)
    for name in ("a", "b", "c"):
        shelf.put(name, b"0123456789", {})
    assert shelf.get("a") is not None
    shelf.put("d", b"0123456789", {})
    assert [name for name in "abcd" if shelf.get(name)] == ["a", "c", "d"]
    shelf.put("old", b"", {}, seconds=-1)
    assert shelf.get("old") is None

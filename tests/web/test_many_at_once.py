"""Fifty people at once over real HTTP while a new version is published: nobody sees an error or a mixture."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import pytest
from fastapi import FastAPI

from oneledger.publishing.publish import recover
from oneledger.publishing.versions import CURRENT, NOT_YET_CURRENT
from oneledger.settings import Settings
from oneledger.web.listening import listen, server_of
from tests.evaluation.story import Story, settings_of
from tests.web.conftest import ROLES, TOKENS, app_over

PEOPLE = 50
ROUNDS = 2
# The drawing engine numbers the clips of all charts of a process.
_CLIP = re.compile(r"\bclip\d+")
_SHOWN = re.compile(r"(?:版本|version) <code>([^<]+)</code>")


@pytest.fixture
def half_told(story: Story, tmp_path: Path) -> Settings:
    """The story's installation before its second version was published."""
    home = tmp_path / "home"
    for part in ("published", "evaluations", "seals", "outcomes"):
        shutil.copytree(story.home / part, home / part, symlinks=True)
    published = home / "published"
    (published / story.second_version).rename(home / "coming")
    (published / CURRENT).unlink()
    (published / CURRENT).symlink_to(story.first_version)
    return settings_of(home)


@pytest.fixture
def address(half_told: Settings) -> Iterator[str]:
    """Where its pages are served, by a real server on a real socket."""
    yield from _served(app_over(half_told))


def test_many_people_see_one_version_or_the_other_while_a_new_one_is_published(
    half_told: Settings, address: str, story: Story
) -> None:
    answers = asyncio.run(_all_look(half_told, address, story))
    assert [(path, status) for path, status, _, _ in answers if status != 200] == []
    versions = {story.first_version, story.second_version}
    assert {version for _, _, version, _ in answers} == versions
    assert {version for _, _, version, _ in answers[-len(ROLES) :]} == {story.second_version}
    # Equal addresses and roles read equal bytes, whichever of the two versions they say they are of.
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path, _, version, text in answers:
        told[path, version].add(text)
    assert {key for key, texts in told.items() if len(texts) > 1} == set()
    # What the correction between the two changed is in no answer that says it is of the other one.
    for version in versions:
        wanted = _visitors(half_told, version, story.app_id)
        assert told[f"{_usage_of(story)} viewer", version] or told[f"{_usage_of(story)} auditor", version]
        for (path, said), texts in told.items():
            if path.startswith(_usage_of(story)) and said == version:
                assert all(f'"visitors_count":{wanted},' in text for text in texts), (path, version)


def test_one_too_many_is_told_when_to_come_again(published_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneledger.web.queueing.MOST_AT_ONCE", 0)
    for address in _served(app_over(published_home)):
        headers = {"Authorization": f"Bearer {TOKENS['viewer']}"}
        page = httpx.get(f"{address}/apps", headers=headers, trust_env=False)
        answer = httpx.get(f"{address}/api/v1/apps", headers=headers, trust_env=False)
    assert (page.status_code, answer.status_code) == (503, 503)
    assert page.headers["Retry-After"] == answer.headers["Retry-After"] == "5"
    assert "Content-Security-Policy" in page.headers
    assert "try again in 5 seconds" in answer.json()["detail"]


def _served(app: FastAPI) -> Iterator[str]:
    socket = listen("127.0.0.1", 0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _usage_of(story: Story) -> str:
    where = f"app_id={story.app_id}&month=2022-09-01&release_end=zheliban_app"
    return f"/api/v1/tables/marts.app_usage_month?{where}&select=app_id,visitors_count,month"


async def _all_look(settings: Settings, address: str, story: Story) -> list[tuple[str, int, str, str]]:
    """Address with role, status, version and text of every answer; half-way the second version is published."""
    paths = [
        "/", "/apps", "/projects", f"/apps/{story.app_id}", "/findings", "/api/v1/stars?limit=20", _usage_of(story),
        f"/api/v1/apps/{story.app_id}?months=3",
    ]  # fmt: skip
    seen: list[tuple[str, int, str, str]] = []
    half = asyncio.Event()

    async def look(number: int, client: httpx.AsyncClient) -> None:
        role = ROLES[number % len(ROLES)]
        for step in range(ROUNDS * len(paths)):
            path = paths[(number + step) % len(paths)]
            answer = await client.get(path, headers={"Authorization": f"Bearer {TOKENS[role]}"})
            shown = _SHOWN.search(answer.text)
            version = answer.headers.get("OneLedger-Version") or (shown[1] if shown else "")
            seen.append((f"{path} {role}", answer.status_code, version, _CLIP.sub("clip", answer.text)))
            if len(seen) > PEOPLE * ROUNDS * len(paths) / 3:
                half.set()

    async def publish() -> None:
        await half.wait()
        await asyncio.to_thread(_publish, settings, story.second_version)

    limits = httpx.Limits(max_connections=PEOPLE)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits, trust_env=False) as client:
        await asyncio.gather(publish(), *(look(number, client) for number in range(PEOPLE)))
        # What was remembered of the first version is given to nobody any more.
        paths, before = ["/apps"], len(seen)
        await asyncio.gather(*(look(number, client) for number in range(len(ROLES))))
    return seen[: before + len(ROLES)]


def _publish(settings: Settings, version: str) -> None:
    """Put a version in place as a publish does that was killed after writing it, and as the next start goes on."""
    coming = settings.home / "coming"
    (coming / NOT_YET_CURRENT).touch()
    coming.rename(settings.published_dir / version)
    published = recover(settings)
    assert published is not None
    assert published.version == version


def _visitors(settings: Settings, version: str, app_id: str) -> int:
    with duckdb.connect(str(settings.published_dir / version / "marts.duckdb"), read_only=True) as marts:
        row = marts.execute(
            "select visitors_count from marts.marts.app_usage_month"
            " where app_id = ? and month = date '2022-09-01' and release_end = 'zheliban_app'",
            [app_id],
        ).fetchone()
    assert row is not None
    return int(row[0])

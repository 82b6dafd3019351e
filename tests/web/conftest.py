"""Pages and API over the versions that the story of tests/evaluation publishes; told once for all test processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from limits import RateLimitItemPerMinute
from starlette.types import ASGIApp

from oneledger.settings import Settings
from oneledger.web.app import create_app
from oneledger.web.tokens import TOKENS_VARIABLE, token_access
from tests.evaluation.story import Story, told_once

ROLES = ("viewer", "auditor", "engineer")
TOKENS = {role: f"{role}-0123456789abcdef" for role in ROLES}
# Asks as this role ("viewer", "auditor", "engineer"), or as nobody (None).
ClientOf = Callable[[str | None], TestClient]


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Story:
    """Two versions, a confirmed run and two drafts of a short city with all sources; do not change it (``copy`` it)."""
    base = tmp_path_factory.getbasetemp()
    return told_once(base if worker_id == "master" else base.parent)


@pytest.fixture(scope="session")
def published_home(story: Story) -> Settings:
    """Settings of the story's installation; only read it."""
    return story.settings


@pytest.fixture(scope="session")
def published_version(story: Story) -> str:
    """The name of the current version."""
    return story.second_version


@pytest.fixture(scope="session")
def app(published_home: Settings) -> FastAPI:
    """The application over ``published_home``, with a token for each role."""
    return app_over(published_home)


@pytest.fixture(scope="session")
def client(app: FastAPI) -> ClientOf:
    """``client("auditor").get("/apps")`` asks as an auditor, ``client(None)`` as nobody; redirects are not followed."""
    return lambda role: client_of(app, role)


def app_over(settings: Settings, *, requests_a_minute: int = 1_000_000) -> FastAPI:
    """The application over any installation, with the same tokens."""
    tokens = ",".join(f"{role}={token}" for role, token in TOKENS.items())
    made = create_app(settings, token_access({TOKENS_VARIABLE: tokens}))
    made.state.api_rate = RateLimitItemPerMinute(requests_a_minute)
    return made


def client_of(app: ASGIApp, role: str | None) -> TestClient:
    headers = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}
    return TestClient(app, headers=headers, follow_redirects=False)

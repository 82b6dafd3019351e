"""A small installation whose sources are hostile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oneledger.settings import Settings
from tests.sources import api_server
from tests.sources.api_server import Api
from tests.sources.installation import Installation


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    settings = Settings(
        home=tmp_path / "home", catalogue_paths=(tmp_path / "sources.yml",), memory_limit="1GB", threads=2
    )
    return Installation(settings, monkeypatch)


@pytest.fixture
def api() -> Iterator[Api]:
    answered = Api([{"appId": f"A{number}", "updatedAt": "2022-10-01 08:00:00"} for number in range(4)])
    server = api_server.start(answered)
    yield answered
    server.shutdown()
    server.server_close()

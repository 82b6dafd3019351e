"""Fixtures of the connector tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneledger.settings import Settings
from tests.sources.installation import Installation


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    settings = Settings(
        home=tmp_path / "home", catalogue_paths=(tmp_path / "sources.yml",), memory_limit="1GB", threads=2
    )
    return Installation(settings, monkeypatch)

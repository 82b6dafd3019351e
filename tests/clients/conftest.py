"""One small published version for all clients: two months of a mart and of a daily fact, with values missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneledger.publishing.publish import publish
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings
from tests.publishing.conftest import small_installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = small_installation(Path(tmp_path_factory.mktemp("clients")))
    publish(settings, run_id="run-one")
    return settings


@pytest.fixture(scope="session")
def version(installation: Settings) -> PublishedVersion:
    from oneledger.publishing.versions import resolve

    return resolve(installation)


@pytest.fixture(scope="session")
def current(installation: Settings) -> Path:
    """The path that people know: ``published/current``."""
    return installation.published_dir / "current"

"""One small dbt project, built once; and an environment in which nothing says where events go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oneledger.lineage.openlineage import telling
from oneledger.outcomes import Outcome
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.models import build_models
from tests.lineage.small_project import CANARY, change, events_of, make_project

CONNECTION = f"http://reader:{CANARY}@127.0.0.1:9/api?token={CANARY}"


@dataclass
class Built:
    """Two builds: the first of two months, the second after a third came."""

    settings: Settings
    first: Outcome
    second: Outcome
    first_events: list[dict[str, Any]]
    second_events: list[dict[str, Any]]


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The client itself writes variables; they and the pause after a failure end with the test."""
    kept = {name: value for name, value in os.environ.items() if "OPENLINEAGE" not in name}
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    monkeypatch.chdir(tmp_path)
    telling._broken_until.clear()
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    return make_project(tmp_path, PROJECT_ROOT)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    settings = make_project(tmp_path_factory.mktemp("small"), PROJECT_ROOT)
    os.environ["AIRFLOW_CONN_LINEAGE_CANARY"] = CONNECTION
    try:
        first = build_models(settings, run_id="20221031T180000Z-aaaaaa")
        change(settings, "seeds/visit.csv", "app_id,month,visitors\na1,2022-09,30\na1,2022-10,40\na2,2022-10,7\n"
                                            "a1,2022-11,9\n")  # fmt: skip
        second = build_models(settings, run_id="20221101T180000Z-bbbbbb")
    finally:
        del os.environ["AIRFLOW_CONN_LINEAGE_CANARY"]
    return Built(settings, first, second, events_of(settings, first.run_id), events_of(settings, second.run_id))

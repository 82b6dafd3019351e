"""The stack's definition as the compose file has it, with nothing of this machine's environment in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oneledger_airflow.compose import Service, read_file, read_services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return read_file(ROOT, {})


@pytest.fixture(scope="session")
def services() -> dict[str, Service]:
    return read_services(ROOT, {})


@pytest.fixture(scope="session")
def airflow_services(services: dict[str, Service]) -> dict[str, Service]:
    return {name: one for name, one in services.items() if "AIRFLOW_HOME" in one.environment}

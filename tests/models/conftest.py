"""One small city, admitted and built once for the tests that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .usage_city import UsageCity, small_city


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> UsageCity:
    """Built whole, with every mart: do not change it."""
    warehouse = small_city(Path(tmp_path_factory.mktemp("usage_city")))
    warehouse.build(select="")
    return warehouse

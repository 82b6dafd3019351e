"""A published version holds all that these models read, so that they can be computed again over it."""

from __future__ import annotations

from typing import Any

import pytest

from oneledger.settings import PROJECT_ROOT
from oneledger.warehouse.model_docs import read_manifest

MODELS = (
    "project_score", "suspicious_use", "merge_candidate", "disposition_fact", "disposition", "funding_rate",
    "funding_share",
)  # fmt: skip


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return read_manifest(PROJECT_ROOT / "dbt_project")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_reads_only_what_is_published_confirmed_or_the_day_as_of_which(
    manifest: dict[str, Any], name: str
) -> None:
    node = manifest["nodes"][f"model.oneledger.evaluation_{name}"]
    assert node["config"]["materialized"] == "table"
    for parent in node["depends_on"]["nodes"]:
        read = manifest["nodes"].get(parent) or manifest["sources"][parent]
        assert read["schema"] in ("marts", "evaluation", "confirmed") or read["name"] == "int_as_of", parent

"""The evaluation reads nothing but what a published version holds, so that it can be computed again from one."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from tests.models.usage_city import UsageCity

# Schemas of a published version; daily facts are marts too. The rest is written beside them as the version's inputs
# (the day, the money that was confirmed before), save the installation's own runs, which no evaluation reads.
PUBLISHED_SCHEMAS = ("marts", "evaluation")
INPUTS = ("model.oneledger.int_as_of", "source.oneledger.confirmed.funding_share")
ABOUT_RUNS = "evaluation_evaluation_run"


@pytest.fixture(scope="module")
def nodes(families: UsageCity) -> dict[str, Any]:
    manifest = json.loads((families.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    return {**manifest["nodes"], **manifest["sources"]}


def test_evaluation_models_refer_only_to_what_is_published(nodes: dict[str, Any]) -> None:
    models = [node for node in nodes.values() if node["resource_type"] == "model" and node["schema"] == "evaluation"]
    assert len(models) >= 6
    foreign = {
        f"{model['name']} reads {parent}"
        for model in models
        for parent in model["depends_on"]["nodes"]
        if model["name"] != ABOUT_RUNS and parent not in INPUTS and nodes[parent]["schema"] not in PUBLISHED_SCHEMAS
    }
    assert foreign == set()


def test_every_evaluation_model_is_one_statement_that_makes_a_table(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        if node["resource_type"] == "model" and node["schema"] == "evaluation":
            assert node["config"]["materialized"] == "table", node["name"]
            assert not node["config"]["pre-hook"], node["name"]
            assert not node["config"]["post-hook"], node["name"]
            assert len(duckdb.extract_statements(node["compiled_code"])) == 1, node["name"]


def test_every_rule_of_the_evaluation_is_a_seed_of_its_schema(nodes: dict[str, Any]) -> None:
    seeds = {
        parent
        for node in nodes.values()
        if node["resource_type"] == "model" and node["schema"] == "evaluation"
        for parent in node["depends_on"]["nodes"]
        if nodes[parent]["resource_type"] == "seed"
    }
    assert len(seeds) >= 6
    assert {nodes[seed]["schema"] for seed in seeds} == {"evaluation"}

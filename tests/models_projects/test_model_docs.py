"""docs/marts.md says what the models say, and every published table says enough."""

from __future__ import annotations

from typing import Any

import pytest

from oneledger.settings import PROJECT_ROOT
from oneledger.warehouse.model_docs import PUBLISHED_SCHEMAS, read_manifest, render


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return read_manifest(PROJECT_ROOT / "dbt_project")


@pytest.fixture(scope="module")
def published(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in PUBLISHED_SCHEMAS
    ]


def test_the_list_of_marts_is_up_to_date(manifest: dict[str, Any]) -> None:
    written = (PROJECT_ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
    assert written == render(manifest), "run: python -m oneledger.warehouse.model_docs"


def test_every_published_table_has_an_enforced_contract(published: list[dict[str, Any]]) -> None:
    assert [node["name"] for node in published if not node["config"]["contract"]["enforced"]] == []


def test_every_published_table_and_column_has_both_names_and_a_description(published: list[dict[str, Any]]) -> None:
    lacking = []
    for node in published:
        for path, described in [(node["name"], node)] + [
            (f"{node['name']}.{column['name']}", column) for column in node["columns"].values()
        ]:
            meta = described["config"]["meta"]
            if not (meta.get("title_zh") and meta.get("title_en") and described["description"].strip()):
                lacking.append(path)
    assert lacking == []


def test_every_published_table_starts_with_its_grain_and_has_an_owner(published: list[dict[str, Any]]) -> None:
    assert [node["name"] for node in published if not node["description"].lstrip().startswith("One row")] == []
    assert [node["name"] for node in published if not node["config"]["meta"].get("owner")] == []


def test_the_key_of_every_published_table_is_tested(manifest: dict[str, Any], published: list[dict[str, Any]]) -> None:
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and "unique" in node["test_metadata"]["name"]
    }
    # Daily facts: the key over all of history costs most of a night; the gate checks the days that changed.
    marts = [node for node in published if not node["name"].startswith("fct_")]
    assert [node["name"] for node in marts if node["unique_id"] not in tested] == []


# Where the logic is tested instead.
TESTED_ELSEWHERE = {
    "fct_app_usage_day": "rows as admitted; the incremental months are tested on a warehouse",
    "mart_published_figure": "reads every mart; the reference city compares each figure, and a changed source row",
}


def test_every_published_table_has_a_unit_test(manifest: dict[str, Any], published: list[dict[str, Any]]) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    untested = {node["name"] for node in published} - tested
    assert untested == set(TESTED_ELSEWHERE)

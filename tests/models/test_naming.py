"""The grammar of names and the promises of every model, read from dbt's manifest (style.md, rows 1 to 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from oneledger.catalogue import load_catalogue
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.admitted_tables import table_columns

from .usage_city import UsageCity

PREFIXES = {
    "staging": r"stg_[a-z_]+?__[a-z_]+",
    "intermediate": r"int_[a-z_]+",
    "marts": r"(dim|fct|mart)_[a-z_]+",
    "evaluation": r"evaluation_[a-z_]+",
}
# What a name ends in says what the column holds, so its type follows.
TYPES_BY_SUFFIX = {
    "_count": {"bigint"},
    "_on": {"date"},
    "_at": {"timestamp"},
    "_cny": {"decimal(18, 2)"},
    "_rate": {"double"},
    "_share": {"double"},
    "_state": {"varchar"},
    "_id": {"varchar"},
}
# Read from the clock, a result would differ between two builds of the same data.
CLOCKS = r"\b(now\(\)|current_date|current_timestamp|today\(\)|get_current_timestamp)"

Node = dict[str, Any]


@pytest.fixture(scope="module")
def manifest(city: UsageCity) -> Node:
    return json.loads((city.folder / "target" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def models(manifest: Node) -> list[Node]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def _with_contract(models: list[Node]) -> list[Node]:
    return [model for model in models if model["schema"] in ("marts", "evaluation")]


def _columns(models: list[Node]) -> Iterator[tuple[str, Node]]:
    for model in models:
        for column in model["columns"].values():
            yield f"{model['name']}.{column['name']}", column


def test_model_names_follow_their_folder(models: list[Node]) -> None:
    wrong = [model["name"] for model in models if not re.fullmatch(PREFIXES[model["fqn"][1]], model["name"])]
    assert wrong == []


def test_a_mart_is_known_without_its_prefix_and_lies_in_the_schema_of_its_folder(models: list[Node]) -> None:
    for model in models:
        assert model["schema"] == model["fqn"][1]
        assert model["alias"] == re.sub("^(mart_|evaluation_)", "", model["name"])


def test_column_types_follow_the_unit_in_the_name(models: list[Node]) -> None:
    wrong = [
        f"{name} is {column['data_type']}"
        for name, column in _columns(_with_contract(models))
        for suffix, types in TYPES_BY_SUFFIX.items()
        if column["name"].endswith(suffix) and column["data_type"] not in types
    ]
    assert wrong == []


def test_booleans_and_only_booleans_begin_with_is_or_has(models: list[Node]) -> None:
    wrong = [
        name
        for name, column in _columns(_with_contract(models))
        if (column["data_type"] == "boolean") != column["name"].startswith(("is_", "has_"))
    ]
    assert wrong == []


def test_every_mart_has_contract_owner_grain_titles_and_types(models: list[Node]) -> None:
    for model in _with_contract(models):
        assert model["config"]["contract"]["enforced"] is True, model["name"]
        meta = model["config"]["meta"]
        assert meta["title_zh"] and meta["title_en"] and meta["owner"], model["name"]
        assert model["columns"], model["name"]
    for model in models:
        assert model["description"].startswith("One row"), f"{model['name']}: the first sentence must state the grain"


def test_every_column_is_described_in_both_languages(models: list[Node]) -> None:
    wrong = [
        name
        for name, column in _columns(models)
        if not (
            column["description"].strip()
            and column["config"]["meta"].get("title_zh")
            and column["config"]["meta"].get("title_en")
        )
    ]
    assert wrong == []


def test_every_mart_has_a_test_of_its_key_and_a_unit_test_of_its_logic(manifest: Node, models: list[Node]) -> None:
    keyed = {
        parent
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name", "").startswith("unique")
        for parent in node["depends_on"]["nodes"]
    }
    unit_tested = {parent for test in manifest["unit_tests"].values() for parent in test["depends_on"]["nodes"]}
    # Row by row what admission let through, whose key the gate over the sources checks for the days that changed.
    without_key = {"fct_app_usage_day"}
    # Plain renaming, and the figures, which tests/models/test_usage_marts.py recomputes one by one.
    without_logic = {"fct_app_usage_day", "mart_published_figure"}
    for model in _with_contract(models):
        assert model["unique_id"] in keyed or model["name"] in without_key, f"{model['name']} has no test of its key"
        assert model["unique_id"] in unit_tested or model["name"] in without_logic, f"{model['name']} has no unit test"


def test_a_star_is_selected_nowhere_and_no_model_reads_the_clock(models: list[Node]) -> None:
    for model in models:
        sql = re.sub(r"--.*|\{#.*?#\}", "", model["raw_code"])
        assert not re.search(r"select\s+(\w+\.)?\*", sql), f"{model['name']} selects *"
        assert not re.search(CLOCKS, sql, re.IGNORECASE), f"{model['name']} reads the clock"


def test_staging_selects_exactly_the_columns_that_the_catalogue_admits(models: list[Node]) -> None:
    settings = Settings(home=PROJECT_ROOT, catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml",))
    catalogue = load_catalogue(settings)
    staged = {model["fqn"][-1]: model for model in models if model["schema"] == "staging"}
    for table in {entity.admitted_table for entity in catalogue.all_entities}:
        name = "stg_conformed__usage" if table == "usage" else f"stg_{table}"
        wanted = list(table_columns(catalogue.entities_of_table(table)))
        assert name in staged, f"no staging model for admitted.{table}"
        selected = [line.strip(" ,") for line in staged[name]["raw_code"].split("from")[0].splitlines()[1:]]
        assert [column for column in selected if column] == wanted, name
        assert list(staged[name]["columns"]) == wanted, name


def test_the_published_figures_are_the_last_node(manifest: Node) -> None:
    last = "model.oneledger.mart_published_figure"
    assert not [child for child in manifest["child_map"][last] if child.startswith("model.")]


def test_every_mart_serves_a_finding_or_a_reader_that_an_exposure_names(manifest: Node, models: list[Node]) -> None:
    served = {parent for exposure in manifest["exposures"].values() for parent in exposure["depends_on"]["nodes"]}
    assert sorted(model["name"] for model in _with_contract(models) if model["unique_id"] not in served) == []
    labels = [exposure["label"] for exposure in manifest["exposures"].values()]
    assert [number for number in range(1, 11) if not any(f"Finding {number}," in label for label in labels)] == []

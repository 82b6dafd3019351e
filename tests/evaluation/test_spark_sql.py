"""Every model and data test can be said in Spark's SQL; that the rows are the same is a soak test (tests/spark/)."""

from __future__ import annotations

import json

import sqlglot

from oneledger_spark.dialect import in_spark_sql
from tests.models.usage_city import UsageCity


def test_every_compiled_model_is_one_query_of_sparks_sql(families: UsageCity) -> None:
    manifest = json.loads((families.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in {"model", "test"}]
    compiled = {node["name"]: node["compiled_code"] for node in nodes if node.get("compiled_code")}
    assert {node["name"] for node in nodes if node["resource_type"] == "model"} <= set(compiled)
    assert len(compiled) >= 150
    for name, sql in compiled.items():
        translated = sqlglot.parse(in_spark_sql(sql), read="spark")
        assert len(translated) == 1, name

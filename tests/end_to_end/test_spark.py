"""The reference city built a second time, by Apache Spark on one master and two workers: every mart is DuckDB's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import psutil
import pytest
import sqlglot

from oneledger_spark.dialect import in_spark_sql

from .conftest import Installation

ROOT = Path(__file__).resolve().parents[2]


def test_every_compiled_model_and_data_test_is_one_query_of_sparks_sql(reference_city: Installation) -> None:
    compiled = reference_city.home / "dbt" / "target" / "compiled" / "oneledger"
    models = {path.stem for path in (ROOT / "dbt_project" / "models").rglob("*.sql")}
    paths = list(compiled.rglob("*.sql"))
    assert models < {path.stem for path in paths}  # and the data tests
    for path in paths:
        translated = sqlglot.parse(in_spark_sql(path.read_text("utf-8")), read="spark")
        assert len(translated) == 1, path.name


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_every_mart_of_spark_on_two_workers_is_duckdbs_row_for_row(reference_city: Installation) -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "set_up.py"), "spark"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "oneledger_spark", "build", "--json"],
        env={**os.environ, "ONELEDGER_HOME": str(reference_city.home), "PYTHONPATH": str(ROOT / "spark")},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1) and done.stdout, done.stderr[-6000:]
    answer = json.loads(done.stdout)
    assert [one for one in answer["items"] if not one["is_same"]] == []
    assert answer["ok"] and done.returncode == 0

    with duckdb.connect(str(reference_city.home / "warehouse" / "warehouse.duckdb"), read_only=True) as warehouse:
        built = warehouse.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_schema in ('marts', 'evaluation')"
        ).fetchall()
    compared = {one["mart"]: one["rows_count"] for one in answer["items"]}
    assert set(compared) == {row[0] for row in built}
    assert compared["marts.fct_app_usage_day"] > 1_000_000
    assert compared["evaluation.app_stars"] >= 198

    folder = str(reference_city.home / "spark" / "cluster")
    assert [process.pid for process in psutil.process_iter(["cmdline"]) if folder in str(process.info["cmdline"])] == []

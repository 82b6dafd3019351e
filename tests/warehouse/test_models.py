"""The dbt run on a small project of its own: what is built, what failed, what is left closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneledger.outcomes import read_outcomes
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.models import build_models

PROJECT = {
    "dbt_project.yml": """
name: small
version: "1.0"
profile: small
model-paths: [models]
seed-paths: [seeds]
flags: {send_anonymous_usage_stats: false}
seeds: {+full_refresh: true}
""",
    "profiles.yml": """
small:
  target: warehouse
  outputs:
    warehouse:
      type: duckdb
      path: "{{ env_var('ONELEDGER_WAREHOUSE') }}"
      threads: 1
      config_options: {autoinstall_known_extensions: false, autoload_known_extensions: false}
""",
    "seeds/holiday.csv": "day,name\n2022-10-01,国庆节\n",
    "models/holidays.sql": "{{ config(materialized='table') }} select count(*) as days from {{ ref('holiday') }}\n",
    "models/properties.yml": """
models:
  - name: holidays
    columns:
      - name: days
        data_tests: [{accepted_values: {arguments: {values: [1], quote: false}}}]
unit_tests:
  - name: a_unit_test_that_would_fail
    model: holidays
    given: [{input: ref('holiday'), rows: []}]
    expect: {rows: [{days: 99}]}
""",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, content in PROJECT.items():
        path = tmp_path / "checkout" / "dbt_project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return Settings(home=tmp_path / "home", project_root=tmp_path / "checkout", memory_limit="1GB", threads=1)


def change(settings: Settings, name: str, content: str) -> None:
    (settings.dbt_project_dir / name).write_text(content, encoding="utf-8")


def test_a_build_tells_what_it_did_and_leaves_the_file_to_others(settings: Settings) -> None:
    lines: list[str] = []
    outcome = build_models(settings, run_id="r1", progress=lines.append)
    assert (outcome.verdict, outcome.detail["built_count"], outcome.detail["tested_count"]) == ("good", 2, 1)
    assert [line.split(":")[0] for line in lines] == ["holiday", "holidays"]
    assert [record["step"] for record in read_outcomes(settings.outcomes_dir)] == ["build_models"]
    with open_warehouse(settings) as connection:
        assert connection.execute("select days from main.holidays").fetchone() == (1,)
    assert not (settings.dbt_project_dir / "target").exists()


def test_what_a_killed_build_spilled_is_gone_before_the_next_one_needs_the_disk(settings: Settings) -> None:
    spilled = settings.scratch_dir / "duckdb" / "4711-dead-warehouse" / "duckdb_temp_storage_DEFAULT-0.tmp"
    spilled.parent.mkdir(parents=True)
    spilled.write_bytes(b"blocks")
    (settings.scratch_dir / "duckdb" / "4711-dead.lock").touch()
    change(settings, "models/holidays.sql", "select 1 as days from {{ ref('holiday') }} where false or no_such_column")
    assert build_models(settings, run_id="r1").verdict == "failed"
    assert not spilled.exists()


def test_a_seed_is_loaded_again_only_when_it_changed(settings: Settings) -> None:
    build_models(settings, run_id="r1")
    assert build_models(settings, run_id="r2").detail["built_count"] == 1
    change(settings, "seeds/holiday.csv", "day,name\n2022-10-02,国庆节\n")
    assert build_models(settings, run_id="r3").detail["built_count"] == 2
    assert build_models(settings, run_id="r4", full_refresh=True).detail["built_count"] == 2


def test_a_seed_with_another_column_is_loaded(settings: Settings) -> None:
    build_models(settings, run_id="r1")
    change(settings, "seeds/holiday.csv", "day,name,kind\n2022-10-01,国庆节,holiday\n")
    assert build_models(settings, run_id="r2").verdict == "good"
    with open_warehouse(settings) as connection:
        assert connection.execute("select kind from main.holiday").fetchall() == [("holiday",)]


def test_a_unit_test_that_moved_to_another_file_is_known_once(settings: Settings) -> None:
    build_models(settings, run_id="r1")
    models, unit_tests = PROJECT["models/properties.yml"].split("unit_tests:")
    change(settings, "models/properties.yml", models)
    change(settings, "models/unit_tests.yml", f"unit_tests:{unit_tests}")
    assert build_models(settings, run_id="r2").verdict == "good"


INCREMENTAL = """
{{ config(materialized='incremental', on_schema_change='fail') }}
select COLUMNS from {{ ref('holiday') }}{% if is_incremental() %} where false{% endif %}
"""


def test_a_changed_incremental_model_is_built_from_nothing(settings: Settings) -> None:
    change(settings, "models/days_off.sql", INCREMENTAL.replace("COLUMNS", "day"))
    build_models(settings, run_id="r1")
    change(settings, "models/days_off.sql", INCREMENTAL.replace("COLUMNS", "day, name"))
    lines: list[str] = []
    assert build_models(settings, run_id="r2", progress=lines.append).verdict == "good"
    assert lines[0].startswith("models changed since the last build")
    with open_warehouse(settings) as connection:
        assert connection.execute("select name from main.days_off").fetchall() == [("国庆节",)]
    lines.clear()
    build_models(settings, run_id="r3", progress=lines.append)
    assert not any("changed" in line for line in lines)


def test_after_changed_models_every_day_of_usage_may_differ_from_what_is_published(settings: Settings) -> None:
    build_models(settings, run_id="r1")
    with open_warehouse(settings) as connection:
        connection.execute("create schema if not exists admitted")
        connection.execute("create table admitted.usage as select date '2022-09-30' + cast(day as integer) as usage_on"
                           " from unnest([1, 2, 2, null]) as t (day)")  # fmt: skip

    def pending() -> list[tuple[str, str]]:
        with open_warehouse(settings) as connection:
            return connection.execute("select shape, cast(usage_on as text) from control.pending_date order by 2"
                                      ).fetchall()  # fmt: skip

    build_models(settings, run_id="r2")
    assert pending() == []
    change(settings, "models/holidays.sql", "select count(*) as days from {{ ref('holiday') }} where true")
    build_models(settings, run_id="r3")
    assert pending() == [("usage", "2022-10-01"), ("usage", "2022-10-02")]


def test_a_failed_test_is_named_with_what_dbt_says(settings: Settings) -> None:
    change(settings, "seeds/holiday.csv", "day,name\n2022-10-01,国庆节\n2022-10-02,国庆节\n")
    outcome = build_models(settings, run_id="r1")
    assert outcome.verdict == "failed"
    assert "test accepted_values_holidays_days__False__1: Got 1 result" in outcome.message
    # The seeds of a failed run are loaded again: nobody has seen them whole.
    change(settings, "models/properties.yml", "")
    assert build_models(settings, run_id="r2").detail["built_count"] == 2


def test_a_broken_model_is_named_with_the_error_of_the_database(settings: Settings) -> None:
    change(settings, "models/holidays.sql", "select no_such_column from {{ ref('holiday') }}")
    outcome = build_models(settings, run_id="r1")
    assert outcome.verdict == "failed"
    assert "model holidays" in outcome.message
    assert "no_such_column" in outcome.message


def test_a_project_that_cannot_be_read_is_a_failed_outcome_that_says_why(settings: Settings) -> None:
    change(settings, "models/holidays.sql", "select * from {{ ref('nothing_of_this_name') }}")
    outcome = build_models(settings, run_id="r1")
    assert outcome.verdict == "failed"
    assert "nothing_of_this_name" in outcome.message

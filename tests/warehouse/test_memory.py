"""The memory setting is for the whole command: DuckDB gets its share of it on every connection, and keeps it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
import yaml

from oneledger.memory import bytes_of, share_of_duckdb
from oneledger.quality.duckdb_dialect import warehouse_url
from oneledger.raw.conversion import raw_connection
from oneledger.settings import PROJECT_ROOT, ConfigurationError, Settings, load_settings
from oneledger.warehouse import models
from oneledger.warehouse.connection import open_warehouse


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, memory_limit="4GB", threads=1)


@pytest.mark.parametrize(
    ("whole", "share"), [("4GB", "2550MB"), ("16 GB", "12150MB"), ("1GB", "500MB"), ("2GiB", "1073MB")]
)
def test_duckdb_gets_what_python_dbt_and_great_expectations_leave_and_of_little_half(whole: str, share: str) -> None:
    assert share_of_duckdb(whole) == share


def test_sizes_are_read_as_people_and_as_duckdb_write_them() -> None:
    assert [bytes_of(text) for text in ("4GB", "3.7 GiB", "512 mb", "7")] == [
        4 * 10**9,
        int(3.7 * 2**30),
        512 * 10**6,
        7,
    ]


@pytest.mark.parametrize("wrong", ["much", "0GB", "-1GB", "4 bananas", ""])
def test_a_limit_that_is_no_size_is_refused_with_the_variable_to_correct(settings: Settings, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"ONELEDGER_MEMORY_LIMIT.*Correct or unset it"):
        _ = dataclasses.replace(settings, memory_limit=wrong).duckdb_memory_limit


def test_every_connection_of_the_night_has_the_share(settings: Settings) -> None:
    asked = "select current_setting('memory_limit')"
    with open_warehouse(settings) as connection:
        share = connection.execute(asked).fetchone()
    assert share is not None
    assert bytes_of(share[0]) == pytest.approx(
        bytes_of(settings.duckdb_memory_limit), rel=0.05
    )  # DuckDB says it to one decimal
    with raw_connection(settings) as connection:
        assert connection.execute(asked).fetchone() == share
    with open_warehouse(settings, read_only=True) as connection:
        assert connection.execute(asked).fetchone() == share
    assert parse_qs(urlsplit(warehouse_url(settings)).query)["memory_limit"] == [settings.duckdb_memory_limit]
    with models._dbt_environment(settings, "run"):
        assert load_settings().memory_limit == "4GB"  # the whole stays the whole for whoever reads it beside dbt
        profile = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "profiles.yml").read_text("utf-8"))
        limit = profile["oneledger"]["outputs"]["warehouse"]["config_options"]["memory_limit"]
        assert "ONELEDGER_DUCKDB_MEMORY" in limit
        assert os.environ["ONELEDGER_DUCKDB_MEMORY"] == settings.duckdb_memory_limit


def test_what_dbt_says_to_each_of_its_cursors_is_allowed_after_spilling_has_begun(tmp_path: Path) -> None:
    # DuckDB refuses a new spill directory once the old one is in use; said to each cursor, it ended every build that
    # was large enough to spill.
    profile = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "profiles.yml").read_text("utf-8"))
    output = profile["oneledger"]["outputs"]["warehouse"]
    values = {"memory_limit": "60MB", "threads": 1, "temp_directory": str(tmp_path / "spill")}
    options = {**output["config_options"], **{key: values[key] for key in values if key in output["config_options"]}}
    assert options["temp_directory"] == values["temp_directory"]
    connection = duckdb.connect(str(tmp_path / "w.duckdb"), config=options)
    connection.execute("create temp table large as select i, md5(i::varchar) as text from range(3_000_000) as t (i)")
    assert list((tmp_path / "spill").iterdir())
    cursor = connection.cursor()
    for name, value in output.get("settings", {}).items():
        cursor.execute(f"set {name} = '{values.get(name, value)}'")
    assert cursor.execute("select 1").fetchone() == (1,)

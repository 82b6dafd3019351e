"""The open data of the reference city: a valid data package that holds what the list allows and nothing else."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest

from oneledger.open_data import export_open_data
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings

from .conftest import Installation

PROFILES = Path(__file__).parents[1] / "open_data" / "profiles"


@pytest.fixture(scope="module")
def package(reference_city: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("open") / "package"
    reference_city.oneledger("open-data", "export", "--out", str(folder))
    return folder


@pytest.fixture(scope="module")
def described(package: Path) -> dict[str, Any]:
    return json.loads((package / "datapackage.json").read_text("utf-8"))


def profile(name: str) -> dict[str, Any]:
    return json.loads((PROFILES / f"{name}.json").read_text("utf-8"))


def test_the_package_fits_the_schema_of_the_specification(described: dict[str, Any]) -> None:
    jsonschema.Draft4Validator(profile("data-package")).validate(described)
    tabular = jsonschema.Draft4Validator(profile("tabular-data-resource"))
    tables = [one for one in described["resources"] if one["format"] == "csv"]
    assert tables
    for one in tables:
        tabular.validate(one)


def test_the_schema_would_notice_a_broken_package(described: dict[str, Any]) -> None:
    broken = {**described, "resources": [{**described["resources"][0], "path": None}]}
    assert list(jsonschema.Draft4Validator(profile("data-package")).iter_errors(broken))


def test_each_file_is_as_its_description_says(package: Path, described: dict[str, Any]) -> None:
    for one in described["resources"]:
        content = (package / one["path"]).read_bytes()
        assert one["bytes"] == len(content)
        assert one["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        for field in one["schema"]["fields"]:
            assert field["title_zh"], field
            assert field["description"], field
        if one["format"] == "csv":
            rows = list(csv.DictReader(content.decode("utf-8").splitlines()))
            assert len(rows) == one["rows_count"]
            assert list(rows[0]) == [field["name"] for field in one["schema"]["fields"]]
            key = one["schema"].get("primaryKey", [])
            assert len({tuple(row[name] for name in key) for row in rows}) == (len(rows) if key else 1)
    listed = {one["path"] for one in described["resources"]}
    assert listed == {str(path.relative_to(package)) for path in (package / "data").iterdir()}


def test_parquet_holds_the_same_rows_as_csv(package: Path, described: dict[str, Any]) -> None:
    for one in described["resources"]:
        if one["format"] != "csv":
            continue
        types = ", ".join(f"'{field['name']}': '{TYPES[field['type']]}'" for field in one["schema"]["fields"])
        text = f"read_csv('{package / one['path']}', columns = {{{types}}}, header = true, nullstr = '')"
        parquet = str(package / one["path"]).replace(".csv", ".parquet")
        [(differing,)] = duckdb.sql(
            f"select count(*) from ((from {text} except all from '{parquet}')"
            f" union all (from '{parquet}' except all from {text}))"
        ).fetchall()
        assert differing == 0, one["name"]


TYPES = {"string": "varchar", "integer": "bigint", "number": "double", "boolean": "boolean", "date": "date",
         "datetime": "timestamp"}  # fmt: skip


def test_the_version_and_its_anchor_stand_in_the_package(
    described: dict[str, Any], reference_city: Installation
) -> None:
    assert described["oneledger"]["version"] == (reference_city.home / "published" / "current").readlink().name
    assert len(described["oneledger"]["anchor"]) == 64
    assert described["oneledger"]["suppression"]["minimum_count"] == 10


def test_the_same_version_gives_the_same_bytes(package: Path, reference_city: Installation, tmp_path: Path) -> None:
    reference_city.oneledger("open-data", "export", "--out", str(tmp_path / "again"))
    files = sorted(path.relative_to(package) for path in package.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*"))
    for file in files:
        assert (package / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file


def test_small_counts_of_the_city_are_withheld_and_the_totals_are_those_of_the_mart(
    package: Path, reference_city: Installation
) -> None:
    usage = package / "data" / "app-usage-month.parquet"
    with reference_city.marts() as connection:
        small = connection.execute(
            "select count(*) from marts.app_usage_month where visitors_count between 1 and 9"
        ).fetchall()[0][0]
        shown = connection.execute(
            f"select count(*) filter (status = 'suppressed'), count(*) filter (visitors_count between 1 and 9)"
            f" from '{usage}'"
        ).fetchall()[0]
        wrong = connection.execute(
            "select count(*) from (select release_end, month, sum(visitors_count) as added from marts.app_usage_month"
            f" group by all) as mart join '{package / 'data' / 'app-usage-month-total.parquet'}' as total"
            " using (release_end, month) where total.visitors_count <> mart.added"
        ).fetchall()[0][0]
    assert small > 0
    assert shown[0] > small
    assert shown[1] == 0
    assert wrong == 0


def test_what_is_not_listed_is_refused_and_so_is_a_folder_that_is_something_else(
    reference_city: Installation, tmp_path: Path
) -> None:
    refused = reference_city.oneledger(
        "open-data", "export", "--out", str(tmp_path / "x"), "--table", "marts.expert_review", expected_code=2
    )
    assert "marts.expert_review is not public" in refused.stderr
    assert not (tmp_path / "x").exists()
    settings = Settings(home=reference_city.home, memory_limit="1GB", threads=2)
    version = resolve(settings)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me", "utf-8")
    with pytest.raises(ConfigurationError, match="is no data package"):
        export_open_data(settings, version, out=tmp_path / "letters", force=True)
    assert (tmp_path / "letters" / "dear.txt").read_text("utf-8") == "keep me"
    alone = tmp_path / "alone"
    export_open_data(settings, version, out=alone, tables=["ledgers"])
    with pytest.raises(ConfigurationError, match="replace it with --force"):
        export_open_data(settings, version, out=alone, tables=["ledgers"])
    made = export_open_data(settings, version, out=alone, tables=["marts.ledger"], force=True)
    assert made.resources == {"ledgers": 5}
    assert [path.name for path in sorted((alone / "data").iterdir())] == ["ledgers.csv", "ledgers.parquet"]

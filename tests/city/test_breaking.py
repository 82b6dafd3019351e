"""Spoiling a city: each kind changes what it says, and leaves the rest as it was."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import openpyxl
import pytest

from oneledger.city.breaking import KINDS, break_city, mend_city
from oneledger.city.faults.keeping import kept_faults
from oneledger.settings import ConfigurationError
from tests.city.conftest import build

DAY = dt.date(2022, 10, 31)
FILE = "drops/zheliban/zheliban_usage_20221031.csv.gz"


@pytest.fixture(scope="module")
def whole_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("whole"), first=dt.date(2022, 10, 30), last=DAY)


@pytest.fixture
def city(whole_city: Path, tmp_path: Path) -> Path:
    """A copy to spoil; its manifest is made to point at its own library."""
    copy = tmp_path / "city"
    shutil.copytree(whole_city, copy)
    manifest = copy / "city.json"
    manifest.write_text(manifest.read_text("utf-8").replace(str(whole_city), str(copy)), encoding="utf-8")
    return copy


def lines_of(path: Path) -> list[list[str]]:
    return [line.split(",") for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()]


def changed_files(before: Path, after: Path) -> set[str]:
    names = {str(p.relative_to(root)) for root in (before, after) for p in root.rglob("*") if p.is_file()}
    return {
        name for name in names - {"city.json"}
        if not (before / name).exists() or not (after / name).exists()
        or (before / name).read_bytes() != (after / name).read_bytes()
    }  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_changes_one_thing_and_says_which(kind: str, whole_city: Path, city: Path) -> None:
    said = break_city(kind, city)
    changed = {name.removesuffix(".ctl") for name in changed_files(whole_city, city)}
    assert len(changed) == 1
    name = Path(changed.pop()).name
    places = {"project_library.db": "project", "2022.parquet": "request"}
    assert places.get(name, name.removesuffix(".ctl")) in said
    assert [kept.kind for kept in kept_faults(city)] == [kind]
    mend_city(city, kind)
    assert changed_files(whole_city, city) == set()
    assert kept_faults(city) == []


def test_faults_of_one_file_are_mended_the_last_one_first(whole_city: Path, city: Path) -> None:
    break_city("renamed_column", city)
    break_city("negative_counts", city)
    with pytest.raises(ConfigurationError, match="negative_counts was made later"):
        mend_city(city, "renamed_column")
    with pytest.raises(ConfigurationError, match="has the fault renamed_column already"):
        break_city("renamed_column", city)
    assert list(mend_city(city)) == ["negative_counts", "renamed_column"]
    assert changed_files(whole_city, city) == set()
    with pytest.raises(ConfigurationError, match="does not have the fault 'renamed_column'; it has none"):
        mend_city(city, "renamed_column")


def test_a_file_that_is_put_back_is_newer_so_that_it_is_taken_again(city: Path) -> None:
    before = (city / FILE).stat().st_mtime_ns
    break_city("negative_counts", city)
    mend_city(city)
    assert (city / FILE).stat().st_mtime_ns > before


def test_a_fault_that_cannot_be_made_leaves_nothing_behind(city: Path) -> None:
    with pytest.raises(ConfigurationError):
        break_city("truncated_file", city, dt.date(2021, 1, 1))
    assert kept_faults(city) == []


@pytest.mark.parametrize("kind", ["redelivered_day", "duplicate_rows", "completions_over_starts", "renamed_column",
                                  "new_column"])  # fmt: skip
def test_a_changed_delivery_has_an_honest_control_file(kind: str, city: Path) -> None:
    break_city(kind, city)
    told = dict(line.split("=") for line in (city / f"{FILE}.ctl").read_text().splitlines())
    assert told["sha256"] == hashlib.sha256((city / FILE).read_bytes()).hexdigest()
    assert int(told["rows"]) == len(lines_of(city / FILE)) - 1


def test_a_truncated_file_no_longer_has_the_hash_of_its_control_file(city: Path) -> None:
    break_city("truncated_file", city)
    told = (city / f"{FILE}.ctl").read_text()
    assert hashlib.sha256((city / FILE).read_bytes()).hexdigest() not in told


def test_40_rows_complete_more_than_they_started(city: Path) -> None:
    break_city("completions_over_starts", city)
    head, *rows = lines_of(city / FILE)
    starts, completions = head.index("发起数"), head.index("办结数")
    assert sum(int(row[completions]) > int(row[starts]) for row in rows if row[starts]) == 40


def test_one_project_changes_sides(city: Path) -> None:
    break_city("changed_project_level", city)
    with sqlite3.connect(city / "project_library.db") as library:
        levels = dict(library.execute("select level, count(*) from project group by level"))
    assert levels == {"市本级": 1255, "县区": 538}


def test_one_request_leaves_september(city: Path) -> None:
    break_city("changed_request_month", city)
    with duckdb.connect() as con:
        found = con.execute(
            f"""select count(*) from read_parquet('{city}/irs/sharing-requests/*.parquet')
            where superseded_at is null and "appliedAt" >= '2022-08-01' and "appliedAt" < '2022-10-01'"""
        ).fetchone()
    assert found == (473,)


def test_amounts_become_ten_thousand_times_as_large(whole_city: Path, city: Path) -> None:
    break_city("yuan_for_wan", city)
    amounts = []
    for folder in (whole_city, city):
        sheet = openpyxl.load_workbook(folder / "drops/finance/zhichu_202210.xlsx").worksheets[0]
        amounts.append([row[6].value for row in sheet.iter_rows() if isinstance(row[6].value, int | float)])
    assert amounts[1] == pytest.approx([10_000 * amount for amount in amounts[0]])


def test_what_cannot_be_spoiled_is_named(city: Path) -> None:
    with pytest.raises(ConfigurationError, match="no kind of breakage"):
        break_city("everything", city)
    with pytest.raises(ConfigurationError, match="zheliban_usage_20210101"):
        break_city("truncated_file", city, dt.date(2021, 1, 1))
    with pytest.raises(ConfigurationError, match="oneledger city build"):
        break_city("truncated_file", city / "nowhere")


def test_the_list_is_json_with_problem_expected_and_remedy(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("oneledger")), "city", "break", "--list", "--json"]
    done = subprocess.run(command, env={**os.environ, "ONELEDGER_HOME": str(tmp_path)}, capture_output=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert {item["kind"] for item in answer["items"]} == set(KINDS)
    assert all(
        item[name]
        for item in answer["items"]
        for name in ("problem", "expected", "remedy", "title_zh", "title_en", "decision", "shows")
    )

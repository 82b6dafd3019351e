"""One reference city for all tests of this room, and its source systems as plain tables."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from oneledger.city.build import CityPlan, build_city
from oneledger.city.work_progress import WorkProgress
from oneledger.settings import Settings

NUMBERS = (
    "page_views",
    "visitors",
    "starts",
    "completions",
    "rating_1",
    "rating_2",
    "rating_3",
    "rating_4",
    "rating_5",
)


def settings_of(home: Path) -> Settings:
    return Settings(home=home, threads=2, memory_limit="2GB")


def build(home: Path, **plan: object) -> Path:
    """Build a city under ``home`` and return its folder."""
    city_dir = home / "city"
    with WorkProgress(is_quiet=True) as progress:
        build_city(CityPlan(**plan), settings_of(home), city_dir, progress)
    return city_dir


@pytest.fixture(scope="session")
def reference_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the reference city; read only."""
    return build(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def sources(reference_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The source systems of the reference city as plain tables."""
    con = source_views(reference_city, tmp_path_factory.mktemp("sources"))
    yield con
    con.close()


def source_views(city_dir: Path, scratch: Path) -> duckdb.DuckDBPyConnection:
    """The source systems as written, read without the project's own code.

    Views: ``irs_<collection>`` (newest versions), ``zheliban`` and ``zhezhengding`` with English column names, and
    the library's tables under ``library``.
    """
    con = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    for folder in sorted((city_dir / "irs").iterdir()):
        con.execute(
            f"""
            create view irs_{folder.name.replace("-", "_")} as
            select * from read_parquet('{folder}/*.parquet')
            qualify row_number() over (partition by _key order by "updatedAt" desc) = 1
            """
        )
    numbers = ", ".join(f"try_cast({name} as bigint) as {name}" for name in NUMBERS)
    con.execute(
        f"""
        create table zheliban as
        select app_id, nullif(module_id, '') as module_id, release_end, usage_on::date as usage_on,
            try_cast(impressions as bigint) as impressions, try_cast(clicks as bigint) as clicks, {numbers}
        from read_csv('{city_dir}/drops/zheliban/*.csv.gz', all_varchar = true, header = false, skip = 1,
            names = ['usage_on', 'app_id', 'app_name', 'module_id', 'release_end', 'page_views', 'visitors', 'starts',
            'completions', 'impressions', 'clicks', 'rating_1', 'rating_2', 'rating_3', 'rating_4', 'rating_5'])
        """
    )
    plain = scratch / "zhezhengding.csv"
    with plain.open("w", encoding="utf-8") as target:
        for path in sorted((city_dir / "drops" / "zhezhengding").glob("*.csv.gz")):
            lines = gzip.decompress(path.read_bytes()).decode("gb18030").splitlines(keepends=True)
            target.writelines(lines[1:])
    con.execute(
        f"""
        create table zhezhengding as
        select app_id, nullif(module_id, '') as module_id, try_cast(active as bigint) as active,
            coalesce(try_strptime(usage_on, '%Y年%m月%d日'), try_strptime(usage_on, '%Y-%m-%d'))::date as usage_on,
            try_cast(provisioned as bigint) as provisioned, {numbers}
        from read_csv('{plain}', all_varchar = true, header = false,
            names = ['usage_on', 'app_id', 'app_name', 'module_id', 'page_views', 'visitors', 'starts', 'completions',
            'active', 'provisioned', 'rating_1', 'rating_2', 'rating_3', 'rating_4', 'rating_5'])
        """
    )
    return con

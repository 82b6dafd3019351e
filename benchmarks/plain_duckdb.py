"""What somebody would write by hand: the portals' daily files to the monthly usage mart, in plain DuckDB SQL.

No landing, no quarantine, no row identity, no checks, no versions. It is the yardstick of ``make bench``:
the same files, the same machine, the same run, the same result (the bench compares the two marts). As a script:

    python -m benchmarks.plain_duckdb all DROPS DATABASE 4GB
    python -m benchmarks.plain_duckdb day DROPS DATABASE 4GB 20221031
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import duckdb_extensions

_ENDS = (
    "map {'浙里办APP': 'zheliban_app', '微信小程序': 'zheliban_wechat', "
    "'支付宝小程序': 'zheliban_alipay', '独立APP': 'standalone_app'}"
)

# DuckDB 1.5 breaks a character of GB18030 that lies across two of its buffers.
_WHOLE_FILE = 256 * 1024**2


def _all_text(heads: str) -> str:
    """Said, not guessed: with dozens of large files DuckDB's detection takes one of them for a file without a head."""
    return "{" + ", ".join(f"'{head}': 'varchar'" for head in heads.split(",")) + "}"


_ZHELIBAN_COLUMNS = _all_text(
    "日期,应用编码,应用名称,事项编码,发布端,浏览量,访客数,发起数,办结数,曝光量,点击量,一星,二星,三星,四星,五星,夜间访客数"
)
_ZHEZHENGDING_COLUMNS = _all_text(
    "统计日期,应用标识,应用名,模块标识,页面访问量,访问人数,发起数,完成数,活跃用户,开通用户,评价1分,评价2分,评价3分,评价4分,评价5分,夜间访客数"
)

_ZHELIBAN = f"""
insert into usage
select
    "应用编码", "事项编码", {_ENDS}["发布端"], "日期"::date, "浏览量"::bigint, "访客数"::bigint,
    "发起数"::bigint, "办结数"::bigint
from read_csv(
    $files, columns = {_ZHELIBAN_COLUMNS}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"'
)
where {_ENDS}["发布端"] is not null and not coalesce("办结数"::bigint > "发起数"::bigint, false)
"""

_ZHEZHENGDING = f"""
insert into usage
select
    "应用标识", "模块标识", 'zhezhengding',
    coalesce(try_strptime("统计日期", '%Y年%m月%d日'), try_strptime("统计日期", '%Y-%m-%d'))::date,
    "页面访问量"::bigint, "访问人数"::bigint, "发起数"::bigint, "完成数"::bigint
from read_csv(
    $files, columns = {_ZHEZHENGDING_COLUMNS}, auto_detect = false, header = true, delim = ',', quote = '"',
    escape = '"', encoding = 'gb18030', buffer_size = {_WHOLE_FILE}
)
where not coalesce("完成数"::bigint > "发起数"::bigint, false)
"""

_MONTH = """
create or replace table app_usage_month as
select
    app_id, release_end, date_trunc('month', usage_on)::date as month,
    sum(visitors_count) as visitors_count, sum(page_views_count) as page_views_count,
    sum(starts_count) as starts_count, sum(completions_count) as completions_count
from usage
where module_id is null or module_id = ''
group by all
"""

_REPLACE_MONTH = """
delete from app_usage_month where month = date_trunc('month', $day::date);
insert into app_usage_month
select
    app_id, release_end, date_trunc('month', usage_on)::date as month,
    sum(visitors_count), sum(page_views_count), sum(starts_count), sum(completions_count)
from usage
where (module_id is null or module_id = '')
    and usage_on >= date_trunc('month', $day::date) and usage_on <= $day::date
group by all
"""


@dataclass(frozen=True)
class PlainRun:
    """Seconds that the plain script took and the rows that its daily table holds."""

    seconds: float
    rows: int


def build_from_all_files(drops: Path, database: Path, memory_limit: str) -> PlainRun:
    """Read every file of both portals under ``drops`` and build the monthly mart."""
    started = time.perf_counter()
    with _open(database, memory_limit) as con:
        con.execute(
            "create or replace table usage (app_id text, module_id text, release_end text, usage_on date,"
            " page_views_count bigint, visitors_count bigint, starts_count bigint, completions_count bigint)"
        )
        con.execute(_ZHELIBAN, {"files": _files(drops / "zheliban")})
        con.execute(_ZHEZHENGDING, {"files": _files(drops / "zhezhengding")})
        con.execute(_MONTH)
        rows = _count(con)
    return PlainRun(time.perf_counter() - started, rows)


def add_one_day(drops: Path, database: Path, day: str, memory_limit: str) -> PlainRun:
    """Append the files of one ``day`` (yyyymmdd) to the table that is there and rebuild its month."""
    started = time.perf_counter()
    with _open(database, memory_limit) as con:
        con.execute(_ZHELIBAN, {"files": _files(drops / "zheliban", day)})
        con.execute(_ZHEZHENGDING, {"files": _files(drops / "zhezhengding", day)})
        iso_day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        for statement in _REPLACE_MONTH.split(";"):
            con.execute(statement, {"day": iso_day})
        rows = _count(con)
    return PlainRun(time.perf_counter() - started, rows)


def _open(database: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(str(database), config={"autoinstall_known_extensions": "false"})
    con.execute(f"set memory_limit = '{memory_limit}'")
    duckdb_extensions.import_extension("encodings")
    con.execute("load encodings")
    return con


def _files(folder: Path, day: str = "") -> Sequence[str]:
    return sorted(str(path) for path in folder.glob(f"*{day}.csv.gz"))


def _count(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("select count(*) from usage").fetchone()
    return int(row[0]) if row else 0


def main(arguments: list[str]) -> None:
    """Run one of the two scripts above."""
    how, drops, database, memory_limit, *day = arguments
    if how == "day":
        add_one_day(Path(drops), Path(database), day[0], memory_limit)
    else:
        build_from_all_files(Path(drops), Path(database), memory_limit)


if __name__ == "__main__":
    main(sys.argv[1:])

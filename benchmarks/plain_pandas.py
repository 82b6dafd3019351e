"""What people write in an Airflow task today: the portals' daily files to the monthly usage mart, with pandas.

The same work as ``plain_duckdb`` with the same result: read each file (only the columns that are needed, with their
types), rename, correct, drop what was delivered twice, concatenate, merge the names of the ends, group by month, write
Parquet. A script of its own, as ``PythonOperator`` tasks are processes of their own:

    python -m benchmarks.plain_pandas all DROPS FOLDER            # every file, as such tasks do every night
    python -m benchmarks.plain_pandas day DROPS FOLDER 20221031   # one that knows which day is new
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

_KEY = ["app_id", "module_id", "release_end", "usage_on"]
_COUNTS = ["page_views_count", "visitors_count", "starts_count", "completions_count"]
_ENDS = pd.DataFrame(
    {
        "published_end": ["浙里办APP", "微信小程序", "支付宝小程序", "独立APP"],
        "release_end": ["zheliban_app", "zheliban_wechat", "zheliban_alipay", "standalone_app"],
    }
)
_ZHELIBAN = {
    "应用编码": "app_id", "事项编码": "module_id", "发布端": "published_end", "日期": "usage_on",
    "浏览量": "page_views_count", "访客数": "visitors_count", "发起数": "starts_count", "办结数": "completions_count",
}  # fmt: skip
_ZHEZHENGDING = {
    "应用标识": "app_id", "模块标识": "module_id", "统计日期": "usage_on", "页面访问量": "page_views_count",
    "访问人数": "visitors_count", "发起数": "starts_count", "完成数": "completions_count",
}  # fmt: skip


def main(arguments: list[str]) -> None:
    """Run one of the two scripts above."""
    how, drops, folder, *day = arguments
    Path(folder).mkdir(parents=True, exist_ok=True)
    if how == "day":
        add_one_day(Path(drops), Path(folder), day[0])
    else:
        build_from_all_files(Path(drops), Path(folder))


def build_from_all_files(drops: Path, folder: Path) -> None:
    """Read every file of both portals under ``drops``; write ``usage.parquet`` and ``app_usage_month.parquet``."""
    usage = _read_usage(drops)
    usage.to_parquet(folder / "usage.parquet", index=False)
    _by_month(usage).to_parquet(folder / "app_usage_month.parquet", index=False)


def add_one_day(drops: Path, folder: Path, day: str) -> None:
    """Append the files of one ``day`` (yyyymmdd) to what is there, and make its month again."""
    month = pd.Timestamp(day).replace(day=1)
    usage = pd.read_parquet(folder / "usage.parquet")
    usage = pd.concat([usage, _read_usage(drops, day)], ignore_index=True).drop_duplicates(_KEY, keep="last")
    months = pd.read_parquet(folder / "app_usage_month.parquet")
    changed = _by_month(usage[usage["usage_on"] >= month])
    months = pd.concat([months[months["month"] < month], changed], ignore_index=True)
    usage.to_parquet(folder / "usage.parquet", index=False)
    months.to_parquet(folder / "app_usage_month.parquet", index=False)


def _read_usage(drops: Path, day: str = "") -> pd.DataFrame:
    zheliban = [_read_zheliban(path) for path in sorted((drops / "zheliban").glob(f"*{day}.csv.gz"))]
    zhezhengding = [_read_zhezhengding(path) for path in sorted((drops / "zhezhengding").glob(f"*{day}.csv.gz"))]
    usage = pd.concat([*zheliban, *zhezhengding], ignore_index=True)
    return usage[~(usage["completions_count"] > usage["starts_count"]).fillna(False)]


def _read_zheliban(path: Path) -> pd.DataFrame:
    day = _read(path, _ZHELIBAN, "utf-8")
    day["usage_on"] = pd.to_datetime(day["usage_on"], format="%Y-%m-%d")
    return day.merge(_ENDS, on="published_end").drop(columns="published_end").drop_duplicates(_KEY, keep="last")


def _read_zhezhengding(path: Path) -> pd.DataFrame:
    day = _read(path, _ZHEZHENGDING, "gb18030")
    chinese = pd.to_datetime(day["usage_on"], format="%Y年%m月%d日", errors="coerce")
    day["usage_on"] = chinese.fillna(pd.to_datetime(day["usage_on"], format="%Y-%m-%d", errors="coerce"))
    day["release_end"] = "zhezhengding"
    return day.drop_duplicates(_KEY, keep="last")


def _read(path: Path, columns: dict[str, str], encoding: str) -> pd.DataFrame:
    types = {name: "Int64" if ours in _COUNTS else "string" for name, ours in columns.items()}
    return pd.read_csv(path, usecols=list(columns), dtype=types, encoding=encoding).rename(columns=columns)


def _by_month(usage: pd.DataFrame) -> pd.DataFrame:
    """Whole apps only: rows of modules would count their visitors twice."""
    apps = usage[usage["module_id"].isna()]
    month = apps["usage_on"].dt.to_period("M").dt.to_timestamp()
    grouped = apps.assign(month=month).groupby(["app_id", "release_end", "month"], as_index=False)
    return grouped[_COUNTS].sum(min_count=1)


if __name__ == "__main__":
    main(sys.argv[1:])

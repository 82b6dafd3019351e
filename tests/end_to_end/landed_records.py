"""Records out of landed files, read without the project's readers: with the standard library and openpyxl."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl

Record = dict[str, Any]
PORTAL_ENDS = {"浙里办APP": "zheliban_app", "微信小程序": "zheliban_wechat", "支付宝小程序": "zheliban_alipay",
               "独立APP": "standalone_app"}  # fmt: skip
MEASURES = {
    "zheliban": {
        "page_views_count": "浏览量", "visitors_count": "访客数", "night_visitors_count": "夜间访客数",
        "starts_count": "发起数", "completions_count": "办结数",
        "impressions_count": "曝光量", "clicks_count": "点击量",
        "rating_1_count": "一星", "rating_2_count": "二星", "rating_3_count": "三星", "rating_4_count": "四星",
        "rating_5_count": "五星",
    },
    "zhezhengding": {
        "page_views_count": "页面访问量", "visitors_count": "访问人数", "night_visitors_count": "夜间访客数",
        "starts_count": "发起数", "completions_count": "完成数", "active_users_count": "活跃用户",
        "provisioned_users_count": "开通用户", "rating_1_count": "评价1分", "rating_2_count": "评价2分",
        "rating_3_count": "评价3分", "rating_4_count": "评价4分", "rating_5_count": "评价5分",
    },
}  # fmt: skip


@dataclass
class Lines:
    """Landed records by ``source.entity``; ``titles`` holds the texts above the table of each workbook read."""

    records: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    titles: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def of(self, entity: str) -> list[Record]:
        return self.records.get(entity, [])

    @property
    def usage(self) -> list[Record]:
        """Usage of both portals: app_id, module_id, release_end, usage_on, and the measures as numbers or None."""
        rows = []
        for source, app, module, day in (
            ("zheliban", "应用编码", "事项编码", "日期"),
            ("zhezhengding", "应用标识", "模块标识", "统计日期"),
        ):
            for one in self.of(f"{source}.usage"):
                end = PORTAL_ENDS[one["发布端"]] if source == "zheliban" else "zhezhengding"
                row: Record = {"app_id": one[app], "module_id": one[module] or "", "release_end": end,
                               "usage_on": day_of(one[day]), "source": source}  # fmt: skip
                for name, heading in MEASURES[source].items():
                    row[name] = int(one[heading]) if one.get(heading) not in (None, "") else None
                rows.append(row)
        return rows


def read_lines(landing: Path, wanted: Mapping[str, list[int]]) -> Lines:
    """The records of these numbers, by file id (``<batch_id>/<file name>``), out of the landed bytes."""
    lines = Lines()
    for file_id, numbers in wanted.items():
        batch_id, _, name = file_id.rpartition("/")
        source, entity, rest = batch_id.split(".", 2)
        partition, _, revision = rest.rpartition(".")
        path = landing / source / entity / partition / revision / name
        key = f"{source}.{entity}"
        if name.endswith(".xlsx"):
            records, titles = _workbook(path)
            lines.titles[key] += titles
        elif name.endswith(".json"):
            records = dict(enumerate(_page(path), start=1))
        elif ".ndjson" in name:
            text = gzip.decompress(path.read_bytes()).decode("utf-8")
            records = dict(enumerate((json.loads(one) for one in text.splitlines()), start=1))
        else:
            records = dict(enumerate(_delimited(path), start=1))
        lines.records[key] += [{**records[number], "_partition": partition, "_file": name} for number in numbers]
    return lines


def _delimited(path: Path) -> list[Record]:
    payload = gzip.decompress(path.read_bytes())
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = payload.decode("gb18030")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _page(path: Path) -> list[Record]:
    content = json.loads(path.read_bytes())
    return next(value for value in content.values() if isinstance(value, list))


def _workbook(path: Path) -> tuple[dict[int, Record], list[str]]:
    """Rows by their number, named by the row that heads the table; a lower heading names a group's parts."""
    sheet = openpyxl.load_workbook(path, data_only=True).worksheets[0]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    place = next(number for number, row in enumerate(rows) if sum(one is not None for one in row) >= 4)
    names = [str(one).strip() if one is not None else "" for one in rows[place]]
    below = rows[place + 1] if place + 1 < len(rows) else []
    if below and below[0] is None:
        left = ""
        for position, one in enumerate(names):
            left = one or left
            lower = below[position] if position < len(below) else None
            names[position] = f"{left}/{lower.strip()}" if isinstance(lower, str) and lower.strip() else one
    # A cell that is blank under a value of its group means that value.
    above: dict[str, Any] = {}
    for row in rows[place + 1 :]:
        for position in (0, 1):
            if names[position] in ("项目编号", "项目名称", "单位名称", "主管部门"):
                row[position] = above[names[position]] = row[position] or above.get(names[position])
    titles = [str(one) for row in rows[:place] for one in row if one is not None]
    return {number + 1: dict(zip(names, row, strict=False)) for number, row in enumerate(rows)}, titles


def day_of(value: Any) -> dt.date:
    """A date as the sources write it."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    found = re.match(r"(\d{4})[年\-/.](\d{1,2})[月\-/.](\d{1,2})", str(value)) or re.match(
        r"(\d{4})(\d{2})(\d{2})", str(value)
    )
    assert found, f"{value!r} is no date"
    return dt.date(*(int(one) for one in found.groups()))


def moment_of(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value)


def as_number(day: dt.date) -> float:
    return float(f"{day:%Y%m%d}")

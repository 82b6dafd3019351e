"""Spoil one thing in the source systems on purpose: for tests, and to show what the warehouse does about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlalchemy as sa

from oneledger.city import spoiled_files as files
from oneledger.city.city_manifest import require_manifest
from oneledger.city.faults import Fault, add_fault
from oneledger.city.irs_store import store_dir
from oneledger.city.project_library import open_library
from oneledger.settings import ConfigurationError

REBUILD = "oneledger city build --fresh"


@dataclass(frozen=True)
class Target:
    """What a breakage works on: the city's folder, the day, the project library's URI."""

    city_dir: Path
    day: dt.date
    library: str


@dataclass(frozen=True)
class Breakage:
    """One way to spoil a city.

    Attributes:
        problem: what is then wrong in the source.
        expected: what the warehouse is to do about it.
        remedy: how to mend the city.
        spoil: does it, and says what it changed.
    """

    kind: str
    title_zh: str
    title_en: str
    problem: str
    expected: str
    spoil: Callable[[Target], str]
    remedy: str = REBUILD

    def to_json(self) -> dict[str, str]:
        return {name: getattr(self, name)
                for name in ("kind", "title_zh", "title_en", "problem", "expected", "remedy")}  # fmt: skip


def break_city(kind: str, city_dir: Path, day: dt.date | None = None) -> str:
    """Spoil one thing; returns what was changed.

    Args:
        day: whose delivery is spoiled; the city's last day by default.

    Raises:
        ConfigurationError: no city, an unknown kind, or nothing there to spoil.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is no kind of breakage; known are {', '.join(KINDS)}.")
    manifest = require_manifest(city_dir)
    day = day or manifest.last_on
    return KINDS[kind].spoil(Target(city_dir, day, manifest.project_library))


def _change_project_level(target: Target) -> str:
    with open_library(target.library) as connection:
        number: str = connection.execute(
            sa.text("select min(project_no) from project where level = '县区' and declared_on < '2022-01-01'")
        ).scalar_one()
        connection.execute(
            sa.text("update project set level = '市本级' where project_no = :number"), {"number": number}
        )
    return f"project {number}: level 县区 became 市本级"


def _remove_project(target: Target) -> str:
    with open_library(target.library) as connection:
        number: str = connection.execute(
            sa.text("select max(project_no) from project where level = '县区'")
        ).scalar_one()
        for table in ("project_stage_event", "pre_review", "expert_review", "project_app_link", "project"):
            connection.execute(sa.text(f"delete from {table} where project_no = :number"), {"number": number})
    return f"project {number} and what belongs to it removed"


def _rename_library_column(target: Target) -> str:
    with open_library(target.library) as connection:
        connection.execute(sa.text("alter table project rename column funding_source to fund_src"))
    return "project.funding_source became project.fund_src"


def _move_request(target: Target) -> str:
    """One request of September 2022 moves to October; known as a change of the last day."""
    manifest = require_manifest(target.city_dir)
    folder = store_dir(target.city_dir) / "sharing-requests"
    path = folder / f"{manifest.last_on.year}.parquet"
    with duckdb.connect() as con:
        con.execute(f"create table version as select * from read_parquet('{path}')")
        found = con.execute(
            """
            select "requestId" from version
            where "appliedAt" >= '2022-09-01' and "appliedAt" < '2022-10-01' and superseded_at is null
            order by "requestId" limit 1
            """
        ).fetchone()
        if found is None:
            raise ConfigurationError("This city has no sharing request of September 2022; build it up to 2022-10-31.")
        changed_at = f"{manifest.last_on.isoformat()}T23:58:00"
        where = '"requestId" = ? and superseded_at is null'
        con.execute(
            f"""
            insert into version
            select * replace (replace("appliedAt", '2022-09', '2022-10') as "appliedAt",
                null as "approvedAt", null as "openedAt", '{changed_at}' as "updatedAt")
            from version where {where}
            """,
            [found[0]],
        )
        con.execute(f"update version set superseded_at = ? where {where} and \"updatedAt\" < ?",
                    [changed_at, found[0], changed_at])  # fmt: skip
        partial = path.with_name(f".{path.name}.partial")
        con.execute(f"copy (from version order by \"updatedAt\", _key) to '{partial}' (format parquet)")
        partial.replace(path)
    return f"request {found[0]}: appliedAt moved from September to October 2022"


def _edited(change: Callable[[files.Lines], files.Lines], said: str) -> Callable[[Target], str]:
    def spoil(target: Target) -> str:
        path = files.delivered(target.city_dir, files.ZHELIBAN, target.day)
        files.edit(path, files.ZHELIBAN.encoding, change)
        return f"{path.name}: {said}"

    return spoil


def _on_file(change: Callable[[Path], str]) -> Callable[[Target], str]:
    return lambda target: change(files.delivered(target.city_dir, files.ZHELIBAN, target.day))


def _wrong_encoding(target: Target) -> str:
    path = files.delivered(target.city_dir, files.ZHEZHENGDING, target.day)
    files.edit(path, files.ZHEZHENGDING.encoding, lambda lines: lines, written_as="utf-16")
    return f"{path.name}: written as UTF-16 instead of GB18030"


def _fault(kind: str, path: str, field: str = "", renamed_to: str = "") -> Callable[[Target], str]:
    def spoil(target: Target) -> str:
        written = add_fault(store_dir(target.city_dir), Fault(kind, path, field, renamed_to))
        return f"/v1/{path} answers with {kind} (mend: remove {written})"

    return spoil


_ALL = (
    Breakage("changed_project_level", "改动一个项目的层级", "one project's level changed",
             "one county project says it is the city's", "reconcile shows 1 too many and 1 too few projects, and fails",
             _change_project_level),
    Breakage("changed_request_month", "改动一条共享申请的月份", "one sharing request moved to another month",
             "one request of September 2022 says October", "reconcile shows 473 instead of 474 requests, and fails",
             _move_request),
    Breakage("removed_project", "项目库少一个项目", "one project left out by the library",
             "the newest full delivery lacks a project", "the project is kept and marked as omitted, not deleted",
             _remove_project),
    Breakage("renamed_library_column", "项目库列名被改", "a column of the library renamed",
             "project.funding_source is called fund_src", "the batch is refused and the missing column named",
             _rename_library_column),
    Breakage("truncated_file", "投递文件被截断", "a drop file cut short",
             "the gzip file ends too early, its SHA-256 differs from the control file",
             "the delivery is not taken; its outcome names file and both hashes", _on_file(files.truncate)),
    Breakage("wrong_control_total", "控制文件行数不符", "a wrong control total",
             "the control file says 5 rows more than the file holds",
             "the gate or the extraction fails and shows both numbers", _on_file(files.say_more_rows)),
    Breakage("missing_day", "缺一天的文件", "a day's file is missing",
             "neither data nor control file of the day is there", "status names the source and day that are missing",
             _on_file(files.remove)),
    Breakage("redelivered_day", "某天重新投递", "a day is delivered again with other content",
             "page views are one higher and one row is gone",
             "the new revision replaces the day; old rows count as superseded",
             _edited(files.correct_views, "delivered again: page views one higher, last row gone"), "none is needed"),
    Breakage("duplicate_rows", "重复行", "rows delivered twice",
             "two rows stand twice, a third a second time with other visitors",
             "exact repeats are superseded, the contradicting rows quarantined",
             _edited(files.repeat_rows, "3 rows added that are there already")),
    Breakage("completions_over_starts", "办结数大于发起数", "more completed than started",
             "40 rows break the rule completions_within_starts", "40 rows are quarantined with reason and remedy",
             _edited(files.complete_more, "40 rows with more completions than starts")),
    Breakage("renamed_column", "列名被改", "a column renamed",
             "访客数 is called 访问人次", "the batch is refused and the missing column named",
             _edited(files.rename_column, "访客数 became 访问人次")),
    Breakage("new_column", "多出一列", "a column that nobody announced",
             "the file has a column 分享数", "rows are taken, the unknown column is kept and a warning made",
             _edited(files.add_column, "column 分享数 added")),
    Breakage("wrong_encoding", "编码错误", "another encoding than agreed",
             "the zhezhengding file is UTF-16, not GB18030", "the batch is refused with file and expected encoding",
             _wrong_encoding),
    Breakage("yuan_for_wan", "以元当万元填报", "yuan written for 万元",
             "a month's amounts are in yuan while the title says 万元",
             "the month's spending is 10 000 times too high: the checks on spending against releases fail",
             lambda target: files.spoil_spending(target.city_dir, target.day, says_yuan=False)),
    Breakage("unit_changed", "表头单位改为元", "a workbook in another unit",
             "title and amounts of a month are in yuan", "the rows are quarantined: unit 元 is not the agreed 万元",
             lambda target: files.spoil_spending(target.city_dir, target.day, says_yuan=True)),
    Breakage("html_error_page", "接口返回网页", "an HTML page instead of JSON",
             "/v1/apps answers 200 with an HTML error page", "the extraction fails and shows what came instead of JSON",
             _fault("html_error_page", "apps"), "remove city/irs/faults.json"),
    Breakage("server_error", "接口故障", "the API is down for a collection",
             "/v1/sharing-requests answers 503",
             "retries with backoff, then the extraction fails; what is published stays",
             _fault("server_error", "sharing-requests"), "remove city/irs/faults.json"),
    Breakage("wrong_total", "接口总数不符", "the API says more records than it gives",
             "/v1/modules says 7 records more than come", "the control total fails and shows both numbers",
             _fault("wrong_total", "modules"), "remove city/irs/faults.json"),
    Breakage("renamed_field", "接口字段改名", "a field of the API renamed",
             "keyApp of /v1/apps is called isKeyApp", "the batch is refused and the missing field named",
             _fault("renamed_field", "apps", "keyApp", "isKeyApp"), "remove city/irs/faults.json"),
)  # fmt: skip
KINDS: dict[str, Breakage] = {breakage.kind: breakage for breakage in _ALL}

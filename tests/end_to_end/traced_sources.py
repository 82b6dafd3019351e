"""Traced lines as the tables from which ``tests/city/first_round_scores.py`` computes the scores of the first round."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pandas as pd

from tests.city.first_round_scores import first_round_scores
from tests.end_to_end.landed_records import Lines, Record

_TABLES = {
    "irs_apps": ("irs.app", "appId name side family departmentId level keyApp seasonal noSharingReason standaloneApp"),
    "irs_departments": ("irs.department", "departmentId kind level"),
    "irs_modules": ("irs.module", "moduleId appId name kind"),
    "irs_listing_events": ("irs.listing_event", "eventId appId releaseEnd kind date passedReview"),
    "irs_sharing_requests": (
        "irs.sharing_request",
        "requestId appId applicantDepartmentId resourceId kind appliedAt approvedAt openedAt rejectedAt",
    ),
    "irs_security_notices": ("irs.security_notice", "noticeId appId noticedOn kind dueOn mendedOn reportedBy"),
    "irs_interface_calls": ("irs.interface_call", "date resourceId appId calls failed"),
    "irs_data_resources": ("irs.data_resource", "resourceId departmentId sharingKind publishedOn"),
}  # fmt: skip
_NUMBERS = ("page_views", "visitors", "starts", "completions", "rating_1", "rating_2", "rating_3", "rating_4",
            "rating_5")  # fmt: skip
_ENDS = {"zheliban_app": "浙里办APP", "zheliban_wechat": "微信小程序", "zheliban_alipay": "支付宝小程序",
         "standalone_app": "独立APP"}  # fmt: skip


def scores_from_lines(lines: Lines, folder: Path, first_round: str, listed: str, days: str) -> dict[str, float]:
    """The scores of the first round by app, out of nothing but these lines."""
    connection = duckdb.connect()
    for table, (entity, columns) in _TABLES.items():
        _load(connection, table, [{name: one.get(name) for name in columns.split()} for one in lines.of(entity)],
              columns.split())  # fmt: skip
    usage = [_usage(one) for one in lines.usage]
    names = ["app_id", "module_id", "release_end", "usage_on", *_NUMBERS]
    _load(connection, "zheliban", [one for one in usage if one["source"] == "zheliban"], names, numbers=_NUMBERS)
    _load(connection, "zhezhengding", [one for one in usage if one["source"] == "zhezhengding"],
          ["app_id", "module_id", "usage_on", "active", "provisioned", *_NUMBERS],
          numbers=(*_NUMBERS, "active", "provisioned"))  # fmt: skip
    with sqlite3.connect(folder / "project_library.db") as library:
        library.execute("create table project (project_no text, budget_wan real)")
        library.execute("create table project_app_link (project_no text, irs_app_id text, linked_on text)")
        library.executemany(
            "insert into project values (?, ?)",
            [(one["project_no"], one["budget_wan"]) for one in lines.of("project_library.project")],
        )
        library.executemany(
            "insert into project_app_link values (?, ?, ?)",
            [(one["project_no"], one["irs_app_id"], one["linked_on"]) for one in lines.of("project_library.app_link")],
        )
    return first_round_scores(connection, folder, first_round, listed, days)


def _usage(one: Record) -> Record:
    named = {name: one.get(f"{name}_count") for name in _NUMBERS}
    return {**named, "app_id": one["app_id"], "module_id": one["module_id"] or None, "usage_on": one["usage_on"],
            "release_end": _ENDS.get(one["release_end"]), "source": one["source"],
            "active": one.get("active_users_count"), "provisioned": one.get("provisioned_users_count")}  # fmt: skip


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: list[Record],
    names: list[str],
    *,
    numbers: tuple[str, ...] = (),
) -> None:
    frame = pd.DataFrame(rows, columns=names)
    kinds = {"usage_on": "date", "calls": "bigint", "failed": "bigint", "passedReview": "boolean", "keyApp": "boolean",
             "seasonal": "boolean", "standaloneApp": "boolean", **dict.fromkeys(numbers, "bigint")}  # fmt: skip
    connection.register("frame", frame)
    selected = ", ".join(f'cast("{name}" as {kinds.get(name, "varchar")}) as "{name}"' for name in names)
    connection.execute(f"create table {table} as select {selected} from frame")
    connection.unregister("frame")

"""The project library's database: SQLite beside the city, or any database that SQLAlchemy reaches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from oneledger.city.draws import Draw
from oneledger.city.irs_store import LABEL
from oneledger.city.projects import Project
from oneledger.city.work_progress import WorkProgress
from oneledger.settings import ConfigurationError

STAGES_ZH = {
    "declared": "申报",
    "reviewed": "审核",
    "implementing": "实施",
    "accepted": "竣工验收",
    "operating": "运维",
}
FAMILIES_ZH = {
    "major_application": "重大应用类", "application_system": "应用系统类", "infrastructure": "基础设施类",
    "operations": "运维类",
}  # fmt: skip
LEVELS_ZH = {"city": "市本级", "county": "县区"}
FUNDING_ZH = {
    "it_special_fund": "信息化专项资金", "department_budget": "部门预算", "upper_level_grant": "上级补助",
    "self_raised": "自筹",
}  # fmt: skip
ROWS_PER_INSERT = 5_000

_schema = sa.MetaData()
_TEXT = sa.Text
_WAN = sa.Numeric(14, 2, asdecimal=False)
PROJECT = sa.Table(
    "project", _schema, sa.Column("project_no", _TEXT, primary_key=True), sa.Column("project_name", _TEXT),
    sa.Column("family", _TEXT), sa.Column("level", _TEXT), sa.Column("district_code", _TEXT),
    sa.Column("department_id", _TEXT), sa.Column("funding_source", _TEXT), sa.Column("ledger_version", _TEXT),
    sa.Column("declared_on", sa.Date), sa.Column("planned_accept_on", sa.Date), sa.Column("budget_wan", _WAN),
    sa.Column("in_scope", sa.Boolean),
)  # fmt: skip
STAGE_EVENT = sa.Table(
    "project_stage_event", _schema, sa.Column("event_no", _TEXT, primary_key=True), sa.Column("project_no", _TEXT),
    sa.Column("stage", _TEXT), sa.Column("entered_on", sa.Date), sa.Column("due_on", sa.Date),
)  # fmt: skip
PRE_REVIEW = sa.Table(
    "pre_review", _schema, sa.Column("review_no", _TEXT, primary_key=True), sa.Column("project_no", _TEXT),
    sa.Column("reviewed_on", sa.Date), sa.Column("outcome", _TEXT), sa.Column("requested_wan", _WAN),
    sa.Column("approved_wan", _WAN),
)  # fmt: skip
EXPERT_REVIEW = sa.Table(
    "expert_review", _schema, sa.Column("review_no", _TEXT, primary_key=True), sa.Column("project_no", _TEXT),
    sa.Column("expert_no", _TEXT), sa.Column("reviewed_on", sa.Date),
    sa.Column("score", sa.Numeric(5, 1, asdecimal=False)),
)  # fmt: skip
APP_LINK = sa.Table(
    "project_app_link", _schema, sa.Column("project_no", _TEXT, primary_key=True),
    sa.Column("irs_app_id", _TEXT, primary_key=True), sa.Column("linked_on", sa.Date),
)  # fmt: skip
RULE_ARTICLE = sa.Table(
    "rule_article", _schema, sa.Column("article_no", _TEXT, primary_key=True), sa.Column("chapter_no", sa.Integer),
    sa.Column("title", _TEXT), sa.Column("change_kind", _TEXT),
)  # fmt: skip
SYNTHETIC_LABEL = sa.Table("synthetic_label", _schema, sa.Column("label", _TEXT, primary_key=True))
# No text of a project holds it.
_COPY = "\x00"
# Tables whose rows become known on a day: its column.
_KNOWN_ON = {PROJECT: "declared_on", STAGE_EVENT: "entered_on", PRE_REVIEW: "reviewed_on",
             EXPERT_REVIEW: "reviewed_on", APP_LINK: "linked_on"}  # fmt: skip


def library_uri(city_dir: Path, wanted: str | None) -> str:
    """The SQLAlchemy URI of the project library: the wanted one, else SQLite beside the city."""
    return wanted or f"sqlite:///{city_dir / 'project_library.db'}"


def write_library(
    uri: str, projects: list[Project], draw: Draw, scale: int, new_from: dt.date | None, last: dt.date,
    progress: WorkProgress,
) -> dict[str, int]:  # fmt: skip
    """Add the rows that became known from ``new_from`` to ``last``; None makes the tables anew.

    Returns: rows of each table.

    Raises:
        ConfigurationError: the database cannot be reached or written.
    """
    with open_library(uri) as connection:
        if new_from is None:
            _schema.drop_all(connection)
            _schema.create_all(connection)
            connection.execute(SYNTHETIC_LABEL.insert(), [{"label": LABEL}])
            connection.execute(RULE_ARTICLE.insert(), rule_articles())
        progress.begin("project library", scale)
        known = _known_rows(projects, draw, new_from, last)
        for copy_number in range(scale):
            progress.advance(1, _write_copy(connection, known, copy_number))
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in _schema.sorted_tables
        }


@contextmanager
def open_library(uri: str) -> Iterator[sa.Connection]:
    """A transaction on the project library; a database error becomes a ConfigurationError that names it."""
    try:
        engine = sa.create_engine(_driver_uri(uri))
        with engine.begin() as connection:
            yield connection
        engine.dispose()
    except sa.exc.SQLAlchemyError as error:
        name = uri.split("@")[-1]
        raise ConfigurationError(
            f"The project library at {name} cannot be written: {error}. "
            "Check --project-library; it must be a SQLAlchemy URI such as postgresql://user:password@host/database."
        ) from error


def _driver_uri(uri: str) -> str:
    """``postgresql://`` and ``postgres://`` mean psycopg 3 here."""
    for prefix in ("postgres://", "postgresql://"):
        if uri.startswith(prefix):
            return "postgresql+psycopg://" + uri.removeprefix(prefix)
    return uri


def _known_rows(
    projects: list[Project], draw: Draw, new_from: dt.date | None, last: dt.date
) -> list[tuple[sa.Table, list[dict[str, Any]]]]:
    """What became known in these days, once for all copies; ``_COPY`` stands where a copy has its suffix."""
    made = (
        (PROJECT, _project_rows(projects, _COPY)),
        (STAGE_EVENT, _stage_rows(projects, _COPY)),
        (PRE_REVIEW, _pre_review_rows(projects, draw, _COPY)),
        (EXPERT_REVIEW, _expert_review_rows(projects, draw, _COPY)),
        (APP_LINK, _link_rows(projects, _COPY)),
    )
    return [
        (table, [row for row in rows
                 if row[_KNOWN_ON[table]] <= last and (new_from is None or row[_KNOWN_ON[table]] >= new_from)])
        for table, rows in made
    ]  # fmt: skip


def _write_copy(
    connection: sa.Connection, known: list[tuple[sa.Table, list[dict[str, Any]]]], copy_number: int
) -> int:  # fmt: skip
    suffix = f"-{copy_number:04d}" if copy_number else ""
    for table, rows in known:
        for start in range(0, len(rows), ROWS_PER_INSERT):
            copied = [
                {name: value.replace(_COPY, suffix) if isinstance(value, str) else value for name, value in row.items()}
                for row in rows[start : start + ROWS_PER_INSERT]
            ]
            connection.execute(table.insert(), copied)
    return sum(len(rows) for _, rows in known)


def _project_rows(projects: Iterable[Project], suffix: str) -> Iterator[dict[str, Any]]:
    for project in projects:
        is_government = project.department.kind.endswith("department")
        yield {
            "project_no": project.project_no + suffix, "project_name": project.name,
            "family": FAMILIES_ZH[project.family], "level": LEVELS_ZH[project.level],
            "district_code": project.department.district_code,
            "department_id": project.department.department_id + suffix,
            "funding_source": FUNDING_ZH[project.funding_source], "ledger_version": project.ledger_version,
            "declared_on": project.declared_on, "planned_accept_on": project.planned_accept_on,
            "budget_wan": project.budget_wan,
            # Until the rules were widened nobody recorded whether a project is in their scope.
            "in_scope": is_government if project.declared_on >= dt.date(2021, 1, 1) else None,
        }  # fmt: skip


def _stage_rows(projects: Iterable[Project], suffix: str) -> Iterator[dict[str, Any]]:
    for project in projects:
        for number, (stage, entered, due) in enumerate(project.stages, start=1):
            yield {
                "event_no": f"{project.project_no}{suffix}-J{number}", "project_no": project.project_no + suffix,
                "stage": STAGES_ZH[stage], "entered_on": entered, "due_on": due,
            }  # fmt: skip


def _pre_review_rows(projects: Iterable[Project], draw: Draw, suffix: str) -> Iterator[dict[str, Any]]:
    for project in projects:
        reviewed = project.entered("reviewed")
        key = ("pre-review", project.number)
        share = 0.85 if project.declared_on >= dt.date(2022, 1, 1) else 0.25
        if project.declared_on < dt.date(2020, 8, 1) or not draw.chance(share, *key):
            continue
        day = project.declared_on + dt.timedelta(days=draw.whole(3, 14, *key, "day"))
        day = min(day, reviewed) if reviewed else day
        asked = round(project.budget_wan * draw.between(1.0, 1.35, *key, "asked"), 2)
        outcome = "不通过" if reviewed is None else ("修改后通过" if asked > project.budget_wan * 1.1 else "通过")
        yield {
            "review_no": f"YS{project.number:05d}{suffix}", "project_no": project.project_no + suffix,
            "reviewed_on": day, "outcome": outcome, "requested_wan": asked,
            "approved_wan": project.budget_wan if reviewed else None,
        }  # fmt: skip


def _expert_review_rows(projects: Iterable[Project], draw: Draw, suffix: str) -> Iterator[dict[str, Any]]:
    for project in projects:
        reviewed = project.entered("reviewed")
        key = ("expert review", project.number)
        if reviewed is None or project.budget_wan < 60 or not draw.chance(0.45, *key):
            continue
        experts = draw.shuffled(range(1, 61), *key)[: draw.whole(3, 5, *key, "experts")]
        for number, expert in enumerate(experts, start=1):
            yield {
                "review_no": f"ZJP{project.number:05d}{suffix}-{number}", "project_no": project.project_no + suffix,
                "expert_no": f"ZJ{expert:03d}", "reviewed_on": reviewed,
                "score": round(draw.between(62, 96, *key, expert), 1),
            }  # fmt: skip


def _link_rows(projects: Iterable[Project], suffix: str) -> Iterator[dict[str, Any]]:
    for project in projects:
        for app, linked_on in project.apps:
            yield {
                "project_no": project.project_no + suffix, "irs_app_id": app.app_id + suffix, "linked_on": linked_on,
            }  # fmt: skip


def rule_articles() -> list[dict[str, Any]]:
    """37 articles: 11 kept, 19 revised and 6 added make 36 in 9 chapters; 1 removed."""
    kinds = (["修订", "保留", "修订", "修订", "增补", "保留"] * 6)[:36]
    wanted = {"保留": 11, "修订": 19, "增补": 6}
    for kind in wanted:
        surplus = kinds.count(kind) - wanted[kind]
        for other in wanted:
            while surplus > 0 and kinds.count(other) < wanted[other]:
                kinds[len(kinds) - 1 - kinds[::-1].index(kind)] = other
                surplus -= 1
    subjects = (
        "总则",
        "职责分工",
        "申报与预审",
        "立项审核",
        "建设实施",
        "竣工验收",
        "运行维护",
        "绩效评价",
        "监督与附则",
    )
    rows = [
        {"article_no": f"T{number + 1:02d}", "chapter_no": number // 4 + 1,
         "title": f"{subjects[number // 4]}·第{number % 4 + 1}款", "change_kind": kind}
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    return [*rows, {"article_no": "T37", "chapter_no": 9, "title": "监督与附则·原资金来源限定", "change_kind": "删除"}]

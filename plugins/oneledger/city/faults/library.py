"""Faults of the project library's database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from oneledger.city.faults.breakage import Breakage, Expected, Target
from oneledger.city.project_library import open_library
from oneledger.settings import ConfigurationError

WHOLE = "library/"


def library_file(target: Target) -> list[Path]:
    """The library's SQLite file, where it is one inside the city.

    Raises:
        ConfigurationError: another database: it cannot be kept beside the city.
    """
    path = Path(sa.engine.make_url(target.library).database or "")
    if not target.library.startswith("sqlite") or not path.is_relative_to(target.city_dir):
        raise ConfigurationError(
            "The project library is not the SQLite file of this city, so what stands in it cannot be kept and put "
            "back. Build a city with its own library: oneledger city build --fresh"
        )
    return [path]


def _sql(said: str, *statements: str) -> Callable[[Target], str]:
    def spoil(target: Target) -> str:
        with open_library(target.library) as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        return said

    return spoil


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


def _no_database(target: Target) -> str:
    path = library_file(target)[0]
    path.write_bytes(b"project library, moved to the new server\n" * 200)
    return f"{path.name} is a text file: no project can be read"


def _gone(target: Target) -> str:
    path = library_file(target)[0]
    path.unlink()
    return f"{path.name} is gone: no project can be read"


def _of(
    kind: str, zh: str, en: str, problem: str, expected: Expected, table: str, spoil: Callable[[Target], str],
    *, needs_history: bool = False, needs_reference_city: bool = False,
) -> Breakage:  # fmt: skip
    return Breakage(kind, zh, en, problem, expected, f"{WHOLE}{table}", spoil, library_file,
                    needs_history=needs_history, needs_reference_city=needs_reference_city)  # fmt: skip


def _refuse(entity: str, problem: str, text: str, *says: str) -> Expected:
    return Expected("refuse", "project_library", entity, text, problem, says=says)


def _held(entity: str, rule: str, rows: int, text: str, *says: str, problem: str = "unreadable_value") -> Expected:
    return Expected("quarantine", "project_library", entity, text, problem, rule, rows, says)


LIBRARY_FAULTS = (
    _of("changed_project_level", "改动一个项目的层级", "one project's level changed",
        "one county project says it is the city's",
        Expected("reconcile", "project_library", "project",
                 "reconcile shows 1 too many and 1 too few projects, and fails"),
        "project", _change_project_level, needs_reference_city=True),
    _of("removed_project", "项目库少一个项目", "one project left out by the library",
        "the newest full delivery lacks a project",
        Expected("warn", "project_library", "project", "the project is kept and marked as omitted, not deleted",
                 "omitted_records", says=("1 of the 1793 records", "omitted, not deleted")),
        "project", _remove_project, needs_history=True),
    _of("half_the_reviews", "评审少了大半", "most reviews left out by the library",
        "the newest full delivery lacks more than half of the pre-reviews",
        _refuse("pre_review", "omitted_records", "the batch is refused; its outcome shows how many, and some of them",
                "of the 383 records", "more than 50%"),
        "pre_review", _sql("project reviews: most of pre_review removed",
                           "delete from pre_review where review_no > 'YS002'"),
        needs_history=True),
    _of("renamed_library_column", "项目库列名被改", "a column of the library renamed",
        "project.funding_source is called fund_src",
        _refuse("project", "missing_column", "the batch is refused and the missing column named", "funding_source",
                "fund_src"),
        "project", _sql("project.funding_source became project.fund_src",
                        "alter table project rename column funding_source to fund_src")),
    _of("removed_library_column", "项目库缺一列", "a column of the library removed", "expert_review.expert_no is gone",
        _refuse("expert_review", "missing_column", "the batch is refused and the missing column named", "expert_no",
                "expert_id"),
        "expert_review", _sql("expert_review.expert_no of each project's review is gone",
                              "alter table expert_review drop column expert_no")),
    _of("new_library_column", "项目库多出一列", "a column of the library that nobody announced",
        "rule_article has a column remark",
        Expected("warn", "project_library", "rule_article", "rows are taken, the column is kept and a warning made",
                 "new_column", says=("remark",)),
        "rule_article", _sql("project rules: rule_article.remark is new",
                             "alter table rule_article add column remark text default '新增'")),
    _of("missing_table", "项目库缺表", "a table that is not there", "the table pre_review is called pre_review_2022",
        _refuse("pre_review", "missing_table", "the entity is refused, the others are taken", "pre_review",
                "no table"),
        "pre_review", _sql("project reviews: pre_review became pre_review_2022",
                           "alter table pre_review rename to pre_review_2022")),
    _of("repeating_view", "视图重复返回", "a view that repeats rows",
        "project_app_link is a view that gives 3 rows twice and 2 links a second time with other days",
        _held("app_link", "duplicate_with_other_content", 4,
              "exact repeats are superseded, the contradicting rows quarantined", problem="repeated_record"),
        "project_app_link", _sql(
            "project_app_link is a view that repeats rows",
            "alter table project_app_link rename to project_app_link_base",
            """create view project_app_link as select * from project_app_link_base union all
            select * from (select * from project_app_link_base order by project_no, irs_app_id limit 3) union all
            select project_no, irs_app_id, '2001-01-01' from
            (select * from project_app_link_base order by project_no, irs_app_id limit 2 offset 5)""")),
    _of("changed_column_type", "列类型改变", "a column of another type", "the scores of 3 reviews are the word 优",
        _held("expert_review", "is_decimal", 3, "the 3 rows are quarantined", "优", "score", problem="changed_type"),
        "expert_review", _sql("expert_review.score of 3 project reviews is 优",
                              "update expert_review set score = '优' where review_no in "
                              "(select review_no from expert_review order by review_no limit 3)")),
    _of("unknown_outcome", "未约定的预审结论", "a word that was not agreed in the library",
        "3 pre-reviews end with 暂缓",
        _held("pre_review", "known_word", 3, "the 3 rows are quarantined; the agreed words are listed", "暂缓",
              "outcome", problem=""),
        "pre_review", _sql("project reviews: the outcome of 3 is 暂缓",
                           "update pre_review set outcome = '暂缓' where review_no in "
                           "(select review_no from pre_review order by review_no limit 3)")),
    _of("blank_project_names", "项目名称为空", "names that are missing", "3 projects have no name",
        _held("project", "required", 3, "the 3 rows are quarantined", "project_name", problem=""),
        "project", _sql("project: 3 names are gone",
                        "update project set project_name = null where project_no in "
                        "(select project_no from project order by project_no limit 3)")),
    _of("negative_chapter", "章号小于一", "a number out of range", "an article stands in chapter 0",
        _held("rule_article", "minimum", 1, "the row is quarantined", "chapter_number", "0", problem=""),
        "rule_article", _sql("project rules: article T01 stands in chapter 0",
                             "update rule_article set chapter_no = 0 where article_no = 'T01'")),
    _of("unknown_project", "引用不存在的项目", "a reference to nothing",
        "a stage event is of a project that is unknown",
        _held("stage_event", "known_reference", 1, "the row is quarantined until the project is registered",
              "XM999999999", "project_id", problem=""),
        "project_stage_event", _sql("project stages: one is of XM999999999",
                                    "update project_stage_event set project_no = 'XM999999999' where event_no = "
                                    "(select min(event_no) from project_stage_event)"),
        needs_history=True),
    _of("no_database", "数据库文件损坏", "a file that is no database", "the library's file holds text",
        _refuse("project", "unreachable_database", "every entity of the source is refused; the other sources go on",
                "oneledger_project_library", "not a database"), "", _no_database),
    _of("missing_database", "数据库不在", "a database that is not there", "the library's file is gone",
        _refuse("project", "", "every entity of the source is refused; the other sources go on",
                "there is no database file"), "", _gone),
)  # fmt: skip

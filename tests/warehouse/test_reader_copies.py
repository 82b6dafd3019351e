"""Copies for readers: whole, up to date, and readable while the warehouse is being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.reader_copies import copies_folder, open_reader_copies, write_reader_copies

FIRST = (
    "('r1', 'zheliban', 'usage', 'b', 'f', 1, 'c', 'v', 'rule', '空', 'empty', '补', 'fill', '{}', now()::timestamp,"
    " null)"
)
SECOND = FIRST.replace("'r1'", "'r2'")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path, memory_limit="500MB", threads=1)
    with open_warehouse(found) as connection:
        create_control_tables(connection)
        connection.execute(
            "create table if not exists checks.gate (gate varchar primary key, run_id varchar not null,"
            " is_open boolean not null, state varchar not null, as_of_on date, checked_at timestamp not null)"
        )
        connection.execute(f"insert into quarantine.row values {FIRST}")
        write_reader_copies(connection, found)
    return found


def test_readers_read_while_a_writer_has_the_warehouse(settings: Settings) -> None:
    with open_warehouse(settings) as writer:
        writer.execute("begin transaction")
        writer.execute(f"insert into quarantine.row values {SECOND}")
        with open_reader_copies(settings) as copies:
            assert copies.connection.execute("select run_id from quarantine.row").fetchall() == [("r1",)]


def test_a_copy_follows_its_table_and_the_others_stay_as_they_are(settings: Settings) -> None:
    with open_reader_copies(settings) as copies:
        before = copies.token
    with open_warehouse(settings) as connection:
        assert write_reader_copies(connection, settings) == []
        connection.execute(f"insert into quarantine.row values {SECOND}")
        assert write_reader_copies(connection, settings) == ["quarantine.row"]
    with open_reader_copies(settings) as copies:
        assert copies.connection.execute("select count(*) from quarantine.row").fetchall() == [(2,)]
        assert copies.token != before


def test_rows_that_were_let_in_leave_the_copy(settings: Settings) -> None:
    with open_warehouse(settings) as connection:
        connection.execute("delete from quarantine.row")
        write_reader_copies(connection, settings)
    with open_reader_copies(settings) as copies:
        assert copies.connection.execute("select count(*) from quarantine.row").fetchall() == [(0,)]


def test_without_copies_it_says_what_to_run(settings: Settings) -> None:
    (copies_folder(settings) / "checks.gate.parquet").unlink()
    with pytest.raises(ConfigurationError, match=r"checks\.gate.*oneledger run"), open_reader_copies(settings):
        pass

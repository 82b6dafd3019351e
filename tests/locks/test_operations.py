"""The table of who may run beside whom says what the code does."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from oneledger.cli import ROOMS
from oneledger.locks import holder_of
from oneledger.locks.operations import (
    OPERATIONS,
    READERS,
    TASK_WAITS_MINUTES,
    Operation,
    beside,
    locks_table,
    operations_table,
)
from oneledger.locks.register import CITY, CORRECTION, LOCKS, WRITER, held_now
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger_airflow import turns

CHAPTER = PROJECT_ROOT / "docs" / "concurrency.md"
HOLD = """
import sys, time
from pathlib import Path
from oneledger.locks.register import LOCKS
from oneledger.settings import Settings
names = sys.argv[2:]
import contextlib
with contextlib.ExitStack() as held:
    for lock in LOCKS:
        if lock.name in names:
            held.enter_context(lock.held(Settings(home=Path(sys.argv[1])), run_id="theirs", step="at it"))
    print("held", flush=True)
    time.sleep(120)
"""


def verbs() -> set[str]:
    application = typer.Typer()
    for room in ROOMS:
        importlib.import_module(f"oneledger.cli.{room}").register(application)

    def walk(command: Any, name: str) -> Iterator[str]:
        below = getattr(command, "commands", {})
        if not below or command.invoke_without_command:
            yield name
        for word, one in below.items():
            yield from walk(one, f"{name} {word}".strip())

    return set(walk(typer.main.get_command(application), "")) - {""}


def operation(name: str) -> Operation:
    return next(one for one in OPERATIONS if one.name == name)


def test_every_verb_is_either_among_those_that_hold_a_lock_or_among_the_readers() -> None:
    holding = {one.name for one in OPERATIONS} & verbs()
    assert holding.isdisjoint(READERS)
    assert holding | set(READERS) == verbs()


def test_the_chapter_shows_the_tables_as_the_code_has_them() -> None:
    text = CHAPTER.read_text(encoding="utf-8")
    for table in (locks_table(), operations_table()):
        assert "\n".join(table) in text, "python -m oneledger.locks.operations prints the tables"


def test_a_task_of_airflow_waits_as_long_as_the_table_says() -> None:
    assert turns.WAIT_MINUTES == TASK_WAITS_MINUTES


def test_what_shares_the_writers_lock_is_refused_on_the_command_line_and_waits_in_airflow() -> None:
    assert beside(operation("run"), operation("run")) == "refused"
    assert beside(operation("backfill apply"), operation("tasks of build, publish")) == "waits"
    assert beside(operation("run"), operation("evaluate confirm")) == "runs"
    assert beside(operation("ingest"), operation("run")) == "runs without it"


def test_no_two_locks_share_a_file_and_each_has_its_heading() -> None:
    assert len({one.file for one in LOCKS}) == len({one.name for one in LOCKS}) == len(LOCKS)
    text = CHAPTER.read_text(encoding="utf-8")
    for lock in LOCKS:
        assert f"`{lock.name}`" in text


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, int]]:
    """A home in which another process writes the warehouse, applies a backfill and builds the city."""
    home = tmp_path_factory.mktemp("busy")
    names = [WRITER.name, CORRECTION.name, CITY.name]
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(home), *names], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield Settings(home=home), process.pid
    process.kill()
    process.wait()


def asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path, *words: str
) -> tuple[int, str, str]:
    """What `oneledger …` answers: exit code, standard output, standard error."""
    import oneledger.cli

    monkeypatch.setenv("ONELEDGER_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["oneledger", *words])
    monkeypatch.setattr(oneledger.cli, "app", typer.Typer())
    with pytest.raises(SystemExit) as ended:
        oneledger.cli.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


WRITERS = {
    "run": ("run", "--from", "admit"),
    "rebuild": ("rebuild", "--from-landing"),
    "quarantine release": ("quarantine", "release", "--source", "irs", "--name", "Wang", "--reason", "mended"),
    "retention apply": ("retention", "apply", "--name", "Wang", "--reason", "disk"),
    "backfill apply": ("backfill", "apply", "b", "--name", "Wang", "--reason", "appeal"),
    "backfill abandon": ("backfill", "abandon", "b", "--name", "Wang", "--reason", "appeal"),
    "city build": ("city", "build", "--from", "2022-10-30", "--to", "2022-10-31"),
}


@pytest.mark.parametrize("verb", WRITERS)
def test_a_second_writer_is_refused_at_once_and_told_who_holds_the_lock_since_when(
    verb: str,
    busy_home: tuple[Settings, int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, pid = busy_home
    code, _, told = asked(capsys, monkeypatch, settings.home, *WRITERS[verb])
    holder = operation(verb).locks[0].holder(settings)
    assert holder is not None
    assert code == 1
    for part in (f"process {pid}", "run theirs", holder.since_in_city, "Asia/Shanghai", "still alive", "remedy"):
        assert part in told, told
    assert not (settings.home / "outcomes").exists(), "who was refused did nothing and recorded nothing"
    assert not (settings.home / "warehouse" / "warehouse.duckdb").exists()


def test_a_refusal_with_json_is_json_and_names_the_holder(
    busy_home: tuple[Settings, int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, pid = busy_home
    code, told, _ = asked(capsys, monkeypatch, settings.home, "run", "--from", "admit", "--json")
    answer = json.loads(told)
    assert code == 1
    assert answer["ok"] is False
    assert answer["items"][0]["holder"]["pid"] == pid
    assert {"problem", "expected", "remedy"} <= set(answer["items"][0])


def test_status_shows_every_lock_that_is_held_with_its_holder(
    busy_home: tuple[Settings, int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, pid = busy_home
    _, told, _ = asked(capsys, monkeypatch, settings.home, "status", "--json")
    answer = json.loads(told)
    assert answer["lock"]["pid"] == pid
    assert answer["lock"]["is_alive"] is True
    assert {one["name"] for one in answer["locks"]} == {"writer", "correction", "city"}
    assert all(one["holder"]["run_id"] == "theirs" for one in answer["locks"])
    assert {one["name"] for one in held_now(settings)} == {"writer", "correction", "city"}
    _, shown, _ = asked(capsys, monkeypatch, settings.home, "status")
    assert shown.count(f"process {pid}") == 3


def test_the_lock_files_of_the_register_are_those_that_are_held(busy_home: tuple[Settings, int]) -> None:
    settings, pid = busy_home
    for lock in (WRITER, CORRECTION, CITY):
        found = holder_of(lock.path(settings))
        assert found is not None
        assert found.pid == pid

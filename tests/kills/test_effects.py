"""The supervisor itself: it sees every change to a file, and what it forbids does not happen."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kills.effects import Effect, can_watch, run_watched, takes_space

pytestmark = pytest.mark.skipif(not can_watch(), reason="needs Linux on x86-64 with seccomp user notification")


def some_work(folder: Path) -> Callable[[], int]:
    def work() -> int:
        (folder / "half").write_text("hello", "utf-8")
        (folder / "half").rename(folder / "whole")
        (folder / "current").symlink_to("whole")
        database = sqlite3.connect(folder / "index.db")
        database.execute("create table batch (id integer)")
        database.close()
        os.link(folder / "whole", folder / "shared")
        (folder / "current").unlink()
        return 7

    return work


def test_every_change_is_seen_in_its_order_also_those_that_a_library_makes(tmp_path: Path) -> None:
    ended = run_watched(some_work(tmp_path), tmp_path, lambda _: None)
    assert ended.code == 7
    assert [(one.call, one.path) for one in ended.effects if not one.path.startswith("index")] == [
        ("create", "half"), ("write", "half"), ("rename", "whole"), ("symlink", "current"), ("link", "shared"),
        ("unlink", "current"),
    ]  # fmt: skip
    assert {"create", "write", "fsync", "unlink"} <= {one.call for one in ended.effects if "journal" in one.path}
    assert [one.number for one in ended.effects] == list(range(1, len(ended.effects) + 1))


def test_what_is_killed_before_an_effect_made_everything_before_it_and_not_that(tmp_path: Path) -> None:
    ended = run_watched(some_work(tmp_path), tmp_path, lambda effect: "kill" if effect.call == "symlink" else None)
    assert ended.code == -9
    assert ended.killed_before is not None
    assert ended.killed_before.path == "current"
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_full_disk_takes_nothing_more_and_gives_things_up(tmp_path: Path) -> None:
    def full(effect: Effect) -> str | None:
        return "full" if effect.call != "create" and takes_space(effect) else None

    def work() -> int:
        try:
            (tmp_path / "half").write_text("hello", "utf-8")
        except OSError as error:
            (tmp_path / "half").unlink()
            return error.errno or 0
        return 0

    assert run_watched(work, tmp_path, full).code == 28
    assert list(tmp_path.iterdir()) == []


def test_a_process_is_killed_at_a_moment_whatever_it_does(tmp_path: Path) -> None:
    def work() -> int:
        number = 0
        while True:
            number += 1
            (tmp_path / f"{number}").touch()

    ended = run_watched(work, tmp_path, lambda _: None, kill_after_seconds=0.2)
    assert ended.code == -9
    assert ended.effects

"""The nightly killed between two effects on the disk: the next run completes alone and nothing differs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneledger.settings import PROJECT_ROOT
from tests.kills.effects import can_watch
from tests.kills.points import NAMED, TELLING

pytestmark = pytest.mark.skipif(not can_watch(), reason="needs Linux on x86-64 with seccomp user notification")
SEED = 20221031


def campaign(folder: Path, *arguments: str) -> dict[str, Any]:
    """What `python -m tests.kills` reports; its lines of progress go to the terminal of a soak."""
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", *arguments, "--report", str(report)],
        cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=7200,
    )  # fmt: skip
    print(done.stdout)
    assert report.is_file(), done.stdout
    return dict(json.loads(report.read_text("utf-8")))


def what_broke(report: dict[str, Any]) -> dict[str, list[str]]:
    return {f"{one['point']} {one['hit']}": one["problems"] for one in report["tried"] if one["problems"]}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_after_a_kill_at_the_most_telling_points_the_next_run_completes_alone_and_nothing_differs(
    tmp_path: Path,
) -> None:
    report = campaign(tmp_path, "--telling")
    assert what_broke(report) == {}
    assert report["kills"] == len(TELLING)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_after_a_kill_at_every_named_point_the_next_run_completes_alone_and_nothing_differs(tmp_path: Path) -> None:
    report = campaign(tmp_path, "--named")
    assert what_broke(report) == {}
    assert report["kills"] == len(NAMED)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_after_a_kill_at_a_hundred_random_moments_the_next_run_completes_alone_and_nothing_differs(
    tmp_path: Path,
) -> None:
    report = campaign(tmp_path, "--random", "100", "--seed", str(SEED))
    assert what_broke(report) == {}
    assert len(report["tried"]) == 100


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_after_a_kill_between_any_two_effects_the_next_run_completes_alone_and_nothing_differs(tmp_path: Path) -> None:
    report = campaign(tmp_path, "--effects", "60")
    assert what_broke(report) == {}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_full_disk_and_a_vanished_source_are_said_and_the_next_run_brings_what_is_missing(tmp_path: Path) -> None:
    report = campaign(tmp_path, "--disk", "12", "--sources")
    assert what_broke(report) == {}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_eight_readers_beside_killed_nights_are_told_one_version_each_time_and_meet_no_error(tmp_path: Path) -> None:
    readers = campaign(tmp_path, "--readers", "6", "--seed", str(SEED))["readers"]
    assert readers["problems"] == []
    assert readers["kills"] >= 4
    assert readers["versions"] >= 4
    assert readers["reads"] >= 100

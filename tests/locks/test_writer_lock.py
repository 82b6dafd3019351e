"""The writer's lock: refusal names the holder, and death leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneledger.audit import removing
from oneledger.audit.retention import plan_retention
from oneledger.catalogue import load_catalogue
from oneledger.locks.register import held_now
from oneledger.quality.gates import run_gate
from oneledger.settings import Settings, load_settings
from oneledger.warehouse.lock import WriterBusyError, lock_holder, writer_lock

HOLD = """
import sys, time
from pathlib import Path
from oneledger.settings import Settings
from oneledger.warehouse.lock import writer_lock
with writer_lock(Settings(home=Path(sys.argv[1])), run_id="run-of-the-other", step="build_models"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def other_writer(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(settings.home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_writer_is_refused_at_once_and_told_who_holds_the_lock(
    settings: Settings, other_writer: subprocess.Popen[str]
) -> None:
    with pytest.raises(WriterBusyError) as refusal, writer_lock(settings, run_id="mine", step="admit"):
        pytest.fail("two writers at once")
    message = str(refusal.value)
    assert "run run-of-the-other, step build_models" in message
    assert f"process {other_writer.pid}" in message
    assert "Wait until that run has ended" in message
    holder = lock_holder(settings)
    assert holder is not None
    assert holder.pid == other_writer.pid


def test_a_killed_writer_leaves_no_lock_behind(settings: Settings, other_writer: subprocess.Popen[str]) -> None:
    os.kill(other_writer.pid, signal.SIGKILL)
    other_writer.wait()
    assert lock_holder(settings) is None
    with writer_lock(settings, run_id="mine", step="admit") as holder:
        assert lock_holder(settings) == holder
    assert lock_holder(settings) is None


def test_a_step_of_the_run_that_holds_the_lock_may_write_and_is_named(settings: Settings) -> None:
    with writer_lock(settings, run_id="nightly", step="nightly"):
        with writer_lock(settings, run_id="nightly", step="admit"):
            inner = lock_holder(settings)
        outer = lock_holder(settings)
    assert inner is not None
    assert outer is not None
    assert (inner.step, outer.step) == ("admit", "nightly")


def test_another_run_in_the_same_process_is_refused(settings: Settings) -> None:
    with (
        writer_lock(settings, run_id="nightly", step="admit"),
        pytest.raises(WriterBusyError, match="run nightly, step admit"),
        writer_lock(settings, run_id="backfill", step="admit"),
    ):
        pytest.fail("two writers at once")


def test_a_gate_is_not_judged_while_somebody_else_writes(settings: Settings) -> None:
    # What was judged would not be what the answer is kept for.
    with (
        writer_lock(settings, run_id="release", step="release"),
        pytest.raises(WriterBusyError, match="run release"),
    ):
        run_gate("marts", settings, load_catalogue(load_settings()), run_id="nightly")
    assert not settings.warehouse_path.exists()


def test_retention_plans_and_removes_while_nothing_can_be_confirmed_or_pinned(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []

    def plan(given: Settings, now: object = None) -> removing.Plan:
        seen.append(tuple(one["name"] for one in held_now(given)))
        return plan_retention(given)

    monkeypatch.setattr(removing, "plan_retention", plan)
    removing.apply_retention(settings, name="Wang", reason="disk")
    assert seen == [("writer", "decision")]

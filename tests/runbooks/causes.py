"""How the failures come about that are done to an installation: each is caused for real, the page mends it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from oneledger.city.breaking import break_city, mend_city
from oneledger.runbooks.pages import Block
from tests.faults.rounds import LAST

from .commands import Shell

Cause = Callable[[Shell], contextlib.AbstractContextManager[None]]


def home_of(shell: Shell) -> Path:
    return Path(shell.environment["ONELEDGER_HOME"])


def checkout_of(shell: Shell) -> Path:
    return Path(shell.environment["ONELEDGER_PROJECT_ROOT"])


def back_up(shell: Shell) -> None:
    """A copy of all that cannot be made again, as an operator keeps it."""
    home, backup = home_of(shell), Path(shell.environment["ONELEDGER_BACKUP"])
    shutil.rmtree(backup, ignore_errors=True)
    rooms = (
        "landing", "seals", "releases", "evaluations", "corrections", "retention", "published", "reports", "outcomes",
        "notices", "lineage",
    )  # fmt: skip
    for room in rooms:
        if (home / room).exists():
            shutil.copytree(home / room, backup / room, symlinks=True)


@contextlib.contextmanager
def nothing(shell: Shell) -> Iterator[None]:
    """The page itself does what it shows, or shows how things look when they are well."""
    yield


def _append(path: Path, text: str) -> None:
    path.chmod(0o644)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)


def _flip(path: Path) -> None:
    """Change one byte in the middle; who reads the size and the time alone sees nothing."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@contextlib.contextmanager
def a_lost_row(shell: Shell) -> Iterator[None]:
    """A day is delivered again and admitted, and then somebody deletes a row by hand."""
    home = home_of(shell)
    break_city("redelivered_day", home / "city", dt.date(LAST.year, LAST.month, 21))
    shell.run("oneledger", "ingest", "zheliban")
    shell.run(
        sys.executable, "-c",
        "from oneledger.settings import load_settings; from oneledger.catalogue import load_catalogue;"
        "from oneledger.warehouse.admission import admit; from oneledger.outcomes import new_run_id;"
        "s = load_settings(); admit(s, load_catalogue(s), run_id=new_run_id())",
    )  # fmt: skip
    with duckdb.connect(str(home / "warehouse" / "warehouse.duckdb")) as connection:
        connection.execute(
            "delete from admitted.usage where rowid in (select min(rowid) from admitted.usage "
            f"where source = 'zheliban' and usage_on = date '{LAST:%Y-%m}-21')"
        )
    yield
    mend_city(home / "city", "redelivered_day")


@contextlib.contextmanager
def a_wrong_model(shell: Shell) -> Iterator[None]:
    """Somebody counts each app's month one too high, and nothing new has come."""
    path = next((checkout_of(shell) / "dbt_project").rglob("int_app_usage_month.sql"))
    right = path.read_text("utf-8")
    wrong = right.replace("cast(sum({{ measure }}) as bigint)", "cast(sum({{ measure }}) + 1 as bigint)", 1)
    assert wrong != right
    path.write_text(wrong, "utf-8")
    yield


@contextlib.contextmanager
def a_model_that_is_no_sql(shell: Shell) -> Iterator[None]:
    _append(next((checkout_of(shell) / "dbt_project").rglob("mart_app_usage_month.sql")), "\nselect from where\n")
    yield


@contextlib.contextmanager
def a_check_that_is_no_sql(shell: Shell) -> Iterator[None]:
    path = checkout_of(shell) / "expectations" / "sources.yml"
    right = path.read_text("utf-8")
    wrong = right.replace("from control.admitted_batch", "from control.no_batch", 1)
    assert wrong != right
    path.write_text(wrong, "utf-8")
    yield


@contextlib.contextmanager
def an_edited_rule(shell: Shell) -> Iterator[None]:
    _append(checkout_of(shell) / "expectations" / "tolerated.yml", "# seen and found good\n")
    yield


@contextlib.contextmanager
def a_dag_that_is_no_python(shell: Shell) -> Iterator[None]:
    _append(next((checkout_of(shell) / "dags").glob("*.py")), "\ndef unfinished(\n")
    yield


@contextlib.contextmanager
def a_killed_run(shell: Shell) -> Iterator[None]:
    """SIGKILL while the models are built."""
    break_city("redelivered_day", home_of(shell) / "city", dt.date(LAST.year, LAST.month, 22))
    with subprocess.Popen(
        ["oneledger", "run"], env={**os.environ, **shell.environment}, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("3/6") and "→" in line:
                break
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
    yield
    mend_city(home_of(shell) / "city", "redelivered_day")


@contextlib.contextmanager
def somebody_who_writes(shell: Shell) -> Iterator[None]:
    """A process holds the writer's lock and hangs."""
    with subprocess.Popen(
        [sys.executable, "-c",
         "import time; from oneledger.settings import load_settings; from oneledger.warehouse.lock import writer_lock\n"
         "with writer_lock(load_settings(), run_id='hanging', step='nightly'):\n"
         "    print('held', flush=True); time.sleep(3600)"],
        env={**os.environ, **shell.environment}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline().strip() == "held"
        try:
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def a_damaged_warehouse(shell: Shell) -> Iterator[None]:
    path = home_of(shell) / "warehouse" / "warehouse.duckdb"
    path.write_bytes(b"the disk wrote something else here\n" * 400)
    yield


@contextlib.contextmanager
def a_damaged_version(shell: Shell) -> Iterator[None]:
    _flip(next((home_of(shell) / "published" / "current").resolve().glob("facts/*/*.parquet")))
    yield


@contextlib.contextmanager
def a_changed_landed_file(shell: Shell) -> Iterator[None]:
    _flip(next(path for path in sorted((home_of(shell) / "landing/zheliban").rglob("*.gz"))))
    yield


@contextlib.contextmanager
def an_edited_evaluation(shell: Shell) -> Iterator[None]:
    """Somebody decided on a draft, which seals it; then somebody else edits it."""
    if not (home_of(shell) / "evaluations").exists():
        shell.execute(Block("bash", "oneledger evaluate --period 2022-Q3"))
    shell.run("oneledger", "evaluate", "reject", "newest", "--name", "王敏", "--reason", "data are missing")
    back_up(shell)
    run = max((home_of(shell) / "evaluations").glob("2022-Q3-*"))
    record = next(iter(sorted(run.rglob("*.csv"))), None) or run / "run.json"
    _append(record, "\n")
    yield


@contextlib.contextmanager
def a_cut_ledger(shell: Shell) -> Iterator[None]:
    path = home_of(shell) / "seals" / "ledger.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:2], *lines[3:]]), encoding="utf-8")
    assert json.loads(lines[2])["sequence"]
    yield


@contextlib.contextmanager
def an_empty_machine(shell: Shell) -> Iterator[None]:
    """The page restores to a folder beside the home."""
    yield
    shutil.rmtree(home_of(shell).with_name("var.restored"))


# What does no damage, in this order: the page itself causes what it shows, or shows what a quiet day has. Nothing new
# comes between them, so one run does what all of them ask for.
QUIET: dict[str, Cause] = {
    "warnings-only": nothing,
    "values-suspicious": nothing,
    "wrong-password": nothing,
    "source-not-connected": nothing,
    "evaluation-gate-shut": nothing,
    "decision-refused": nothing,
    "page-says-no": nothing,
    "configuration-wrong": nothing,
    "installation-unfit": nothing,
    "notice-not-sent": nothing,
    "finding-reopened": nothing,
    "way-in-lost": nothing,
    "port-taken": nothing,
    "clock-of-this-machine": nothing,
    "airflow-does-not-start": a_dag_that_is_no_python,
    "airflow-task-stuck": nothing,
    "disk-full": nothing,
    "figures-do-not-come-out": nothing,
    "restated": nothing,
}

# Why the failure itself is not caused here; the commands of the page are carried out on an installation that is well.
NOT_CAUSED = {
    "airflow-task-stuck": "no Airflow runs here; tests/cluster kills a scheduler and workers of one",
    "clock-of-this-machine": "others use this machine and its clock; tests/faults delivers files of a future day",
    "disk-full": "it takes a disk of its own; tests/kills lets every write of a night find it full",
    "finding-reopened": "it takes months of data; tests/findings lets a finding fall back",
    "installation-unfit": "it would break the environment that carries the pages out",
}

# In this order, each on an installation that the one before left well.
SINGLE: dict[str, Cause] = {
    "confirmed-run-edited": an_edited_evaluation,
    "landed-file-changed": a_changed_landed_file,
    "version-damaged": a_damaged_version,
    "ledger-broken": a_cut_ledger,
    "rules-edited": an_edited_rule,
    "version-withdrawn": nothing,
    "backfill-refused": nothing,
    "somebody-else-writes": somebody_who_writes,
    "run-was-killed": a_killed_run,
    "check-cannot-be-made": a_check_that_is_no_sql,
    "models-do-not-build": a_model_that_is_no_sql,
    "marts-contradict": a_wrong_model,
    "rows-not-accounted-for": a_lost_row,
    "out-of-memory": nothing,
    "warehouse-damaged": a_damaged_warehouse,
    "restore-from-backup": an_empty_machine,
}

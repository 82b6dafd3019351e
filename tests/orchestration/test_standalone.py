"""`make up` as a person meets it: a real Airflow, its pages behind a log-in, and nothing left when it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from tests.orchestration.conftest import Started, processes_of, start_up, unused_port

pytestmark = pytest.mark.slow


def token(airflow: Started, password: str) -> httpx.Response:
    body = {"username": "admin", "password": password}
    return httpx.post(f"{airflow.address}/auth/token", json=body, trust_env=False)


def test_a_taken_port_is_named_with_its_holder_and_another_is_used(airflow: Started) -> None:
    assert f"is held by process {os.getpid()} (" in airflow.output
    assert "taking the next one" in airflow.output


def test_every_part_is_healthy_when_the_address_is_printed(airflow: Started) -> None:
    health = httpx.get(f"{airflow.address}/api/v2/monitor/health", trust_env=False).json()
    assert {part: health[part]["status"] for part in health} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )


def test_the_printed_password_logs_in_and_anonymous_visitors_are_refused(airflow: Started) -> None:
    pools = f"{airflow.address}/api/v2/pools"
    assert httpx.get(pools, trust_env=False).status_code == 401
    assert token(airflow, "wrong").status_code == 401
    answer = token(airflow, airflow.password)
    assert answer.status_code == 201
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    named = {pool["name"] for pool in httpx.get(pools, headers=bearer, trust_env=False).json()["pools"]}
    assert {"warehouse_writer", "source_irs", "source_finance"} <= named


def test_the_password_is_in_no_log_and_in_one_file_that_only_its_owner_reads(airflow: Started) -> None:
    files = [path for path in (airflow.home / "airflow").rglob("*") if path.is_file()]
    holding = [path for path in files if airflow.password.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["passwords.json"]
    assert holding[0].stat().st_mode & 0o777 == 0o600
    assert (airflow.home / "airflow").stat().st_mode & 0o777 == 0o700
    assert (airflow.home / "airflow" / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_no_part_listens_on_an_address_that_others_can_reach(airflow: Started) -> None:
    listening = [
        connection.laddr.ip
        for process in airflow.descendants()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_second_start_for_the_same_home_says_who_runs_already(airflow: Started) -> None:
    second = start_up(airflow.home, unused_port())
    output, _ = second.process.communicate(timeout=60)
    assert second.process.returncode == 2
    assert f"process {airflow.process.pid}" in output
    assert airflow.address in output


def test_ctrl_c_ends_every_process_it_started(home: Path, airflow: Started) -> None:
    started = airflow.descendants()
    assert len(started) >= 4
    assert airflow.interrupt() == 0
    # A zombie has ended; the machine's first process has yet to take note of it.
    assert [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert processes_of(home) == []


def test_parts_of_a_killed_supervisor_are_gone_after_the_next_start_and_stop(home: Path, airflow: Started) -> None:
    # `airflow` has been stopped by the test before, or is stopped here when this test runs alone.
    if airflow.process.poll() is None:
        airflow.interrupt()
    killed = start_up(home, unused_port())
    killed.read_until("Ctrl-C ends it")
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    again = start_up(home, unused_port())
    again.read_until("Ctrl-C ends it")
    assert again.password == killed.password
    again.process.send_signal(signal.SIGTERM)
    assert again.process.stdout is not None
    again.process.stdout.read()
    assert again.process.wait(timeout=60) == 0
    assert processes_of(home) == []

"""Airflow's connections come out as URIs that drivers read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.orchestration.conftest import environment_of

ROUND_TRIP = """
import json, sys
from airflow.sdk import Connection
from oneledger_airflow.connections import connection_uri
given = json.loads(sys.argv[1])
made = [Connection(conn_id="x", uri=one) if isinstance(one, str) else Connection(conn_id="x", **one) for one in given]
print(json.dumps([connection_uri(one) for one in made]))
"""


def uris_of(home: Path, *given: str | dict[str, str | int]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, json.dumps(given)],
        env=environment_of(home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_uris_that_airflow_took_apart_come_out_as_they_went_in(tmp_path: Path) -> None:
    uris = [
        "file:///srv/drop/zheliban",
        "sqlite:////srv/library/project.db",
        "postgresql://reader:s%3Acret%40@db.example:5432/library?sslmode=require",
        "http://:token%2Fwith%2Fslashes@127.0.0.1:8123",
    ]
    assert uris_of(tmp_path, *uris) == uris


def test_connections_as_filled_into_airflows_form_become_uris(tmp_path: Path) -> None:
    folder: dict[str, str | int] = {"conn_type": "fs", "extra": json.dumps({"path": "/srv/drop"})}
    service: dict[str, str | int] = {
        "conn_type": "http",
        "host": "https://irs.example",
        "password": "t/1",
        "port": 8443,
    }
    assert uris_of(tmp_path, folder, service) == ["file:///srv/drop", "https://:t%2F1@irs.example:8443"]

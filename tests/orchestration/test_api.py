"""The calls to Airflow's REST API that set up and start a night."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest

from oneledger_airflow.api import AirflowApi


class Busy(BaseHTTPRequestHandler):
    """Fails twice on every path, as Airflow does when its SQLite database is locked, then answers."""

    asked: ClassVar[dict[str, int]] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        self.send_response(500 if self.asked[self.path] < 3 else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing of it belongs to the test's output."""


@pytest.fixture
def busy() -> Iterator[str]:
    Busy.asked = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_pool_is_asked_for_again_when_airflow_is_too_busy(busy: str) -> None:
    AirflowApi(busy).ensure_pool("warehouse_writer", 1, "one writer")
    assert Busy.asked == {"/api/v2/pools": 3}


def test_a_run_is_never_started_twice(busy: str) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        AirflowApi(busy).trigger("ingest", "r1", dt.datetime(2022, 10, 31, tzinfo=dt.UTC), {})
    assert Busy.asked == {"/api/v2/dags/ingest/dagRuns": 1}


def test_a_server_that_is_being_started_again_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneledger_airflow.api.time.sleep", lambda seconds: None)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            for _ in range(2):  # as a server that ends in the middle of a request
                listener.accept()[0].close()
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"dags":[]}')

        threading.Thread(target=answer, daemon=True).start()
        assert AirflowApi(f"http://127.0.0.1:{listener.getsockname()[1]}").dags() == {}

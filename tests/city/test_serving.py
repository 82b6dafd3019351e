"""The HTTP API as a real process on loopback: its protocol, and what it knows as of a day."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from oneledger.city.allowance import Allowance
from oneledger.city.breaking import break_city
from oneledger.city.connections_file import IRS, read_connections
from tests.city.conftest import build


@contextmanager
def served(city_dir: Path, *arguments: str) -> Iterator[httpx.Client]:
    """A client of ``oneledger city serve`` with the token of ``connections.env``."""
    path = city_dir / "connections.env"
    before = path.stat().st_mtime_ns
    command = [str(Path(sys.executable).with_name("oneledger")), "city", "serve", "--out", str(city_dir), *arguments]
    with subprocess.Popen(command, env={**os.environ, "ONELEDGER_HOME": str(city_dir.parent)},
                          stderr=subprocess.PIPE, text=True) as server:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while path.stat().st_mtime_ns == before:
                assert server.poll() is None, server.stderr.read() if server.stderr else ""
                assert time.monotonic() < deadline
                time.sleep(0.05)
            uri = urlsplit(read_connections(city_dir)[IRS])
            with httpx.Client(
                base_url=f"http://{uri.hostname}:{uri.port}",
                headers={"Authorization": f"Bearer {uri.password}"},
                timeout=60,
            ) as client:
                yield client
        finally:
            server.terminate()
            assert server.wait(20) in (0, -15)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import datetime as dt

    return build(tmp_path_factory.mktemp("served"), first=dt.date(2022, 10, 30), last=dt.date(2022, 10, 31))


@pytest.fixture(scope="module")
def client(city: Path) -> Iterator[httpx.Client]:
    with served(city, "--rate", "0") as client:
        yield client


def test_without_the_token_nothing_but_the_health_is_told(client: httpx.Client) -> None:
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": "密".encode()}):
        answer = client.get("/v1/apps", headers=headers)
        assert answer.status_code == 401
        assert "bearer token" in answer.json()["message"]
    assert client.get("/healthz", headers={"Authorization": ""}).json()["status"] == "ok"


def test_the_file_with_the_token_is_readable_by_its_owner_only(client: httpx.Client, city: Path) -> None:
    assert stat.S_IMODE((city / "connections.env").stat().st_mode) == 0o600


def test_pages_give_every_record_once(client: httpx.Client) -> None:
    whole = client.get("/v1/sharing-requests", params={"limit": 10_000}).json()
    assert whole["nextCursor"] is None
    assert whole["synthetic"] is True
    pages, cursor = [], None
    while True:
        page = client.get(
            "/v1/sharing-requests", params={"limit": 700, **({"cursor": cursor} if cursor else {})}
        ).json()
        assert page["total"] == len(whole["items"])
        pages += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert pages == whole["items"]
    assert len({record["requestId"] for record in pages}) == len(pages)


def test_updated_since_gives_the_records_changed_at_or_after_it(client: httpx.Client) -> None:
    everything = client.get("/v1/sharing-requests", params={"limit": 10_000}).json()["items"]
    since = everything[-40]["updatedAt"]
    changed = client.get("/v1/sharing-requests", params={"limit": 10_000, "updated_since": since}).json()
    assert changed["items"] == [record for record in everything if record["updatedAt"] >= since]
    assert changed["total"] == len(changed["items"]) >= 40


def test_a_request_that_is_approved_later_is_not_approved_yet(client: httpx.Client) -> None:
    now = {r["requestId"]: r for r in client.get("/v1/sharing-requests", params={"limit": 10_000}).json()["items"]}
    answer = client.get("/v1/sharing-requests", params={"limit": 10_000, "as_of": "2022-08-31"}).json()
    assert answer["asOf"] == "2022-08-31"
    assert all(record["updatedAt"] <= "2022-08-31T23:59:59" for record in answer["items"])
    later = [record for record in answer["items"] if (now[record["requestId"]]["approvedAt"] or "") > "2022-09"]
    assert later
    assert all(record["approvedAt"] is None and record["openedAt"] is None for record in later)


def test_pages_of_one_answer_stay_as_of_its_day(client: httpx.Client) -> None:
    first = client.get("/v1/apps", params={"limit": 10, "as_of": "2021-06-30"}).json()
    second = client.get("/v1/apps", params={"limit": 10, "cursor": first["nextCursor"]}).json()
    assert second["asOf"] == "2021-06-30"


def test_an_unchanged_page_is_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/v1/apps", params={"limit": 50})
    again = client.get("/v1/apps", params={"limit": 50}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/v1/apps?limit=0", 400, "limit"),
        ("/v1/apps?cursor=!!", 400, "cursor"),
        ("/v1/apps?updated_since=yesterday", 400, "updated_since"),
        ("/v1/apps?as_of=2031-01-01", 400, "nothing is known after"),
        ("/v1/apps?page=2", 400, "unknown parameter"),
        ("/v1/dogs", 404, "/v1/"),
        ("/elsewhere", 404, "/v1/"),
    ],
)
def test_a_wrong_question_is_answered_with_what_it_must_be(
    client: httpx.Client, address: str, status: int, said: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_a_cursor_of_another_collection_is_refused(client: httpx.Client) -> None:
    cursor = client.get("/v1/apps", params={"limit": 5}).json()["nextCursor"]
    assert client.get("/v1/modules", params={"cursor": cursor}).status_code == 400


def test_the_index_lists_every_collection(client: httpx.Client) -> None:
    collections = client.get("/v1/").json()["collections"]
    assert len(collections) == 11
    assert all(client.get(address, params={"limit": 1}).json()["items"] for address in collections)


def test_asking_too_often_is_answered_with_when_to_ask_again(city: Path) -> None:
    with served(city, "--rate", "0.5", "--as-of", "2022-10-30") as client:
        answers = [client.get("/v1/departments", params={"limit": 1}) for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert answers[0].json()["asOf"] == "2022-10-30"
        time.sleep(int(refused[-1].headers["Retry-After"]))
        assert client.get("/v1/departments", params={"limit": 1}).status_code == 200


def test_the_allowance_fills_at_its_rate() -> None:
    now = [0.0]
    allowance = Allowance(rate=2, burst=3, clock=lambda: now[0])
    assert [allowance.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 1]
    assert allowance.wait_seconds("b") == 0
    now[0] = 0.5
    assert [allowance.wait_seconds("a") for _ in range(2)] == [0, 1]


def test_faults_show_while_the_server_runs(city: Path, client: httpx.Client) -> None:
    faults = city / "irs" / "faults.json"
    try:
        for kind in ("html_error_page", "server_error", "wrong_total"):
            break_city(kind, city)
        page = client.get("/v1/apps")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert client.get("/v1/sharing-requests").status_code == 503
        modules = client.get("/v1/modules", params={"limit": 10_000}).json()
        assert modules["total"] == len(modules["items"]) + 7
        faults.unlink()
        break_city("renamed_field", city)
        assert "isKeyApp" in client.get("/v1/apps").json()["items"][0]
    finally:
        faults.unlink(missing_ok=True)
    assert client.get("/v1/apps").json()["items"]

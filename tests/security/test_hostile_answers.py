"""A source that sends hostile answers: refused with a reason, in bounded time and memory; the token goes nowhere."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from oneledger.outcomes import Outcome
from tests.sources import api_server
from tests.sources.api_server import TOKEN, Api
from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  irs:
    connector: http
    connection: irs_api
    http: {as_of: asOf, total: total, limit: 3, attempts: 1, first_wait_seconds: 0.01, timeout_seconds: 2,
           max_page_bytes: 200000, max_answer_bytes: 300000, longest_page_seconds: 1}
    defaults: {delivery: changes, updated_at: updated_at}
    entities:
      app:
        path: /v1/apps
        natural_key: [app_id]
        columns:
          app_id: {from: appId, type: text, required: true}
          app_name: {from: name, type: text, optional: true}
          updated_at: {from: updatedAt, type: timestamp, required: true}
"""
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def irs(installation: Installation, api: Api) -> Installation:
    installation.write_catalogue(CATALOGUE)
    installation.connect("irs_api", api.uri)
    return installation


def refused(irs: Installation, problem: str) -> Outcome:
    outcome = only(irs.ingest("irs"), "failed")
    assert outcome.detail["problem"] == problem, outcome.message
    assert outcome.remedy
    assert irs.batches("irs") == []
    assert TOKEN not in json.dumps(outcome.to_json())
    kept = [path for path in irs.settings.home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
    return outcome


def answers(api: Api, body: bytes, **headers: str) -> None:
    api.fault = lambda number, query: (200, {**JSON, **headers}, body)


def page(**more: Any) -> bytes:
    record = {"appId": "A1", "updatedAt": "2022-10-01 08:00:00"}
    return json.dumps({"items": [record], "nextCursor": None, "total": 1, "asOf": "2022-10-31", **more}).encode()


@pytest.mark.parametrize("packings", [1, 2])
def test_a_packed_page_that_grows_without_end_is_cut_off(irs: Installation, api: Api, packings: int) -> None:
    body = b'{"items": [' + b" " * 20_000_000
    for _ in range(packings):
        body = gzip.compress(body, 9)
    answers(api, body, **{"Content-Encoding": ", ".join(["gzip"] * packings)})
    begun = time.process_time()
    outcome = refused(irs, "too_large" if packings == 1 else "unreadable_answer")
    assert "larger than 200,000 bytes" in outcome.message or "packed as 'gzip, gzip'" in outcome.message
    assert time.process_time() - begun < 5


def test_a_packed_page_is_read_and_lands_unpacked(irs: Installation, api: Api) -> None:
    answers(api, gzip.compress(page()), **{"Content-Encoding": "gzip"})
    irs.ingest_well("irs")
    (batch,) = irs.batches("irs")
    assert (batch.path / "page-00001.json").read_bytes() == page()


def test_a_packing_that_was_not_offered_is_refused(irs: Installation, api: Api) -> None:
    answers(api, page(), **{"Content-Encoding": "zstd"})
    assert "packed as 'zstd'" in refused(irs, "unreadable_answer").message


def test_a_packed_page_that_is_cut_off_or_broken_is_not_taken(irs: Installation, api: Api) -> None:
    answers(api, gzip.compress(page())[:-12], **{"Content-Encoding": "gzip"})
    assert "is cut off" in refused(irs, "unreadable_answer").message
    answers(api, b"no gzip", **{"Content-Encoding": "gzip"})
    assert "is broken" in refused(irs, "unreadable_answer").message


def test_an_answer_of_pages_without_number_ends_at_its_size(irs: Installation, api: Api) -> None:
    def endless(number: int, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, JSON, page(nextCursor=str(number), total=None, filler=f"{number:>50000}", items=[
            {"appId": f"A{number}", "updatedAt": "2022-10-01 08:00:00"}])  # fmt: skip

    api.fault = endless
    assert "`http.max_answer_bytes`" in refused(irs, "too_large").message
    assert len(api.requests) < 10


@pytest.fixture
def dripping() -> Iterator[str]:
    """A server that sends a byte now and then, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
                        while not over.wait(0.1):
                            connection.sendall(b" ")
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def test_a_page_that_drips_without_end_is_given_up(irs: Installation, dripping: str) -> None:
    irs.connect("irs_api", f"http://:{TOKEN.replace(' ', '%20')}@{dripping}/api")
    begun = time.monotonic()
    assert "longest_page_seconds" in refused(irs, "no_answer").message
    assert time.monotonic() - begun < 30


def test_the_token_is_not_carried_to_another_address(irs: Installation, api: Api) -> None:
    other = Api([])
    server = api_server.start(other)
    try:
        where = f"http://{other.address}/api/v1/apps?token=abc"
        api.fault = lambda number, query: (302, {"Location": where}, b"")
        outcome = refused(irs, "no_answer")
    finally:
        server.shutdown()
        server.server_close()
    assert other.requests == []
    assert other.address in outcome.message
    assert "token=abc" not in outcome.message


@pytest.mark.parametrize("depth", [5_000, 90_000])
def test_json_that_is_nested_without_end_is_refused(irs: Installation, api: Api, depth: int) -> None:
    nested = b'{"items": ' + b"[" * depth + b"]" * depth + b"}"
    answers(api, nested)
    assert "nested too deep" in refused(irs, "too_large").message


def test_json_that_is_nested_as_deep_as_can_be_read_harms_nobody(irs: Installation, api: Api) -> None:
    inner: Any = "x"
    for _ in range(100):
        inner = {"a": [inner]}
    answers(api, page(items=[{"appId": "A1", "updatedAt": "2022-10-01 08:00:00", "more": inner}]))
    irs.ingest_well("irs")


def test_records_of_thousands_of_keys_are_refused(irs: Installation, api: Api) -> None:
    record = {"appId": "A1", "updatedAt": "2022-10-01 08:00:00", **{f"k{number}": 1 for number in range(5_000)}}
    answers(api, page(items=[record]))
    assert "has 5,002 columns" in refused(irs, "too_large").message


@pytest.mark.parametrize("total", ["many", {"a": 1}, [1], 1e400, "1" * 5_000, 1.5], ids=str)
def test_a_total_that_is_no_number_is_refused(irs: Installation, api: Api, total: Any) -> None:
    answers(api, page(total=total))
    refused(irs, "unreadable_answer")


@pytest.mark.parametrize("cursor", [{"a": 1}, ["x"], "c" * 10_000, "\ud800"], ids=lambda one: ascii(one)[:12])
def test_a_cursor_that_is_no_short_text_is_refused(irs: Installation, api: Api, cursor: Any) -> None:
    answers(api, page(nextCursor=cursor, total=None))
    refused(irs, "unreadable_answer")


def test_a_cursor_cannot_leave_its_parameter(irs: Installation, api: Api) -> None:
    hostile = "x&updated_since=1900-01-01#/../../admin?y=\r\nX-Evil: 1"
    answers(api, page(nextCursor=hostile, total=None))
    only(irs.ingest("irs"), "failed")
    path, query, headers = api.requests[-1]
    assert path == "/api/v1/apps"
    assert query["cursor"] == hostile
    assert "X-Evil" not in headers


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308, "NaN"], ids=lambda one: str(one)[:6])
def test_huge_numbers_in_records_harm_nobody(irs: Installation, api: Api, value: Any) -> None:
    answers(api, page(items=[{"appId": value, "updatedAt": "2022-10-01 08:00:00"}]))
    outcomes = irs.ingest("irs")
    assert outcomes
    # Landed or refused with a reason; never an error that nobody foresaw.
    assert [one.message for one in outcomes if "a fault in OneLedger" in one.remedy] == []


def test_a_token_that_no_header_can_carry_is_told_as_such(irs: Installation, api: Api) -> None:
    irs.connect("irs_api", f"http://:geheim%C2%A7%0d%0aX:1@{api.address}/api")
    failed = only(irs.ingest("irs"), "failed")
    assert "printable ASCII" in failed.message
    assert "geheim" not in failed.message


def test_an_answer_that_repeats_our_token_is_not_kept(irs: Installation, api: Api) -> None:
    answers(api, page(request={"headers": {"Authorization": f"Bearer {TOKEN}"}}))
    outcome = refused(irs, "unsafe_content")
    assert "change the token" in outcome.remedy


@pytest.mark.parametrize("status", [400, 404, 401, 403, 418, 500])
def test_an_error_that_repeats_our_token_is_told_without_it(irs: Installation, api: Api, status: int) -> None:
    body = f"bad request: Authorization: Bearer {TOKEN}; url http://user:{TOKEN}@host/".encode()
    api.fault = lambda number, query: (status, {}, body)
    refused(irs, "no_answer")


def test_a_web_page_that_repeats_our_token_is_told_without_it(irs: Installation, api: Api) -> None:
    answers(api, f"<html>denied: Bearer {TOKEN}</html>".encode())
    refused(irs, "unsafe_content")

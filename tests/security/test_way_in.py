"""The way in: headers on whatever is answered, forms of other sites refused, tokens that cannot be guessed."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from oneledger.settings import Settings
from oneledger.web.app import create_app
from oneledger.web.tokens import COOKIE, TOKENS_VARIABLE, token_access

TOKEN = "engineer-0123456789abcdef"
GOOD, WRONG = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer wrong-0123456789abcdef"}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    made = create_app(Settings(home=tmp_path), token_access({TOKENS_VARIABLE: f"engineer={TOKEN}"}))

    @made.get("/broken")
    def broken(request: Request) -> None:
        raise RuntimeError(f"cannot reach http://:{TOKEN}@host/ with Bearer {TOKEN}")

    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def logged_in(client: TestClient) -> str:
    client.post("/login", data={"token": TOKEN})
    return str(client.cookies[COOKIE])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/login", 200), ("GET", "/", 303), ("GET", "/nothing", 404), ("GET", "/api/v1/tables", 401),
     ("POST", "/login", 422), ("DELETE", "/login", 405), ("GET", "/broken", 500)],
)  # fmt: skip
def test_every_answer_carries_the_headers_that_bind_the_browser(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert (rules["frame-ancestors"], rules["base-uri"], rules["form-action"]) == ("'self'", "'none'", "'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


def test_over_tls_the_browser_is_told_to_stay_there_and_the_cookie_goes_nowhere_else(app: FastAPI) -> None:
    with TestClient(app, base_url="https://ledger.test", follow_redirects=False) as client:
        answer = client.post("/login", data={"token": TOKEN})
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "secure", "max-age=43200"))


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
     {"Origin": "null"}, {"Origin": "http://testserver.evil.test"}],
)  # fmt: skip
def test_a_form_of_another_site_does_nothing_in_the_name_of_whoever_is_logged_in(
    client: TestClient, headers: dict[str, str]
) -> None:
    session = logged_in(client)
    answer = client.post("/logout", headers={**headers, "Cookie": f"{COOKIE}={session}"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert client.post("/logout", headers={"Origin": "http://testserver"}).status_code == 303


def test_a_session_is_signed_ends_by_itself_and_with_its_token(
    client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = logged_in(client)
    client.cookies.clear()

    def is_known(cookie: str, of: FastAPI = app) -> bool:
        with TestClient(of, follow_redirects=False) as asking:
            answer = asking.get("/api/v1/tables", headers={"Cookie": f"{COOKIE}={cookie}"})
            return answer.status_code != 401

    assert is_known(session)
    forged = "A" if session[-10] != "A" else "B"
    assert not is_known(session[:-10] + forged + session[-9:])
    assert not is_known(session.replace(".", "..", 1))
    other = create_app(app.state.settings, token_access({TOKENS_VARIABLE: "engineer=another-0123456789abcdef"}))
    assert not is_known(session, other)
    assert TOKEN not in session
    monkeypatch.setattr("oneledger.web.tokens.SESSION_SECONDS", -1)
    assert not is_known(session)


@pytest.mark.parametrize("way", ["login", "enter", "bearer"])
def test_guessing_a_token_is_stopped_whichever_way_it_is_tried(client: TestClient, way: str) -> None:
    def guess(number: int) -> int:
        token = f"guess-{number}-0123456789"
        if way == "login":
            return client.post("/login", data={"token": token}).status_code
        if way == "enter":
            return client.get("/enter", params={"token": token}).status_code
        return client.get("/api/v1/tables", headers={"Authorization": f"Bearer {token}"}).status_code

    statuses = [guess(number) for number in range(30)]
    assert statuses[:20] == [401] * 20
    assert set(statuses[20:]) == {429}


def test_whoever_has_the_right_token_is_not_kept_out_by_those_who_guess(client: TestClient) -> None:
    for _ in range(25):
        client.get("/api/v1/tables", headers=WRONG)
    assert client.get("/api/v1/tables", headers=WRONG).status_code == 429
    assert client.get("/api/v1/tables", headers=GOOD).status_code != 429


def test_a_wrong_token_is_compared_as_long_as_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [f"engineer=token-{number}-0123456789abcdef" for number in range(5)]
    access = token_access({TOKENS_VARIABLE: ",".join(tokens)})
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    counts = []
    for token in ("token-0-0123456789abcdef", "token-4-0123456789abcdef", "wrong", "", "t" * 100_000):
        compared.clear()
        access.of_token(token)
        counts.append(len(compared))
        # Digests of one length: how much of a token is right does not show.
        assert {len(one) for pair in compared for one in pair} == {64}
    assert counts == [5] * 5


def test_an_error_shows_the_visitor_a_number_and_the_log_no_token(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(TOKENS_VARIABLE, f"engineer={TOKEN}")
    with caplog.at_level(logging.ERROR):
        answer = client.get("/broken")
    assert answer.status_code == 500
    assert "RuntimeError" not in answer.text
    assert TOKEN not in answer.text
    assert "RuntimeError" in caplog.text
    assert TOKEN not in caplog.text

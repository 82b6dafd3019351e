"""The pages inside a real Airflow: in its navigation, behind its login, in its language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, BrowserContext, expect
from starlette.requests import HTTPConnection

from oneledger.evaluation.runs import evaluation_runs
from oneledger.web.access import Role, Visitor
from oneledger.web.app import create_app
from tests.evaluation.story import Story, settings_of
from tests.orchestration.conftest import Started, start_up, unused_port
from tests.web.test_guards import address, guarded, least_role

pytestmark = pytest.mark.slow


class AnyAccess:
    """For the list of routes only: nobody asks it."""

    async def visitor(self, request: HTTPConnection) -> Visitor | None:
        return None

    def login_address(self, request: HTTPConnection) -> str:
        return ""


@pytest.fixture(scope="module")
def airflow(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """`make up` over a copy of the story's installation."""
    home: Path = tmp_path_factory.mktemp("inside") / "home"
    started = start_up(
        story.copy(home).home, unused_port(),
        ONELEDGER_AIRFLOW_USERS="lihua:viewer,zhangwei:viewer,chenjie:op", ONELEDGER_WEB_AUDITORS="zhangwei",
    )  # fmt: skip
    try:
        started.read_until("Ctrl-C ends it")
        yield started
    finally:
        if started.process.poll() is None:
            started.interrupt()


@pytest.fixture
def admin(chromium: Browser, airflow: Started) -> Iterator[BrowserContext]:
    """Somebody who logged in at Airflow's own page."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{airflow.address}/")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(airflow.password)
    page.locator("button[type=submit]").click()
    page.wait_for_url(lambda address: "/auth/login" not in address)
    page.close()
    yield context
    context.close()


def test_the_printed_address_of_the_pages_asks_for_airflow_s_login_and_tells_nothing(
    airflow: Started, story: Story
) -> None:
    assert f"{airflow.address}/oneledger/" in airflow.output
    for path in ("/", "/apps", "/evaluation", "/api/v1/tables", "/api/v1/openapi.json"):
        answer = httpx.get(f"{airflow.address}/oneledger{path}", trust_env=False)
        assert answer.status_code == (401 if path.startswith("/api/") else 303), path
        assert story.second_version not in answer.text
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/auth/login") or "/auth/login?" in answer.headers["location"]


def test_a_token_of_airflow_opens_the_api(airflow: Started, story: Story) -> None:
    body = {"username": "admin", "password": airflow.password}
    token = httpx.post(f"{airflow.address}/auth/token", json=body, trust_env=False).json()["access_token"]
    answer = httpx.get(f"{airflow.address}/oneledger/", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 200
    assert story.second_version in answer.text


def token_of(airflow: Started, name: str) -> str:
    passwords = json.loads((airflow.home / "airflow" / "passwords.json").read_text("utf-8"))
    body = {"username": name, "password": passwords[name]}
    return str(httpx.post(f"{airflow.address}/auth/token", json=body, trust_env=False).json()["access_token"])


# Users of Airflow's own login, and which of our roles each has.
USERS = {"lihua": Role.VIEWER, "zhangwei": Role.AUDITOR, "chenjie": Role.ENGINEER, "admin": Role.ENGINEER}


def status_of(airflow: Started, route: APIRoute, headers: dict[str, str]) -> int:
    method = "GET" if "GET" in route.methods else "POST"
    path = f"{airflow.address}/oneledger{address(route)}"
    return httpx.request(method, path, headers=headers, timeout=60, trust_env=False).status_code


def test_every_route_asks_for_its_role_of_everybody_in_a_real_airflow(airflow: Started, story: Story) -> None:
    routes = guarded(create_app(story.settings, AnyAccess(), is_embedded=True))
    assert len(routes) > 30
    for route in routes:
        assert status_of(airflow, route, {}) in (303, 401), route.path
        # One that Airflow did not sign is nobody's.
        assert status_of(airflow, route, {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}) in (303, 401), route.path
    for name, role in USERS.items():
        headers = {"Authorization": f"Bearer {token_of(airflow, name)}"}
        for route in routes:
            needed = least_role(route.dependant)
            assert needed is not None
            if role < needed:
                assert status_of(airflow, route, headers) == 403, (name, route.path)


@pytest.mark.parametrize(
    ("path", "least"),
    [("/", Role.VIEWER), ("/apps", Role.VIEWER), ("/api/v1/tables", Role.VIEWER), ("/quality", Role.VIEWER),
     ("/api/v1/quarantine/rows", Role.AUDITOR)],
)  # fmt: skip
def test_whoever_may_sees_it_in_a_real_airflow_and_who_may_not_is_told_what_is_needed(
    airflow: Started, path: str, least: Role
) -> None:
    for name, role in USERS.items():
        headers = {"Authorization": f"Bearer {token_of(airflow, name)}"}
        answer = httpx.get(f"{airflow.address}/oneledger{path}", headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == (200 if role >= least else 403), (name, path)
        if role < least:
            assert least.title_en in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_a_form_of_another_site_decides_nothing_in_the_name_of_airflow_s_user(airflow: Started, story: Story) -> None:
    cookies = {"_token": token_of(airflow, "admin")}
    path = f"{airflow.address}/oneledger/evaluation/runs/{story.corrected}/decision"
    for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = httpx.post(
            path, data={"decision": "confirm", "reason": "x"}, cookies=cookies, headers=headers, trust_env=False
        )
        assert answer.status_code == 403
    run = next(one for one in evaluation_runs(settings_of(airflow.home)) if one.run_id == story.corrected)
    assert run.state == "draft"


def test_passwords_of_airflow_s_users_are_readable_by_nobody_else(airflow: Started) -> None:
    path = airflow.home / "airflow" / "passwords.json"
    assert path.stat().st_mode & 0o077 == 0
    passwords = json.loads(path.read_text("utf-8"))
    assert set(passwords) == set(USERS)
    logs = [one for one in (airflow.home / "airflow" / "logs").rglob("*") if one.is_file()]
    assert [one for one in logs if any(word.encode() in one.read_bytes() for word in passwords.values())] == []


def test_the_navigation_leads_to_the_pages_and_they_follow_airflow_s_language(
    admin: BrowserContext, airflow: Started
) -> None:
    page = admin.new_page()
    page.goto(f"{airflow.address}/")
    page.get_by_role("link", name="一本账 OneLedger").click()
    pages = page.frame_locator("iframe")
    expect(pages.locator("html")).to_have_attribute("lang", "zh-CN", timeout=20_000)
    expect(pages.locator("main h1")).to_be_visible()
    page.evaluate("localStorage.setItem('i18nextLng', 'en')")
    page.reload()
    expect(pages.locator("html")).to_have_attribute("lang", "en", timeout=20_000)
    pages.get_by_role("link", name="Apps", exact=True).click()
    expect(pages.locator("main h1")).to_have_text("Apps")
    # Its own name and its log-out are Airflow's business here.
    expect(pages.locator("a.brand")).to_be_hidden()
    assert pages.get_by_text("Log out").count() == 0


def test_a_link_into_the_pages_comes_back_after_the_login(chromium: Browser, airflow: Started) -> None:
    context = chromium.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{airflow.address}/oneledger/apps")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(airflow.password)
    page.locator("button[type=submit]").click()
    page.wait_for_url(f"{airflow.address}/oneledger/apps")
    context.close()

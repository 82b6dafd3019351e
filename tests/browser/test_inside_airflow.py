"""The pages inside a real Airflow: in its navigation, behind its login, in its language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.evaluation.story import Story
from tests.orchestration.conftest import Started, start_up, unused_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def airflow(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """`make up` over a copy of the story's installation."""
    home: Path = tmp_path_factory.mktemp("inside") / "home"
    started = start_up(story.copy(home).home, unused_port())
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

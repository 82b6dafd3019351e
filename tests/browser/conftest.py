"""A real Chromium on a real server: `oneledger web` as a process of its own, over a published version."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from oneledger.settings import PROJECT_ROOT
from tests.evaluation.story import Story, told_once

TOKENS = {role: f"{role}-0123456789abcdef" for role in ("viewer", "auditor", "engineer")}
# Chromium asks its maker's hosts at every start unless it is told not to.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@dataclass
class Site:
    """The pages as they are served.

    Attributes:
        address: without a slash at its end.
    """

    address: str
    process: subprocess.Popen[str]


@dataclass
class Visit:
    """A browser window of somebody, and everything in it that should not have happened."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> int:
        """Go there; returns the status of the answer."""
        answer = self.page.goto(self.site.address + path, wait_until="load")
        assert answer is not None
        return answer.status


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Story:
    """Two versions, a confirmed run and two drafts of a short city; only read it."""
    base = tmp_path_factory.getbasetemp()
    return told_once(base if worker_id == "master" else base.parent)


@pytest.fixture(scope="session")
def site(story: Story) -> Iterator[Site]:
    """`oneledger web` on a free port."""
    with serving(story.home) as served:
        yield served


@contextmanager
def serving(home: Path) -> Iterator[Site]:
    """The pages of an installation, on a free port."""
    environment = {
        **os.environ,
        "ONELEDGER_HOME": str(home),
        "ONELEDGER_WEB_TOKENS": ",".join(f"{role}={token}" for role, token in TOKENS.items()),
        "ONELEDGER_WEB_RATE": "100000",
    }
    command = [Path(sys.executable).with_name("oneledger"), "web", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        address = next((word for word in first.split() if word.startswith("http://")), None)
        assert address, f"`oneledger web` said {first!r} instead of its address"
        yield Site(address.rstrip("/"), process)
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium; installed as Debian's package when there is none.

    For one module: while Playwright's synchronous driver runs, its event loop counts as running in the whole process.
    """
    found = subprocess.run(
        [sys.executable, PROJECT_ROOT / "scripts" / "browser.py"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=QUIET)
        yield browser
        browser.close()


def log_in(context: BrowserContext, site: Site, role: str) -> None:
    """As a person does: the token into the field, the button pressed."""
    page = context.new_page()
    page.goto(f"{site.address}/login")
    page.locator("input[name=token]").fill(TOKENS[role])
    page.locator("main form button").click()
    page.wait_for_url(f"{site.address}/")
    page.close()


def visit(context: BrowserContext, site: Site) -> Visit:
    """A window that notes errors of scripts, failed requests, and requests to any other host."""
    page = context.new_page()
    seen = Visit(page, site)
    page.on("console", lambda line: seen.complaints.append(f"console: {line.text}") if line.type == "error" else None)
    page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
    page.on("requestfailed", lambda one: _note_failure(seen, one))
    page.on("request", lambda one: _note_host(seen, one.url))
    return seen


def _note_host(seen: Visit, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(seen.site.address).netloc:
        seen.complaints.append(f"another host: {address}")


def _note_failure(seen: Visit, request: Request) -> None:
    # The browser gives the icon up when the next page is asked for before it came: no fault of the page.
    if not (request.url.endswith("/mark.svg") and request.failure == "net::ERR_ABORTED"):
        seen.complaints.append(f"failed: {request.url} {request.failure}")

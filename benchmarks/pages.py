"""What the pages cost: seconds of each kind of page over an installation that is there, first and when asked again."""

from __future__ import annotations

import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from tests.browser.walking import Walk, kind_of

_AGAIN = 5


@dataclass(frozen=True)
class PageCost:
    """One page: seconds of the first answer of a fresh server, the median of more, and its size."""

    path: str
    first_seconds: float
    again_seconds: float
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_pages(home: Path, *, memory_limit: str, say: Callable[[str], None]) -> list[PageCost]:
    """Walk through the pages by their links, two of a kind, as an engineer.

    Raises:
        RuntimeError: a page answers with anything but 200.
    """
    costs = []
    with _served(home, memory_limit) as client:
        client.get("/static/none")  # the server is up and has imported what it needs
        address = str(client.base_url).rstrip("/")
        walk = Walk()
        for path in walk:
            took, text = _seconds(client, path)
            took_again = statistics.median(_seconds(client, path)[0] for _ in range(_AGAIN))
            costs.append(PageCost(path, round(took, 3), round(took_again, 3), len(text.encode())))
            say(f"{took:6.3f} s first, {took_again:6.3f} s again, {len(text) // 1000:5d} kB  {path}")
            walk.take_links(links_of(text, address + path), address)
    slowest = max(costs, key=lambda one: one.first_seconds)
    kinds = {kind_of(one.path) for one in costs}
    first, again = [one.first_seconds for one in costs], [one.again_seconds for one in costs]
    say(f"{len(costs)} pages of {len(kinds)} kinds")
    say(f"first: {statistics.median(first):.3f} s median, {max(first):.3f} s at most ({slowest.path})")
    say(f"again: {statistics.median(again):.3f} s median, {max(again):.3f} s at most")
    return costs


@contextmanager
def _served(home: Path, memory_limit: str) -> Iterator[httpx.Client]:
    token = secrets.token_urlsafe(24)
    environment = {
        **os.environ,
        "ONELEDGER_HOME": str(home.resolve()),
        "ONELEDGER_MEMORY_LIMIT": memory_limit,
        "ONELEDGER_WEB_TOKENS": f"engineer={token}",
        "ONELEDGER_WEB_RATE": "1000000",
    }
    command = [str(Path(sys.executable).with_name("oneledger")), "web", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http://"))
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=address, headers=headers, timeout=120, trust_env=False) as client:
                yield client
        finally:
            server.terminate()


def _seconds(client: httpx.Client, path: str) -> tuple[float, str]:
    started = time.perf_counter()
    answer = client.get(path)
    seconds = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:400]}")
    return seconds, answer.text


def links_of(text: str, address: str) -> list[str]:
    """Where the anchors of a page lead, as whole addresses."""
    found: list[str] = []

    class Anchors(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            href = dict(attrs).get("href")
            if tag == "a" and href:
                found.append(urljoin(address, href))

    Anchors().feed(text)
    return found

"""Who the users of the load bench are, and what they look at: found by walking through the pages by their links."""

from __future__ import annotations

import random
import secrets
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
from tests.browser.walking import Walk, is_page, kind_of

from benchmarks.pages import links_of
from oneledger.web.navigation import NAVIGATION

# Of a city's users most only read; auditors also trace, engineers decide.
_ROLES = (("viewer", 7), ("auditor", 2), ("engineer", 1))
_OF_A_KIND = 25
_TRACES = 10
_TABLE_PAGES = 4
_SEED = 20221031
_TRACE = "/lineage/trace"


def make_users(count: int) -> list[dict[str, str]]:
    """So many people with a token each; every third reads English."""
    roles = [role for role, share in _ROLES for _ in range(share)]
    return [
        {
            "name": f"visitor{number:03}",
            "role": roles[number % len(roles)],
            "token": secrets.token_urlsafe(24),
            "language": "en" if number % 3 == 0 else "zh-CN",
        }
        for number in range(count)
    ]


def tokens_of(users: list[dict[str, str]]) -> str:
    """What ``ONELEDGER_WEB_TOKENS`` holds for them."""
    return ",".join(f"{user['name']}:{user['role']}={user['token']}" for user in users)


def find_addresses(clients: dict[str, httpx.Client], say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """What users of each role may look at.

    Returns:
        by role: ``places`` (the navigation), ``pages`` (addresses by kind), ``traces``, ``api``.

    Raises:
        RuntimeError: a page that a page leads to does not answer with 200 to an engineer.
    """
    engineer = clients["engineer"]
    address = str(engineer.base_url).rstrip("/")
    walk, found = Walk(), defaultdict(set)
    for path in walk:
        answer = engineer.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:400]}")
        links = links_of(answer.text, address + path)
        walk.take_links(links, address)
        for link in [address + path, *links]:
            parts = urlsplit(link)
            # An older version may be gone by the time that somebody looks at it; people read the current one.
            if is_page(link, address) and not {"lang", "version"} & {name for name, _ in parse_qsl(parts.query)}:
                shown = parts.path + (f"?{parts.query}" if parts.query else "")
                found[kind_of(shown)].add(shown)
    draw = random.Random(_SEED)  # noqa: S311 - which of the links are taken is no secret
    by_kind = {kind: draw.sample(sorted(paths), min(_OF_A_KIND, len(paths))) for kind, paths in sorted(found.items())}
    traces = [path for kind, paths in by_kind.items() if kind.startswith(_TRACE) for path in paths[:2]][:_TRACES]
    pages = {kind: paths for kind, paths in by_kind.items() if not kind.startswith(_TRACE)}
    api = _api_addresses(engineer, [path for paths in found.values() for path in paths], draw)
    addresses: dict[str, dict[str, Any]] = {}
    for role, client in clients.items():
        # Links of one kind lead to the same route, so one of them says whether the role may follow the others.
        allowed = {kind: paths for kind, paths in pages.items() if client.get(paths[0]).status_code == 200}
        addresses[role] = {
            "places": [place.path for place in NAVIGATION if client.get(place.path).status_code == 200],
            "pages": allowed,
            "traces": [path for path in traces if client.get(path).status_code == 200],
            "api": [path for path in api if client.get(path).status_code == 200],
        }
        told = addresses[role]
        say(f"{role}: {sum(map(len, allowed.values()))} pages of {len(allowed)} kinds, {len(told['traces'])} traces, "
            f"{len(told['api'])} addresses of the API")  # fmt: skip
    return addresses


def _api_addresses(client: httpx.Client, paths: list[str], draw: random.Random) -> list[str]:
    """The lists of the API, some pages of every table, apps and metrics."""
    start = "/api/v1"
    tables = [str(item["name"]) for item in client.get(f"{start}/tables").json()["items"]]
    apps = sorted({path.split("/")[2] for path in paths if path.startswith("/apps/") and "?" not in path})
    months = ("2022-07-01", "2022-08-01", "2022-09-01")
    found = [
        f"{start}{path}" for path in ("", "/versions/current", "/tables", "/metrics", "/runs?limit=10", "/findings")
    ]
    found += [f"{start}/stars?stars={stars}&sort=-score" for stars in (3, 4, 5)]
    found += [f"{start}/apps?side={side}&page={page}" for side in ("service", "governance") for page in (1, 2, 3)]
    found += [f"{start}/apps/{quote(app)}?months=12" for app in draw.sample(apps, min(60, len(apps)))]
    found += [f"{start}/tables/{table}/columns" for table in tables]
    found += [f"{start}/tables/{table}?limit=50&page={page}" for table in tables for page in range(1, _TABLE_PAGES + 1)]
    found += [f"{start}/tables/marts.app_usage_month?month={month}&limit=100" for month in months]
    found += [f"{start}/metrics/page_views?group_by=metric_time&grain=month&start_on={month}" for month in months]
    return found

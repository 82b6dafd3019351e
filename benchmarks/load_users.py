"""The users of ``python -m benchmarks users``: a locustfile, run in the environment ``load`` by a process of its own.

Each user is somebody with a token of their own who looks at a page, thinks for one to five seconds, and looks at the
next; as browsers do, it sends the tag of a page that it has. ``ONELEDGER_LOAD_PLAN`` names the file with the tokens and
the addresses (``benchmarks/load.py`` writes it).
"""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, events, task

PLAN: dict[str, Any] = json.loads(Path(os.environ["ONELEDGER_LOAD_PLAN"]).read_text(encoding="utf-8"))
_NEXT = itertools.cycle(PLAN["users"])


@events.quitting.add_listener
def tell_errors(environment: Any, **_: Any) -> None:
    """Write what the users were told instead of answers beside the plan; Locust's own report does not hold it."""
    told = [{"error": str(one.error), "count": one.occurrences} for one in environment.stats.errors.values()]
    Path(os.environ["ONELEDGER_LOAD_PLAN"]).with_name("errors.json").write_text(json.dumps(told), "utf-8")


class Visitor(FastHttpUser):
    """One of the users of the plan; which one, in the order in which they come."""

    wait_time = between(1, 5)
    connection_timeout = 60.0
    network_timeout = 60.0

    def on_start(self) -> None:
        user = next(_NEXT)
        self._addresses = PLAN["addresses"][user["role"]]
        self._headers = {"Authorization": f"Bearer {user['token']}", "Accept-Language": user["language"]}
        self._tags: dict[str, str] = {}
        self._draw = random.Random(user["token"])  # noqa: S311 - what somebody looks at next is no secret

    @task(14)
    def open_a_place(self) -> None:
        """An entry of the navigation."""
        self._ask("places", "page")

    @task(20)
    def follow_a_link(self) -> None:
        """Anything that pages lead to: lists with filters, apps, projects, columns, batches."""
        kinds = self._addresses["pages"]
        self._get(self._draw.choice(kinds[self._draw.choice(sorted(kinds))]), "page")

    @task(1)
    def trace(self) -> None:
        """Where a number comes from."""
        self._ask("traces", "trace")

    @task(15)
    def ask_the_api(self) -> None:
        """Tables, apps, metrics, with their parameters."""
        self._ask("api", "api")

    def _ask(self, kind: str, name: str) -> None:
        if self._addresses[kind]:
            self._get(self._draw.choice(self._addresses[kind]), name)

    def _get(self, path: str, name: str) -> None:
        tag = self._tags.get(path)
        headers = {**self._headers, "If-None-Match": tag} if tag else self._headers
        with self.client.get(path, name=name, headers=headers, allow_redirects=False, catch_response=True) as answer:
            if answer.status_code not in (200, 304):
                is_page = "html" in (answer.headers.get("Content-Type") or "")
                answer.failure(f"{answer.status_code} {path}" + ("" if is_page else f": {(answer.text or '')[:300]}"))
                return
            if etag := answer.headers.get("ETag"):
                self._tags[path] = etag

"""Every address, asked as everybody: nobody sees anything without a login, and nobody more than their role.

The addresses come from the application, so one that is added without a guard fails here.
"""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from oneledger.publishing.versions import current_version
from oneledger.settings import Settings
from oneledger.web.access import Role
from oneledger.web.api.calls import PREFIX

from .conftest import ROLES, ClientOf

# Open on purpose: assets without data, and the way in itself.
OPEN = {"/static/{fingerprint}/{name}", "/login", "/enter", "/logout"}
# Something for the parts of addresses; an address answers 404 when it does not fit, after the guard.
PARTS = {
    "schema": "evaluation", "table": "app_stars", "column": "stars", "app_id": "A33050000001", "name": "current",
    "metric_name": "five_star_apps", "runbook": "delivery-cut-off",
}  # fmt: skip


def guarded(app: FastAPI) -> list[APIRoute]:
    return [one for one in app.routes if isinstance(one, APIRoute) and one.path not in OPEN]


def least_role(dependant: Dependant) -> Role | None:
    """The highest role that any dependency of a route asks for."""
    roles = [role for one in dependant.dependencies if (role := least_role(one)) is not None]
    own = getattr(dependant.call, "least_role", None)
    return max([*roles, *([own] if own else [])], default=None)


def address(route: APIRoute) -> str:
    return re.sub(r"{(\w+)(?::\w+)?}", lambda part: PARTS.get(part[1], "x"), route.path)


def asked(client: ClientOf, role: str | None, route: APIRoute) -> int:
    method = "GET" if "GET" in route.methods else "POST"
    return (
        client(role).request(method, address(route), params={"lines": 0} if "trace" in route.path else None).status_code
    )


def test_every_route_asks_for_a_role(app: FastAPI) -> None:
    routes = guarded(app)
    assert len(routes) > 15
    assert [one.path for one in routes if least_role(one.dependant) is None] == []


def test_nobody_reads_anything_without_a_login(app: FastAPI, client: ClientOf, published_home: Settings) -> None:
    current = current_version(published_home)
    assert current is not None
    for route in guarded(app):
        method = "GET" if "GET" in route.methods else "POST"
        answer = client(None).request(method, address(route))
        is_program = route.path.startswith(PREFIX) and not route.path.endswith("/docs")
        assert answer.status_code == (401 if is_program or method == "POST" else 303), route.path
        assert current.version not in answer.text, route.path
        assert not [name for name in answer.headers if name.startswith(("oneledger", "etag", "ratelimit"))], route.path


@pytest.mark.parametrize("role", ROLES)
def test_each_role_comes_as_far_as_it_may(app: FastAPI, client: ClientOf, role: str) -> None:
    for route in guarded(app):
        needed = least_role(route.dependant)
        assert needed is not None
        if Role[role.upper()] < needed:
            assert asked(client, role, route) == 403, route.path
        elif Role[role.upper()] == needed and "GET" in route.methods and route.path != f"{PREFIX}/trace":
            # Not a POST, which would decide something; a trace has its own tests. Higher roles may more by definition.
            assert asked(client, role, route) not in (401, 403, 500, 503), route.path


def test_only_auditors_trace_and_see_rows_as_they_were_received(app: FastAPI) -> None:
    needed = {
        one.path.removeprefix(PREFIX) for one in guarded(app)
        if one.path.startswith(PREFIX) and least_role(one.dependant) == Role.AUDITOR
    }  # fmt: skip
    assert needed == {"/trace", "/quarantine/rows"}


def test_what_does_not_exist_says_the_same_to_nobody_and_to_all(client: ClientOf) -> None:
    answers = [client(role).get(f"{PREFIX}/nothing") for role in (None, "engineer")]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()

"""Nonsense in every parameter of every page: a clear answer, never a failure and never a stack trace.

The pages and their parameters come from the application, so one that is added is asked too; the API has its own tests.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from oneledger.web.api.calls import PREFIX

from .conftest import ClientOf
from .test_guards import PARTS, guarded

NONSENSE = (
    "", "'; drop table marts.dim_app; --", "../../../etc/passwd", "9" * 300, "a\x00b", "-1", "湖🦄ﬀ", "1e999", "nan",
    "{{7*7}}", "<script>alert(1)</script>", "%", "0001-01-01", "[object Object]",
)  # fmt: skip
# A trace reads lines of files: its parameters are nonsense soon enough, but a few right ones would take seconds each.
OF_EACH = 3
_TRACEBACK = re.compile(r"Traceback|File \"/|duckdb\.|jinja2\.")


def pages(app: FastAPI) -> list[APIRoute]:
    return [one for one in guarded(app) if "GET" in one.methods and not one.path.startswith(PREFIX)]


def query_parameters(dependant: Dependant) -> set[str]:
    inner = [query_parameters(one) for one in dependant.dependencies]
    return {one.alias for one in dependant.query_params}.union(*inner)


def asked(route: APIRoute) -> Iterator[str]:
    """Addresses of a page with nonsense in one place each."""
    nonsense = itertools.cycle(NONSENSE)
    plain = re.sub(r"{(\w+)(?::\w+)?}", lambda part: PARTS.get(part[1], "x"), route.path)
    for name in sorted(query_parameters(route.dependant)):
        yield from (f"{plain}?{quote(name)}={quote(next(nonsense), safe='')}" for _ in range(OF_EACH))
    for name in re.findall(r"{(\w+)(?::\w+)?}", route.path):
        for _ in range(OF_EACH):
            value = quote(next(nonsense), safe="") or "x"
            yield re.sub(
                r"{(\w+)(?::\w+)?}",
                lambda part, name=name, value=value: value if part[1] == name else PARTS.get(part[1], "x"),  # type: ignore[misc]
                route.path,
            )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nonsense_in_any_parameter_of_any_page_is_answered_clearly(
    app: FastAPI, client: ClientOf, language: str
) -> None:
    engineer = client("engineer")
    wrong, refused = [], 0
    for route in pages(app)[language == "en" :: 2]:
        for address in asked(route):
            answer = engineer.get(address, headers={"Accept-Language": language})
            refused += 400 <= answer.status_code < 500
            if answer.status_code >= 500 or _TRACEBACK.search(answer.text):
                wrong.append(f"{answer.status_code} {address}")
            if "<script>alert(1)" in answer.text:
                wrong.append(f"unescaped {address}")
    assert not wrong, "\n".join(wrong)
    assert refused > 20

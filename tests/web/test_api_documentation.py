"""docs/api.md names what there is: every address, parameter, operator and limit."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute

from oneledger.settings import PROJECT_ROOT
from oneledger.web.api.calls import PREFIX, named_parameters
from oneledger.web.api.caps import CAPS, PAGE_ROWS
from oneledger.web.api.filters import OPERATORS
from oneledger.web.limits import DEFAULT_RATE, RATE_VARIABLE

PAGE = (PROJECT_ROOT / "docs" / "api.md").read_text("utf-8")


def test_every_address_is_in_the_table_and_no_other(app: FastAPI) -> None:
    served = {one.path for one in app.routes if isinstance(one, APIRoute) and one.path.startswith(PREFIX)}
    table = PAGE.partition("## Addresses")[2].partition("\n## ")[0]
    named = {word for word in table.split("`") if word.startswith(PREFIX)}
    assert named == served


def test_parameters_operators_and_limits_are_those_of_the_code(app: FastAPI) -> None:
    rows = next(one for one in app.routes if isinstance(one, APIRoute) and one.name == "rows")
    table = PAGE.partition("## Rows")[2].partition("\n## ")[0]
    for name in named_parameters(rows):
        assert f"`{name}" in table, name
    for operator in OPERATORS:
        assert f"__{operator}" in table, operator
    for limit in (CAPS.page, CAPS.file, CAPS.sheet, CAPS.offset, CAPS.fact_without_month, PAGE_ROWS):
        assert f"{limit:,}" in table, limit
    assert RATE_VARIABLE in PAGE
    assert f"{DEFAULT_RATE} times a minute" in PAGE

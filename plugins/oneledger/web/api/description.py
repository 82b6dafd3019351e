"""The OpenAPI description of the API, made of its routes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from oneledger.web.api.calls import PREFIX
from oneledger.web.api.models import ParameterProblem, Problem
from oneledger.web.tokens import COOKIE

API_VERSION = "1.0.0"
_ABOUT = """Read-only access to the published versions of OneLedger (一本账).

Every answer says of which version it is (`version`, `content_hash`, `as_of_on`, `anchor`; the header
`OneLedger-Version`); `version=` asks an older one. Dates are ISO 8601, instants UTC, integers beyond 2^53 text, what is
missing null. A parameter that does not exist is refused. Errors are RFC 9457, in Chinese and English."""


def openapi_of(app: FastAPI, root_path: str) -> dict[str, Any]:
    """The description, OpenAPI 3.1, of the routes below ``/api/v1``."""
    routes = [one for one in app.routes if isinstance(one, APIRoute) and is_described(one)]
    described = get_openapi(
        title="OneLedger 一本账", version=API_VERSION, description=_ABOUT, routes=routes,
        servers=[{"url": root_path or "/"}],
    )  # fmt: skip
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in (Problem, ParameterProblem):
        schemas[model.__name__] = {
            name: one
            for name, one in model.model_json_schema(ref_template="#/components/schemas/{model}").items()
            if name != "$defs"
        }
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of ONELEDGER_WEB_TOKENS, or Airflow's."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "After the login page."},
    }
    described["security"] = [{"token": []}, {"session": []}]
    # What FastAPI says of its own validation is not what we answer.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in described["paths"].values():
        for operation in path.values():
            if operation["operationId"] in _TAKING_FILTERS:
                operation.setdefault("parameters", []).append(_FILTERS)
    return described


def is_described(route: APIRoute) -> bool:
    return route.path.startswith(PREFIX) and route.include_in_schema


_TAKING_FILTERS = {"rows", "apps", "stars", "figures", "findings", "freshness", "quarantine_counts", "metric"}
_FILTERS = {
    "name": "filters",
    "in": "query",
    "required": False,
    "style": "form",
    "explode": True,
    "description": "Any column of the table (of a metric any dimension): `column=value`, or "
    "`column__<operator>=value` with the operators eq, ne, gt, gte, lt, lte, in (values joined by commas), contains "
    "(text, either case; not of metrics), isnull (true or false).",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}

"""The API as a part of the application."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from oneledger.web import errors
from oneledger.web.api.calls import PREFIX
from oneledger.web.api.problems import BadQuestionError
from oneledger.web.api.routes import ROUTERS


def mount(app: FastAPI) -> None:
    """Add the routes below ``/api/v1`` and answer questions that cannot be answered."""
    app.state.api_kept = {}
    app.add_exception_handler(BadQuestionError, _bad_question)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, generate_unique_id_function=_name_of)


def _name_of(route: APIRoute) -> str:
    return route.name


async def _bad_question(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadQuestionError)
    return errors.problem(
        request, 422, "下列参数不能使用，请更正后重试。 These parameters cannot be used; correct them and try again.",
        items=[one.to_json() for one in error.problems],
    )  # fmt: skip

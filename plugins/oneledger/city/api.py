"""The IRS's HTTP API: bearer token, cursor pages, ``updated_since``, ``as_of``, ETag, and a limit on the rate."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass, replace

from fastapi import FastAPI, Request, Response

from oneledger.city.allowance import Allowance
from oneledger.city.asking import BadQuestionError, Question, Store, question_of_cursor
from oneledger.city.faults.api_faults import read_faults
from oneledger.city.registry import ENTITIES, RegistryEntity
from oneledger.city.spoiled_answers import (
    ENDLESS,
    HEADERS,
    body_of,
    endless_page,
    json_answer,
    spoiled_page,
    whole_answer,
)

DEFAULT_LIMIT, LARGEST_LIMIT = 500, 10_000


@dataclass(frozen=True)
class ApiSetup:
    """What a server answers with.

    Attributes:
        last_on: the last day that the city knows; ``as_of`` the day as of which it answers by default.
    """

    store: Store
    store_path: str
    token: str
    last_on: dt.date
    as_of: dt.date
    allowance: Allowance


class RefusalError(Exception):
    """An answer other than 200, with a message."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


def make_api(setup: ApiSetup) -> FastAPI:
    """The ASGI application."""
    from pathlib import Path

    api = FastAPI(title="IRS (synthetic)", openapi_url=None, docs_url=None, redoc_url=None)
    store_path = Path(setup.store_path)

    @api.exception_handler(RefusalError)
    def refuse(request: Request, refusal: RefusalError) -> Response:
        return json_answer({"message": refusal.message, "synthetic": True}, refusal.status, refusal.headers)

    @api.exception_handler(404)
    def not_found(request: Request, error: Exception) -> Response:
        return json_answer(
            {"message": f"{request.url.path} does not exist; the collections are listed at /v1/", "synthetic": True},
            404,
        )

    @api.get("/healthz")
    def healthz() -> Response:
        return json_answer({"status": "ok", "asOf": setup.as_of.isoformat(), "synthetic": True})

    @api.get("/v1/")
    def index(request: Request) -> Response:
        _authorize(request, setup)
        return json_answer({"collections": [f"/v1/{path}" for path in ENTITIES], "asOf": setup.as_of.isoformat(),
                      "synthetic": True})  # fmt: skip

    @api.get("/v1/{path}")
    def collection(path: str, request: Request) -> Response:
        _authorize(request, setup)
        wait = setup.allowance.wait_seconds(request.client.host if request.client else "")
        if wait:
            raise RefusalError(429, f"too many requests; ask again in {wait} s", {"Retry-After": str(wait)})
        if path not in ENTITIES:
            raise RefusalError(404, f"/v1/{path} does not exist; the collections are listed at /v1/")
        faults = [fault for fault in read_faults(store_path) if fault.path == path]
        spoiled = whole_answer(faults)
        if spoiled is not None:
            return spoiled
        kinds = {fault.kind for fault in faults}
        if "endless_cursor" in kinds and request.query_params.get("cursor", "").startswith(ENDLESS):
            return endless_page(request.query_params["cursor"], setup.as_of)
        try:
            question = _question(ENTITIES[path], request, setup)
        except BadQuestionError as error:
            raise RefusalError(400, str(error)) from error
        if "since_ignored" in kinds:
            question = replace(question, since="")
        body = body_of(spoiled_page(setup.store, question, faults), question, faults)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        asked_with = request.headers.get("if-none-match") or ""
        if etag in asked_with or (asked_with and "lying_etag" in kinds):
            return Response(status_code=304, headers={"ETag": etag, **HEADERS})
        return Response(body, media_type="application/json", headers={"ETag": etag, **HEADERS})

    return api


def _authorize(request: Request, setup: ApiSetup) -> None:
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode("utf-8"), f"Bearer {setup.token}".encode()):
        raise RefusalError(
            401,
            "a bearer token is needed: Authorization: Bearer <token>; it is the password of the connection"
            " in connections.env",
            {"WWW-Authenticate": "Bearer"},
        )


def _question(entity: RegistryEntity, request: Request, setup: ApiSetup) -> Question:
    asked = request.query_params
    unknown = set(asked) - {"limit", "cursor", "updated_since", "as_of"}
    if unknown:
        raise BadQuestionError(
            f"unknown parameter {sorted(unknown)[0]!r}; known are limit, cursor, updated_since, as_of"
        )
    text = asked.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= LARGEST_LIMIT:
        raise BadQuestionError(f"limit is {text!r}; it must be a whole number from 1 to {LARGEST_LIMIT}")
    limit = int(text)
    if "cursor" in asked:
        return question_of_cursor(asked["cursor"], entity, limit)
    as_of = setup.as_of
    if "as_of" in asked:
        try:
            as_of = dt.date.fromisoformat(asked["as_of"])
        except ValueError as error:
            raise BadQuestionError(f"as_of is {asked['as_of']!r}; it must be a date as yyyy-mm-dd") from error
        if as_of > setup.last_on:
            raise BadQuestionError(f"as_of is {as_of}; nothing is known after {setup.last_on}")
    since = asked.get("updated_since", "")
    if since:
        try:
            moment = dt.datetime.fromisoformat(since)
        except ValueError as error:
            raise BadQuestionError(
                f"updated_since is {since!r}; it must be yyyy-mm-ddThh:mm:ss, Asia/Shanghai"
            ) from error
        since = moment.replace(tzinfo=None).isoformat(timespec="seconds")
    return Question(entity, limit, as_of, since)

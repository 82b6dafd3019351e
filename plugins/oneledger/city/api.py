"""The IRS's HTTP API: bearer token, cursor pages, ``updated_since``, ``as_of``, ETag, and a limit on the rate."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response

from oneledger.city.allowance import Allowance
from oneledger.city.asking import BadQuestionError, Page, Question, Store, question_of_cursor
from oneledger.city.faults import Fault, read_faults
from oneledger.city.registry import ENTITIES, RegistryEntity

DEFAULT_LIMIT, LARGEST_LIMIT = 500, 10_000
# Header values are Latin-1: the Chinese label stands in the body.
_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>系统维护</title></head><body><h1>系统维护中，请稍后再试</h1></body></html>"
)
_HEADERS = {"X-Data-Label": "synthetic", "Cache-Control": "private, no-cache"}


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
        return _json({"message": refusal.message, "synthetic": True}, refusal.status, refusal.headers)

    @api.exception_handler(404)
    def not_found(request: Request, error: Exception) -> Response:
        return _json(
            {"message": f"{request.url.path} does not exist; the collections are listed at /v1/", "synthetic": True},
            404,
        )

    @api.get("/healthz")
    def healthz() -> Response:
        return _json({"status": "ok", "asOf": setup.as_of.isoformat(), "synthetic": True})

    @api.get("/v1/")
    def index(request: Request) -> Response:
        _authorize(request, setup)
        return _json({"collections": [f"/v1/{path}" for path in ENTITIES], "asOf": setup.as_of.isoformat(),
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
        spoiled = _spoiled_answer(faults)
        if spoiled is not None:
            return spoiled
        try:
            question = _question(ENTITIES[path], request, setup)
        except BadQuestionError as error:
            raise RefusalError(400, str(error)) from error
        body = _body(setup.store.page(question), question, faults)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if etag in (request.headers.get("if-none-match") or ""):
            return Response(status_code=304, headers={"ETag": etag, **_HEADERS})
        return Response(body, media_type="application/json", headers={"ETag": etag, **_HEADERS})

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


def _body(page: Page, question: Question, faults: list[Fault]) -> bytes:
    total, items = page.total, ",".join(page.items)
    for fault in faults:
        if fault.kind == "wrong_total":
            total += 7
        elif fault.kind == "renamed_field":
            items = items.replace(f'"{fault.field}":', f'"{fault.renamed_to}":')
    rest = json.dumps(
        {"nextCursor": page.next_cursor, "total": total, "asOf": question.as_of.isoformat(), "synthetic": True,
         "label": "合成数据"},
        ensure_ascii=False,
    )  # fmt: skip
    return f'{{"items":[{items}],{rest[1:]}'.encode()


def _spoiled_answer(faults: list[Fault]) -> Response | None:
    for fault in faults:
        if fault.kind == "html_error_page":
            return Response(_MAINTENANCE_PAGE, media_type="text/html; charset=utf-8", headers=_HEADERS)
        if fault.kind == "server_error":
            return _json({"message": "internal error", "synthetic": True}, 503)
    return None


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8")
    return Response(body, status, media_type="application/json", headers={**_HEADERS, **(headers or {})})

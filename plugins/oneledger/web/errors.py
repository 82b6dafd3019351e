"""What a visitor reads when something cannot be answered: what, why, what to do; never a stack trace."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from oneledger.redacting import SecretsLeftOut, redacted
from oneledger.settings import ConfigurationError
from oneledger.web import rendering
from oneledger.web.language import language_of
from oneledger.web.page import NotLoggedInError
from oneledger.web.wrong_parameters import described

API_PAGE = "/api/v1/docs"

log = logging.getLogger(__name__)
log.addFilter(SecretsLeftOut())

TITLES = {
    400: ("请求不正确", "This request is not right"),
    401: ("请先登录", "Please log in"),
    403: ("权限不足", "Not allowed"),
    404: ("找不到", "Not found"),
    405: ("不支持此操作", "Not possible here"),
    406: ("没有这种格式", "No such format"),
    409: ("已有变化", "It has changed meanwhile"),
    413: ("内容过大", "Too much at once"),
    422: ("参数不正确", "A parameter is not right"),
    429: ("请求过多", "Too many requests"),
    500: ("出错了", "Something went wrong"),
    503: ("暂不可用", "Not available now"),
}


def install(app: FastAPI) -> None:
    """Answer every error of the application."""
    app.add_exception_handler(NotLoggedInError, _not_logged_in)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ConfigurationError, _configuration)


def problem(
    request: Request, status: int, detail: str, *, items: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """The error as a page, or as ``application/problem+json`` (RFC 9457) for the API."""
    zh, en = TITLES.get(status, (str(status), HTTPStatus(status).phrase))
    if is_api(request):
        body = {"type": "about:blank", "title": en, "title_zh": zh, "status": status, "detail": detail}
        if items:
            body["errors"] = items
        return JSONResponse(body, status, headers=headers, media_type="application/problem+json")
    answer = rendering.show(
        request, "error.html", language_of(request), status_code=status,
        title=language_of(request).pick(zh, en), detail=detail, items=items or [], status=status,
    )  # fmt: skip
    answer.headers.update(headers or {})
    return answer


def is_api(request: Request) -> bool:
    """Whether a program asks; the description of the API is a page for people."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return path.startswith("/api/") and path != API_PAGE


async def _not_logged_in(request: Request, error: Exception) -> Response:
    if is_api(request) or request.method != "GET":
        return problem(
            request, 401, "需要令牌。 A token is needed: send the header `Authorization: Bearer …`.",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    return RedirectResponse(request.app.state.access.login_address(request), status_code=303)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = "没有这个页面。 There is no such page."
    if error.status_code == 405:
        detail = f"此地址不支持 {request.method}。 This address does not take {request.method}."
    return problem(request, error.status_code, detail, headers=dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(
        request, 422, "下列参数不能使用，请更正后重试。 These parameters cannot be used; correct them and try again.",
        items=described(error.errors()),
    )  # fmt: skip


async def _configuration(request: Request, error: Exception) -> Response:
    # Where the installation lies on the server is nobody's business.
    told = redacted(str(error)).replace(str(request.app.state.settings.home), "ONELEDGER_HOME")
    return problem(request, 404, told)


def unexpected(request: Request, error: Exception) -> Response:
    """The answer to an error that nobody foresaw: a number that the log knows, and nothing of the error itself."""
    incident = secrets.token_hex(4)
    log.error("incident %s at %s %s", incident, request.method, request.url.path, exc_info=error)
    return problem(
        request, 500,
        f"系统出错，编号 {incident}，日志中有详情。 It failed; the server's log says more under the number {incident}.",
    )  # fmt: skip

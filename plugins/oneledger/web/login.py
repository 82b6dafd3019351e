"""The login page of pages that run alone. Inside Airflow its own login is used and this one is not there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from oneledger.web import rendering
from oneledger.web.language import language_of
from oneledger.web.limits import check_login_rate
from oneledger.web.tokens import COOKIE, SESSION_SECONDS, TokenAccess

router = APIRouter(include_in_schema=False)

Next = Annotated[str, Query(max_length=2000)]


@router.get("/login")
def login_page(request: Request, next: Next = "/") -> Response:
    """Asks for a token."""
    return rendering.show(request, "login.html", language_of(request), next=_own(request, next), is_wrong=False)


@router.post("/login")
def log_in(
    request: Request,
    token: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Takes a token and keeps a session in a cookie that no script can read."""
    check_login_rate(request)
    access: TokenAccess = request.app.state.access
    if access.of_token(token.strip()) is None:
        return rendering.show(
            request, "login.html", language_of(request), status_code=401, next=_own(request, next), is_wrong=True
        )
    return _logged_in(request, access, token.strip(), next)


@router.get("/enter")
def enter(request: Request, token: Annotated[str, Query(max_length=200)], next: Next = "/") -> Response:
    """The address that ``oneledger web`` prints: logs in and goes on without the token in the address."""
    check_login_rate(request)
    access: TokenAccess = request.app.state.access
    if access.of_token(token) is None:
        return rendering.show(
            request, "login.html", language_of(request), status_code=401, next=_own(request, next), is_wrong=True
        )
    return _logged_in(request, access, token, next)


@router.post("/logout")
def log_out(request: Request) -> Response:
    """Forgets the session."""
    answer = RedirectResponse(request.scope.get("root_path", "") + "/login", status_code=303)
    answer.delete_cookie(COOKIE, path=request.scope.get("root_path", "") or "/")
    return answer


def _logged_in(request: Request, access: TokenAccess, token: str, wish: str) -> Response:
    answer = RedirectResponse(_own(request, wish), status_code=303)
    answer.set_cookie(
        COOKIE,
        access.session(token),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path=request.scope.get("root_path", "") or "/",
    )
    return answer


def _own(request: Request, wish: str) -> str:
    """The wish when it is a path of ours: nobody is sent to another host."""
    if not wish.startswith("/") or wish.startswith(("//", "/\\")) or any(ord(letter) < 32 for letter in wish):
        return request.scope.get("root_path", "") + "/"
    return wish

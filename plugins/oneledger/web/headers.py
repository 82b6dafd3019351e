"""Headers of every answer: what the browser may load, who may frame the pages, and that forms come from our pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from oneledger.web import errors

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # What frame-ancestors says, for browsers that do not know it.
    "X-Frame-Options": "SAMEORIGIN",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_A_YEAR = "max-age=31536000"
_SAFE = {"GET", "HEAD", "OPTIONS"}


async def guard(request: Request, answer_of: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse forms that another site sends in a visitor's name, and put our headers on every answer."""
    if request.method not in _SAFE and not _is_own_form(request):
        return errors.problem(
            request, 403,
            "请从本站页面提交。 Send this from one of our own pages (the Origin header names another host).",
        )  # fmt: skip
    try:
        answer = await answer_of(request)
    except Exception as error:  # the last guard: whatever it is, the visitor reads a sentence and the log has the rest
        answer = errors.unexpected(request, error)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    if request.url.scheme == "https":
        answer.headers.setdefault("Strict-Transport-Security", _A_YEAR)
    # What holds for an error as well as for an answer, such as what is left of the visitor's limit.
    for name, value in getattr(request.state, "answer_headers", {}).items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", "private, no-cache")
    return answer


def _is_own_form(request: Request) -> bool:
    """A program with a token has no browser whose cookies could be misused; a browser says where it comes from."""
    if request.headers.get("authorization"):
        return True
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")

"""``HEAD`` on everything that answers ``GET``: the same headers, no body."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FLAG = "oneledger.head"


class AnswersHead:
    """Lets the routes see a GET and keeps the body back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", _FLAG: True}, receive, without_body)


def is_head(request: Request) -> bool:
    """Whether only the headers will be sent, so that a long body need not be made."""
    return bool(request.scope.get(_FLAG))

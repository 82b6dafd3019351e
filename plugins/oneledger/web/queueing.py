"""No more requests at once than can be answered in a while; who comes then is told when to come again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from oneledger.web import errors

# Pages are made by few threads: with more, each of them takes longer and none is done earlier.
WORKERS = 6
# Answered in about ten seconds by these threads on one core when each must be made anew.
MOST_AT_ONCE = 400
_COME_AGAIN_SECONDS = 5


class Queue:
    """Counts the requests that are being answered or wait for a thread; beyond the most of them, 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._most = MOST_AT_ONCE
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            await errors.problem(
                Request(scope, receive), 503,
                f"访问过多，请 {_COME_AGAIN_SECONDS} 秒后再试。 "
                f"Too many are asking at once; try again in {_COME_AGAIN_SECONDS} seconds.",
                headers={"Retry-After": str(_COME_AGAIN_SECONDS)},
            )(scope, receive, send)  # fmt: skip
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1

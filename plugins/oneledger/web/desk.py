"""Questions that take seconds (traces, impacts): asked in the background one after another, answered when done.

A page waits some seconds for the answer; when it is not there yet, it says so and asks again. Answers are kept
while they are among the newest, so that a download after the page costs nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fastapi import HTTPException
from starlette.datastructures import State

_KEPT = 48
# Who waits sees a page that says so and asks again. Twelve were too few for 200 people (docs/benchmarks.md).
_MOST_WAITING = 40


class Desk:
    """One worker, so that questions cannot take the memory of the pages."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._lock = threading.Lock()
        self._asked: OrderedDict[Hashable, Future[Any]] = OrderedDict()

    async def answer(self, key: Hashable, work: Callable[[], Any], *, seconds: float) -> tuple[bool, Any]:
        """``(True, answer)``, or ``(False, None)`` when it is not there within this time.

        Raises:
            HTTPException: 503 while too many questions wait.
            Exception: what ``work`` raised; a question that failed is forgotten and may be asked again.
        """
        future = self._ask(key, work)
        # Waiting takes no thread, and giving up waiting does not end the work.
        await asyncio.wait({asyncio.wrap_future(future)}, timeout=seconds)
        if not future.done():
            return False, None
        if future.exception() is not None:
            with self._lock:
                self._asked.pop(key, None)
        return True, future.result()

    def _ask(self, key: Hashable, work: Callable[[], Any]) -> Future[Any]:
        with self._lock:
            future = self._asked.get(key)
            if future is None:
                if sum(1 for one in self._asked.values() if not one.done()) >= _MOST_WAITING:
                    raise HTTPException(
                        503,
                        "正在进行的溯源太多，请一分钟后再试。 "
                        "Too many traces are being worked out; try again in a minute.",
                        headers={"Retry-After": "60"},
                    )
                future = self._asked[key] = self._worker.submit(work)
                while len(self._asked) > _KEPT:
                    oldest = next((one for one, asked in self._asked.items() if asked.done()), None)
                    if oldest is None:
                        break
                    self._asked.pop(oldest)
            self._asked.move_to_end(key)
            return future


def desk_of(state: State) -> Desk:
    """The desk of the application, made when somebody asks the first question."""
    desk: Desk | None = getattr(state, "desk", None)
    if desk is None:
        desk = state.desk = Desk()
    return desk

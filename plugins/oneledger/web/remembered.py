"""Pages that were made once are given again: many people look at the same few, and making one costs ten times as much.

What a remembered page was made from is its key: the address, the language, the role, and everything outside of the
published version that such pages show (``_state``). So nobody reads an old page; a minute is the limit all the same,
for what somebody changes by hand below ONELEDGER_HOME. The visitor's name is filled in when the page is given.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from markupsafe import escape
from starlette.responses import HTMLResponse, Response

from oneledger.publishing.versions import CURRENT
from oneledger.settings import Settings
from oneledger.warehouse.lock import lock_holder
from oneledger.web.access import Visitor
from oneledger.web.language import language_of

# Stands in a remembered page where the visitor's name belongs; no visitor and no data can know it.
NAME_PLACE = f"name-{secrets.token_hex(12)}"
_MOST_BYTES = 64 * 1024 * 1024
_SECONDS = 60.0
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Remembered:
    """An answer as it was made, with the time (monotonic) after which it is made again."""

    body: bytes
    headers: Mapping[str, str]
    until: float


class Shelf:
    """What was made of late, in all at most so many bytes; shared by all threads of a process."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Remembered] = OrderedDict()

    def get(self, key: Hashable) -> Remembered | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None or found.until < time.monotonic():
                return None
            self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, body: bytes, headers: Mapping[str, str], *, seconds: float = math.inf) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            self._bytes += len(body) - (len(before.body) if before else 0)
            self._kept[key] = Remembered(body, headers, time.monotonic() + seconds)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1].body)


class PageOfVersion(APIRoute):
    """A page that says the same to everybody of a role, until another version is published or a run decided."""

    def get_route_handler(self) -> _Handler:
        make = super().get_route_handler()

        async def handler(request: Request) -> Response:
            visitor: Visitor | None = await request.app.state.access.visitor(request)
            if visitor is None or request.method != "GET" or "version" in request.query_params:
                return await make(request)
            shelf: Shelf = request.app.state.shelf
            key = self._key(request, visitor)
            found = shelf.get(key)
            if found is not None:
                return _given(request, found.body, visitor)
            request.state.shown_name = NAME_PLACE
            try:
                answer = await make(request)
            finally:
                request.state.shown_name = None
            if type(answer) is not HTMLResponse or answer.status_code != 200:
                return answer
            body = bytes(answer.body)
            # What changed while it was made may be in it or not.
            if key == self._key(request, visitor):
                shelf.put(key, body, {}, seconds=_SECONDS)
            return _given(request, body, visitor)

        return handler

    def _key(self, request: Request, visitor: Visitor) -> Hashable:
        url = request.url
        place = (url.scheme, url.netloc, request.scope.get("root_path", ""), url.path, url.query)
        return (*place, language_of(request), visitor.role, *_state(request.app.state.settings))


class PageOfNow(PageOfVersion):
    """A page that also says how the last run ended and who writes now."""

    def _key(self, request: Request, visitor: Visitor) -> Hashable:
        settings: Settings = request.app.state.settings
        newest = _folders(settings.outcomes_dir)[-1:]
        return (super()._key(request, visitor), tuple(map(_changed, newest)), lock_holder(settings))


def _given(request: Request, body: bytes, visitor: Visitor) -> Response:
    content = body.replace(NAME_PLACE.encode(), str(escape(visitor.name)).encode("utf-8", "replace"))
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Vary": "Accept-Language, Authorization, Cookie"}
    given = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if etag in given:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(content, headers=headers)


def _state(settings: Settings) -> Iterator[Hashable]:
    """What these pages show that is not in the version itself: decisions, the anchor, the source catalogue."""
    yield _target(settings.published_dir / CURRENT)
    # Each decision is a file in its run's folder, which changes with it.
    yield (_changed(settings.evaluations_dir), *map(_changed, _folders(settings.evaluations_dir)))
    yield tuple(map(_changed, _entries(settings.seals_dir)))
    yield tuple(map(_changed, settings.catalogue_paths))


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _folders(folder: Path) -> list[Path]:
    return [one for one in _entries(folder) if one.is_dir()]


def _changed(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (str(path), found.st_mtime_ns, found.st_size)

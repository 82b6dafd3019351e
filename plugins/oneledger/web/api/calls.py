"""What a route of the API is given: the visitor, the version, and how to answer.

Every route takes a call of a role. That asks for the login first, then counts the request, then refuses parameters that
do not exist; only then is a version opened.
"""

# Annotations are values here: FastAPI reads those of functions that are made with a role.

import hashlib
import importlib.metadata
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from oneledger.audit.anchors import anchor_of_version
from oneledger.publishing.versions import CURRENT
from oneledger.settings import Settings
from oneledger.web.access import Role, Visitor
from oneledger.web.api.cursors import LONGEST, Cursor, decoded
from oneledger.web.api.plain import json_bytes
from oneledger.web.api.problems import BadParameter, BadQuestionError, unknown
from oneledger.web.heads import is_head
from oneledger.web.page import VersionName, at_least
from oneledger.web.reading import Reading
from oneledger.web.remembered import Shelf

PREFIX = "/api/v1"
# Raised when the same question to the same version is answered otherwise than before.
_REVISION = f"1 of {importlib.metadata.version('oneledger')}"

CursorText = Annotated[
    str | None,
    Query(max_length=LONGEST, description="Where the page begins: taken from links.next; it pins the version."),
]


@dataclass
class Call:
    """One request to the API, by somebody who may make it.

    Attributes:
        filters: parameters of the address that the route does not name; only routes that take filters have any.
        cursor: where the asked page begins.
    """

    request: Request
    settings: Settings
    visitor: Visitor
    reading: Reading
    filters: list[tuple[str, str]]
    reserved: tuple[str, ...]
    cursor: Cursor | None = None

    @property
    def provenance(self) -> dict[str, Any]:
        """Of which version an answer is: ``version``, ``content_hash``, ``as_of_on``, ``anchor``."""
        version = self.reading.version
        as_of = version.as_of_on
        return {
            "version": version.version,
            "content_hash": version.content_hash,
            "as_of_on": as_of.isoformat() if as_of else None,
            "anchor": _anchor(self.settings, self.reading),
        }

    def address(self, path: str, query: Mapping[str, Any] | Iterable[tuple[str, str]] = ()) -> str:
        """An address of the API below where it is mounted; parameters that are None are left out."""
        pairs = query.items() if isinstance(query, Mapping) else query
        given = [(name, str(value)) for name, value in pairs if value is not None]
        root = self.request.scope.get("root_path", "")
        return f"{root}{PREFIX}{path}" + (f"?{urlencode(given)}" if given else "")

    def here(self, **changed: Any) -> str:
        """This address with other parameters; None takes one away."""
        kept = [(name, text) for name, text in self.request.query_params.multi_items() if name not in changed]
        path = self.request.url.path.removeprefix(self.request.scope.get("root_path", "")).removeprefix(PREFIX)
        return self.address(path, [*kept, *((name, one) for name, one in changed.items() if one is not None)])

    def etag(self, *more: str) -> str:
        """The tag of this question to this version; equal tags mean equal bytes."""
        told = self.provenance
        parts = [_REVISION, told["version"], told["anchor"], str(self.request.url.path), self.request.url.query, *more]
        return f'"{hashlib.sha256(json_bytes(parts)).hexdigest()[:32]}"'

    def not_modified(self, etag: str) -> Response | None:
        """304, when the asker has these very bytes."""
        given = [one.strip().removeprefix("W/") for one in self.request.headers.get("if-none-match", "").split(",")]
        if etag in given or given == ["*"]:
            return Response(status_code=304, headers=self.headers(etag))
        return None

    def headers(self, etag: str, links: Mapping[str, str] | None = None) -> dict[str, str]:
        named = ", ".join(f'<{address}>; rel="{name}"' for name, address in (links or {}).items() if name in _RELS)
        return {
            "ETag": etag,
            "OneLedger-Version": self.reading.version.version,
            "Cache-Control": "private, no-cache",
            "Vary": "Accept, Authorization, Cookie",
            **({"Link": named} if named else {}),
        }

    def answer(
        self, make: Callable[[], Mapping[str, Any]], links: Mapping[str, str] | None = None
    ) -> Response:  # fmt: skip
        """A JSON answer that the version alone decides: not worked out when the asker has it already."""
        etag = self.etag("json")
        return self.not_modified(etag) or self.remembered(etag, lambda: self.json(make(), etag, links))

    def remembered(self, etag: str, make: Callable[[], Response]) -> Response:
        """The answer with this tag, made once for all who ask: equal tags mean equal bytes."""
        shelf: Shelf = self.request.app.state.shelf
        found = shelf.get(etag)
        if found is not None:
            return Response(found.body, headers=dict(found.headers))
        answer = make()
        shelf.put(etag, bytes(answer.body), dict(answer.headers))
        return answer

    def answer_of_now(self, body: Mapping[str, Any], links: Mapping[str, str] | None = None) -> Response:
        """A JSON answer about the installation as it is: tagged by its content."""
        content = {**self.provenance, **body}
        etag = self.etag(hashlib.sha256(json_bytes(content)).hexdigest())
        return self.not_modified(etag) or self.json(content, etag, links)

    def json(self, body: Mapping[str, Any], etag: str, links: Mapping[str, str] | None) -> Response:
        """A JSON answer with where it comes from and where to go on."""
        told = {"self": self.here(), **(links or {})}
        content = json_bytes({**self.provenance, **body, "links": told})
        return Response(content, media_type="application/json", headers=self.headers(etag, told))

    @property
    def is_head(self) -> bool:
        """Whether only the headers are wanted."""
        return is_head(self.request)


_RELS = {"self", "next", "prev", "first", "describedby"}


def page_links(call: Call, *, page: int, limit: int, total: int) -> dict[str, str]:
    """Links of a list that is paged by number; they stay in the version that is being read."""
    version = call.reading.version.version
    links = {"first": call.here(page=1, version=version)}
    if page > 1:
        links["prev"] = call.here(page=page - 1, version=version)
    if page * limit < total:
        links["next"] = call.here(page=page + 1, version=version)
    return links


async def counted(request: Request) -> None:
    """Count the request; what is left of the minute goes into the headers of the answer, good or bad.

    Raises:
        HTTPException: 429, when nothing is left.
    """
    visitor: Visitor = request.state.visitor
    allowance = request.app.state.limits.take(request.app.state.api_rate, "api", visitor.name)
    request.state.answer_headers = {**getattr(request.state, "answer_headers", {}), **allowance.headers}


def named_parameters(route: APIRoute) -> tuple[str, ...]:
    """The parameters of the address that a route names itself."""
    return tuple(sorted({one.alias for one in get_flat_dependant(route.dependant).query_params}))


def call_for(role: Role, *, takes_filters: bool = False, has_pages: bool = False) -> Callable[..., AsyncIterator[Call]]:
    """A dependency: a call by a visitor of at least this role.

    Args:
        takes_filters: whether parameters that the route does not name are filters on columns; else they are refused.
        has_pages: whether it goes on by cursor.
    """

    visitor_of_role = at_least(role)

    async def strict(request: Request, visitor: Annotated[Visitor, Depends(visitor_of_role)]) -> None:
        await counted(request)
        known = named_parameters(request.scope["route"])
        items = request.query_params.multi_items()
        problems = []
        for name in dict.fromkeys(name for name, _ in items):
            values = [text for one, text in items if one == name]
            if name not in known and not takes_filters:
                problems.append(unknown(name, name, known, "参数", "parameter"))
            elif name in known and len(values) > 1:
                problems.append(BadParameter(name, ", ".join(values), "只能给一次。 Give it once."))
        if problems:
            raise BadQuestionError(problems)

    async def call(
        request: Request,
        visitor: Annotated[Visitor, Depends(visitor_of_role)],
        _: Annotated[None, Depends(strict)],
        version: VersionName = CURRENT,
    ) -> AsyncIterator[Call]:
        async for one in _opened(request, visitor, version, None):
            yield one

    async def paged_call(
        request: Request,
        visitor: Annotated[Visitor, Depends(visitor_of_role)],
        _: Annotated[None, Depends(strict)],
        version: VersionName = CURRENT,
        cursor: CursorText = None,
    ) -> AsyncIterator[Call]:
        async for one in _opened(request, visitor, version, cursor):
            yield one

    return paged_call if has_pages else call


async def _opened(request: Request, visitor: Visitor, version: str, cursor_text: str | None) -> AsyncIterator[Call]:
    cursor = decoded(cursor_text) if cursor_text is not None else None
    if cursor is not None:
        if "version" in request.query_params and not cursor.version.startswith(version):
            raise BadQuestionError(
                [BadParameter("version", version, f"游标属于版本 {cursor.version}；去掉 version。 "
                                                  f"The cursor is of version "
                              f"{cursor.version}; leave version away.")]
            )  # fmt: skip
        version = cursor.version
    state = request.app.state
    opened = state.pool.reading(version)
    reading = await run_in_threadpool(opened.__enter__)
    try:
        route: APIRoute = request.scope["route"]
        reserved = named_parameters(route)
        request.state.answer_headers["OneLedger-Version"] = reading.version.version
        filters = [one for one in request.query_params.multi_items() if one[0] not in reserved]
        yield Call(request, state.settings, visitor, reading, filters, reserved, cursor)
    finally:
        await run_in_threadpool(opened.__exit__, None, None, None)


def _anchor(settings: Settings, reading: Reading) -> str | None:
    """The anchor of the version's seal; asked again until the version is sealed."""
    found: Sequence[str] = reading.remembered(("api.anchor",), list)
    if not found:
        sealed = anchor_of_version(settings, reading.version.version)
        if sealed is None:
            return None
        assert isinstance(found, list)
        found.append(sealed.anchor)
    return found[0]


ViewerCall = Annotated[Call, Depends(call_for(Role.VIEWER))]
AuditorCall = Annotated[Call, Depends(call_for(Role.AUDITOR))]
RowsCall = Annotated[Call, Depends(call_for(Role.VIEWER, takes_filters=True, has_pages=True))]
MetricCall = Annotated[Call, Depends(call_for(Role.VIEWER, takes_filters=True))]

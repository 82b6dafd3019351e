"""What a page's function is given: the visitor, the language, the published version, and how to answer."""

# Annotations are values here: FastAPI reads those of functions that are made with a role.

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from oneledger.publishing.versions import CURRENT
from oneledger.settings import Settings
from oneledger.web import rendering
from oneledger.web.access import Role, Visitor
from oneledger.web.language import Language, language_of
from oneledger.web.reading import Reading

VersionName = Annotated[
    str,
    Query(
        alias="version",
        pattern=r"^[0-9A-Za-z.\-]{4,80}$",
        description="current, or the beginning of a published version's name or content hash",
    ),
]


class NotLoggedInError(Exception):
    """Nobody is logged in; pages send to the login, the API answers 401."""


@dataclass
class Page:
    """One request for a page, by somebody who may see it."""

    request: Request
    settings: Settings
    visitor: Visitor
    language: Language
    reading: Reading

    def t(self, zh: str, en: str) -> str:
        """The text in the visitor's language."""
        return self.language.pick(zh, en)

    def show(self, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
        """The page of this template (under ``templates/``), with ``page`` and the context in it."""
        return rendering.show(self.request, template, self.language, status_code=status_code, page=self, **context)


async def current_visitor(request: Request) -> Visitor:
    """The visitor of any route behind the login.

    Raises:
        NotLoggedInError: nobody is logged in.
    """
    visitor: Visitor | None = await request.app.state.access.visitor(request)
    if visitor is None:
        raise NotLoggedInError
    request.state.visitor = visitor
    return visitor


def at_least(role: Role) -> Callable[..., Awaitable[Visitor]]:
    """A dependency: a visitor of this role or a higher one; 401 and the login for nobody, 403 for a lower role."""

    async def visitor_of_role(visitor: Annotated[Visitor, Depends(current_visitor)]) -> Visitor:
        if visitor.role < role:
            raise HTTPException(
                403,
                f"此页需要{role.title_zh}权限，您的是{visitor.role.title_zh}。请向管理员申请。 "
                f"This needs the role {role.title_en}; yours is {visitor.role.title_en}. Ask whoever runs OneLedger.",
            )
        return visitor

    # Read by the test that asks every route as everybody.
    visitor_of_role.least_role = role  # type: ignore[attr-defined]
    return visitor_of_role


def page_for(role: Role) -> Callable[..., AsyncIterator[Page]]:
    """A dependency: a page over the asked version for a visitor of at least this role."""

    async def page(
        request: Request,
        visitor: Annotated[Visitor, Depends(at_least(role))],
        version: VersionName = CURRENT,
    ) -> AsyncIterator[Page]:
        state = request.app.state
        opened = state.pool.reading(version)
        reading = await run_in_threadpool(opened.__enter__)
        try:
            yield Page(request, state.settings, visitor, language_of(request), reading)
        finally:
            await run_in_threadpool(opened.__exit__, None, None, None)

    return page


ViewerPage = Annotated[Page, Depends(page_for(Role.VIEWER))]
AuditorPage = Annotated[Page, Depends(page_for(Role.AUDITOR))]
EngineerPage = Annotated[Page, Depends(page_for(Role.ENGINEER))]

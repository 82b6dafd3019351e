"""Runbooks: what to do about each failure, from ``docs/runbooks``; nothing is fetched from another host."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse

from oneledger.runbooks import PAGES
from oneledger.runbooks.pages import grouped_pages, read_page, render
from oneledger.web.page import ViewerPage

router = APIRouter(include_in_schema=False)

RunbookName = Annotated[str, PathParameter(pattern=r"^[a-z-]{1,60}$")]


@router.get("/runbooks")
def runbooks(page: ViewerPage) -> HTMLResponse:
    """Every page, by what one sees first."""
    return page.show("runbooks/index.html", groups=grouped_pages())


@router.get("/runbooks/{runbook}")
def runbook(page: ViewerPage, runbook: RunbookName) -> HTMLResponse:
    """What you see, what it means, what to do, how to know it's mended."""
    if runbook not in PAGES:
        raise HTTPException(
            404,
            f"没有手册 {runbook}，请从手册列表选择。 There is no runbook {runbook}; choose one from the list.",
        )
    read = read_page(runbook)
    root = page.request.scope.get("root_path", "")
    address_of = {name: f"{root}/runbooks/{name}" for name in PAGES}
    parts = [(one.title_zh, one.title_en, render(one.tokens, address_of)) for one in read.sections]
    return page.show("runbooks/one.html", runbook=read, parts=parts)

"""The state of the city on one screen."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from oneledger.web.page import ViewerPage

router = APIRouter(include_in_schema=False)


@router.get("/")
def overview(page: ViewerPage) -> HTMLResponse:
    """Overview."""
    stars = page.reading.rows(
        "select stars, status, count(*) as apps_count from evaluation.app_stars group by all order by 1 desc nulls last"
    )
    return page.show("overview.html", stars=stars)

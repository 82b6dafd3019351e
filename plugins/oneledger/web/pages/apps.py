"""Apps: the list with its downloads, and one app on one page."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as PathParameter
from pydantic import BeforeValidator, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, HTMLResponse

from oneledger.publishing.export import write_answer
from oneledger.web import evaluated
from oneledger.web.app_page import AppPage
from oneledger.web.page import ViewerPage
from oneledger.web.queries import apps as queries
from oneledger.web.remembered import PageOfVersion
from oneledger.web.terms import TERMS, terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

# A form sends an empty text for a choice that nobody made.
_blank = BeforeValidator(lambda given: given or None)
Code = Annotated[Annotated[str, Field(pattern=r"^[0-9A-Za-z_.\-]{1,60}$")] | None, _blank]
Wish = Annotated[Annotated[str, Field(max_length=60)] | None, _blank]
QuarterName = Annotated[Annotated[str, Field(pattern=r"^(19|20)\d{2}-Q[1-4]$")] | None, _blank]
Side = Annotated[Literal["service", "governance"] | None, _blank]
Stars = Annotated[Literal["5", "4", "3", "none", "withheld", "not_evaluated"] | None, _blank]
Verdict = Annotated[
    Literal["in_use", "low_use", "unused", "seasonal", "new", "not_listed", "collector_outage", "not_measured"] | None,
    _blank,
]
Disposition = Annotated[Literal["keep", "improve", "merge", "transfer", "suspend", "shut_down"] | None, _blank]
Listing = Annotated[Literal["listed", "delisted", "never_listed", "unregistered"] | None, _blank]
Sort = Literal[
    "name", "-name", "department", "-department", "stars", "-stars", "score", "-score", "visitors", "-visitors",
    "change", "-change", "verdict", "-verdict", "listed", "-listed",
]  # fmt: skip
AppId = Annotated[str, PathParameter(pattern=r"^[0-9A-Za-z_.\-]{1,80}$")]
_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@router.get("/apps")
def list_of_apps(
    page: ViewerPage, q: Wish = None, side: Side = None, stars: Stars = None, department: Code = None,
    district: Code = None, verdict: Verdict = None, disposition: Disposition = None, listing: Listing = None,
    end: Code = None, sort: Sort = "-visitors", number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> HTMLResponse:  # fmt: skip
    """The apps that match, fifty a page."""
    wanted = queries.Wanted(_plain(q), side, stars, department, district, verdict, disposition, listing, end)
    evaluation = evaluated.evaluation_for(page.settings, page.reading.version.version)
    apps = queries.app_list(page.reading, evaluation)
    return page.show(
        "apps/list.html",
        found=queries.find_apps(page.reading, apps, wanted, sort=sort, page=number),
        wanted=wanted,
        sort=sort,
        choices=page.reading.remembered(("apps", "choices"), lambda: queries.choices(page.reading, apps)),
        standing=evaluated.standing_of(page.settings, evaluation) if evaluation else None,
        TERMS=TERMS,
        term=terms_of(page.language),
        asked=_asked(wanted),
    )


@router.get("/apps/download")
def download_apps(
    page: ViewerPage, file_format: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv", q: Wish = None,
    side: Side = None, stars: Stars = None, department: Code = None, district: Code = None, verdict: Verdict = None,
    disposition: Disposition = None, listing: Listing = None, end: Code = None,
) -> FileResponse:  # fmt: skip
    """All apps that match, as a file that names the version."""
    wanted = queries.Wanted(_plain(q), side, stars, department, district, verdict, disposition, listing, end)
    evaluation = evaluated.evaluation_for(page.settings, page.reading.version.version)
    apps = queries.app_list(page.reading, evaluation)
    cursor = queries.keep_for_download(page.reading, apps, wanted)
    run = evaluation.about["run_id"] if evaluation else None
    filters = ", ".join(f"{name} = {value}" for name, value in _asked(wanted).items()) or "all"
    with tempfile.NamedTemporaryFile(prefix="oneledger-apps-", suffix=f".{file_format}", delete=False) as made:
        path = Path(made.name)
    write_answer(
        page.settings, page.reading.version, cursor, "from found_apps", path, file_format,
        about=f"应用清单 apps ({filters}); 评价 evaluation {run or 'as computed in this version'}",
        columns=queries.DOWNLOAD_COLUMNS,
    )  # fmt: skip
    return FileResponse(
        path,
        media_type=_MEDIA[file_format],
        filename=f"apps-{page.reading.version.as_of_on}.{file_format}",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


@router.get("/apps/{app_id}")
def one_app(
    page: ViewerPage, app_id: AppId,
    quarter: QuarterName = None,
) -> HTMLResponse:  # fmt: skip
    """Everything about one app."""
    shown = AppPage.of(page, app_id, quarter)
    if shown is None:
        raise HTTPException(
            404,
            f"没有编码为 {app_id} 的应用，请在应用列表中查找。 "
            f"There is no app with the code {app_id}; look for it in the list of apps.",
        )
    return page.show("apps/one.html", app=shown, term=terms_of(page.language))


def _plain(q: str | None) -> str | None:
    return (q or "").strip() or None


def _asked(wanted: queries.Wanted) -> dict[str, Any]:
    """The wishes as parameters of an address."""
    given = {name: value for name, value in asdict(wanted).items() if value is not None}
    return {("end" if name == "release_end" else name): value for name, value in given.items()}

"""``/api/v1/runs`` and ``/api/v1/status``: the installation as it is now, not as a version has it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import duckdb
from fastapi import APIRouter, HTTPException, Query
from starlette.requests import Request
from starlette.responses import Response

from oneledger.pipeline.runs import list_runs, status
from oneledger.settings import Settings
from oneledger.web.api.calls import ViewerCall, page_links
from oneledger.web.api.caps import CAPS
from oneledger.web.api.models import Runs, Status
from oneledger.web.api.plain import plain
from oneledger.web.api.saying import says

router = APIRouter()

Limit = Annotated[int, Query(ge=1, le=1000)]
Page = Annotated[int, Query(ge=1, le=CAPS.offset)]


@router.get(
    "/runs", name="runs",
    **says("运行", "Runs", model=Runs, example="/api/v1/runs?limit=10",
           description_zh="每次运行的结论、耗时与行数，新的在前。",
           description_en="Each run with its verdict, seconds and counts, newest first."),
)  # fmt: skip
def runs(call: ViewerCall, limit: Limit = 50, page: Page = 1) -> Response:
    """Runs of the nightly."""
    found = _of_now(call.request, call.settings, "runs")
    shown = found[(page - 1) * limit : page * limit]
    body = {"total": len(found), "limit": limit, "page": page, "items": shown}
    return call.answer_of_now(body, page_links(call, page=page, limit=limit, total=len(found)))


@router.get(
    "/status", name="status",
    **says("状态", "Status", model=Status, more_errors=(503,), example="/api/v1/status",
           description_zh="是否一切正常；不正常时是什么、应如何处理。",
           description_en="Whether all is well; what is not, what is expected, and what to do."),
)  # fmt: skip
def state(call: ViewerCall) -> Response:
    """What is published, how the last run ended, what is wrong."""
    try:
        found = _of_now(call.request, call.settings, "status")
    except duckdb.IOException as error:
        raise HTTPException(
            503,
            "夜间任务正在写入，请稍后再试。 The nightly is writing; try again in a minute.",
            headers={"Retry-After": "60"},
        ) from error
    return call.answer_of_now(found)


def _of_now(request: Request, settings: Settings, what: str) -> Any:
    """Runs or status, worked out again when a record was added, something was published, or half a minute went by.

    Each run leaves hundreds of small records; reading them all for each request would cost half a second.
    """
    seen = (
        [(one.name, one.stat().st_mtime_ns) for one in sorted(settings.outcomes_dir.glob("*"))],
        settings.published_dir.stat().st_mtime_ns,
        int(time.time() // 30),
    )
    kept: dict[str, tuple[Any, Any]] = request.app.state.api_kept
    if what not in kept or kept[what][0] != seen:
        made = list_runs(settings) if what == "runs" else _status(settings)
        kept[what] = (seen, plain(made))
    return kept[what][1]


def _status(settings: Settings) -> dict[str, Any]:
    """Without the holder of the lock: which machine and process writes is nobody's business here."""
    found = status(settings)
    items = [one for one in found["items"] if not one["name"].startswith("lock")]
    return {
        "ok": found["ok"], "last_run": found["last_run"], "is_writing": found["lock"] is not None, "items": items
    }  # fmt: skip

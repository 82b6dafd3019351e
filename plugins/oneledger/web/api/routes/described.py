"""``/api/v1/openapi.json`` for programs and ``/api/v1/docs`` for people; both behind the login."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from oneledger.web.api.calls import ViewerCall
from oneledger.web.api.description import openapi_of
from oneledger.web.api.plain import json_bytes
from oneledger.web.page import ViewerPage

router = APIRouter()


@router.get("/openapi.json", name="openapi", include_in_schema=False)
def openapi(call: ViewerCall) -> Response:
    """This API in OpenAPI 3.1."""
    etag = call.etag("openapi")
    unchanged = call.not_modified(etag)
    if unchanged is not None:
        return unchanged
    root = call.request.scope.get("root_path", "")
    content = json_bytes(openapi_of(call.request.app, root))
    return Response(content, media_type="application/json", headers=call.headers(etag))


@router.get("/docs", name="docs", include_in_schema=False)
def docs(page: ViewerPage) -> HTMLResponse:
    """The same for people."""
    described = openapi_of(page.request.app, "")
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in described["paths"].items():
        operation = operations["get"]
        groups.setdefault(_group(path), []).append({"path": path, **operation})
    return page.show("api/docs.html", groups=groups, schemas=described["components"]["schemas"],
                     address=str(page.request.base_url).rstrip("/"))  # fmt: skip


def _group(path: str) -> str:
    word = path.removeprefix("/api/v1").strip("/").partition("/")[0]
    if word in ("tables", "apps", "stars", "figures", "findings"):
        return "data"
    if word == "metrics":
        return "metrics"
    if word in ("lineage", "trace"):
        return "lineage"
    return "operation" if word in ("runs", "status", "freshness", "quarantine") else "start"

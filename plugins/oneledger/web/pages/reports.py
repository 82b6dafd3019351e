"""Reports that were made, and their files."""

from __future__ import annotations

import hashlib
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, Response

from oneledger.evaluation.runs import evaluation_runs
from oneledger.web.page import ViewerPage
from oneledger.web.queries import reports as queries

router = APIRouter(include_in_schema=False)

_TYPES = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
# A circular brings its own styles, fonts and drawings with it; it runs nothing and loads nothing.
_CIRCULAR_POLICY = (
    "sandbox allow-popups allow-modals; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)


@router.get("/reports")
def reports(page: ViewerPage) -> HTMLResponse:
    """Every report with its files."""
    states = {run.run_id: run for run in evaluation_runs(page.settings)}
    return page.show("reports/index.html", reports=queries.list_reports(page.settings), runs=states)


@router.get("/reports/{run_id}/{name}")
def report_file(
    page: ViewerPage,
    run_id: Annotated[str, PathParameter(pattern=r"^[0-9A-Za-z.\-]{4,80}$")],
    name: Annotated[str, PathParameter(max_length=200)],
) -> Response:
    """A file that the report's record names, as it was made; one that was changed since is not given out."""
    report = queries.find_report(page.settings, run_id)
    file = report.file(name) if report else None
    if file is None:
        raise HTTPException(
            404, "没有这个通报文件，请从通报页选择。 There is no such file of a report; choose one on the page Reports."
        )
    content = file.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise HTTPException(
            409,
            f"文件 {name} 与生成时登记的哈希不符，请重新生成通报。 {name} is not what was made (its SHA-256 "
            f"differs); make the report again with `oneledger report --run {run_id}`.",
        )
    headers = {"ETag": f'"{file.sha256}"'}
    if file.format == "html":
        headers["Content-Security-Policy"] = _CIRCULAR_POLICY
    else:
        headers["Content-Disposition"] = (
            f"attachment; filename=\"{_ascii(name)}\"; filename*=UTF-8''{quote(name, safe='')}"
        )
    return Response(content, media_type=_TYPES.get(file.format, "application/octet-stream"), headers=headers)


def _ascii(name: str) -> str:
    return "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in name
    )

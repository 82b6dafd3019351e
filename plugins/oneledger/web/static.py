"""Style sheets, scripts and fonts, served by us: no page asks another host for anything."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from fastapi import APIRouter, HTTPException
from starlette.responses import FileResponse

from oneledger.charts.render import font_directory

STATIC = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".otf": "font/otf"}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False)


@router.get("/static/{fingerprint}/{name}")
def asset(fingerprint: str, name: str) -> FileResponse:
    """An asset by its name; its fingerprint in the address lets browsers keep it for good."""
    path = _assets().get(name)
    if path is None:
        raise HTTPException(404, f"没有文件 {name}。 There is no such file: {name}.")
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_FOREVER)


@functools.cache
def asset_address(name: str) -> str:
    """The address of an asset below the application's root."""
    return f"/static/{hashlib.sha256(_assets()[name].read_bytes()).hexdigest()[:12]}/{name}"


@functools.cache
def _assets() -> dict[str, Path]:
    own = [path for path in sorted(STATIC.iterdir()) if path.suffix in _TYPES]
    return {path.name: path for path in (*own, *sorted(font_directory().glob("*.otf")))}

"""A circular as PDF: laid out by Typst with fonts of an installed package, tagged for readers of screens (PDF/UA-1)."""

from __future__ import annotations

import datetime as dt
import functools
import json
from pathlib import Path
from typing import Any, Final

from oneledger.charts.render import font_directory
from oneledger.reports.content import Circular
from oneledger.reports.layout import plain

_TEMPLATE = Path(__file__).with_name("circular.typ")
_STANDARD: Final = "ua-1"


def render_pdf(circular: Circular, made_at: dt.datetime) -> bytes:
    """The bytes of the PDF; equal circulars and instants give equal bytes.

    Args:
        made_at: the date that the file carries; that of the confirmation, so that it says nothing of this machine.
    """
    import typst

    drawn = typst.compile(
        _TEMPLATE.read_bytes(),
        **_options(circular),
        timestamp=made_at.astimezone(dt.UTC).replace(microsecond=0),
        pdf_standards=[_STANDARD],
    )
    if not isinstance(drawn, bytes):
        raise AssertionError(f"Typst gave {type(drawn).__name__} for a PDF, not bytes")
    return drawn


def render_pages(circular: Circular, *, ppi: float = 96) -> list[bytes]:
    """Each page as a PNG, for whoever wants to look at them."""
    import typst

    drawn = typst.compile(_TEMPLATE.read_bytes(), **_options(circular), format="png", ppi=ppi)
    return [bytes(one) for one in (drawn if isinstance(drawn, list) else [drawn])]


def _options(circular: Circular) -> dict[str, Any]:
    content = json.dumps(plain(circular, is_for_screen=False), ensure_ascii=False, sort_keys=True)
    return {"sys_inputs": {"circular": content}, "font_paths": _fonts(), "ignore_system_fonts": True}


@functools.cache
def _fonts() -> Any:
    """Ours and those that Typst carries; never those of the machine, which would make other bytes elsewhere."""
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(font_directory())])

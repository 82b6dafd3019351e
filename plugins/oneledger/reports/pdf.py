"""A circular as PDF: laid out by Typst with fonts of an installed package, tagged for readers of screens (PDF/UA-1).

PDF/UA-1 demands a glyph for every sign. A sign that the fonts do not have (an emoji in the name of an app) is written
as its code, ``[U+1F68C]``; the page, Word and workbook of the same circular show the sign itself.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from pathlib import Path
from typing import Any, Final
from unicodedata import category

from oneledger.charts.render import font_directory
from oneledger.reports.content import Circular
from oneledger.reports.layout import plain

_TEMPLATE = Path(__file__).with_name("circular.typ")
_STANDARD: Final = "ua-1"
_WITHOUT_GLYPH = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-fA-F]+)\}")
_LAST_OF_COMMON_PLANE = 0xFFFF
# Marks of direction and joining, private and unassigned signs, selectors of a variation.
_SELDOM_SHOWN = {"Cf", "Co", "Cn", "Mn"}


def render_pdf(circular: Circular, made_at: dt.datetime) -> bytes:
    """The bytes of the PDF; equal circulars and instants give equal bytes.

    Args:
        made_at: the date that the file carries; that of the confirmation, so that it says nothing of this machine.
    """
    import typst

    options = _options(circular)
    while True:
        try:
            drawn = typst.compile(
                _TEMPLATE.read_bytes(),
                **options,
                timestamp=made_at.astimezone(dt.UTC).replace(microsecond=0),
                pdf_standards=[_STANDARD],
            )
        except typst.TypstError as error:
            content = options["sys_inputs"]["circular"]
            shown = with_codes(content, str(error))
            if shown == content:
                raise
            options["sys_inputs"]["circular"] = shown
            continue
        if not isinstance(drawn, bytes):
            raise AssertionError(f"Typst gave {type(drawn).__name__} for a PDF, not bytes")
        return drawn


def with_codes(content: str, told: str) -> str:
    """The content with codes for the signs that Typst says it cannot show, and for all of their kind.

    Args:
        content: the circular as JSON.
        told: what Typst says; anything else than a sign without a glyph changes nothing.
    """
    named = _WITHOUT_GLYPH.search(told)
    if named is None:
        return content
    text = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), named[1])
    unshown = {sign for sign in text if not sign.isascii()}
    if not unshown & set(content):
        return content
    # The others of the same kinds at once: each would cost another try.
    unshown |= {sign for sign in set(content) if ord(sign) > _LAST_OF_COMMON_PLANE or category(sign) in _SELDOM_SHOWN}
    return "".join(f"[U+{ord(sign):04X}]" if sign in unshown else sign for sign in content)


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

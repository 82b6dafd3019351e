"""A Vega-Lite specification drawn as SVG or PNG, by vl-convert inside this process."""

from __future__ import annotations

import functools
import re
from html import escape
from pathlib import Path
from typing import Any

from oneledger.charts.palette import PAPER, SCREEN, Palette

Specification = dict[str, Any]
FONT = "Noto Sans SC"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_SIZE = re.compile(r'^<svg [^>]*?width="(?P<width>[\d.]+)" height="(?P<height>[\d.]+)" viewBox="(?P<box>[^"]+)">')
# Vega gives every mark and axis a role and a name of its own; within one image readers of screens need neither.
_ROLE = re.compile(r' role="graphics-(?:object|symbol)" aria-roledescription="[^"]*"')


def svg(specification: Specification, *, title: str, description: str = "", palette: Palette = SCREEN) -> str:
    """The chart as an ``<svg>`` to put into a page: as wide as its place, with a name for those who do not see it.

    Args:
        specification: Vega-Lite without ``$schema`` and ``config``; colours from ``palette``.
        title: what the chart shows, in one sentence; its accessible name.
        description: what is to be seen in it, when a sentence can say so.

    What a mark says (the encoding ``description``) stands in its ``data-said``, which the page shows as its tooltip: an
    image has one name, and marks without a role may not carry one of their own.
    """
    drawn = _ROLE.sub("", _converter().vegalite_to_svg(_themed(specification, palette)))
    size = _SIZE.match(drawn)
    if size is None:
        raise AssertionError(f"vl-convert drew something that does not begin as an SVG: {drawn[:80]!r}")
    label = escape(f"{title}. {description}" if description else title)
    opening = (
        f'<svg class="chart" role="img" aria-label="{label}" viewBox="{size["box"]}" '
        f'style="max-width:{float(size["width"]):.0f}px" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return opening + drawn[size.end() :].replace(' aria-label="', ' data-said="')


def png(specification: Specification, *, scale: float = 3, palette: Palette = PAPER) -> bytes:
    """The chart as a picture for documents that take no SVG; ``scale`` pixels for each unit of the specification."""
    return bytes(_converter().vegalite_to_png(_themed(specification, palette), scale=scale))


def font_directory() -> Path:
    """Where the fonts of charts, pages and reports lie: Noto Sans SC and Noto Serif SC, out of an installed package."""
    import pylopdf_fonts_zh_cn

    return Path(pylopdf_fonts_zh_cn.__file__).parent


@functools.cache
def _converter() -> Any:
    """vl-convert, with our fonts: text is as wide as it is measured, whatever fonts the machine has."""
    import vl_convert

    vl_convert.register_font_directory(str(font_directory()))
    return vl_convert


def _themed(specification: Specification, palette: Palette) -> Specification:
    return {"$schema": _SCHEMA, "background": None, **specification, "config": _config(palette)}


def _config(palette: Palette) -> dict[str, Any]:
    text = {"labelColor": palette.muted, "titleColor": palette.muted, "titleFontWeight": "normal"}
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **text, "labelFontSize": 12, "titleFontSize": 12, "gridColor": palette.line, "domainColor": palette.line,
            "tickColor": palette.line, "domain": False, "ticks": False, "labelPadding": 6, "titlePadding": 10,
        },
        "axisX": {"grid": False, "labelAngle": 0},
        "axisY": {"tickCount": 4},
        "legend": {
            **text, "labelFontSize": 12, "orient": "top", "direction": "horizontal", "symbolType": "circle",
            "title": None,
        },
        "header": text,
        "range": {"category": list(palette.series)},
        "bar": {"color": palette.accent, "cornerRadiusEnd": 2},
        "line": {"color": palette.accent, "strokeWidth": 2, "strokeCap": "round"},
        "point": {"color": palette.accent, "filled": True},
        "rule": {"color": palette.muted},
        "text": {"color": palette.ink, "fontSize": 12},
    }  # fmt: skip

"""A circular as plain data, for renderers that lay out with a template; charts are drawn on the way."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from oneledger.charts.palette import PAPER, SCREEN
from oneledger.charts.render import svg
from oneledger.reports.content import (
    Block,
    Bullets,
    Circular,
    Commands,
    Definitions,
    Figure,
    KeyFigures,
    Notice,
    Paragraph,
    Table,
)

_KINDS: dict[type, str] = {
    Paragraph: "paragraph",
    Bullets: "bullets",
    Notice: "notice",
    KeyFigures: "key_figures",
    Table: "table",
    Figure: "figure",
    Definitions: "definitions",
    Commands: "commands",
}
_VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_NAME = re.compile(r'((?:\bid="|url\(#|href="#))((?:clip|gradient_|pattern_)\d+)')
# What a mark says of itself: a browser shows a title at the pointer, and the chart as a whole is read out by its own.
_SAID = re.compile(r'<(\w+)([^>]*?) data-said="([^"]*)"([^>]*)>')
# A unit of a chart on paper: at 620 units a chart is as wide as the text.
_MM_A_UNIT = 0.235


def plain(circular: Circular, *, is_for_screen: bool) -> dict[str, Any]:
    """Sections and blocks as dicts, each block with its ``kind``; a figure with its ``svg`` and its width on paper."""
    return {
        "language": circular.language,
        "banner": circular.banner,
        "kind": circular.kind,
        "title": circular.title,
        "subtitle": circular.subtitle,
        "running_title": circular.running_title,
        "about": [list(one) for one in circular.about],
        "opening": list(circular.opening),
        "sections": [
            {
                "section_id": section.section_id,
                "heading": section.heading,
                "is_annex": section.is_annex,
                "blocks": [_block(one, is_for_screen=is_for_screen) for one in section.blocks],
            }
            for section in circular.sections
        ],
        "signature": list(circular.signature),
        "seal": dataclasses.asdict(circular.seal),
        "seal_line": seal_line(circular),
        "synthetic": circular.synthetic,
        "watermark": circular.watermark,
        "words": circular.words,
    }


def seal_line(circular: Circular) -> str:
    """The foot of each page: the anchor, else the inputs."""
    return f"{circular.words['anchor']} {circular.seal.anchor or circular.seal.inputs_hash}"


def _block(block: Block, *, is_for_screen: bool) -> dict[str, Any]:
    kind = {"kind": _KINDS[type(block)]}
    if isinstance(block, Figure):
        palette = SCREEN if is_for_screen else PAPER
        drawn = _with_own_names(svg(block.chart(palette), title=block.alt, palette=palette), block.figure_id)
        drawn = _one_picture(drawn, is_for_screen=is_for_screen)
        size = _VIEW_BOX.search(drawn)
        width = float(size.group(1)) if size else 0.0
        return kind | {
            "figure_id": block.figure_id,
            "caption": block.caption,
            "alt": block.alt,
            "svg": drawn,
            "width_mm": round(width * _MM_A_UNIT, 2),
        }
    if isinstance(block, Table):
        return kind | {
            **dataclasses.asdict(block),
            "columns": [
                {
                    "title": one.title,
                    "unit": one.unit,
                    "heading": one.heading,
                    "is_number": one.is_number,
                    "width": one.width,
                    "percent": round(100 * one.width / sum(column.width for column in block.columns), 1),
                }
                for one in block.columns
            ],
        }
    return kind | dataclasses.asdict(block)


def _with_own_names(drawn: str, figure_id: str) -> str:
    """The names that parts of a chart call each other by, counted anew for each chart.

    The drawing program counts them through its life: two charts in one page would share none, but the same chart would
    not be the same twice.
    """
    names: dict[str, str] = {}

    def own(match: re.Match[str]) -> str:
        return match[1] + names.setdefault(match[2], f"{figure_id}-part{len(names) + 1}")

    return _NAME.sub(own, drawn)


def _one_picture(drawn: str, *, is_for_screen: bool) -> str:
    """A chart with one name and one role, its own; what a mark says of itself is a title, without a script.

    What the drawing program says of its axes, in English, is left out: the sentence of the chart tells what it shows.
    """

    def titled(match: re.Match[str]) -> str:
        title = f"<title>{match[3]}</title>" if is_for_screen and "class=" not in match[2] else ""
        return f"<{match[1]}{match[2]}{match[4]}>{title}"

    opening, _, parts = drawn.partition(">")
    parts = parts.replace(' role="img"', "")
    return f"{opening}>{_SAID.sub(titled, parts)}"

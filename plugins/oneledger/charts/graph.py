"""A flow as a picture: boxes in columns, lines from left to right, each box a link with a name for who cannot see it.

Drawn here and not by Vega, whose marks know no boxes with lines of text and no links in a server's SVG. Colours are the
page's variables by class (``page.css``), so the picture follows light, dark and paper.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from oneledger.charts.layout import Placed, place

_WIDTH = 1200.0
_HEAD = 30.0
_FONT, _SMALL = 12.0, 10.5
_MOST_WIDE, _LEAST_WIDE = 250.0, 128.0


@dataclass(frozen=True)
class Line:
    """One line in a box: a column of a table; ``name`` is the end of edges."""

    name: str
    text: str
    label: str
    href: str
    kind: str = ""


@dataclass(frozen=True)
class Box:
    """A table.

    Attributes:
        name: the end of edges.
        column: which column of the picture it stands in.
        label: its accessible name and tooltip, in full.
        href: where it leads.
        note: a second, smaller line; empty for none.
        kind: a class: ``focus``, ``up``, ``down``, ``aside`` or empty.
        lines: columns that it holds.
    """

    name: str
    column: int
    text: str
    label: str
    href: str
    note: str = ""
    kind: str = ""
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Edge:
    """From the name of a box or line to another; ``kind`` a class: ``decides`` is dashed."""

    source: str
    target: str
    kind: str = ""


def graph_svg(
    columns: Sequence[str], boxes: Sequence[Box], edges: Iterable[Edge], *, title: str, is_dense: bool = False
) -> str:
    """The picture as an ``<svg>``.

    Args:
        columns: the headings; a column without a box is left out.
        boxes: in an order that decides where nothing else does.
        title: what it shows; the picture's accessible name.
        is_dense: for very many boxes: less room between them, lines faint until somebody points at a box.
    """
    used = sorted({box.column for box in boxes})
    number_of = {column: number for number, column in enumerate(used)}
    gap = 30.0 if is_dense else 40.0 if len(used) > 5 else 70.0
    width = min(_MOST_WIDE, max(_LEAST_WIDE, (_WIDTH - gap * (len(used) - 1) - 40) / max(1, len(used))))
    heights = {box.name: _height(box, is_dense) for box in boxes}
    owner = {line.name: box.name for box in boxes for line in box.lines} | {box.name: box.name for box in boxes}
    drawn = [edge for edge in dict.fromkeys(edges) if edge.source in owner and edge.target in owner]
    placed = place(
        [[box.name for box in boxes if box.column == column] for column in used],
        [(owner[edge.source], owner[edge.target]) for edge in drawn],
        heights,
        gap=5.0 if is_dense else 12.0,
    )
    lefts = {box.name: 20 + number_of[box.column] * (width + gap) for box in boxes}
    middles = _middles(boxes, placed, is_dense)
    total_width = 40 + len(used) * width + max(0, len(used) - 1) * gap
    total_height = _HEAD + max((one.top + one.height for one in placed.values()), default=0.0) + 12
    headings = "".join(
        f'<text class="room" x="{20 + number * (width + gap):.0f}" y="14">{escape(columns[column])}</text>'
        for column, number in number_of.items()
    )
    ends = {name: (lefts[box], middles[name]) for name, box in owner.items()}
    paths = "".join(
        f'<path class="edge {edge.kind}" data-from="{escape(edge.source)}" data-to="{escape(edge.target)}" '
        f'd="{_path(*ends[edge.source], *ends[edge.target], width)}"/>'
        for edge in drawn
    )
    shapes = "".join(_shape(box, lefts[box.name], placed[box.name], width, is_dense=is_dense) for box in boxes)
    return (
        f'<svg class="chart graph{" dense" if is_dense else ""}" role="group" aria-label="{escape(title)}" '
        f'viewBox="0 0 {total_width:.0f} {total_height:.0f}" '
        f'style="max-width:{total_width:.0f}px;min-width:{min(total_width, 150 * len(used)):.0f}px" '
        f'xmlns="http://www.w3.org/2000/svg"><g aria-hidden="true">{headings}{paths}</g>{shapes}</svg>'
    )


def fitting(text: str, width: float, size: float = _FONT) -> str:
    """The beginning of a text that fits into a width, with an ellipsis when something was left out."""
    if _wide(text) * size <= width:
        return text
    kept = ""
    for letter in text:
        if (_wide(kept + letter) + 1) * size > width:
            break
        kept += letter
    return kept.rstrip(" ,，（(") + "…"


def wrapped(text: str, width: float, size: float = _FONT) -> tuple[str, str]:
    """A text on at most two lines, broken between words where there are any; the second one fits, or ends early."""
    if _wide(text) * size <= width:
        return text, ""
    first = ""
    for position, letter in enumerate(text):
        if _wide(first + letter) * size > width:
            space = first.rfind(" ")
            cut = space if space > 0 else position
            return text[:cut].rstrip(), fitting(text[cut:].lstrip(), width, size)
        first += letter
    return text, ""


def _wide(text: str) -> float:
    """How wide a text is, in its own size: a Chinese character is one, a Latin letter little more than a half."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.56 for letter in text)


def _height(box: Box, is_dense: bool) -> float:
    head = 20.0 if is_dense else 40.0 if box.note else 28.0
    return head + (len(box.lines) * 20.0 + 6 if box.lines else 0)


def _middles(boxes: Sequence[Box], placed: dict[str, Placed], is_dense: bool) -> dict[str, float]:
    found = {}
    for box in boxes:
        head = _height(Box(box.name, box.column, box.text, box.label, box.href, box.note), is_dense)
        top = _HEAD + placed[box.name].top
        found[box.name] = top + head / 2
        for number, line in enumerate(box.lines):
            found[line.name] = top + head + number * 20 + 10
    return found


def _path(left: float, middle: float, target_left: float, target_middle: float, width: float) -> str:
    if abs(left - target_left) < 1:
        # Within a room: a bow to the left, the wider the further.
        bow = left - 8 - min(12, abs(target_middle - middle) / 40)
        return (
            f"M{left:.1f},{middle:.1f} C{bow:.1f},{middle:.1f} {bow:.1f},{target_middle:.1f} "
            f"{left:.1f},{target_middle:.1f}"
        )
    is_forward = target_left > left
    start, end = (left + width, target_left) if is_forward else (left, target_left + width)
    bend = (end - start) / 2
    return (
        f"M{start:.1f},{middle:.1f} C{start + bend:.1f},{middle:.1f} {end - bend:.1f},{target_middle:.1f} "
        f"{end:.1f},{target_middle:.1f}"
    )


def _shape(box: Box, left: float, placed: Placed, width: float, *, is_dense: bool) -> str:
    top = _HEAD + placed.top
    padding = 6.0 if is_dense else 10.0
    inside = width - 2 * padding
    head = 20.0 if is_dense else 40.0 if box.note else 28.0
    base = top + (14 if is_dense else 17 if box.note else 19)
    text, note = fitting(box.text, inside), ""
    if box.note and not is_dense:
        # A title that needs two lines says more than the table's name, which the tooltip has too.
        text, second = wrapped(box.text, inside)
        style, below = ("", second) if second else (' class="note"', fitting(box.note, inside, _SMALL))
        note = f'<text{style} x="{left + padding:.1f}" y="{top + 32:.1f}">{escape(below)}</text>'
    parts = [
        f'<a href="{escape(box.href)}" class="box {box.kind}" data-node="{escape(box.name)}" '
        f'aria-label="{escape(box.label)}">'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{placed.height:.1f}" rx="5"/>'
        f'<text x="{left + padding:.1f}" y="{base:.1f}">{escape(text)}</text>{note}</a>'
    ]
    for number, line in enumerate(box.lines):
        y = top + head + number * 20
        parts.append(
            f'<a href="{escape(line.href)}" class="line {line.kind}" data-node="{escape(line.name)}" '
            f'aria-label="{escape(line.label)}">'
            f'<rect x="{left + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="20"/>'
            f'<text x="{left + padding:.1f}" y="{y + 14:.1f}">{escape(fitting(line.text, inside, 11.5))}</text></a>'
        )
    return "".join(parts)

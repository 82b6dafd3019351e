"""Tables of a Word document, written as the XML that Word reads: one pass, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from docx.document import Document as DocumentType
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

Fonts = tuple[str, str]
_TWIPS_A_MM = 56.693
_MARGIN_TWIPS = 55
_SIDES = ("top", "left", "bottom", "right")


@dataclass(frozen=True)
class Run:
    """Text in one look. ``fonts`` are Latin and Chinese, ``size`` is in points, ``colour`` as RRGGBB."""

    text: str
    fonts: Fonts
    size: float
    colour: str
    is_bold: bool = False


@dataclass(frozen=True)
class Cell:
    """Lines of a cell; ``borders`` gives colour and width in eighths of a point by side."""

    lines: Sequence[Sequence[Run]]
    is_right: bool = False
    shade: str = ""
    borders: dict[str, tuple[str, int]] = field(default_factory=dict)


def add_table(
    document: DocumentType,
    rows: Sequence[Sequence[Cell]],
    widths_mm: Sequence[float],
    *,
    description: str,
    header_rows: int = 0,
) -> None:
    """Add a table at the end of the document.

    Args:
        rows: as many cells as there are widths.
        description: what the table holds, for readers of screens.
        header_rows: so many rows repeat at the head of each page. No row is parted by the end of a page.
    """
    widths = [round(width * _TWIPS_A_MM) for width in widths_mm]
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    body = "".join(
        _row(cells, widths, is_header=number < header_rows, is_kept=number < header_rows + 1)
        for number, cells in enumerate(rows)
    )
    table: Any = parse_xml(
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:tblInd w:w="0" w:type="dxa"/>'
        f'<w:tblLayout w:type="fixed"/><w:tblCellMar><w:left w:w="{_MARGIN_TWIPS}" w:type="dxa"/>'
        f'<w:right w:w="{_MARGIN_TWIPS}" w:type="dxa"/></w:tblCellMar>'
        f'<w:tblLook w:val="0020" w:firstRow="{int(header_rows > 0)}"/>'
        f"<w:tblCaption w:val={quoteattr(description)}/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{body}</w:tbl>"
    )
    document.element.body._insert_tbl(table)


def _row(cells: Sequence[Cell], widths: Sequence[int], *, is_header: bool, is_kept: bool) -> str:
    drawn = "".join(_cell(cell, width, is_kept=is_kept) for cell, width in zip(cells, widths, strict=True))
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if is_header else ''}</w:trPr>{drawn}</w:tr>"


def _cell(cell: Cell, width: int, *, is_kept: bool) -> str:
    borders = "".join(
        f'<w:{side} w:val="single" w:sz="{cell.borders[side][1]}" w:space="0" w:color="{cell.borders[side][0]}"/>'
        for side in _SIDES
        if side in cell.borders
    )
    properties = (
        f'<w:tcW w:w="{width}" w:type="dxa"/>'
        + (f"<w:tcBorders>{borders}</w:tcBorders>" if borders else "")
        + (f'<w:shd w:val="clear" w:color="auto" w:fill="{cell.shade}"/>' if cell.shade else "")
        + '<w:vAlign w:val="center"/>'
    )
    lines = "".join(_line(runs, is_right=cell.is_right, is_kept=is_kept) for runs in cell.lines or [()])
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{lines}</w:tc>"


def _line(runs: Sequence[Run], *, is_right: bool, is_kept: bool) -> str:
    return (
        f"<w:p><w:pPr>{'<w:keepNext/>' if is_kept else ''}"
        '<w:spacing w:before="30" w:after="30" w:line="240" w:lineRule="auto"/>'
        f'<w:jc w:val="{"right" if is_right else "left"}"/></w:pPr>{"".join(_run(one) for one in runs)}</w:p>'
    )


def _run(run: Run) -> str:
    latin, chinese = (quoteattr(font) for font in run.fonts)
    size = round(run.size * 2)
    return (
        f"<w:r><w:rPr><w:rFonts w:ascii={latin} w:hAnsi={latin} w:eastAsia={chinese} w:cs={latin}/>"
        f'{"<w:b/>" if run.is_bold else ""}<w:color w:val="{run.colour}"/><w:sz w:val="{size}"/></w:rPr>'
        f'<w:t xml:space="preserve">{escape(run.text)}</w:t></w:r>'
    )

"""A circular as a Word document: real headings, tables whose headings repeat, pictures with a description, page numbers."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import zipfile
from collections.abc import Iterator
from typing import Any

from docx import Document
from docx.document import Document as DocumentType
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as WordParagraph

from oneledger.charts.palette import PAPER
from oneledger.charts.render import png
from oneledger.reports.content import (
    Block,
    Bullets,
    Circular,
    Commands,
    Definitions,
    Figure,
    KeyFigure,
    KeyFigures,
    Notice,
    Paragraph,
    Section,
    Table,
)
from oneledger.reports.layout import seal_line
from oneledger.reports.word_tables import Cell, Run, add_table

Numbers = dict[str, Iterator[int]]
_RED = RGBColor(0xB8, 0x14, 0x1A)
_INK = RGBColor(0x1C, 0x24, 0x30)
_MUTED = RGBColor(0x5B, 0x66, 0x75)
_TONES = {
    "plain": _INK, "muted": _MUTED, "good": RGBColor(0x1F, 0x7A, 0x4D), "warn": RGBColor(0xA8, 0x64, 0x00),
    "bad": RGBColor(0xB3, 0x26, 0x1E),
}  # fmt: skip
_LINE, _SHADE = "C9D0D8", "F6F8FA"
_TEXT_MM = 160
# Fonts that every Word has: a document carries names, not fonts. Latin, Chinese text; Latin, Chinese headings.
_TEXT_FONTS = ("Times New Roman", "仿宋")
_HEAD_FONTS = ("Arial", "黑体")
_TABLE_FONTS = ("Arial", "宋体")
_CODE_FONTS = ("Consolas", "宋体")
# A zip keeps the time of each part; this one says nothing of when or where the file was made.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def render_docx(circular: Circular, made_at: dt.datetime) -> bytes:
    """The bytes of the document; equal circulars and instants give equal bytes."""
    document = Document()
    _set_up(document, circular, made_at)
    _head(document, circular)
    numbers = {"table": itertools.count(1), "figure": itertools.count(1)}
    for section in circular.sections:
        if not section.is_annex:
            _section(document, circular, section, numbers)
    _end(document, circular)
    annexes = [section for section in circular.sections if section.is_annex]
    for place, section in enumerate(annexes):
        if place == 0:
            document.add_page_break()
        _section(document, circular, section, numbers)
    content = io.BytesIO()
    document.save(content)
    return _with_fixed_times(content.getvalue())


def _with_fixed_times(content: bytes) -> bytes:
    fixed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as written:
        for name in sorted(given.namelist(), key=lambda one: (one != "[Content_Types].xml", one)):
            part = zipfile.ZipInfo(name, _ZIP_TIME)
            part.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(part, given.read(name))
    return fixed.getvalue()


def _set_up(document: DocumentType, circular: Circular, made_at: dt.datetime) -> None:
    """Page, styles, properties, head and foot of each page."""
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.top_margin, page.bottom_margin, page.left_margin, page.right_margin = Mm(28), Mm(26), Mm(25), Mm(25)
    page.different_first_page_header_footer = True
    is_chinese = circular.language == "zh"
    _style(document, "Normal", _TEXT_FONTS, 11.5 if is_chinese else 11, _INK)
    normal = document.styles["Normal"].paragraph_format
    normal.space_after, normal.line_spacing = Pt(3), 1.35 if is_chinese else 1.15
    _style(document, "Title", _HEAD_FONTS, 18, _INK, is_bold=True)
    _style(document, "Heading 1", _HEAD_FONTS, 14, _INK, is_bold=True)
    heading = document.styles["Heading 1"].paragraph_format
    heading.space_before, heading.space_after, heading.keep_with_next = Pt(16), Pt(6), True
    _style(document, "Caption", _HEAD_FONTS, 9, _INK)
    _without_borders(document.styles["Title"])
    _foot_and_head_style(document)
    properties = document.core_properties
    instant = made_at.astimezone(dt.UTC).replace(tzinfo=None, microsecond=0)
    properties.title, properties.subject = circular.title, circular.subtitle
    properties.author = properties.last_modified_by = circular.banner
    properties.created = properties.modified = instant
    properties.last_printed = instant
    properties.revision = 1
    properties.language = "zh-CN" if is_chinese else "en-GB"
    properties.comments = seal_line(circular)
    properties.keywords = circular.seal.run_id
    _language(document, "zh-CN" if is_chinese else "en-GB")
    for header in (page.header, page.first_page_header):
        header.is_linked_to_previous = False
        line = header.paragraphs[0]
        if header is page.header:
            _write(line, f"{circular.banner}\t{circular.running_title}", _HEAD_FONTS, 8, _MUTED)
            _border(line, "bottom", _LINE, 4)
        if circular.watermark:
            _watermark(line, circular.watermark, 1 if header is page.header else 2)
    for footer in (page.footer, page.first_page_footer):
        footer.is_linked_to_previous = False
        line = footer.paragraphs[0]
        _border(line, "top", _LINE, 4)
        _write(
            line,
            circular.synthetic or seal_line(circular),
            _HEAD_FONTS,
            7,
            _TONES["bad"] if circular.synthetic else _MUTED,
        )
        _write(line, "\t", _HEAD_FONTS, 8, _MUTED)
        _page_numbers(line, circular.words["page"])


def _head(document: DocumentType, circular: Circular) -> None:
    if circular.watermark:
        _write(_line(document, centred=True), circular.words["draft"], _HEAD_FONTS, 10, _TONES["bad"])
    banner = _line(document, centred=True)
    _write(banner, circular.banner, ("Georgia", "宋体"), 30 if circular.language == "zh" else 26, _RED, is_bold=True)
    banner.paragraph_format.line_spacing = 1.1
    kind = _line(document, centred=True)
    _write(kind, "　".join(circular.kind) if circular.language == "zh" else circular.kind, _HEAD_FONTS, 13, _RED)
    kind.paragraph_format.line_spacing = 1.0
    _border(kind, "bottom", f"{_RED}", 18, kind="thinThickSmallGap")
    title = document.add_paragraph(circular.title, style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title.paragraph_format.space_before, title.paragraph_format.space_after = Pt(14), Pt(4)
    if circular.language == "zh":
        title.paragraph_format.left_indent = title.paragraph_format.right_indent = Mm(22)
    _write(_line(document, centred=True), circular.subtitle, _HEAD_FONTS, 10, _MUTED)
    add_table(
        document,
        [
            [
                Cell([[Run(label, _HEAD_FONTS, 8, f"{_MUTED}")]], shade=_SHADE),
                Cell([[Run(value, _TABLE_FONTS, 8, f"{_INK}")]], shade=_SHADE),
            ]
            for label, value in circular.about
        ],
        (28, _TEXT_MM - 28),
        description=circular.title,
    )
    if circular.synthetic:
        told = _line(document, centred=True)
        told.paragraph_format.space_before = Pt(8)
        _write(told, circular.synthetic, _HEAD_FONTS, 9, _TONES["bad"])
    for number, text in enumerate(circular.opening):
        line = _line(document)
        if number == 0:
            line.paragraph_format.space_before = Pt(6)
            _write(line, text, _HEAD_FONTS, 12 if circular.language == "zh" else 11, _INK)
        else:
            _indent(line, circular)
            _write(line, text, _TEXT_FONTS, None, _INK)


def _section(document: DocumentType, circular: Circular, section: Section, numbers: Numbers) -> None:
    document.add_heading(section.heading, level=1)
    for block in section.blocks:
        _block(document, circular, block, numbers)


def _block(document: DocumentType, circular: Circular, block: Block, numbers: Numbers) -> None:
    match block:
        case Paragraph():
            line = _line(document)
            _indent(line, circular)
            if block.lead:
                _write(line, block.lead, _HEAD_FONTS, None, _INK)
            _write(line, block.text, _TEXT_FONTS, None, _INK)
        case Bullets():
            for text in block.items:
                _write(document.add_paragraph(style="List Bullet"), text, _TEXT_FONTS, None, _INK)
        case Notice():
            line = _line(document)
            _border(line, "left", f"{_TONES[block.tone]}", 24, space=8)
            line.paragraph_format.left_indent = Mm(3)
            line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(8)
            line.paragraph_format.line_spacing = 1.2
            _write(line, block.text, _HEAD_FONTS, 9.5, _INK)
        case KeyFigures():
            _key_figures(document, block)
        case Table():
            _table(document, circular, block, next(numbers["table"]))
        case Figure():
            _figure(document, circular, block, next(numbers["figure"]))
        case Definitions():
            add_table(
                document,
                [
                    [
                        Cell([[Run(word, _HEAD_FONTS, 9.5, f"{_INK}")]]),
                        Cell([[Run(meaning, _TEXT_FONTS, 10, f"{_INK}")]]),
                    ]
                    for word, meaning in block.items
                ],
                (34, _TEXT_MM - 34),
                description=circular.kind,
            )
            _tight(document.add_paragraph())
        case Commands():
            for told, command in block.items:
                line = _line(document)
                line.paragraph_format.keep_with_next = True
                line.paragraph_format.space_after = Pt(1)
                _write(line, told, _HEAD_FONTS, 9, _INK)
                code = _line(document)
                code.paragraph_format.line_spacing = 1.0
                _shade(code, "F2F4F7")
                _write(code, command, _CODE_FONTS, 8, _INK)


def _key_figures(document: DocumentType, block: KeyFigures) -> None:
    """Three in a row, with a narrow column between them so that their rules do not meet."""
    columns, gap = 3, 5.0
    width = (_TEXT_MM - (columns - 1) * gap) / columns
    rows: list[list[Cell]] = []
    for start in range(0, len(block.items), columns):
        cells: list[Cell] = []
        for place in range(columns):
            if place:
                cells.append(Cell([]))
            found = block.items[start + place : start + place + 1]
            cells.append(_key_figure(found[0]) if found else Cell([]))
        rows.append(cells)
    add_table(
        document, rows, (width, *(gap, width) * (columns - 1)),
        description=", ".join(f"{one.label} {one.value} {one.unit}".strip() for one in block.items),
    )  # fmt: skip
    _tight(document.add_paragraph())


def _key_figure(one: KeyFigure) -> Cell:
    colour = f"{_TONES[one.tone]}"
    value = [Run(one.value, ("Arial", "黑体"), 20, colour)]
    if one.unit:
        value.append(Run(f" {one.unit}", _HEAD_FONTS, 9, f"{_MUTED}"))
    return Cell(
        [[Run(one.label, _HEAD_FONTS, 8, f"{_MUTED}")], value, [Run(one.note, _HEAD_FONTS, 8, f"{_MUTED}")]],
        borders={"top": ("17508C" if one.tone == "plain" else colour, 12)},
    )


def _table(document: DocumentType, circular: Circular, block: Table, number: int) -> None:
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    caption.paragraph_format.space_before, caption.paragraph_format.space_after = Pt(10), Pt(3)
    _write(caption, f"{circular.words['table']}{number}  ", _HEAD_FONTS, 9, _MUTED)
    _write(caption, block.caption, _HEAD_FONTS, 9, _INK)
    if not block.rows:
        line = _line(document)
        _border(line, "top", f"{_INK}", 8)
        _border(line, "bottom", f"{_INK}", 8)
        _write(line, block.empty, _HEAD_FONTS, 9, _MUTED)
        return
    size = 7.5 if len(block.columns) > 8 else 8.5
    ink = f"{_INK}"
    rows = [
        [
            Cell(
                [[Run(column.heading, _HEAD_FONTS, size, f"{_MUTED}")]], is_right=column.is_number,
                borders={"top": (ink, 8), "bottom": (ink, 4)},
            )
            for column in block.columns
        ]
    ]  # fmt: skip
    printed = [*block.rows, *([block.total] if block.total else [])]
    for place, texts in enumerate(printed, start=1):
        is_last = place == len(printed)
        is_total = is_last and block.total is not None
        borders = {"bottom": (ink, 8) if is_last else (_LINE, 2)} | ({"top": (ink, 4)} if is_total else {})
        rows.append([
            Cell([[Run(text, _TABLE_FONTS, size, ink, is_bold=is_total)]], is_right=column.is_number, borders=borders)
            for column, text in zip(block.columns, texts, strict=True)
        ])  # fmt: skip
    whole = sum(column.width for column in block.columns)
    add_table(
        document, rows, [_TEXT_MM * column.width / whole for column in block.columns], description=block.caption,
        header_rows=1,
    )  # fmt: skip
    after = _line(document)
    _tight(after)
    after.paragraph_format.space_before, after.paragraph_format.space_after = Pt(3), Pt(6)
    if block.note:
        _write(after, block.note, _HEAD_FONTS, 8, _MUTED)


def _figure(document: DocumentType, circular: Circular, block: Figure, number: int) -> None:
    picture = _line(document, centred=True)
    picture.paragraph_format.keep_with_next = True
    picture.paragraph_format.line_spacing = 1.0
    content = png(block.chart(PAPER))
    width = int.from_bytes(content[16:20], "big")
    # Three pixels a unit; 680 units are as wide as the text.
    shape = picture.add_run().add_picture(io.BytesIO(content), width=Mm(min(_TEXT_MM, width / 3 * 0.235)))
    shape._inline.docPr.set("descr", block.alt)
    shape._inline.docPr.set("title", block.caption)
    shape._inline.docPr.set("name", block.figure_id)
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.space_after = Pt(8)
    _write(caption, f"{circular.words['figure']}{number}  ", _HEAD_FONTS, 9, _MUTED)
    _write(caption, block.caption, _HEAD_FONTS, 9, _INK)


def _end(document: DocumentType, circular: Circular) -> None:
    for number, section in enumerate(one for one in circular.sections if one.is_annex):
        line = _line(document)
        _indent(line, circular)
        line.paragraph_format.keep_with_next = True
        if number == 0:
            line.paragraph_format.space_before = Pt(12)
        _write(line, section.heading, _TEXT_FONTS, None, _INK)
    for number, text in enumerate(circular.signature):
        line = _line(document)
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        line.paragraph_format.right_indent = Mm(8)
        line.paragraph_format.keep_with_next = number == 0
        if number == 0:
            line.paragraph_format.space_before = Pt(18)
        _write(line, text, _TEXT_FONTS, None, _INK)


def _style(
    document: DocumentType, name: str, fonts: tuple[str, str], size: float, colour: RGBColor, *, is_bold: bool = False
) -> None:
    style = document.styles[name]
    style.font.size, style.font.bold, style.font.italic = Pt(size), is_bold, False
    style.font.color.rgb = colour
    _fonts(style.element.get_or_add_rPr(), fonts)


def _fonts(properties: Any, fonts: tuple[str, str]) -> None:
    found = properties.find(qn("w:rFonts"))
    if found is None:
        found = OxmlElement("w:rFonts")
        properties.insert(0, found)
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        found.attrib.pop(qn(f"w:{theme}"), None)
    for kind, font in (("ascii", fonts[0]), ("hAnsi", fonts[0]), ("cs", fonts[0]), ("eastAsia", fonts[1])):
        found.set(qn(f"w:{kind}"), font)


def _write(
    line: WordParagraph,
    text: str,
    fonts: tuple[str, str],
    size: float | None,
    colour: RGBColor,
    *,
    is_bold: bool = False,
) -> None:
    run = line.add_run(text)
    run.font.color.rgb = colour
    if size is not None:
        run.font.size = Pt(size)
    if is_bold:
        run.font.bold = True
    _fonts(run._element.get_or_add_rPr(), fonts)


def _line(document: DocumentType, *, centred: bool = False) -> WordParagraph:
    line = document.add_paragraph()
    if centred:
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    return line


def _indent(line: WordParagraph, circular: Circular) -> None:
    """Two characters in Chinese, whatever the size of the text."""
    if circular.language != "zh":
        return
    indent = line._element.get_or_add_pPr().get_or_add_ind()
    indent.set(qn("w:firstLineChars"), "200")
    indent.set(qn("w:firstLine"), "480")


def _tight(line: WordParagraph) -> None:
    line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(0)
    line.paragraph_format.line_spacing = 1.0


def _shade(line: WordParagraph, colour: str) -> None:
    shade = parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="{colour}"/>')
    line._element.get_or_add_pPr().insert_element_before(shade, "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr")


def _border(line: WordParagraph, side: str, colour: str, size: int, *, space: int = 3, kind: str = "single") -> None:
    properties = line._element.get_or_add_pPr()
    borders = properties.find(qn("w:pBdr"))
    if borders is None:
        borders = OxmlElement("w:pBdr")
        properties.insert_element_before(
            borders,
            "w:shd",
            "w:tabs",
            "w:suppressAutoHyphens",
            "w:spacing",
            "w:ind",
            "w:contextualSpacing",
            "w:jc",
            "w:rPr",
        )
    borders.append(parse_xml(
        f'<w:{side} {nsdecls("w")} w:val="{kind}" w:sz="{size}" w:space="{space}" w:color="{colour}"/>'
    ))  # fmt: skip


def _without_borders(style: Any) -> None:
    """The title of the default template has a rule below it."""
    properties = style.element.get_or_add_pPr()
    found = properties.find(qn("w:pBdr"))
    if found is not None:
        properties.remove(found)


def _foot_and_head_style(document: DocumentType) -> None:
    """One tab, at the right margin: what follows it ends there. The template has others."""
    for name in ("Header", "Footer"):
        style = document.styles[name]
        properties = style.element.get_or_add_pPr()
        found = properties.find(qn("w:tabs"))
        if found is not None:
            properties.remove(found)
        style.paragraph_format.tab_stops.add_tab_stop(Mm(_TEXT_MM), WD_TAB_ALIGNMENT.RIGHT)
        style.paragraph_format.line_spacing = 1.0


def _page_numbers(line: WordParagraph, pattern: str) -> None:
    """``Page {page} of {pages}`` with fields that Word counts."""
    before, _, rest = pattern.partition("{page}")
    between, _, after = rest.partition("{pages}")
    _write(line, before, _HEAD_FONTS, 8, _MUTED)
    _field(line, "PAGE")
    _write(line, between, _HEAD_FONTS, 8, _MUTED)
    _field(line, "NUMPAGES")
    _write(line, after, _HEAD_FONTS, 8, _MUTED)


def _field(line: WordParagraph, code: str) -> None:
    line._element.append(parse_xml(
        f'<w:fldSimple {nsdecls("w")} w:instr="{code}"><w:r><w:rPr><w:rFonts w:ascii="Arial" w:hAnsi="Arial"/>'
        f'<w:color w:val="{_MUTED}"/><w:sz w:val="16"/></w:rPr><w:t>1</w:t></w:r></w:fldSimple>'
    ))  # fmt: skip


def _language(document: DocumentType, language: str) -> None:
    """What a reader of screens and the spelling check take the text for."""
    properties = document.styles["Normal"].element.get_or_add_rPr()
    properties.append(parse_xml(f'<w:lang {nsdecls("w")} w:val="{language}" w:eastAsia="zh-CN"/>'))


def _watermark(line: WordParagraph, text: str, number: int) -> None:
    """Text across the page, as Word itself writes a watermark into the head of the page."""
    line._element.append(parse_xml(
        f'<w:r {nsdecls("w")} xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"><w:pict>'
        f'<v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800" path="m@7,l@8,m@5,21600l@6,21600e">'
        '<v:formulas><v:f eqn="sum #0 0 10800"/><v:f eqn="prod #0 2 1"/><v:f eqn="sum 21600 0 @1"/><v:f eqn="sum 0 0 @2"/>'
        '<v:f eqn="sum 21600 0 @3"/><v:f eqn="if @0 @3 0"/><v:f eqn="if @0 21600 @1"/><v:f eqn="if @0 0 @2"/>'
        '<v:f eqn="if @0 @4 21600"/></v:formulas><v:path textpathok="t" o:connecttype="rect"/><v:textpath on="t" fitshape="t"/>'
        f'</v:shapetype><v:shape id="Watermark{number}" o:spid="_x0000_s20{number}0" type="#_x0000_t136" alt="{text}" '
        'style="position:absolute;margin-left:0;margin-top:0;width:430pt;height:108pt;rotation:315;z-index:-251658752;'
        'mso-position-horizontal:center;mso-position-horizontal-relative:margin;mso-position-vertical:center;'
        'mso-position-vertical-relative:margin" o:allowincell="f" fillcolor="#b3261e" stroked="f"><v:fill opacity=".14"/>'
        f'<v:textpath style="font-family:&quot;黑体&quot;;font-size:1pt" string="{text}"/></v:shape></w:pict></w:r>'
    ))  # fmt: skip

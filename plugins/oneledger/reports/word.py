"""A circular as a Word document: real headings, tables whose head repeats, described pictures, page numbers."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import zipfile
from collections.abc import Iterator, Mapping

from docx import Document
from docx.document import Document as DocumentType
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Mm, Pt

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
from oneledger.reports.word_text import (
    CODE_FONTS,
    HEAD_FONTS,
    INK,
    LINE,
    MUTED,
    RED,
    SHADE,
    TABLE_FONTS,
    TEXT_FONTS,
    TEXT_MM,
    TONES,
    add_border,
    add_line,
    add_page_numbers,
    add_watermark,
    indent_first,
    remove_borders,
    set_head_and_foot,
    set_language,
    set_style,
    set_tight,
    shade,
    write,
)

Numbers = Mapping[str, Iterator[int]]


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
    set_style(document, "Normal", TEXT_FONTS, 11.5 if is_chinese else 11, INK)
    normal = document.styles["Normal"].paragraph_format
    normal.space_after, normal.line_spacing = Pt(3), 1.35 if is_chinese else 1.15
    set_style(document, "Title", HEAD_FONTS, 18, INK, is_bold=True)
    set_style(document, "Heading 1", HEAD_FONTS, 14, INK, is_bold=True)
    heading = document.styles["Heading 1"].paragraph_format
    heading.space_before, heading.space_after, heading.keep_with_next = Pt(16), Pt(6), True
    set_style(document, "Caption", HEAD_FONTS, 9, INK)
    remove_borders(document.styles["Title"])
    set_head_and_foot(document)
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
    set_language(document, "zh-CN" if is_chinese else "en-GB")
    for header in (page.header, page.first_page_header):
        header.is_linked_to_previous = False
        line = header.paragraphs[0]
        if header is page.header:
            write(line, f"{circular.banner}\t{circular.running_title}", HEAD_FONTS, 8, MUTED)
            add_border(line, "bottom", LINE, 4)
        if circular.watermark:
            add_watermark(line, circular.watermark, 1 if header is page.header else 2)
    for footer in (page.footer, page.first_page_footer):
        footer.is_linked_to_previous = False
        line = footer.paragraphs[0]
        add_border(line, "top", LINE, 4)
        write(
            line,
            circular.synthetic or seal_line(circular),
            HEAD_FONTS,
            7,
            TONES["bad"] if circular.synthetic else MUTED,
        )
        write(line, "\t", HEAD_FONTS, 8, MUTED)
        add_page_numbers(line, circular.words["page"])


def _head(document: DocumentType, circular: Circular) -> None:
    if circular.watermark:
        write(add_line(document, centred=True), circular.words["draft"], HEAD_FONTS, 10, TONES["bad"])
    banner = add_line(document, centred=True)
    write(banner, circular.banner, ("Georgia", "宋体"), 30 if circular.language == "zh" else 26, RED, is_bold=True)
    banner.paragraph_format.line_spacing = 1.1
    kind = add_line(document, centred=True)
    write(kind, "　".join(circular.kind) if circular.language == "zh" else circular.kind, HEAD_FONTS, 13, RED)
    kind.paragraph_format.line_spacing = 1.0
    add_border(kind, "bottom", f"{RED}", 18, kind="thinThickSmallGap")
    title = document.add_paragraph(circular.title, style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title.paragraph_format.space_before, title.paragraph_format.space_after = Pt(14), Pt(4)
    if circular.language == "zh":
        title.paragraph_format.left_indent = title.paragraph_format.right_indent = Mm(22)
    write(add_line(document, centred=True), circular.subtitle, HEAD_FONTS, 10, MUTED)
    add_table(
        document,
        [
            [
                Cell([[Run(label, HEAD_FONTS, 8, f"{MUTED}")]], shade=SHADE),
                Cell([[Run(value, TABLE_FONTS, 8, f"{INK}")]], shade=SHADE),
            ]
            for label, value in circular.about
        ],
        (28, TEXT_MM - 28),
        description=circular.title,
    )
    if circular.synthetic:
        told = add_line(document, centred=True)
        told.paragraph_format.space_before = Pt(8)
        write(told, circular.synthetic, HEAD_FONTS, 9, TONES["bad"])
    for number, text in enumerate(circular.opening):
        line = add_line(document)
        if number == 0:
            line.paragraph_format.space_before = Pt(6)
            write(line, text, HEAD_FONTS, 12 if circular.language == "zh" else 11, INK)
        else:
            indent_first(line, circular)
            write(line, text, TEXT_FONTS, None, INK)


def _section(document: DocumentType, circular: Circular, section: Section, numbers: Numbers) -> None:
    document.add_heading(section.heading, level=1)
    for block in section.blocks:
        _block(document, circular, block, numbers)


def _block(document: DocumentType, circular: Circular, block: Block, numbers: Numbers) -> None:
    match block:
        case Paragraph():
            line = add_line(document)
            indent_first(line, circular)
            if block.lead:
                write(line, block.lead, HEAD_FONTS, None, INK)
            write(line, block.text, TEXT_FONTS, None, INK)
        case Bullets():
            for text in block.items:
                write(document.add_paragraph(style="List Bullet"), text, TEXT_FONTS, None, INK)
        case Notice():
            line = add_line(document)
            add_border(line, "left", f"{TONES[block.tone]}", 24, space=8)
            line.paragraph_format.left_indent = Mm(3)
            line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(8)
            line.paragraph_format.line_spacing = 1.2
            write(line, block.text, HEAD_FONTS, 9.5, INK)
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
                        Cell([[Run(word, HEAD_FONTS, 9.5, f"{INK}")]]),
                        Cell([[Run(meaning, TEXT_FONTS, 10, f"{INK}")]]),
                    ]
                    for word, meaning in block.items
                ],
                (34, TEXT_MM - 34),
                description=circular.kind,
            )
            set_tight(document.add_paragraph())
        case Commands():
            for told, command in block.items:
                line = add_line(document)
                line.paragraph_format.keep_with_next = True
                line.paragraph_format.space_after = Pt(1)
                write(line, told, HEAD_FONTS, 9, INK)
                code = add_line(document)
                code.paragraph_format.line_spacing = 1.0
                shade(code, "F2F4F7")
                write(code, command, CODE_FONTS, 8, INK)


def _key_figures(document: DocumentType, block: KeyFigures) -> None:
    """Three in a row, with a narrow column between them so that their rules do not meet."""
    columns, gap = 3, 5.0
    width = (TEXT_MM - (columns - 1) * gap) / columns
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
        document,
        rows,
        (width, *(gap, width) * (columns - 1)),
        description=", ".join(f"{one.label} {one.value} {one.unit}".strip() for one in block.items),
    )
    set_tight(document.add_paragraph())


def _key_figure(one: KeyFigure) -> Cell:
    colour = f"{TONES[one.tone]}"
    value = [Run(one.value, ("Arial", "黑体"), 20, colour)]
    if one.unit:
        value.append(Run(f" {one.unit}", HEAD_FONTS, 9, f"{MUTED}"))
    return Cell(
        [[Run(one.label, HEAD_FONTS, 8, f"{MUTED}")], value, [Run(one.note, HEAD_FONTS, 8, f"{MUTED}")]],
        borders={"top": ("17508C" if one.tone == "plain" else colour, 12)},
    )


def _table(document: DocumentType, circular: Circular, block: Table, number: int) -> None:
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    caption.paragraph_format.space_before, caption.paragraph_format.space_after = Pt(10), Pt(3)
    write(caption, f"{circular.words['table']}{number}  ", HEAD_FONTS, 9, MUTED)
    write(caption, block.caption, HEAD_FONTS, 9, INK)
    if not block.rows:
        line = add_line(document)
        add_border(line, "top", f"{INK}", 8)
        add_border(line, "bottom", f"{INK}", 8)
        write(line, block.empty, HEAD_FONTS, 9, MUTED)
        return
    size = 7.5 if len(block.columns) > 8 else 8.5
    ink = f"{INK}"
    rows = [
        [
            Cell(
                [[Run(column.heading, HEAD_FONTS, size, f"{MUTED}")]],
                is_right=column.is_number,
                borders={"top": (ink, 8), "bottom": (ink, 4)},
            )
            for column in block.columns
        ]
    ]
    printed = [*block.rows, *([block.total] if block.total else [])]
    for place, texts in enumerate(printed, start=1):
        is_last = place == len(printed)
        is_total = is_last and block.total is not None
        borders = {"bottom": (ink, 8) if is_last else (LINE, 2)} | ({"top": (ink, 4)} if is_total else {})
        rows.append(
            [
                Cell(
                    [[Run(text, TABLE_FONTS, size, ink, is_bold=is_total)]], is_right=column.is_number, borders=borders
                )
                for column, text in zip(block.columns, texts, strict=True)
            ]
        )
    whole = sum(column.width for column in block.columns)
    add_table(
        document,
        rows,
        [TEXT_MM * column.width / whole for column in block.columns],
        description=block.caption,
        header_rows=1,
    )
    after = add_line(document)
    set_tight(after)
    after.paragraph_format.space_before, after.paragraph_format.space_after = Pt(3), Pt(6)
    if block.note:
        write(after, block.note, HEAD_FONTS, 8, MUTED)


def _figure(document: DocumentType, circular: Circular, block: Figure, number: int) -> None:
    picture = add_line(document, centred=True)
    picture.paragraph_format.keep_with_next = True
    picture.paragraph_format.line_spacing = 1.0
    # On paper's own colour: what shines through is mixed with it, and not by whoever shows the picture.
    content = png({**block.chart(PAPER), "background": PAPER.surface})
    width = int.from_bytes(content[16:20], "big")
    # Three pixels a unit; 680 units are as wide as the text.
    shape = picture.add_run().add_picture(io.BytesIO(content), width=Mm(min(TEXT_MM, width / 3 * 0.235)))
    shape._inline.docPr.set("descr", block.alt)
    shape._inline.docPr.set("title", block.caption)
    shape._inline.docPr.set("name", block.figure_id)
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.space_after = Pt(8)
    write(caption, f"{circular.words['figure']}{number}  ", HEAD_FONTS, 9, MUTED)
    write(caption, block.caption, HEAD_FONTS, 9, INK)


def _end(document: DocumentType, circular: Circular) -> None:
    for number, section in enumerate(one for one in circular.sections if one.is_annex):
        line = add_line(document)
        indent_first(line, circular)
        line.paragraph_format.keep_with_next = True
        if number == 0:
            line.paragraph_format.space_before = Pt(12)
        write(line, section.heading, TEXT_FONTS, None, INK)
    for number, text in enumerate(circular.signature):
        line = add_line(document)
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        line.paragraph_format.right_indent = Mm(8)
        line.paragraph_format.keep_with_next = number == 0
        if number == 0:
            line.paragraph_format.space_before = Pt(18)
        write(line, text, TEXT_FONTS, None, INK)

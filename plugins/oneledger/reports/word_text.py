"""Text of a Word document: fonts, colours, lines, borders, head and foot, the watermark of a draft."""

from __future__ import annotations

from typing import Any

from docx.document import Document as DocumentType
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as WordParagraph

from oneledger.reports.content import (
    Circular,
)

RED = RGBColor(0xB8, 0x14, 0x1A)
INK = RGBColor(0x1C, 0x24, 0x30)
MUTED = RGBColor(0x5B, 0x66, 0x75)
TONES = {
    "plain": INK,
    "muted": MUTED,
    "good": RGBColor(0x1F, 0x7A, 0x4D),
    "warn": RGBColor(0xA8, 0x64, 0x00),
    "bad": RGBColor(0xB3, 0x26, 0x1E),
}
LINE = "C9D0D8"
SHADE = "F6F8FA"
TEXT_MM = 160
# Fonts that every Word has: a document carries names, not fonts. Latin, Chinese text; Latin, Chinese headings.
TEXT_FONTS = ("Times New Roman", "仿宋")
HEAD_FONTS = ("Arial", "黑体")
TABLE_FONTS = ("Arial", "宋体")
CODE_FONTS = ("Consolas", "宋体")


def set_style(
    document: DocumentType, name: str, fonts: tuple[str, str], size: float, colour: RGBColor, *, is_bold: bool = False
) -> None:
    style = document.styles[name]
    style.font.size, style.font.bold, style.font.italic = Pt(size), is_bold, False
    style.font.color.rgb = colour
    set_fonts(style.element.get_or_add_rPr(), fonts)


def set_fonts(properties: Any, fonts: tuple[str, str]) -> None:
    found = properties.find(qn("w:rFonts"))
    if found is None:
        found = OxmlElement("w:rFonts")
        properties.insert(0, found)
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        found.attrib.pop(qn(f"w:{theme}"), None)
    for kind, font in (("ascii", fonts[0]), ("hAnsi", fonts[0]), ("cs", fonts[0]), ("eastAsia", fonts[1])):
        found.set(qn(f"w:{kind}"), font)


def write(
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
    set_fonts(run._element.get_or_add_rPr(), fonts)


def add_line(document: DocumentType, *, centred: bool = False) -> WordParagraph:
    line = document.add_paragraph()
    if centred:
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    return line


def indent_first(line: WordParagraph, circular: Circular) -> None:
    """Two characters in Chinese, whatever the size of the text."""
    if circular.language != "zh":
        return
    indent = line._element.get_or_add_pPr().get_or_add_ind()
    indent.set(qn("w:firstLineChars"), "200")
    indent.set(qn("w:firstLine"), "480")


def set_tight(line: WordParagraph) -> None:
    line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(0)
    line.paragraph_format.line_spacing = 1.0


def shade(line: WordParagraph, colour: str) -> None:
    shade = parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="{colour}"/>')
    line._element.get_or_add_pPr().insert_element_before(shade, "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr")


def add_border(line: WordParagraph, side: str, colour: str, size: int, *, space: int = 3, kind: str = "single") -> None:
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
    borders.append(
        parse_xml(f'<w:{side} {nsdecls("w")} w:val="{kind}" w:sz="{size}" w:space="{space}" w:color="{colour}"/>')
    )


def remove_borders(style: Any) -> None:
    """The title of the default template has a rule below it."""
    properties = style.element.get_or_add_pPr()
    found = properties.find(qn("w:pBdr"))
    if found is not None:
        properties.remove(found)


def set_head_and_foot(document: DocumentType) -> None:
    """One tab, at the right margin: what follows it ends there. The template has others."""
    for name in ("Header", "Footer"):
        style = document.styles[name]
        properties = style.element.get_or_add_pPr()
        found = properties.find(qn("w:tabs"))
        if found is not None:
            properties.remove(found)
        style.paragraph_format.tab_stops.add_tab_stop(Mm(TEXT_MM), WD_TAB_ALIGNMENT.RIGHT)
        style.paragraph_format.line_spacing = 1.0


def add_page_numbers(line: WordParagraph, pattern: str) -> None:
    """``Page {page} of {pages}`` with fields that Word counts."""
    before, _, rest = pattern.partition("{page}")
    between, _, after = rest.partition("{pages}")
    write(line, before, HEAD_FONTS, 8, MUTED)
    add_field(line, "PAGE")
    write(line, between, HEAD_FONTS, 8, MUTED)
    add_field(line, "NUMPAGES")
    write(line, after, HEAD_FONTS, 8, MUTED)


def add_field(line: WordParagraph, code: str) -> None:
    line._element.append(
        parse_xml(
            f'<w:fldSimple {nsdecls("w")} w:instr="{code}"><w:r><w:rPr><w:rFonts w:ascii="Arial" w:hAnsi="Arial"/>'
            f'<w:color w:val="{MUTED}"/><w:sz w:val="16"/></w:rPr><w:t>1</w:t></w:r></w:fldSimple>'
        )
    )


def set_language(document: DocumentType, language: str) -> None:
    """What a reader of screens and the spelling check take the text for."""
    properties = document.styles["Normal"].element.get_or_add_rPr()
    properties.append(parse_xml(f'<w:lang {nsdecls("w")} w:val="{language}" w:eastAsia="zh-CN"/>'))


# A line of text that fills its box, as Word defines it (shape type 136).
_TEXT_SHAPE = (
    '<v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800"'
    ' path="m@7,l@8,m@5,21600l@6,21600e"><v:formulas>'
    + "".join(
        f'<v:f eqn="{one}"/>'
        for one in (
            "sum #0 0 10800", "prod #0 2 1", "sum 21600 0 @1", "sum 0 0 @2", "sum 21600 0 @3", "if @0 @3 0",
            "if @0 21600 @1", "if @0 0 @2", "if @0 @4 21600",
        )
    )
    + '</v:formulas><v:path textpathok="t" o:connecttype="rect"/><v:textpath on="t" fitshape="t"/></v:shapetype>'
)  # fmt: skip
_ACROSS_THE_PAGE = ";".join((
    "position:absolute", "margin-left:0", "margin-top:0", "width:430pt", "height:108pt", "rotation:315",
    "z-index:-251658752", "mso-position-horizontal:center", "mso-position-horizontal-relative:margin",
    "mso-position-vertical:center", "mso-position-vertical-relative:margin",
))  # fmt: skip


def add_watermark(line: WordParagraph, text: str, number: int) -> None:
    """Text across the page, as Word itself writes a watermark into the head of the page."""
    spaces = 'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    line._element.append(
        parse_xml(
            f"<w:r {nsdecls('w')} {spaces}><w:pict>{_TEXT_SHAPE}"
            f'<v:shape id="Watermark{number}" o:spid="_x0000_s20{number}0" type="#_x0000_t136" alt="{text}"'
            f' style="{_ACROSS_THE_PAGE}" o:allowincell="f" fillcolor="#b3261e" stroked="f"><v:fill opacity=".14"/>'
            f'<v:textpath style="font-family:&quot;黑体&quot;;font-size:1pt" string="{text}"/></v:shape></w:pict></w:r>'
        )
    )

"""The pages of the workbook round its rows: overview, definitions, codes, provenance; and how a cell is written."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Any

from oneledger.reports.circular import compose
from oneledger.reports.content import KeyFigures, Seal
from oneledger.reports.facts import BANDS, Facts
from oneledger.reports.wording import TERMS, Wording
from oneledger.reports.workbook_columns import Column
from oneledger.reports.workbook_sheets import SHEETS


class Formats:
    """Cell formats, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._known: dict[tuple[tuple[str, Any], ...], Any] = {}
        base = {"font_name": "等线", "font_size": 10, "valign": "top"}
        self._base = base
        self.title = self.of(font_size=16, bold=True, font_color="#1C2430", valign="vcenter")
        self.subtitle = self.of(font_color="#5B6675")
        self.warning = self.of(font_color="#B3261E", text_wrap=True)
        head = {
            "bold": True,
            "text_wrap": True,
            "bg_color": "#17508C",
            "font_color": "#FFFFFF",
            "valign": "vcenter",
            "border": 1,
            "border_color": "#0F3A66",
        }
        self.head = self.of(**head)
        self.head_english = self.of(
            **{**head, "bold": False, "bg_color": "#E4ECF5", "font_color": "#1C2430", "border_color": "#C9D0D8"}
        )
        self.label = self.of(font_color="#5B6675", text_wrap=True)
        self.text = self.of()
        self.wrapped = self.of(text_wrap=True)
        self.code = self.of(font_name="Consolas", text_wrap=True)
        self.date = self.of(num_format="yyyy-mm-dd", align="left")
        self.instant = self.of(num_format="yyyy-mm-dd hh:mm:ss", align="left")

    def of(self, **given: Any) -> Any:
        wanted = {**self._base, **given}
        key = tuple(sorted(wanted.items()))
        if key not in self._known:
            self._known[key] = self._book.add_format(wanted)
        return self._known[key]


def add_overview(book: Any, formats: Formats, facts: Facts, seal: Seal) -> None:
    sheet = new_sheet(book, "概况 Overview", facts)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 34)
    sheet.set_column(2, 2, 16)
    sheet.set_column(3, 3, 90)
    chinese, english = compose(facts, "zh", seal), compose(facts, "en", seal)
    sheet.set_row(0, 28)
    sheet.write_string(0, 0, chinese.title, formats.title)
    sheet.write_string(1, 0, english.title, formats.subtitle)
    row = 2
    if chinese.synthetic:
        sheet.write_string(row, 0, f"{chinese.synthetic} {english.synthetic}", formats.warning)
        row += 1
    if chinese.watermark:
        sheet.write_string(row, 0, f"{chinese.words['draft']} {english.words['draft']}", formats.warning)
        row += 1
    row = write_headings(sheet, formats, row + 1, ("项目", "Item", "数值 Value", "说明 Note"))
    for (label, value), (label_english, value_english) in zip(chinese.about, english.about, strict=True):
        note = value if value == value_english else f"{value} / {value_english}"
        row = _about_line(sheet, formats, row, label, label_english, "", note)
    row = write_headings(sheet, formats, row + 1, ("星级分布", "Distribution", "应用 Apps", ""))
    for band in BANDS:
        sheet.write_string(row, 0, TERMS["band"][band][0], formats.text)
        sheet.write_string(row, 1, TERMS["band"][band][1], formats.text)
        sheet.write_number(row, 2, facts.distribution[band], formats.of(num_format="#,##0"))
        row += 1
    sheet.write_string(row, 0, "合计", formats.of(bold=True, top=1))
    sheet.write_string(row, 1, "total", formats.of(bold=True, top=1))
    sheet.write_number(row, 2, facts.population, formats.of(bold=True, top=1, num_format="#,##0"))
    row = write_headings(sheet, formats, row + 2, ("主要数字", "Key figures", "数值 Value", "说明 Note"))
    for block, translated in zip(chinese.sections[0].blocks, english.sections[0].blocks, strict=True):
        if isinstance(block, KeyFigures) and isinstance(translated, KeyFigures):
            for one, other in zip(block.items, translated.items, strict=True):
                row = _about_line(
                    sheet, formats, row, one.label, other.label, f"{one.value}{one.unit}", f"{one.note} / {other.note}"
                )
    row = write_headings(sheet, formats, row + 1, ("工作表", "Sheet", "", "内容 What it holds"))
    for spec in SHEETS:
        zh, en = spec.name.split(" ", 1)
        row = _about_line(sheet, formats, row, zh, en, "", f"{spec.title_zh} {spec.title_en}")


def _about_line(sheet: Any, formats: Formats, row: int, chinese: str, english: str, value: str, note: str) -> int:
    sheet.write_string(row, 0, chinese, formats.label)
    sheet.write_string(row, 1, english, formats.label)
    if value:
        sheet.write_string(row, 2, value, formats.text)
    sheet.write_string(row, 3, note, formats.wrapped)
    return row + 1


def write_headings(sheet: Any, formats: Formats, row: int, headings: Sequence[str]) -> int:
    for position, text in enumerate(headings):
        sheet.write_string(row, position, text, formats.head)
    return row + 1


def add_definitions(book: Any, formats: Formats, columns_of: dict[str, list[Column]]) -> None:
    """Every column of every sheet: titles, unit, meaning, and the table that it comes from."""
    sheet = book.add_worksheet("指标定义 Definitions")
    headings = (
        "工作表 Sheet",
        "列 Column",
        "中文 Chinese",
        "英文 English",
        "单位 Unit",
        "含义 Meaning",
        "来源表 Table",
    )
    for position, width in enumerate((22, 32, 24, 32, 18, 80, 34)):
        sheet.set_column(position, position, width)
    row = write_headings(sheet, formats, 0, headings)
    for name, columns in columns_of.items():
        for column in columns:
            unit = (
                column.unit[0] if column.unit[0] == column.unit[1] else " ".join(part for part in column.unit if part)
            )
            texts = (name, column.name, column.title_zh, column.title_en, unit, column.description, column.relation)
            for position, text in enumerate(texts):
                sheet.write_string(row, position, text, formats.wrapped if position == 5 else formats.text)
            row += 1
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, max(row - 1, 1), len(headings) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def add_codes(book: Any, formats: Formats) -> None:
    """What the codes in the cells mean, Chinese and English."""
    sheet = book.add_worksheet("代码 Codes")
    headings = ("类别 Kind", "代码 Code", "中文 Chinese", "英文 English")
    for position, width in enumerate((20, 26, 30, 34)):
        sheet.set_column(position, position, width)
    row = write_headings(sheet, formats, 0, headings)
    for kind, terms in TERMS.items():
        for code, (chinese, english) in terms.items():
            for position, text in enumerate((kind, code, chinese, english)):
                sheet.write_string(row, position, text, formats.text)
            row += 1
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, row - 1, len(headings) - 1)


def add_provenance(book: Any, formats: Formats, facts: Facts, seal: Seal, batches: Sequence[Sequence[Any]]) -> None:
    """Where everything comes from: run, version, rules, anchor, and every batch that the version was made of."""
    sheet = book.add_worksheet("出处 Provenance")
    for position, width in enumerate((44, 68, 20, 14, 8, 12, 12, 12, 24, 16, 12)):
        sheet.set_column(position, position, width)
    run = facts.run
    about = (
        ("评价运行 evaluation run", run.run_id),
        ("确认人 confirmed by", run.decision.get("name") or "—"),
        ("确认时间 confirmed at (UTC)", run.decision.get("decided_at") or "—"),
        ("结果哈希 hash of the results", run.record["content_hash"]),
        ("数据版本 published version", seal.version),
        ("数据内容哈希 hash of the data", seal.content_hash),
        ("数据截至 data as of", facts.as_of_on.isoformat()),
        ("规则版本 rule version", run.record["rule_version"]),
        ("规则哈希 hash of the rules", seal.rules_hash),
        ("评价SQL哈希 hash of the evaluation's SQL", run.record["evaluation_sql_hash"]),
        ("程序版本 program", run.record["code_version"]),
        ("存证锚 anchor", seal.anchor or "—"),
        ("存证账本条目 entry of the ledger of seals", str(seal.sequence or "—")),
        ("输入哈希 hash of the inputs", seal.inputs_hash),
        ("比较对象 compared with", facts.previous.run_id if facts.previous else "—"),
    )
    row = write_headings(sheet, formats, 0, ("项目 Item", "内容 Value"))
    for label, value in about:
        sheet.write_string(row, 0, label, formats.label)
        sheet.write_string(row, 1, value, formats.code)
        row += 1
    headings = (
        "批次 Batch",
        "来源 Source",
        "实体 Entity",
        "业务日期 Business date",
        "版次 Revision",
        "收到 Received",
        "计入 Accepted",
        "隔离 Quarantined",
        "更正原因 Correction",
        "文号 Reference",
        "更正人 Name",
    )
    start = row + 1
    row = write_headings(sheet, formats, start, headings)
    plain = Column("", "", "", "", "", ("", ""), "#,##0")
    for batch in batches:
        for position, value in enumerate(batch):
            write_cell(sheet, row, position, value, plain, formats)
        row += 1
    sheet.autofilter(start, 0, max(row - 1, start + 1), len(headings) - 1)
    sheet.freeze_panes(0, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def new_sheet(book: Any, name: str, facts: Facts) -> Any:
    sheet = book.add_worksheet(name)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.7)
    words = Wording("zh")
    synthetic = "合成数据 Synthetic data" if facts.is_synthetic else ""
    draft = "草案 DRAFT  " if facts.run.state not in ("confirmed", "superseded") else ""
    sheet.set_header(f"&L&9{draft}{words.period(facts.run.period)}&R&9{name}")
    sheet.set_footer(f"&L&8{synthetic}&R&8&P / &N")
    return sheet


def write_cell(sheet: Any, row: int, position: int, value: Any, column: Column, formats: Formats) -> None:
    """One cell. What is missing stays empty, and text is always text: nothing that a source wrote runs as a formula."""
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, position, value, formats.text)
    elif isinstance(value, int | float | decimal.Decimal):
        sheet.write_number(row, position, float(value), formats.of(num_format=column.number_format))
    elif isinstance(value, dt.datetime):
        sheet.write_datetime(row, position, value.replace(tzinfo=None), formats.instant)
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, position, dt.datetime.combine(value, dt.time()), formats.date)
    else:
        sheet.write_string(row, position, str(value)[:_MAXIMUM_TEXT], formats.text)


_MAXIMUM_TEXT = 32_767

"""The workbook for departments and auditors: rows of a run and its version, what each column means, where it is from."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.publishing.versions import BATCHES_FILE
from oneledger.reports.circular import compose, title_of
from oneledger.reports.content import KeyFigures, Seal
from oneledger.reports.facts import BANDS, Facts, open_facts
from oneledger.reports.wording import TERMS, Wording
from oneledger.reports.workbook_sheets import SHEETS, SheetSpec
from oneledger.settings import ConfigurationError, Settings

_MODELS_FILE = Path("lineage") / "models.json"
_WIDEST, _NARROWEST, _MEASURED_ROWS = 46, 9, 300
_MAXIMUM_TEXT = 32_767
_ROW_LIMIT = 1_048_576
# By the ending of a column's name: its unit in Chinese and English, and how Excel shows it.
_UNITS: tuple[tuple[str, tuple[str, str], str], ...] = (
    ("_cny", ("元", "yuan"), '#,##0.00" 元"'),
    ("_working_days", ("工作日", "working days"), "#,##0.##"),
    ("_days_count", ("天", "days"), '#,##0" 天"'),
    ("_days", ("天", "days"), '#,##0" 天"'),
    ("_minutes", ("分钟", "minutes"), '#,##0.0" 分钟"'),
    ("_rate", ("%", "%"), "0.0%"),
    ("_count", ("", ""), "#,##0"),
    ("_year", ("", ""), "0"),
    ("_points", ("分", "points"), "0.00"),
    ("_weight", ("分", "points"), "0.00"),
    ("_score", ("分", "of 100"), "0.00"),
)
_UNITS_BY_NAME: dict[str, tuple[tuple[str, str], str]] = {
    "score": (("分", "of 100"), "0.00"),
    "points": (("分", "points"), "0.00"),
    "weight": (("分", "points"), "0.00"),
    "share": (("%", "%"), "0%"),
    "stars": (("星", "stars"), "0"),
}


@dataclass(frozen=True)
class _Column:
    """A column with everything that is said of it."""

    name: str
    relation: str
    title_zh: str
    title_en: str
    description: str
    unit: tuple[str, str]
    number_format: str


def render_workbook(settings: Settings, facts: Facts, seal: Seal, made_at: dt.datetime) -> bytes:
    """The bytes of the workbook; the same facts give the same bytes.

    Raises:
        ConfigurationError: the version describes no columns, or a sheet has more rows than Excel holds.
    """
    import xlsxwriter

    models = _models(facts)
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(content, options) as book:
        book.set_size(2400, 1500)
        book.set_properties(
            {
                "title": title_of(facts, Wording("zh")),
                "subject": title_of(facts, Wording("en")),
                "author": facts.issuer or "OneLedger",
                "keywords": seal.run_id,
                "comments": f"inputs {seal.inputs_hash}",
                "created": made_at.astimezone(dt.UTC).replace(tzinfo=None, microsecond=0),
            }
        )
        formats = _Formats(book)
        _overview(book, formats, facts, seal)
        columns_of = {}
        with open_facts(facts.run, facts.version) as connection:
            batches = str(facts.version.path / BATCHES_FILE).replace("'", "''")
            connection.execute(f"create view batch as from read_parquet('{batches}')")
            for sheet in SHEETS:
                columns_of[sheet.name] = [_column(models, sheet, name) for name in sheet.columns]
                rows = connection.execute(sheet.sql, _parameters(facts, sheet.sql)).fetchall()
                _rows(book, formats, sheet, columns_of[sheet.name], rows, facts)
            batch_rows = connection.execute(
                "select batch_id, source, entity, business_on, revision, received_count, accepted_count, "
                "quarantined_count,"
                " correction_reason, correction_reference, correction_name from batch order by batch_id"
            ).fetchall()
        _definitions(book, formats, columns_of)
        _provenance(book, formats, facts, seal, batch_rows)
    return content.getvalue()


class _Formats:
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


def _overview(book: Any, formats: _Formats, facts: Facts, seal: Seal) -> None:
    sheet = _new_sheet(book, "概况 Overview", facts)
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
    row = _headings(sheet, formats, row + 1, ("项目", "Item", "数值 Value", "说明 Note"))
    for (label, value), (label_english, value_english) in zip(chinese.about, english.about, strict=True):
        note = value if value == value_english else f"{value} / {value_english}"
        row = _about_line(sheet, formats, row, label, label_english, "", note)
    row = _headings(sheet, formats, row + 1, ("星级分布", "Distribution", "应用 Apps", ""))
    for band in BANDS:
        sheet.write_string(row, 0, TERMS["band"][band][0], formats.text)
        sheet.write_string(row, 1, TERMS["band"][band][1], formats.text)
        sheet.write_number(row, 2, facts.distribution[band], formats.of(num_format="#,##0"))
        row += 1
    sheet.write_string(row, 0, "合计", formats.of(bold=True, top=1))
    sheet.write_string(row, 1, "total", formats.of(bold=True, top=1))
    sheet.write_number(row, 2, facts.population, formats.of(bold=True, top=1, num_format="#,##0"))
    row = _headings(sheet, formats, row + 2, ("主要数字", "Key figures", "数值 Value", "说明 Note"))
    for block, translated in zip(chinese.sections[0].blocks, english.sections[0].blocks, strict=True):
        if isinstance(block, KeyFigures) and isinstance(translated, KeyFigures):
            for one, other in zip(block.items, translated.items, strict=True):
                row = _about_line(
                    sheet, formats, row, one.label, other.label, f"{one.value}{one.unit}", f"{one.note} / {other.note}"
                )
    row = _headings(sheet, formats, row + 1, ("工作表", "Sheet", "", "内容 What it holds"))
    for spec in SHEETS:
        zh, en = spec.name.split(" ", 1)
        row = _about_line(sheet, formats, row, zh, en, "", f"{spec.title_zh} {spec.title_en}")


def _about_line(sheet: Any, formats: _Formats, row: int, chinese: str, english: str, value: str, note: str) -> int:
    sheet.write_string(row, 0, chinese, formats.label)
    sheet.write_string(row, 1, english, formats.label)
    if value:
        sheet.write_string(row, 2, value, formats.text)
    sheet.write_string(row, 3, note, formats.wrapped)
    return row + 1


def _headings(sheet: Any, formats: _Formats, row: int, headings: Sequence[str]) -> int:
    for position, text in enumerate(headings):
        sheet.write_string(row, position, text, formats.head)
    return row + 1


def _rows(
    book: Any,
    formats: _Formats,
    spec: SheetSpec,
    columns: Sequence[_Column],
    rows: Sequence[Sequence[Any]],
    facts: Facts,
) -> None:
    """A sheet of rows: Chinese headings with units, English ones below, a filter, the first columns held in place."""
    if len(rows) + 2 > _ROW_LIMIT:
        raise ConfigurationError(
            f"Sheet {spec.name} would have {len(rows):,} rows, and Excel holds {_ROW_LIMIT:,}. Take them with "
            "`oneledger export "
            f"{spec.relation.partition('.')[2]} --format parquet`, and make the report without xlsx: --format "
            "html,pdf,docx"
        )
    sheet = _new_sheet(book, spec.name, facts)
    sheet.freeze_panes(2, spec.frozen)
    sheet.repeat_rows(0, 1)
    sheet.set_row(0, 32)
    sheet.set_row(1, 32)
    for position, column in enumerate(columns):
        sheet.set_column(position, position, _width(column, [row[position] for row in rows[:_MEASURED_ROWS]]))
        sheet.write_string(0, position, _with_unit(column.title_zh, column.unit[0], "（{}）"), formats.head)
        sheet.write_string(1, position, _with_unit(column.title_en, column.unit[1], " ({})"), formats.head_english)
    for place, row in enumerate(rows, start=2):
        for position, value in enumerate(row):
            _write(sheet, place, position, value, columns[position], formats)
    sheet.autofilter(1, 0, max(len(rows) + 1, 2), len(columns) - 1)


def _write(sheet: Any, row: int, position: int, value: Any, column: _Column, formats: _Formats) -> None:
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


def _definitions(book: Any, formats: _Formats, columns_of: dict[str, list[_Column]]) -> None:
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
    row = _headings(sheet, formats, 0, headings)
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


def _provenance(book: Any, formats: _Formats, facts: Facts, seal: Seal, batches: Sequence[Sequence[Any]]) -> None:
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
    row = _headings(sheet, formats, 0, ("项目 Item", "内容 Value"))
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
    row = _headings(sheet, formats, start, headings)
    plain = _Column("", "", "", "", "", ("", ""), "#,##0")
    for batch in batches:
        for position, value in enumerate(batch):
            _write(sheet, row, position, value, plain, formats)
        row += 1
    sheet.autofilter(start, 0, max(row - 1, start + 1), len(headings) - 1)
    sheet.freeze_panes(0, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _new_sheet(book: Any, name: str, facts: Facts) -> Any:
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


def _models(facts: Facts) -> dict[str, Any]:
    """What the version itself says of its tables and columns."""
    path = facts.version.path / _MODELS_FILE
    try:
        models = json.loads(path.read_bytes())["models"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}), and without it the workbook cannot say what its columns mean. "
            "Publish again "
            "with `oneledger run` and evaluate again, or make the report without it: --format html,pdf,docx"
        ) from error
    return {model["relation"]: model for model in models}


def _column(models: dict[str, Any], sheet: SheetSpec, written: str) -> _Column:
    relation, _, name = written.rpartition(".") if "." in written else (sheet.relation, "", written)
    try:
        about = models[relation]["columns"][name]
        titles = about["meta"]["title_zh"], about["meta"]["title_en"]
    except KeyError as error:
        raise ConfigurationError(
            f"The version does not describe {relation}.{name} ({error}), which sheet {sheet.name} shows. It was "
            "made by another "
            "program: publish again with `oneledger run` and evaluate again."
        ) from error
    unit, number_format = _unit_of(name)
    return _Column(name, relation, *titles, about["description"], unit, number_format)


def _unit_of(name: str) -> tuple[tuple[str, str], str]:
    """A column's name says its unit by how it ends (docs/architecture.md); what says none is shown as it is."""
    if name in _UNITS_BY_NAME:
        return _UNITS_BY_NAME[name]
    for ending, unit, number_format in _UNITS:
        if name.endswith(ending):
            return unit, number_format
    return ("", ""), "#,##0.####"


def _with_unit(title: str, unit: str, pattern: str) -> str:
    return title + pattern.format(unit) if unit and unit not in title else title


def _width(column: _Column, values: Sequence[Any]) -> float:
    texts = [str(value) for value in values if value is not None and not isinstance(value, float | decimal.Decimal)]
    widest = max([_cells(text) for text in texts], default=0)
    heading = max(_cells(column.title_zh), _cells(column.title_en) * 0.6)
    return min(max(widest + 2, heading + 4, _NARROWEST), _WIDEST)


def _cells(text: str) -> int:
    """How wide a text is, in half-width letters."""
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def _parameters(facts: Facts, sql: str) -> dict[str, Any]:
    given = {
        "from": facts.period_start_on,
        "to": facts.period_end_on,
        "level": facts.run.record["round"]["level"],
        "year": facts.period_end_on.year,
    }
    return {name: value for name, value in given.items() if f"${name}" in sql}

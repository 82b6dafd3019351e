"""The workbook: sheets that can be read back, every column explained, nothing that runs."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.workbook import Workbook

from oneledger.reports.facts import BANDS, Facts
from oneledger.reports.workbook_columns import Column, describe_column, read_models
from oneledger.reports.workbook_pages import Formats, write_cell
from oneledger.reports.workbook_sheets import SHEETS

from .conftest import Reported

DANGEROUS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", '=HYPERLINK("http://x")', "{=1}")


@pytest.fixture(scope="module")
def book(reported: Reported) -> Workbook:
    return openpyxl.load_workbook(reported.file("xlsx"))


def test_it_has_a_front_page_the_rows_and_where_they_come_from(book: Workbook) -> None:
    assert book.sheetnames == [
        "概况 Overview", *(one.name for one in SHEETS), "指标定义 Definitions", "代码 Codes", "出处 Provenance"
    ]  # fmt: skip


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda one: one.name)
def test_a_sheet_has_bilingual_headings_held_in_place_a_filter_and_rows(book: Workbook, sheet: Any) -> None:
    found = book[sheet.name]
    headings = [[cell.value for cell in found[row]] for row in (1, 2)]
    assert all(text and any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in headings[0])
    assert all(headings[1])
    assert found.freeze_panes == f"{'ABCD'[sheet.frozen]}3"
    assert found.auto_filter.ref.endswith(str(found.max_row))
    assert found.max_row > 2
    assert found.print_title_rows == "$1:$2"


def test_the_stars_are_those_of_the_run(book: Workbook, facts: Facts) -> None:
    rows = list(book["星级 Stars"].iter_rows(min_row=3, values_only=True))
    heads = [cell.value for cell in book["星级 Stars"][2]]
    stars, status = heads.index("Stars"), heads.index("Status")
    assert len(rows) == facts.population
    for band in BANDS[:3]:
        assert sum(row[stars] == int(band) for row in rows) == facts.distribution[band]
    assert sum(row[stars] is None and row[status] == "scored" for row in rows) == facts.distribution["none"]


def test_every_point_has_numerator_denominator_value_weight_and_the_reason_for_none(book: Workbook) -> None:
    heads = [str(cell.value).partition(" (")[0] for cell in book["指标得分 Points"][2]]
    rows = [
        dict(zip(heads, row, strict=True)) for row in book["指标得分 Points"].iter_rows(min_row=3, values_only=True)
    ]
    scored = [row for row in rows if row["Status"] == "scored"]
    assert scored
    assert all(row["Points"] is not None and row["Value"] is not None for row in scored)
    assert all(row["Points"] is None and row["Reason in English"] for row in rows if row["Status"] != "scored")


def test_every_column_of_every_sheet_is_explained_in_the_words_of_the_version(book: Workbook, facts: Facts) -> None:
    models = read_models(facts)
    written = list(book["指标定义 Definitions"].iter_rows(min_row=2, values_only=True))
    expected = []
    for sheet in SHEETS:
        for name in sheet.columns:
            column = describe_column(models, sheet, name)
            expected.append(
                (sheet.name, column.name, column.title_zh, column.title_en, column.description, column.relation)
            )
    assert [(*row[:4], *row[5:7]) for row in written] == expected
    units = {row[1]: row[4] for row in written}
    assert units["released_cny"] == "元 yuan"
    assert units["approve_to_open_minutes"] == "分钟 minutes"


def test_numbers_keep_their_type_and_carry_their_unit(book: Workbook) -> None:
    sheet = book["资金时效 Funding"]
    heads = [cell.value for cell in sheet[1]]
    column = sheet.iter_cols(heads.index("下达金额（元）") + 1, heads.index("下达金额（元）") + 1, min_row=3)
    money = next(cell for cell in next(column) if cell.value is not None)
    assert isinstance(money.value, int | float)
    assert "元" in money.number_format
    assert sheet.cell(3, [cell.value for cell in sheet[2]].index("Published on") + 1).is_date


def test_no_cell_of_the_workbook_is_a_formula(book: Workbook) -> None:
    assert [
        cell.coordinate for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"
    ] == []


@pytest.mark.parametrize("text", DANGEROUS)
def test_text_that_excel_would_run_is_written_as_text(text: str) -> None:
    content = io.BytesIO()
    column = Column("name", "marts.dim_app", "名称", "Name", "", ("", ""), "0")
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(content, options) as written:
        write_cell(written.add_worksheet(), 0, 0, text, column, Formats(written))
    cell = openpyxl.load_workbook(content).worksheets[0]["A1"]
    assert (cell.value, cell.data_type) == (text, "s")


def test_provenance_names_run_version_rules_anchor_and_every_batch(book: Workbook, reported: Reported) -> None:
    rows = list(book["出处 Provenance"].iter_rows(values_only=True))
    said = {str(row[0]): row[1] for row in rows[1:] if row[0]}
    record = reported.second.record
    assert said["评价运行 evaluation run"] == record["run_id"]
    assert said["数据内容哈希 hash of the data"] == record["content_hash"]
    assert said["规则哈希 hash of the rules"] == record["rules_hash"]
    assert said["存证锚 anchor"] == record["anchor"]
    assert said["输入哈希 hash of the inputs"] == record["inputs_hash"]
    head = next(number for number, row in enumerate(rows) if row[0] == "批次 Batch")
    corrected = [row for row in rows[head + 1 :] if row[8]]
    # The appeal of the story stands beside its batch.
    assert [(row[8], row[9], row[10]) for row in corrected] == [("漏报一个发布端的访客", "申诉2022-17", "李华")]

"""Workbooks as offices keep them: titles, merged headers, subtotals, notes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter

from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  finance:
    connector: workbook
    connection: finance_drop
    defaults: {delivery: partition}
    entities:
      budget_release:
        files: {pattern: 'ysxd_(?P<budget_year>\\d{4})\\.xlsx'}
        workbook: {sheet: 0, header_contains: [项目编号, 下达日期], stop_at: ['^注[:：]', '^填报'],
                   skip_rows: ['^(小计|合计|总计)'], fill_down: [主管部门], header_rows: 2,
                   title_fields: {unit_text: '单位[:：]\\s*(\\S+)'}}
        partition_by: [budget_year]
        natural_key: [budget_year, project_id]
        columns:
          budget_year: {from: $budget_year, type: integer, required: true}
          unit_text: {from: $unit_text, type: text, required: true}
          department_name: {from: 主管部门, type: text}
          project_id: {from: 项目编号, type: text, required: true}
          budget_cny: {from: 资金/年度预算, type: decimal, unit: 万元}
          arrived_cny: {from: 资金/到账金额, type: decimal, unit: 万元}
          released_on: {from: 下达日期, type: date}
"""


@pytest.fixture
def finance(installation: Installation) -> Installation:
    installation.write_catalogue(CATALOGUE)
    installation.connect("finance_drop", installation.drop.as_uri())
    return installation


def write_release(path: Path, *, unit: str = "金额单位：万元", code_heading: str = "项目编号") -> None:
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("资金下达")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.merge_range(0, 0, 0, 4, "2022年度预算安排与资金下达情况表")
    sheet.write(1, 4, unit)
    sheet.merge_range(2, 0, 3, 0, "主管部门")
    sheet.merge_range(2, 1, 3, 1, code_heading)
    sheet.merge_range(2, 2, 2, 3, "资金")
    sheet.write(3, 2, "年度\n预算")
    sheet.write(3, 3, "到账金额")
    sheet.merge_range(2, 4, 3, 4, "下达日期")
    sheet.merge_range(4, 0, 5, 0, "市大数据局")
    sheet.write_row(4, 1, ["P001", 120.1, 0.1 + 0.2])
    sheet.write_datetime(4, 4, dt.datetime(2022, 3, 5), day)
    sheet.write_row(5, 1, ["P002", 80, None, "2022年4月"])
    sheet.write_row(6, 0, ["小计", None, 200.1])
    sheet.write_row(8, 0, ["市公安局", 330500001, 10])
    sheet.write_row(9, 0, ["合计", None, 210.1])
    sheet.write(10, 0, "注：本表由预算处填报，P003 未下达")
    sheet.write_row(11, 0, ["填报人", "张三"])
    book.close()


def release(finance: Installation, **options: str) -> Path:
    text = finance.settings.catalogue_paths[0].read_text("utf-8").replace("资金/年度预算", "资金/年度 预算")
    finance.write_catalogue(text)
    path = finance.drop / "ysxd_2022.xlsx"
    write_release(path, **options)
    return path


def test_a_table_among_titles_subtotals_and_notes_is_read_with_its_sheet_row_numbers(finance: Installation) -> None:
    release(finance)
    outcomes = finance.ingest_well("finance")
    (batch,) = finance.batches("finance")
    assert batch.batch_id == "finance.budget_release.2022.r001"
    columns = "department_name, project_id, budget_cny, arrived_cny, released_on, budget_year, unit_text, _row_number"
    assert finance.rows(batch, columns) == [
        ("市大数据局", "P001", "120.1", "0.3", "2022-03-05", "2022", "万元", 5),
        ("市大数据局", "P002", "80", None, "2022年4月", "2022", "万元", 6),
        ("市公安局", "330500001", "10", None, None, "2022", "万元", 9),
    ]
    loaded = next(outcome for outcome in outcomes if outcome.step == "load_raw")
    assert loaded.detail["skipped_rows"] == {
        "ysxd_2022.xlsx": {"subtotal_rows": 2, "empty_rows": 1, "rows_of_notes": 2}
    }


def test_a_title_field_that_is_required_and_missing_refuses_the_workbook(finance: Installation) -> None:
    release(finance, unit="元")
    failed = only(finance.ingest("finance"), "failed")
    assert "'unit_text' (→ unit_text) was found neither" in failed.message


def test_a_renamed_heading_names_the_row_that_comes_nearest(finance: Installation) -> None:
    release(finance, code_heading="项目代码")
    failed = only(finance.ingest("finance"), "failed")
    assert "no row of the sheet holds all of 项目编号, 下达日期" in failed.message
    assert "row 3 comes nearest: 主管部门, 项目代码" in failed.message


def test_a_workbook_that_is_cut_off_or_none_at_all_is_refused(finance: Installation) -> None:
    path = release(finance)
    path.write_bytes(path.read_bytes()[:2000])
    assert "cannot be read as a workbook" in only(finance.ingest("finance"), "failed").message
    path.write_text("项目编号,下达日期\n", "utf-8")
    assert "is no workbook" in only(finance.ingest("finance"), "failed").message


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(finance: Installation) -> None:
    release(finance)
    finance.write_catalogue(finance.settings.catalogue_paths[0].read_text("utf-8").replace("sheet: 0", "sheet: 预算"))
    assert "has no sheet '预算'; it has 资金下达" in only(finance.ingest("finance"), "failed").message


def test_a_corrected_workbook_is_a_new_revision(finance: Installation) -> None:
    release(finance)
    finance.ingest_well("finance")
    write_release(finance.drop / "ysxd_2022.xlsx", unit="单位: 万元")
    finance.ingest_well("finance")
    assert [batch.revision for batch in finance.batches("finance")] == [1, 2]

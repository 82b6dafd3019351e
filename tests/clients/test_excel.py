"""What Excel and its like get from ``oneledger export``: read back with openpyxl."""

from __future__ import annotations

from pathlib import Path

import openpyxl

from oneledger.publishing.export import export
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings


def test_a_workbook_has_numbers_as_numbers_missing_as_empty_and_text_that_never_runs(
    installation: Settings, version: PublishedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "usage.xlsx"
    export(installation, version, out=out, file_format="xlsx", table="app_usage_month")
    book = openpyxl.load_workbook(out)
    sheet = book["数据 data"]
    assert sheet.freeze_panes == "A2"
    rows = list(sheet.iter_rows(min_row=2))
    heads = [cell.value for cell in sheet[1]]
    found = {row[heads.index("month")].value: row for row in rows}
    september, october = found["2022-09"], found["2022-10"]
    assert september[heads.index("visitors_count")].value == 30
    assert october[heads.index("page_views_count")].value is None
    note = september[heads.index("note")]
    assert (note.value, note.data_type) == ("=cmd|calc", "s")
    definitions = {row[0].value: row[1].value for row in book["说明 definitions"].iter_rows()}
    assert definitions["版本 version"] == version.version
    assert definitions["visitors_count"] == "Distinct visitors, summed over days"


def test_a_csv_begins_with_the_mark_by_which_excel_knows_chinese(
    installation: Settings, version: PublishedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "usage.csv"
    export(installation, version, out=out, file_format="csv", table="app_usage_month")
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "'=cmd|calc" in out.read_text("utf-8-sig")

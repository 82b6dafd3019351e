"""Decisions other than the default: a source that says `warn`, `accept`, `quarantine` or `refuse` gets what it says."""

from __future__ import annotations

import json

import openpyxl
import pytest

from oneledger.settings import ConfigurationError
from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition, decisions: {DECISIONS}}
    entities:
      usage:
        files: {pattern: 'u_(?P<business_date>\\d{8})\\.csv(\\.gz)?'CONTROL}
        natural_key: [app_id, used_on]
        columns:
          app_id: {from: 应用编码, type: text, required: true}
          visitors_count: {from: 访客数, type: integer}
          used_on: {from: 日期, type: date}
"""
HEADER = "应用编码,访客数,日期\n"
GOOD = HEADER + "A1,5,2022-10-31\nA2,6,2022-10-31\n"
NAME = "u_20221031.csv"


def decided(installation: Installation, decisions: str, control: str = "") -> Installation:
    installation.write_catalogue(CATALOGUE.replace("DECISIONS", decisions).replace("CONTROL", control))
    installation.connect("portal_drop", installation.drop.as_uri())
    return installation


def taken(portal: Installation) -> list[tuple]:
    return portal.rows(portal.batches("portal")[-1], "app_id, visitors_count")


@pytest.mark.parametrize(
    ("decisions", "content", "said"),
    [
        ("other_encoding: warn", GOOD.encode("gb18030"), "编码不是约定的编码: u_20221031.csv is gb18030, not utf-8"),
        ("other_encoding: warn", GOOD.encode("utf-16"), "is utf-16, not utf-8"),
        ("other_delimiter: warn", GOOD.replace(",", ";").encode(), "is parted by ';', not ','"),
        ("repeated_heading: warn", GOOD.replace("日期\n", "日期,访客数\n").replace("-31\n", "-31,9\n").encode(),
         "the first of them counts"),
    ],
)  # fmt: skip
def test_what_a_source_warns_about_is_read_as_it_really_is(
    installation: Installation, decisions: str, content: bytes, said: str
) -> None:
    portal = decided(installation, decisions)
    portal.put(NAME, content)
    assert said in only(portal.ingest_well("portal"), "warning").message
    assert taken(portal) == [("A1", "5"), ("A2", "6")]
    again = decided(installation, decisions.replace("warn", "refuse"))
    again.put("u_20221101.csv", content)
    assert only(again.ingest("portal"), "failed").detail["problem"] == decisions.split(":")[0]


def test_mixed_encodings_are_held_back_line_by_line_when_the_catalogue_says_so(installation: Installation) -> None:
    portal = decided(installation, "undecodable_bytes: quarantine")
    lines = [f"A{number},5,2022-10-31\n".encode() for number in range(20)]
    portal.put(NAME, HEADER.encode() + b"".join(lines) + "甲乙,5,2022-10-31\n".encode("gb18030"))
    portal.ingest_well("portal")
    extra = [row for row in portal.rows(portal.batches("portal")[-1], "_extra, _row_number") if row[0]]
    assert [number for _, number in extra] == [21]
    assert json.loads(extra[0][0])["line"] == 22
    assert "not utf-8" in json.loads(extra[0][0])["why"]


def test_a_ragged_row_refuses_the_batch_when_the_catalogue_says_so(installation: Installation) -> None:
    portal = decided(installation, "ragged_rows: refuse")
    portal.put(NAME, GOOD + "A3,7,2022-10-31,more\n")
    failed = only(portal.ingest("portal"), "failed")
    assert "u_20221031.csv, line 4: 4 fields instead of 3" in failed.message
    assert portal.batches("portal") == []


def test_a_file_without_rows_or_control_file_is_taken_with_a_warning(installation: Installation) -> None:
    portal = decided(installation, "no_rows: warn, control_file_missing: warn", ", control_suffix: .ctl")
    portal.put(NAME, HEADER)
    said = only(portal.ingest_well("portal"), "warning").message
    assert "u_20221031.csv.ctl is not there" in said
    assert "holds a header and no row" in said


def test_an_unreadable_control_file_is_left_aside_with_a_warning(installation: Installation) -> None:
    portal = decided(installation, "control_file_unreadable: warn", ", control_suffix: .ctl")
    portal.put(NAME, GOOD)
    (portal.drop / f"{NAME}.ctl").write_text("done", encoding="utf-8")
    assert "The control file u_20221031.csv.ctl says 'done'" in only(portal.ingest_well("portal"), "warning").message


def test_a_column_of_another_type_refuses_the_batch_when_the_catalogue_says_so(installation: Installation) -> None:
    portal = decided(installation, "changed_type: refuse")
    portal.put(NAME, HEADER + "A1,many,2022-10-31\nA2,few,2022-10-31\n")
    failed = only(portal.ingest("portal"), "failed")
    assert "none of the 2 values of 访客数 (→ visitors_count) is integer" in failed.message
    portal.put(NAME, HEADER + "A1,many,2022-10-31\nA2,7,2022-10-31\n")
    portal.ingest_well("portal")


def test_the_same_bytes_for_another_day_are_said_or_refused(installation: Installation) -> None:
    portal = decided(installation, "same_file_again: warn")
    portal.put(NAME, GOOD)
    portal.ingest_well("portal")
    portal.put("u_20221101.csv", GOOD)
    assert (
        "byte for byte what portal.usage.20221031.r001 holds" in only(portal.ingest_well("portal"), "warning").message
    )
    strict = decided(installation, "same_file_again: refuse")
    strict.put("u_20221102.csv", GOOD)
    assert only(strict.ingest("portal"), "failed").detail["problem"] == "same_file_again"


def test_a_decision_that_cannot_be_is_refused_with_line_and_choices(installation: Installation) -> None:
    decided(installation, "unclosed_quote: warn")
    with pytest.raises(ConfigurationError, match="unclosed_quote"):
        _ = installation.catalogue
    decided(installation, "endless_paging: refuse")
    with pytest.raises(ConfigurationError, match="cannot be wrong with connector delimited, but with http"):
        _ = installation.catalogue


BOOK = """\
version: 1
sources:
  finance:
    connector: workbook
    connection: finance_drop
    defaults: {delivery: partition, decisions: {DECISIONS}}
    entities:
      spending:
        files: {pattern: 'z_(?P<business_date>\\d{8})\\.xlsx'}
        workbook: {sheet: 0, header_contains: [凭证号, 金额], skip_rows: ['^合计'], total_row: '^合计'}
        natural_key: [voucher]
        columns:
          voucher: {from: 凭证号, type: text, required: true}
          spent_cny: {from: 金额, type: decimal}
"""


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("other_sheet", "the table stands on sheet '明细'"),
        ("total_row_differs", "row 4 says 99, the rows add up to 3"),
        ("formula_without_value", "1 cells hold a formula without its value (B3)"),
        ("merged_cells", "金额, rows 2 to 3"),
    ],
)
def test_a_workbook_is_read_with_a_warning_or_refused_as_its_source_says(
    installation: Installation, problem: str, said: str
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "明细"
    for row in (["凭证号", "金额"], ["P1", 1], ["P2", 2], ["合计", 99 if problem == "total_row_differs" else 3]):
        sheet.append(row)
    if problem == "other_sheet":
        book.create_sheet("封面", 0)
    if problem == "formula_without_value":
        sheet["B3"], sheet["B4"] = "=1+1", None
    if problem == "merged_cells":
        sheet["B4"] = None
        sheet.merge_cells("B2:B3")
    book.save(installation.drop / "z_20221031.xlsx")
    installation.connect("finance_drop", installation.drop.as_uri())
    installation.write_catalogue(BOOK.replace("DECISIONS", f"{problem}: refuse"))
    failed = only(installation.ingest("finance"), "failed")
    assert said in failed.message
    assert failed.detail["problem"] == problem
    installation.write_catalogue(BOOK.replace("DECISIONS", f"{problem}: warn"))
    assert said in only(installation.ingest_well("finance"), "warning").message
    assert installation.batches("finance")[-1].row_count == 2

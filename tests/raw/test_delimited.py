"""Delimited files: encodings, headers, malformed lines, control files, wide columns; what is refused and why."""

from __future__ import annotations

import gzip
import json
import os
import time

import pytest

from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        files: {pattern: 'u_(?P<business_date>\\d{8})(?:_(?P<part>\\d))?\\.csv(\\.gz)?'CONTROL}
        FORMAT
        natural_key: [app_id, usage_on]
        columns:
          app_id: {from: 应用编码, type: text, required: true}
          visitors_count: {from: 访客数, type: integer}
          usage_on: {from: $business_date, type: date}
"""
HEADER = "应用编码,访客数\n"


@pytest.fixture
def portal(installation: Installation) -> Installation:
    return with_format(installation)


def with_format(installation: Installation, format_line: str = "", control: str = "") -> Installation:
    installation.write_catalogue(CATALOGUE.replace("FORMAT", format_line).replace("CONTROL", control))
    installation.connect("portal_drop", installation.drop.as_uri())
    return installation


def values(portal: Installation) -> list[tuple]:
    return portal.rows(portal.batches("portal")[-1], "app_id, visitors_count, usage_on, _row_number")


def test_fields_of_the_file_name_become_columns_and_blanks_become_null(portal: Installation) -> None:
    portal.put("u_20221031.csv", HEADER + "A1,0\nA2,\nA3,-\n")
    portal.ingest_well("portal")
    assert values(portal) == [
        ("A1", "0", "20221031", 1), ("A2", None, "20221031", 2), ("A3", "-", "20221031", 3)
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "big5"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_encoding_gives_the_same_rows(installation: Installation, encoding: str, suffix: str) -> None:
    compression = ", compression: gzip" if suffix else ""
    portal = with_format(installation, f"format: {{encoding: {encoding}{compression}}}")
    header = "應用編碼,訪客數" if encoding == "big5" else "应用编码,访客数"
    portal.put(f"u_20221031.csv{suffix}", f"{header}\nA一,3\n", encoding=encoding)
    if encoding == "big5":
        text = portal.settings.catalogue_paths[0].read_text("utf-8")
        portal.write_catalogue(text.replace("应用编码", "應用編碼").replace("访客数", "訪客數"))
    portal.ingest_well("portal")
    assert values(portal) == [("A一", "3", "20221031", 1)]


def test_a_file_in_another_encoding_is_refused_with_the_one_that_fits(portal: Installation) -> None:
    portal.put("u_20221031.csv", HEADER + "应用,3\n", encoding="gb18030")
    portal.put("u_20221030.csv", HEADER + "A1,3\n")
    outcomes = portal.ingest("portal")
    failed = only(outcomes, "failed")
    assert "not written in utf-8: byte 2 (0xd3)" in failed.message
    assert "can be read as gb18030" in failed.message
    assert [batch.partition for batch in portal.batches("portal")] == ["20221030"]


def test_the_position_of_a_wrong_byte_is_counted_over_the_whole_file(portal: Installation) -> None:
    start = (HEADER + "A1,3\n" * 400_000).encode()
    portal.put("u_20221031.csv", start + b"A\xff,3\n")
    assert only(portal.ingest("portal"), "failed").detail["byte_offset"] == len(start) + 1


def test_a_gzip_that_was_cut_off_is_refused(installation: Installation) -> None:
    portal = with_format(installation, "format: {compression: gzip}")
    whole = gzip.compress((HEADER + "".join(f"A{n},{n * n}\n" for n in range(5000))).encode())
    portal.put("u_20221031.csv.gz", whole[: len(whole) // 2])
    assert "no whole gzip file" in only(portal.ingest("portal"), "failed").message


def test_a_plain_file_where_gzip_is_agreed_is_refused(installation: Installation) -> None:
    portal = with_format(installation, "format: {compression: gzip}")
    (portal.drop / "u_20221031.csv.gz").write_text(HEADER + "A1,1\n", "utf-8")
    assert "is no gzip file" in only(portal.ingest("portal"), "failed").message


@pytest.mark.parametrize(
    ("content", "problem"),
    [("", "empty (0 bytes)"), ("\n\n", "no header line"), (HEADER, "a header and no row")],
)
def test_an_empty_file_is_refused(portal: Installation, content: str, problem: str) -> None:
    portal.put("u_20221031.csv", content)
    assert problem in only(portal.ingest("portal"), "failed").message
    assert portal.batches("portal") == []


def test_headers_with_line_breaks_repeats_and_gaps_get_names(portal: Installation) -> None:
    portal.put("u_20221031.csv", '应用编码,,"访客\n数",备注,备注\r\nA1,x,7,n1,n2\r\nA2,y,8,"n\n3",\r\n')
    text = portal.settings.catalogue_paths[0].read_text("utf-8")
    portal.write_catalogue(text.replace("from: 访客数", "from: 访客 数"))
    portal.ingest_well("portal")
    (batch,) = portal.batches("portal")
    rows = portal.rows(batch, "app_id, visitors_count, _extra")
    assert [row[:2] for row in rows] == [("A1", "7"), ("A2", "8")]
    assert json.loads(rows[1][2]) == {"column_2": "y", "备注": "n\n3", "备注_2": None}


def test_a_renamed_column_is_refused_and_the_new_name_is_named(portal: Installation) -> None:
    portal.put("u_20221031.csv", "应用编码,访客数量\nA1,3\n")
    failed = only(portal.ingest("portal"), "failed")
    assert "lacks the column 访客数 (→ visitors_count), perhaps renamed to 访客数量" in failed.message
    assert "from: 访客数量" in failed.remedy
    portal.write_catalogue(
        portal.settings.catalogue_paths[0].read_text("utf-8").replace("from: 访客数", "from: 访客数量")
    )
    portal.ingest_well("portal")
    assert values(portal) == [("A1", "3", "20221031", 1)]


def test_a_missing_column_may_be_tolerated_by_the_catalogue_but_a_required_one_never(
    installation: Installation,
) -> None:
    portal = with_format(installation, "on_missing_column: warn")
    portal.put("u_20221031.csv", "应用编码\nA1\n")
    assert "访客数" in only(portal.ingest_well("portal"), "warning").message
    portal.put("u_20221030.csv", "访客数\n1\n")
    assert "应用编码" in only(portal.ingest("portal"), "failed").message


def test_an_optional_column_may_be_left_out_though_others_may_not(portal: Installation) -> None:
    text = portal.settings.catalogue_paths[0].read_text("utf-8")
    portal.write_catalogue(text.replace("{from: 访客数,", "{from: 访客数, optional: true,"))
    portal.put("u_20221031.csv", "应用编码\nA1\n")
    portal.ingest_well("portal")
    assert values(portal) == [("A1", None, "20221031", 1)]
    portal.put("u_20221030.csv", "访客数\n1\n")
    assert "应用编码" in only(portal.ingest("portal"), "failed").message


def test_a_wrong_delimiter_is_named(portal: Installation) -> None:
    portal.put("u_20221031.csv", "应用编码;访客数\nA1;3\n")
    failed = only(portal.ingest("portal"), "failed")
    assert "seems to be parted by ';'" in failed.message


def test_a_line_of_another_width_is_kept_with_its_number_and_the_others_stay(portal: Installation) -> None:
    lines = [f"A{n},{n}" for n in range(1, 31)]
    lines[9] = "A10,10,surplus"
    portal.put("u_20221031.csv", HEADER + "\n".join(lines) + "\n")
    outcomes = portal.ingest_well("portal")
    assert only(outcomes, "warning").detail["malformed_records"] == {"u_20221031.csv": [10]}
    rows = portal.rows(portal.batches("portal")[0], "app_id, _row_number, _extra")
    assert len(rows) == 30
    assert rows[9][:2] == (None, 10)
    assert json.loads(rows[9][2])["_malformed"] == ["A10", "10", "surplus"]
    assert rows[29][:2] == ("A30", 30)


def test_a_file_that_is_mostly_malformed_is_refused(portal: Installation) -> None:
    portal.put("u_20221031.csv", HEADER + "A1,1\nA2\nA3\nA4,4,4\n")
    failed = only(portal.ingest("portal"), "failed")
    assert "3 of 4 records" in failed.message
    assert "record 2" in failed.message


def test_a_file_without_its_control_file_waits_and_is_taken_when_it_comes(installation: Installation) -> None:
    portal = with_format(installation, control=", control_suffix: .ctl")
    path = portal.put("u_20221031.csv", HEADER + "A1,1\n")
    assert "waits for its control file" in only(portal.ingest("portal"), "skipped").message
    portal.put(path.name, HEADER + "A1,1\n", control=True)
    portal.ingest_well("portal")
    assert portal.batches("portal")[0].control_total == 1


def test_a_control_file_that_does_not_match_refuses_the_file(installation: Installation) -> None:
    portal = with_format(installation, control=", control_suffix: .ctl")
    path = portal.put("u_20221031.csv", HEADER + "A1,1\n", control=True)
    digest = (portal.drop / "u_20221031.csv.ctl").read_text().split("sha256=")[1].strip()
    portal.control(path.name, 2, digest)
    assert "holds 1 rows; the source says 2" in only(portal.ingest("portal"), "failed").message
    portal.control(path.name, 1, "0" * 64)
    assert "SHA-256" in only(portal.ingest("portal"), "failed").message
    (portal.drop / "u_20221031.csv.ctl").write_text("nonsense")
    assert "must have lines rows=" in only(portal.ingest("portal"), "failed").message
    assert portal.batches("portal") == []
    portal.control(path.name, 1, digest)
    portal.ingest_well("portal")


def test_a_day_that_really_has_no_rows_is_said_by_its_control_file(installation: Installation) -> None:
    portal = with_format(installation, control=", control_suffix: .ctl")
    portal.put("u_20221031.csv", HEADER, control=True)
    portal.ingest_well("portal")
    assert portal.batches("portal")[0].row_count == 0


def test_a_file_that_is_still_changing_waits(installation: Installation) -> None:
    portal = with_format(installation, control=", settle_seconds: 60")
    path = portal.put("u_20221031.csv", HEADER + "A1,1\n")
    assert "taken when it has not changed for 60 s" in only(portal.ingest("portal"), "skipped").message
    os.utime(path, (time.time() - 120, time.time() - 120))
    portal.ingest_well("portal")


def test_files_of_a_later_day_wait_when_a_day_is_asked_for(portal: Installation) -> None:
    import datetime as dt

    portal.put("u_20221030.csv", HEADER + "A1,1\n")
    portal.put("u_20221031.csv", HEADER + "A1,1\n")
    portal.ingest_well("portal", as_of=dt.date(2022, 10, 30))
    assert [batch.partition for batch in portal.batches("portal")] == ["20221030"]
    portal.ingest_well("portal", as_of=dt.date(2022, 10, 31))
    assert len(portal.batches("portal")) == 2


def test_parts_of_one_day_make_one_batch_and_a_late_part_a_new_revision(portal: Installation) -> None:
    portal.put("u_20221031_1.csv", HEADER + "A1,1\n")
    portal.put("u_20221031_2.csv", HEADER + "A2,2\n")
    portal.ingest_well("portal")
    assert [batch.row_count for batch in portal.batches("portal")] == [2]
    portal.put("u_20221031_3.csv", "访客数,应用编码\n3,A3\n")
    portal.ingest_well("portal")
    newest = portal.batches("portal")[-1]
    assert (newest.revision, newest.row_count) == (2, 3)
    assert portal.rows(newest, "app_id, visitors_count")[-1] == ("A3", "3")
    assert [file.rows for file in newest.manifest().files] == [1, 1, 1]


def test_an_impossible_date_in_the_file_name_is_refused(portal: Installation) -> None:
    portal.put("u_20221331.csv", HEADER + "A1,1\n")
    assert "'20221331' in the file name is no date" in only(portal.ingest("portal"), "failed").message


def test_a_folder_in_which_nothing_matches_says_what_lies_there(portal: Installation) -> None:
    portal.put("usage.csv", HEADER)
    assert "for instance usage.csv" in only(portal.ingest("portal"), "skipped").message


def test_wide_columns_become_rows_and_a_dash_a_blank_and_a_zero_stay_three_things(installation: Installation) -> None:
    installation.write_catalogue("""\
version: 1
sources:
  services:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition, on_new_column: keep}
    entities:
      quarter:
        files: {pattern: 'services_(?P<edition>\\w+)\\.csv'}
        partition_by: [edition]
        unpivot: {columns: '(?P<quarter>\\d{4}-Q\\d) (?P<measure>.+)'}
        natural_key: [service_id, quarter]
        columns:
          service_id: {from: Slug, type: text}
          quarter: {from: $quarter, type: text}
          total_count: {from: Vol., type: integer}
          digital_count: {from: Digital vol., type: integer}
""")
    installation.connect("portal_drop", installation.drop.as_uri())
    installation.put(
        "services_a.csv", 'Slug,2012-Q4 Vol.,"2012-Q4\nDigital vol.",2013-Q1 Vol.,Note\none,"1,200",-,0,n\ntwo,,5,7,\n'
    )
    installation.ingest_well("services")
    (batch,) = installation.batches("services")
    assert batch.partition == "a"
    assert set(installation.rows(batch, "service_id, quarter, total_count, digital_count, _row_number")) == {
        ("one", "2012-Q4", "1,200", "-", 1), ("one", "2013-Q1", "0", None, 1),
        ("two", "2012-Q4", None, "5", 2), ("two", "2013-Q1", "7", None, 2),
    }  # fmt: skip
    assert batch.row_count == 4
    assert batch.manifest().files[0].rows == 2

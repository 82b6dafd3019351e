"""Files that do harm: refused with a reason, in bounded memory, and whatever lies beside them is taken."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oneledger.outcomes import Outcome
from tests.security import bombs
from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  office:
    connector: workbook
    connection: office_drop
    defaults: {delivery: partition}
    entities:
      project:
        files: {pattern: '(?P<name>[a-z_]+)\\.xlsx', max_file_bytes: 30000000}
        workbook: {sheet: 0, header_contains: [编号, 名称]}
        partition_by: [name]
        natural_key: [project_id]
        columns:
          project_id: {from: 编号, type: text, required: true}
          project_name: {from: 名称, type: text}
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        files: {pattern: '(?s:u_.*\\.csv\\.gz)', control_suffix: .ctl, max_file_bytes: 2000000}
        decisions: {control_file_missing: warn}
        format: {compression: gzip}
        natural_key: [app_id]
        columns:
          app_id: {from: app, type: text, required: true}
"""
MOST_MEMORY_MIB = 400


@pytest.fixture
def office(installation: Installation) -> Installation:
    installation.write_catalogue(CATALOGUE)
    for source in ("office", "portal"):
        installation.connect(f"{source}_drop", installation.drop.as_uri())
    return installation


def refused(outcomes: list[Outcome], problem: str) -> Outcome:
    outcome = only(outcomes, "failed")
    assert outcome.detail["problem"] == problem, outcome.message
    assert outcome.remedy
    return outcome


def cells(count: int) -> str:
    return bombs.sheet_of(
        bombs.HEADER_ROW
        + "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(2, count + 2))
    )


def one_text(length: int) -> str:
    return (
        f'{bombs.HEAD}<sst xmlns="{bombs.MAIN}" count="1" uniqueCount="1"><si><t>{"长" * (length // 3)}</t></si></sst>'
    )


def far_apart(padding: int) -> str:
    far = f'<row r="1048576"><c{" " * padding} r="XFD1048576"><v>1</v></c></row>'
    return bombs.sheet_of(bombs.HEADER_ROW + far)


def far_apart_in_two_places(between: int, far_row: str) -> str:
    wide = '<row r="2"><c r="XFD2"><v>1</v></c></row>'
    return bombs.sheet_of(bombs.HEADER_ROW + wide + " " * between + far_row)


# What is written into the workbook, and which decision speaks of it with which words.
WORKBOOKS: dict[str, tuple[dict[str, str | bytes], str, str]] = {
    "a sheet of nothing": ({bombs.SHEET: bytes(80 * bombs.MIB)}, "too_large", "200 times its"),
    "pictures of nothing": ({"xl/media/image1.png": bytes(80 * bombs.MIB)}, "too_large", "as only a zip bomb does"),
    "two cells far apart": ({bombs.SHEET: far_apart(0)}, "too_large", "the sheet claims 1,048,576 × 16,384"),
    "cells hidden by blanks": ({bombs.SHEET: far_apart(3 * bombs.MIB)}, "too_large", "the sheet claims"),
    "a wide and a high cell": (
        {bombs.SHEET: far_apart_in_two_places(
            3 * bombs.MIB, '<row r="1048576"><c r="A1048576"><v>1</v></c></row>')}, "too_large", "the sheet claims"),
    "a cell that only its row places": (
        {bombs.SHEET: far_apart_in_two_places(0, '<row r="1048576"><c><v>1</v></c></row>')},
        "too_large", "the sheet claims"),
    "one text, many cells": (
        {bombs.SHEET: cells(3000), bombs.TEXTS: one_text(bombs.MIB)}, "too_large", "bytes of text"),
    "billion laughs": ({bombs.TEXTS: bombs.billion_laughs()}, "unsafe_content", "declares a document type"),
    "an entity that reads a file": (
        {bombs.SHEET: bombs.file_reading_entity()}, "unsafe_content", "declares a document type"),
    "UTF-16 to hide an entity": (
        {bombs.TEXTS: bombs.billion_laughs().replace("UTF-8", "UTF-16").encode("utf-16")}, "unsafe_content",
        "declares a document type"),
    "very many parts": ({f"xl/media/{number}": b"" for number in range(5_001)}, "too_large", "parts"),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_that_does_harm_is_refused_and_the_one_beside_it_is_taken(office: Installation, name: str) -> None:
    parts, problem, words = WORKBOOKS[name]
    bombs.write_workbook(office.drop / "bad.xlsx", parts)
    bombs.write_workbook(office.drop / "good.xlsx", {})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    outcome = refused(office.ingest("office"), problem)
    assert words in outcome.message
    assert "攻击" in outcome.remedy
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MOST_MEMORY_MIB
    assert time.process_time() - begun < 20
    (batch,) = office.batches("office")
    assert office.rows(batch, "project_id, project_name") == [("P1", "甲")]


def test_rows_that_are_only_formatted_down_to_the_last_one_do_no_harm(office: Installation) -> None:
    formatted = '<row r="1048576" ht="20" customHeight="1"/>'
    wide = bombs.GOOD_SHEET.replace("</row></sheetData>", f'<c r="AZ2"><v>1</v></c></row>{formatted}</sheetData>')
    assert "AZ2" in wide
    bombs.write_workbook(office.drop / "good.xlsx", {bombs.SHEET: wide})
    office.ingest_well("office")


def test_an_archive_that_lies_about_its_sizes_is_counted_all_the_same(office: Installation) -> None:
    bombs.write_workbook(office.drop / "bad.xlsx", {bombs.SHEET: bytes(80 * bombs.MIB)}, hides_size_of=bombs.SHEET)
    refused(office.ingest("office"), "too_large")


def test_a_workbook_of_another_kind_is_refused_before_a_reader_opens_it(office: Installation) -> None:
    path = office.drop / "other.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    assert "saves the table as .xlsx" in refused(office.ingest("office"), "not_a_workbook").remedy
    bombs.write_workbook(path, {})
    path.write_bytes(path.read_bytes().replace(b"xl/workbook.xml", b"xl/workbook.bin"))
    assert "no xl/workbook.xml" in refused(office.ingest("office"), "not_a_workbook").message


def test_a_gzip_bomb_is_refused_without_filling_the_disk(office: Installation) -> None:
    bomb = bombs.gzip_bomb(b"app\nA1\n", 100)
    (office.drop / "u_bomb.csv.gz").write_bytes(bomb)
    office.put("u_good.csv.gz", "app\nA2\n")
    assert "as only a bomb does" in refused(office.ingest("portal"), "too_large").message
    assert [office.rows(batch, "app_id") for batch in office.batches("portal")] == [[("A2",)]]
    assert list(office.settings.scratch_dir.glob("raw-*")) == []


def test_a_file_over_the_agreed_size_is_refused_before_it_is_copied(office: Installation) -> None:
    with (office.drop / "u_big.csv.gz").open("wb") as stream:
        stream.truncate(3_000_000)
    assert "`files.max_file_bytes`" in refused(office.ingest("portal"), "too_large").message


def test_a_header_of_thousands_of_columns_is_refused(office: Installation) -> None:
    office.put("u_wide.csv.gz", ",".join(["app"] * 5_000) + "\n" + "," * 4_999 + "\n")
    assert "has 5,000 columns" in refused(office.ingest("portal"), "too_large").message


def test_blank_lines_without_number_above_the_header_are_passed_over(office: Installation) -> None:
    office.put("u_blank.csv.gz", "\n \r\n" * 20_000 + "app\nA1\n")
    office.ingest_well("portal")


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _pipe(path: Path, secret: Path) -> None:
    path.symlink_to(secret.parent / "pipe")


@pytest.mark.parametrize("name", ["u_x.csv.gz", "u_x.csv.gz.ctl", "u_x.csv.gz.reason.json"])
@pytest.mark.parametrize("put", [_link, _pipe])
def test_nothing_that_a_link_or_a_pipe_leads_to_is_read(
    office: Installation, tmp_path: Path, name: str, put: Callable[[Path, Path], None]
) -> None:
    secret = tmp_path / "secret.csv.gz"
    secret.write_bytes(b"app\nTOPSECRET\n")
    os.mkfifo(tmp_path / "pipe")
    if name != "u_x.csv.gz":
        office.put("u_x.csv.gz", "app\nA1\n")
    put(office.drop / name, secret)
    outcome = refused(office.ingest("portal"), "unsafe_content")
    assert "a symbolic link" in outcome.message
    assert office.batches("portal") == []
    assert b"TOPSECRET" not in b"".join(one.read_bytes() for one in office.settings.home.rglob("*") if one.is_file())


@pytest.mark.parametrize("suffix", [".ctl", ".reason.json"])
def test_a_pipe_beside_a_delivery_does_not_hold_the_night_up(office: Installation, suffix: str) -> None:
    office.put("u_x.csv.gz", "app\nA1\n")
    os.mkfifo(office.drop / f"u_x.csv.gz{suffix}")
    assert "no plain file" in refused(office.ingest("portal"), "unsafe_content").message


@pytest.mark.parametrize(
    "name", ["u_line\nbreak.csv.gz", "u_\x1b[31m.csv.gz", "u_\u202egnp.csv.gz", "u_\udcff.csv.gz"], ids=ascii
)
def test_a_file_name_that_cannot_be_shown_is_refused_and_others_are_taken(office: Installation, name: str) -> None:
    office.put(name, "app\nA1\n")
    office.put("u_good.csv.gz", "app\nA2\n")
    outcome = refused(office.ingest("portal"), "unsafe_content")
    assert outcome.message.isprintable()
    assert [office.rows(batch, "app_id") for batch in office.batches("portal")] == [[("A2",)]]


@pytest.mark.parametrize(
    "name",
    ["u_it's \"quoted\"; drop table x;--.csv.gz", "u_{{7*7}}<script>.csv.gz", "u_应用 🚌.csv.gz",
     "u_" + "长" * 80 + ".csv.gz", "u_..%2f..%2fetc.csv.gz", "u_CON.csv.gz"],
)  # fmt: skip
def test_an_odd_file_name_lands_under_that_very_name(office: Installation, name: str) -> None:
    office.put(name, "app\nA1\n")
    office.ingest_well("portal")
    (batch,) = office.batches("portal")
    assert [file.name for file in batch.manifest().files] == [name]
    assert (batch.path / name).read_bytes() == (office.drop / name).read_bytes()
    assert office.rows(batch, "app_id, _file_id") == [("A1", f"{batch.batch_id}/{name}")]

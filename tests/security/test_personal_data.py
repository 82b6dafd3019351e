"""Personal data stops at the door: found wherever it stands, told without its value, and our own ids are not taken
for it."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from pathlib import Path

import duckdb
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oneledger.quality.personal_data import KINDS, Kind, holds, masked
from tests.sources.api_server import Api
from tests.sources.installation import Installation, only

PERSON, MOBILE, CARD, MAIL = "330502199003074513", "13812345678", "6222020200112233446", "wang.min@example.com"
DATA: dict[Kind, str] = {
    "identity_number": PERSON, "mobile_number": MOBILE, "bank_card": CARD, "e_mail": MAIL
}  # fmt: skip
CATALOGUE = """\
version: 1
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition, decisions: {personal_data: DECISION}}
    entities:
      usage:
        files: {pattern: 'u_(?P<business_date>\\d{8})\\.csv(\\.gz)?'}
        natural_key: [app_id]
        on_new_column: keep
        columns:
          app_id: {from: app, type: text, required: true}
          remark: {from: remark, type: text}
          phone: {from: phone, type: text, optional: true, personal_data: allowed}
  office:
    connector: workbook
    connection: portal_drop
    defaults: {delivery: partition, decisions: {personal_data: DECISION}}
    entities:
      project:
        files: {pattern: 'p_(?P<business_date>\\d{8})\\.xlsx'}
        workbook: {header_contains: [编号, 备注], stop_at: ['^注']}
        natural_key: [project_id]
        columns:
          project_id: {from: 编号, type: text, required: true}
          remark: {from: 备注, type: text}
  irs:
    connector: http
    connection: irs_api
    http: {as_of: asOf, total: total, attempts: 1}
    defaults: {delivery: full, decisions: {personal_data: DECISION}}
    entities:
      app:
        path: /v1/apps
        natural_key: [app_id]
        columns:
          app_id: {from: appId, type: text, required: true}
          app_name: {from: name, type: text}
"""


@pytest.fixture
def portal(installation: Installation, api: Api) -> Installation:
    decide(installation, "refuse")
    installation.connect("portal_drop", installation.drop.as_uri())
    installation.connect("irs_api", api.uri)
    return installation


def decide(installation: Installation, decision: str) -> None:
    installation.write_catalogue(CATALOGUE.replace("DECISION", decision))


def files_with(installation: Installation, text: str) -> list[Path]:
    return [one for one in installation.settings.home.rglob("*") if one.is_file() and text.encode() in one.read_bytes()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_with_personal_data_is_refused_and_its_value_stands_nowhere(
    portal: Installation, kind: Kind
) -> None:
    portal.put("u_20221001.csv", f"app,remark\nA1,fine\nA2,联系人 {DATA[kind]} 转\n")
    portal.put("u_20221002.csv", "app,remark\nA1,fine\n")
    failed = only(portal.ingest("portal"), "failed")
    assert failed.detail["problem"] == "personal_data"
    assert failed.detail["found"] == [{"column": "remark", "kind": kind, "rows": 1}]
    assert "u_20221001.csv row 2" in failed.message
    assert "含个人信息" in failed.message
    assert DATA[kind] not in json.dumps(failed.to_json(), ensure_ascii=False)
    assert files_with(portal, DATA[kind]) == []
    assert [batch.batch_id for batch in portal.batches("portal")] == ["portal.usage.20221002.r001"]


def test_it_is_found_in_columns_that_nobody_agreed_and_in_records_that_cannot_be_read(portal: Installation) -> None:
    portal.put("u_20221001.csv", f"app,remark,applicant\nA1,fine,{PERSON}\n")
    portal.put("u_20221002.csv", "app,remark\n" + "A,b\n" * 20 + f"A2,fine,{MOBILE}\n")
    failed = [one for one in portal.ingest("portal") if one.verdict == "failed"]
    assert [one.detail["problem"] for one in failed] == ["personal_data"] * 2
    assert all("列外内容" in one.message for one in failed)
    assert files_with(portal, PERSON) + files_with(portal, MOBILE) == []


def test_a_measured_number_that_nobody_agreed_is_no_card_and_no_telephone(portal: Installation) -> None:
    fractions = [f"1.{CARD[:15]}{luhn_digit(CARD[:15])}", f"27.{MOBILE}"]
    portal.put(
        "u_20221001.csv", "app,remark,seconds\n" + "".join(f"A{row},x,{one}\n" for row, one in enumerate(fractions))
    )
    portal.put("u_20221002.csv", f"app,remark,seconds\nA1,x,{fractions[0]}\nA2,x,1 {MOBILE}\n")
    failed = only(portal.ingest("portal"), "failed")
    assert failed.detail["files"] == ["u_20221002.csv"]
    assert failed.detail["found"] == [
        {"column": "列外内容 beside the agreed columns", "kind": "mobile_number", "rows": 1}
    ]
    assert [batch.batch_id for batch in portal.batches("portal")] == ["portal.usage.20221001.r001"]


def test_a_column_where_it_belongs_is_not_looked_at(portal: Installation) -> None:
    portal.put("u_20221001.csv", f"app,remark,phone\nA1,fine,{MOBILE}\n")
    portal.ingest_well("portal")


def test_where_the_catalogue_masks_it_lands_with_stars_and_nothing_else_changes(portal: Installation) -> None:
    decide(portal, "mask")
    text = f'app,remark\nA1,"二〇二二, {MOBILE}"\nA2,身份证{PERSON}；{MAIL}\nA3,13812345679000\n'
    portal.put("u_20221001.csv.gz", text)
    outcomes = portal.ingest_well("portal")
    (batch,) = portal.batches("portal")
    assert [row[0] for row in portal.rows(batch, "remark")] == [
        "二〇二二, 138******78", "身份证330*************13；w***@example.com", "13812345679000"
    ]  # fmt: skip
    assert files_with(portal, PERSON) + files_with(portal, MOBILE) + files_with(portal, MAIL) == []
    (warned,) = [one for one in outcomes if one.verdict == "warning"]
    assert "masked before landing" in warned.message
    (portal.drop / "u_20221001.csv.gz").touch()
    portal.put("u_20221001.csv.gz", text)
    assert {one.verdict for one in portal.ingest("portal")} == {"unchanged"}


def test_pages_of_an_interface_are_masked_too(portal: Installation, api: Api) -> None:
    decide(portal, "mask")
    api.records = [{"appId": "A1", "name": f"预约 {MOBILE}", "updatedAt": "2022-10-01"}]
    portal.ingest_well("irs")
    (batch,) = portal.batches("irs")
    assert portal.rows(batch, "app_name") == [("预约 138******78",)]
    assert files_with(portal, MOBILE) == []


def test_a_refused_answer_of_an_interface_leaves_no_page_behind(portal: Installation, api: Api) -> None:
    api.records = [{"appId": "A1", "name": f"预约 {MOBILE}", "updatedAt": "2022-10-01"}]
    assert only(portal.ingest("irs"), "failed").detail["problem"] == "personal_data"
    assert files_with(portal, MOBILE) == []


@pytest.mark.parametrize("place", ["title", "note", "beside", "other sheet", "table"])
def test_a_workbook_is_looked_at_all_over_and_refused(portal: Installation, place: str) -> None:
    with xlsxwriter.Workbook(str(portal.drop / "p_20221001.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, f"填报人电话 {MOBILE}" if place == "title" else "填报表")
        sheet.write_row(1, 0, ["编号", "备注"])
        sheet.write_row(2, 0, ["P1", MOBILE if place == "table" else "好"])
        sheet.write_row(3, 0, ["注：", f"电话 {MOBILE}" if place == "note" else ""])
        if place == "beside":
            sheet.write(2, 5, f"王 {MOBILE}")
        other = book.add_worksheet()
        other.write(4, 4, f"电话 {MOBILE}" if place == "other sheet" else "")
    for decision in ("refuse", "mask"):
        decide(portal, decision)
        failed = only(portal.ingest("office"), "failed")
        assert failed.detail["problem"] == "personal_data", failed.message
        assert ("备注" if place == "table" else "表外内容") in failed.message.replace("remark", "备注")
    assert files_with(portal, MOBILE) == []
    assert portal.batches("office") == []


def test_by_decision_it_lands_and_waits_for_quarantine(portal: Installation) -> None:
    decide(portal, "quarantine")
    portal.put("u_20221001.csv", f"app,remark\nA1,{MOBILE}\n")
    portal.ingest_well("portal")


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def is_found(text: str, kind: Kind) -> bool:
    row = connection().execute(f"select {holds('text', kind)} from (select $text::varchar as text)", {"text": text})
    return bool((row.fetchone() or (None,))[0])


def shown(text: str) -> str:
    row = connection().execute(f"select {masked('text')} from (select $text::varchar as text)", {"text": text})
    return str((row.fetchone() or ("",))[0])


def check_sign(first: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first, weights, strict=True)) % 11]


def luhn_digit(first: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(first)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return str(-total % 10)


dates = st.dates(min_value=dt.date(1900, 1, 1), max_value=dt.date(2020, 1, 1))
identity_firsts = st.builds(
    lambda district, born, serial: f"{district}{born:%Y%m%d}{serial:03d}",
    st.integers(110000, 659999), dates, st.integers(0, 999),
)  # fmt: skip
card_firsts = st.builds(
    lambda prefix, rest: f"{prefix}{rest}", st.sampled_from(["6222", "6217", "4563", "5187"]),
    st.text("0123456789", min_size=11, max_size=11),
)  # fmt: skip
# What may stand beside a number: anything but a further digit (and, of an identity number, its X).
beside = st.text(
    st.characters(codec="utf-8", exclude_categories=["Nd", "Cs"], exclude_characters="xXｘＸ\x00"), max_size=8
)
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@settings(max_examples=60)
@given(identity_firsts, beside, beside, st.booleans())
@example("33050219900307451", "", "", False)
def test_an_identity_number_is_found_wherever_it_stands_and_only_with_its_check_digit(
    first: str, before: str, after: str, is_full_width: bool
) -> None:
    right = check_sign(first)
    number = first + right
    if is_full_width:
        number = number.translate(FULL_WIDTH)
    assert is_found(before + number + after, "identity_number")
    assert number not in shown(f"{before}{number}{after}")
    wrong = next(sign for sign in "0123456789X" if sign != right)
    assert not is_found(f"{before}{first}{wrong}{after}", "identity_number")


@settings(max_examples=60)
@given(card_firsts, beside, beside)
def test_a_bank_card_is_found_wherever_it_stands_and_only_with_its_check_digit(
    first: str, before: str, after: str
) -> None:
    right = luhn_digit(first)
    assert is_found(f"{before}{first}{right}{after}", "bank_card")
    grouped = re.sub(r"(\d{4})(?=\d)", r"\1 ", first + right)
    assert is_found(f"{before}{grouped}{after}", "bank_card")
    assert not is_found(f"{before}{first}{(int(right) + 1) % 10}{after}", "bank_card")


@settings(max_examples=60)
@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), beside, beside)
def test_a_mobile_number_is_found_wherever_it_stands(number: str, before: str, after: str) -> None:
    assert is_found(f"{before}{number}{after}", "mobile_number")
    assert number not in shown(f"{before}{number}{after}")


@pytest.mark.parametrize("sign", [",", " ", "、", "/", "\n", "-"])
def test_the_second_of_two_numbers_is_found_whatever_parts_them(sign: str) -> None:
    assert is_found(f"330502199003074511{sign}{PERSON}", "identity_number")
    assert PERSON not in shown(f"330502199003074511{sign}{PERSON}")


@pytest.mark.parametrize(
    "text",
    ["A33050000001", "XM202200123", "zheliban.usage.20221031.r001", "20221031235959123", "330500", "@all", "a@b",
     "91330500MA2B1234X7", "2022-10-31 23:59:59", "138123456789", "1234567890123456789012", "浙财预〔2022〕12号",
     "0572-2398888", "3305021990030745130", "2206-330500-04-01-123456"],
)  # fmt: skip
def test_ordinary_ids_and_numbers_are_not_taken_for_personal_data(text: str) -> None:
    assert [kind for kind in KINDS if is_found(text, kind)] == []

"""The http connector against a real server with real faults."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sources import api_server
from tests.sources.api_server import Api
from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  irs:
    connector: http
    connection: irs_api
    http: {as_of: asOf, total: total, limit: 3, attempts: 3, first_wait_seconds: 0.01, timeout_seconds: 2,
           longest_wait_seconds: 5, max_page_bytes: 20000}
    defaults: {delivery: changes, updated_at: updated_at}
    entities:
      app:
        path: /v1/apps
        natural_key: [app_id]
        columns:
          app_id: {from: appId, type: text, required: true}
          app_name: {from: name, type: text}
          is_key_app: {from: keyApp, type: boolean}
          owner_name: {from: owner.name, type: text}
          updated_at: {from: updatedAt, type: timestamp, required: true}
"""


def record(number: int, updated_at: str = "2022-10-01 08:00:00", **more: Any) -> dict[str, Any]:
    return {"appId": f"A{number:03d}", "name": f"应用{number}", "keyApp": number % 2 == 0,
            "owner": {"name": f"局{number}"}, "updatedAt": updated_at, **more}  # fmt: skip


@pytest.fixture
def api() -> Iterator[Api]:
    answered = Api([record(number) for number in range(8)])
    server = api_server.start(answered)
    yield answered
    server.shutdown()
    server.server_close()


@pytest.fixture
def irs(installation: Installation, api: Api) -> Installation:
    installation.write_catalogue(CATALOGUE)
    installation.connect("irs_api", api.uri)
    return installation


def test_every_page_lands_exactly_as_received(irs: Installation, api: Api) -> None:
    outcomes = irs.ingest_well("irs")
    (batch,) = irs.batches("irs")
    assert batch.batch_id == "irs.app.20221031.r001"
    manifest = batch.manifest()
    assert [file.name for file in manifest.files] == ["page-00001.json", "page-00002.json", "page-00003.json"]
    assert [file.rows for file in manifest.files] == [3, 3, 2]
    assert (manifest.control_total, manifest.row_count, manifest.watermark) == (8, 8, "2022-10-01 08:00:00")
    page = (batch.path / "page-00002.json").read_bytes()
    assert page == json.dumps(api.page({"cursor": "3", "limit": "3"}), ensure_ascii=False).encode()
    assert irs.rows(batch, "app_id, app_name, is_key_app, owner_name, _file_id, _row_number")[3] == (
        "A003", "应用3", "false", "局3", "irs.app.20221031.r001/page-00002.json", 1
    )  # fmt: skip
    assert [(outcome.step, outcome.verdict, outcome.received_count) for outcome in outcomes] == [
        ("extract", "good", 8), ("load_raw", "good", 8)
    ]  # fmt: skip


def test_the_token_goes_in_the_header_and_never_into_landing_or_outcomes(irs: Installation, api: Api) -> None:
    outcomes = irs.ingest_well("irs")
    assert api.requests[0][2]["Authorization"] == "Bearer s3cret token"
    everything = json.dumps([outcome.to_json() for outcome in outcomes])
    everything += "".join(path.read_text(errors="replace") for path in irs.settings.home.rglob("*.json"))
    assert "s3cret" not in everything


def test_only_changes_since_the_watermark_are_asked_for_and_a_new_day_is_a_new_batch(
    irs: Installation, api: Api
) -> None:
    irs.ingest_well("irs")
    api.records.append(record(9, "2022-11-01 09:00:00"))
    api.as_of = "2022-11-01"
    irs.ingest_well("irs")
    assert api.requests[-1][1]["updated_since"] == "2022-10-01 08:00:00"
    newest = irs.batches("irs")[-1]
    assert newest.batch_id == "irs.app.20221101.r001"
    assert newest.watermark == "2022-11-01 09:00:00"


def test_an_answer_that_brings_nothing_new_is_not_landed_again(irs: Installation, api: Api) -> None:
    irs.ingest_well("irs")
    again = irs.ingest_well("irs")
    assert only(again, "unchanged").batch_id == "irs.app.20221031.r001"
    assert len(irs.batches("irs")) == 1
    api.records[2]["name"] = "改名"
    irs.ingest_well("irs")
    assert [batch.revision for batch in irs.batches("irs")] == [1, 2]


def test_a_304_answer_means_unchanged(irs: Installation, api: Api) -> None:
    api.etags = True
    day = dt.date(2022, 10, 31)
    irs.ingest_well("irs", as_of=day)
    irs.ingest_well("irs", as_of=day)
    count = len(api.requests)
    third = irs.ingest_well("irs", as_of=day)
    assert "304" in only(third, "unchanged").message
    assert len(api.requests) == count + 1
    assert "If-None-Match" in api.requests[-1][2]


def test_a_tag_is_believed_on_its_own_day_only(irs: Installation, api: Api) -> None:
    api.etags = True
    irs.ingest_well("irs", as_of=dt.date(2022, 10, 31))
    irs.ingest_well("irs", as_of=dt.date(2022, 10, 31))
    irs.ingest_well("irs", as_of=dt.date(2022, 11, 1))
    assert "If-None-Match" not in api.requests[-1][2]


def test_a_429_is_waited_for_as_long_as_the_server_asks(irs: Installation, api: Api) -> None:
    api.fault = lambda number, query: (429, {"Retry-After": "1"}, b"") if number == 2 else None
    outcomes = irs.ingest_well("irs")
    assert outcomes[0].detail["retries"] == 1
    assert irs.batches("irs")[0].row_count == 8
    assert (outcomes[0].ended_at - outcomes[0].started_at).total_seconds() >= 1


def test_a_429_that_asks_for_too_long_is_refused_with_what_was_asked(irs: Installation, api: Api) -> None:
    api.fault = lambda number, query: (429, {"Retry-After": "3600"}, b"") if number == 2 else None
    failed = only(irs.ingest("irs"), "failed")
    assert "3600 s" in failed.message
    assert irs.batches("irs") == []


def test_a_server_that_stumbles_is_asked_again(irs: Installation, api: Api) -> None:
    api.fault = lambda number, query: (503, {}, b"busy") if number in (1, 3) else None
    irs.ingest_well("irs")
    assert irs.batches("irs")[0].row_count == 8


def test_an_html_page_with_status_200_is_no_answer(irs: Installation, api: Api) -> None:
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    api.fault = lambda number, query: (200, {"Content-Type": "text/html"}, page)
    failed = only(irs.ingest("irs"), "failed")
    assert "HTML page" in failed.message
    assert "Please log in" in failed.message
    assert failed.remedy
    assert irs.batches("irs") == []


def test_an_interrupted_answer_goes_on_from_the_last_complete_page(irs: Installation, api: Api) -> None:
    api.fault = lambda number, query: (500, {}, b"") if number >= 3 else None
    only(irs.ingest("irs"), "failed")
    asked = len(api.requests)
    api.fault = lambda number, query: None
    irs.ingest_well("irs")
    assert [query.get("cursor") for _, query, _ in api.requests[asked:]] == ["6"]
    assert irs.batches("irs")[0].row_count == 8


def test_pages_of_an_older_day_are_not_mixed_with_newer_ones(irs: Installation, api: Api) -> None:
    api.fault = lambda number, query: (500, {}, b"") if number >= 3 else None
    irs.ingest("irs")
    api.fault, api.as_of = (lambda number, query: None), "2022-11-01"
    irs.ingest_well("irs")
    (batch,) = irs.batches("irs")
    days = {json.loads((batch.path / file.name).read_bytes())["asOf"] for file in batch.manifest().files}
    assert days == {"2022-11-01"}
    assert batch.row_count == 8


def test_a_cursor_that_leads_back_is_refused(irs: Installation, api: Api) -> None:
    def circle(number: int, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        page = {"items": [record(number)], "nextCursor": "1", "asOf": "2022-10-31"}
        return 200, {"Content-Type": "application/json"}, json.dumps(page).encode()

    api.fault = circle
    failed = only(irs.ingest("irs"), "failed")
    assert "does not end" in failed.message
    assert len(api.requests) == 2
    assert irs.batches("irs") == []


def test_a_page_that_comes_twice_is_refused(irs: Installation, api: Api) -> None:
    same = json.dumps({"items": [record(1)], "asOf": "2022-10-31"}).encode()[:-1]

    def repeat(number: int, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "application/json"}, same + b', "nextCursor": "x"}'

    api.fault = repeat
    assert "same as an earlier page" in only(irs.ingest("irs"), "failed").message


def test_more_rows_than_the_total_or_fewer_are_refused(irs: Installation, api: Api) -> None:
    honest = api.page
    api.page = lambda query: {**honest(query), "total": 9}  # type: ignore[method-assign]
    failed = only(irs.ingest("irs"), "failed")
    assert "8 rows received in 3 pages" in failed.message
    assert failed.detail["total"] == 9
    api.page = lambda query: {**honest(query), "total": 4}  # type: ignore[method-assign]
    assert "does not end" in only(irs.ingest("irs"), "failed").message
    api.page = honest  # type: ignore[method-assign]
    irs.ingest_well("irs")
    assert irs.batches("irs")[0].row_count == 8


def test_a_giant_page_is_cut_off_before_it_fills_the_memory(irs: Installation, api: Api) -> None:
    body = b'{"items": [' + b" " * 10_000_000 + b"]}"
    api.fault = lambda number, query: (200, {"Content-Type": "application/json"}, body)
    failed = only(irs.ingest("irs"), "failed")
    assert "larger than 20,000 bytes" in failed.message
    partial = irs.settings.landing_dir / "irs"
    assert sum(path.stat().st_size for path in partial.rglob("*.json")) < 200_000


def test_a_wrong_token_names_the_variable(irs: Installation, api: Api) -> None:
    irs.connect("irs_api", api.uri.replace("s3cret", "wrong"))
    failed = only(irs.ingest("irs"), "failed")
    assert "401" in failed.message
    assert "AIRFLOW_CONN_IRS_API" in failed.remedy


def test_a_renamed_key_is_refused_with_its_likely_new_name(irs: Installation, api: Api) -> None:
    for entry in api.records:
        entry["appName"] = entry.pop("name")
    failed = only(irs.ingest("irs"), "failed")
    assert failed.step == "load_raw"
    assert "perhaps renamed to appName" in failed.message
    assert "sources.irs.entities.app.columns.app_name" in failed.remedy
    assert irs.batches("irs") == []


def test_a_new_key_is_kept_in_extra_and_warned_about(irs: Installation, api: Api) -> None:
    api.records[0]["colour"] = "red"
    outcomes = irs.ingest_well("irs")
    assert "colour" in only(outcomes, "warning").message
    extra = [row[0] for row in irs.rows(irs.batches("irs")[0], "_extra")]
    assert json.loads(extra[0]) == {"colour": "red"}


def test_a_change_dated_in_the_future_does_not_hide_later_changes(irs: Installation, api: Api) -> None:
    api.records.append(record(9, "2099-01-01 00:00:00"))
    outcomes = irs.ingest_well("irs")
    assert "watermark" in only(outcomes, "warning").message
    assert irs.batches("irs")[0].watermark == "2022-10-01 08:00:00"


def test_a_server_that_is_gone_is_a_failed_outcome_with_a_remedy(irs: Installation) -> None:
    irs.connect("irs_api", "http://:t@127.0.0.1:9/api")
    failed = only(irs.ingest("irs"), "failed")
    assert "3 attempts" in failed.message
    assert "AIRFLOW_CONN_IRS_API" in failed.remedy


def test_an_unset_connection_is_named(irs: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_IRS_API")
    assert "AIRFLOW_CONN_IRS_API is not set" in only(irs.ingest("irs"), "failed").message

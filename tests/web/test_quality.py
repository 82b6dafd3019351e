"""Pages of quality: what the newest nights found, and who may see the rows that were kept out."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import duckdb
import pytest
from fastapi import FastAPI

from oneledger.quality.gate_state import create_gate_table
from oneledger.quality.results import latest_results
from oneledger.quality.row_rules import DUPLICATE_RULE_ID
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.reader_copies import open_reader_copies, write_reader_copies
from tests.evaluation.story import Story, settings_of

from .conftest import ClientOf, app_over, client_of

PAGES = ("/quality", "/quality?show=all", "/quality/checks/freshness", "/quality/quarantine", "/quality/batches")
# rule, columns that are wrong, key, the record as received
KEPT_OUT = (
    ("completions_within_starts", "completions_count, starts_count", None,
     {"app_id": "A1", "app_name": "湖州停车", "starts_count": "8", "completions_count": "11", "clicks_count": None}),
    (DUPLICATE_RULE_ID, "app_id", '["A2"]', {"app_id": "A2", "visitors_count": "5"}),
    (DUPLICATE_RULE_ID, "app_id", '["A2"]', {"app_id": "A2", "visitors_count": "6"}),
)  # fmt: skip


@pytest.mark.parametrize("language", ("zh", "en"))
@pytest.mark.parametrize("address", PAGES)
def test_every_page_answers_in_both_languages(client: ClientOf, address: str, language: str) -> None:
    answer = client("viewer").get(f"{address}{'&' if '?' in address else '?'}lang={language}")
    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in answer.text


def test_the_newest_night_stands_first_with_its_version(client: ClientOf, published_version: str) -> None:
    text = client("viewer").get("/quality?lang=en").text
    nights = re.search(r'id="nights".*?</table>', text, re.DOTALL)
    assert nights
    assert published_version in nights[0].split("<tr>")[2]


def test_every_check_is_shown_with_how_many_fail(client: ClientOf, published_home: Settings) -> None:
    with open_reader_copies(published_home) as copies:
        latest = latest_results(copies.connection)
    text = client("viewer").get("/quality?show=all&lang=en").text
    shown = dict(re.findall(r'/quality/checks/(\w+)".*?<td class="number">(\d+) / \d+</td>', text, re.DOTALL))
    assert set(shown) == {one["check_id"] for one in latest}
    for check_id, failing in shown.items():
        expected = sum(1 for one in latest if one["check_id"] == check_id and not one["is_passed"])
        assert int(failing) == expected, check_id


def test_a_check_shows_found_expected_and_remedy_of_each_run(client: ClientOf, published_home: Settings) -> None:
    with open_reader_copies(published_home) as copies:
        failing = latest_results(copies.connection, only_failed=True)
    one = failing[0]
    answer = client("viewer").get(f"/quality/checks/{one['check_id']}", params={"entity": one["entity"], "lang": "en"})
    text = html.unescape(answer.text)
    for part in (one["run_id"], one["title_en"], one["remedy_en"], one["owner"]):
        assert part in text


def test_an_unknown_check_is_not_found(client: ClientOf) -> None:
    answer = client("viewer").get("/quality/checks/no_such_check")
    assert answer.status_code == 404
    assert "no_such_check" in answer.text


@pytest.fixture(scope="module")
def kept_out(story: Story, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The story's versions over a warehouse that kept rows out: one of a rule, and two that contradict each other."""
    home = tmp_path_factory.mktemp("kept_out")
    (home / "published").symlink_to(story.home / "published")
    settings = settings_of(home)
    batch_id = "zheliban.usage.20221005.r001"
    with open_warehouse(settings) as connection:
        create_control_tables(connection)
        create_gate_table(connection)
        for number, (rule_id, columns, key, record) in enumerate(KEPT_OUT, start=1):
            connection.execute(
                "insert into quarantine.row values ('20221006T020000Z-aaaaaa', 'zheliban', 'usage', ?, ?, ?, ?, '值',"
                " ?, '原因', 'the reason', '更正后重报', 'deliver again', ?, timestamp '2022-10-06 02:00:00', ?)",
                [
                    batch_id,
                    f"{batch_id}/usage_20221005.csv.gz",
                    100 + number,
                    columns,
                    rule_id,
                    json.dumps(record),
                    key,
                ],
            )
        write_reader_copies(connection, settings)
    return app_over(settings)


def test_a_viewer_sees_counts_of_quarantine_and_no_row(kept_out: FastAPI) -> None:
    text = client_of(kept_out, "viewer").get("/quality/quarantine?lang=en").text
    assert re.search(r'completions_within_starts</code></span></td><td class="number">1</td>', text)
    assert re.search(rf'{DUPLICATE_RULE_ID}</code></span></td><td class="number">2</td>', text)
    assert "need the role auditor" in text
    for part in ("bad-cell", "landing/", "湖州停车"):
        assert part not in text


def test_an_auditor_sees_the_bad_cells_and_the_landed_line(kept_out: FastAPI) -> None:
    query = {"rule": "completions_within_starts", "lang": "en"}
    text = client_of(kept_out, "auditor").get("/quality/quarantine", params=query).text
    assert text.count('<article class="panel kept-out">') == 1
    assert re.findall(r'class="bad-cell"><strong>(.*?)</strong>', text) == ["8", "11"]
    assert "湖州停车" in text and "landing/zheliban/usage/20221005/r001/usage_20221005.csv.gz" in text
    assert "record 101" in text and "deliver again" in text
    assert "oneledger quarantine export --source zheliban" in text


def test_rows_that_contradict_each_other_stand_beside_each_other(kept_out: FastAPI) -> None:
    query = {"rule": DUPLICATE_RULE_ID, "lang": "en"}
    text = client_of(kept_out, "auditor").get("/quality/quarantine", params=query).text
    assert "Conflicts with record 103" in text
    assert "<code>visitors_count</code> 5 ≠ 6" in text


def test_a_filter_that_no_row_meets_says_so(kept_out: FastAPI) -> None:
    assert "No row fits" in client_of(kept_out, "auditor").get("/quality/quarantine?source=irs&lang=en").text


def test_every_row_of_every_batch_is_accounted_for(client: ClientOf, published_home: Settings) -> None:
    path = published_home.published_dir / "current" / "batches.parquet"
    with duckdb.connect() as connection:
        batches, received = connection.execute(
            f"select count(*), sum(received_count) from read_parquet('{path}') where source = 'zheliban'"
        ).fetchall()[0]
    text = client("viewer").get("/quality/quarantine?lang=en").text
    row = re.search(r"zheliban\.usage</a></th>(.*?)</tr>", text[text.index("accounted for") :], re.DOTALL)
    assert row
    assert re.findall(r'<td class="number">([\d,]+)</td>', row[1])[:2] == [f"{batches:,}", f"{received:,}"]
    listed = client("viewer").get("/quality/batches?source=zheliban&lang=en").text
    assert f"{batches:,} in all" in listed


@pytest.mark.parametrize(
    "address",
    [
        "/quality?show=none", "/quality/checks/freshness?page=0", "/quality/checks/a%3Bb",
        "/quality/quarantine?source=a'b", "/quality/quarantine?page=x",
        "/quality/quarantine?batch=%3Cscript%3E", "/quality/batches?quarantined=no",
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_told(client: ClientOf, address: str) -> None:
    answer = client("auditor").get(address)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("address", PAGES)
def test_nobody_reads_nothing(client: ClientOf, address: str, published_version: str) -> None:
    answer = client(None).get(address)
    assert answer.status_code == 303
    assert published_version not in answer.text


def test_before_any_run_the_page_says_so_and_when_to_come_back(story: Story, tmp_path: Path) -> None:
    (tmp_path / "published").symlink_to(story.home / "published")
    answer = client_of(app_over(settings_of(tmp_path)), "viewer").get("/quality")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "oneledger run" in answer.text

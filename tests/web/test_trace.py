"""Traces in the browser: the same numbers as the library gives, for each role what it may see."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import shutil
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient

from oneledger.lineage.ground import read_models
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings
from oneledger.web.desk import Desk
from oneledger.web.reading import VersionPool

from .conftest import ClientOf, app_over, client_of

WAITING = "refresh"


def settled(asking: TestClient, path: str) -> Any:
    """The answer once it is worked out; the page asks again by itself as a browser does."""
    end = time.monotonic() + 120
    while True:
        answer = asking.get(path)
        if WAITING not in answer.headers or time.monotonic() > end:
            return answer
        time.sleep(0.3)


@pytest.fixture(scope="module")
def cell(published_home: Settings) -> str:
    """The address of a trace of one cell with lines behind it."""
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        row = reading.one(
            "select app_id, release_end, month from marts.app_usage_month"
            " where visitors_count > 0 order by visitors_count limit 1"
        )
    pool.close()
    assert row is not None
    keys = "".join(f"&key={name}%3D{value}" for name, value in row.items())
    return f"relation=marts.app_usage_month{keys}&column=visitors_count"


def test_an_auditor_reads_the_lines_and_downloads_what_was_shown(client: ClientOf, cell: str) -> None:
    page = settled(client("auditor"), f"/lineage/trace?{cell}&lang=en")
    assert page.status_code == 200
    assert "equal to the published" in page.text
    assert "recomputed, equal" in page.text
    report = json.loads(client("auditor").get(f"/lineage/trace/download.json?{cell}").text)
    line = next(line for one in report["landed"] for file in one["files"] for line in file["lines"])
    assert line["text"].split(",")[0] in page.text
    assert all("path" not in file for one in report["landed"] for file in one["files"])
    handed = client("auditor").get(f"/lineage/trace/download.html?{cell}")
    assert handed.headers["content-disposition"].startswith("attachment")
    assert "<style>" in handed.text


def test_a_viewer_sees_the_way_but_no_line_and_no_row_before_the_marts(client: ClientOf, cell: str) -> None:
    report = json.loads(
        settled(client("auditor"), f"/lineage/trace/download.json?{cell}").text
    )  # fmt: skip
    lines = [line["text"] for one in report["landed"] for file in one["files"] for line in file["lines"]]
    assert lines
    text = settled(client("viewer"), f"/lineage/trace?{cell}&lang=en").text
    assert "staging.stg_conformed__usage" in text
    assert "the rows are for auditors" in text
    assert not [line for line in lines if line in text]
    for download in ("download.json", "download.html"):
        assert client("viewer").get(f"/lineage/trace/{download}?{cell}").status_code == 403


def test_a_viewer_may_not_trace_what_is_not_published(client: ClientOf) -> None:
    path = "/lineage/trace?relation=staging.stg_irs__app&key=app_id%3DA33050000001"
    assert client("viewer").get(path).status_code == 403
    assert settled(client("auditor"), path).status_code == 200


def test_the_points_of_a_confirmed_run_say_who_confirmed_them(client: ClientOf, published_home: Settings) -> None:
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        row = reading.one("select app_id from evaluation.app_stars where stars is not null order by app_id limit 1")
    pool.close()
    assert row is not None
    words = "indicator=security&run=confirmed&lang=en"
    one = settled(client("auditor"), f"/lineage/trace?subject=points&app_id={row['app_id']}&{words}")
    other = settled(client("auditor"), f"/lineage/trace?points={row['app_id']}&{words}")
    assert one.status_code == other.status_code == 200
    assert "Confirmed by" in one.text
    assert re.findall(r'<span class="value">(.*?)</span>', one.text) == re.findall(
        r'<span class="value">(.*?)</span>', other.text
    )


def test_a_line_forwards_reaches_the_cell_that_was_traced_back_to_it(client: ClientOf, cell: str) -> None:
    report = json.loads(settled(client("auditor"), f"/lineage/trace/download.json?{cell}").text)
    file = next(file for one in report["landed"] for file in one["files"] if file["lines"])
    path = f"/lineage/trace/forward?file={file['file_id']}&line={file['lines'][0]['row_number']}&lang=en"
    answer = settled(client("auditor"), path)
    assert answer.status_code == 200
    assert "marts.app_usage_month" in answer.text
    assert client("viewer").get(path).status_code == 403


def test_a_whole_file_is_followed_through_a_model_that_unpivots(client: ClientOf) -> None:
    file = "irs.data_resource.20221031.r001/page-00001.json"
    answer = settled(client("auditor"), f"/lineage/trace/forward?file={file}&lang=en")
    assert answer.status_code == 200
    assert "marts.department_data_capability" in answer.text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/lineage/trace?star=A1&figure=x", 422, "one thing at a time"),
        ("/lineage/trace?points=A33050000001", 422, "indicator"),
        ("/lineage/trace?figure=no_such_figure", 404, "no_such_figure"),
        ("/lineage/trace?star=%3Cscript%3E", 422, "star"),
        ("/lineage/trace?relation=marts.app_usage_month&key=app_id", 422, "column=value"),
        ("/lineage/trace?relation=marts.app_usage_month&key=nothing%3D1", 404, "nothing"),
        ("/lineage/trace?relation=marts.no_such_table", 404, "marts.no_such_table"),
        ("/lineage/trace?share=XM1&year=20", 422, "year"),
        ("/lineage/trace?star=A33050000001&run=no-such-run", 404, "no-such-run"),
        ("/lineage/trace?star=A33050000001&lines=0", 422, "lines"),
        ("/lineage/trace/download.json", 422, "star"),
        ("/lineage/trace/forward?file=../../etc/passwd", 422, "file"),
        ("/lineage/trace/forward?file=/etc/passwd", 422, "file"),
        ("/lineage/trace/forward?file=no_such_file.csv", 404, "no_such_file.csv"),
        ("/lineage/trace/forward?file=x&line=0", 422, "line"),
        ("/lineage/batches/nothing.of.this.r001", 404, "nothing.of.this.r001"),
        ("/lineage/batches/not-a-batch", 422, "batch_id"),
        ("/lineage/batches?page=0", 422, "page"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(client: ClientOf, path: str, status: int, says: str) -> None:
    answer = settled(client("auditor"), path)
    assert answer.status_code == status
    assert says in answer.text
    assert "Traceback" not in answer.text


def test_an_error_does_not_say_where_the_installation_lies(client: ClientOf, published_home: Settings) -> None:
    answer = client("auditor").get("/lineage/trace/forward?file=no_such_file.csv")
    assert str(published_home.home) not in answer.text


def test_a_batch_adds_up_and_stands_in_its_chain_and_under_its_seal(client: ClientOf, published_home: Settings) -> None:
    listed = client("viewer").get("/lineage/batches?source=zheliban&lang=en").text
    batch_id = re.search(r"/lineage/batches/(zheliban\.usage\.\w+\.r\d+)", listed)
    assert batch_id is not None
    text = client("viewer").get(f"/lineage/batches/{batch_id[1]}?lang=en").text
    assert re.search(r"received [\d,]+ = accepted [\d,]+ \+ quarantined \d+ \+ superseded \d+", text)
    assert "linked" in text
    assert "as sealed" in text
    assert "do not add up" not in text


def test_a_file_that_was_changed_after_it_was_received_is_said_to_be(published_home: Settings, tmp_path: Path) -> None:
    for name in ("published", "seals", "evaluations", "lineage"):
        (tmp_path / name).symlink_to(published_home.home / name)
    shutil.copytree(published_home.landing_dir / "project_library", tmp_path / "landing" / "project_library")
    asking = client_of(app_over(dataclasses.replace(published_home, home=tmp_path)), "viewer")
    listed = asking.get("/lineage/batches?source=project_library&lang=en").text
    found = re.search(r"/lineage/batches/(project_library\.(\w+)\.(\w+)\.(r\d+))", listed)
    assert found is not None
    assert "as received" in asking.get(f"/lineage/batches/{found[1]}?lang=en").text
    folder = tmp_path / "landing" / "project_library" / found[2] / found[3] / found[4]
    payload = next(path for path in folder.iterdir() if path.name != "manifest.json")
    payload.chmod(0o600)
    payload.write_bytes(payload.read_bytes() + b"\n")
    assert re.search(r"badge bad\W+changed", asking.get(f"/lineage/batches/{found[1]}?lang=en").text)


def test_a_batch_whose_seal_was_changed_is_not_called_unsealed(published_home: Settings, tmp_path: Path) -> None:
    for name in ("published", "landing", "evaluations", "lineage"):
        (tmp_path / name).symlink_to(published_home.home / name)
    shutil.copytree(published_home.seals_dir, tmp_path / "seals")
    asking = client_of(app_over(dataclasses.replace(published_home, home=tmp_path)), "viewer")
    listed = asking.get("/lineage/batches?source=project_library&lang=en").text
    found = re.search(r"/lineage/batches/(project_library\.\w+\.\w+\.r\d+)", listed)
    assert found is not None
    changed = [path for path in (tmp_path / "seals").rglob("*.json") if found[1] in path.read_text("utf-8")]
    assert changed
    for path in changed:
        path.chmod(0o600)
        path.write_text(path.read_text("utf-8") + " ", "utf-8")
    text = asking.get(f"/lineage/batches/{found[1]}?lang=en").text
    assert re.search(r"the document of seal entry [\d, ]+ was changed or is gone; run oneledger verify", text)
    assert "not sealed yet" not in text


def test_the_form_asks_for_the_key_of_the_chosen_table(client: ClientOf, published_home: Settings) -> None:
    text = client("viewer").get("/lineage/trace?relation=marts.app_usage_month&lang=en").text
    assert [name for name in ("app_id=", "release_end=", "month=") if f'value="{name}"' in text]
    columns = read_models(resolve(published_home)).relations["marts.app_usage_month"].columns
    assert all(f'<option value="{name}">' in text for name in columns)


def test_too_many_questions_at_once_wait_outside_and_a_failed_one_may_be_asked_again() -> None:
    desk = Desk()
    held: Future[None] = Future()

    async def ask(key: int) -> None:
        await desk.answer(key, lambda: held.result(), seconds=0.01)

    for number in range(40):
        asyncio.run(ask(number))
    with pytest.raises(HTTPException) as refused:
        asyncio.run(ask(99))
    assert refused.value.status_code == 503
    held.set_exception(ValueError("it failed"))
    with pytest.raises(ValueError, match="it failed"):
        asyncio.run(desk.answer(0, lambda: None, seconds=5))
    assert asyncio.run(desk.answer(0, lambda: "again", seconds=5)) == (True, "again")

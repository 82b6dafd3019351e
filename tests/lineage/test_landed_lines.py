"""The line behind a row, out of files as sources write them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from oneledger.catalogue import load_catalogue
from oneledger.lineage import landed_lines
from oneledger.lineage.landed_lines import LandedFileLines, read_landed_lines
from oneledger.lineage.physical_lines import lines_at
from oneledger.lineage.provenance import scheduled_airflow_run
from oneledger.settings import Settings, load_settings

Land = Callable[[str, str, bytes], str]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ONELEDGER_HOME", str(tmp_path))
    return load_settings()


@pytest.fixture
def land(settings: Settings) -> Land:
    """Put one file into landing as a batch; gives its file id."""

    def put(entity: str, name: str, payload: bytes) -> str:
        source, _, short = entity.partition(".")
        folder = settings.landing_dir / source / short / "20221031" / "r001"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(payload)
        file = {"name": name, "sha256": hashlib.sha256(payload).hexdigest(), "size_bytes": len(payload),
                "source_name": name, "rows": 1}  # fmt: skip
        manifest = {
            "batch_id": f"{entity}.20221031.r001", "source": source, "entity": short, "partition": "20221031",
            "revision": 1, "business_on": "2022-10-31", "delivery": "full", "files": [file], "row_count": 1,
            "control_total": None, "watermark": None, "extracted_at": "2022-11-01T00:00:00+00:00",
            "code_version": "0", "catalogue_hash": "0", "previous_manifest_sha256": None,
        }  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return f"{entity}.20221031.r001/{name}"

    return put


def read(settings: Settings, file_id: str, *numbers: int) -> LandedFileLines:
    found = read_landed_lines(settings, load_catalogue(settings), file_id, numbers)
    assert found is not None
    return found


def test_a_record_with_a_quoted_line_break_spans_two_lines_and_the_next_begins_after_it(
    settings: Settings, land: Land
) -> None:
    text = '应用编码,应用名称\nA1,一\n\nA2,"二\n二"\nA3,三\n'
    file_id = land("zheliban.usage", "usage.csv.gz", gzip.compress(text.encode("utf-8-sig")))
    second, third = read(settings, file_id, 2, 3).lines
    assert (second.first_line, second.last_line, second.text) == (4, 5, 'A2,"二\n二"')
    assert second.cells == {"应用编码": "A2", "应用名称": "二\n二"}
    assert (third.first_line, third.text) == (6, "A3,三")


cells = st.one_of(
    st.sampled_from(["", "湖州", 'a"b', '"', "一\n二", "\u2028", "\x0b", "1,2", " "]), st.text("ab1湖", max_size=4)
)


@given(
    records=st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=8),
    is_written_by_a_library=st.booleans(), end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8-sig", "utf-8", "gb18030"]), is_packed=st.booleans(),
    blank=st.sampled_from(["", "", "", "\n"]),
)  # fmt: skip
@settings_of(max_examples=80)
def test_a_line_that_is_looked_up_is_the_line_that_reading_everything_gives(
    records: list[list[str]], is_written_by_a_library: bool, end: str, encoding: str, is_packed: bool, blank: str
) -> None:
    rows = [["应用编码", "应用名称"], *records]
    if is_written_by_a_library:
        stream = io.StringIO()
        csv.writer(stream, lineterminator=end).writerows(rows)
        text = stream.getvalue()
    else:
        text = end.join(",".join(row) for row in rows) + blank + end
    payload = text.encode(encoding)
    entity = load_catalogue(load_settings()).entity("zheliban", "usage")
    numbers = range(1, len(records) + 3)
    packed = gzip.compress(payload) if is_packed else payload
    assert landed_lines._records(packed, entity, numbers) == landed_lines._all_records(packed, entity, numbers)


def test_of_a_large_file_only_the_lines_that_are_asked_for_are_unpacked_and_kept() -> None:
    lines = [f"A{number},{number * 7919 % 100_003}".encode() for number in range(300_000)]
    packed = gzip.compress(b"\n".join(lines)) + gzip.compress(b"\nlast")
    assert lines_at(packed, [1, 150_000, 300_000, 300_001, 300_002]) == {
        1: lines[0], 150_000: lines[149_999], 300_000: lines[-1], 300_001: b"last"
    }  # fmt: skip
    # What comes behind the last of them is not looked at.
    spoiled = packed[: len(packed) // 2]
    assert lines_at(spoiled, [2, 3]) == {2: lines[1], 3: lines[2]}
    with pytest.raises(EOFError):
        lines_at(spoiled, [300_000])
    assert lines_at(b'a\n"b\n', [2], quote=b'"') is None
    assert lines_at(b'a\nb\n"c\n', [2]) == {2: b"b"}


def test_a_file_in_gb18030_is_read_as_it_is_written(settings: Settings, land: Land) -> None:
    text = "应用标识,应用名\r\nA1,湖州\r\n"
    [line] = read(settings, land("zhezhengding.usage", "u.csv.gz", gzip.compress(text.encode("gb18030"))), 1).lines
    assert (line.text, line.cells["应用名"]) == ("A1,湖州", "湖州")


def test_a_page_gives_its_nth_object_and_an_extract_its_nth_line(settings: Settings, land: Land) -> None:
    page = json.dumps({"items": [{"appId": "A1"}, {"appId": "A2", "owner": {"name": "局"}}]}).encode()
    [one] = read(settings, land("irs.app", "page-00001.json", page), 2).lines
    assert one.cells == {"appId": "A2", "owner.name": "局"}
    rows = gzip.compress(b'{"project_no": "X1"}\n{"project_no": "X2"}\n')
    [row] = read(settings, land("project_library.project", "rows.ndjson.gz", rows), 2).lines
    assert (row.first_line, row.text) == (2, '{"project_no": "X2"}')


def test_bytes_that_are_not_the_manifest_s_and_lines_that_are_not_there_are_said(
    settings: Settings, land: Land
) -> None:
    file_id = land("project_library.project", "rows.ndjson.gz", gzip.compress(b'{"project_no": "X1"}\n'))
    assert read(settings, file_id, 1).is_as_received
    assert "no record 7" in str(read(settings, file_id, 7).problem)
    path = next(settings.landing_dir.rglob("rows.ndjson.gz"))
    path.write_bytes(gzip.compress(b'{"project_no": "X9"}\n'))
    changed = read(settings, file_id, 1)
    assert not changed.is_as_received and "not what was received" in str(changed.problem)


def test_a_run_that_a_schedule_started_leads_back_to_its_airflow_run() -> None:
    import datetime as dt

    from oneledger_airflow.run_ids import run_id_of

    due_at = dt.datetime(2026, 11, 24, 18, 0, tzinfo=dt.UTC)
    scheduled = "scheduled__2026-11-24T18:00:00+00:00"
    assert scheduled_airflow_run(run_id_of(scheduled, due_at)) == scheduled
    assert scheduled_airflow_run(run_id_of("manual__2026-11-24T18:00:00+00:00", due_at)) is None

"""The page of reports: only what a report's record names is given out, and only as it was made."""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from pathlib import Path

import pytest

from oneledger.reports.making import make_report
from tests.evaluation.story import Story, settings_of

from .conftest import app_over, client_of

CONTENT = {
    "circular.zh.html": b"<!doctype html><title>t</title><style>p{color:red}</style><p>x</p>",
    "circular.zh.pdf": b"%PDF-1.7 1",
    "circular.en.docx": b"PK docx",
    "workbook.xlsx": b"PK xlsx",
}


@pytest.fixture
def home(story: Story, tmp_path: Path) -> Path:
    """The story's versions and runs, with a report of the confirmed run."""
    for part in ("published", "evaluations", "seals"):
        (tmp_path / part).symlink_to(story.home / part)
    folder = tmp_path / "reports" / story.confirmed
    folder.mkdir(parents=True)
    files = []
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
        parts = name.split(".")
        files.append(
            {"name": name, "language": parts[1] if len(parts) == 3 else "both", "format": parts[-1],
             "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        )  # fmt: skip
    (folder / "notes.txt").write_text("not of the report")
    record = {
        "run_id": story.confirmed, "version": story.first_version, "period": "2022-Q3",
        "title_zh": "评价结果通报", "title_en": "Circular of the evaluation", "is_draft": False, "is_synthetic": True,
        "confirmed_by": "王敏", "confirmed_at": "2026-11-25T20:00:00.000", "anchor": "ab" * 32, "sequence": 7,
        "inputs_hash": "cd" * 32,
        "files": files,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(record), "utf-8")
    return tmp_path


@pytest.mark.parametrize("language", ("zh", "en"))
def test_a_report_is_listed_with_its_files_hashes_and_anchor(home: Path, story: Story, language: str) -> None:
    text = client_of(app_over(settings_of(home)), "viewer").get("/reports", params={"lang": language}).text
    for name, content in CONTENT.items():
        assert f"/reports/{story.confirmed}/{name}" in text
        assert hashlib.sha256(content).hexdigest() in text
    assert "ab" * 32 in text
    assert f"/evaluation/runs/{story.confirmed}" in text


def test_without_a_report_the_page_says_how_to_make_one(story: Story, tmp_path: Path) -> None:
    for part in ("published", "evaluations"):
        (tmp_path / part).symlink_to(story.home / part)
    text = client_of(app_over(settings_of(tmp_path)), "viewer").get("/reports?lang=en").text
    assert "There is no report yet" in text
    assert "oneledger report" in text


def test_a_file_is_given_out_as_it_was_made(home: Path, story: Story) -> None:
    client = client_of(app_over(settings_of(home)), "viewer")
    for name, content in CONTENT.items():
        answer = client.get(f"/reports/{story.confirmed}/{name}")
        assert (answer.status_code, answer.content) == (200, content)
    page = client.get(f"/reports/{story.confirmed}/circular.zh.html")
    assert page.headers["content-security-policy"].startswith("sandbox")
    assert "attachment" in client.get(f"/reports/{story.confirmed}/circular.zh.pdf").headers["content-disposition"]


def test_what_the_record_does_not_name_is_not_there(home: Path, story: Story) -> None:
    client = client_of(app_over(settings_of(home)), "engineer")
    for name in ("notes.txt", "report.json", "..%2F..%2Fseals%2Fledger.jsonl", "%2e%2e", "circular.zh.html%00"):
        assert client.get(f"/reports/{story.confirmed}/{name}").status_code in (404, 422), name


def test_a_record_that_names_a_way_out_of_its_folder_leads_nowhere(home: Path, story: Story) -> None:
    path = home / "reports" / story.confirmed / "report.json"
    record = json.loads(path.read_text("utf-8"))
    record["files"].append({**record["files"][0], "name": "../../seals/ledger.jsonl"})
    (path.parent / "link.html").symlink_to(home / "seals" / "ledger.jsonl")
    record["files"].append({**record["files"][0], "name": "link.html"})
    path.write_text(json.dumps(record), "utf-8")
    client = client_of(app_over(settings_of(home)), "engineer")
    assert client.get(f"/reports/{story.confirmed}/link.html").status_code == 404
    assert "ledger.jsonl" not in client.get("/reports").text


def test_a_file_that_was_changed_is_not_given_out(home: Path, story: Story) -> None:
    (home / "reports" / story.confirmed / "workbook.xlsx").write_bytes(b"PK other")
    answer = client_of(app_over(settings_of(home)), "viewer").get(f"/reports/{story.confirmed}/workbook.xlsx")
    assert answer.status_code == 409
    assert "SHA-256" in answer.text


def test_a_record_that_cannot_be_read_is_named_and_hides_no_other(home: Path, story: Story) -> None:
    (home / "reports" / "2022-Q2-broken").mkdir()
    (home / "reports" / "2022-Q2-broken" / "report.json").write_text("{")
    text = client_of(app_over(settings_of(home)), "viewer").get("/reports").text
    assert "oneledger report --run 2022-Q2-broken" in text
    assert f"/reports/{story.confirmed}/workbook.xlsx" in text


def test_a_report_that_the_program_made_is_listed_and_given_out(story: Story, tmp_path: Path) -> None:
    for part in ("published", "evaluations"):
        (tmp_path / part).symlink_to(story.home / part)
    shutil.copytree(story.home / "seals", tmp_path / "seals")
    settings = settings_of(tmp_path)
    made = make_report(settings, story.confirmed, languages=("zh",), formats=("html",))
    client = client_of(app_over(settings), "viewer")
    assert html.escape(made.record["title_zh"]) in client.get("/reports?lang=zh").text
    for file in made.files:
        answer = client.get(f"/reports/{story.confirmed}/{file.path.name}")
        assert hashlib.sha256(answer.content).hexdigest() == file.sha256


def test_nobody_reads_no_report(home: Path, story: Story) -> None:
    for address in ("/reports", f"/reports/{story.confirmed}/circular.zh.pdf"):
        assert client_of(app_over(settings_of(home)), None).get(address).status_code == 303

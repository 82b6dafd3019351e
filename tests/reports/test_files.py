"""The files of a report: what they hold, that they agree, and that the same run gives the same bytes."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from docx import Document
from docx.oxml.ns import qn
from playwright.sync_api import Browser

from oneledger.audit.verifying import verify
from oneledger.reports import list_reports, make_report
from oneledger.reports.circular import compose
from oneledger.reports.content import LANGUAGES, Figure, Language
from oneledger.reports.facts import Facts
from oneledger.reports.making import FORMATS

from .conftest import Reported
from .test_circular import SEAL

NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_HIDDEN = {"style", "svg", "script", "title"}


class _Text(HTMLParser):
    """The text of a page that is printed: without charts and style."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in _HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def page_of(path: Path) -> _Text:
    parsed = _Text()
    parsed.feed(path.read_text("utf-8"))
    return parsed


def text_of_docx(path: Path) -> str:
    """Every text of the document, cells, head and foot of the page."""
    with zipfile.ZipFile(path) as parts:
        found = [
            re.sub(r"<w:tab/>|</w:p>|</w:tc>", " ", parts.read(name).decode())
            for name in parts.namelist()
            if re.fullmatch(r"word/(document|header\d*|footer\d*)\.xml", name)
        ]
    return re.sub(r"<[^>]+>", "", " ".join(found))


def test_a_report_is_six_circulars_and_a_workbook_named_for_their_period(reported: Reported) -> None:
    names = [one.path.name for one in reported.second.files]
    assert names == [
        *(f"circular-2022-Q3.{language}.{ending}" for language in ("en", "zh") for ending in ("docx", "html", "pdf")),
        "workbook-2022-Q3.xlsx",
    ]
    assert all(name.isascii() for name in names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_of_the_page_is_also_in_the_word_document(reported: Reported, language: Language) -> None:
    on_page = set(NUMBER.findall(" ".join(page_of(reported.file(f"{language}.html")).parts)))
    in_word = set(NUMBER.findall(text_of_docx(reported.file(f"{language}.docx"))))
    assert len(on_page) > 400
    assert on_page - in_word == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cell_of_the_content_is_printed_on_the_page_and_in_the_document(
    reported: Reported, facts: Facts, language: Language
) -> None:
    content = compose(facts, language, SEAL)
    page = " ".join(page_of(reported.file(f"{language}.html")).parts)
    cells = [
        cell.text
        for table in Document(str(reported.file(f"{language}.docx"))).element.body.iter(qn("w:tbl"))
        for cell in table.iter(qn("w:t"))
    ]
    for table in content.tables():
        if table.table_id == "provenance":
            continue
        for row in table.rows:
            assert all(cell in page for cell in row), (table.table_id, row)
            assert set(row) <= set(cells), (table.table_id, row)


def test_the_same_run_gives_the_same_bytes_in_another_process_time_zone_and_hash_seed(reported: Reported) -> None:
    environment = {
        "ONELEDGER_HOME": str(reported.told.home), "TZ": "America/New_York", "PYTHONHASHSEED": "7",
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
    }  # fmt: skip
    command = [Path(sys.executable).with_name("oneledger"), "report", "--language", "zh", "--json"]
    before = {one.path: one.path.read_bytes() for one in reported.second.files}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert json.loads(done.stdout)["is_unchanged"]
    assert before == {one.path: one.path.read_bytes() for one in reported.second.files}


def test_a_page_needs_no_other_file_no_script_and_no_network(reported: Reported) -> None:
    for language in LANGUAGES:
        tags = page_of(reported.file(f"{language}.html")).tags
        assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags}
        for _, attributes in tags:
            for name in ("src", "href", "xlink:href"):
                assert (attributes.get(name) or "#").startswith("#")
            assert not any(name.startswith("on") for name in attributes)


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("en", "dark")])
def test_a_page_has_no_serious_accessibility_problem_and_fits_a_phone(
    chromium: Browser, reported: Reported, language: str, theme: str
) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(reported.file(f"{language}.html").as_uri())
    found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert [
        (one["id"], one["nodes"][0]["html"][:160]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
    assert width == 390


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pdf_is_tagged_for_readers_of_screens_and_dated_by_the_confirmation(
    reported: Reported, language: Language
) -> None:
    content = reported.file(f"{language}.pdf").read_bytes()
    confirmed = dt.datetime.fromisoformat(reported.second.record["confirmed_at"])
    assert content.startswith(b"%PDF-")
    assert b"<pdfuaid:part>1</pdfuaid:part>" in content
    assert f"/CreationDate(D:{confirmed:%Y%m%d%H%M%S}".encode() in content


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_document_has_real_headings_repeated_table_heads_described_pictures_and_page_numbers(
    reported: Reported, facts: Facts, language: Language
) -> None:
    content = compose(facts, language, SEAL)
    document = Document(str(reported.file(f"{language}.docx")))
    headings = [one.text for one in document.paragraphs if one.style.name == "Heading 1"]
    assert headings == [one.heading for one in content.sections]
    tables = [table for table in document.tables if table._tbl.tblPr.find(qn("w:tblCaption")) is not None]
    captions = {table._tbl.tblPr.find(qn("w:tblCaption")).get(qn("w:val")): table for table in tables}
    for one in content.tables():
        if one.rows:
            first = captions[one.caption].rows[0]._tr
            assert first.trPr.find(qn("w:tblHeader")) is not None, one.table_id
    figures = [block for one in content.sections for block in one.blocks if isinstance(block, Figure)]
    assert [shape._inline.docPr.get("descr") for shape in document.inline_shapes] == [one.alt for one in figures]
    foot = document.sections[0].footer._element.xml
    assert 'w:instr="PAGE"' in foot
    assert 'w:instr="NUMPAGES"' in foot
    fonts = document.styles["Normal"].element.rPr.find(qn("w:rFonts"))
    assert fonts.get(qn("w:eastAsia")) == "仿宋"


def test_the_document_says_nothing_of_when_or_where_it_was_made(reported: Reported) -> None:
    path = reported.file("zh.docx")
    with zipfile.ZipFile(path) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    properties = Document(str(path)).core_properties
    confirmed = dt.datetime.fromisoformat(reported.second.record["confirmed_at"]).replace(microsecond=0)
    assert properties.created.replace(tzinfo=None) == properties.modified.replace(tzinfo=None) == confirmed
    assert properties.author == "湖州市大数据发展管理局"


@pytest.mark.parametrize("ending", ["html", "docx"])
def test_synthetic_data_are_said_in_every_circular(reported: Reported, ending: str) -> None:
    for language, words in (("zh", "合成数据"), ("en", "Synthetic data")):
        path = reported.file(f"{language}.{ending}")
        text = " ".join(page_of(path).parts) if ending == "html" else text_of_docx(path)
        # At the head of the first page and at the foot of each.
        assert text.count(words) >= 2


def test_the_record_names_the_hash_of_each_file_and_of_what_it_was_made_from(reported: Reported) -> None:
    record = json.loads((reported.second.folder / "report.json").read_text("utf-8"))
    assert record == reported.second.record
    for one in record["files"]:
        content = (reported.second.folder / one["name"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (one["sha256"], one["size_bytes"])
    assert re.fullmatch("[0-9a-f]{64}", record["inputs_hash"])
    assert record["inputs_hash"] != reported.first.record["inputs_hash"]
    for language in LANGUAGES:
        assert record["inputs_hash"] in reported.file(f"{language}.html").read_text("utf-8")
        assert record["anchor"] in text_of_docx(reported.file(f"{language}.docx"))


def test_reports_are_listed_with_the_state_of_their_run(reported: Reported) -> None:
    found = list_reports(reported.settings)
    assert [(one["run_id"], one["state"]) for one in found] == [
        (reported.told.corrected, "confirmed"), (reported.told.confirmed, "superseded")
    ]  # fmt: skip
    assert all(file["is_there"] and file["path"].is_file() for one in found for file in one["files"])
    assert found[0]["title_zh"] == "关于2022年第三季度市级数字政府应用绩效评价情况的通报"


def test_a_watermark_and_a_name_of_its_own_mark_a_draft_which_is_never_sealed(
    reported: Reported, tmp_path: Path
) -> None:
    made = make_report(
        reported.settings, reported.told.ruled, formats=["html", "docx"], languages=["zh"], out=tmp_path / "draft",
        is_draft_allowed=True,
    )  # fmt: skip
    assert not made.is_sealed
    assert {one.path.name for one in made.files} == {"draft-circular-2022-Q3.zh.html", "draft-circular-2022-Q3.zh.docx"}
    page = (tmp_path / "draft" / "draft-circular-2022-Q3.zh.html").read_text("utf-8")
    assert '<div class="watermark"' in page
    assert "草案，不得印发" in page
    document = Document(str(tmp_path / "draft" / "draft-circular-2022-Q3.zh.docx")).sections[0]
    for head in (document.header, document.first_page_header):
        assert 'string="草案 DRAFT"' in head._element.xml
    assert reported.file("zh.html").read_text("utf-8").count("DRAFT") == 0


def test_a_report_that_somebody_changed_is_found_and_making_it_again_mends_it(
    reported: Reported, tmp_path: Path
) -> None:
    told = reported.told.copy(tmp_path / "home")
    assert verify(told.settings, "reports")["ok"]
    path = told.home / "reports" / told.corrected / "circular-2022-Q3.zh.html"
    path.write_text(path.read_text("utf-8").replace("五星级应用28个", "五星级应用29个"), "utf-8")
    broken = [one for one in verify(told.settings, "reports")["items"] if not one["ok"]]
    assert [one["file"] for one in broken] == [f"reports/{told.corrected}/circular-2022-Q3.zh.html"]
    assert f"oneledger report --run {told.corrected}" in broken[0]["remedy"]
    make_report(told.settings, told.corrected, formats=["html"])
    assert verify(told.settings, "reports")["ok"]
    (path.parent / "circular-2022-Q4.zh.html").write_text("somebody else's", "utf-8")
    assert (
        "does not belong" in next(one for one in verify(told.settings, "reports")["items"] if not one["ok"])["problem"]
    )


def test_making_one_format_keeps_the_others_of_the_same_run_and_removes_those_of_other_inputs(
    reported: Reported, tmp_path: Path
) -> None:
    told = reported.told.copy(tmp_path / "home")
    folder = told.home / "reports" / told.corrected
    again = make_report(told.settings, told.corrected, formats=["html"], languages=["en"])
    assert again.is_unchanged
    assert [one["name"] for one in again.record["files"]] == [one.path.name for one in reported.second.files]
    # The first report was made before it was replaced: its page does not say so, and a new one does.
    made = make_report(told.settings, told.confirmed, formats=["html"], languages=["zh"])
    assert [one["name"] for one in made.record["files"]] == ["circular-2022-Q3.zh.html"]
    assert not (told.home / "reports" / told.confirmed / "circular-2022-Q3.en.html").exists()
    assert folder.is_dir()
    assert verify(told.settings, "reports")["ok"]


def test_every_format_is_made_by_default(reported: Reported) -> None:
    assert {one.format for one in reported.second.files} == set(FORMATS)
    assert reported.second.is_sealed
    assert io.BytesIO(reported.file("xlsx").read_bytes()).read(2) == b"PK"

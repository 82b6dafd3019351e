"""A whole city with hostile names, through the real nightly, an evaluation and its report, to every reader."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
import httpx
import openpyxl
import pyarrow.parquet
import pytest
from playwright.sync_api import Browser, Page

from oneledger.publishing.spreadsheet_text import original
from tests.browser.conftest import TOKENS, Site, chromium, log_in, serving, visit
from tests.end_to_end.conftest import LAST_DAY, Installation
from tests.security.hostile_city import HARMLESS, UNREADABLE, poison

pytestmark = [pytest.mark.soak, pytest.mark.slow]
__all__ = ["chromium"]

DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")
# Nothing of ours has an attribute that runs something, or a script within the page.
RUNNABLE = """() => [...document.querySelectorAll('*')].filter(one =>
    (one.tagName.toLowerCase() === 'script' && !one.src && one.type !== 'application/json')
    || [...one.attributes].some(attribute => attribute.name.startsWith('on')
        || /^\\s*(javascript|data:text)/i.test(attribute.value) && ['href', 'src', 'action'].includes(attribute.name))
).map(one => one.outerHTML.slice(0, 200))"""


@dataclass
class HostileCity:
    """The installation after its night; ``apps`` are the names that were given, by app."""

    installation: Installation
    apps: dict[str, str]
    run_id: str
    problem: str

    @property
    def home(self) -> Path:
        return self.installation.home

    def report_files(self, ending: str) -> list[Path]:
        return sorted((self.home / "reports").rglob(f"*.{ending}"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> HostileCity:
    city = Installation(tmp_path_factory.mktemp("hostile"))
    city.oneledger("city", "build", "--from", "2022-07-01", "--to", LAST_DAY)
    apps = poison(city.home / "city")
    done = city.run(expected_code=None)
    run_id = city.json("evaluate", "--period", "2022-Q3")["run_id"]
    city.oneledger("evaluate", "confirm", run_id, "--name", "=王敏", "--reason", "<script>x</script> '核对'")
    city.oneledger("report")
    return HostileCity(city, apps, run_id, done.stdout[-2000:] + done.stderr[-2000:])


@pytest.fixture(scope="module")
def site(hostile: HostileCity) -> Iterator[Site]:
    with serving(hostile.home) as served:
        yield served


def test_the_night_publishes_and_every_name_stands_in_the_marts_as_it_was_given(hostile: HostileCity) -> None:
    with hostile.installation.marts() as connection:
        found = dict(connection.execute("select app_id, app_name from marts.dim_app").fetchall())
        projects = {row[0] for row in connection.execute("select project_name from marts.dim_project").fetchall()}
        tables = connection.execute("select count(*) from information_schema.tables").fetchone()
    assert {app: found.get(app) for app in hostile.apps} == hostile.apps, hostile.problem
    assert set(HARMLESS) <= projects
    assert tables is not None
    assert tables[0] > 40


def test_a_name_with_control_characters_waits_in_quarantine_with_its_reason(hostile: HostileCity) -> None:
    held = hostile.installation.json("quarantine", "show", "--source", "irs", "--rule", "readable_text")["items"]
    assert {one["value"] for one in held if one["entity"] == "app"} == set(UNREADABLE)
    assert all("控制字符" in one["reason_zh"] and one["remedy_zh"] for one in held)


def test_no_page_runs_anything_of_a_name_and_each_name_is_shown_as_it_is(
    hostile: HostileCity, site: Site, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    log_in(context, site, "engineer")
    seen = visit(context, site)
    wrong: list[str] = []
    places = [
        *("/", "/apps", "/projects", "/sharing", "/sharing/departments", "/funding", "/funding/share", "/evaluation"),
        *("/evaluation/simulate", "/evaluation/compare", f"/evaluation/runs/{hostile.run_id}", "/findings", "/quality"),
        *("/quality/quarantine", "/lineage", "/reports", "/catalogue", "/catalogue/words"),
    ]
    for path in [*places, *(f"/apps/{app}" for app in hostile.apps), f"/lineage/trace?star={next(iter(hostile.apps))}"]:
        status = seen.open(path)
        if status >= 500:
            wrong.append(f"{path}: {status}")
        wrong += [f"{path}: {one}" for one in ran(seen.page)]
        app = path.removeprefix("/apps/")
        if app in hostile.apps and shown_in(hostile.apps[app]) not in shown_in(seen.page.inner_text("h1")):
            wrong.append(f"{path}: {hostile.apps[app][:40]!r} is not its heading")
    for file in hostile.report_files("html"):
        seen.page.goto(f"{site.address}/reports/{hostile.run_id}/{file.name}")
        wrong += [f"{file.name}: {one}" for one in ran(seen.page)]
    context.close()
    assert wrong == []
    assert seen.complaints == []


def ran(page: Page) -> list[str]:
    found = page.evaluate(RUNNABLE)
    return [*found, *(["the canary sang"] if page.evaluate("window.__canary !== undefined") else [])]


def shown_in(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    "address",
    [
        "/apps?q={}",
        "/projects?q={}",
        "/apps?version={}",
        "/api/v1/apps/{}",
        "/api/v1/tables/marts.dim_app?app_name={}",
        "/catalogue/tables/{}",
        "/apps/{}",
    ],
)
def test_no_parameter_runs_or_is_told_back_unescaped(site: Site, hostile: HostileCity, address: str) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['engineer']}"}
    for name in [*HARMLESS, *UNREADABLE]:
        asked = site.address + address.format(httpx.QueryParams({"x": name[:300]}).__str__().removeprefix("x="))
        answer = httpx.get(asked, headers=headers, timeout=60, trust_env=False)
        assert answer.status_code < 500, (address, name)
        assert "Traceback" not in answer.text
        if "html" in answer.headers.get("content-type", "") and "<" in name:
            assert name[:300] not in answer.text, (address, name)


def test_no_cell_of_any_file_runs_and_names_come_back_exactly(hostile: HostileCity, site: Site, tmp_path: Path) -> None:
    wanted = set(hostile.apps.values())
    for kind in ("csv", "xlsx", "parquet"):
        target = tmp_path / f"dim_app.{kind}"
        hostile.installation.oneledger("export", "dim_app", "--format", kind, "--out", str(target))
        assert wanted - set(cells_of(target.read_bytes(), kind)) == set(), kind
    headers = {"Authorization": f"Bearer {TOKENS['viewer']}"}
    for query in ("format=csv&excel=true", "format=csv", "format=xlsx", "format=json&limit=5000"):
        address = f"{site.address}/api/v1/tables/marts.dim_app?{query}"
        answer = httpx.get(address, headers=headers, timeout=120, trust_env=False)
        assert answer.status_code == 200, answer.text
        is_exact = query == "format=csv"
        assert wanted - set(cells_of(answer.content, query[7:11].rstrip("&"), is_exact=is_exact)) == set(), query
    hostile.installation.oneledger("open-data", "export", "--out", str(tmp_path / "open"))
    for path in (tmp_path / "open").rglob("*.csv"):
        cells_of(path.read_bytes(), "csv")
    held = tmp_path / "held.xlsx"
    hostile.installation.oneledger("quarantine", "export", "--source", "irs", "--out", str(held))
    for path in [held, *hostile.report_files("xlsx")]:
        cells_of(path.read_bytes(), "xlsx")
    for path in (tmp_path / "dim_app.xlsx", held, *hostile.report_files("xlsx")):
        with zipfile.ZipFile(path) as archive:
            assert [name for name in archive.namelist() if "externalLink" in name or "vba" in name] == []


def cells_of(content: bytes, kind: str, *, is_exact: bool = False) -> list[Any]:
    """Every cell of a file, as it was meant; fails when one would run."""
    if kind == "csv":
        text = content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if is_exact:
            return [cell for row in rows for cell in row]
        written = [cell for row in rows[1:] for cell in row]
        assert [one for one in written if one.startswith(DANGEROUS) and not re.fullmatch(r"-[\d.e-]+", one)] == []
        return [original(cell) for cell in written]
    if kind == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(content))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert [cell.coordinate for cell in cells if cell.data_type == "f" or cell.hyperlink] == []
        return [cell.value for cell in cells]
    if kind == "json":
        return [value for one in json.loads(content)["items"] for value in one.values() if isinstance(value, str)]
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    return [value for column in table.to_pydict().values() for value in column]


def test_reports_hold_names_as_text(hostile: HostileCity) -> None:
    pages = [path.read_text("utf-8") for path in hostile.report_files("html")]
    assert pages
    assert all("<script" not in page and 'onerror="' not in page for page in pages)
    words = "".join(
        cell.text for path in hostile.report_files("docx") for table in docx.Document(str(path)).tables
        for row in table.rows for cell in row.cells
    )  # fmt: skip
    shown = {name for name in hostile.apps.values() if html.escape(name) in pages[0]}
    assert shown
    assert {name for name in shown if len(name) < 60 and "\n" not in name and shown_in(name) in shown_in(words)}
    assert all(path.read_bytes().startswith(b"%PDF") for path in hostile.report_files("pdf"))


@pytest.mark.parametrize("command", [["status"], ["findings"], ["quarantine", "list"], ["evaluate", "list"]])
def test_commands_print_names_without_obeying_them(hostile: HostileCity, command: list[str]) -> None:
    printed = hostile.installation.oneledger(*command, expected_code=None)
    assert printed.returncode in (0, 1), printed.stderr
    assert "Traceback" not in printed.stderr
    assert "\x1b[31mred" not in printed.stdout


def test_explaining_and_tracing_an_app_by_its_name_finds_it(hostile: HostileCity) -> None:
    for app, name in list(hostile.apps.items())[:12]:
        printed = hostile.installation.oneledger("explain", name, expected_code=None)
        assert printed.returncode in (0, 1, 2), (app, name, printed.stderr)
        assert "Traceback" not in printed.stderr

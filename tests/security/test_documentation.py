"""docs/security.md says what is: every test that it names is there, every bound is the one in the code."""

from __future__ import annotations

import ast
import re

from oneledger.catalogue import FilesSpec, FormatSpec, HttpSpec, WorkbookSpec
from oneledger.quality.personal_data import KINDS
from oneledger.raw import workbook_safety
from oneledger.raw.contract import MOST_COLUMNS
from oneledger.settings import PROJECT_ROOT
from oneledger.web.limits import LOGINS
from oneledger.web.tokens import SHORTEST_TOKEN

PAGE = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
THREATS = PAGE.split("## Threats")[1].split("\n## ")[0]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)


def test_every_test_that_the_threats_name_exists() -> None:
    missing = []
    for file, name in NAMED:
        path = PROJECT_ROOT / file
        tree = ast.parse(path.read_text("utf-8"))
        found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        if name not in found:
            missing.append(f"{file}::{name}")
    assert missing == []
    assert len(NAMED) > 30


def test_every_threat_names_a_test() -> None:
    rows = [line for line in THREATS.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 25
    assert [row for row in rows if "::test_" not in row.rsplit("|", 2)[1]] == []


def test_every_test_of_this_folder_about_a_threat_is_in_the_table() -> None:
    """So that a protection is not forgotten in the table: each file of tests here is named at least once."""
    files = {path.name for path in (PROJECT_ROOT / "tests" / "security").glob("test_*.py")} - {"test_documentation.py"}
    assert files - {file.rsplit("/", 1)[1] for file, _ in NAMED} == set()


def test_the_bounds_are_those_of_the_code() -> None:
    gib, mib = 1024**3, 1024**2
    assert FilesSpec(pattern="x").max_file_bytes == 4 * gib
    assert FormatSpec().max_unpacked_bytes == 16 * gib
    assert WorkbookSpec(header_contains=("x",)).max_unpacked_bytes == 512 * mib
    http = HttpSpec()
    assert (http.max_page_bytes, http.max_answer_bytes) == (64 * mib, 8 * gib)
    assert (http.longest_page_seconds, http.most_pages) == (600, 100_000)
    assert (workbook_safety.MOST_CELLS, workbook_safety.MOST_PARTS) == (20_000_000, 5_000)
    assert [200, 64 * mib] == [workbook_safety.MOST_TIMES_PACKED, workbook_safety.HARMLESS_BYTES]
    assert int(workbook_safety.MOST_TEXT_BYTES) == gib
    assert (MOST_COLUMNS, LOGINS.amount, SHORTEST_TOKEN) == (4_000, 20, 16)
    for words in ("4 GiB", "16 GiB", "512 MiB", "20,000,000 cells", "64 MiB", "600 seconds", "8 GiB", "4,000",
                  "20 wrong tries a minute", "16 characters at least"):  # fmt: skip
        assert words in PAGE, words


def test_every_kind_of_personal_data_is_described() -> None:
    words = {"identity_number": "identity-card numbers", "mobile_number": "mobile numbers",
             "bank_card": "bank-card numbers", "e_mail": "e-mail addresses"}  # fmt: skip
    assert set(words) == set(KINDS)
    assert [word for word in words.values() if word not in PAGE.replace("\n", " ")] == []

"""Every failure leads to a page, every page has its form, and every command in it is one that exists."""

from __future__ import annotations

import ast
import re

import pytest

from oneledger.catalogue import load_catalogue
from oneledger.city.breaking import KINDS
from oneledger.quality import row_rules
from oneledger.quality.row_rules import other_rule_ids
from oneledger.runbooks import PAGES, code_of_outcome, page_of
from oneledger.runbooks.failures import all_failures, code_of_fault
from oneledger.runbooks.index import LIST, render, with_codes
from oneledger.runbooks.pages import FOLDER, RUNS, SECTIONS, SHOWN_ONLY, find_page, read_page
from oneledger.settings import PROJECT_ROOT, ConfigurationError, load_settings

from .commands import calls_of, problem_of


@pytest.fixture(scope="module")
def failures() -> dict[str, str]:
    settings = load_settings()
    return all_failures(settings, load_catalogue(settings))


def test_every_failure_that_the_code_can_tell_of_has_a_page(failures: dict[str, str]) -> None:
    assert len(failures) > 150
    named = {code for codes in PAGES.values() for code in codes}
    lacking = {code: place for code, place in failures.items() if code not in named}
    assert lacking == {}, "name a page in plugins/oneledger/runbooks/catalogue.py"


def test_every_page_is_about_failures_that_exist_and_no_failure_has_two(failures: dict[str, str]) -> None:
    named = [code for codes in PAGES.values() for code in codes]
    assert [code for code in named if code not in failures] == []
    assert len(named) == len(set(named))
    assert [page for page, codes in PAGES.items() if not codes] == []


def test_every_fault_of_the_city_leads_to_a_page(failures: dict[str, str]) -> None:
    shown = {kind: code_of_fault(fault) for kind, fault in KINDS.items()}
    assert {kind: code for kind, code in shown.items() if code and code not in failures} == {}
    assert sum(code is not None for code in shown.values()) > 80


def test_the_rules_of_the_split_are_all_listed() -> None:
    tree = ast.parse((PROJECT_ROOT / "plugins/oneledger/quality/row_rules.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    made = [node.args[0] for node in calls if node.func.id in ("add", "Check") and node.args]  # type: ignore[attr-defined]
    named = {node.value for node in made if isinstance(node, ast.Constant)}
    named |= {getattr(row_rules, node.id) for node in made if isinstance(node, ast.Name) and node.id.isupper()}
    assert named and named <= set(other_rule_ids()) | {"required"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_form(name: str) -> None:
    page = read_page(name)
    assert [one.title_en for one in page.sections] == list(SECTIONS)
    assert page.seen and len(page.summary_zh) > 20 and re.search(r"[\u4e00-\u9fff]", page.title_zh)
    assert page.codes == PAGES[name], "write it with: python -m oneledger.runbooks.index"
    assert any(block.language == RUNS for one in page.sections for block in one.blocks)
    for title in ("What to do", "How to know it's mended"):
        assert page.section(title).blocks, f"{name}: {title} has no command"


def test_no_page_lies_there_that_nothing_leads_to() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*PAGES, "README"}


def test_the_list_of_pages_is_up_to_date() -> None:
    assert LIST.read_text("utf-8") == render(), "write it with: python -m oneledger.runbooks.index"
    for name in PAGES:
        assert (FOLDER / f"{name}.md").read_text("utf-8") == with_codes(name)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_is_one_that_exists(name: str) -> None:
    page = read_page(name)
    blocks = [block for one in page.sections for block in one.blocks]
    assert {block.language for block in blocks} <= {RUNS, SHOWN_ONLY}
    calls = [call for block in blocks for call in calls_of(block.commands)]
    inline = [call for text in re.findall(r"`(oneledger [a-z][^`]*)`", page.text) for call in calls_of(text)]
    # In running text a command may be shortened with …, so only its verb is looked at there.
    wrong = {" ".join(call): problem for call in calls if (problem := problem_of(call))}
    wrong |= {" ".join(call): problem for call in inline if (problem := problem_of([*call[:1], "--help"]))}
    assert wrong == {}


def test_a_command_that_does_not_exist_is_found_out() -> None:
    assert problem_of(["runn"])
    assert problem_of(["run", "--nosuch"])
    assert problem_of(["quarantine", "release", "--source", "finance"])
    assert not problem_of(["quarantine", "release", "--source", "finance", "--name", "x", "--reason", "y"])
    line = "A=1 oneledger run --from admit || true; x=$(ls) && oneledger status > /tmp/x  # oneledger no"
    assert list(calls_of(line)) == [["run", "--from", "admit"], ["status"]]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read_page(name).text):
        assert (FOLDER / target).exists(), target
    for page in re.findall(r"\]\(([a-z-]+)\.md\)", read_page(name).text):
        assert page in PAGES


def test_a_failure_is_found_by_its_code_its_name_and_its_page() -> None:
    for asked in ("delivery-cut-off", "door:truncated_file", "truncated_file"):
        assert find_page(asked).name == "delivery-cut-off"
    assert find_page("volume").name == "volume-unusual"
    assert find_page("row:a_rule_of_this_city").name == "rows-held-back"
    with pytest.raises(ConfigurationError, match="delivery-cut-off"):
        find_page("delivery-cutoff")


def test_an_outcome_leads_to_the_narrowest_page_that_it_names() -> None:
    assert (
        page_of(code_of_outcome({"step": "load_raw", "detail": {"problem": "web_page"}})) == "web-page-instead-of-data"
    )
    assert page_of(code_of_outcome({"step": "extract", "detail": {}})) == "interface-does-not-answer"
    full = {"step": "extract", "detail": {"failure": "situation:disk_full"}}
    assert page_of(code_of_outcome(full)) == "disk-full"

"""What the pages say to type is typed, on an installation in which just that failure was caused.

After a good night two nights cause what comes from sources and gates, many pages a night. A quiet day carries out what
needs no damage; then each remaining page is carried out on the installation that the one before left well. What the
page shows must be seen, what it says to do must work, and afterwards what it says about how to know must hold.

RUNBOOKS=page,page chooses single pages; a night in which none of them is caused is left out. RUNBOOKS_IN=folder keeps
the installation there and takes it as it is the next time, for all pages in portions.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest

from oneledger.runbooks import PAGES
from oneledger.runbooks.index import LIST
from oneledger.runbooks.pages import Block, Runbook, read_page
from tests.faults.rounds import LAST

from .causes import NOT_CAUSED, QUIET, SINGLE, back_up, home_of
from .commands import Shell, problems_of
from .conftest import DELIVERED_WRONGLY, GATE_SHUT, break_all

# The first of them makes the installation; a night of a busy machine takes long and is no fault of a page.
pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(7200)]

FIRST_PAGES = [*DELIVERED_WRONGLY, "published-with-parts-withheld"]
SECOND_PAGES = [*GATE_SHUT, "not-published"]
_CHOSEN = [name for name in os.environ.get("RUNBOOKS", "").split(",") if name]


def test_every_page_is_carried_out_once() -> None:
    assert sorted([*FIRST_PAGES, *SECOND_PAGES, *QUIET, *SINGLE]) == sorted(PAGES)
    assert [name for name in _CHOSEN if name not in PAGES] == []


def test_the_list_of_pages_names_those_whose_failure_is_not_caused() -> None:
    assert set(NOT_CAUSED) <= set(QUIET)
    said = LIST.read_text("utf-8").partition("not caused")[2].partition("\n\n")[0]
    assert re.findall(r"\(([a-z-]+)\.md\)", said) == sorted(NOT_CAUSED)


def skip_what_was_not_chosen(*names: str) -> None:
    if _CHOSEN and not set(_CHOSEN) & set(names):
        pytest.skip("RUNBOOKS names others")


def test_the_pages_of_a_night_whose_sources_deliver_wrongly(shell: Shell) -> None:
    skip_what_was_not_chosen(*FIRST_PAGES)
    break_all(DELIVERED_WRONGLY, home_of(shell) / "city")
    shell.run("oneledger", "run")
    assert_carried_out([read_page(name) for name in FIRST_PAGES], shell)


def test_the_pages_of_a_night_whose_gate_is_shut(shell: Shell) -> None:
    skip_what_was_not_chosen(*SECOND_PAGES)
    break_all(GATE_SHUT, home_of(shell) / "city")
    shell_run_that_fails(shell)
    assert_carried_out([read_page(name) for name in SECOND_PAGES], shell)


@pytest.fixture(scope="module")
def left_well(shell: Shell) -> Shell:
    """The installation after a night in which everything came, with a backup; whatever the nights before left."""
    shell.run("oneledger", "city", "mend", "--all")
    code, said = shell.execute(Block("bash", "oneledger status"))
    if code != 0 or f"data as of {LAST}" not in said:
        shell.run("oneledger", "run")
    back_up(shell)
    return shell


@pytest.mark.parametrize("name", QUIET)
def test_a_page_of_a_quiet_day(request: pytest.FixtureRequest, name: str) -> None:
    skip_what_was_not_chosen(name)
    shell: Shell = request.getfixturevalue("left_well")
    with QUIET[name](shell):
        problems = problems_of(blocks_of(name), replace(shell, defers_runs=True), must_work=True)
    assert problems == [], "\n\n".join(problems)


def test_the_runs_that_the_pages_of_a_quiet_day_ask_for(request: pytest.FixtureRequest) -> None:
    skip_what_was_not_chosen(*QUIET)
    shell: Shell = request.getfixturevalue("left_well")
    asked_for = dict.fromkeys(shell.deferred)
    shell.deferred.clear()
    for command in asked_for:
        problems = problems_of([Block("bash", f"{command}\noneledger status", ("✓ last_run",))], shell, must_work=True)
        assert problems == []


@pytest.mark.parametrize("name", SINGLE)
def test_a_page_of_its_own(request: pytest.FixtureRequest, name: str) -> None:
    skip_what_was_not_chosen(name)
    shell: Shell = request.getfixturevalue("left_well")
    back_up(shell)
    with SINGLE[name](shell):
        problems = problems_of(blocks_of(name), shell, must_work=True)
    assert problems == [], "\n\n".join(problems)


def blocks_of(name: str) -> list[Block]:
    return [block for one in read_page(name).sections for block in one.blocks]


def shell_run_that_fails(shell: Shell) -> None:
    code, said = shell.execute(Block("bash", "oneledger run"))
    assert code == 1, said


def assert_carried_out(pages: list[Runbook], shell: Shell) -> None:
    """See all of them, do all of them, and let one night carry out the runs that they ask for."""
    heard: dict[str, tuple[int, str]] = {}
    problems = [
        f"{page.name}: {problem}"
        for page in pages
        for problem in problems_of(page.section("What you see").blocks, shell, must_work=False, heard=heard)
    ]
    resting = replace(shell, defers_runs=True)
    # Faults of one file are mended in the opposite order; what mends all of them comes last.
    own = [page for page in pages if page.name in {**DELIVERED_WRONGLY, **GATE_SHUT}]
    for page in [*reversed(own), *(page for page in pages if page not in own)]:
        problems += [
            f"{page.name}: {one}" for one in problems_of(page.section("What to do").blocks, resting, must_work=True)
        ]
    assert resting.deferred
    resting.deferred.clear()
    shell.run("oneledger", "run")
    heard.clear()
    for page in pages:
        found = problems_of(page.section("How to know it's mended").blocks, resting, must_work=True, heard=heard)
        problems += [f"{page.name}: {one}" for one in found]
    assert problems == [], "\n\n".join(problems)

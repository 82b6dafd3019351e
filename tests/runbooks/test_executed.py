"""What the pages say to type is typed, on an installation in which just that failure was caused.

After a good night two nights cause what comes from sources and gates, many pages a night; then each remaining page is
carried out on the installation that the one before left well. What the page shows must be seen, what it says to do must
work, and afterwards what it says about how to know must hold. RUNBOOKS=page,page chooses single pages.
"""

from __future__ import annotations

import os

import pytest

from oneledger.runbooks import PAGES
from oneledger.runbooks.pages import Block, Runbook, read_page

from .causes import SINGLE, home_of
from .commands import Shell, problems_of
from .conftest import DELIVERED_WRONGLY, GATE_SHUT, back_up, break_all

pytestmark = [pytest.mark.soak, pytest.mark.slow]

FIRST_PAGES = [*DELIVERED_WRONGLY, "published-with-parts-withheld"]
SECOND_PAGES = [*GATE_SHUT, "not-published"]
_CHOSEN = [name for name in os.environ.get("RUNBOOKS", "").split(",") if name]


def test_every_page_is_carried_out_once() -> None:
    assert sorted([*FIRST_PAGES, *SECOND_PAGES, *SINGLE]) == sorted(PAGES)


def test_the_pages_of_a_night_whose_sources_deliver_wrongly(shell: Shell) -> None:
    break_all(DELIVERED_WRONGLY, home_of(shell) / "city")
    shell.run("oneledger", "run")
    assert_carried_out([read_page(name) for name in FIRST_PAGES], shell)


def test_the_pages_of_a_night_whose_gate_is_shut(shell: Shell) -> None:
    break_all(GATE_SHUT, home_of(shell) / "city")
    shell_run_that_fails(shell)
    assert_carried_out([read_page(name) for name in SECOND_PAGES], shell)
    back_up(shell)


@pytest.mark.parametrize("name", SINGLE)
def test_a_page_of_its_own(shell: Shell, name: str) -> None:
    if _CHOSEN and name not in _CHOSEN:
        pytest.skip("RUNBOOKS names others")
    page = read_page(name)
    with SINGLE[name](shell):
        problems = problems_of(page.section("What you see").blocks, shell, must_work=True)
        problems += problems_of(page.section("What to do").blocks, shell, must_work=True)
        problems += problems_of(page.section("How to know it's mended").blocks, shell, must_work=True)
    back_up(shell)
    assert problems == [], "\n\n".join(problems)


def shell_run_that_fails(shell: Shell) -> None:
    code, said = shell.execute(Block("bash", "oneledger run"))
    assert code == 1, said


def assert_carried_out(pages: list[Runbook], shell: Shell) -> None:
    """See all of them, do all of them, and let one night carry out the runs that they ask for."""
    problems = [
        f"{page.name}: {problem}"
        for page in pages
        for problem in problems_of(page.section("What you see").blocks, shell, must_work=False)
    ]
    shell.defers_runs = True
    # Faults of one file are mended in the opposite order; what mends all of them comes last.
    own = [page for page in pages if page.name in {**DELIVERED_WRONGLY, **GATE_SHUT}]
    for page in [*reversed(own), *(page for page in pages if page not in own)]:
        problems += [
            f"{page.name}: {one}" for one in problems_of(page.section("What to do").blocks, shell, must_work=True)
        ]
    assert shell.deferred
    shell.run("oneledger", "run")
    for page in pages:
        found = problems_of(page.section("How to know it's mended").blocks, shell, must_work=True)
        problems += [f"{page.name}: {one}" for one in found]
    shell.defers_runs = False
    assert problems == [], "\n\n".join(problems)

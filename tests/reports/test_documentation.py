"""docs/reports.md says what there is."""

from __future__ import annotations

import pytest
import typer.main

from oneledger.cli.report import report
from oneledger.reports.circular import compose
from oneledger.reports.facts import Facts
from oneledger.reports.making import FORMATS
from oneledger.reports.workbook_sheets import SHEETS
from oneledger.settings import PROJECT_ROOT

from .test_circular import SEAL

PAGE = (PROJECT_ROOT / "docs" / "reports.md").read_text(encoding="utf-8")


def test_every_option_is_explained() -> None:
    application = typer.Typer()
    application.command()(report)
    options = [name for one in typer.main.get_command(application).params for name in one.opts if name.startswith("--")]
    named = [name for name in options if name not in ("--help", "--install-completion", "--show-completion")]
    assert len(named) == 6
    assert [name for name in named if f"| `{name}` |" not in PAGE] == []


@pytest.mark.parametrize("sheet", [one.name for one in SHEETS])
def test_every_sheet_is_named(sheet: str) -> None:
    assert f"| {sheet} |" in PAGE


def test_every_section_is_named_in_its_order(facts: Facts) -> None:
    titles = [one.title for one in compose(facts, "en", SEAL).sections if not one.is_annex]
    places = [PAGE.find(f"| {title} |") for title in titles]
    assert -1 not in places, dict(zip(titles, places, strict=True))
    assert places == sorted(places)


def test_every_format_and_the_commands_of_the_readme_are_there() -> None:
    assert all(f"`{one}`" in PAGE for one in FORMATS)
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert "oneledger report " in readme
    assert "[docs/reports.md](docs/reports.md)" in readme

"""Names on a terminal: shown, never obeyed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from oneledger.cli import output
from oneledger.cli.output import shown
from tests.security.hostile_city import HARMLESS, UNREADABLE

MARKUP = ["[red]", "[/red]", "[/]", "[link=http://example.invalid]x[/link]", "[bold red on white]", "[[", "]", "[1, 2]",
          "\\[x]", ":smile:", "[@click=app.bell]x[/]"]  # fmt: skip


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    for name in ("console", "errors"):
        monkeypatch.setattr(output, name, Console(file=stream, width=20_000, highlight=False, color_system=None,
                                                  force_terminal=False))  # fmt: skip
    return stream


@pytest.mark.parametrize("name", [*HARMLESS, *UNREADABLE, *MARKUP], ids=ascii)
def test_nothing_in_a_name_takes_effect_in_the_terminal(screen: io.StringIO, name: str) -> None:
    output.print_table([{"name": name}], {"name": "Name"})
    output.say(f"[green]✓[/green] {name}")
    with pytest.raises(output.typer.Exit):
        output.fail(f"there is no {name}", f"look for {name}")
    printed = screen.getvalue()
    assert [sign for sign in printed if ord(sign) < 32 and sign not in "\n\t"] == []
    assert not any(sign in printed for sign in "\x7f\x9b\u202e\u202c")


@pytest.mark.parametrize("name", [name for name in MARKUP if name not in ("[red]", "[/red]", "\\[x]")])
def test_brackets_in_a_name_are_shown(name: str) -> None:
    assert shown(name).plain == name


def test_our_own_colours_take_effect() -> None:
    text = shown("[green]✓[/green] good [dim](x)[/dim]")
    assert text.plain == "✓ good (x)"
    assert {str(span.style) for span in text.spans} == {"green", "dim"}

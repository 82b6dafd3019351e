"""The verb ``runbook``: what to do about a failure, read from ``docs/runbooks``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from oneledger.cli.output import console, emit_json, print_table, say

RUNBOOK_HELP = """What to do about a failure: what you see, what it means, what to do, how to know it's mended.

Examples:

    oneledger runbook                            every page, by what one sees

    oneledger runbook delivery-cut-off           a page by its name

    oneledger runbook door:truncated_file        the page of a failure, by its code

    oneledger runbook volume --json              by the name of a check, a rule or an error
"""


def say_runbooks(pages: Iterable[str], indent: str = "") -> None:
    """One line for each page, under what is wrong."""
    for name in dict.fromkeys(pages):
        say(f"{indent}[yellow]手册 runbook:[/yellow] oneledger runbook {name}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("runbook", help=RUNBOOK_HELP)(runbook)


def runbook(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="A page, a failure code, or the part of it after its kind.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0, or 2 when no page is called so."""
    from oneledger.runbooks.pages import find_page, grouped_pages

    if code is not None:
        page = find_page(code)
        if as_json:
            emit_json({"ok": True, "items": [{**page.to_json(), "text": page.text}]})
        elif console.is_terminal:
            from rich.markdown import Markdown

            console.print(Markdown(page.text))
        else:
            typer.echo(page.text.rstrip())
        return
    groups = grouped_pages()
    if as_json:
        emit_json({"ok": True, "items": [one.to_json() for _, _, pages in groups for one in pages]})
        return
    for zh, en, pages in groups:
        rows = [{"name": one.name, "title": f"{one.title_zh} {one.title_en}", "seen": one.seen} for one in pages]
        print_table(
            rows, {"name": "手册 runbook", "title": "说明 what", "seen": "看到 what you see"}, title=f"{zh} {en}"
        )
    say("oneledger runbook NAME")

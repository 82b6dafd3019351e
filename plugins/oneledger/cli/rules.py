"""The verb ``rules``: are the rules of the evaluation sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oneledger.cli.output import emit_json, finish, say

CHECK_HELP = """Check the rules of the evaluation: weights, bands, dates, metrics, titles.

Says of each problem the file, line, column and value, what is expected, and how to mend it.

Examples:

    oneledger rules check

    oneledger rules check --rules draft.yml        the shipped rules with the changed rows of a draft

    oneledger rules check --rules my_rules/        a folder with whole rule tables as CSV files

    oneledger rules check --json
"""


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    rules = typer.Typer(help="The dated rules of the evaluation.", no_args_is_help=True, rich_markup_mode="markdown")
    rules.callback()(_rules)
    rules.command("check", help=CHECK_HELP)(check_rules)
    app.add_typer(rules, name="rules")


def _rules() -> None:
    """Keep `check` a verb of its own although it is the only one."""


def check_rules(
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE_OR_FOLDER", help="A YAML draft, or a folder of rule tables.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when the rules are sound, 1 when they are not, 2 when they cannot be read."""
    from oneledger.evaluation.rules import check, load_rules, overlay, rules_hash
    from oneledger.settings import load_settings

    shipped = load_rules(load_settings().dbt_project_dir / "seeds")
    found = overlay(shipped, rules) if rules else shipped
    problems = check(found)
    counts = {name: len(table.rows) for name, table in found.tables.items()}
    if as_json:
        emit_json({
            "ok": not problems, "rules_hash": rules_hash(found), "rows": counts,
            "items": [problem.as_item() for problem in problems],
        })  # fmt: skip
        finish(not problems)
    for problem in problems:
        say("[red]✗[/red] " + problem.message.replace("[", r"\["))
    say(
        f"{sum(counts.values())} rules in {len(counts)} tables, {len(found.metrics)} metrics, "
        f"{len(problems)} problems 问题; hash {rules_hash(found)[:12]}"
    )
    finish(not problems)

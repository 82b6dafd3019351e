"""The verb ``doctor``: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer

from oneledger.cli.output import emit_json, finish, say
from oneledger.cli.runbook import say_runbooks

DOCTOR_HELP = """Look at the installation: Python, packages, catalogue, connections, models, disk, lock, version.

Examples:

    oneledger doctor

    oneledger doctor --catalogue       only the source catalogue

    oneledger doctor --json
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor", help=DOCTOR_HELP)(doctor)


def doctor(
    catalogue: Annotated[bool, typer.Option("--catalogue", help="Only validate the source catalogue.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when nothing is wrong (warnings are said), 1 when something is."""
    from oneledger.installation.examination import examine
    from oneledger.settings import load_settings

    findings = examine(load_settings(), only_catalogue=catalogue)
    is_good = all(finding.is_good or finding.is_warning for finding in findings)
    if as_json:
        emit_json({"ok": is_good, "items": [finding.as_item() for finding in findings]})
        finish(is_good)
    for finding in findings:
        mark = "[green]✓[/green]" if finding.is_good else "[yellow]![/yellow]" if finding.is_warning else "[red]✗[/red]"
        say(f"{mark} {finding.title}: {finding.value}".replace("[/]", ""))
        if not finding.is_good:
            say(f"    处理 remedy: {finding.remedy}".replace("[", r"\["))
            say_runbooks([finding.runbook] if finding.runbook else [], indent="    ")
    finish(is_good)

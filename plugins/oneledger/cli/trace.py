"""The verb ``trace``: from a published number to the lines of the landed files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneledger.cli.output import EXIT_FOUND_SOMETHING_WRONG, emit_json, fail, finish, say
from oneledger.cli.publishing import AsOf
from oneledger.settings import ConfigurationError

if TYPE_CHECKING:
    from oneledger.lineage.subjects import Subject
    from oneledger.settings import Settings
    from oneledger.warehouse.evaluation_runs import EvaluationRun

TRACE_HELP = """Where a published number comes from: every step down to the lines of the landed files, each step recomputed.

What may be traced: `star APP`, `points APP INDICATOR`, `figure FIGURE`, `share PROJECT [YEAR]`, or any published table
with its key as `column=value`. With `--from`, the other way: what a landed file or line may have influenced.

Examples:

    oneledger trace star A33050000001

    oneledger trace points A33050000001 satisfaction --lines 50 --html satisfaction.html

    oneledger trace figure apps_evaluated --json

    oneledger trace share XM202100014 2021

    oneledger trace marts.app_usage_month app_id=A33050000001 release_end=zheliban_app month=2022-08-01 --column visitors_count

    oneledger trace star A33050000001 --run confirmed

    oneledger trace --from zheliban_usage_20220801.csv.gz:17
"""  # noqa: E501
_FORMS = (
    "say what to trace: `star APP`, `points APP INDICATOR`, `figure FIGURE`, `share PROJECT [YEAR]`, a table with "
    "column=value, or --from FILE:LINE"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("trace", help=TRACE_HELP)(trace)


def trace(
    what: Annotated[list[str] | None, typer.Argument(metavar="[WHAT]...")] = None,
    from_file: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE[:LINE]", help="A landed file (path, id, or name), and a record of it."),
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Of a table, the column to be explained.")] = None,
    run: Annotated[str | None, typer.Option(help="An evaluation run: its name, newest, or confirmed.")] = None,
    version: Annotated[
        str, typer.Option(help="current, or the start of a version's name or content hash.")
    ] = "current",
    as_of: AsOf = None,
    lines: Annotated[int, typer.Option(min=0, help="How many landed lines of each entity are shown.")] = 10,
    all_lines: Annotated[bool, typer.Option("--all", help="Show every landed line.")] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute/--no-recompute", help="Run each model again over just the rows found.")
    ] = True,
    html: Annotated[Path | None, typer.Option(help="Write one page to hand over, without any other file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when every step gives its rows again and every file is as received, 1 when not, 2 for a wrong question."""
    from oneledger.cli.trace_text import trace_text
    from oneledger.lineage.trace_report import trace as trace_back
    from oneledger.settings import load_settings

    settings = load_settings()
    if (from_file is None) == (not what):
        fail(_FORMS[0].upper() + _FORMS[1:] + ".", "oneledger trace star A33050000001")
    if html is not None and html.exists() and not force:
        fail(f"{html} exists already.", "give another name, or --force to replace it")
    if as_of is not None:
        from oneledger.publishing.versions import resolve

        version = resolve(settings, version, as_of=as_of.date()).version
    if from_file is not None:
        _forwards(settings, from_file, version, as_json)
        return
    chosen = _run(settings, run) if run else None
    subject = _subject(what or [], column or [], chosen.round_id if chosen else None)
    report = trace_back(
        settings, subject, version=version, run=chosen, lines=None if all_lines else lines, recompute=recompute
    )
    if html is not None:
        from oneledger.lineage.trace_page import write_page

        write_page(report, html)
    if as_json:
        emit_json(report)
    else:
        trace_text(report)
        if html is not None:
            say(f"已写入 written: {html}")
    if not report["ok"]:
        raise typer.Exit(EXIT_FOUND_SOMETHING_WRONG)


def _forwards(settings: Settings, file: str, version: str, as_json: bool) -> None:
    from oneledger.cli.trace_text import influence_text
    from oneledger.lineage.influence import find_place, influence

    reached = influence(settings, find_place(settings, file), version=version)
    if as_json:
        emit_json(reached)
    else:
        influence_text(reached)
    finish(reached["ok"])


def _run(settings: Settings, name: str) -> EvaluationRun:
    from oneledger.evaluation.runs import find_run

    return find_run(settings, name)


def _subject(what: list[str], columns: list[str], round_id: str | None) -> Subject:
    from oneledger.lineage import subjects

    kind, *rest = what
    plain = [one for one in rest if "=" not in one]
    key = dict(one.split("=", 1) for one in rest if "=" in one)
    forms = {"star": (1, 1), "points": (2, 2), "figure": (1, 1), "share": (1, 2)}
    if kind in forms:
        least, most = forms[kind]
        if key or columns or not least <= len(plain) <= most:
            raise ConfigurationError(f"`trace {' '.join(what)}` cannot be read: {_FORMS}.")
        if kind == "star":
            return subjects.star(plain[0], round_id)
        if kind == "points":
            return subjects.points(plain[0], plain[1], round_id)
        return subjects.figure(plain[0]) if kind == "figure" else subjects.share(*plain)
    if plain:
        raise ConfigurationError(f"{plain[0]!r} is no column=value; {_FORMS}.")
    return subjects.cell(kind, key, columns)

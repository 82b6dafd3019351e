"""The verb ``report``: the circular of an evaluation, and the workbook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, fail, print_table, say

if TYPE_CHECKING:
    from oneledger.reports.making import Report

REPORT_HELP = """The circular (通报) of a confirmed evaluation as HTML, PDF and Word, and the workbook, bilingual.

The files lie in reports/<run>/ of the state directory, with report.json beside them. The same run gives the same bytes.

Examples:

    oneledger report                                        the newest confirmed run, everything

    oneledger report --language zh --format pdf             one file

    oneledger report --run 2022-Q3-2026 --format pdf,docx --out /tmp/circular

    oneledger report --run newest --draft                   a draft, with a watermark on each page

    oneledger report list
"""
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
_DOCUMENT_NAMES = {"html": "HTML", "pdf": "PDF", "docx": "Word", "xlsx": "Excel"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    reports = typer.Typer(help=REPORT_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    reports.callback(help=REPORT_HELP)(report)
    reports.command("list", help="The reports that were made, that of the newest period first.")(list_all)
    app.add_typer(reports, name="report")


def report(
    context: typer.Context,
    run: Annotated[
        str, typer.Option(metavar="RUN", help="A run's id, the start of it, `newest` or `confirmed`.")
    ] = "confirmed",
    language: Annotated[str, typer.Option(help="zh, en or both.")] = "both",
    formats: Annotated[
        str, typer.Option("--format", metavar="FORMATS", help="Of html, pdf, docx, xlsx; several joined by commas.")
    ] = "html,pdf,docx,xlsx",
    out: Annotated[Path | None, typer.Option(help="Another folder; a report there is not sealed.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Of a draft too, marked as one on each page.")] = False,
    as_json: Json = False,
) -> None:
    """Exit 0 with the report, 2 when nothing is confirmed or something was asked that there is not."""
    if context.invoked_subcommand:
        return
    from oneledger.reports.content import LANGUAGES
    from oneledger.reports.making import FORMATS, make_report
    from oneledger.settings import load_settings

    if language not in (*LANGUAGES, "both"):
        fail(f"{language!r} is no language of a report; --language takes zh, en or both.")
    asked = [one.strip() for one in formats.split(",") if one.strip()]
    unknown = [one for one in asked if one not in FORMATS]
    if unknown or not asked:
        fail(f"{formats!r} names no format of a report; --format takes {', '.join(FORMATS)}, several joined by commas.")
    made = make_report(
        load_settings(),
        run,
        languages=[one for one in LANGUAGES if language in (one, "both")],
        formats=[one for one in FORMATS if one in asked],
        out=out,
        is_draft_allowed=draft,
        progress=_silent if as_json else _progress,
    )
    if as_json:
        emit_json({"ok": True, **_answer(made)})
        return
    _print(made)


def list_all(as_json: Json = False) -> None:
    """List the reports."""
    from oneledger.reports.listing import list_reports
    from oneledger.settings import load_settings

    found = list_reports(load_settings())
    if as_json:
        emit_json({"ok": True, "items": found})
        return
    if not found:
        say("没有通报 no report yet: [bold]oneledger report[/bold] makes that of the newest confirmed evaluation")
        return
    rows = [
        {
            "period": one["period"],
            "run_id": one["run_id"],
            "state": one["state"] or "gone",
            "confirmed_by": one["confirmed_by"],
            "files": len([file for file in one["files"] if file["is_there"]]),
            "folder": str(one["folder"]),
        }
        for one in found
    ]
    print_table(
        rows,
        {
            "period": "周期 period",
            "run_id": "评价运行 run",
            "state": "状态 state",
            "confirmed_by": "确认人 confirmed by",
            "files": "文件 files",
            "folder": "位置 folder",
        },
    )


def _answer(made: Report) -> dict[str, Any]:
    record = {key: value for key, value in made.record.items() if key != "files"}
    return {
        **record,
        "folder": made.folder,
        "is_sealed": made.is_sealed,
        "is_unchanged": made.is_unchanged,
        "items": [vars(one) for one in made.files],
    }


def _print(made: Report) -> None:
    record = made.record
    say(f"[bold]{record['title_zh']}[/bold]")
    say(record["title_en"])
    if record["is_draft"]:
        say("[yellow]草案，不得印发 draft, not to be circulated[/yellow]")
    if record["is_synthetic"]:
        say("[yellow]合成数据 synthetic data[/yellow]: said on every page")
    for one in made.files:
        say(f"  {_DOCUMENT_NAMES[one.format]:<6} {one.language:<5} {one.size_bytes / 1024:>8,.0f} KB  {one.path}")
    say(f"  输入哈希 inputs  {record['inputs_hash']}")
    if record["anchor"]:
        say(f"  存证锚 anchor    {record['anchor']} (entry 第 {record['sequence']} 条)")
    if made.is_unchanged:
        say("  没有变化 unchanged: the same bytes lay there")
    if made.is_sealed:
        say("接下来 next: oneledger verify reports (the files are those that were made)")


def _progress(line: str) -> None:
    errors.print(line.replace("[", r"\["), style="dim")


def _silent(_: str) -> None:
    """JSON answers have no progress."""

"""The verbs ``run``, ``status`` and ``runs``."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, finish, print_table, say
from oneledger.cli.runbook import say_runbooks
from oneledger.cli.verify import print_anchor

RUN_HELP = """Carry what is new from the sources to a published version, with live progress.

Examples:

    oneledger run                                  everything that is connected

    oneledger run --source irs --source zheliban   only these sources

    oneledger run --as-of 2022-10-31               the business date of deliveries that carry none

    oneledger run --from admit                     nothing is fetched; landed data go on from there
"""
STATUS_HELP = """What is published, how old it is, how the last run ended, what is wrong, who should act and how.

Examples:

    oneledger status

    oneledger status --json
"""
RUNS_HELP = """Every run with its verdict, seconds and counts.

Examples:

    oneledger runs

    oneledger runs show 20221101T                  one run, by its id or the start of it, with each outcome
"""
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("run", help=RUN_HELP)(run)
    app.command("status", help=STATUS_HELP)(status)
    runs_app = typer.Typer(help=RUNS_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    runs_app.callback(help=RUNS_HELP)(runs)
    runs_app.command("show", help="One run with each of its outcome records.")(show)
    app.add_typer(runs_app, name="runs")


def run(
    source: Annotated[list[str] | None, typer.Option(help="Only this source (repeat for more).")] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Business date of deliveries that carry none; later files wait."),
    ] = None,
    from_step: Annotated[
        str | None,
        typer.Option("--from", metavar="STEP", help="ingest, admit, gate_sources, build_models, gate_marts, publish."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 when a version is published (warnings are said), 1 when none is, 2 when the configuration is wrong."""
    from oneledger.pipeline.nightly import run as run_nightly
    from oneledger.settings import load_settings

    report = run_nightly(
        load_settings(), source, as_of.date() if as_of else None, from_step, silent if as_json else Live().show
    )
    if as_json:
        emit_json({**report_as_json(report), "ok": report.is_published})
        finish(report.is_published)
    print_report(report)
    finish(report.is_published)


def status(as_json: Json = False) -> None:
    """Exit 0 when all is good (warnings are said), 1 when something is wrong."""
    from oneledger.pipeline.runs import status as read_status
    from oneledger.settings import load_settings

    answer = read_status(load_settings())
    if as_json:
        emit_json({**answer, "anchor": answer["anchor"].anchor if answer["anchor"] else None})
        finish(answer["ok"])
    for item in answer["items"]:
        if item["ok"] and not item.get("is_warning"):
            say(f"[green]✓[/green] {item['name']}: {item['value']}")
            continue
        mark = "[yellow]![/yellow]" if item["ok"] else "[red]✗[/red]"
        since = f" (since {item['since']:%Y-%m-%d %H:%M} UTC)" if item.get("since") else ""
        say(f"{mark} {item['name']}: {_plain(item['problem'])}{since}")
        say(f"    应为 expected: {_plain(item['expected'])}")
        say(f"    处理 remedy: {_plain(item['remedy'])}")
        say_runbooks(item.get("runbooks", ()), indent="    ")
    print_anchor(answer["anchor"])
    finish(answer["ok"])


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    if context.invoked_subcommand:
        return
    from oneledger.pipeline.runs import list_runs
    from oneledger.settings import load_settings

    found = list_runs(load_settings(), limit)
    if as_json:
        emit_json({"ok": True, "items": found})
        return
    headings = {
        "run_id": "运行 run", "verdict": "结论 verdict", "seconds": "秒 seconds", "received": "收到 received",
        "accepted": "入库 accepted", "quarantined": "隔离 quarantined", "superseded": "被替换 superseded",
        "version": "版本 version",
    }  # fmt: skip
    print_table(found, headings)
    for one in found[:1]:
        # In one piece: the table breaks long ids and verdicts, and both are typed or looked for.
        say(f"{one['run_id']}: {one['verdict']}")
        for problem in one["problems"]:
            say(f"  {one['run_id']} {problem['step']} {problem['source'] or ''}: {_plain(problem['message'])}")


def show(run_id: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """One run with each of its outcome records."""
    from oneledger.pipeline.runs import show_run
    from oneledger.settings import load_settings

    found = show_run(load_settings(), run_id)
    if as_json:
        emit_json({"ok": True, "items": [found]})
        return
    say(f"{found['run_id']}: {found['verdict']}, {found['seconds']} s, version {found['version'] or '–'}")
    headings = {
        "step": "步骤 step", "source": "来源 source", "entity": "实体 entity", "batch_id": "批次 batch",
        "verdict": "结论 verdict", "received_count": "收到 received", "accepted_count": "入库 accepted",
        "quarantined_count": "隔离 quarantined", "message": "说明 message",
    }  # fmt: skip
    print_table([{**one, "message": _plain(one["message"])} for one in found["records"]], headings)


class Live:
    """Live progress: on a terminal one line that is rewritten; in a file one line a step, and one a while within it."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last_shown = 0.0
        self._last_logged = 0.0

    def show(self, progress: Any) -> None:
        from oneledger.pipeline.steps import STEPS, TITLES

        zh, en = TITLES[progress.step]
        place = f"{STEPS.index(progress.step) + 1}/{len(STEPS)} {zh} {en}"
        if progress.is_end_of_step:
            self._clear()
            self._last_logged = 0.0
            following = TITLES[progress.next_step] if progress.next_step else None
            after = f"  → {following[0]} {following[1]}" if following else ""
            errors.print(f"{place}: {_plain(progress.message)}  [dim]{progress.seconds:.1f} s{after}[/dim]")
        elif self._is_terminal and progress.seconds - self._last_shown not in _TOO_SOON:
            self._last_shown = progress.seconds
            line = f"{place} {progress.seconds:5.1f} s{time_left(progress)}  {progress.message}"
            sys.stderr.write(f"\r\x1b[2K{line[:120]}")
            sys.stderr.flush()
        elif not self._is_terminal and progress.seconds - self._last_logged >= _LOGGED_EVERY_SECONDS:
            self._last_logged = progress.seconds
            errors.print(f"{place} {progress.seconds:.0f} s{time_left(progress)}: {_plain(progress.message)}")

    def _clear(self) -> None:
        self._last_shown = 0.0
        if self._is_terminal:
            sys.stderr.write("\r\x1b[2K")


def time_left(progress: Any) -> str:
    """How long the step and the run go on, as long as the last time; empty where that is not known."""
    from oneledger.time_left import about

    if progress.step_seconds_left is None:
        return ""
    whole = f", {about(progress.run_seconds_left)} of the run" if progress.run_seconds_left is not None else ""
    return f", {about(progress.step_seconds_left)} left{whole}"


class _Within:
    """Seconds in which a line is not worth writing again."""

    def __contains__(self, seconds: float) -> bool:
        return 0 < seconds < 0.1


_TOO_SOON = _Within()


# What takes minutes says so in a log now and then.
_LOGGED_EVERY_SECONDS = 30.0


def silent(progress: Any) -> None:
    """JSON answers have no progress."""


def print_report(report: Any) -> None:
    from oneledger.findings import told

    if report.failed_checks:
        rows = [
            {
                "severity": "拦截 fail" if one.blocks else "警告 warn",
                "check": f"{one.title_zh} {one.title_en} ({one.check_id})",
                "entity": one.entity,
                "observed": _plain(one.observed),
                "since": one.since,
                "who": f"{one.owner}: {one.remedy_zh} {one.remedy_en}",
            }
            for one in report.failed_checks
        ]
        headings = {
            "severity": "级别", "check": "检查 check", "entity": "数据 data", "observed": "实际 found",
            "since": "自 since (UTC)", "who": "责任与处理 who and how",
        }  # fmt: skip
        print_table(rows, headings, title="未通过的检查 checks that did not pass")
    if report.lineage_problem:
        say(f"[yellow]血缘事件 lineage:[/yellow] {_plain(report.lineage_problem)}")
    for sentence in report.missing:
        say(f"[yellow]缺少 missing:[/yellow] {_plain(sentence)}")
    if report.problem:
        say(f"[red]未发布 not published:[/red] {_plain(report.problem)}")
        say(f"[yellow]处理 remedy:[/yellow] {_plain(report.remedy)}")
    say_runbooks(report.runbooks)
    counts = ", ".join(f"{value:,} {name}" for name, value in report.counts.items())
    say(f"行 rows: {counts}")
    if report.published:
        as_of = report.published.as_of_on
        say(f"已发布 published: {report.published.version}, data as of {as_of}, {report.published.path}")
        say(f"内容哈希 content hash: {report.published.content_hash}")
    for line in told(report.findings_changed):
        say(line)
    print_anchor(report.anchor)
    mark = "[green]✓[/green]" if report.is_published else "[red]✗[/red]"
    say(f"{mark} {report.run_id}: {report.verdict}")
    say("接下来 next: oneledger reconcile" if report.is_published else "接下来 next: oneledger status")


def report_as_json(report: Any) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "verdict": report.verdict,
        "problem": report.problem,
        "remedy": report.remedy,
        "failure": report.failure,
        "runbooks": report.runbooks,
        "steps": report.steps,
        "counts": report.counts,
        "missing": report.missing,
        "lineage_problem": report.lineage_problem,
        "findings_changed": report.findings_changed,
        "failed_checks": [dataclasses.asdict(one) for one in report.failed_checks],
        "version": report.published.version if report.published else None,
        "content_hash": report.published.content_hash if report.published else None,
        "as_of_on": report.published.as_of_on if report.published else None,
        "anchor": report.anchor.anchor if report.anchor else None,
    }


def _plain(text: object) -> str:
    """Text as it is: square brackets in data are no markup."""
    return str(text).replace("[", r"\[")

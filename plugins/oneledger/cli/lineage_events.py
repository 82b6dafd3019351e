"""``lineage events``: the lineage events that runs told, in OpenLineage's format."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, fail, finish, print_table, say

LINEAGE_HELP = "Where figures come from, and what depends on them."
EVENTS_HELP = """The lineage events that runs told, in OpenLineage's format (docs/openlineage.md).

Examples:

    oneledger lineage events                        the runs that told events, and where events go

    oneledger lineage events --run 20261125T0200    one run (the first letters suffice), job by job

    oneledger lineage events --check                is every line an event as OpenLineage's schemas define it?

    oneledger lineage events --resend               send what a receiver did not take before
"""


def register(app: typer.Typer) -> None:
    """Add ``events`` to the verb ``lineage``; the verb is made here when no other room made it."""
    found = [one.typer_instance for one in app.registered_groups if one.name == "lineage"]
    lineage = found[0] if found and found[0] is not None else typer.Typer(help=LINEAGE_HELP, no_args_is_help=True)
    lineage.command("events", help=EVENTS_HELP)(events)
    if not found:
        # With a callback, a group of one command stays a group.
        lineage.callback()(lambda: None)
        app.add_typer(lineage, name="lineage", help=LINEAGE_HELP)


def events(
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="One run, job by job.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check every line against the schemas.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send what could not be sent before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when all is good, 1 when a job failed, a line is wrong or events could not be sent."""
    from oneledger.settings import load_settings

    if sum((run is not None, check, resend)) > 1:
        fail("--run, --check and --resend exclude each other.", "Give one of them.")
    settings = load_settings()
    if resend:
        _resend(settings, as_json)
    from oneledger.lineage.openlineage import reading

    if check:
        answer = reading.checked_files(settings)
    else:
        answer = reading.told_jobs(settings, run) if run else reading.told_runs(settings)
    if as_json:
        emit_json(answer)
        finish(answer["ok"])
    if check:
        _show_check(answer)
    elif run:
        _show_jobs(answer)
    else:
        _show_runs(answer)
    finish(answer["ok"])


def _resend(settings: Any, as_json: bool) -> None:
    from oneledger.lineage.openlineage.telling import resend

    told = resend(settings)
    if as_json:
        item = {"sent_count": told.events_count, "problem": told.problem, "expected": "all are sent",
                "remedy": told.remedy}  # fmt: skip
        emit_json({"ok": not told.problem, "items": [item]})
    elif told.problem:
        fail(f"{told.events_count} sent; {told.problem}", told.remedy, code=1)
    else:
        say(f"已发送 sent: {told.events_count} events")
    finish(not told.problem)


def _show_runs(answer: dict[str, Any]) -> None:
    rows = [
        {**one, "run_id": one["run_id"] or "Airflow", "failed": ", ".join(one["failed"])} for one in answer["items"]
    ]
    print_table(rows, {
        "run_id": "运行 run", "first_at": "自 from", "last_at": "至 to", "events_count": "事件 events",
        "jobs_count": "作业 jobs", "failed": "失败 failed",
    })  # fmt: skip
    say(f"去向 events go to: {answer['destination']}")


def _show_jobs(answer: dict[str, Any]) -> None:
    rows = [
        {
            **one,
            "outputs": ", ".join(one["outputs"]),
            "inputs_count": len(one["inputs"]),
            "assertions": f"{one['assertions_count'] - len(one['failed_assertions'])}/{one['assertions_count']}"
            if one["assertions_count"]
            else None,
            "problem": str(one["problem"])[:200].replace("[", r"\["),
        }
        for one in answer["items"]
    ]
    print_table(rows, {
        "job": "作业 job", "state": "状态 state", "seconds": "秒 s", "inputs_count": "输入 inputs",
        "outputs": "输出 outputs", "rows_count": "写入行 rows", "assertions": "通过 passed", "problem": "问题 problem",
    }, title=answer["run_id"])  # fmt: skip


def _show_check(answer: dict[str, Any]) -> None:
    if answer["items"]:
        rows = [{**one, "problem": str(one["problem"]).replace("[", r"\[")} for one in answer["items"][:50]]
        print_table(rows, {"file": "文件 file", "line": "行 line", "job": "作业 job", "problem": "问题 problem"})
    say(f"{answer['events_count']:,} events in {answer['files_count']} files, {len(answer['items'])} problems; "
        f"{answer['unsent_count']} events wait to be sent")  # fmt: skip

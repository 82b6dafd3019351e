"""The verb ``notices``: who was told what, and what stands open."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, finish, print_table, say

NOTICES_HELP = """What people were told by mail and webhook, and what stands open.

Channels are connections: oneledger_notice_mail (smtp://host:25/?from=a@b&to=x@y) and oneledger_notice_webhook
(https://host/path, form=dingtalk or wecom for robots), from Airflow or from AIRFLOW_CONN_… variables.

Examples:

    oneledger notices                what is open and what was sent, newest first

    oneledger notices --dry-run      what would be sent now

    oneledger notices send           send it (the DAGs do this after each task that fails and each publication)
"""
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    notices_app = typer.Typer(help=NOTICES_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    notices_app.callback(help=NOTICES_HELP)(notices)
    notices_app.command("send", help="Send what is new, changed or over; exit 1 when a channel did not take it.")(send)
    app.add_typer(notices_app, name="notices")


def notices(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the messages that would be sent now.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many sent messages, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List, or show what would be sent."""
    if context.invoked_subcommand:
        return
    from oneledger.notices.sending import send_notices
    from oneledger.notices.state import read_sent, read_state
    from oneledger.settings import load_settings

    settings = load_settings()
    if dry_run:
        _print(send_notices(settings, is_dry_run=True), "would be sent", as_json)
        return
    opened, sent = list(read_state(settings).values()), read_sent(settings, limit)
    if as_json:
        emit_json({"ok": True, "items": [one.__dict__ for one in opened], "sent": sent})
        return
    rows = [{**one.__dict__, "channels": ", ".join(sorted(one.channels))} for one in opened]
    headings = {
        "title": "未解决 open", "first_sent_at": "首次 first told (UTC)", "last_sent_at": "最近 last told (UTC)",
        "channels": "渠道 channels", "cause_id": "原因 cause",
    }  # fmt: skip
    print_table(rows, headings)
    print_table(
        sent, {"sent_at": "时间 at (UTC)", "channel": "渠道", "target": "对象 to", "state": "状态", "subject": "主题"}
    )


def send(as_json: Json = False) -> None:
    """Send now."""
    from oneledger.notices.sending import send_notices
    from oneledger.settings import load_settings

    report = send_notices(load_settings())
    _print(report, "sent", as_json)
    if not as_json and not report.channels:
        say("没有配置渠道 no channel is configured: set AIRFLOW_CONN_ONELEDGER_NOTICE_MAIL or …_WEBHOOK")
    finish(not report.problems)


def _print(report: Any, done: str, as_json: bool) -> None:
    if as_json:
        emit_json({"ok": not report.problems, "channels": report.channels, "problems": report.problems,
                   "items": [{**one.__dict__, "text": one.text} for one in report.messages]})  # fmt: skip
        return
    for message in report.messages:
        say(f"[bold]{_plain(message.subject)}[/bold]")
        for label, value in message.lines:
            if value:
                say(f"    {label}: {_plain(value)}")
    for problem in report.problems:
        say(f"[red]未送达 not sent:[/red] {_plain(problem)}")
    say(f"{len(report.messages)} messages {done} over {', '.join(report.channels) or 'no channel'}; "
        f"{len(report.open)} causes stand open")  # fmt: skip


def _plain(text: object) -> str:
    return str(text).replace("[", r"\[")

"""The verb ``findings``: the audit's findings, the state that the data give them, and what proves it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import console, emit_json, finish, print_table, say

FINDINGS_HELP = """The findings of the audit: office, due date, metric when found and now, target, state, days overdue.

A finding is closed only when every metric, computed on data from after the remedy, meets its target; when a later month
misses it, the finding is reopened. Exit 0 whatever the state; with `--check` 1 when a finding is overdue or reopened.

Examples:

    oneledger findings                     all of them

    oneledger findings --open              those that are not closed

    oneledger findings show 5              metrics, history, evidence with the commands that trace it, what to do

    oneledger findings --check --json      for a program that watches
"""
SHOW_HELP = """One finding: its metrics, history, evidence rows with the commands that trace them, and what to do.

Examples:

    oneledger findings show 5

    oneledger findings show 8 --rows 100

    oneledger findings show 4 --version 20221101T --json
"""
Version = Annotated[str, typer.Option(help="current, or the start of a version's name or content hash.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
OnlyOpen = Annotated[bool, typer.Option("--open", help="Leave out those that are closed.")]
Check = Annotated[bool, typer.Option("--check", help="Exit 1 when a finding is overdue or reopened.")]

_COLOURS = {"closed": "green", "closing": "yellow", "open": "red", "reopened": "red", "cannot_determine": "magenta",
            "met": "green", "missed": "red"}  # fmt: skip
_WORDS = {
    "open": "未整改", "closing": "整改中", "closed": "已销号", "reopened": "回退", "cannot_determine": "无法判定",
    "met": "达标", "missed": "未达标", "before_remedy": "整改前", "not_applicable": "不适用",
}  # fmt: skip
_COMPARISONS = {"at_most": "≤", "at_least": "≥", "greater_than": ">", "above_found": ">", "below_found": "<"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    room = typer.Typer(help=FINDINGS_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    room.callback(help=FINDINGS_HELP)(findings)
    room.command("list", help="The same as `oneledger findings`.")(list_them)
    room.command("show", help=SHOW_HELP)(show)
    app.add_typer(room, name="findings")


def findings(
    context: typer.Context, only_open: OnlyOpen = False, check: Check = False, version: Version = "current",
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the findings."""
    if context.invoked_subcommand is None:
        list_them(only_open, check, version, as_json)


def list_them(
    only_open: OnlyOpen = False, check: Check = False, version: Version = "current", as_json: Json = False
) -> None:
    """Exit 0; with --check 1 when a finding is overdue or reopened; 2 when nothing is published."""
    from oneledger.findings import list_findings
    from oneledger.settings import load_settings

    answer = list_findings(load_settings(), version, only_open=only_open)
    if as_json:
        emit_json(answer)
    else:
        _print_list(answer)
    finish(answer["ok"] or not check)


def show(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The finding's number on the list.")],
    list_year: Annotated[int | None, typer.Option("--year", help="Of which year's list; default the newest.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows of evidence for each metric.")] = 20,
    version: Version = "current",
    as_json: Json = False,
) -> None:
    """Exit 0 with the finding, 2 when there is none of this number."""
    from oneledger.findings import show_finding
    from oneledger.settings import load_settings

    answer = show_finding(load_settings(), number, version, list_year=list_year, rows=rows)
    if as_json:
        emit_json(answer)
        return
    _print_finding(answer)


def _print_list(answer: dict[str, Any]) -> None:
    items = [
        {
            "number": item["finding_number"],
            "state": _state(item["state"]),
            "title": f"{item['title_zh']} {item['title_en'] or ''}",
            "office": item["office"],
            "due": str(item["second_due_on"]),
            "metric": item["metric_title_zh"],
            "values": f"{_number(item['value_when_found'])} → {_number(item['value_now'])} → {_target(item)}",
            "overdue": item["overdue_days"],
        }
        for item in answer["items"]
    ]
    headings = {"number": "№", "state": "状态 state", "title": "问题 finding", "office": "责任处室 office",
                "due": "期限 due", "metric": "主指标 metric", "values": "发现→现在→目标 found→now→target",
                "overdue": "超期天数 days overdue"}  # fmt: skip
    print_table(items, headings, title=f"version {answer['version']}, data as of {answer['as_of_on']}")
    counts = ", ".join(f"{_WORDS[state]} {state} {count}" for state, count in sorted(answer["counts"].items()))
    say(f"{counts}. – = 无法判定 cannot be determined")
    say("下一步 next: oneledger findings show NUMBER")


def _print_finding(answer: dict[str, Any]) -> None:
    finding = answer["finding"]
    say(f"[bold]{finding['list_year']}/{finding['finding_number']} {_text(finding['title_zh'])}[/bold] "
        f"{_text(finding['title_en'])}")  # fmt: skip
    say(f"状态 state: {_state(finding['state'])}. {_text(finding['reason_zh'])}. {_text(finding['reason_en'])}")
    say(f"责任处室 office: {_text(finding['office'])}; 填报 reported: {finding['reported_state']}")
    say(f"收到 received {finding['received_on']}, 节点 due {finding['first_due_on']} / {finding['second_due_on']}, "
        f"整改 remedy {finding['remedy_on']} ({_text(finding['remedy_en'])}), "
        f"超期 overdue {finding['overdue_days']} days")  # fmt: skip
    if finding["closed_on"] or finding["reopened_on"]:
        say(f"销号 closed {finding['closed_on'] or '–'}, 回退 reopened {finding['reopened_on'] or '–'} "
            f"({finding['reopened_count']} 次 times)")  # fmt: skip
    for metric in answer["metrics"]:
        _print_metric(metric)
    say("")
    rows = [
        {
            "month": str(month["month"])[:7],
            "state": _state(month["state"]),
            "values": "; ".join(f"{_number(one['value'])} {_WORDS[one['state']]}" for one in month["metrics"]),
            "reason": _text(month["reason_en"]),
        }
        for month in answer["history"]
    ]
    headings = {"month": "月份 month", "state": "状态 state", "values": "各指标 metrics", "reason": "原因 reason"}
    print_table(rows, headings, title="沿革 history")


def _print_metric(metric: dict[str, Any]) -> None:
    say("")
    say(f"[bold]{_text(metric['title_zh'])}[/bold] {_text(metric['title_en'])}")
    reported = metric["reported_when_found"]
    why = f" ({metric['reason']})" if metric["reason"] else ""
    told = f", 报告 reported {_number(reported)}" if reported is not None else ""
    say(f"  发现 found {metric['found_on']}: {_number(metric['value_when_found'])}{told}; "
        f"现在 now {metric['measured_on']}: {_number(metric['value_now'])}; 目标 target {_target(metric)} "
        f"{metric['unit']}: {_state(metric['state'])}{why}")  # fmt: skip
    say(f"  依据 rule: {_text(metric['source'])}")
    if metric["missing_deliveries"]:
        say(f"  未报送 missing deliveries: {metric['missing_deliveries']}")
    if metric["state"] in ("missed", "cannot_determine"):
        say(f"  处理 remedy: {_text(metric['remedy_zh'])} {_text(metric['remedy_en'])}")
    _say_command(f"  {metric['trace']}")
    _say_command(f'  oneledger query "{metric["value_query"]}"')
    say(f"  证据 evidence: {metric['evidence_count']:,} rows of {metric['mart']}")
    for row in metric["evidence"]:
        _say_command(f"    {row['trace']}")
    if metric["evidence_count"] > len(metric["evidence"]):
        _say_command(f'    … all: oneledger query "{metric["evidence_query"]}"')


def _say_command(text: str) -> None:
    """Commands are to be copied: no markup, no wrapping."""
    console.print(text, markup=False, soft_wrap=True)


def _state(state: str) -> str:
    colour = _COLOURS.get(state)
    words = f"{_WORDS[state]} {state}"
    return f"[{colour}]{words}[/{colour}]" if colour else words


def _target(row: dict[str, Any]) -> str:
    if row["comparison"] is None:
        return "–"
    return f"{_COMPARISONS[row['comparison']]} {_number(row['target'])}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4f}".rstrip("0").rstrip(".")


def _text(value: object) -> str:
    return str(value or "").replace("[", r"\[")

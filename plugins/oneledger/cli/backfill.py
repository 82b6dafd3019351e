"""The verb ``backfill``: corrections as reviewed records, planned on a copy before anything happens."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, fail, finish, print_table, say

BACKFILL_HELP = """Backfills and corrections as reviewed records: plan on a copy, look, apply by name, keep the outcome.

Examples:

    oneledger backfill plan zheliban --from 2022-09-15 --to 2022-09-15 --name 李华 --reason "漏报一个发布端的访客"

    oneledger backfill show newest

    oneledger backfill apply newest --name 王敏 --reason "核对无误"

    oneledger backfill list
"""
PLAN_HELP = """Say what a backfill would change, by trying it on a copy of the installation; nothing else is changed.

It tells dates, batches that would be superseded, models concerned, rows received and admitted, tables and published
figures that change, apps whose stars change in draft runs, and confirmed runs that would differ (they never change).

Examples:

    oneledger backfill plan zheliban --from 2022-09-15 --to 2022-09-15 --name 李华 --reason "漏报一个发布端的访客"

    oneledger backfill plan irs --entity app --name 李华 --reason "主管部门更正类别" --reference 申诉2022-17

    oneledger backfill plan finance --entity spending --readmit --name 李华 --reason "来源目录更正单位"
"""
APPLY_HELP = """Carry a planned backfill out. Refused when the installation or the source changed since the plan.

Exit 0 when everything came as planned, 1 when it was refused, failed or came otherwise, 2 when there is no such plan.

Example:

    oneledger backfill apply newest --name 王敏 --reason "核对无误"
"""
Name = Annotated[str, typer.Option(help="Who does this, a person.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
Which = Annotated[str, typer.Argument(metavar="BACKFILL", help="Its id, the start of it, or newest.")]
_DAY = ["%Y-%m-%d"]

_STATES = {"planned": "待审核", "applying": "执行中", "applied": "已执行", "failed": "失败", "abandoned": "已放弃"}
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the verb."""
    room = typer.Typer(help=BACKFILL_HELP, no_args_is_help=True, rich_markup_mode="markdown")
    room.command("plan", help=PLAN_HELP)(plan)
    room.command("apply", help=APPLY_HELP)(apply)
    room.command("abandon", help="Say that a plan is not to be applied; it stays as it is.")(abandon)
    room.command("list", help="Every backfill with its state, newest first.")(list_them)
    room.command("show", help="One backfill: what was planned, who decided, what came of it.")(show)
    app.add_typer(room, name="backfill")


def plan(
    source: Annotated[str, typer.Argument(help="Whose deliveries.")],
    name: Name,
    reason: Reason,
    entity: Annotated[str | None, typer.Option(help="Which entity; needed when the source has several.")] = None,
    first: Annotated[
        dt.datetime | None, typer.Option("--from", formats=_DAY, help="First business date; default the first.")
    ] = None,
    last: Annotated[
        dt.datetime | None, typer.Option("--to", formats=_DAY, help="Last business date; default the last.")
    ] = None,
    readmit: Annotated[
        bool, typer.Option("--readmit", help="Do not ask the source: take the landed bytes again.")
    ] = False,
    reference: Annotated[str, typer.Option(help="Number of the appeal, letter or ticket.")] = "",
    as_of: Annotated[
        dt.datetime | None, typer.Option(formats=_DAY, help="Business date of deliveries that carry none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 with a plan that can be applied, 1 with one that cannot or with nothing to correct, 2 for wrong words."""
    from oneledger.catalogue import load_catalogue
    from oneledger.corrections.planning import plan as make_plan
    from oneledger.settings import load_settings

    settings = load_settings()
    if as_of:
        settings = dataclasses.replace(settings, as_of=as_of.date())
    entities = list(load_catalogue(settings).source(source).entities)
    if entity is None and len(entities) > 1:
        fail(f"{source} has several entities", f"choose one with --entity: {', '.join(entities)}")
    with _refusals(as_json):
        made = make_plan(
            settings, source, entity or entities[0], first.date() if first else dt.date.min,
            last.date() if last else dt.date.max, name=name, reason=reason, reference=reference,
            kind="readmit" if readmit else "fetch", progress=_silent if as_json else _progress,
        )  # fmt: skip
    _answer(made, made.plan["can_be_applied"], as_json)


def apply(backfill: Which, name: Name, reason: Reason, as_json: Json = False) -> None:
    """Carry it out."""
    from oneledger.corrections.applying import apply as carry_out
    from oneledger.settings import load_settings

    with _refusals(as_json):
        done = carry_out(
            load_settings(), backfill, name=name, reason=reason, progress=_silent if as_json else _progress
        )
    _answer(done, done.state == "applied" and bool((done.outcome or {}).get("as_planned")), as_json)


def abandon(backfill: Which, name: Name, reason: Reason, as_json: Json = False) -> None:
    """Exit 0 when it is given up, 1 when it is decided already, 2 when there is no such plan."""
    from oneledger.corrections.applying import abandon as give_up
    from oneledger.settings import load_settings

    with _refusals(as_json):
        done = give_up(load_settings(), backfill, name=name, reason=reason)
    _answer(done, True, as_json)


def list_them(as_json: Json = False) -> None:
    """List, newest first."""
    from oneledger.corrections.records import every_backfill
    from oneledger.settings import load_settings

    every = list(reversed(every_backfill(load_settings())))
    if as_json:
        emit_json({"ok": True, "items": [one.to_json() for one in every]})
        return
    rows = [
        {
            "id": one.backfill_id,
            "state": f"{_STATES[one.state]} {one.state}",
            "range": _range(one.to_json()["request"]),
            "by": one.planned_by,
            "reason": one.reason,
            "decided": (one.decision or {}).get("name"),
        }
        for one in every
    ]
    print_table(rows, {"id": "编号 id", "state": "状态 state", "range": "范围 range", "by": "提出 planned by",
                       "reason": "原因 reason", "decided": "决定 decided by"})  # fmt: skip


def show(backfill: Which, as_json: Json = False) -> None:
    """Show one."""
    from oneledger.corrections.records import find_backfill
    from oneledger.settings import load_settings

    _answer(find_backfill(load_settings(), backfill), True, as_json)


class _refusals:  # noqa: N801 - reads as a word in `with _refusals(…)`
    """Refusals end with exit code 1 and say why, as JSON when that was asked for."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from oneledger.corrections.records import CorrectionRefusedError
        from oneledger.runbooks import runbook_command

        if not isinstance(error, CorrectionRefusedError):
            return
        if self._as_json:
            emit_json({"ok": False, "items": [{"problem": str(error), "expected": "the backfill can be done",
                                               "remedy": "see the problem"}]})  # fmt: skip
            finish(False)
        fail(str(error), runbook_command(f"refusal:{type(error).__name__}"), code=1)


def _silent(_: str) -> None:
    """JSON answers stand alone on standard output."""


def _progress(message: str) -> None:
    errors.print(f"[dim]{message.replace('[', '(')}[/dim]")


def _answer(backfill: Any, is_good: bool, as_json: bool) -> None:
    content = backfill.to_json()
    if as_json:
        emit_json({"ok": is_good, **content})
        finish(is_good)
    _print(content)
    finish(is_good)


def _print(one: dict[str, Any]) -> None:
    request, plan = one["request"], one["plan"]
    say(f"[bold]{one['backfill_id']}[/bold] {_STATES[one['state']]} {one['state']}")
    say(f"范围 range: {_range(request)}; 方式 kind: {request['kind']}")
    say(f"原因 reason: {_plain(one['reason'])} {_plain(one['reference'])} ({_plain(one['planned_by'])}, "
        f"{one['planned_at']} UTC)")  # fmt: skip
    say(f"针对版本 planned against: {plan['planned_against']['version']}")
    if plan["also"]:
        say(f"[yellow]同时生效 comes with it:[/yellow] {'; '.join(plan['also'])}. To see the correction by itself, run "
            "`oneledger run` first and plan again.")  # fmt: skip
    rows = [{**batch, "supersedes": batch["supersedes"] or "–"} for batch in plan["batches"][:_SHOWN]]
    print_table(rows, {"batch_id": "批次 batch", "supersedes": "替换 supersedes", "rows_before": "原行数 rows before",
                       "rows_received": "新行数 rows received"},
                title=f"批次 batches: {len(plan['batches'])}")  # fmt: skip
    for date in plan["dates"]:
        say(f"日期 dates ({date['shape']}): {date['first']} – {date['last']}, {date['count']}")
    counts = {key: sum(row[key] or 0 for row in plan["admitted"]) for key in ("received", "accepted", "quarantined")}
    say("准入 admission: " + ", ".join(f"{value:,} {key}" for key, value in counts.items()))
    say(f"模型 models concerned: {len(plan['models'])}: {', '.join(plan['models'][:8])}"
        f"{' …' if len(plan['models']) > 8 else ''}")  # fmt: skip
    for problem in [*plan["refused"], *plan["closed"]]:
        say(f"[red]✗[/red] {_plain(problem)}")
    _print_changes(plan)
    if one["decision"]:
        by = one["decision"]
        say(f"决定 decided: {one['state']} by {_plain(by['name'])}, {by['decided_at']} UTC: {_plain(by['reason'])}")
    if outcome := one["outcome"]:
        _print_outcome(outcome)
    elif one["state"] == "planned":
        can = plan["can_be_applied"]
        say(f"下一步 next: oneledger backfill apply {one['backfill_id']} --name … --reason …" if can
            else "不可执行 cannot be applied: mend what is named above, then plan again")  # fmt: skip


def _print_changes(plan: dict[str, Any]) -> None:
    changes = plan["changes"]
    if changes["same_content"]:
        say("内容不变 the published content would stay the same")
        return
    print_table(changes["tables"], {"table": "数据表 table", "rows_before": "原行数 rows before",
                                    "rows_after": "新行数 rows after", "rows_gone": "消失 gone",
                                    "rows_new": "新增 new"},
                title="变化的表 tables that change (a changed row is one gone and one new)")  # fmt: skip
    for figure in changes["figures"]:
        say(f"公布数 figure {figure['title_zh']} {figure['figure_id']}: {figure['before']} → {figure['after']}")
    for draft in plan["drafts"]:
        if "problem" in draft:
            say(f"草案 draft {draft['period']}: {_plain(draft['problem'])}")
            continue
        gate = "" if draft["gate_is_open"] else " (its gate would stop it)"
        say(f"草案 draft {draft['period']}{gate}: {_bands(draft['before'])} → {_bands(draft['after'])}")
        _print_stars(draft["stars"])
    for run in plan["confirmed_runs"]:
        say(f"已确认 confirmed run {run['run_id']} ({_plain(run['confirmed_by'])}) stays as it is; evaluated again "
            f"{run['apps_that_would_differ']} apps would differ")  # fmt: skip


def _print_stars(stars: list[dict[str, Any]]) -> None:
    if not stars:
        say("  星级不变 no app's stars would change")
        return
    print_table(stars[:_SHOWN], {"app_id": "应用 app", "before": "原星级 stars before", "after": "新星级 stars after",
                                 "score_before": "原得分 score before", "score_after": "新得分 score after"},
                title=f"星级变化 stars that change: {len(stars)}")  # fmt: skip


def _print_outcome(outcome: dict[str, Any]) -> None:
    if "problem" in outcome:
        say(f"[red]✗[/red] {_plain(outcome['problem'])}")
        return
    say(f"结果 outcome: version {outcome['version_before']} → {outcome['version'] or 'none published'}, "
        f"run {outcome['run_id']}")  # fmt: skip
    for problem in [*outcome["refused"], *outcome["closed"]]:
        say(f"[red]✗[/red] {_plain(problem)}")
    if outcome["as_planned"]:
        say("[green]✓[/green] 与计划一致 everything came as planned")
    for difference in outcome["differences"]:
        say(f"[red]✗[/red] 与计划不符 not as planned: {difference['what']}")


def _bands(distribution: dict[str, int]) -> str:
    return ", ".join(f"{band}: {count}" for band, count in distribution.items())


def _range(request: dict[str, Any]) -> str:
    first = "–" if request["first"] == dt.date.min.isoformat() else request["first"]
    last = "–" if request["last"] == dt.date.max.isoformat() else request["last"]
    return f"{request['source']}.{request['entity']} {first} … {last}"


def _plain(text: object) -> str:
    return str(text or "").replace("[", r"\[")

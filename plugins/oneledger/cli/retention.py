"""The verb ``retention``: what would be removed, by which rule, and why the rest stays; removing it, on the record."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, finish, print_table, say

RETENTION_HELP = """How long published versions and what else can be made again are kept; landing is never removed.

The rule is config/retention.yml. Whatever it says, a version stays that a confirmed evaluation, an open finding, a
person's pin or a reader needs, and the current one with the one before it.

Examples:

    oneledger retention plan                       a dry run: what would go, and why each version stays

    oneledger retention apply --name 王敏 --reason "季度清理"

    oneledger retention pin 20221101T --name 王敏 --reason "提交人大的数字"

    oneledger retention unpin 20221101T
"""
_SHOWN = 50
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
Name = Annotated[str, typer.Option(help="Who decides it, a person.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    retention = typer.Typer(help=RETENTION_HELP, no_args_is_help=True, rich_markup_mode="markdown")
    retention.command("plan", help="A dry run: what the rule removes now, and why each version stays.")(plan)
    retention.command("apply", help="Remove what the plan names; who, why and what is kept under retention/.")(apply)
    retention.command("pin", help="Keep a version whatever the rule says.")(pin)
    retention.command("unpin", help="Leave a pinned version to the rule again.")(unpin)
    app.add_typer(retention, name="retention")


def plan(as_json: Json = False) -> None:
    """Nothing is removed."""
    from oneledger.audit.retention import plan_retention
    from oneledger.settings import load_settings

    found = plan_retention(load_settings())
    if as_json:
        emit_json({"ok": True, "rule": found.rule.model_dump(mode="json"), "freed_bytes": found.freed_bytes,
                   "items": [_as_json(one) for one in found.removals], "kept": found.kept})  # fmt: skip
        return
    kept = [{"version": name, "because": "; ".join(reasons)} for name, reasons in found.kept.items()]
    print_table(kept, {"version": "保留版本 kept version", "because": "因为 because"})
    _print_removals(found.removals, "将移除 would be removed")
    say(f"{len(found.removals):,} 项 things, {_megabytes(found.freed_bytes)}. 未移除任何东西。 Nothing was removed.")
    if found.removals:
        say('接下来 next: oneledger retention apply --name … --reason "…"')


def apply(name: Name, reason: Reason, as_json: Json = False) -> None:
    """Exit 0 when all of the plan is removed, 1 when a version is being read or the nightly writes."""
    from oneledger.audit.removing import apply_retention
    from oneledger.settings import load_settings

    done = apply_retention(load_settings(), name=name, reason=reason)
    if as_json:
        emit_json({"ok": not done.held, "record": done.record, "items": [_as_json(one) for one in done.removed],
                   "held": [one.subject for one in done.held]})  # fmt: skip
        finish(not done.held)
    _print_removals(done.removed, "已移除 removed")
    for one in done.held:
        say(f"[yellow]![/yellow] {one.subject}: 正被读取，下次再移除。 It is being read; next time.")
    freed = sum(one.freed_bytes for one in done.removed)
    say(f"{len(done.removed):,} 项 things, {_megabytes(freed)}. 记录 record: {done.record or '–'}")
    finish(not done.held)


def pin(version: Annotated[str, typer.Argument(metavar="VERSION")], name: Name, reason: Reason) -> None:
    """Keep a version."""
    from oneledger.audit.pins import pin as keep
    from oneledger.settings import load_settings

    made = keep(load_settings(), version, name=name, reason=reason)
    say(f"{made.version}: 已固定 pinned by {made.name}: {made.reason}")


def unpin(version: Annotated[str, typer.Argument(metavar="VERSION")]) -> None:
    """Leave it to the rule."""
    from oneledger.audit.pins import unpin as leave
    from oneledger.settings import load_settings

    say(f"{leave(load_settings(), version).version}: 不再固定 not pinned any more")


def _print_removals(removals: Any, title: str) -> None:
    rows = [
        {"kind": one.kind, "subject": one.subject, "size": _megabytes(one.freed_bytes), "rule": one.rule}
        for one in removals[:_SHOWN]
    ]
    headings = {"kind": "种类 kind", "subject": "对象 what", "size": "释放 freed", "rule": "规则 rule"}
    if rows:
        more = f" ({_SHOWN} of {len(removals):,})" if len(removals) > _SHOWN else ""
        print_table(rows, headings, title=f"{title}{more}")


def _as_json(removal: Any) -> dict[str, Any]:
    return {"kind": removal.kind, "subject": removal.subject, "paths": removal.paths[:_SHOWN],
            "paths_count": len(removal.paths), "freed_bytes": removal.freed_bytes, "rule": removal.rule}  # fmt: skip


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB"

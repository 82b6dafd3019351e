"""The verb ``quarantine``: what was kept out, letting it in, and a workbook for who sent it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, finish, print_table, say
from oneledger.cli.runbook import say_runbooks
from oneledger.runbooks import code_of_row_rule, page_of

QUARANTINE_HELP = """Rows that were kept out, with the reason and what to do.

Examples:

    oneledger quarantine list --source finance

    oneledger quarantine show --source zheliban --rule completions_within_starts --limit 50 --offset 50

    oneledger quarantine export --source finance --out /tmp/finance.xlsx

    oneledger quarantine release --source finance --rule in_proportion --name 王芳 --reason "合同原件核对无误" --dry-run
"""
RELEASE_HELP = """Judge quarantined rows again under today's rules and let in those that pass.

Do this once the rule or the catalogue is mended; codes that were registered meanwhile come in by themselves.
With --accept-anyway a person takes rows that still break a rule. Who, when, why and which rows is kept as a file
under releases/ and outlives `oneledger rebuild`. The next `oneledger run` publishes them.

Examples:

    oneledger quarantine release --source zheliban --rule pattern --name 李强 --reason "编码规则已更正" --dry-run

    oneledger quarantine release --source finance --batch finance.spending.202209.r001 --accept-anyway \\
        --name 王芳 --reason "大额支出属实，合同号 HZ-2022-118"
"""
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only this source.")]
EntityOption = Annotated[str | None, typer.Option("--entity", help="Only this entity of the source.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="Rule id as `quarantine list` shows it.")]
BatchOption = Annotated[str | None, typer.Option("--batch", help="Batch id.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    quarantine = typer.Typer(help=QUARANTINE_HELP, no_args_is_help=True, rich_markup_mode="markdown")
    quarantine.command("list", help="How many rows were kept out, by source, entity and rule.")(list_quarantine)
    quarantine.command("show", help="The rows: file, line, column, value, reason and remedy; conflicts side by side.")(
        show_quarantine
    )
    quarantine.command("release", help=RELEASE_HELP)(release)
    quarantine.command("releases", help="Who let which rows through, when and why.")(releases)
    quarantine.command("export", help="A workbook for the department: its rows, bad cells marked, what to do.")(export)
    app.add_typer(quarantine, name="quarantine")


def list_quarantine(
    source: SourceOption = None,
    entity: EntityOption = None,
    rule: RuleOption = None,
    batch: BatchOption = None,
    as_json: Json = False,
) -> None:
    """Counts by source, entity and rule."""
    from oneledger.quality.quarantine import Filter, quarantine_counts
    from oneledger.settings import load_settings

    found = quarantine_counts(load_settings(), Filter(source, entity, rule, batch))
    if as_json:
        emit_json({"ok": True, "items": found})
        return
    headings = {
        "source": "来源 source", "entity": "实体 entity", "rule_id": "规则 rule", "rows_count": "行 rows",
        "batches_count": "批次 batches", "newest_batch_id": "最近批次 newest batch", "since": "自 since (UTC)",
        "reason": "原因 reason", "remedy": "处理 remedy",
    }  # fmt: skip
    print_table([{**one, "reason": f"{one['reason_zh']} {one['reason_en']}", "remedy": one["remedy_zh"]}
                 for one in found], headings)  # fmt: skip
    say_runbooks(page_of(code_of_row_rule(one["rule_id"])) for one in found)
    say(f"{sum(one['rows_count'] for one in found):,} rows; see them with: oneledger quarantine show --source …")


def show_quarantine(
    source: SourceOption = None,
    entity: EntityOption = None,
    rule: RuleOption = None,
    batch: BatchOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest batch first.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first: the next page.")] = 0,
    as_json: Json = False,
) -> None:
    """The rows with where they stand in the file as received."""
    from oneledger.quality.quarantine import Filter, count_rows, quarantined_rows
    from oneledger.settings import load_settings

    settings, chosen = load_settings(), Filter(source, entity, rule, batch)
    found = quarantined_rows(settings, chosen, limit=limit, offset=offset)
    total = count_rows(settings, chosen)
    if as_json:
        emit_json({"ok": True, "items": found, "total": total, "limit": limit, "offset": offset})
        return
    for one in found:
        say(f"[bold]{one['batch_id']}[/bold] {one['file']} record {one['row_number']}, run {one['run_id']}")
        say(f"    {one['column_name']} = {_plain(one['value'])}   ({one['rule_id']})")
        say(f"    原因 reason: {_plain(one['reason_zh'])}; {_plain(one['reason_en'])}")
        say(f"    处理 remedy: {_plain(one['remedy_zh'])}; {_plain(one['remedy_en'])}")
        if one["line"]:
            say(f"    [dim]{_plain(one['line'])}[/dim]")
        for other in one.get("others", ()):
            say(f"    对照 beside record {other['row_number']} of {other['file_id']}:")
            for name, (here, there) in other["differs"].items():
                say(f"        {name}: {_plain(here)} | {_plain(there)}")
    following = f"; next page: --offset {offset + limit}" if offset + limit < total else ""
    say(f"{len(found)} of {total:,} shown{following}")


def release(
    name: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence for an auditor.")],
    source: SourceOption = None,
    entity: EntityOption = None,
    rule: RuleOption = None,
    batch: BatchOption = None,
    anyway: Annotated[bool, typer.Option("--accept-anyway", help="Take rows that still break a rule.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    as_json: Json = False,
) -> None:
    """Exit 0 when every chosen row is (or would be) let in or none was there, 1 when some stay."""
    from oneledger.catalogue import load_catalogue
    from oneledger.outcomes import new_run_id
    from oneledger.quality.quarantine import Filter
    from oneledger.quality.release import release_rows
    from oneledger.settings import load_settings

    settings = load_settings()
    report = release_rows(
        settings,
        load_catalogue(settings),
        Filter(source, entity, rule, batch),
        name=name,
        reason=reason,
        run_id=new_run_id(),
        is_anyway=anyway,
        is_dry_run=dry_run,
        progress=_silent if as_json else say,
    )
    is_good = not report.kept
    if as_json:
        emit_json(
            {
                "ok": is_good,
                "items": [
                    {"rule_id": rule_id, "rows_count": count, "problem": f"{count} rows still break {rule_id}",
                     "expected": "no such row", "remedy": _remedy(anyway, report.why_kept[rule_id])}
                    for rule_id, count in report.kept.items()
                ],
                "rows_count": report.rows_count,
                "passing_count": report.passing_count,
                "waived_count": report.waived_count,
                "release_id": report.release.release_id if report.release else None,
                "is_dry_run": dry_run,
            }
        )  # fmt: skip
        finish(is_good)
    would = "would be " if dry_run else ""
    say(f"{report.rows_count:,} rows: {report.passing_count:,} {would}admitted because they keep today's rules, "
        f"{report.waived_count:,} {would}taken as they are")  # fmt: skip
    for rule_id, count in report.kept.items():
        say(f"[yellow]留在隔离区 kept:[/yellow] {count:,} still break {rule_id}: "
            f"{_remedy(anyway, report.why_kept[rule_id])}")  # fmt: skip
    if report.release:
        say(f"已记录 recorded: {report.release.release_id} by {_plain(name)}. 接下来 next: oneledger run --from admit")
    finish(is_good)


def releases(as_json: Json = False) -> None:
    """Every decision, the newest first."""
    from oneledger.quality.release import released_decisions
    from oneledger.settings import load_settings

    found = released_decisions(load_settings())
    if as_json:
        emit_json({"ok": True, "items": found})
        return
    headings = {
        "release_id": "放行 release", "released_at": "时间 at (UTC)", "name": "决定人 who", "reason": "原因 why",
        "rows_count": "行 rows", "how": "方式 how", "what": "范围 what",
    }  # fmt: skip
    print_table([{**one, "how": "照收 as they are" if one["is_anyway"] else "复核通过 judged again",
                  "what": ", ".join(f"{key} {value}" for key, value in one["filters"].items())}
                 for one in found], headings)  # fmt: skip


def export(
    out: Annotated[Path, typer.Option(help="The workbook to write, ending in .xlsx.")],
    source: SourceOption = None,
    entity: EntityOption = None,
    rule: RuleOption = None,
    batch: BatchOption = None,
    as_json: Json = False,
) -> None:
    """Write the workbook."""
    from oneledger.catalogue import load_catalogue
    from oneledger.quality.quarantine import Filter
    from oneledger.quality.quarantine_workbook import export_quarantine
    from oneledger.settings import load_settings

    settings = load_settings()
    made = export_quarantine(settings, load_catalogue(settings), Filter(source, entity, rule, batch), out)
    if as_json:
        emit_json({"ok": True, "items": [{"path": made.path, "rows_count": made.rows_count,
                                          "marked_cells_count": made.marked_cells_count}]})  # fmt: skip
        return
    say(f"{made.path}: {made.rows_count:,} rows, {made.marked_cells_count:,} cells marked")


def _remedy(anyway: bool, why: str) -> str:
    return why if anyway else "mend the rule or the reference first, or --accept-anyway"


def _silent(_: str) -> None:
    """JSON answers have no progress."""


def _plain(text: Any) -> str:
    return str(text).replace("[", r"\[")

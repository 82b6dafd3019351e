"""The verb ``rebuild``: everything again from landing, in place or beside, and whether it equals what was published."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, fail, finish, print_table, say

REBUILD_HELP = """Make raw, warehouse and marts again from what was landed; the published version stays until the new one is ready.

With --prove nothing of the installation is touched: a published version is made again from landing in a place of its
own, and every table, every month and the whole are compared with what was published, hash for hash. The nightly and
readers go on meanwhile. It needs as much disk again as raw, warehouse and one version.

Examples:

    oneledger rebuild --from-landing

    oneledger rebuild --from-landing --prove                          the current version

    oneledger rebuild --from-landing --prove --version 20221101T      an earlier one, from the batches it was made of

    oneledger rebuild --from-landing --prove --as-of 2022-11-10 --json
"""  # noqa: E501


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("rebuild", help=REBUILD_HELP)(rebuild)


def rebuild(
    from_landing: Annotated[bool, typer.Option("--from-landing", help="Yes, make everything again.")] = False,
    prove: Annotated[bool, typer.Option("--prove", help="In a place of its own; compare with a version.")] = False,
    version: Annotated[str, typer.Option(help="With --prove: current, or the start of a version's name.")] = "current",
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="With --prove: the version published at the end of this day."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when rebuilt (with --prove: and equal), 1 when not; --from-landing, so that nobody starts it by a slip."""
    if not from_landing:
        fail("rebuild makes raw, warehouse and marts again from landing", "oneledger rebuild --from-landing")
    if prove:
        _prove(version, as_of.date() if as_of else None, as_json)
    if version != "current" or as_of:
        fail(
            "--version and --as-of say which version --prove is to make again",
            "oneledger rebuild --from-landing --prove",
        )
    from oneledger.audit.rebuild_verdict import equals_what_was_published
    from oneledger.cli.nightly import Live, print_report, report_as_json, silent
    from oneledger.pipeline.rebuilding import rebuild_and_publish
    from oneledger.publishing.versions import current_version
    from oneledger.settings import load_settings

    settings = load_settings()
    before = current_version(settings)
    report = rebuild_and_publish(settings, _no_line if as_json else say, silent if as_json else Live().show)
    verdict = equals_what_was_published(before, report.published if report.is_published else None)
    if as_json:
        emit_json({**report_as_json(report), "equals": verdict, "ok": report.is_published})
        finish(report.is_published)
    print_report(report)
    if verdict is not None:
        mark = "[green]✓[/green]" if verdict["is_equal"] else "[yellow]![/yellow]"
        say(f"{mark} {verdict['told']}")
    finish(report.is_published)


def _prove(version: str, as_of: dt.date | None, as_json: bool) -> None:
    from oneledger.audit.rebuild_proof import prove_rebuild
    from oneledger.settings import load_settings

    answer = prove_rebuild(load_settings(), version, as_of=as_of, progress=_no_line if as_json else _line)
    if as_json:
        emit_json(answer)
        finish(answer["ok"])
    for one in answer["changed_since"]:
        told = f" (commit {one['commit_then'][:12]})" if one.get("commit_then") else ""
        say(f"[yellow]已变更 changed since:[/yellow] {one['what']}: {one['then'][:16]}{told} → {one['now'][:16]}")
        if one.get("relations"):
            say(f"    {', '.join(one['relations'][:10])}{' …' if len(one['relations']) > 10 else ''}")
    for one in answer["landing"][:10]:
        say(f"[red]✗[/red] {one['batch_id']}: {_plain(one['problem'])}")
        say(f"    应为 expected: {one['expected']}")
    for one in answer["batches"]:
        say(f"[yellow]![/yellow] {one['batch_id']}: accepted {one['accepted_then']} then, {one['accepted_now']} now")
    different = [one for one in answer["items"] if not one["ok"]]
    for one in different[:10]:
        say(f"[red]✗[/red] {_plain(one['problem'])}{' ' + one['month'] if one['month'] else ''}")
    if different and different[0].get("cells"):
        rows = [
            {**cell, "key": ", ".join(f"{name} {value}" for name, value in cell["key"].items())}
            for cell in different[0]["cells"]
        ]
        headings = {"key": "行 row", "column": "列 column", "old": "公布 published", "new": "重算 made again"}
        print_table([{key: _plain(value) for key, value in row.items()} for row in rows], headings)
    for one in different[:1]:
        say(f"    处理 remedy: {_plain(one['remedy'])}")
    rebuilt = answer["rebuilt_content_hash"] or "–"
    say(f"公布 published {answer['version']}: {answer['content_hash']}")
    say(f"重算 made again from {answer['batches_count']:,} batches, models {answer['project']}: {rebuilt}")
    equal = sum(one["ok"] for one in answer["items"])
    if answer["ok"]:
        say(f"[green]✓[/green] 逐表逐月哈希一致。 Equal, hash for hash: {equal} tables and months.")
    else:
        say(f"[red]✗[/red] 不一致。 Not equal: {_plain(answer['first_difference'])}")
    finish(answer["ok"])


def _line(text: str) -> None:
    errors.print(_plain(text))


def _no_line(text: str) -> None:
    """JSON answers have no progress."""


def _plain(text: Any) -> str:
    return str(text).replace("[", r"\[")

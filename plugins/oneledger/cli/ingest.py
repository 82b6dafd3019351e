"""The verb ``ingest``: fetch what is new from the sources into landing and raw."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, finish, print_table, say
from oneledger.outcomes import Outcome, new_run_id

EXAMPLES = """Fetch what is new from the sources: land the bytes as received, convert them to raw.

Examples:

    oneledger ingest                          all sources

    oneledger ingest irs --entity app         one entity of one source

    oneledger ingest zheliban --dry-run       what would be fetched

    oneledger ingest irs --entity app --anew  all records, after the source mended some without a new time

    oneledger ingest --as-of 2022-10-31 --json
"""


def register(app: typer.Typer) -> None:
    """Add the verb ``ingest``."""
    app.command("ingest", help=EXAMPLES)(ingest)


def ingest(
    sources: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Default: all sources.")] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Business date of deliveries that carry none; later files wait."),
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Only this entity (repeat for more).")] = None,
    is_anew: Annotated[
        bool, typer.Option("--anew", help="Ask for everything, not only for what changed since the last time.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched, fetch nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when every delivery was taken, 1 when one was refused, 2 when the configuration is wrong."""
    from oneledger.catalogue import load_catalogue
    from oneledger.pipeline.ingest import active_sources, ingest_source
    from oneledger.pipeline.ingest_plan import plan_source
    from oneledger.settings import load_settings
    from oneledger.sources import resolve_connection

    settings = load_settings()
    if as_of:
        settings = dataclasses.replace(settings, as_of=as_of.date())
    catalogue = load_catalogue(settings)
    chosen = [catalogue.source(name) for name in sources] if sources else active_sources(catalogue)
    if entity and not sources:
        chosen = [source for source in chosen if set(entity) & set(source.entities)]
    for source in chosen:
        resolve_connection(source.connection)
        for name in entity or ():
            catalogue.entity(source.id, name)
    if dry_run:
        planned = [entry for source in chosen for entry in plan_source(source, settings, catalogue, entity)]
        _show_plan(planned, as_json)
        finish(True)
    run_id = new_run_id()
    outcomes: list[Outcome] = []
    for source in chosen:
        outcomes += ingest_source(
            source,
            settings,
            catalogue,
            run_id=run_id,
            entities=entity,
            is_anew=is_anew,
            progress=_quiet if as_json else _show_progress,
        )
    _show_outcomes(run_id, outcomes, as_json)
    finish(all(outcome.verdict != "failed" for outcome in outcomes))


def _quiet(source: str, entity: str, message: str, rows: int | None) -> None:
    """JSON answers stand alone on standard output."""


def _show_progress(source: str, entity: str, message: str, rows: int | None) -> None:
    errors.print(f"[dim]{source}.{entity}[/dim] {message}" + (f" ({rows:,} rows)" if rows else ""))


def _show_plan(planned: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        emit_json({"ok": True, "items": planned})
        return
    print_table(planned, {"source": "来源 source", "entity": "实体 entity", "would": "将会 would"})


def _show_outcomes(run_id: str, outcomes: list[Outcome], as_json: bool) -> None:
    failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
    if as_json:
        items = [
            {**outcome.to_json(), "problem": outcome.message, "expected": "the delivery is taken"}
            if outcome.verdict == "failed" else outcome.to_json()
            for outcome in outcomes
        ]  # fmt: skip
        emit_json({"ok": not failed, "run_id": run_id, "items": items})
        return
    print_table(_summary(outcomes), {
        "source": "来源 source", "entity": "实体 entity", "batches": "批次 batches", "rows": "行 rows",
        "unchanged": "未变 unchanged", "waiting": "等待 waiting", "failed": "失败 failed",
    }, title=f"ingest {run_id}")  # fmt: skip
    for outcome in outcomes:
        if outcome.verdict in ("failed", "warning"):
            colour = "red" if outcome.verdict == "failed" else "yellow"
            say(f"[{colour}]{outcome.verdict}[/{colour}] {_about(outcome)}: {outcome.message}")
            say(f"  处理 remedy: {outcome.remedy}")
    if not failed:
        say("下一步 next: oneledger run")


def _about(outcome: Outcome) -> str:
    return ".".join(part for part in (outcome.source, outcome.entity) if part) or outcome.step


def _summary(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for outcome in outcomes:
        key = (outcome.source or "", outcome.entity or "")
        row = rows.setdefault(key, {"source": key[0], "entity": key[1], "batches": 0, "rows": 0, "unchanged": 0,
                                    "waiting": 0, "failed": 0})  # fmt: skip
        if outcome.verdict == "failed":
            row["failed"] += 1
        elif outcome.verdict in ("unchanged", "skipped"):
            row["unchanged" if outcome.verdict == "unchanged" else "waiting"] += 1
        elif outcome.step == "load_raw":
            row["batches"] += 1
            row["rows"] += outcome.received_count or 0
    return list(rows.values())

"""The verb ``lineage``: columns back to the sources, and what uses a column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from oneledger.cli.output import emit_json, fail, finish, say

if TYPE_CHECKING:
    from oneledger.lineage.column_graph import ColumnGraph
    from oneledger.lineage.ground import VersionModels
    from oneledger.settings import Settings

LINEAGE_HELP = """Where figures come from, and what depends on them, column by column (docs/lineage.md).

Examples:

    oneledger lineage marts.app_usage_month.visitors_count      back to the columns of the sources

    oneledger lineage marts.app_usage_month                     a table: each column and what it is made of

    oneledger lineage marts.published_figure.computed_value --where figure_id=apps_five_star

    oneledger lineage uses zheliban.usage.visitors_count        the other way: what uses it

    oneledger lineage page --out lineage.html                   all of it as a page to browse, without a network

    oneledger lineage check                                     does each column come from something?
"""
SHOW_HELP = """A column back to the sources, or a table; the word `show` may be left out.

Examples:

    oneledger lineage show evaluation.app_stars.stars

    oneledger lineage show app_usage_month.visitors_count --deciding

    oneledger lineage show evaluation.indicator_measure.numerator --where metric_id=visitors_per_wan --json
"""
USES_HELP = """What uses a column of a source, of a rule or of a model: columns, indicators, stars, figures, readers.

Examples:

    oneledger lineage uses zheliban.usage.visitors_count

    oneledger lineage uses irs.app.keyApp                       by the source's own name for it

    oneledger lineage uses evaluation.star_band.minimum_score

    oneledger lineage uses project_library.project.budget_cny --all --json
"""
PAGE_HELP = """Write the whole lineage as one HTML file: graph, table, search; no network needed.

Examples:

    oneledger lineage page --out lineage.html

    oneledger lineage page --column evaluation.app_stars.stars --out stars.html     opens at this column
"""
CHECK_HELP = """Does every column of the marts and the evaluation reach a source column, a rule or a declared constant?

Examples:

    oneledger lineage check

    oneledger lineage check --json
"""
Version = Annotated[str, typer.Option(help="current, or the start of a version's name or content hash.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


class ShowsByDefault(TyperGroup):
    """``oneledger lineage NAME`` is ``oneledger lineage show NAME``."""

    # typer brings a click of its own, whose types have no public name.
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    lineage = typer.Typer(cls=ShowsByDefault, help=LINEAGE_HELP, no_args_is_help=True, rich_markup_mode="markdown")
    lineage.command("show", help=SHOW_HELP)(show)
    lineage.command("uses", help=USES_HELP)(uses)
    lineage.command("page", help=PAGE_HELP)(page)
    lineage.command("check", help=CHECK_HELP)(check)
    app.add_typer(lineage, name="lineage", help=LINEAGE_HELP)


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="schema.table.column, or schema.table.")],
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Only rows in which a column has this value.")
    ] = None,
    deciding: Annotated[
        bool, typer.Option("--deciding", help="Name every column that only decides about a step.")
    ] = False,
    version: Version = "current",
    as_json: Json = False,
) -> None:
    """Exit 0 with the answer, 2 when nothing has this name."""
    from oneledger.cli import lineage_text
    from oneledger.lineage.column_answers import table_graph, way_back
    from oneledger.lineage.column_names import found_columns
    from oneledger.lineage.column_narrow import Narrowing

    _, models, graph = _read(version)
    columns = found_columns(graph, name)
    is_table = len(columns) > 1
    if where and is_table:
        fail(f"{name} is a table, and --where narrows a column.", f"for instance {columns[-1].name}")
    if where:
        values = dict(_pair(one) for one in where)
        graph = Narrowing(graph, models).narrowed(columns[0].name, values)
    answer = table_graph(graph, columns[0].relation) if is_table else way_back(graph, columns[0].name)
    if as_json:
        emit_json({"ok": True, "version": graph.version, "notes": list(graph.notes), **answer})
        return
    if is_table:
        lineage_text.show_table(answer)
    else:
        lineage_text.show_way_back(answer, where or [], names_all=deciding)
    _say_notes(graph)


def uses(
    name: Annotated[str, typer.Argument(metavar="NAME", help="source.entity.column, or schema.table.column.")],
    every: Annotated[bool, typer.Option("--all", help="Also what depends on it only through conditions.")] = False,
    version: Version = "current",
    as_json: Json = False,
) -> None:
    """Exit 0 with the answer, 2 when nothing has this name."""
    from oneledger.cli import lineage_text
    from oneledger.lineage.column_impact import impact
    from oneledger.lineage.column_names import found_columns

    settings, models, graph = _read(version)
    answer = impact(settings, graph, models, found_columns(graph, name))
    if as_json:
        emit_json({"ok": True, "version": graph.version, "notes": list(graph.notes), **answer})
        return
    lineage_text.show_uses(answer, shows_all=every)
    _say_notes(graph)


def page(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
    column: Annotated[str | None, typer.Option(metavar="NAME", help="The column at which it opens.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    version: Version = "current",
    as_json: Json = False,
) -> None:
    """Exit 0 when the file is written, 2 when it exists or cannot be written."""
    from oneledger.lineage.column_names import found_columns
    from oneledger.lineage.column_page import lineage_page

    if out.exists() and not force:
        fail(f"{out} exists.", "give another --out, or --force to replace it")
    if not out.parent.is_dir():
        fail(f"{out.parent} is no folder.", "make it, or give another --out")
    _, _, graph = _read(version)
    opened = found_columns(graph, column)[0].name if column else None
    out.write_text(lineage_page(graph, opened), encoding="utf-8")
    if as_json:
        emit_json({"ok": True, "version": graph.version, "path": out, "columns_count": len(graph.nodes)})
        return
    say(f"{len(graph.nodes):,} columns of {len(graph.relations):,} tables of version {graph.version} → {out}")


def check(version: Version = "current", as_json: Json = False) -> None:
    """Exit 0 when each column reaches something, 1 when one does not."""
    from oneledger.lineage.column_answers import completeness

    _, _, graph = _read(version)
    answer = completeness(graph)
    if as_json:
        emit_json(answer)
        finish(answer["ok"])
    for one in answer["items"]:
        say(f"[red]✗[/red] {one['problem']}")
        say(f"    处理 remedy: {one['remedy']}".replace("[", r"\["))
    reached = ", ".join(f"{kind} {count:,}" for kind, count in answer["reached"].items())
    say(f"{answer['checked_count']:,} columns of marts and evaluation; they reach: {reached}.")
    say(f"集市与评价共 {answer['checked_count']:,} 列，其中 {len(answer['items']):,} 列无来源。")
    _say_notes(graph)
    finish(answer["ok"])


def _read(version: str) -> tuple[Settings, VersionModels, ColumnGraph]:
    from oneledger.lineage.column_reading import read_graph
    from oneledger.lineage.column_uses import LineageError
    from oneledger.lineage.ground import read_models
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    settings = load_settings()
    chosen = resolve(settings, version)
    try:
        return settings, read_models(chosen), read_graph(settings, chosen)
    except LineageError as error:
        fail(f"the lineage of version {chosen.version} cannot be read: {error}".replace("[", r"\["),
             "write this part of the model's SQL in a form that docs/lineage.md names")  # fmt: skip


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        fail(f"--where is {text!r}", "write it as COLUMN=VALUE, for instance --where figure_id=apps_five_star")
    return name.strip().lower(), value.strip()


def _say_notes(graph: Any) -> None:
    for one in graph.notes:
        say(f"[yellow]![/yellow] {one}".replace("[/]", ""))

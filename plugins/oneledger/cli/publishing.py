"""The verbs ``query``, ``export``, ``reconcile`` and ``versions``, each on the current version or an earlier one."""

from __future__ import annotations

import csv
import datetime as dt
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, errors, fail, finish, print_table, say
from oneledger.cli.runbook import say_runbooks
from oneledger.cli.verify import say_anchor
from oneledger.runbooks import page_of

QUERY_HELP = """Ask a published version in SQL: marts.…, evaluation.…, and daily facts as facts.…; nothing can be written.

Examples:

    oneledger query "select app_id, month, visitors_count from marts.app_usage_month order by visitors_count desc limit 5"

    oneledger query "select usage_on, sum(visitors_count) from facts.fct_app_usage_day group by 1 order by 1" --csv

    oneledger query "show all tables" --json

    oneledger query "select count(*) from marts.dim_project" --version 20221101T

    oneledger query "select count(*) from marts.dim_project" --as-of 2022-11-10    as published at the end of that day
"""  # noqa: E501
EXPORT_HELP = """Write a published table, or the answer to a query, to a file.

In a CSV, text cells that begin with = + - @ get a leading ' so that no spreadsheet runs them as formulas (how many is
said); the file begins with a mark by which Excel knows UTF-8. In an Excel file they are text as they are, the header is
frozen, and a second sheet holds the definitions. An existing file is replaced only with --force.

Examples:

    oneledger export app_usage_month --format xlsx --out app_usage_month.xlsx

    oneledger export --sql "from marts.low_use_verdict where verdict = 'low_use'" --format csv --out low_use.csv

    oneledger export fct_app_usage_day --format parquet --out usage.parquet --force

    oneledger export app_usage_month --format csv --out then.csv --as-of 2022-11-10
"""
RECONCILE_HELP = """The published figures of the audit reply beside the computed ones, the difference, mart and filter.

Examples:

    oneledger reconcile

    oneledger reconcile --version 20221101T --json

    oneledger reconcile --as-of 2022-11-10
"""
VERSIONS_HELP = """The published versions, newest first.

Examples:

    oneledger versions

    oneledger versions show                        the current one: hashes, tables, months, batches

    oneledger versions show --as-of 2022-11-10     the one that was current when that day ended in the city
"""
Version = Annotated[str, typer.Option(help="current, or the start of a version's name or content hash.")]
AsOf = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="In place of --version: as published at the end of this day in the city."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("query", help=QUERY_HELP)(query)
    app.command("export", help=EXPORT_HELP)(export)
    app.command("reconcile", help=RECONCILE_HELP)(reconcile)
    versions_app = typer.Typer(help=VERSIONS_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    versions_app.callback(help=VERSIONS_HELP)(versions)
    versions_app.command("show", help="One version: what it was made of, its tables and its hashes.")(show)
    app.add_typer(versions_app, name="versions")


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL")],
    version: Version = "current",
    as_of: AsOf = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV.")] = False,
) -> None:
    """Exit 0 with the answer, 2 when the SQL is wrong or would write."""
    from oneledger.publishing.query import QueryRefusedError, open_version, run_query
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    settings = load_settings()
    found = resolve(settings, version, as_of=as_of.date() if as_of else None)
    try:
        with open_version(settings, found) as connection:
            columns, cursor = run_query(connection, sql)
            if as_csv:
                writer = csv.writer(sys.stdout)
                writer.writerow(columns)
                while rows := cursor.fetchmany(10_000):
                    writer.writerows(rows)
                errors.print(answered_by(found))
                return
            names = _distinct(columns)
            answer = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except QueryRefusedError as error:
        fail(str(error), 'oneledger query "show all tables"')
    if as_json:
        emit_json({"ok": True, "version": found.version, "as_of_on": found.as_of_on, "columns": columns,
                   "items": answer})  # fmt: skip
        return
    print_table(
        [{key: _shown(value) for key, value in row.items()} for row in answer], dict(zip(names, names, strict=True))
    )
    say(f"{len(answer):,} rows")
    errors.print(answered_by(found))


def export(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]")] = None,
    sql: Annotated[str | None, typer.Option(help="A query in place of a table.")] = None,
    file_format: Annotated[str, typer.Option("--format", help="csv, parquet or xlsx.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    version: Version = "current",
    as_of: AsOf = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Exit 0 when the file is written, 2 when the arguments are wrong or the file exists."""
    from oneledger.publishing.export import FORMATS
    from oneledger.publishing.export import export as write_export
    from oneledger.publishing.query import QueryRefusedError
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    chosen = next((one for one in FORMATS if one == file_format), None)
    if chosen is None:
        fail(f"--format is {file_format!r}", f"choose one of {', '.join(FORMATS)}")
    if out is None:
        fail("--out is missing", "name the file to write, for instance --out usage.csv")
    settings = load_settings()
    try:
        found = resolve(settings, version, as_of=as_of.date() if as_of else None)
        made = write_export(settings, found, out=out, file_format=chosen, table=table, sql=sql, force=force)
    except QueryRefusedError as error:
        fail(str(error))
    if as_json:
        emit_json({"ok": True, **made.__dict__})
        return
    say(f"{made.rows_count:,} rows of version {made.version} → {made.path}")
    if made.escaped_cells_count:
        say(f"{made.escaped_cells_count:,} text cells begin with = + - @; they got a leading ' so that none is run.")


def reconcile(version: Version = "current", as_of: AsOf = None, as_json: Json = False) -> None:
    """Exit 0 when every figure matches, 1 when one does not."""
    from oneledger.publishing.reconcile import reconcile as compare
    from oneledger.settings import load_settings

    answer = compare(load_settings(), version, as_of=as_of.date() if as_of else None)
    if as_json:
        emit_json(answer)
        finish(answer["ok"])
    headings = {
        "title_zh": "指标", "title_en": "figure", "published_value": "公布 published",
        "computed_value": "计算 computed", "difference": "差 difference", "is_matched": "一致 matched",
        "mart": "集市 mart", "filter": "条件 filter",
    }  # fmt: skip
    items = [{**item, "filter": (item["filter"] or "").replace("[", r"\[")} for item in answer["items"]]
    print_table(items, headings, title=f"version {answer['version']}, data as of {answer['as_of_on']}")
    for item in answer["items"]:
        if "problem" in item:
            say(f"[red]✗[/red] {item['problem']}")
            say(f"    {item['remedy']}".replace("[", r"\["))
    say_runbooks([page_of("figure:differs")] if not answer["ok"] else [])
    matched = sum(item["is_matched"] is True for item in items)
    say(f"{matched} of {len(items)} published figures match. 公布数字 {len(items)} 项，一致 {matched} 项。")
    say_anchor()
    finish(answer["ok"])


def versions(context: typer.Context, as_json: Json = False) -> None:
    """List published versions, newest first."""
    if context.invoked_subcommand:
        return
    from oneledger.audit.anchors import current_anchor
    from oneledger.publishing.versions import current_version, list_versions
    from oneledger.settings import load_settings

    settings = load_settings()
    current = current_version(settings)
    items = [
        {
            "version": one.version,
            "is_current": current is not None and one.version == current.version,
            "created_at": one.created_at,
            "as_of_on": one.as_of_on,
            "content_hash": one.content_hash,
            "run_id": one.manifest["run_id"],
        }
        for one in reversed(list_versions(settings))
    ]
    anchor = current_anchor(settings)
    if as_json:
        emit_json({"ok": True, "items": items, "anchor": anchor.anchor if anchor else None})
        return
    headings = {"version": "版本 version", "is_current": "当前 current", "created_at": "发布 created (UTC)",
                "as_of_on": "数据截至 as of", "content_hash": "内容哈希 content hash"}  # fmt: skip
    print_table(items, headings)
    say_anchor()


def show(
    version: Annotated[str, typer.Argument(metavar="[VERSION]")] = "current",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """One version; of a removed one what is still known."""
    from oneledger.publishing.versions import describe
    from oneledger.settings import load_settings

    found = describe(load_settings(), version, as_of=as_of.date() if as_of else None)
    if as_json:
        emit_json({"ok": True, "items": [found]})
        return
    manifest = found["manifest"]
    if found["removed"]:
        removed = found["removed"]
        say(f"[yellow]已移除 removed[/yellow] on {removed['removed_at'][:10]} by {removed['removed_by']}: "
            f"{removed['reason']} ({removed['rule']})")  # fmt: skip
    for label, text in (
        ("版本 version", found["version"]), ("发布 created (UTC)", manifest["created_at"]),
        ("数据截至 as of", manifest.get("as_of_on")), ("内容哈希 content hash", manifest["content_hash"]),
        ("运行 run", manifest["run_id"]), ("前一版本 previous", manifest["previous_version"]),
        ("模型哈希 models hash", manifest["models_hash"]), ("规则哈希 rules hash", manifest["rules_hash"]),
        ("批次 batches", f"{manifest['batches']['batches_count']:,}"),
    ):  # fmt: skip
        say(f"{label}: {text or '–'}")
    headings = {"name": "表 table", "rows_count": "行 rows", "content_hash": "内容哈希 content hash"}
    months = [{**one, "name": f"facts.{one['fact']}.{one['month']}"} for one in manifest["facts"]]
    print_table([*manifest["tables"], *months], headings)


def answered_by(version: Any) -> str:
    """One line for standard error: which version an answer comes from."""
    return f"[dim]版本 version {version.version}, data as of {version.as_of_on}[/dim]"


def _distinct(columns: list[str]) -> list[str]:
    """Column names with a number where one repeats, so that no value is lost."""
    seen: dict[str, int] = {}
    names = []
    for column in columns:
        seen[column] = seen.get(column, 0) + 1
        names.append(column if seen[column] == 1 else f"{column}_{seen[column]}")
    return names


def _shown(value: object) -> object:
    return value.replace("[", r"\[") if isinstance(value, str) else value

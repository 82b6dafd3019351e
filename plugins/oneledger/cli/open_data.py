"""The verbs ``open-data list`` and ``open-data export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oneledger.cli.output import emit_json, print_table, say
from oneledger.cli.publishing import AsOf, Json, Version

HELP = """What may be public: a reviewed list, and a data package of it with small counts of people suppressed.

Examples:

    oneledger open-data list

    oneledger open-data export --out /tmp/open-data
"""
LIST_HELP = """What config/open_data.yml allows to be public: columns, why, who decided, since when.

Examples:

    oneledger open-data list

    oneledger open-data list --json
"""
EXPORT_HELP = """Write a data package: CSV and Parquet of each public table, and datapackage.json that describes them.

Counts from 1 to under the limit in force are withheld, with what would give them away; column status says suppressed,
missing or reported. The same version and list give the same bytes. What is not listed is refused.

Examples:

    oneledger open-data export --out /tmp/open-data

    oneledger open-data export --out /tmp/apps --table marts.dim_app --table app-usage-month

    oneledger open-data export --out /tmp/then --as-of 2022-11-10

    oneledger open-data export --out /tmp/open-data --force        replace the data package that is there
"""


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    room = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown")
    room.command("list", help=LIST_HELP)(list_command)
    room.command("export", help=EXPORT_HELP)(export)
    app.add_typer(room, name="open-data")


def list_command(as_json: Json = False) -> None:
    """Exit 0 with the list, 2 when the file is wrong."""
    from oneledger.open_data import read_open_data
    from oneledger.settings import load_settings

    listed = read_open_data(load_settings())
    items = [one.model_dump(by_alias=True) for one in listed.tables]
    if as_json:
        rules = [one.model_dump() for one in listed.suppression]
        emit_json({"ok": True, "licence": listed.licence.model_dump(), "suppression": rules, "items": items})
        return
    headings = {"table": "表 table", "public": "公开列 public columns", "guard": "小数抑制 suppression",
                "decided_by": "决定 decided by", "since": "起 since", "why": "理由 why"}  # fmt: skip
    rows = [
        {**one, "public": ", ".join(one["columns"]), "guard": one["suppress"]["count"] if one["suppress"] else None}
        for one in items
    ]
    print_table(rows, headings)
    say(f"许可 licence: {listed.licence.name}. Nothing else may be public. 未列入者一律不公开。")


def export(
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    table: Annotated[list[str] | None, typer.Option(help="Only this table or resource; may be repeated.")] = None,
    version: Version = "current",
    as_of: AsOf = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a data package that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Exit 0 when it is written, 2 when a table is not public or the folder may not be replaced."""
    from oneledger.open_data import export_open_data
    from oneledger.publishing.versions import resolve
    from oneledger.settings import load_settings

    settings = load_settings()
    found = resolve(settings, version, as_of=as_of.date() if as_of else None)
    made = export_open_data(settings, found, out=out, tables=table or None, force=force)
    if as_json:
        emit_json({"ok": True, **made.__dict__, "not_yet_public": list(made.not_yet_public)})
        return
    print_table(
        [{"name": name, "rows": rows} for name, rows in made.resources.items()],
        {"name": "资源 resource", "rows": "行 rows"},
    )
    say(f"{made.suppressed_rows_count:,} rows and {made.suppressed_totals_count:,} totals are suppressed. "
        f"小数抑制 {made.suppressed_rows_count:,} 行、{made.suppressed_totals_count:,} 个合计。")  # fmt: skip
    for one in made.not_yet_public:
        say(f"[yellow]尚未公开 not yet public[/yellow]: {one}")
    say(f"version {made.version} → {made.path}")

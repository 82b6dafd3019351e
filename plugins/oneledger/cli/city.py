"""``oneledger city``: build, serve and spoil the synthetic city."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from oneledger.cli.output import emit_json, fail, finish, print_table, say
from oneledger.settings import ConfigurationError, Settings, load_settings

_city = typer.Typer(
    name="city",
    help="The synthetic city 合成城市: its source systems, generated and labelled as such.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Out = Annotated[
    Path | None, typer.Option("--out", "--home", help="The city's folder; default: city/ under ONELEDGER_HOME.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add ``oneledger city``."""
    app.add_typer(_city)


@_city.command()
def build(
    scale: Annotated[int, typer.Option(help="1 is the reference city; N multiplies apps, projects, requests.")] = 1,
    first: Annotated[str, typer.Option("--from", help="First day, yyyy-mm-dd.")] = "2021-01-01",
    last: Annotated[str, typer.Option("--to", help="Last day, yyyy-mm-dd.")] = "2022-10-31",
    usage_from: Annotated[str | None, typer.Option("--usage-from", help="First day with usage (load tests).")] = None,
    calls_from: Annotated[
        str | None, typer.Option("--calls-from", help="First day with interface calls; default --usage-from.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What everything is drawn from.")] = 1,
    project_library: Annotated[
        str | None, typer.Option("--project-library", help="SQLAlchemy URI; default SQLite in the city's folder.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the city that is there and build anew.")] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write the city's own systems; on an existing city only the new days.

    Examples:

        oneledger city build

        oneledger city build --to 2022-11-01

        oneledger city build --scale 100 --from 2022-10-01 --to 2022-10-31 --out /tmp/big

        oneledger city build --fresh --project-library postgresql://bureau:secret@127.0.0.1/library
    """
    from oneledger.city.build import CityPlan, build_city
    from oneledger.city.work_progress import WorkProgress

    settings = load_settings()
    plan = CityPlan(
        scale=scale, first=_day("--from", first), last=_day("--to", last), seed=seed,
        usage_from=_day("--usage-from", usage_from) if usage_from else None,
        calls_from=_day("--calls-from", calls_from) if calls_from else None,
        project_library=project_library, is_fresh=fresh,
    )  # fmt: skip
    folder = _folder(out, settings)
    try:
        with WorkProgress() as progress:
            manifest = build_city(plan, settings, folder, progress)
    except ConfigurationError as error:
        fail(str(error))
    if as_json:
        emit_json({"ok": True, "city": str(folder), "rows": manifest.rows,
                   "first_on": manifest.first_on, "last_on": manifest.last_on, "seed": manifest.seed,
                   "scale": manifest.scale, "expected_quarantined": manifest.expected_quarantined})  # fmt: skip
        return
    say(f"合成城市 synthetic city, {manifest.first_on} to {manifest.last_on}, scale {manifest.scale}: {folder}")
    say(f"{sum(manifest.rows.values()):,} rows. Next: oneledger city serve")


@_city.command()
def serve(
    port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Answer as of this day; default the city's last.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="ONELEDGER_CITY_TOKEN", help="Bearer token; default the one in connections.env."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second before 429; 0 no limit; default 8 times the scale.")
    ] = None,
    out: Out = None,
) -> None:
    """Serve the city's HTTP API until it is ended; writes address and token to connections.env.

    Examples:

        oneledger city serve

        oneledger city serve --port 8123 --as-of 2022-06-30

        oneledger city serve --rate 0
    """
    from oneledger.city.server import ServePlan, serve_city

    settings = load_settings()
    plan = ServePlan(host, port, _day("--as-of", as_of) if as_of else None, token, rate)
    try:
        serve_city(plan, settings, _folder(out, settings), lambda text: typer.echo(text, err=True))
    except ConfigurationError as error:
        fail(str(error))


@_city.command(name="break")
def break_(
    kind: Annotated[str | None, typer.Argument(help="What to spoil; see --list.")] = None,
    list_kinds: Annotated[bool, typer.Option("--list", help="List what can be spoiled.")] = False,
    day: Annotated[
        str | None, typer.Option("--day", help="The day whose delivery is spoiled; default the last.")
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Spoil one thing in the source systems on purpose, for tests and demonstrations.

    Examples:

        oneledger city break --list

        oneledger city break truncated_file --day 2022-10-31

        oneledger city break html_error_page

    Mend it with: oneledger city mend
    """
    from oneledger.city.breaking import KINDS, break_city

    if list_kinds or kind is None:
        items = [found.to_json() for found in KINDS.values()]
        if as_json:
            emit_json({"ok": True, "items": items})
        else:
            print_table(items, {"kind": "kind", "title_zh": "破坏", "title_en": "what it does",
                                "decision": "决定 decision", "expected": "应见 expected"})  # fmt: skip
        finish(list_kinds)
    settings = load_settings()
    try:
        done = break_city(kind, _folder(out, settings), _day("--day", day) if day else None)
    except ConfigurationError as error:
        fail(str(error))
    if as_json:
        emit_json({"ok": True, "items": [{**KINDS[kind].to_json(), "changed": done}]})
        return
    say(f"{KINDS[kind].title_zh} {KINDS[kind].title_en}: {done}")
    say(f"应见 expected: {KINDS[kind].expected.decision}: {KINDS[kind].expected.text}")
    say(f"修复 mend: {KINDS[kind].remedy}")


@_city.command()
def mend(
    kind: Annotated[str | None, typer.Argument(help="The fault to undo; see --list.")] = None,
    mend_all: Annotated[bool, typer.Option("--all", help="Undo every fault, the last one first.")] = False,
    list_kept: Annotated[bool, typer.Option("--list", help="List the faults that the city has.")] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Undo a fault exactly: the bytes from before were kept beside the city.

    Examples:

        oneledger city mend --list

        oneledger city mend truncated_file

        oneledger city mend --all --json
    """
    from oneledger.city.breaking import mend_city
    from oneledger.city.faults.keeping import kept_faults

    folder = _folder(out, load_settings())
    if list_kept:
        items = [{"kind": kept.kind, "changed": kept.changed} for kept in kept_faults(folder)]
        if as_json:
            emit_json({"ok": not items, "items": items})
        else:
            print_table(items, {"kind": "kind", "changed": "改动 changed"})
        finish(not items)
    if (kind is None) == (not mend_all):
        fail("Name one fault to mend, or all of them: oneledger city mend --all")
    try:
        done = mend_city(folder, kind)
    except ConfigurationError as error:
        fail(str(error))
    if as_json:
        emit_json({"ok": True, "items": [{"kind": name, "done": text} for name, text in done.items()]})
        return
    for name, text in done.items():
        say(f"{name}: {text}")
    if not done:
        say("没有需要修复的破坏 nothing to mend")


def _day(option: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        fail(f"{option} is {text!r}; it must be a date as yyyy-mm-dd.")


def _folder(out: Path | None, settings: Settings) -> Path:
    return out.expanduser().resolve() if out else settings.city_dir

"""The verb ``checks``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, finish, print_table, say

CHECKS_HELP = """The latest result of every check: what is wrong, in which data, since when, who acts and how.

Examples:

    oneledger checks                      what did not pass, and how many passed

    oneledger checks --failed             only what did not pass

    oneledger checks --all                every check

    oneledger checks --history volume     how one check went, run by run
"""
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("checks", help=CHECKS_HELP)(checks)


def checks(
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not pass.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also what passed.")] = False,
    history: Annotated[str | None, typer.Option(metavar="CHECK", help="All results of one check.")] = None,
    entity: Annotated[str | None, typer.Option(help="With --history: only this entity.")] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 when no check of severity fail stands failed, 1 when one does."""
    from oneledger.quality.results import history_of, latest_results
    from oneledger.settings import load_settings
    from oneledger.warehouse.connection import open_warehouse

    with open_warehouse(load_settings(), read_only=True) as connection:
        found = history_of(connection, history, entity) if history else latest_results(connection)
    is_good = bool(history) or not any(not one["is_passed"] and one["severity"] == "fail" for one in found)
    shown = found if every or history else [one for one in found if not one["is_passed"]]
    if as_json:
        emit_json({"ok": is_good, "items": [_with_problem(one) for one in shown]})
        finish(is_good)
    rows = [_row(one) for one in shown]
    headings = {
        "result": "结果", "check": "检查 check", "entity": "数据 data", "observed": "实际 found",
        "expected": "应为 expected", "since": "自 since (UTC)", "who": "责任与处理 who and how",
    }  # fmt: skip
    if history:
        headings = {"checked_at": "时间 at (UTC)", "run_id": "运行 run", **headings}
    print_table(rows, headings)
    if not failed and not history:
        say(f"{sum(one['is_passed'] for one in found)} of {len(found)} checks passed")
    finish(is_good)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    state = "通过 pass" if one["is_passed"] else "拦截 fail" if one["severity"] == "fail" else "警告 warn"
    return {
        **one,
        "result": state,
        "check": f"{one['title_zh']} {one['title_en']} ({one['check_id']})",
        "observed": _plain(one["observed"]),
        "expected": _plain(one["expected"]),
        "who": "" if one["is_passed"] else f"{one['owner']}: {one['remedy_zh']} {one['remedy_en']}",
    }


def _with_problem(one: dict[str, Any]) -> dict[str, Any]:
    if one["is_passed"]:
        return one
    remedy = f"{one['owner']}: {one['remedy_zh']} {one['remedy_en']}"
    return {**one, "problem": f"{one['title_zh']} {one['title_en']}: {one['observed']}", "remedy": remedy}


def _plain(text: object) -> str:
    return str(text).replace("[", r"\[")

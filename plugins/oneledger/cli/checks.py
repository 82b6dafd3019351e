"""The verb ``checks``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, finish, print_table, say
from oneledger.cli.runbook import say_runbooks
from oneledger.runbooks import code_of_check, page_of

CHECKS_HELP = """The latest result of every check: what is wrong, in which data, since when, who acts and how.

Examples:

    oneledger checks                      what did not pass, and how many passed

    oneledger checks --failed             only what did not pass

    oneledger checks --all                every check

    oneledger checks --history volume     how one check went, run by run

    oneledger checks trend                a line of bars for each check, and when it first failed

    oneledger checks docs                 Great Expectations' Data Docs of the kept results, without internet
"""
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    checks_app = typer.Typer(help=CHECKS_HELP, invoke_without_command=True, rich_markup_mode="markdown")
    checks_app.callback(help=CHECKS_HELP)(checks)
    checks_app.command("trend", help="How each check went over the kept runs, and when it first failed.")(trend)
    checks_app.command("docs", help="Build Data Docs under var/reports/data_docs.")(docs)
    app.add_typer(checks_app, name="checks")


def checks(
    context: typer.Context,
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not pass.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also what passed.")] = False,
    history: Annotated[str | None, typer.Option(metavar="CHECK", help="All results of one check.")] = None,
    entity: Annotated[str | None, typer.Option(help="With --history: only this entity.")] = None,
    as_json: Json = False,
) -> None:
    """Exit 0 when no check of severity fail stands failed, 1 when one does."""
    if context.invoked_subcommand:
        return
    from oneledger.quality.results import history_of, latest_results
    from oneledger.settings import load_settings
    from oneledger.warehouse.reader_copies import open_reader_copies

    with open_reader_copies(load_settings()) as copies:
        found = history_of(copies.connection, history, entity) if history else latest_results(copies.connection)
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
    say_runbooks(page_of(code_of_check(one["check_id"])) for one in shown if not one["is_passed"])
    if not failed and not history:
        say(f"{sum(one['is_passed'] for one in found)} of {len(found)} checks passed")
    finish(is_good)


def trend(
    check: Annotated[str | None, typer.Argument(metavar="[CHECK]", help="Only this check.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also checks that never failed.")] = False,
    as_json: Json = False,
) -> None:
    """One line a check and entity."""
    from oneledger.quality.results import trends
    from oneledger.settings import load_settings
    from oneledger.warehouse.reader_copies import open_reader_copies

    with open_reader_copies(load_settings()) as copies:
        found = trends(copies.connection, check)
    shown = [one for one in found if every or check or one["failed_runs_count"]]
    if as_json:
        emit_json({"ok": True, "items": shown})
        return
    headings = {
        "check": "检查 check", "entity": "数据 data", "trend": "走势 trend", "runs": "未通过/运行 failed/runs",
        "unexpected_count": "现 now", "first_failed_at": "首次未通过 first failed (UTC)",
        "last_failed_at": "最近未通过 last failed (UTC)",
    }  # fmt: skip
    print_table([{**one, "check": f"{one['title_zh']} {one['check_id']}",
                  "runs": f"{one['failed_runs_count']}/{one['runs_count']}"} for one in shown], headings)  # fmt: skip
    say(f"{len(found) - len(shown)} more never failed in the kept runs" if len(shown) < len(found) else "")


def docs(as_json: Json = False) -> None:
    """Make the site, or bring it up to date."""
    from oneledger.quality.data_docs import build_data_docs
    from oneledger.settings import load_settings

    made = build_data_docs(load_settings())
    if as_json:
        emit_json({"ok": True, "items": [{"index": made.index, "pages_count": made.pages_count,
                                          "made_count": made.made_count}]})  # fmt: skip
        return
    say(f"{made.index}: {made.pages_count} pages, {made.made_count} of them new")


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

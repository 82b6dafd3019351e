"""The verb ``restatement``: what was published and is not so any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from oneledger.audit.cause_words import KINDS, because_of
from oneledger.cli.output import emit_json, fail, finish, print_table, say

RESTATEMENT_HELP = """Which published figures changed from one version to another, by how much, because of which batch.

Without versions: the current one against the one before it. Published figures come first, then stars, then every
table that differs. A change is growth when only days after the older version's day came in; everything else restates
what was published. Tables and months whose content is the same are not read.

Examples:

    oneledger restatement

    oneledger restatement 20221101T 20221110T          two versions, oldest first, by the start of their names

    oneledger restatement --mart app_usage_month       one table, cell by cell

    oneledger restatement --figure projects_in_library --json

    oneledger restatement --html /tmp/restatement.html         one page to hand over
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("restatement", help=RESTATEMENT_HELP)(restatement)


def restatement(
    old: Annotated[str | None, typer.Argument(metavar="[OLD]", help="The earlier version.")] = None,
    new: Annotated[str, typer.Argument(metavar="[NEW]", help="The later version.")] = "current",
    mart: Annotated[str | None, typer.Option(help="Only this table.")] = None,
    figure: Annotated[str | None, typer.Option(help="Only this published figure, by its figure_id.")] = None,
    limit: Annotated[int, typer.Option(help="How many cells and keys of a table are shown.", min=0)] = 20,
    html: Annotated[Path | None, typer.Option(help="Write one page to hand over, without any other file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when nothing was restated (it may have grown), 1 when something was, 2 when there is no such version."""
    from oneledger.audit.restating import restatement as report
    from oneledger.settings import load_settings

    if html is not None and html.exists() and not force:
        fail(f"{html} exists already.", "give another name, or --force to replace it")
    answer = report(load_settings(), old, new, mart=mart, figure=figure, limit=limit)
    if html is not None:
        from oneledger.audit.restatement_page import write_page

        write_page(answer, html)
    if as_json:
        emit_json(answer)
        finish(answer["ok"])
    for label, one in (("自 from", answer["old"]), ("至 to", answer["new"])):
        say(f"{label} {one['version']}, data as of {one['as_of_on']}, content hash {one['content_hash'][:16]}")
    if html is not None:
        say(f"已写入 written: {html}")
    if not answer["has_differences"]:
        say("没有变化。 Nothing that was published changed.")
        finish(answer["ok"])
    _print_between(answer["came_between"])
    _print_figures(answer["figures"], is_wanted=mart is None)
    _print_stars(answer["stars"])
    _print_tables(answer["items"])
    if mart is not None or figure is not None:
        for item in answer["items"]:
            _print_cells(item)
    finish(answer["ok"])


def _print_between(between: dict[str, Any]) -> None:
    rows = [
        {
            **one,
            "kind": KINDS[one["kind"]],
            "reason": " ".join(filter(None, (one["correction_reason"], one["correction_reference"]))) or None,
        }
        for one in between["batches"][:20]
    ]
    headings = {"batch_id": "批次 batch", "kind": "情形 kind", "replaces": "取代 replaces",
                "accepted_before": "原入库 accepted before", "accepted_after": "现入库 after",
                "reason": "更正理由 reason"}  # fmt: skip
    if rows:
        print_table(rows, headings, title=f"其间的批次 batches between: {len(between['batches']):,}")
    for label, names in (
        ("模型 models", between["models"]), ("规则 rules", between["rules"]),
        ("来源合同 contracts", between["contracts"]),
        ("评价决定 decisions", [one["run_id"] for one in between["decisions"]]),
    ):  # fmt: skip
        if names:
            more = f" … {len(names)}" if len(names) > 10 else ""
            say(f"{label}: {', '.join(names[:10])}{more}")
    if between["is_code_unknown"]:
        before, after = between["models_hash"]
        say(f"模型或规则变更 models or rules changed ({before[:12]} → {after[:12]}); which ones is not known.")
    if between["as_of"]:
        say(f"计算日 as of: {between['as_of'][0]} → {between['as_of'][1]}")


def _print_figures(figures: list[dict[str, Any]], *, is_wanted: bool) -> None:
    if not is_wanted:
        return
    if not figures:
        say("公布数字均未变化。 No published figure changed.")
        return
    rows = [{**one, "because": _because(one["because"])} for one in figures]
    headings = {"title_zh": "指标", "title_en": "figure", "old": "原 was", "new": "现 is", "difference": "差 diff",
                "because": "因为 because of"}  # fmt: skip
    print_table(rows, headings, title="变化的公布数字 published figures")


def _print_stars(stars: list[dict[str, Any]]) -> None:
    if not stars:
        return
    rows = [
        {
            "run_id": one["run_id"], "app_id": one["app_id"],
            "change": one.get("movement") or ", ".join(
                f"{name} {_plain(one['before'][name])} → {_plain(one['after'][name])}" for name in one["after"]
            ),
            "because": _because(one["because"]),
        }
        for one in stars[:50]
    ]  # fmt: skip
    headings = {"run_id": "轮次 round", "app_id": "应用 app", "change": "变化 change", "because": "因为 because of"}
    print_table(rows, headings, title=f"星级与得分 stars and scores: {len(stars):,} apps")


def _print_tables(items: list[dict[str, Any]]) -> None:
    rows = [
        {
            **item,
            "kind": "增长 growth" if item["because"]["is_growth"] else "重述 restated",
            "because": _because(item["because"]),
        }
        for item in items
    ]
    headings = {"table": "表 table", "kind": "", "changed_count": "变 changed", "added_count": "增 added",
                "removed_count": "减 removed", "because": "可能因为 can have been changed by"}  # fmt: skip
    print_table(rows, headings)


def _print_cells(item: dict[str, Any]) -> None:
    rows = [
        {
            "key": ", ".join(f"{name} {value}" for name, value in cell["key"].items()), "column": cell["column"],
            "old": _plain(cell["old"]), "new": _plain(cell["new"]), "difference": cell["difference"],
            "because": _because(cell["because"]),
        }
        for cell in item["cells"]
    ]  # fmt: skip
    headings = {"key": "行 row", "column": "列 column", "old": "原 was", "new": "现 is", "difference": "差 difference",
                "because": "因为 because of"}  # fmt: skip
    if rows:
        print_table(rows, headings, title=item["table"])
    for label, keys in (("增 added", item["added_keys"]), ("减 removed", item["removed_keys"])):
        for key in keys:
            say(f"  {label}: " + ", ".join(f"{name} {_plain(value)}" for name, value in key.items()))


def _because(because: dict[str, Any]) -> str:
    return _plain(because_of(because))


def _plain(value: object) -> str:
    return str(value).replace("[", r"\[")

"""The verb ``restatement``: what was published and is not so any more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from oneledger.cli.output import emit_json, finish, print_table, say

RESTATEMENT_HELP = """Which published figures changed from one version to another, by how much, because of which batch.

Without versions: the current one against the one before it. Published figures come first, then stars, then every
table that differs. A change is growth when only days after the older version's day came in; everything else restates
what was published. Tables and months whose content is the same are not read.

Examples:

    oneledger restatement

    oneledger restatement 20221101T 20221110T          two versions, oldest first, by the start of their names

    oneledger restatement --mart app_usage_month       one table, cell by cell

    oneledger restatement --figure projects_in_library --json
"""
_KINDS = {
    "new_day": "新的一天 a new day", "late": "迟到 late", "redelivered": "重报 redelivered",
    "judged_again": "重新判定 judged again", "withdrawn": "撤回 withdrawn",
}  # fmt: skip
_TOLD_BATCHES = 3


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("restatement", help=RESTATEMENT_HELP)(restatement)


def restatement(
    old: Annotated[str | None, typer.Argument(metavar="[OLD]", help="The earlier version.")] = None,
    new: Annotated[str, typer.Argument(metavar="[NEW]", help="The later version.")] = "current",
    mart: Annotated[str | None, typer.Option(help="Only this table.")] = None,
    figure: Annotated[str | None, typer.Option(help="Only this published figure, by its figure_id.")] = None,
    limit: Annotated[int, typer.Option(help="How many cells and keys of a table are shown.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Exit 0 when nothing was restated (it may have grown), 1 when something was, 2 when there is no such version."""
    from oneledger.audit.restating import restatement as report
    from oneledger.settings import load_settings

    answer = report(load_settings(), old, new, mart=mart, figure=figure, limit=limit)
    if as_json:
        emit_json(answer)
        finish(answer["ok"])
    for label, one in (("自 from", answer["old"]), ("至 to", answer["new"])):
        say(f"{label} {one['version']}, data as of {one['as_of_on']}, content hash {one['content_hash'][:16]}")
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
            "kind": _KINDS[one["kind"]],
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
    rows = [{**one, "because": because_of(one["because"])} for one in figures]
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
            "because": because_of(one["because"]),
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
            "because": because_of(item["because"]),
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
            "because": because_of(cell["because"]),
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


def because_of(because: dict[str, Any]) -> str:
    """A cause in a few words."""
    batches = list(because["batches"])
    more = f" … {because['batches_count']} batches" if len(batches) > _TOLD_BATCHES else ""
    told = [", ".join(batches[:_TOLD_BATCHES]) + more] if batches else []
    for label, names in (
        ("模型 models", because["models"]), ("规则 rules", because["rules"]), ("决定 decisions", because["decisions"]),
        ("合同 contracts", because["contracts"]),
    ):  # fmt: skip
        if names:
            told.append(f"{label} {', '.join(names[:_TOLD_BATCHES])}{' …' if len(names) > _TOLD_BATCHES else ''}")
    if because["is_code_unknown"]:
        told.append("模型或规则 models or rules changed")
    if because["is_as_of_changed"]:
        told.append("计算日 the as-of day")
    return _plain("; ".join(told)) or "–"


def _plain(value: object) -> str:
    return str(value).replace("[", r"\[")

"""Lineage as text on a terminal: a tree of steps, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from oneledger.cli.output import console, print_table, say

KIND_WORDS = {
    "identity": "原值 as it is", "transformation": "变换 computed", "aggregation": "汇总 aggregated",
    "conditional": "条件 condition", "join": "关联 join", "filter": "筛选 filter", "group_by": "分组 grouped by",
    "window": "窗口 window", "sort": "排序 sorted by",
}  # fmt: skip
CLOSENESS_WORDS = {"value": "值 value", "decides": "决定 decides", "rows": "行 rows"}
_SHORT = 150
_FEW = 4


def show_way_back(answer: Mapping[str, Any], where: Sequence[str], *, names_all: bool) -> None:
    """A column's steps as a tree, then the columns, rules and constants at its end as a table."""
    column = answer["column"]
    tree = Tree(_label(column) + (f"  [yellow]{escape(' '.join(where))}[/yellow]" if where else ""))
    _grow(tree, answer["tree"], names_all=names_all)
    console.print(tree)
    made = [one for one in answer["leaves"] if one["closeness"] == "value"]
    decided = [one for one in answer["leaves"] if one["closeness"] != "value"]
    rows = made if made and not names_all else [*made, *decided]
    items = [
        {"name": escape(one["name"]), "closeness": CLOSENESS_WORDS[one["closeness"]], "kind": one["kind"],
         "title": _titles(one), "place": escape(_end(one))}
        for one in rows
    ]  # fmt: skip
    headings = {"name": "来源 end", "closeness": "关系 how", "kind": "种类 kind", "title": "名称 title",
                "place": "所在 where it stands"}  # fmt: skip
    say("")
    print_table(items, headings, title="值的来源 What the value is made of" if not names_all else "来源 Ends")
    if len(rows) < len(answer["leaves"]):
        kinds: dict[str, int] = {}
        for one in decided:
            kinds[one["kind"]] = kinds.get(one["kind"], 0) + 1
        counted = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
        say(f"条件等另涉及 conditions, joins and filters on the way also read: {counted}. `--deciding` names them.")


def show_table(answer: Mapping[str, Any]) -> None:
    """A table: its columns with what each is made of, what it reads and what reads it."""
    say(f"[bold]{answer['relation']}[/bold]  {_titles(answer)}")
    if answer["description"]:
        say(f"  {escape(answer['description'])}")
    items = [
        {"column": one["column"], "title": _titles(one), "kinds": ", ".join(one["kinds"]) or _constant(one),
         "from": escape(_listed(one["from"])), "sources": escape(_listed(one["sources"]))}
        for one in answer["columns"]
    ]  # fmt: skip
    headings = {"column": "列 column", "title": "名称 title", "kinds": "步骤 step", "from": "直接来源 made of",
                "sources": "源头 ends"}  # fmt: skip
    print_table(items, headings)
    say(f"读取 reads: {', '.join(answer['reads']) or '–'}")
    say(f"被读取 read by: {', '.join(answer['read_by']) or '–'}")


def show_uses(answer: Mapping[str, Any], *, shows_all: bool) -> None:
    """What uses a column: tables and columns, indicators, figures, readers."""
    say(f"[bold]{escape(', '.join(answer['columns'][:3]))}[/bold]"
        + (f" … {len(answer['columns'])} columns" if len(answer["columns"]) > 3 else ""))  # fmt: skip

    def chosen(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        made = [one for one in items if one["closeness"] == "value"]
        return list(items) if shows_all or not made else made

    sections = (
        ("使用它的列 Columns", answer["items"], {"name": "列 column", "how": "关系 how", "title": "名称 title"}),
        ("指标 Indicators", answer["indicators"],
         {"indicator_id": "指标 indicator", "family": "类别 family", "side": "侧 side", "how": "关系 how",
          "title": "名称 title"}),
        ("公布数 Published figures", answer["figures"],
         {"figure_id": "公布数 figure", "how": "关系 how", "title": "名称 title"}),
        ("读者 Readers", answer["exposures"],
         {"name": "读者 reader", "how": "关系 how", "title": "名称 title", "through": "经由 through"}),
    )  # fmt: skip
    for title, found, headings in sections:
        listed = chosen(found)
        if not listed:
            say(f"{title}: –")
            continue
        items = [
            {**one, "how": CLOSENESS_WORDS[one["closeness"]], "title": escape(_titles(one)),
             "through": ", ".join(one.get("through", ()))}
            for one in listed
        ]  # fmt: skip
        print_table(items, headings, title=title)
        if len(listed) < len(found):
            more = f"{len(found) - len(listed):,}"
            say(f"  另有 {more} 项仅经条件或行相关；--all 列出。")
            say(f"  {more} more depend on it only through conditions or rows; --all lists them.")


def _grow(branch: Tree, step: Mapping[str, Any], *, names_all: bool) -> None:
    if step["is_repeated"]:
        return
    if step["constant"]:
        branch.add(f"[magenta]{escape(_constant(step))}[/magenta] {escape(step['constant'])}")
    for one in step["made_of"]:
        column = one["column"]
        kinds = " + ".join(KIND_WORDS[kind] for kind in one["kinds"])
        label = f"[cyan]{kinds}[/cyan]  {_label(column)}"
        if one["expressions"]:
            label += f"\n[dim]{escape(_cut(' ← '.join(one['expressions'])))}[/dim]"
        if column["is_repeated"]:
            label += "  [dim]（见上 shown above）[/dim]"
        if column["place"]:
            label += f"\n[green]{escape(column['place'])}[/green]"
        _grow(branch.add(label), column, names_all=names_all)
    decided = step["decided_by"]
    shown = decided if names_all else [one for one in decided if not one["name"].endswith(".*")][:_FEW]
    for one in shown:
        kinds = " + ".join(KIND_WORDS[kind] for kind in one["kinds"])
        text = _cut(one["expressions"][0]) if one["expressions"] else ""
        branch.add(f"[dim]{kinds}  {escape(one['name'])}  {escape(text)}[/dim]")
    if len(shown) < len(decided):
        branch.add(f"[dim]… {len(decided) - len(shown)} more (--deciding)[/dim]")


def _label(node: Mapping[str, Any]) -> str:
    description = f"\n{escape(_cut(node['description']))}" if node["description"] else ""
    return f"[bold]{escape(node['name'])}[/bold]  {escape(_titles(node))}{description}"


def _titles(node: Mapping[str, Any]) -> str:
    return str(node.get("label") or " ".join(one for one in (node.get("title_zh"), node.get("title_en")) if one))


def _end(leaf: Mapping[str, Any]) -> str:
    return str(leaf["place"] or leaf["constant"] or _cut(leaf["description"]))


def _constant(node: Mapping[str, Any]) -> str:
    if not node["constants"]:
        return "常量 constant" if node["constant"] else "–"
    return "常量 constant " + _cut(", ".join(node["constants"]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" … {len(names)}" if len(names) > _FEW else "") or "–"


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"

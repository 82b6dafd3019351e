"""A trace as text: the tree of steps, the rules, the lines, and what vouches for them."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.tree import Tree

from oneledger.cli.output import console, print_table, say

_WIDTHS = {
    "near": "", "exact": "", "with_existence": "", "pushed": "（放宽 widened）", "whole": "（整表 whole table）",
}  # fmt: skip
_SHOWN_VALUES = 6
_LONGEST_LINE = 220


def trace_text(report: dict[str, Any]) -> None:
    """Print a trace."""
    subject, about = report["subject"], report["provenance"]
    key = " ".join(f"{name}={value}" for name, value in subject["key"].items())
    say(
        f"[bold]{escape(subject['title_zh'])} {escape(subject['title_en'])}[/bold]"
        f"  {subject['relation']}  {escape(key)}"
    )
    wanted = subject["columns"] or [one for one, value in report["published"].items() if value is not None]
    for name in wanted:
        say(f"    {name} = {escape(str(report['published'].get(name)))}")
    _verdict(report)
    console.print(_tree(report))
    _rules(report)
    _landed(report)
    _vouching(about)
    for problem in report["problems"]:
        say(f"[red]✗[/red] {escape(problem)}")


def _verdict(report: dict[str, Any]) -> None:
    verdict = report["verdict"]
    mark = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "–"}[verdict["is_equal"]]
    say(f"{mark} {verdict['zh']}。 {verdict['en']}.")


def _tree(report: dict[str, Any]) -> Tree:
    steps = {one["relation"]: one for one in report["steps"]}
    counts = {one["relation"]: one["rows_count"] for one in (*report["rules"], *report["landed"], *report["notes"])}
    files = {one["relation"]: one for one in report["landed"]}
    seen: set[str] = set()

    def label(name: str) -> str:
        if name in steps:
            one = steps[name]
            mark = {True: "[green]=[/green]", False: "[red]≠[/red]", None: " "}[one["is_equal"]]
            text = f"{mark} {name}  {one['rows_count']:,} 行 rows {_WIDTHS[one['width']]}"
            return text + (
                f"  [dim]{escape(one['title_zh'])} {escape(one['title_en'])}[/dim]" if one["title_zh"] else ""
            )
        if name in files:
            found = files[name]
            return (f"[cyan]{name}[/cyan]  {found['lines_count']:,} 行 lines / {found['files_count']:,} 文件 files"
                    f"  [dim]{escape(found['title_zh'])} {escape(found['title_en'])}[/dim]")  # fmt: skip
        return f"[magenta]{name}[/magenta]  {counts.get(name, 0):,} 行 rows"

    def grow(tree: Tree, name: str) -> None:
        if name in seen and name in steps and steps[name]["reads"]:
            tree.add(f"{label(name)}  [dim]（见上 see above）[/dim]")
            return
        seen.add(name)
        branch = tree.add(label(name))
        for below in steps.get(name, {}).get("reads", {}):
            grow(branch, below)

    top = report["subject"]["relation"]
    tree = Tree(label(top))
    seen.add(top)
    for below in steps.get(top, {}).get("reads", {}):
        grow(tree, below)
    return tree


def _rules(report: dict[str, Any]) -> None:
    for one in report["rules"]:
        say(f"[magenta]规则 rules[/magenta] {one['file']}  sha256 {one['sha256'][:16]}…")
        for row in one["rows"][:_SHOWN_VALUES]:
            say(f"    {row['line']}: {_cut(row['text'])}")
        if len(one["rows"]) > _SHOWN_VALUES:
            say(f"    … {len(one['rows']) - _SHOWN_VALUES} more")


def _landed(report: dict[str, Any]) -> None:
    for one in report["landed"]:
        say(f"[cyan]来源行 landed lines[/cyan] {one['entity']} {escape(one['title_zh'])}:"
            f" {one['lines_count']:,} lines of {one['files_count']:,} files")  # fmt: skip
        for file in one["files"]:
            if not file["lines"]:
                continue
            mark = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "?"}[file["is_as_received"]]
            say(f"  {mark} {file['file_id']}  sha256 {file.get('sha256', '')[:16]}…  {file['lines_count']:,} lines")
            for line in file["lines"]:
                place = f"第{line['first_line']}行 line {line['first_line']}" if line["first_line"] else (
                    f"{line['sheet']} 第{line['row_number']}行" if line["sheet"] else f"第{line['row_number']}条 record"
                )  # fmt: skip
                say(f"      {escape(place)}: {_cut(line['text'])}")
        shown = sum(len(file["lines"]) for file in one["files"])
        if shown < one["lines_count"]:
            say(f"      … {one['lines_count'] - shown:,} more: --lines N or --all")


def _vouching(about: dict[str, Any]) -> None:
    say(f"版本 version {about['version']}  数据截至 as of {about['as_of_on']}  代码 code {about['code_version']}")
    say(f"    manifest sha256 {about['manifest_sha256']}")
    if about["anchor"]:
        say(f"    {escape(about['anchor']['line'])}")
    started_by = about["airflow_run_id"] or "手工 by hand"
    say(f"    运行 run {about['run_id']} ({started_by})")
    for check in about["checks"]:
        mark = "[green]✓[/green]" if check["is_open"] else "[red]✗[/red]"
        say(f"    {mark} 闸门 gate {check['gate']}: {check['verdict'] or 'open'}, {check['checked_at']}")
    _checks_on_the_way(about["checks_on_the_way"])
    evaluation = about["evaluation"]
    if evaluation:
        who = f"{evaluation['decided_by']} {evaluation['decided_at']}" if evaluation["decided_by"] else "–"
        say(f"    评价 evaluation {evaluation['run_id']} {evaluation['state']}; 确认 confirmed by: {escape(who)}")


def _checks_on_the_way(checks: list[dict[str, Any]] | None) -> None:
    """How many of the single checks were passed, and those that were not."""
    if checks is None:
        say("    此版本未保存逐项检查结果 this version does not carry the results of single checks")
        return
    failed = [one for one in checks if not one["is_passed"]]
    mark = "[yellow]![/yellow]" if failed else "[green]✓[/green]"
    say(f"    {mark} 途经检查 checks on the way: {len(checks) - len(failed):,} of {len(checks):,} passed")
    for one in failed:
        title = f"{one['title_zh']} {one['title_en']}"
        say(f"        {one['severity']} {escape(str(one['entity']))} {escape(title)}: {_cut(str(one['observed']))}")


def influence_text(reached: dict[str, Any]) -> None:
    """Print what a landed file or line may have influenced."""
    line = f" 第 {reached['row_number']} 条 record {reached['row_number']}" if reached["row_number"] else ""
    say(f"[bold]{escape(reached['file_id'])}[/bold]{line} → 版本 version {reached['version']}")
    if not reached["admitted"]:
        say("没有一行计入该版本（被更正、被隔离或不存在）。 No row of it counts in this version: it was superseded, "
            "quarantined, or does not exist.")  # fmt: skip
        return
    for name, count in reached["admitted"].items():
        say(f"    {name}: {count:,} rows")
    items = [
        {**one, "first": "; ".join(" ".join(str(value) for value in row.values() if value is not None)
                                   for row in one["rows"][:2]) or ("整表 the whole table" if one["is_whole"] else "")}
        for one in reached["items"]
    ]  # fmt: skip
    headings = {"relation": "表 table", "title_zh": "名称", "rows_count": "行 rows", "all_rows_count": "共 of",
                "first": "其中 for instance"}  # fmt: skip
    print_table(items, headings)
    say(f"星级 stars: {len(reached['stars']):,}  {_few(reached['stars'])}")
    say(f"公布数字 figures: {len(reached['figures']):,}  {_few(reached['figures'])}")


def _few(values: list[str]) -> str:
    return ", ".join(values[:_SHOWN_VALUES]) + (" …" if len(values) > _SHOWN_VALUES else "")


def _cut(text: str) -> str:
    one_line = text.replace("\n", "⏎")
    return escape(one_line if len(one_line) <= _LONGEST_LINE else one_line[:_LONGEST_LINE] + "…")

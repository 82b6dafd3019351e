# ruff: noqa: E501 - markup is read as it is written
"""A trace as one HTML page to hand over: no script is needed, nothing is fetched, it prints as it is read."""

from __future__ import annotations

import decimal
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from oneledger.lineage.page_parts import document, footer, heading, table, value_text, write_document

_MOST_ROWS = 40
_MAIN_VALUES = {
    "star": ("stars", "score"), "points": ("points", "weight"), "figure": ("computed_value",),
    "share": ("share", "payable_cny"),
}  # fmt: skip
_WIDTHS = {
    "pushed": ("按条件放宽", "widened to all rows under the pushed conditions"),
    "whole": ("整表", "widened to the whole table"),
}


def write_page(report: Mapping[str, Any], path: Path) -> None:
    """Write the page of a trace (``trace_report.trace``)."""
    write_document(path, page(report))


def page(report: Mapping[str, Any]) -> str:
    """The page as text."""
    subject = report["subject"]
    title = f"{subject['title_zh']} {subject['title_en']}".strip() or subject["relation"]
    parts = [
        _header(report),
        heading("来路", "Where it comes from"),
        '<p class="legend">每一级用下一级的这些行重算，<span class="eq">=</span>表示与公布的相等。'
        ' Each step was run again over just the rows below it; <span class="eq">=</span> means equal to what was'
        " published.</p>",
        f'<div class="tree">{_tree(report)}</div>',
        heading("规则", "Rules in force") if report["rules"] else "",
        *(_rules(one) for one in report["rules"]),
        heading("来源行", "Landed lines"),
        '<p class="legend">以下是收到的字节中的原行；<mark>着色</mark>的列是计算所用的。 The lines out of the bytes as'
        " they were received; <mark>marked</mark> columns were used.</p>",
        *(_landed(one) for one in report["landed"]),
        _notes(report["notes"]),
        heading("凭据", "What vouches for it"),
        _vouching(report["provenance"]),
    ]
    return document(title, "".join(parts) + _footer(report))


def _header(report: Mapping[str, Any]) -> str:
    subject = report["subject"]
    row = report["published"]
    names = _MAIN_VALUES.get(subject["kind"]) or subject["columns"] or [
        name for name, value in row.items() if isinstance(value, int | float | decimal.Decimal)
    ][:6]  # fmt: skip
    said = " · ".join(one for one in (subject["name"] or row.get("title_zh"), subject["title_zh"]) if one)
    said_en = row.get("title_en") or subject["title_en"]
    key = " ".join(f"<code>{escape(name)} = {escape(value)}</code>" for name, value in subject["key"].items())
    values = "".join(f"<div><b>{value_text(row.get(name))}</b><span>{escape(name)}</span></div>" for name in names)
    verdict = report["verdict"]
    kind, mark = {True: ("good", "✓"), False: ("bad", "✗"), None: ("open", "–")}[verdict["is_equal"]]
    problems = "".join(
        f'<div class="verdict bad"><i>✗</i><p>{escape(problem)}</p></div>' for problem in report["problems"]
    )
    return (
        f'<header><div class="brand">一本账 OneLedger · 数字溯源 trace</div><h1>{escape(str(said))}'
        f"<small>{escape(str(said_en))}</small></h1>"
        f'<div class="key"><span class="name">{escape(subject["relation"])}</span> {key}</div>'
        f'<div class="values">{values}</div>'
        f'<div class="verdict {kind}"><i>{mark}</i><p>{escape(verdict["zh"])}。<small>{escape(verdict["en"])}.</small>'
        f"</p></div>{problems}</header>"
    )


def _tree(report: Mapping[str, Any]) -> str:
    steps = {one["relation"]: one for one in report["steps"]}
    rules = {one["relation"]: one for one in report["rules"]}
    files = {one["relation"]: one for one in report["landed"]}
    seen: set[str] = set()

    def node(name: str, depth: int) -> str:
        if name in files:
            one = files[name]
            return (f'<div class="leaf landed"><a href="#{_anchor(name)}" class="name">{escape(name)}</a><span class="count">'
                    f'{one["lines_count"]:,} 行 lines · {one["files_count"]:,} 文件 files</span>'
                    f'<span class="title">{escape(one["title_zh"])} {escape(one["title_en"])}</span></div>')  # fmt: skip
        if name in rules:
            return (f'<div class="leaf rule"><a href="#{_anchor(name)}" class="name">{escape(name)}</a><span class="count">'
                    f'{rules[name]["rows_count"]:,} 条规则 rules</span></div>')  # fmt: skip
        if name not in steps:
            return f'<div class="leaf"><span class="name">{escape(name)}</span></div>'
        one = steps[name]
        if name in seen:
            return (f'<div class="leaf"><span class="name">{escape(name)}</span><span class="count">'
                    f'{one["rows_count"]:,} 行 rows，见上 see above</span></div>')  # fmt: skip
        seen.add(name)
        mark = {True: '<span class="eq">=</span>', False: '<span class="ne">≠</span>', None: ""}[one["is_equal"]]
        wide = _WIDTHS.get(one["width"])
        note = f'<span class="wide">{wide[0]} {wide[1]}</span>' if wide else ""
        rows = table(one["rows"], one["columns"], set())
        more = f'<p class="legend">共 {one["rows_count"]:,} 行，列出 {len(one["rows"])} 行 shown</p>' if (
            one["rows_count"] > len(one["rows"])) else ""  # fmt: skip
        below = "".join(node(child, depth + 1) for child in one["reads"])
        return (
            f'<details{" open" if depth < 2 else ""}><summary>{mark}<span class="name">{escape(name)}</span><span class="count">'
            f'{one["rows_count"]:,} 行 rows</span><span class="title">{escape(one["title_zh"])} {escape(one["title_en"])}</span>'
            f'{note}</summary><details{" open" if depth < 2 else ""}><summary class="legend">{escape(one["grain"])} '
            f'<span class="hash">{escape(str(one["file"] or ""))}</span></summary>{rows}{more}</details>{below}</details>'
        )

    return node(report["subject"]["relation"], 0)


def _rules(one: Mapping[str, Any]) -> str:
    rows = [{"line": row["line"], **row["values"]} for row in one["rows"][:_MOST_ROWS]]
    more = len(one["rows"]) - len(rows)
    return (
        f'<div id="{_anchor(one["relation"])}" class="file rule"><b>{escape(str(one["file"]))}</b> <span class="name">'
        f'{escape(one["relation"])}</span> <span class="hash">sha256 {one["sha256"]}</span></div>'
        f"{table(rows, list(rows[0]) if rows else [], set(one['used']))}"
        + (f'<p class="legend">… {more} more</p>' if more > 0 else "")
    )


def _landed(one: Mapping[str, Any]) -> str:
    used = set(one["used"])
    parts = []
    for file in one["files"]:
        if not file["lines"]:
            continue
        state = {True: '<span class="eq">✓ 与收到时一致 as received</span>',
                 False: '<span class="ne">✗ 已被改动 changed</span>', None: ""}[file["is_as_received"]]  # fmt: skip
        correction = file.get("correction")
        why = f" · 更正 correction: {escape(str(correction.get('reason', '')))}" if correction else ""
        rows = [{"行 line": _place(line), **line["cells"]} for line in file["lines"]]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = "\n".join(line["text"] for line in file["lines"])
        parts.append(
            f'<div class="file"><b>{escape(file["file_id"])}</b> · {file["lines_count"]:,} 行 lines {state}{why}<br>'
            f'<span class="hash">{escape(str(file.get("source_name", "")))} · {file.get("size_bytes", 0):,} bytes · sha256 '
            f"{escape(str(file.get('sha256', '')))} · {escape(str(file.get('extracted_at', '')))}</span></div>"
            f'{table(rows, columns, used)}<details><summary class="legend">原文 as it stands in the file</summary>'
            f"<pre>{escape(text)}</pre></details>"
        )
    others = [file for file in one["files"] if not file["lines"]]
    if others:
        rows = [{"file": file["file_id"], "lines": file["lines_count"], "as received": file.get("is_as_received"),
                 "sha256": file.get("sha256")} for file in others]  # fmt: skip
        parts.append(
            f'<details><summary class="legend">另有 {len(others):,} 个文件 more files</summary>'
            f"{table(rows, ['file', 'lines', 'as received', 'sha256'], set())}</details>"
        )
    return (
        f'<h3 id="{_anchor(one["relation"])}">{escape(one["title_zh"])} <small>{escape(one["title_en"])}</small>'
        f'<span class="count">{one["lines_count"]:,} 行 lines · {one["files_count"]:,} 文件 files</span></h3>{"".join(parts)}'
    )


def _place(line: Mapping[str, Any]) -> str:
    if line["first_line"]:
        last = line["last_line"]
        return str(line["first_line"]) if last == line["first_line"] else f"{line['first_line']}–{last}"
    return f"{line['sheet']}!{line['row_number']}" if line["sheet"] else f"#{line['row_number']}"


def _notes(notes: Sequence[Mapping[str, Any]]) -> str:
    return "".join(
        f'<details><summary class="legend">夜间运行的记录 noted by the nightly: <span class="name">{escape(one["relation"])}'
        f"</span> · {one['rows_count']:,}</summary>{table(one['rows'], list(one['rows'][0]) if one['rows'] else [], set())}"
        "</details>"
        for one in notes
    )


def _vouching(about: Mapping[str, Any]) -> str:
    entries: list[tuple[str, str]] = [
        ("版本 version", f'{escape(about["version"])} · {escape(str(about["created_at"]))}'),
        ("数据截至 data as of", escape(str(about["as_of_on"]))),
        ("清单 manifest", f'<span class="hash">sha256 {about["manifest_sha256"]}</span>'),
        ("内容哈希 content hash", f'<span class="hash">{about["content_hash"]}</span>'),
        ("运行 run", f'{escape(about["run_id"])} · {escape(about["airflow_run_id"] or "手工 started by hand")}'),
        ("代码 code", f'{escape(about["code_version"])} <span class="hash">models {about["models_hash"]} · rules '
                     f'{about["rules_hash"]}</span>'),
    ]  # fmt: skip
    for check in about["checks"]:
        mark = '<span class="eq">✓</span>' if check["is_open"] else '<span class="ne">✗</span>'
        entries.append(
            (f'闸门 gate {escape(check["gate"])}',
             f'{mark}{escape(str(check["verdict"] or "open"))} · {escape(str(check["checked_at"]))} · '
             f'{escape(str(check["run_id"]))}<br><small>{escape(str(check["message"] or ""))}</small>')
        )  # fmt: skip
    for one in about["runs"]:
        entries.append((f'步骤 step {escape(one["step"])}', f'{escape(one["run_id"])} · {one["batches_count"]:,} 批 batches'
                        f' · {escape(str(one["started_at"]))} – {escape(str(one["ended_at"]))}'))  # fmt: skip
    batches = about["batches"]
    if batches.get("corrections"):
        entries.append(("更正的交付 corrections", escape(", ".join(batches["corrections"]))))
    evaluation = about["evaluation"]
    if evaluation:
        entries.append(("评价 evaluation", f'{escape(evaluation["run_id"])} · {escape(evaluation["state"])} · '
                        f'<span class="hash">run.json sha256 {evaluation["run_sha256"]}</span>'))  # fmt: skip
        entries.append(("确认 confirmed by", f'{escape(str(evaluation["decided_by"] or "–"))} · '
                        f'{escape(str(evaluation["decided_at"] or ""))} · {escape(str(evaluation["reason"] or ""))}'))  # fmt: skip
    if about["anchor"]:
        entries.append(("锚 anchor", f'<span class="hash">{escape(about["anchor"]["line"])}</span>'))
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in entries)
    return f"<dl>{listed}</dl>{_checks_on_the_way(about['checks_on_the_way'])}"


def _checks_on_the_way(checks: Sequence[Mapping[str, Any]] | None) -> str:
    """Every single check of what the trace went through; open when one of them did not pass."""
    if checks is None:
        return '<p class="legend">此版本未保存逐项检查结果 this version does not carry the results of single checks</p>'
    failed = sum(not one["is_passed"] for one in checks)
    rows = [
        {
            "检查 check": f"{one['title_zh']} {one['title_en']}", "对象 entity": one["entity"],
            "程度 severity": one["severity"], "通过 passed": one["is_passed"], "实际 observed": one["observed"],
            "要求 expected": one["expected"], "时间 checked at": str(one["checked_at"]),
        }
        for one in checks
    ]  # fmt: skip
    return (
        f"<details{' open' if failed else ''}><summary>途经检查 checks on the way: {len(checks) - failed:,} / "
        f"{len(checks):,} 通过 passed</summary>{table(rows, list(rows[0]) if rows else [], set())}</details>"
    )


def _footer(report: Mapping[str, Any]) -> str:
    subject = report["subject"]
    key = " ".join(f"{name}={value}" for name, value in subject["key"].items())
    command = f"oneledger trace {subject['relation']} {key} --version {report['provenance']['version']}"
    return footer(command)


def _anchor(name: str) -> str:
    return name.replace(".", "-")

# ruff: noqa: E501 - markup is read as it is written
"""A restatement report as one HTML page to hand over: what was published, what is so no more, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from oneledger.audit.cause_words import KINDS, because_of
from oneledger.lineage.page_parts import document, footer, heading, table, value_text, write_document

_MOST_STARS = 500
_MOST_BATCHES = 200


def write_page(answer: Mapping[str, Any], path: Path) -> None:
    """Write the page of a report (``restating.restatement``)."""
    write_document(path, page(answer))


def page(answer: Mapping[str, Any]) -> str:
    """The page as text."""
    parts = [_header(answer)]
    if answer["has_differences"]:
        parts += [
            _figures(answer["figures"]),
            _stars(answer["stars"]),
            _between(answer["came_between"]),
            _tables(answer["items"]),
            *(_cells(one) for one in answer["items"]),
        ]
    command = f"oneledger restatement {answer['old']['version']} {answer['new']['version']}"
    return document("重述报告 Restatement", "".join(parts) + footer(command))


def _header(answer: Mapping[str, Any]) -> str:
    old, new = answer["old"], answer["new"]
    restated = sum(not one["because"]["is_growth"] for one in answer["items"])
    if not answer["has_differences"]:
        kind, mark, zh, en = "good", "✓", "没有变化", "nothing that was published changed"
    elif answer["ok"]:
        kind, mark, zh, en = (
            "good",
            "✓",
            "只有新的日期带来的增长",
            "only days that came in since: growth, nothing restated",
        )
    else:
        kind, mark, zh, en = (
            "bad",
            "✗",
            f"{restated} 张表重述了已公布的内容",
            f"{restated} tables restate what was published",
        )
    counts = (
        (len(answer["figures"]), "变化的公布数字 published figures"),
        (len(answer["stars"]), "变化的应用 apps whose stars or score changed"),
        (len(answer["items"]), "变化的表 tables that differ"),
    )
    values = "".join(f"<div><b>{value_text(count)}</b><span>{said}</span></div>" for count, said in counts)
    return (
        '<header><div class="brand">一本账 OneLedger · 重述 restatement</div><h1>重述报告<small>What was published and is not so any more</small></h1>'
        f'<div class="key">{_version("自 from", old)}<br>{_version("至 to", new)}</div>'
        f'<div class="values">{values}</div>'
        f'<div class="verdict {kind}"><i>{mark}</i><p>{zh}。<small>{en}.</small></p></div></header>'
    )


def _version(label: str, one: Mapping[str, Any]) -> str:
    return (
        f"{label} <code>{escape(one['version'])}</code> 数据截至 data as of {escape(str(one['as_of_on']))} "
        f'<span class="hash">{escape(str(one["content_hash"]))}</span>'
    )


def _figures(figures: Sequence[Mapping[str, Any]]) -> str:
    if not figures:
        return heading("公布数字", "Published figures") + "<p>公布数字均未变化。 No published figure changed.</p>"
    rows = [
        {
            "指标 figure": f"{one['title_zh']} {one['title_en']}", "原 was": one["old"], "现 is": one["new"],
            "差 difference": one["difference"], "因为 because of": because_of(one["because"]),
        }
        for one in figures
    ]  # fmt: skip
    return heading("公布数字", "Published figures") + table(rows, rows[0], {"现 is"})


def _stars(stars: Sequence[Mapping[str, Any]]) -> str:
    if not stars:
        return ""
    rows = [
        {
            "轮次 round": one["run_id"], "应用 app": one["app_id"],
            "变化 change": one.get("movement") or ", ".join(
                f"{name} {one['before'][name]} → {one['after'][name]}" for name in one["after"]
            ),
            "因为 because of": because_of(one["because"]),
        }
        for one in stars[:_MOST_STARS]
    ]  # fmt: skip
    return heading("星级与得分", "Stars and scores") + table(rows, rows[0], set()) + _more(len(stars) - len(rows))


def _between(between: Mapping[str, Any]) -> str:
    rows = [
        {
            "批次 batch": one["batch_id"], "情形 kind": KINDS[one["kind"]], "取代 replaces": one["replaces"],
            "原入库 accepted before": one["accepted_before"], "现入库 after": one["accepted_after"],
            "更正理由 reason": " ".join(filter(None, (one["correction_reason"], one["correction_reference"]))) or None,
        }
        for one in between["batches"][:_MOST_BATCHES]
    ]  # fmt: skip
    entries = [
        ("模型 models", ", ".join(between["models"])),
        ("规则 rules", ", ".join(between["rules"])),
        ("来源合同 contracts", ", ".join(between["contracts"])),
        ("评价决定 decisions", ", ".join(str(one["run_id"]) for one in between["decisions"])),
        ("计算日 as of", " → ".join(str(one) for one in between["as_of"]) if between["as_of"] else ""),
        (
            "模型或规则 models or rules",
            "有变更，具体未知 changed; which ones is not known" if between["is_code_unknown"] else "",
        ),
    ]
    told = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in entries if text)
    listed = table(rows, rows[0], set()) + _more(len(between["batches"]) - len(rows)) if rows else ""
    return heading("其间发生了什么", "What came between") + listed + (f"<dl>{told}</dl>" if told else "")


def _tables(items: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        {
            "表 table": one["table"], "性质 kind": "增长 growth" if one["because"]["is_growth"] else "重述 restated",
            "变 changed": one["changed_count"], "增 added": one["added_count"], "减 removed": one["removed_count"],
            "可能因为 can have been changed by": because_of(one["because"]),
        }
        for one in items
    ]  # fmt: skip
    return heading("变化的表", "Tables that differ") + table(rows, rows[0] if rows else [], set())


def _cells(item: Mapping[str, Any]) -> str:
    """The cells of one table that are given, and the rows that came or went, by their key."""
    rows = [
        {
            "行 row": _key(one["key"]), "列 column": one["column"], "原 was": one["old"], "现 is": one["new"],
            "差 difference": one["difference"], "因为 because of": because_of(one["because"]),
        }
        for one in item["cells"]
    ]  # fmt: skip
    listed = table(rows, rows[0], {"现 is"}) if rows else ""
    for label, keys in (("增 added", item["added_keys"]), ("减 removed", item["removed_keys"])):
        if keys:
            listed += f'<p class="legend">{label}: {escape("; ".join(_key(one) for one in keys))}</p>'
    if not listed:
        return ""
    return f'<details><summary><span class="name">{escape(item["table"])}</span></summary>{listed}</details>'


def _key(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())


def _more(count: int) -> str:
    return f'<p class="legend">… 另有 {count:,} 项 more; --json gives all</p>' if count > 0 else ""

"""What a gate's answer says in a task log and in the terminal: what, where, since when, who, how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SHOWN = 20


def gate_message(gate: str, report: Any) -> str:
    """One line a check that did not pass, those that shut the gate first. ``report`` is a ``GateReport``."""
    results = [_fields(result) for result in report.results]
    red = [result for result in results if not result["is_passed"]]
    if not red:
        return f"gate {gate} open 闸门通过: {len(results)} checks passed"
    state = "open with warnings 通过（有警告）" if report.is_open else "shut 未通过"
    return "\n".join([f"gate {gate} {state}: {len(red)} of {len(results)} checks did not pass", *_lines(red)])


def _lines(red: Iterable[Mapping[str, Any]]) -> list[str]:
    ordered = sorted(red, key=lambda result: (result["severity"] != "fail", str(result["check_id"])))
    lines = [
        f"- [{result['severity']}] {result['title_zh']} {result['title_en']} ({result['check_id']}, "
        f"{result['entity'] or 'all'})\n    found {result['observed']}, expected {result['expected']}, "
        f"since {result['since']}\n    who 责任: {result['owner']}\n"
        f"    do 处理: {result['remedy_zh']} {result['remedy_en']}"
        for result in ordered[:SHOWN]
    ]
    if len(ordered) > SHOWN:
        lines.append(f"… and {len(ordered) - SHOWN} more: oneledger checks --failed")
    return lines


def _fields(result: Any) -> Mapping[str, Any]:
    return result if isinstance(result, Mapping) else vars(result)

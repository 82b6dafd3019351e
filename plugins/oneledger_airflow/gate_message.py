"""What a gate's answer says in a task log and in the terminal: what, where, since when, who, how."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneledger.quality.checks import CheckResult, GateReport

SHOWN = 20


def gate_message(report: GateReport) -> str:
    """One line a check that did not pass, those that shut the gate first."""
    failed = report.failed
    if not failed:
        return f"gate {report.gate} open 闸门通过: {len(report.results)} checks passed"
    state = "open with warnings 通过（有警告）" if report.is_open else "shut 未通过"
    lines = [f"gate {report.gate} {state}: {len(failed)} of {len(report.results)} checks did not pass"]
    lines += [_line(result) for result in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"… and {len(failed) - SHOWN} more: oneledger checks --failed")
    return "\n".join(lines)


def _line(result: CheckResult) -> str:
    severity = f"tolerated: {result.tolerated}" if result.tolerated else result.severity
    since = f", since {result.since:%Y-%m-%d %H:%M} UTC" if result.since else ""
    return (
        f"- [{severity}] {result.title_zh} {result.title_en} ({result.check_id}, {result.entity or 'all'})\n"
        f"    found {result.observed}, expected {result.expected}{since}\n"
        f"    who 责任: {result.owner}\n"
        f"    do 处理: {result.remedy_zh} {result.remedy_en}"
    )

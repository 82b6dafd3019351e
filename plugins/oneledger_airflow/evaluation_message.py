"""What the person who decides on an evaluation reads, and what its gate says in a task log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneledger.settings import Settings
    from oneledger.warehouse.evaluation_runs import EvaluationRun

_BANDS = {"5": "五星 five stars", "4": "四星 four stars", "3": "三星 three stars", "none": "未达星级 none",
          "withheld": "暂不评 withheld"}  # fmt: skip


def run_in_force(settings: Settings, run: EvaluationRun) -> str | None:
    """The confirmed run of the same round, which confirming this one would replace."""
    from oneledger.evaluation.runs import evaluation_runs

    found = [
        one.run_id for one in evaluation_runs(settings) if one.state == "confirmed" and one.round_id == run.round_id
    ]
    return found[0] if found else None


def approval_subject(run: EvaluationRun) -> str:
    """One line: what is to be decided."""
    return f"确认评价结果 Confirm the evaluation of {run.period} ({run.run_id})"


def approval_body(settings: Settings, run: EvaluationRun, replaces: str | None, link: str, *, movers: int) -> str:
    """Markdown: distribution, scope, what the gate warned of, who moves against the run before, how to look closer."""
    from oneledger.evaluation.runs import find_run

    record = run.record
    before = record["compared_with"]
    earlier: dict[str, int] = find_run(settings, before).record["distribution"] if before else {}
    lines = [
        f"数据 data: version `{record['version']}`, as of {record['as_of_on']}; 规则 rules {record['rule_version']} "
        f"(`{record['rules_hash'][:12]}`)",
        "",
        "| 星级 stars | 应用 apps |" + (" 上次确认 last confirmed |" if before else ""),
        "|---|---|" + ("---|" if before else ""),
    ]
    for band, title in _BANDS.items():
        last = f" {earlier.get(band, 0)} |" if before else ""
        lines.append(f"| {title} | {record['distribution'][band]} |{last}")
    left_out = ", ".join(f"{count} {reason}" for reason, count in record["population"]["left_out"].items())
    lines += ["", f"范围 in scope: {record['population']['in_scope']}; 未纳入 left out: {left_out or 'none'}"]
    lines += ["", *gate_lines(run)]
    if before:
        lines += ["", *_movers(settings, before, run.run_id, movers)]
    if replaces:
        lines += ["", f"**确认后将替代 confirming replaces** `{replaces}`"]
    lines += [
        "",
        f"[在此答复 answer here]({link}). 细看 look closer: `oneledger evaluate show {run.run_id}`, "
        f"`oneledger explain APP --run {run.run_id}`" + (f", `oneledger diff {before} {run.run_id}`" if before else ""),
    ]
    return "\n".join(lines)


def gate_lines(run: EvaluationRun) -> list[str]:
    """One line for the gate's answer, and one a check that did not pass."""
    gate = run.record["gate"]
    failed: list[dict[str, Any]] = [one for one in gate["results"] if not one["is_passed"]]
    state = "open 通过" if gate["is_open"] else "shut 未通过"
    lines = [f"闸门 gate {state}: {gate['checks_count']} checks, {len(failed)} did not pass"]
    lines += [
        f"- [{'fail' if one['blocks'] else 'warn'}] {one['title_zh']} {one['title_en']} ({one['entity']}): "
        f"{one['observed']}, expected {one['expected']}. {one['owner']}: {one['remedy_zh']} {one['remedy_en']}"
        for one in failed
    ]
    return lines


def _movers(settings: Settings, before: str, after: str, limit: int) -> list[str]:
    from oneledger.evaluation.diffing import diff
    from oneledger.settings import ConfigurationError

    try:
        found = diff(settings, before, after)
    except ConfigurationError as error:
        # The version of the run before may have been removed; the decision does not hang on the comparison.
        return [f"与上次比较 not compared with {before}: {error}"]
    moved = [one for one in found["items"] if one["movement"] not in ("same_stars", "left_out_for_another_reason")]
    moved.sort(key=lambda one: (one["movement"] != "fell", -abs(one["score_change"] or 0), one["app_id"]))
    lines = [f"星级有变化 stars changed for {len(moved)} apps against `{before}`:"]
    for one in moved[:limit]:
        stars = f"{one['before']['stars'] or 'none'} → {one['after']['stars'] or 'none'}"
        lines.append(
            f"- {one['app_name']} ({one['app_id']}): {stars}, {one['movement']}, {' and '.join(one['causes'])}"
        )
    if len(moved) > limit:
        lines.append(f"- … {len(moved) - limit} more")
    return lines

"""What `make run` prints at the end, from outcome records and the published version, never from task colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oneledger.audit.anchors import current_anchor
from oneledger.outcomes import read_outcomes
from oneledger.pipeline.verdict import newest_tries, verdict_of
from oneledger.pipeline.withheld import sentences_of, withheld_parts
from oneledger.settings import Settings
from oneledger_airflow.progress import Progress

# A night without news has no admit record.
REQUIRED_STEPS = ("extract", "gate_sources", "build_models", "gate_marts", "publish")
COUNTS = ("received", "accepted", "quarantined", "superseded")
NEXT_WHEN_FAILED = (
    ("oneledger status", "what broke, in which data, who should act and how"),
    ("oneledger checks --failed", "the checks behind a shut gate"),
    ("make run", "again, when the cause is mended: it goes on where it stopped"),
)
NEXT = (
    ("oneledger reconcile", "the same table with the filter behind each figure"),
    ("oneledger status", "what is published, what broke, who should act"),
    ("oneledger quarantine list", "rows kept out, by source and reason"),
    ('oneledger query "from marts.low_use_verdict limit 5"', "look at a mart"),
    ("make up", "Airflow with its pages"),
)


def problems_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What failed in a run, one line a cause, and the steps that left no record: nothing shows that they ran."""
    newest = newest_tries(records)
    problems = _failures([record for record in newest if record["verdict"] == "failed"])
    done = {record["step"] for record in newest}
    if silent := [step for step in REQUIRED_STEPS if step not in done]:
        problems.append(f"{', '.join(silent)}: no outcome record, so nothing shows that it ran")
    return problems


def print_report(settings: Settings, run_id: str, progress: Progress) -> bool:
    """Print loaded, checked, published, reconciled and the verdict. Returns whether all is good."""
    records = list(read_outcomes(settings.outcomes_dir, run_id))
    verdict, problems = verdict_of(records), problems_of(records)
    progress.say()
    _print_loaded(records, progress)
    _print_steps(records, progress)
    is_published = verdict != "not_published"
    matched = _print_published(settings, progress) if is_published else False
    progress.say()
    for problem in problems:
        progress.say(f"✗ {problem}")
    for sentence in sentences_of(withheld_parts(settings)) if is_published else []:
        progress.say(f"! 暂缺 withheld: {sentence}")
    is_good = verdict in ("good", "good_with_warnings") and not problems and matched
    addition = " (published figures differ)" if is_published and not matched else ""
    if anchor := current_anchor(settings):
        progress.say(anchor.line)
    progress.say(f"{'✓' if is_good else '✗'} run {run_id}: {verdict}{addition}")
    progress.say()
    progress.say('Type next 接下来: export PATH="$PWD/.venv/bin:$PATH"')
    for command, purpose in NEXT if is_good else NEXT_WHEN_FAILED:
        progress.say(f"  {command:<54} {purpose}")
    return is_good


def _print_loaded(records: list[dict[str, Any]], progress: Progress) -> None:
    from oneledger.cli.output import print_table

    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        if record["step"] != "admit" or record["received_count"] is None:
            continue
        row = totals.setdefault(
            (record["source"] or "", record["entity"] or ""),
            {"source": record["source"], "entity": record["entity"], "batches": 0, **dict.fromkeys(COUNTS, 0)},
        )
        row["batches"] += 1
        for count in COUNTS:
            row[count] += record[f"{count}_count"] or 0
    if not totals:
        progress.say("Loaded 载入: nothing new 没有新数据")
        return
    headings = {
        "source": "来源 source",
        "entity": "实体 entity",
        "batches": "批次 batches",
        "received": "收到 received",
        "accepted": "入库 accepted",
        "quarantined": "隔离 quarantined",
        "superseded": "被替换 superseded",
    }
    print_table([totals[key] for key in sorted(totals)], headings, title="Loaded 载入（行 rows）")


def _print_steps(records: list[dict[str, Any]], progress: Progress) -> None:
    for step in ("gate_sources", "build_models", "gate_marts"):
        for record in records:
            if record["step"] == step:
                progress.say(f"Checked 检查 {step}: {record['verdict']} {record['message']}".rstrip())


def _print_published(settings: Settings, progress: Progress) -> bool:
    from oneledger.cli.output import print_table
    from oneledger.findings import state_changes, told
    from oneledger.publishing.reconcile import reconcile
    from oneledger.publishing.versions import current_version

    version = current_version(settings)
    if version is None:
        progress.say("Published 发布: nothing")
        return False
    progress.say(f"Published 发布: version {version.version}, as of {version.as_of_on}")
    progress.say(f"                content hash {version.content_hash}")
    for line in told(state_changes(settings, version)):
        progress.say(line)
    answer = reconcile(settings)
    shown = [{**item, "matched": "✓" if item["is_matched"] is True else "✗"} for item in answer["items"]]
    headings = {
        "figure_id": "figure",
        "title_zh": "指标",
        "published_value": "公布 published",
        "computed_value": "计算 computed",
        "difference": "差 difference",
        "matched": "",
        "mart": "mart",
    }
    print_table(shown, headings, title="Reconcile 核对")
    matching = sum(item["is_matched"] is True for item in answer["items"])
    progress.say(f"{matching} of {len(answer['items'])} published figures match 公布数与计算数一致")
    for item in answer["items"]:
        if item.get("problem"):
            progress.say(f"✗ {item['problem']}\n  {item['remedy']}")
    return bool(answer["ok"])


def _failures(failed: list[Mapping[str, Any]]) -> list[str]:
    """One line a cause: what befell every entity of a source is said once."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for record in failed:
        cause = (record["step"], f"{record['message']} {record['remedy']}".strip())
        subjects.setdefault(cause, []).append(_subject(record))
    return [f"{step} {', '.join(named)}".strip() + f": {what}" for (step, what), named in subjects.items()]


def _subject(record: Mapping[str, Any]) -> str:
    return ".".join(part for part in (record["source"], record["entity"]) if part) or record["batch_id"] or ""

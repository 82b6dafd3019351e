"""What the published version lacks, as its own mart says; and how one run ended, with that beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from oneledger.outcomes import read_outcomes
from oneledger.pipeline.verdict import RunVerdict, newest_tries, reconciles, verdict_of, what_is_missing
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import current_version
from oneledger.settings import Settings

_COLUMNS = (
    "source", "entity", "kind", "period_on", "since_on", "rows_count", "reason_zh", "reason_en", "remedy_zh",
    "remedy_en", "owner",
)  # fmt: skip


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
        verdict: computed from its outcome records.
        problems: one sentence a step that failed, or a batch whose counts do not add up.
        missing: sources and entities that could not be read or admitted.
        withheld: rows of ``marts.withheld_part`` of the version that readers see.
    """

    run_id: str
    verdict: RunVerdict
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """False when something was red in the run: then no task that speaks for it may be green."""
        return self.verdict in ("good", "good_with_warnings")

    @property
    def text(self) -> str:
        """All of it in lines, for a task's log and its error."""
        lines = [f"run {self.run_id}: {self.verdict}"]
        lines += [f"✗ {problem}" for problem in self.problems]
        lines += [f"缺少 missing: {sentence}" for sentence in self.missing]
        lines += [f"暂缺 withheld: {sentence}" for sentence in sentences_of(self.withheld)]
        return "\n".join(lines)


def run_end(settings: Settings, run_id: str) -> RunEnd:
    """How this run ended, from its records and from what readers see now."""
    records = list(read_outcomes(settings.outcomes_dir, run_id))
    newest = newest_tries(records)
    problems = [f"{one['step']}: {one['message']} {one['remedy']}".strip() for one in newest
                if one["verdict"] == "failed" and one["step"] not in ("extract", "load_raw", "admit")]  # fmt: skip
    problems += [f"admit: {one['batch_id']}: its counts do not add up" for one in newest if not reconciles(one)]
    return RunEnd(run_id, verdict_of(records), problems, what_is_missing(records), withheld_parts(settings))


def withheld_parts(settings: Settings) -> list[dict[str, Any]]:
    """The rows of ``marts.withheld_part`` of the current version; none when nothing is published."""
    version = current_version(settings)
    if version is None:
        return []
    with open_version(settings, version) as connection:
        known = connection.execute(
            "select 1 from information_schema.tables where table_schema = 'marts' and table_name = 'withheld_part'"
        ).fetchone()
        if not known:
            return []
        found = connection.execute(
            f"select {', '.join(_COLUMNS)} from marts.withheld_part order by source, entity, kind, period_on"
        ).fetchall()
    return [dict(zip(_COLUMNS, row, strict=True)) for row in found]


def grouped_parts(parts: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The parts of one entity and kind together, in the order in which they came: people are told of each once."""
    grouped: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for part in parts:
        grouped.setdefault((part["source"], part["entity"], part["kind"]), []).append(part)
    return list(grouped.values())


def sentences_of(parts: Sequence[dict[str, Any]]) -> list[str]:
    """One sentence an entity and kind: what, which dates, since when, why, how many rows, who acts."""
    return [_sentence(group) for group in grouped_parts(parts)]


def dates_of(group: Sequence[dict[str, Any]]) -> str:
    """The first five dates of a group, and how many more there are; empty when it has none."""
    dates = [str(part["period_on"]) for part in group if part["period_on"]]
    return ", ".join(dates[:5]) + (f" and {len(dates) - 5} more" if len(dates) > 5 else "")


def _sentence(group: Sequence[dict[str, Any]]) -> str:
    first = group[0]
    dates = dates_of(group)
    since = f" since {first['since_on']}" if first["since_on"] and not dates else ""
    rows = sum(part["rows_count"] or 0 for part in group)
    counted = f" ({rows:,} rows)" if rows else ""
    return (
        f"{first['source']}.{first['entity']}{f' {dates}' if dates else ''}{since}: {first['reason_zh']} "
        f"{first['reason_en']}{counted}. {first['owner']}: {first['remedy_zh']} {first['remedy_en']}"
    )

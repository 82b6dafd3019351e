"""What is wrong now, as causes: from the last run's outcome records and from the checks that stand failed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oneledger.findings.reading import finding_states
from oneledger.outcomes import read_outcomes
from oneledger.pipeline.runs import list_runs
from oneledger.pipeline.verdict import newest_tries
from oneledger.publishing.versions import current_version
from oneledger.quality.results import latest_results
from oneledger.runbooks import code_of_check, code_of_outcome, page_of
from oneledger.settings import Settings
from oneledger.warehouse.lock import lock_holder
from oneledger.warehouse.reader_copies import has_reader_copies, open_reader_copies

_OPERATORS = "市大数据局数据仓库运维"
_LISTED = 12


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong, and for which one message goes out.

    Attributes:
        cause_id: stays the same while the same thing is wrong.
        severity: ``fail`` or ``warn``.
        title: zh and en, for the subject.
        what: what is wrong, in which data.
        since: UTC, ISO 8601; when it was first seen.
        owner: who acts.
        remedy: what to do.
        command: shows the whole of it.
        runbook: the page of ``docs/runbooks`` about it.
        link: a page that shows it, when there is one.
    """

    cause_id: str
    severity: str
    title: str
    what: str
    since: str
    owner: str
    remedy: str
    command: str
    runbook: str
    link: str = ""

    @property
    def fingerprint(self) -> str:
        """Changes when the cause does; counts, dates and ages alone do not make it another."""
        core = re.sub(r"[\d.,:-]+", "#", f"{self.severity}|{self.title}|{self.what}|{self.owner}")
        return hashlib.sha256(core.encode()).hexdigest()[:16]


def open_causes(settings: Settings) -> list[Cause]:
    """Everything that stands wrong: the last whole run first, then failed checks, then warnings by check.

    A warning that concerns many entities is one cause. While somebody writes the warehouse its checks may be half of
    this run and half of the one before; then only the runs speak, and nothing counts as recovered (see
    ``can_tell_recovery``).
    """
    causes = _run_causes(settings) + _finding_causes(settings)
    if can_tell_recovery(settings):
        with open_reader_copies(settings) as copies:
            failing = latest_results(copies.connection, only_failed=True)
        causes += _check_causes(failing)
    return list({cause.cause_id: cause for cause in causes}.values())


def can_tell_recovery(settings: Settings) -> bool:
    """Whether the checks are those of a whole run; otherwise an absent cause proves nothing."""
    return has_reader_copies(settings) and lock_holder(settings) is None


def _run_causes(settings: Settings) -> list[Cause]:
    """What failed since the last whole run began: its own steps, and what was fetched after it."""
    runs = list_runs(settings)
    position = next((number for number, run in enumerate(runs) if run["is_whole"]), len(runs) - 1)
    if not runs:
        return []
    last = runs[position]
    since = [run["run_id"] for run in reversed(runs[: position + 1])]
    records = [record for run_id in since for record in read_outcomes(settings.outcomes_dir, run_id)]
    failed = [record for record in newest_tries(records) if record["verdict"] == "failed"]
    causes = []
    grouped: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for record in failed:
        grouped.setdefault((record["step"], record["source"] or "", _core(record["message"])), []).append(record)
    for (step, source, core), members in grouped.items():
        # A shut gate is said check by check.
        if step.startswith("gate_") and members[0]["detail"].get("blocking"):
            continue
        first = members[0]
        concerned = ", ".join(sorted({member["entity"] for member in members if member["entity"]})[:_LISTED])
        where = ".".join(part for part in (source, concerned) if part)
        digest = hashlib.sha256(core.encode()).hexdigest()[:8]
        causes.append(
            Cause(
                cause_id=f"step:{step}:{source}:{digest}",
                severity="fail",
                title=f"步骤失败 {step} failed{f': {source}' if source else ''}",
                what=f"{where}: {first['message']}".removeprefix(": "),
                since=str(min(member["started_at"] for member in members)),
                owner=_OPERATORS,
                remedy=first["remedy"] or "oneledger status",
                command=f"oneledger runs show {first['run_id']}",
                runbook=page_of(code_of_outcome(first)),
            )
        )
    if last["verdict"] == "not_published" and not failed and lock_holder(settings) is None:
        causes.append(
            Cause(
                cause_id="run:ended",
                severity="fail",
                title="运行中断，未发布 the run ended before it published",
                what=f"no step says that it failed; the last record is of {records[-1]['step']}",
                since=str(last["started_at"]),
                owner=_OPERATORS,
                remedy="the process was killed or the machine stopped; run again, it goes on where it stopped",
                command=f"oneledger runs show {last['run_id']}",
                runbook=page_of("situation:killed"),
            )
        )
    return causes


def _finding_causes(settings: Settings) -> list[Cause]:
    """Findings of the audit that fell back: closed once, and missed again by later data."""
    version = current_version(settings)
    if version is None:
        return []
    return [
        Cause(
            cause_id=f"finding:{row['list_year']}/{row['finding_number']}",
            severity="warn",
            title=f"审计问题回退 finding reopened: {row['list_year']}/{row['finding_number']}",
            what=f"{row['title_zh']} {row['title_en'] or ''}: {row['reason_zh']} {row['reason_en']}",
            since=str(row["reopened_on"]),
            owner=row["office"],
            remedy="数据再次未达目标，请责任处室整改 the data miss the target again; the office mends it",
            command=f"oneledger findings show {row['finding_number']}",
            runbook=page_of("finding:reopened"),
        )
        for row in finding_states(settings, version).values()
        if row["state"] == "reopened"
    ]


def _check_causes(failing: Sequence[Mapping[str, Any]]) -> list[Cause]:
    causes = []
    warnings: dict[str, list[Mapping[str, Any]]] = {}
    for result in failing:
        if result["severity"] != "fail":
            warnings.setdefault(result["check_id"], []).append(result)
            continue
        causes.append(
            Cause(
                cause_id=f"check:{result['check_id']}:{result['entity'] or ''}",
                severity="fail",
                title=f"{result['title_zh']} {result['title_en']}: {result['entity']}",
                what=f"found {result['observed']}; expected {result['expected']}",
                since=_instant(result["since"]),
                owner=result["owner"],
                remedy=f"{result['remedy_zh']} {result['remedy_en']}",
                command=f"oneledger checks --history {result['check_id']} --entity {result['entity']}",
                runbook=page_of(code_of_check(result["check_id"])),
            )
        )
    for check_id, results in warnings.items():
        first = results[0]
        entities = sorted({str(one["entity"]) for one in results})
        more = f" and {len(entities) - _LISTED} more" if len(entities) > _LISTED else ""
        causes.append(
            Cause(
                cause_id=f"warning:{check_id}",
                severity="warn",
                title=f"{first['title_zh']} {first['title_en']}",
                what=f"{', '.join(entities[:_LISTED])}{more}. For instance {first['entity']}: {first['observed']}",
                since=min(_instant(one["since"]) for one in results),
                owner=", ".join(dict.fromkeys(str(one["owner"]) for one in results)),
                remedy=f"{first['remedy_zh']} {first['remedy_en']}",
                command=f"oneledger checks --history {check_id}",
                runbook=page_of(code_of_check(check_id)),
            )
        )
    return causes


def _core(message: str) -> str:
    """The message without what changes from entity to entity and night to night."""
    return re.sub(r"[\d.,:/_-]+", "#", message)[:80]


def _instant(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value or "")

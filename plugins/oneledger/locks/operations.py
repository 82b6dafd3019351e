"""Which operation holds which locks, and what becomes of it beside another: the table of docs/concurrency.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from oneledger.locks.register import (
    AIRFLOW,
    CITY,
    CORRECTION,
    DATA_DOCS,
    DECISION,
    EVENTS,
    LEDGER,
    LOCKS,
    NOTICES,
    REPORT,
    SOURCE,
    WRITER,
    Lock,
)


@dataclass(frozen=True)
class Operation:
    """What somebody starts.

    Attributes:
        name: a verb of the command line, a task of Airflow, or what a page does.
        title_zh, title_en: what it does.
        locks: those that it holds for all or part of its time, in the order in which it takes them.
        waits_minutes: how long it waits for the writer's turn; 0 for what is refused at once.
        beside_source: what it does when one of its sources is being fetched by somebody else.
    """

    name: str
    title_zh: str
    title_en: str
    locks: tuple[Lock, ...]
    waits_minutes: int = 0
    beside_source: Literal["refused", "is tried again", "runs without it"] = "refused"


# As oneledger_airflow.turns has it; a test holds the two together.
TASK_WAITS_MINUTES = 25

OPERATIONS = (
    Operation("run", "夜间运行", "the nightly", (WRITER, SOURCE, LEDGER, EVENTS), beside_source="runs without it"),
    Operation("ingest", "采集一个来源", "fetch one source", (SOURCE, LEDGER, EVENTS)),
    Operation("rebuild", "从落地重建", "everything again from landing", (WRITER, SOURCE, LEDGER, EVENTS)),
    Operation("backfill plan", "补录试算", "try a backfill on a copy", (WRITER, SOURCE)),
    Operation("backfill apply", "执行补录", "apply a backfill", (CORRECTION, WRITER, SOURCE, LEDGER, EVENTS)),
    Operation("backfill abandon", "放弃补录", "give a backfill up", (CORRECTION,)),
    Operation("quarantine release", "放行隔离行", "let quarantined rows in", (WRITER, LEDGER)),
    Operation("retention apply", "清理", "remove what the rule removes", (WRITER, DECISION, LEDGER)),
    Operation("retention pin", "保留版本", "keep a version", (DECISION,)),
    Operation("evaluate confirm", "确认评价", "seal an evaluation", (DECISION, LEDGER)),
    Operation("evaluate reject", "退回评价", "reject an evaluation", (DECISION, LEDGER)),
    Operation("report", "通报", "the circular and the workbook", (REPORT, LEDGER)),
    Operation("verify", "核验", "check seals; acknowledge, sign", (LEDGER,)),
    Operation("notices send", "发送通知", "send notices", (NOTICES,)),
    Operation("checks docs", "检查报告站点", "Data Docs", (DATA_DOCS,)),
    Operation("lineage events", "血缘事件", "send kept lineage events again", (EVENTS,)),
    Operation("city build", "生成合成城市", "build the synthetic city", (CITY,)),
    Operation("city break", "破坏合成城市", "spoil the synthetic city", (CITY,)),
    Operation("city mend", "修复合成城市", "mend the synthetic city", (CITY,)),
    Operation(
        "task ingest", "Airflow 采集任务", "Airflow: `ingest_<source>`", (SOURCE, LEDGER, EVENTS),
        beside_source="is tried again",
    ),
    Operation(
        "tasks of build, publish", "Airflow 构建与发布任务", "Airflow: each task of `build`, and `publish`",
        (WRITER, LEDGER, EVENTS), TASK_WAITS_MINUTES,
    ),
    Operation("tasks of evaluate", "Airflow 评价任务", "Airflow: `confirm`, `report`", (DECISION, REPORT, LEDGER)),
    Operation("page: decide", "页面上的确认与退回", "pages: confirm, reject", (DECISION, LEDGER)),
    Operation("make up, make run", "本机 Airflow", "Airflow on this machine", (AIRFLOW,)),
)  # fmt: skip

# What reads published versions, copies for readers or its own arguments only: it runs beside everything, and beside
# itself. ``evaluate`` and exports write into a folder of their own that appears whole.
READERS = (
    "backfill list", "backfill show", "checks", "checks trend", "city serve", "diff", "doctor", "evaluate",
    "evaluate list", "evaluate show", "evaluate verify", "explain", "export", "findings", "findings list",
    "findings show", "lineage check", "lineage page", "lineage show", "lineage uses", "metrics list", "metrics query",
    "metrics show", "notices", "open-data export", "open-data list", "quarantine export", "quarantine list",
    "quarantine releases", "quarantine show", "query", "reconcile", "replay", "report list", "restatement",
    "retention plan", "retention unpin", "rules check", "runbook", "runs", "runs show", "simulate", "status", "trace",
    "versions", "versions show", "web",
)  # fmt: skip
# Of these locks the second takes its turn within seconds; they keep nobody apart for long.
SHORT = (LEDGER, EVENTS)


def beside(first: Operation, second: Operation) -> str:
    """What becomes of ``second`` when it is started while ``first`` is under way.

    ``runs``, ``waits``, ``refused``; for one that shares a source, its ``beside_source``. Locks of one source,
    one report keep apart only who wants the same one. Turns of seconds (``SHORT``) do not count.
    """
    for lock in second.locks:
        if lock not in first.locks or lock in SHORT:
            continue
        if lock is SOURCE:
            return second.beside_source
        return "waits" if lock.wait_seconds or (lock is WRITER and second.waits_minutes) else "refused"
    return "runs"


def locks_table() -> list[str]:
    """Markdown: each lock, its file, who comes second, and who holds it."""
    lines = ["| lock | held while | file below `ONELEDGER_HOME` | the second one |", "|---|---|---|---|"]
    for lock in LOCKS:
        second = (
            f"waits up to {lock.wait_seconds:.0f} s, then is refused" if lock.wait_seconds else "is refused at once"
        )
        if lock is WRITER:
            second += f"; a task of Airflow waits up to {TASK_WAITS_MINUTES} minutes and is tried again twice"
        file = lock.file.format(part="<source>" if lock is SOURCE else "<run>")
        lines.append(f"| `{lock.name}` | {lock.title_zh} {lock.title_en} | `{file}` | {second} |")
    return lines


def operations_table(columns: Iterable[str] = ("run", "ingest", "backfill apply", "evaluate confirm")) -> list[str]:
    """Markdown: each operation, its locks, and what becomes of it beside some others."""
    others = [next(one for one in OPERATIONS if one.name == name) for name in columns]
    heads = " | ".join(f"while `{one.name}`" for one in others)
    lines = [f"| started | what | holds | {heads} | beside itself |", "|---|---|---|" + "---|" * (len(others) + 1)]
    for one in OPERATIONS:
        answers = " | ".join(beside(other, one) for other in [*others, one])
        locks = ", ".join(f"`{lock.name}`" for lock in one.locks)
        lines.append(f"| `{one.name}` | {one.title_zh} {one.title_en} | {locks} | {answers} |")
    return lines


if __name__ == "__main__":
    print("\n".join([*locks_table(), "", *operations_table()]))

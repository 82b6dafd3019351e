"""Every lock of an installation: its file, what it keeps apart, and how long the one who comes second waits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.locks.busy import BusyError
from oneledger.locks.holder import LockHolder
from oneledger.locks.holding import Held, Say, hold, holder_of
from oneledger.settings import Settings


@dataclass(frozen=True)
class Lock:
    """One kind of lock.

    Attributes:
        name: as ``oneledger status`` shows it.
        title_zh, title_en: what is held.
        file: below ONELEDGER_HOME; ``{part}`` stands for the source, run … that is held by itself.
        what: the beginning of the refusal, ``The warehouse is being written``.
        rule: why a second one is not let in.
        wait_seconds: how long the second one waits before it is refused; 0 refuses at once. What takes turns of a
            second is waited for; what may take minutes is not.
    """

    name: str
    title_zh: str
    title_en: str
    file: str
    what: str
    rule: str
    wait_seconds: float = 0.0

    def path(self, settings: Settings, part: str = "") -> Path:
        return settings.home / self.file.format(part=part)

    @contextlib.contextmanager
    def held(
        self,
        settings: Settings,
        *,
        run_id: str,
        step: str,
        part: str = "",
        path: Path | None = None,
        wait_seconds: float | None = None,
        say: Say | None = None,
    ) -> Iterator[Held]:
        """Hold it while the block runs.

        Args:
            run_id, step: on whose behalf, and what for.
            part: which source, run …
            path: a lock file elsewhere (a report that is written to another folder).
            wait_seconds: another patience than the usual.
            say: told whom one waits for.

        Raises:
            BusyError: somebody else holds it.
            ConfigurationError: the lock file cannot be written, or the file system knows no locks.
        """
        with hold(
            path or self.path(settings, part),
            lambda found, holder: self.refusal(found, holder, part),
            run_id=run_id,
            step=step,
            wait_seconds=self.wait_seconds if wait_seconds is None else wait_seconds,
            say=say,
        ) as held:
            yield held

    def refusal(self, path: Path, holder: LockHolder | None, part: str = "") -> BusyError:
        return BusyError(self.what.format(part=part), self.rule, path, holder)

    def holder(self, settings: Settings, part: str = "") -> LockHolder | None:
        """Who holds it now."""
        return holder_of(self.path(settings, part))


WRITER = Lock(
    "writer", "仓库写入", "writing the warehouse", "warehouse/writer.lock",
    "The warehouse is being written",
    "Only one process may write it; readers use the published version and need not wait.",
)  # fmt: skip
SOURCE = Lock(
    "source", "来源采集", "fetching one source", "landing/{part}/.lock",
    "Source {part} is being ingested",
    "One process fetches a source at a time; different sources do not wait for each other.",
)  # fmt: skip
CORRECTION = Lock(
    "correction", "补录执行", "applying or giving up a backfill", "corrections/.deciding.lock",
    "A backfill is being decided on",
    "One is applied or given up at a time, so that a plan is never applied twice.",
)  # fmt: skip
CITY = Lock(
    "city", "合成城市生成", "building, breaking or mending the synthetic city", "city/.lock",
    "The synthetic city is being changed",
    "One process changes it at a time; who reads it need not wait.",
)  # fmt: skip
AIRFLOW = Lock(
    "airflow", "本机 Airflow", "Airflow on this machine (make up, make run)", "airflow/supervisor.lock",
    "Airflow already runs for this ONELEDGER_HOME, started",
    "One Airflow serves one ONELEDGER_HOME.",
)  # fmt: skip
DECISION = Lock(
    "decision", "评价确认与退回、版本保留与清理", "confirming or rejecting an evaluation; pinning; retention",
    "evaluations/.deciding.lock",
    "What is kept is being decided on",
    "One at a time, so that a round never gets two confirmed runs and nothing is removed that was just kept.",
    wait_seconds=60,
)  # fmt: skip
LEDGER = Lock(
    "ledger", "封存账", "adding a line to the ledger of seals", "seals/.lock",
    "The ledger of seals is being written",
    "One line is added at a time, each with the hash of the one before.",
    wait_seconds=120,
)  # fmt: skip
REPORT = Lock(
    "report", "通报文件", "writing the files of one report", "reports/{part}/.lock",
    "This report is being written",
    "Two that make the same report take turns; the second finds it made.",
    wait_seconds=120,
)  # fmt: skip
DATA_DOCS = Lock(
    "data_docs", "检查报告站点", "making Data Docs", "reports/data_docs.lock",
    "Data Docs are being made",
    "Two that make them take turns; the second adds what is new.",
    wait_seconds=300,
)  # fmt: skip
EVENTS = Lock(
    "events", "未发送的血缘事件", "keeping or sending again lineage events", "lineage/unsent.lock",
    "Lineage events that could not be sent are being kept or sent again",
    "One at a time, so that none is lost and none sent twice.",
    wait_seconds=120,
)  # fmt: skip
NOTICES = Lock(
    "notices", "通知发送", "sending notices", "notices/.lock",
    "Notices are being sent",
    "One process sends at a time, so that nobody is told the same thing twice.",
    wait_seconds=300,
)  # fmt: skip
LOCKS = (WRITER, SOURCE, CORRECTION, CITY, AIRFLOW, DECISION, LEDGER, REPORT, DATA_DOCS, EVENTS, NOTICES)


def held_now(settings: Settings) -> list[dict[str, Any]]:
    """Every lock that somebody holds: ``name``, ``part``, titles, ``path`` and ``holder`` (a LockHolder)."""
    found = []
    for lock in LOCKS:
        for path in sorted(settings.home.glob(lock.file.format(part="*"))):
            holder = holder_of(path)
            if holder is not None:
                part = path.parent.name if "{part}" in lock.file else ""
                found.append(
                    {"name": lock.name, "part": part, "title_zh": lock.title_zh, "title_en": lock.title_en,
                     "path": path, "holder": holder}
                )  # fmt: skip
    return found

"""The event of a whole OneLedger run, which is the parent of what its steps tell when no scheduler carries them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from oneledger.lineage.openlineage import configuration
from oneledger.lineage.openlineage.reading import pack_old_files
from oneledger.lineage.openlineage.runs import (
    NIGHTLY_JOB,
    PARENT_VARIABLE,
    ROOT_VARIABLE,
    RunName,
    Teller,
    as_parent,
    nightly_run,
)
from oneledger.lineage.openlineage.telling import Told, tell
from oneledger.outcomes import utc_now
from oneledger.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent


class NightlyTale:
    """Tells the start of a run, beside its first step, and its end."""

    def __init__(self, settings: Settings, run_id: str) -> None:
        self._settings = settings
        self._run_id = run_id
        self._started_at = utc_now()
        # Whoever started this process may be the parent of the run.
        self._parent, self._root = os.environ.get(PARENT_VARIABLE), os.environ.get(ROOT_VARIABLE)
        self._start: RunEvent | None = None
        # The client takes half a second to import; the first step waits for its source meanwhile.
        self._telling = threading.Thread(target=self._tell_start, daemon=True)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """What is told inside has this run as its parent."""
        if configuration.is_switched_off():
            yield
            return
        self._telling.start()
        own = str(nightly_run(self._run_id))
        try:
            with as_parent(own, self._root or self._parent or own):
                yield
        finally:
            self._telling.join()

    def end(self, problem: str) -> Told:
        """Tell the end: a failure when there is a problem."""

        def make() -> list[RunEvent]:
            return [self._teller().end(self._start or self._begin(), utc_now(), problem=problem)]

        told = tell(self._settings, make)
        problem = pack_old_files(self._settings)
        return told if told.problem or not problem else replace(told, problem=problem)

    def _tell_start(self) -> None:
        tell(self._settings, lambda: [self._begin()])

    def _begin(self) -> RunEvent:
        self._start = self._teller().start(NIGHTLY_JOB, "NIGHTLY", self._started_at, run_name=nightly_run(self._run_id))
        return self._start

    def _teller(self) -> Teller:
        parent = RunName.parse(self._parent, PARENT_VARIABLE) if self._parent else None
        root = RunName.parse(self._root, ROOT_VARIABLE) if self._root else parent
        return Teller(self._run_id, parent, root)

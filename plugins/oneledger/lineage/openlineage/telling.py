"""Sending events. Whatever happens here, the night goes on: a failure is said in the outcome of the step."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oneledger.lineage.openlineage import configuration
from oneledger.locks import BusyError
from oneledger.locks.register import EVENTS
from oneledger.outcomes import Outcome, record_outcome
from oneledger.redacting import without_secrets
from oneledger.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

# A receiver that did not answer is left alone for a while: each try costs its whole time-out.
_PAUSE_SECONDS = 600
_broken_until: dict[str, float] = {}
# The producer of facets is a global of the client; the start of a night is told beside its first step.
_one_at_a_time = threading.Lock()
_SHOWN = 300


@dataclass(frozen=True)
class Told:
    """What became of the events of one step.

    Attributes:
        events_count: events that were written or sent.
        seconds: what it took, from reading to sending.
        problem: why some were not; "" when all were.
        remedy: what to do then.
        without_columns: by model, why its SQL could not be read, so that its event has no column lineage.
    """

    events_count: int = 0
    seconds: float = 0.0
    problem: str = ""
    remedy: str = ""
    without_columns: Mapping[str, str] = field(default_factory=dict)

    def note_in(self, outcome: Outcome) -> None:
        """Say it in the outcome of the step: a count in ``detail``; a problem also makes a good one a warning."""
        outcome.detail["lineage_events"] = {"count": self.events_count, "seconds": round(self.seconds, 2)}
        if self.without_columns:
            outcome.detail["lineage_events"]["without_columns"] = dict(self.without_columns)
        if not self.problem:
            return
        outcome.detail["lineage_events"]["problem"] = self.problem
        if outcome.verdict == "good":
            outcome.verdict = "warning"
        outcome.message = f"{outcome.message}; {self.problem}" if outcome.message else self.problem
        outcome.remedy = outcome.remedy or self.remedy

    def record_problem(self, settings: Settings, run_id: str, step: str) -> Outcome | None:
        """For steps whose outcomes are written already: one more outcome that says the problem, if there is one."""
        if not self.problem:
            return None
        outcome = Outcome(run_id, step, "warning", message=self.problem, remedy=self.remedy)
        return record_outcome(outcome, settings.outcomes_dir)


def tell(settings: Settings, make: Callable[[], Iterable[RunEvent]]) -> Told:
    """Make the events of a step and send them. Never raises.

    Args:
        settings: where the files lie.
        make: makes the events; called only when events are wanted at all.
    """
    if configuration.is_switched_off():
        return Told()
    with _one_at_a_time:
        return _tell(settings, make)


def _tell(settings: Settings, make: Callable[[], Iterable[RunEvent]]) -> Told:
    begun = time.monotonic()
    try:
        with _as_producer():
            events = list(make())
    except Exception as error:  # lineage must not end a night whose data are good
        problem = f"lineage events could not be made: {without_secrets(f'{type(error).__name__}: {error}', _SHOWN)}"
        return Told(0, time.monotonic() - begun, problem, "The data are not concerned. Report this as a fault.")
    sent, problem = _send(settings, events) if events else (0, "")
    if not problem:
        return Told(sent, time.monotonic() - begun)
    kept = _keep_unsent(settings, events[sent:])
    remedy = (
        "The data are not concerned. Correct the receiver of lineage events or the setting that names it "
        "(docs/openlineage.md); `oneledger lineage events --resend` sends what was kept."
    )
    return Told(sent, time.monotonic() - begun, f"{problem}; {kept}", remedy)


def resend(settings: Settings) -> Told:
    """Send the events that were kept because they could not be sent; those that arrive are kept no longer.

    Raises:
        BusyError: another process sends them.
    """
    with EVENTS.held(settings, run_id="lineage events", step="resend"):
        return _resend(settings)


def _resend(settings: Settings) -> Told:
    begun = time.monotonic()
    sent = 0
    _broken_until.clear()
    for path in sorted(configuration.unsent_dir(settings).glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        done, problem = _send_lines(settings, lines)
        sent += done
        if problem:
            path.write_text("".join(f"{line}\n" for line in lines[done:]), encoding="utf-8")
            return Told(sent, time.monotonic() - begun, problem, "Correct the receiver and send again.")
        path.unlink()
    return Told(sent, time.monotonic() - begun)


def _send(settings: Settings, events: Sequence[RunEvent]) -> tuple[int, str]:
    """How many arrived, and why the others did not."""
    destination = configuration.configured_by() or "file"
    if time.monotonic() < _broken_until.get(destination, 0.0):
        return 0, f"{len(events)} lineage events not sent: {destination} did not take them a moment ago"
    sent = 0
    with _warnings() as warned:
        try:
            client = _client(settings)
            for event in events:
                client.emit(event)
                if warned:
                    break
                sent += 1
            if not warned and not client.close():
                warned.append("the transport did not finish in time")
        except Exception as error:  # any transport may be configured, and each has errors of its own
            warned.append(f"{type(error).__name__}: {error}")
    if not warned:
        return sent, ""
    _broken_until[destination] = time.monotonic() + _PAUSE_SECONDS
    return sent, f"{len(events) - sent} lineage events not sent ({destination}): {without_secrets(warned[0], _SHOWN)}"


def _send_lines(settings: Settings, lines: Sequence[str]) -> tuple[int, str]:
    import json

    sent = 0
    with _warnings() as warned:
        try:
            transport = _client(settings).transport
            for line in lines:
                # The transports write what they are given as JSON; the client itself takes objects only.
                transport.emit(json.loads(line))
                if warned:
                    break
                sent += 1
            if not warned:
                transport.close()
        except Exception as error:  # as above
            warned.append(f"{type(error).__name__}: {error}")
    return sent, f"{len(lines) - sent} lineage events not sent: {without_secrets(warned[0], _SHOWN)}" if warned else ""


def _client(settings: Settings) -> OpenLineageClient:
    from openlineage.client import OpenLineageClient

    return OpenLineageClient(config=configuration.client_config(settings))


def _keep_unsent(settings: Settings, events: Sequence[RunEvent]) -> str:
    from oneledger.lineage.openlineage.file_transport import DailyFileConfig, DailyFileTransport

    folder = configuration.unsent_dir(settings)
    try:
        # Who sends them again takes away what it has sent: nothing may be added meanwhile.
        with EVENTS.held(settings, run_id="lineage events", step="keep"):
            transport = DailyFileTransport(DailyFileConfig(str(folder)))
            for event in events:
                transport.emit(event)
    except (OSError, BusyError, ConfigurationError) as error:
        return f"nor could they be kept in {folder}: {error}"
    return f"they are kept in {folder}"


@contextlib.contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the client's transports say instead of raising: a composite one goes on when one of its parts fails."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener = Listener(level=logging.WARNING)
    loggers = [logging.getLogger(f"openlineage.client.transport.{name}") for name in ("composite", "async_http")]
    for logger in loggers:
        logger.addHandler(listener)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeHandler(listener)


@contextlib.contextmanager
def _as_producer() -> Iterator[None]:
    """Facets take their producer from a global of the client, which in a task is Airflow's."""
    from openlineage.client.generated import base

    before = base.PRODUCER
    base.set_producer(producer())
    try:
        yield
    finally:
        base.set_producer(before)


@functools.cache
def producer() -> str:
    """The URI by which our events say who made them."""
    return f"urn:oneledger:{importlib.metadata.version('oneledger')}"

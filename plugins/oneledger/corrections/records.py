"""The record of a backfill: what was asked for, what the plan found, who applied it and what came of it.

One JSON file each in ``corrections/``, written whole or not at all. A record is only added to: each step writes its own
part (``plan``, ``decision``, ``outcome``) and the state.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from oneledger.audit.seals import seal_file
from oneledger.outcomes import utc_now
from oneledger.publishing.build import sync
from oneledger.settings import ConfigurationError, Settings

State = Literal["planned", "applying", "applied", "failed", "abandoned"]
ENDED: frozenset[State] = frozenset({"applied", "failed", "abandoned"})
Kind = Literal["fetch", "readmit"]
_PARTIAL = ".partial-"


class CorrectionRefusedError(Exception):
    """The backfill cannot be planned, applied or abandoned now; the message says why and what to do."""


@dataclass(frozen=True)
class Request:
    """What is to be done again.

    Attributes:
        source, entity: whose deliveries.
        first, last: business dates, both included.
        kind: ``fetch`` asks the source again; ``readmit`` takes the landed bytes again, after the catalogue changed.
        as_of: business date of deliveries that carry none, as text; the plan fixes it for the application.
    """

    source: str
    entity: str
    first: dt.date
    last: dt.date
    kind: Kind
    as_of: dt.date

    def to_json(self) -> dict[str, Any]:
        return {key: value.isoformat() if isinstance(value, dt.date) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Request:
        dates = {key: dt.date.fromisoformat(content[key]) for key in ("first", "last", "as_of")}
        return cls(**{**content, **dates})


@dataclass(frozen=True)
class Backfill:
    """One record. ``plan`` is what the trial on a copy gave, ``outcome`` what the application did."""

    backfill_id: str
    state: State
    request: Request
    reason: str
    reference: str
    planned_by: str
    planned_at: str
    plan: dict[str, Any]
    decision: dict[str, Any] | None = None
    outcome: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "request": self.request.to_json()}


def new_id(request: Request) -> str:
    """``20221101T031500Z-zheliban-usage-1a2b``: sorts by time and says what."""
    return f"{utc_now():%Y%m%dT%H%M%SZ}-{request.source}-{request.entity}-{uuid.uuid4().hex[:4]}"


def now() -> str:
    """This instant, UTC."""
    return utc_now().isoformat(timespec="milliseconds").removesuffix("+00:00")


def must_be_given(name: str, reason: str) -> None:
    """Raise unless a person and a reason are named.

    Raises:
        ConfigurationError: one of them is empty.
    """
    for what, text in (("--name", name), ("--reason", reason)):
        if not text.strip():
            raise ConfigurationError(f"{what} is empty. A backfill is kept with the person's name and the reason.")


def keep(settings: Settings, backfill: Backfill) -> Backfill:
    """Write the record in place of the one before."""
    folder = settings.corrections_dir
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_PARTIAL}{backfill.backfill_id}"
    partial.write_text(
        json.dumps(backfill.to_json(), ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8"
    )
    sync(partial)
    record = folder / f"{backfill.backfill_id}.json"
    partial.rename(record)
    sync(folder)
    if backfill.state in ENDED:
        # From here on it never changes.
        seal_file(settings, record)
    return backfill


def every_backfill(settings: Settings) -> list[Backfill]:
    """All records, oldest first.

    Raises:
        ConfigurationError: a record cannot be read.
    """
    found = []
    for path in sorted(settings.corrections_dir.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found.append(Backfill(**{**content, "request": Request.from_json(content["request"])}))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} is no record of a backfill ({error}). It was changed or cut off: restore it from a backup."
            ) from error
    return found


def find_backfill(settings: Settings, name: str) -> Backfill:
    """The record of this name, of the first letters that fit one only, or ``newest``.

    Raises:
        ConfigurationError: there is none, or the letters fit more than one.
    """
    every = every_backfill(settings)
    if name == "newest" and every:
        return every[-1]
    found = [one for one in every if one.backfill_id == name] or [
        one for one in every if re.match(re.escape(name), one.backfill_id)
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.backfill_id for one in every[-10:]) or "none"
    raise ConfigurationError(
        f"{name!r} {'fits more than one backfill' if found else 'is no backfill'}. The newest ones are: {known}. "
        "`oneledger backfill list` lists them."
    )


def must_be_planned(backfill: Backfill, wanted: str) -> None:
    """Raise unless nobody has decided about the plan yet.

    Raises:
        CorrectionRefusedError: it was applied, abandoned, or an application of it began.
    """
    if backfill.state == "planned":
        return
    by = backfill.decision or {}
    raise CorrectionRefusedError(
        f"{backfill.backfill_id} cannot be {wanted}: it is {backfill.state}, by {by.get('name')} on "
        f"{by.get('decided_at')} ({by.get('reason')}). A record is never used twice; plan anew with "
        "`oneledger backfill plan`."
    )


def with_state(backfill: Backfill, state: State, **parts: dict[str, Any]) -> Backfill:
    """The record in another state, with the parts that came."""
    return replace(backfill, state=state, **parts)  # type: ignore[arg-type]

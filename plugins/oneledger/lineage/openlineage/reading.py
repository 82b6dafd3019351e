"""Reads the event files: what each run told, and whether every line is an event as OpenLineage defines it."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.lineage.openlineage.configuration import configured_by, events_dir, unsent_dir
from oneledger.lineage.openlineage.runs import RUN_TAG
from oneledger.settings import CITY_TIMEZONE, ConfigurationError, Settings

PACKED_AFTER_DAYS = 7
_STATES = {"START": "started", "RUNNING": "running", "COMPLETE": "good", "FAIL": "failed", "ABORT": "aborted"}


@dataclass(frozen=True)
class EventLine:
    """One line of a file: where it stands, its text, and the event, or None when it is none."""

    path: Path
    number: int
    event: dict[str, Any] | None

    @property
    def run_id(self) -> str | None:
        """The OneLedger run that it belongs to; Airflow's own events name none."""
        for tag in self._facet("tags").get("tags") or []:
            if tag.get("key") == RUN_TAG:
                return str(tag.get("value"))
        return None

    @property
    def uuid(self) -> str | None:
        """The UUID of the run that it tells."""
        found = ((self.event or {}).get("run") or {}).get("runId")
        return str(found) if found else None

    @property
    def family(self) -> set[str]:
        """The UUIDs of its parent and root runs."""
        parent = self._facet("parent")
        found = {(parent.get("run") or {}).get("runId"), ((parent.get("root") or {}).get("run") or {}).get("runId")}
        return {one for one in found if one}

    def _facet(self, name: str) -> dict[str, Any]:
        run = (self.event or {}).get("run") or {}
        facet: dict[str, Any] = (run.get("facets") or {}).get(name) or {}
        return facet


def told_runs(settings: Settings) -> dict[str, Any]:
    """The runs that told events, newest first.

    Returns:
        ``{ok, destination, items}``; an item has ``run_id`` (None for what Airflow tells of itself), ``first_at``,
        ``last_at``, ``events_count``, ``jobs_count``, ``failed`` (names of jobs whose last event is a failure).
    """
    grouped: dict[str | None, list[dict[str, Any]]] = {}
    for line in event_lines(settings):
        if line.event is not None:
            grouped.setdefault(line.run_id, []).append(line.event)
    items = []
    for run_id, events in grouped.items():
        jobs = _jobs(events)
        items.append(
            {
                "run_id": run_id,
                "first_at": min(event["eventTime"] for event in events),
                "last_at": max(event["eventTime"] for event in events),
                "events_count": len(events),
                "jobs_count": len({job["job"] for job in jobs}),
                "failed": sorted({job["job"] for job in jobs if job["state"] == "failed"}),
            }
        )
    items.sort(key=lambda one: str(one["first_at"]), reverse=True)
    return {"ok": True, "destination": destination(settings), "items": items}


def told_jobs(settings: Settings, run_id: str) -> dict[str, Any]:
    """What one run told, job by job, in the order of their start; with the Airflow runs that carried it.

    Returns:
        ``{ok, run_id, items}``; an item has ``job``, ``type``, ``state``, ``started_at``, ``seconds``, ``inputs``,
        ``outputs``, ``rows_count`` (written), ``assertions_count``, ``failed_assertions``, ``problem``.

    Raises:
        ConfigurationError: no event names such a run; the message says which there are.
    """
    lines = [line for line in event_lines(settings, since=_day_of(run_id)) if line.event is not None]
    named = sorted({line.run_id for line in lines if line.run_id and line.run_id.startswith(run_id)})
    if len(named) != 1:
        known = [one["run_id"] for one in told_runs(settings)["items"] if one["run_id"]]
        what = f"Events of {len(named)} runs begin" if named else "No event belongs to a run that begins"
        raise ConfigurationError(
            f"{what} with {run_id!r} in {events_dir(settings)}; "
            + (f"the newest runs are {', '.join(known[:5])}." if known else "no run has told any event there yet.")
        )
    own = [line for line in lines if line.run_id == named[0]]
    family = set().union(*(line.family for line in own))
    carriers = [line for line in lines if line.run_id is None and line.uuid in family]
    jobs = _jobs([line.event for line in (*carriers, *own) if line.event is not None])
    return {"ok": all(job["state"] != "failed" for job in jobs), "run_id": named[0], "items": jobs}


def checked_files(settings: Settings) -> dict[str, Any]:
    """Check every line of every file against the schemas.

    Returns:
        ``{ok, events_count, files_count, unsent_count, items}``; an item is a line that is wrong: ``file``, ``line``,
        ``job``, ``problem``, ``expected``, ``remedy``.
    """
    from oneledger.lineage.openlineage.validation import EventChecker

    checker, items, files, count = EventChecker(), [], set(), 0
    for line in event_lines(settings):
        files.add(line.path)
        count += 1
        problems = ["it is no JSON"] if line.event is None else checker.check(line.event).problems
        items += [
            {
                "file": str(line.path),
                "line": line.number,
                "job": ((line.event or {}).get("job") or {}).get("name"),
                "problem": problem,
                "expected": "an event as OpenLineage's JSON schemas define it",
                "remedy": "A process that was killed leaves half a line, which may be taken out; anything else is a "
                "fault to report.",
            }
            for problem in problems
        ]
    return {"ok": not items, "events_count": count, "files_count": len(files),
            "unsent_count": sum(1 for _ in _lines(unsent_dir(settings), None)), "items": items}  # fmt: skip


def event_lines(settings: Settings, since: dt.date | None = None) -> Iterator[EventLine]:
    """Every line of the files of this day and later, the oldest first."""
    yield from _lines(events_dir(settings), since)


def destination(settings: Settings) -> str:
    """Where events go now: the folder of the files, or the setting that names another place."""
    return configured_by() or str(events_dir(settings))


def pack_old_files(settings: Settings) -> str:
    """Compress the files of more than a week ago to a tenth; they stay readable. Says why it could not, else ""."""
    last = f"{dt.datetime.now(CITY_TIMEZONE).date() - dt.timedelta(days=PACKED_AFTER_DAYS):%Y-%m-%d}"
    folder = events_dir(settings)
    try:
        for path in sorted(folder.glob("*.jsonl")):
            if path.stem < last:
                partial = path.with_name(f".{path.name}.partial")
                with gzip.open(partial, "wb") as stream:
                    stream.write(path.read_bytes())
                partial.rename(path.with_name(f"{path.name}.gz"))
                path.unlink()
    except OSError as error:
        return f"old lineage events in {folder} could not be compressed: {error}"
    return ""


def _lines(folder: Path, since: dt.date | None) -> Iterator[EventLine]:
    paths = {path.name.partition(".")[0]: path for path in sorted(folder.glob("*.jsonl*"))}
    for day in sorted(paths):
        if since is not None and day < since.isoformat():
            continue
        path = paths[day]
        with path.open("rb") as file:
            stream = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            for number, text in enumerate(stream, start=1):
                try:
                    event = json.loads(text)
                except ValueError:
                    event = None
                yield EventLine(path, number, event if isinstance(event, dict) else None)


def _day_of(run_id: str) -> dt.date | None:
    """The day before a run began: its events stand in files of that day or later."""
    found = re.match(r"(\d{4})(\d{2})(\d{2})", run_id)
    return dt.date(*(int(part) for part in found.groups())) - dt.timedelta(days=1) if found else None


def _jobs(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    runs: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event)
    jobs = [_job(sorted(told, key=lambda event: str(event["eventTime"]))) for told in runs.values()]
    return sorted(jobs, key=lambda job: str(job["started_at"]))


def _job(events: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = events[0], events[-1]
    seconds = (_instant(last["eventTime"]) - _instant(first["eventTime"])).total_seconds()
    statistics = [
        (output.get("outputFacets") or {}).get("outputStatistics") or {} for output in last.get("outputs") or []
    ]
    written = [one["rowCount"] for one in statistics if one.get("rowCount") is not None]
    assertions: list[dict[str, Any]] = []
    for read in last.get("inputs") or []:
        assertions += ((read.get("inputFacets") or {}).get("dataQualityAssertions") or {}).get("assertions") or []
    facets = last["run"].get("facets") or {}
    return {
        "job": last["job"]["name"],
        "type": (((last["job"].get("facets") or {}).get("jobType")) or {}).get("jobType"),
        "state": _STATES.get(last["eventType"], last["eventType"]),
        "started_at": first["eventTime"],
        "seconds": round(seconds, 2),
        "inputs": _names(first, last, "inputs"),
        "outputs": _names(first, last, "outputs"),
        "rows_count": sum(written) if written else None,
        "assertions_count": len(assertions),
        "failed_assertions": sorted({one.get("name") or one["assertion"] for one in assertions if not one["success"]}),
        "problem": (facets.get("errorMessage") or {}).get("message", ""),
    }


def _names(first: Mapping[str, Any], last: Mapping[str, Any], side: str) -> list[str]:
    return list(dict.fromkeys(one["name"] for event in (first, last) for one in event.get(side) or []))


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)

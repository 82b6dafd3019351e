"""Every run with its verdict, from the outcome records; and the state of the installation as one answer."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oneledger.audit.anchors import current_anchor
from oneledger.locks.register import WRITER, held_now
from oneledger.outcomes import read_outcomes, utc_now
from oneledger.pipeline.verdict import newest_tries, verdict_of, what_is_missing
from oneledger.pipeline.withheld import dates_of, grouped_parts, withheld_parts
from oneledger.publishing.versions import current_version
from oneledger.quality.results import latest_results
from oneledger.runbooks import code_of_check, code_of_outcome, page_of
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.reader_copies import has_reader_copies, open_reader_copies

_COUNTS = ("received", "accepted", "quarantined", "superseded")
_STARTED = re.compile(r"\d{8}T\d{6}")


def list_runs(settings: Settings, limit: int | None = None) -> list[dict[str, Any]]:
    """Runs, newest first: run_id, verdict, started_at, ended_at, seconds, counts, version, what is missing."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for record in read_outcomes(settings.outcomes_dir):
        grouped.setdefault(record["run_id"], []).append(record)
    runs = [_run(run_id, records) for run_id, records in grouped.items()]
    runs.sort(key=lambda one: str(one["started_at"]), reverse=True)
    return runs[:limit]


def newest_runs(settings: Settings, limit: int) -> list[dict[str, Any]]:
    """The newest runs as ``list_runs`` tells them, read from the newest records only, however many nights there were.

    A run's id begins with the instant of its start, so no record of it is older than that.
    """
    grouped: dict[str, list[dict[str, Any]]] = {}
    since = ""
    for path in sorted(settings.outcomes_dir.glob("*/*.json"), key=lambda found: found.name, reverse=True):
        if path.name[: len(since)] < since:
            break
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["run_id"] not in grouped and len(grouped) >= limit:
            since = sorted(_began(run_id, path) for run_id in (*grouped, record["run_id"]))[-limit]
        grouped.setdefault(record["run_id"], []).append(record)
    # Of a run that began before, only a part was read.
    whole = {run_id: records for run_id, records in grouped.items() if _began(run_id, None) >= since}
    runs = [_run(run_id, records[::-1]) for run_id, records in whole.items()]
    return sorted(runs, key=lambda one: str(one["started_at"]), reverse=True)[:limit]


def _began(run_id: str, path: Path | None) -> str:
    """When a run began, by its id; else when the record ``path`` was made, for ids of another form."""
    match = _STARTED.match(run_id)
    return match[0] if match else path.name if path else "9"


def newest_run(settings: Settings) -> dict[str, Any] | None:
    """The newest run that is whole (`oneledger ingest` alone is not) as ``list_runs`` tells it, or None."""
    for limit in (2, 20):
        whole = [one for one in newest_runs(settings, limit) if one["is_whole"]]
        if whole:
            return whole[0]
    return next((one for one in list_runs(settings) if one["is_whole"]), None)


def show_run(settings: Settings, run_id: str) -> dict[str, Any]:
    """One run (its id, or the first letters of it) with all its outcome records.

    Raises:
        ConfigurationError: there is none, or more than one begins like that.
    """
    found = [one for one in list_runs(settings) if one["run_id"].startswith(run_id)]
    if len(found) != 1:
        known = ", ".join(one["run_id"] for one in (found or list_runs(settings))[:5])
        what = "More than one run begins" if found else "There is no run that begins"
        raise ConfigurationError(f"{what} with {run_id!r}: {known or 'no run has left a record yet'}.")
    return {**found[0], "records": list(read_outcomes(settings.outcomes_dir, found[0]["run_id"]))}


def status(settings: Settings) -> dict[str, Any]:
    """What is published and how old it is, how the last run ended, what is wrong, who should act and how.

    Returns:
        ``{ok, published, last_run, lock, locks, anchor, items}``; an item has ``name``, ``ok``, ``value`` and, when
        not ok, ``problem``, ``expected``, ``remedy`` and ``runbooks`` (pages of ``docs/runbooks``); warnings have
        ``ok`` true and ``is_warning``. ``lock`` is who writes the warehouse, ``locks`` every lock that is held, with
        its holder.
    """
    items = [_published_item(settings)]
    runs = [one for one in list_runs(settings) if one["is_whole"]]
    if runs:
        items.append(_last_run_item(runs[0]))
    locks = held_now(settings)
    items += _lock_items(locks)
    if has_reader_copies(settings):
        items += _check_items(settings)
    items += _withheld_items(settings)
    published = current_version(settings)
    return {
        "ok": all(item["ok"] for item in items),
        "published": published.version if published else None,
        "as_of_on": published.as_of_on if published else None,
        "last_run": runs[0] if runs else None,
        "lock": next((one["holder"].to_json() for one in locks if one["name"] == WRITER.name), None),
        "locks": [{**one, "path": str(one["path"]), "holder": one["holder"].to_json()} for one in locks],
        "anchor": current_anchor(settings),
        "items": items,
    }


def _lock_items(locks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One item for each lock that is held; the first always speaks of the warehouse."""
    writer = next((one for one in locks if one["name"] == WRITER.name), None)
    items = [{"name": "lock", "ok": True, "value": str(writer["holder"]) if writer else "nobody writes"}]
    for one in locks:
        if one is not writer:
            name = f"lock: {one['title_zh']} {one['title_en']}{f' {part}' if (part := one['part']) else ''}"
            items.append({"name": name, "ok": True, "value": str(one["holder"])})
    return items


def _run(run_id: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    started = min(record["started_at"] for record in records)
    ended = max(record["ended_at"] or record["started_at"] for record in records)
    admitted = [record for record in records if record["step"] == "admit"]
    published = [record for record in records if record["step"] == "publish"]
    is_whole = any(record["step"] not in ("extract", "load_raw") for record in records)
    seconds = (dt.datetime.fromisoformat(ended) - dt.datetime.fromisoformat(started)).total_seconds()
    return {
        "run_id": run_id,
        # `oneledger ingest` alone never publishes; that is no failure.
        "verdict": verdict_of(records) if is_whole else _ingest_verdict(records),
        "is_whole": is_whole,
        "started_at": started,
        "ended_at": ended,
        "seconds": round(seconds, 1),
        **{name: sum(record[f"{name}_count"] or 0 for record in admitted) for name in _COUNTS},
        "version": published[-1]["detail"].get("version") if published else None,
        "missing": what_is_missing(records),
        "problems": [
            {"step": record["step"], "source": record["source"], "entity": record["entity"],
             "message": record["message"], "remedy": record["remedy"],
             "failure": code_of_outcome(record), "runbook": page_of(code_of_outcome(record))}
            for record in newest_tries(records)
            if record["verdict"] == "failed"
        ],
    }  # fmt: skip


def _ingest_verdict(records: list[dict[str, Any]]) -> str:
    return "ingest_failed" if any(record["verdict"] == "failed" for record in newest_tries(records)) else "ingested"


def _published_item(settings: Settings) -> dict[str, Any]:
    published = current_version(settings)
    if published is None:
        return {
            "name": "published",
            "ok": False,
            "value": None,
            "problem": "尚未发布任何版本 nothing is published",
            "expected": "a version under published/current",
            "remedy": "oneledger run",
            "runbooks": [page_of("verdict:not_published")],
        }
    hours = (utc_now() - published.created_at).total_seconds() / 3600
    return {
        "name": "published",
        "ok": True,
        "value": f"{published.version}, data as of {published.as_of_on}, published {hours:.1f} hours ago",
    }


def _last_run_item(last: Mapping[str, Any]) -> dict[str, Any]:
    item = {"name": "last_run", "ok": True, "value": f"{last['run_id']}: {last['verdict']}"}
    if last["verdict"] in ("not_published", "published_with_parts_withheld"):
        problems = last["problems"]
        item |= {
            "ok": False,
            "problem": "; ".join(f"{one['step']} {one['source'] or ''}: {one['message']}" for one in problems[:5])
            or "the run ended before it published",
            "expected": "every source delivered, both gates open, a version published",
            "remedy": "; ".join(dict.fromkeys(one["remedy"] for one in problems[:5] if one["remedy"]))
            or f"oneledger runs show {last['run_id']}; then oneledger run",
            "runbooks": list(dict.fromkeys(one["runbook"] for one in problems)) or [page_of("situation:killed")],
        }
    return item


def _withheld_items(settings: Settings) -> list[dict[str, Any]]:
    """One warning an entity and kind: what the published version lacks, beside what the checks say of tonight."""
    items = []
    for parts in grouped_parts(withheld_parts(settings)):
        first, dates = parts[0], dates_of(parts)
        items.append(
            {
                "name": f"withheld: {first['source']}.{first['entity']}",
                "ok": True,
                "is_warning": True,
                "value": first["kind"],
                "problem": f"{first['reason_zh']} {first['reason_en']}{f': {dates}' if dates else ''}",
                "expected": "whole and fresh",
                "remedy": f"{first['owner']}: {first['remedy_zh']} {first['remedy_en']}",
                "runbooks": [page_of(f"withheld:{first['kind']}")],
                "since_on": min((part["since_on"] for part in parts if part["since_on"]), default=None),
            }
        )
    return items


def _check_items(settings: Settings) -> list[dict[str, Any]]:
    # The copies, never the warehouse itself: who reads that would keep the nightly from writing it.
    with open_reader_copies(settings) as copies:
        failing = latest_results(copies.connection, only_failed=True)
    return [
        {
            "name": f"{result['check_id']}: {result['entity']}",
            "ok": result["severity"] != "fail",
            "is_warning": result["severity"] == "warn",
            "value": result["observed"],
            "problem": f"{result['title_zh']} {result['title_en']}: {result['observed']}",
            "expected": result["expected"],
            "remedy": f"{result['owner']}: {result['remedy_zh']} {result['remedy_en']}",
            "runbooks": [page_of(code_of_check(result["check_id"]))],
            "since": result["since"],
        }
        for result in failing
    ]

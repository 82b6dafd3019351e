"""The verdict of a run, computed from its outcome records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

RunVerdict = Literal["good", "good_with_warnings", "published_with_parts_withheld", "not_published"]
_DELIVERING = ("extract", "load_raw", "admit")


def verdict_of(records: Iterable[Mapping[str, Any]]) -> RunVerdict:
    """What the outcome records of one run amount to; of several tries of one thing the newest counts.

    ``not_published``: no publish that worked, a gate or the models failed after it, or the counts of a batch do not
    add up: what cannot account for its rows is not good, whatever was put in place.
    ``published_with_parts_withheld``: published, without what some source failed to deliver.
    ``good_with_warnings``: published whole; something was warned about or quarantined.
    """
    newest = newest_tries(records)
    published = [record for record in newest if record["step"] == "publish"]
    if not any(record["verdict"] in ("good", "unchanged", "warning") for record in published):
        return "not_published"
    if any(not reconciles(record) for record in newest):
        return "not_published"
    failed = [record for record in newest if record["verdict"] == "failed"]
    if any(record["step"] not in _DELIVERING for record in failed):
        return "not_published"
    if failed:
        return "published_with_parts_withheld"
    return "good_with_warnings" if any(record["verdict"] == "warning" for record in newest) else "good"


def reconciles(record: Mapping[str, Any]) -> bool:
    """Whether an admission's received = accepted + quarantined + superseded; other records count otherwise."""
    names = ("received", "accepted", "quarantined", "superseded")
    counts = [int(record[f"{name}_count"]) for name in names if record.get(f"{name}_count") is not None]
    return record["step"] != "admit" or len(counts) < len(names) or counts[0] == sum(counts[1:])


def newest_tries(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records, with only the newest of those about the same step, source, entity and batch.

    What was refused has no batch; it is told apart by its file, or one refused file would hide all others.
    """
    return list(
        {
            (record["step"], record["source"], record["entity"], record["batch_id"] or _file_of(record)): record
            for record in records
        }.values()
    )


def _file_of(record: Mapping[str, Any]) -> str | None:
    detail = record.get("detail") or {}
    return detail.get("file") or next(iter(detail.get("files") or ()), None)


def what_is_missing(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each source or entity that a run could not read, convert or admit."""
    return [
        f"{'.'.join(part for part in (record['source'], record['entity']) if part)}: {record['message']}"
        for record in newest_tries(records)
        if record["verdict"] == "failed" and record["step"] in _DELIVERING
    ]

"""Which published versions something still needs, with the reasons: retention keeps them whatever its rule says.

A room that needs versions adds a function to ``SOURCES``; it takes the settings and returns version → reasons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import duckdb

from oneledger.audit.pins import pins
from oneledger.evaluation.runs import evaluation_runs
from oneledger.findings import evidence_versions
from oneledger.outcomes import utc_now
from oneledger.publishing.versions import NOT_YET_CURRENT, current_version, list_versions
from oneledger.settings import ConfigurationError, Settings

Reasons = dict[str, list[str]]


def needed_versions(settings: Settings, *, drafts_since: dt.datetime | None = None) -> Reasons:
    """Every version that is needed, with all reasons.

    Args:
        drafts_since: drafts of evaluations made before this instant need no version; None: every draft does.
    """
    needed: Reasons = {}
    for source in (*SOURCES, lambda one: of_evaluations(one, drafts_since=drafts_since)):
        for version, reasons in source(settings).items():
            needed.setdefault(version, []).extend(reasons)
    return needed


def of_readers_and_the_writer(settings: Settings) -> Reasons:
    """The current version, the one before it (facts are shared with it, people compare with it), one in the making."""
    versions = list_versions(settings)
    needed = {
        one.version: ["complete and not yet current"] for one in versions if (one.path / NOT_YET_CURRENT).exists()
    }
    current = current_version(settings)
    if current is None:
        return needed
    needed.setdefault(current.version, []).append("the current version")
    earlier = [one for one in versions if one.version < current.version]
    named = [one for one in earlier if one.version == current.manifest["previous_version"]]
    for one in (named or earlier)[-1:]:
        needed.setdefault(one.version, []).append("the version before the current one")
    return needed


def of_pins(settings: Settings) -> Reasons:
    """Versions that a person keeps."""
    return {one.version: [f"pinned by {one.name}: {one.reason}"] for one in pins(settings)}


def of_evaluations(settings: Settings, *, drafts_since: dt.datetime | None = None) -> Reasons:
    """The version of each evaluation run that was confirmed once, and of each draft that may still be."""
    needed: Reasons = {}
    for run in evaluation_runs(settings):
        is_draft = run.state == "draft" and (drafts_since is None or made_at(run.record["created_at"]) >= drafts_since)
        if run.state in ("confirmed", "superseded") or is_draft:
            needed.setdefault(run.record["version"], []).append(f"{run.state} evaluation {run.run_id}")
    return needed


def of_open_findings(settings: Settings) -> Reasons:
    """The versions that first show a finding which is not closed, and those in which its state turned."""
    try:
        return {version: [reason] for version, reason in evidence_versions(settings).items()}
    except duckdb.Error as error:
        raise ConfigurationError(
            f"A published version cannot be read ({error}), so which findings need it is not known. Nothing is "
            "removed. Restore its folder from a backup, or move it away."
        ) from error


def made_at(text: str) -> dt.datetime:
    """The instant of a record of ours: UTC, with or without its offset."""
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=utc_now().tzinfo)


SOURCES: tuple[Callable[[Settings], Reasons], ...] = (of_readers_and_the_writer, of_pins, of_open_findings)

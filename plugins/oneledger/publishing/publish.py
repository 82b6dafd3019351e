"""Publish: write a version beside the old ones, put it in place by one rename, then clear what was pending.

The order makes a kill harmless at any instant. A folder named ``.partial-*`` is worthless and removed by
the next start. A complete folder that still holds ``.not-yet-current`` was allowed by both gates: the next
start seals it, if that was not done, and points ``current`` at it. ``control.pending_date`` is emptied last, in one
transaction with the outcome that says what was published; dates that stay in it are only compared once more, and a
version whose outcome is missing gets it from the publication that follows.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import duckdb

from oneledger.audit.ledger import catch_up
from oneledger.audit.seals import files_as_sealed, is_sealed, present_anchor, seal_rules, seal_version
from oneledger.audit.signing import signing_key
from oneledger.lineage.openlineage.publish_events import tell_publish
from oneledger.outcomes import Outcome, record_outcome
from oneledger.publishing.build import Progress, finish_manifest, silent, sync, write_version
from oneledger.publishing.evaluation_basis import is_input
from oneledger.publishing.lineage_basis import FOLDER as LINEAGE_DIR
from oneledger.publishing.lineage_basis import SEMANTIC_MANIFEST_FILE, described_alike
from oneledger.publishing.published_state import note_published, noted_version
from oneledger.publishing.versions import (
    CURRENT,
    NOT_YET_CURRENT,
    PARTIAL_PREFIX,
    PublishedVersion,
    current_version,
    list_versions,
    read_version,
)
from oneledger.quality.gate_state import closed_gates
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import load_outcomes
from oneledger.warehouse.lock import writer_lock


class PublishRefusedError(Exception):
    """The gates do not allow this state of the warehouse to be published; the published version stays."""


def publish(settings: Settings, *, run_id: str, progress: Progress = silent) -> PublishedVersion:
    """Publish the marts as a new version, unless its content equals that of the current one.

    Args:
        settings: where the warehouse and the versions lie.
        run_id: the run that the outcome belongs to.
        progress: told one line a table and month that is looked at.

    Returns:
        The new version, or the current one with ``is_unchanged`` when there is nothing new to publish.

    Raises:
        PublishRefusedError: a gate has not passed, or has not been run on this state of the warehouse.
        WriterBusyError: another process writes the warehouse.
        ConfigurationError: a signing key is configured that cannot be used.
    """
    outcome = Outcome(run_id=run_id, step="publish", verdict="failed")
    signing_key()
    try:
        with writer_lock(settings, run_id=run_id, step="publish"):
            recover(settings)
            with open_warehouse(settings) as connection:
                version = _publish(connection, settings, outcome, progress)
    except Exception as error:
        outcome.message = f"{type(error).__name__}: {error}"
        outcome.remedy = "The version published before stays in place. Mend what the message names and run again."
        record_outcome(outcome, settings.outcomes_dir)
        raise
    _fill(outcome, settings, version)
    if not version.is_unchanged:
        tell_publish(settings, run_id, version.version, version.manifest, outcome.started_at).note_in(outcome)
    record_outcome(outcome, settings.outcomes_dir)
    return version


def recover(settings: Settings) -> PublishedVersion | None:
    """Bring ledger and published folder in order after a kill: finish what is complete, remove what is half-made.

    Called by the writer only. Returns the version that it made current, if any.
    """
    catch_up(settings)
    if not settings.published_dir.is_dir():
        return None
    for folder in settings.published_dir.glob(f"{PARTIAL_PREFIX}*"):
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    waiting = [one for one in list_versions(settings) if (one.path / NOT_YET_CURRENT).exists()]
    if not waiting:
        return None
    for one in waiting:
        if not is_sealed(settings, "version", one.version):
            before = one.manifest.get("previous_version")
            earlier = settings.published_dir / str(before)
            seal_version(settings, one, read_version(earlier) if before and earlier.is_dir() else None)
    newest = waiting[-1]
    _make_current(settings, newest)
    for older in waiting[:-1]:
        (older.path / NOT_YET_CURRENT).unlink()
    return newest


def _publish(
    connection: duckdb.DuckDBPyConnection, settings: Settings, outcome: Outcome, progress: Progress
) -> PublishedVersion:
    """``outcome`` is filled and kept in the warehouse in the transaction after which nothing is pending."""
    run_id = outcome.run_id
    closed = closed_gates(connection)
    if closed:
        raise PublishRefusedError(
            f"Not published: {'; '.join(closed)}. Run both gates on the present state (`oneledger run`), "
            "and see `oneledger checks --failed` for what is wrong."
        )
    load_outcomes(connection, settings.outcomes_dir)
    previous = current_version(settings)
    if previous:
        _record_late(connection, settings, previous, run_id)
    partial = settings.published_dir / f"{PARTIAL_PREFIX}{run_id}"
    partial.mkdir(parents=True)
    try:
        manifest = write_version(
            connection, settings, partial, run_id=run_id, previous=previous,
            is_as_sealed=files_as_sealed(settings, previous) if previous else lambda _: False, progress=progress,
        )  # fmt: skip
    except Exception:
        # When the disk was full, half a version must not keep it full.
        shutil.rmtree(partial, ignore_errors=True)
        raise
    manifest["gates"] = _answers_of_gates(connection)
    if (
        previous
        and previous.content_hash == manifest["content_hash"]
        and _evaluates_alike(previous.manifest, manifest)
        and described_alike(previous.path, partial)
    ):
        shutil.rmtree(partial)
        unchanged = PublishedVersion(previous.version, previous.path, previous.manifest, is_unchanged=True)
        note_published(connection, settings, previous.version, [_fill(outcome, settings, unchanged)])
        seal_rules(settings, previous)
        return unchanged
    # What had been sealed before: a version whose seal is gone from the ledger is not one from before there were seals.
    manifest["anchor_before"] = present_anchor(settings)
    manifest["version"] = _version_name(settings, manifest["created_at"], manifest["content_hash"])
    finish_manifest(partial, manifest)
    folder = settings.published_dir / manifest["version"]
    partial.rename(folder)
    sync(settings.published_dir)
    version = read_version(folder)
    seal_version(settings, version, previous)
    _make_current(settings, version)
    note_published(connection, settings, version.version, [_fill(outcome, settings, version)])
    return version


def _fill(outcome: Outcome, settings: Settings, version: PublishedVersion) -> Outcome:
    """Say in the outcome of a publication what it put in place, or that nothing differs."""
    outcome.verdict = "unchanged" if version.is_unchanged else "good"
    outcome.business_on = version.as_of_on
    outcome.accepted_count = sum(table["rows_count"] for table in version.manifest["tables"])
    outcome.message = (
        f"nothing differs from version {version.version}" if version.is_unchanged else f"version {version.version}"
    )
    outcome.detail = {
        "version": version.version, "content_hash": version.content_hash, "anchor": present_anchor(settings)
    }  # fmt: skip
    return outcome


def _record_late(
    connection: duckdb.DuckDBPyConnection, settings: Settings, current: PublishedVersion, run_id: str
) -> None:
    """Record the publication of a version whose process was killed after the version stood and before it said so."""
    if noted_version(connection) == current.version:
        return
    run = str(current.manifest["run_id"])
    known = connection.execute(
        "select 1 from control.outcome where run_id = ? and step = 'publish' and verdict <> 'failed'"
        " union all select 1 from control.outcome_due where run_id = ? and step = 'publish'",
        [run, run],
    ).fetchone()
    if known is None:
        at = current.created_at
        # Records are read in the order of their ids: this one belongs to the time at which the version was made.
        outcome_id = f"{at:%Y%m%dT%H%M%S%f}-{current.content_hash[:8]}"
        outcome = Outcome(run, "publish", "good", started_at=at, ended_at=at, outcome_id=outcome_id)
        _fill(outcome, settings, current)
        outcome.message += f"; said by run {run_id}, for the process that made it was killed before it could"
        record_outcome(outcome, settings.outcomes_dir)


def _answers_of_gates(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """What each gate said of the data that are published: an evaluation is made on such a version only."""
    rows = connection.execute("select gate, is_open, run_id, checked_at from checks.gate order by gate").fetchall()
    return {
        gate: {"is_open": is_open, "run_id": run_id, "checked_at": checked_at.isoformat()}
        for gate, is_open, run_id, checked_at in rows
    }


def _evaluates_alike(previous: dict[str, Any], fresh: dict[str, Any]) -> bool:
    """Whether both carry the same SQL, rules and metrics: another period may differ where this one does not."""
    if fresh["lineage"] and not previous.get("lineage"):
        # Published before a version carried what its numbers are followed back by.
        return False
    metrics = f"{LINEAGE_DIR}/{SEMANTIC_MANIFEST_FILE}"
    if fresh["lineage_files"].get(metrics) != previous.get("lineage_files", {}).get(metrics):
        return False
    before, after = previous.get("evaluation"), fresh["evaluation"]
    if not before or not after:
        return not after
    return {name: one for name, one in before["files"].items() if not is_input(name)} == {
        name: one for name, one in after["files"].items() if not is_input(name)
    }


def _version_name(settings: Settings, created_at: str, content_hash: str) -> str:
    """A name that sorts by time and tells the content: ``20261124T031500.123Z-1a2b3c4d``.

    A clock that went back must not make a new version look old: then the name follows the newest one.
    """
    stamp = created_at.replace("-", "").replace(":", "").replace("+0000", "Z")
    name = f"{stamp}-{content_hash[:8]}"
    versions = list_versions(settings)
    if versions and name <= versions[-1].version:
        newest, _, _ = versions[-1].version.partition("-")
        name = f"{newest}1-{content_hash[:8]}"
    return name


def _make_current(settings: Settings, version: PublishedVersion) -> None:
    link = settings.published_dir / CURRENT
    fresh = settings.published_dir / f"{PARTIAL_PREFIX}{CURRENT}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version.path.name)
    os.replace(fresh, link)  # noqa: PTH105 - names the one call whose atomicity everything rests on
    sync(settings.published_dir)
    Path(version.path / NOT_YET_CURRENT).unlink()

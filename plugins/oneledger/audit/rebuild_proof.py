"""The proof of a rebuild: a version made again from landing alone, in a home of its own, equals what was published.

The live warehouse is not touched, so the nightly and readers go on. Every table, every month of the daily facts and
the whole are compared by content hash; where one differs, the cells that differ are shown.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.metadata
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from oneledger.audit.comparing import Pair, compare, differing, open_pair
from oneledger.audit.past_home import (
    LandingProblem,
    built_at,
    lay_out_project,
    link_decided_runs,
    link_landing,
    link_releases,
    must_be_whole,
    past_home,
)
from oneledger.audit.version_parts import Part, parts_of
from oneledger.catalogue import load_catalogue
from oneledger.outcomes import Outcome, new_run_id
from oneledger.publishing.build import catalogue_hash, finish_manifest, published_models, write_version
from oneledger.publishing.holds import reading
from oneledger.publishing.relations import read_relations
from oneledger.publishing.versions import BATCHES_FILE, CURRENT, PublishedVersion, read_version, resolve
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.models import build_models
from oneledger.warehouse.rebuild import rebuild

Progress = Callable[[str], None]
_SHOWN_CELLS = 5
_SHOWN_BATCHES = 20
_RESTORE = "Landing was changed after it was written. Restore the batch directory from a backup, then prove again."
_LOOK = (
    "When models, rules, the catalogue or the code changed since (changed_since), prove with the code of that time; "
    "when they did not, landing, a decision or the published version is not what it was: compare with a backup."
)


def prove_rebuild(
    settings: Settings,
    version: str = CURRENT,
    *,
    as_of: dt.date | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Make a published version again from landing and compare.

    Returns:
        ``ok`` (every hash is equal), ``version``, ``content_hash`` (published), ``rebuilt_content_hash``,
        ``batches_count``, ``releases_count``, ``confirmed_count``, ``project`` (which models were used),
        ``changed_since`` (what the content also depends on and is not as it was), ``landing`` (files that are not as
        received), ``batches`` (admitted otherwise than then), ``first_difference`` and ``items``: one a table and a
        month of a fact, with both hashes, and ``problem``, ``expected``, ``remedy`` and ``cells`` where they differ.

    Raises:
        ConfigurationError: there is no such version, or it does not say what it was made of.
    """
    found = resolve(settings, version, as_of=as_of)
    with reading(found), past_home(settings, found) as home:
        must_be_whole(found)
        count, landing = link_landing(settings, home, found, progress)
        progress(f"landing: {count} batches of {found.version}, {_told(landing)}")
        answer = {
            "version": found.version,
            "as_of_on": found.as_of_on,
            "content_hash": found.content_hash,
            "batches_count": count,
            "releases_count": link_releases(settings, home, found),
            "project": lay_out_project(settings, home, found),
            "landing": [dataclasses.asdict(one) | {"remedy": _RESTORE} for one in landing],
        }
        progress(f"models and rules: {answer['project']}")
        rebuilt, failed, confirmed = _make_again(settings, home, found, progress)
        answer["confirmed_count"] = confirmed
        if rebuilt is None:
            items = [_failed(one) for one in failed]
            return {"ok": False, **answer, "rebuilt_content_hash": None, "changed_since": _changed(home, found, None),
                    "batches": [], "items": items, "first_difference": _first(items, landing)}  # fmt: skip
        with open_pair(settings, found, rebuilt) as pair:
            items = _compared(pair, progress)
            batches = _other_batches(pair)
        items += [_failed(one) for one in failed]
        return {
            "ok": not landing and all(one["ok"] for one in items),
            **answer,
            "rebuilt_content_hash": rebuilt.content_hash,
            "changed_since": _changed(home, found, rebuilt),
            "batches": batches,
            "items": items,
            "first_difference": _first(items, landing),
        }


def _make_again(
    settings: Settings, home: Settings, version: PublishedVersion, progress: Progress
) -> tuple[PublishedVersion | None, list[Outcome], int]:
    """Raw, admission, models and a version; returns it (None when a step failed), what failed, runs in force."""
    run_id = new_run_id()
    catalogue = load_catalogue(home)
    failed = [
        one
        for one in rebuild(home, catalogue, run_id, builds_models=False, progress=progress)
        if one.verdict == "failed"
    ]
    # What the proof itself records is no part of the past.
    shutil.rmtree(home.outcomes_dir, ignore_errors=True)
    with open_warehouse(home) as connection:
        connection.execute("delete from control.outcome")
        instant = built_at(settings, connection, version)
        if (expected := version.manifest.get("expected_entities")) is not None:
            connection.execute(
                "update control.expected_entity set is_expected = list_contains(?, source || '.' || entity)", [expected]
            )
    confirmed = link_decided_runs(settings, home, instant)
    outcome = build_models(home, run_id=run_id, full_refresh=True, progress=progress)
    if outcome.verdict == "failed":
        return None, [*failed, outcome], confirmed
    folder = home.published_dir / "rebuilt"
    folder.mkdir(parents=True)
    with open_warehouse(home) as connection:
        manifest = write_version(connection, home, folder, run_id=run_id, previous=None)
    finish_manifest(folder, {**manifest, "version": "rebuilt"})
    progress(f"made again: content hash {manifest['content_hash'][:16]}, published {version.content_hash[:16]}")
    return read_version(folder), failed, confirmed


def _compared(pair: Pair, progress: Progress) -> list[dict[str, Any]]:
    """One item a table and a month, in the order in which they are computed."""
    different = {
        relation: _difference(pair, before, after)
        for relation, (before, after) in differing(pair.old, pair.new).items()
    }
    published, rebuilt = parts_of(pair.old), parts_of(pair.new)
    items = []
    for relation in sorted(published.keys() | rebuilt.keys(), key=lambda one: _order(pair, one)):
        before, after = published.get(relation), rebuilt.get(relation)
        hashes = {**(after.hashes if after else {}), **(before.hashes if before else {})}
        for month in sorted(hashes):
            item = _item(relation, month, before, after)
            items.append(item if item["ok"] else item | different[relation])
        equal = [one["ok"] for one in items[-len(hashes) :]]
        months = f" ({len(equal)} months)" if before and before.is_fact else ""
        progress(f"{relation}{months}: {'equal' if all(equal) else different[relation]['problem']}")
    return items


def _order(pair: Pair, relation: str) -> tuple[int, str]:
    """What is computed from less comes first, so that the first difference is the nearest to its cause."""
    return (len(pair.old_relations.ancestors(relation) | pair.new_relations.ancestors(relation)), relation)


def _item(relation: str, month: str, before: Part | None, after: Part | None) -> dict[str, Any]:
    hash_then, rows_then = before.hashes.get(month, (None, 0)) if before else (None, 0)
    hash_now, rows_now = after.hashes.get(month, (None, 0)) if after else (None, 0)
    return {
        "table": relation,
        "month": month or None,
        "ok": (hash_then, rows_then) == (hash_now, rows_now),
        "rows_count": rows_then,
        "rebuilt_rows_count": rows_now,
        "content_hash": hash_then,
        "rebuilt_content_hash": hash_now,
    }


def _difference(pair: Pair, before: Part | None, after: Part | None) -> dict[str, Any]:
    change = compare(pair, before, after, limit=_SHOWN_CELLS)
    told = (
        f"{change.changed_count} rows differ, {change.removed_count} are not made again, {change.added_count} are new"
    )
    if change.columns:
        told += f"; columns {', '.join(change.columns)}"
    for label, columns in (("gone", change.columns_removed), ("new", change.columns_added)):
        told += f"; columns {', '.join(columns)} are {label}" if columns else ""
    return {
        "problem": f"{change.relation}: {told}",
        "expected": "the content hash that was published",
        "remedy": _LOOK,
        "cells": [dataclasses.asdict(cell) for cell in change.cells],
        "published_only": list(change.removed_keys),
        "rebuilt_only": list(change.added_keys),
    }


def _other_batches(pair: Pair) -> list[dict[str, Any]]:
    """Batches that were admitted otherwise than for the published version."""
    sides = {}
    for name, version in (("old", pair.old), ("new", pair.new)):
        sides[name] = f"read_parquet('{str(version.path / BATCHES_FILE).replace(chr(39), chr(39) * 2)}')"
    counts = ("received_count", "accepted_count", "quarantined_count", "superseded_count")
    differs = " or ".join(f"o.{one} is distinct from n.{one}" for one in (*counts, "contract_hash"))
    return pair.rows(
        "select coalesce(o.batch_id, n.batch_id) as batch_id, o.accepted_count as accepted_then,"
        " n.accepted_count as accepted_now, o.quarantined_count as quarantined_then,"
        " n.quarantined_count as quarantined_now, o.contract_hash is distinct from n.contract_hash as"
        f" is_contract_changed from {sides['old']} as o full join {sides['new']} as n using (batch_id)"
        f" where {differs} order by 1 limit {_SHOWN_BATCHES}"
    )


def _changed(home: Settings, version: PublishedVersion, rebuilt: PublishedVersion | None) -> list[dict[str, Any]]:
    """What the content also depends on and is not as it was when the version was made."""
    present = {
        "models_hash": published_models(home),
        "catalogue_hash": catalogue_hash(home),
        "code_version": importlib.metadata.version("oneledger"),
        "duckdb_version": duckdb.__version__,
    }
    manifest = version.manifest
    changes: list[dict[str, Any]] = [
        {"what": name, "then": manifest[name], "now": now}
        for name, now in present.items()
        if name in manifest and manifest[name] != now
    ]
    for one in changes:
        if one["what"] == "models_hash":
            one["commit_then"] = manifest.get("code_commit")
            one["relations"] = _changed_code(version, rebuilt)
    return changes


def _changed_code(version: PublishedVersion, rebuilt: PublishedVersion | None) -> list[str] | None:
    """The models and rules that are not as they were; None when that cannot be told."""
    then = read_relations(version).by_name
    now = read_relations(rebuilt).by_name if rebuilt else {}
    if not then or not now:
        return None
    return sorted(
        name
        for name in then.keys() | now.keys()
        if name not in then or name not in now or then[name].code_hash != now[name].code_hash
    )


def _failed(outcome: Outcome) -> dict[str, Any]:
    place = f"{outcome.source}.{outcome.entity}" if outcome.source else outcome.step
    return {
        "table": place, "month": None, "ok": False, "problem": f"{outcome.step}: {outcome.message}",
        "expected": "the step succeeds as it did for the published version", "remedy": outcome.remedy,
    }  # fmt: skip


def _first(items: list[dict[str, Any]], landing: list[LandingProblem]) -> str | None:
    """The place nearest to the cause: a landed file, else the table that is computed from least."""
    if landing:
        return f"landing: {landing[0].batch_id}: {landing[0].problem}, expected {landing[0].expected}"
    return next((str(one["problem"]) for one in items if not one["ok"]), None)


def _told(problems: list[LandingProblem]) -> str:
    if not problems:
        return "every byte as received"
    return f"{len(problems)} not as received, first {problems[0].batch_id}: {Path(problems[0].problem).name}"

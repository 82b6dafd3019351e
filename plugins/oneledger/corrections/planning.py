"""Plan a backfill: carry it out on a copy of the installation, compare, evaluate drafts, and keep what was found.

Nothing of the installation changes but for the record of the plan.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.corrections.carrying_out import Done, carry_out, must_have_done_something
from oneledger.corrections.comparing import compare_versions
from oneledger.corrections.drafts import draft_on
from oneledger.corrections.records import Backfill, Kind, Request, keep, must_be_given, new_id, now
from oneledger.corrections.trial_home import trial_home
from oneledger.outcomes import new_run_id
from oneledger.publishing.build import hash_of_files, published_models
from oneledger.publishing.published_state import unpublished
from oneledger.publishing.versions import PublishedVersion, resolve
from oneledger.quality.gate_state import warehouse_state
from oneledger.settings import ConfigurationError, Settings
from oneledger.sources.connections import is_configured
from oneledger.warehouse.built_models import last_build
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.evaluation_runs import decisions_hash
from oneledger.warehouse.registration import known_batch_ids, raw_batch_ids

Progress = Callable[[str], None]
Row = dict[str, Any]


def plan(
    settings: Settings,
    source: str,
    entity: str,
    first: dt.date,
    last: dt.date,
    *,
    name: str,
    reason: str,
    reference: str = "",
    kind: Kind = "fetch",
    progress: Progress = lambda _: None,
) -> Backfill:
    """Say what a backfill would change, by trying it on a copy, and keep it as a record to be applied.

    Args:
        source, entity: whose deliveries.
        first, last: business dates, both included.
        name: who plans it, a person.
        reason: why, in a sentence.
        reference: number of the appeal, letter or ticket, when there is one.
        kind: ``fetch`` asks the source again; ``readmit`` takes the landed bytes again.

    Returns:
        The record. Its ``plan`` holds: ``planned_against`` (the state that it holds for), ``also`` (what else the next
        version would take over: the changes are of both together), ``batches`` (received and
        superseded, with rows before and after), ``dates`` and ``models`` concerned, ``admitted``, ``refused``,
        ``closed`` (why a gate would shut), ``changes`` (see ``compare_versions``), ``drafts`` and ``confirmed_runs``
        (see ``draft_on``), and ``can_be_applied``.

    Raises:
        ConfigurationError: source, entity, dates, name or reason are wrong, or nothing is published.
        CorrectionRefusedError: there is nothing to correct.
        WriterBusyError, SourceBusyError: another process writes the warehouse, or fetches the source.
    """
    must_be_given(name, reason)
    catalogue = load_catalogue(settings)
    catalogue.entity(source, entity)
    if first > last:
        raise ConfigurationError(f"The range begins on {first}, after it ends on {last}. Give --from before --to.")
    connection = catalogue.source(source).connection
    if kind == "fetch" and not is_configured(connection):
        raise ConfigurationError(
            f"Source {source} is not connected. Set AIRFLOW_CONN_{connection.upper()} as for the nightly, or use "
            "--readmit to take what is landed again."
        )
    request = Request(source, entity, first, last, kind, settings.business_date())
    run_id = new_run_id()
    before = resolve(settings)
    state = present_state(settings)
    also = news_besides(settings, catalogue)
    progress("copy the installation")
    with trial_home(settings, source, run_id) as trial:
        done = carry_out(trial, catalogue, request, run_id, progress)
        must_have_done_something(done, request)
        found = _found(trial, before, done, progress)
    content = {
        "planned_against": {**state, "payloads": payloads(done.batches)},
        "also": also,
        "models": models_that_read(settings, source, entity, catalogue.entity(source, entity).admitted_table),
        **found,
    }
    return keep(
        settings,
        Backfill(
            new_id(request), "planned", request, reason.strip(), reference.strip(), name.strip(), now(), content
        ),
    )  # fmt: skip


def _found(trial: Settings, before: PublishedVersion, done: Done, progress: Progress) -> Row:
    changes: Row = {"same_content": True, "tables": [], "figures": [], "stars": []}
    drafts: list[Row] = []
    confirmed: list[Row] = []
    if done.version is not None:
        progress("compare with the published version")
        changes = compare_versions(trial, before, done.version)
        progress("evaluate drafts")
        drafts, confirmed = draft_on(trial, before, done.version, [one["table"] for one in changes["tables"]])
    return {
        "batches": done.batches,
        "dates": done.dates,
        "admitted": done.admitted,
        "refused": done.refused,
        "closed": done.closed,
        "content_hash": done.version.content_hash if done.version else None,
        "changes": changes,
        "drafts": drafts,
        "confirmed_runs": confirmed,
        "can_be_applied": done.version is not None,
    }


def present_state(settings: Settings) -> dict[str, str]:
    """What a plan holds for: the published version, the admitted data, models, rules, expectations, the catalogue and
    the decided evaluations. Each is a hash or a name."""
    with open_warehouse(settings, read_only=True) as connection:
        admitted = warehouse_state(connection)
    return {
        "version": resolve(settings).version,
        "admitted": admitted,
        "models": published_models(settings),
        "expectations": hash_of_files(settings.project_root, ("expectations",)),
        "catalogue": _hash_of_catalogue(settings),
        "decisions": decisions_hash(settings.evaluations_dir),
    }


def news_besides(settings: Settings, catalogue: Catalogue) -> list[str]:
    """What the published version does not hold yet, besides the correction: it would come with the next version too."""
    with open_warehouse(settings, read_only=True) as connection:
        news = unpublished(connection, settings)
        batches = known_batch_ids(connection)
    waiting = sum(
        len(raw_batch_ids(settings, entity) - batches.get((entity.source_id, entity.id), set()))
        for entity in catalogue.all_entities
    )
    return [*([f"{waiting} landed batches that are not admitted"] if waiting else []), *news]


def _hash_of_catalogue(settings: Settings) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in settings.catalogue_paths)).hexdigest()


def payloads(batches: Iterable[Row]) -> str:
    """One hash over the bytes that were received: the same bytes, the same correction."""
    lines = sorted(f"{one['batch_id']}\t{one['payload_hash']}" for one in batches)
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def models_that_read(settings: Settings, source: str, entity: str, table: str) -> list[str]:
    """The models that read an entity's rows, at first hand or through others, from the graph of the last build."""
    with open_warehouse(settings, read_only=True) as connection:
        built = last_build(connection)
    reached = {f"admitted.{table}"}
    while True:
        more = {one.relation for one in built if reached & set(one.reads)} - reached
        if not more:
            break
        reached |= more
    return sorted(one for one in reached if not one.startswith("admitted."))

"""Which batches there are, which of them count, and what admission has to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from oneledger.catalogue import Entity
from oneledger.landing.manifest import read_manifest
from oneledger.settings import Settings
from oneledger.warehouse.contract import contract_hash
from oneledger.warehouse.control import CORRECTION_COLUMNS, utc_timestamp
from oneledger.warehouse.releases import RELEASE_MARKS

# What control.batch takes over from the manifest.
_MANIFEST_COLUMNS = {
    "batch_id": "VARCHAR",
    "source": "VARCHAR",
    "entity": "VARCHAR",
    "partition": "VARCHAR",
    "revision": "INTEGER",
    "business_on": "DATE",
    "delivery": "VARCHAR",
    "row_count": "BIGINT",
    "control_total": "BIGINT",
    "watermark": "VARCHAR",
    "extracted_at": "TIMESTAMP",
    "code_version": "VARCHAR",
    "catalogue_hash": "VARCHAR",
    "correction_reason": "VARCHAR",
    "correction_reference": "VARCHAR",
    "correction_name": "VARCHAR",
}


class UnusableBatchError(Exception):
    """A batch cannot be admitted: its manifest or its raw file is missing or contradicts itself."""


@dataclass(frozen=True)
class AdmissionPlan:
    """What changes for one entity: whose rows go and whose come, both in the order of deliveries.

    ``is_recomputed``: every row of the entity goes and all current batches come again, because what
    arrived does not follow what is admitted, or the contract changed.
    """

    entity: Entity
    removed: tuple[str, ...]
    added: tuple[str, ...]
    is_recomputed: bool

    @property
    def is_empty(self) -> bool:
        return not self.removed and not self.added


def raw_batch_ids(settings: Settings, entity: Entity) -> set[str]:
    """The batches of an entity that have raw rows. A batch that raw refused has none and stays unknown."""
    folder = settings.raw_dir / entity.source_id / entity.id
    if not folder.is_dir():
        return set()
    return {
        name.removesuffix(".parquet")
        for name in (entry.name for entry in folder.iterdir())
        if name.endswith(".parquet") and not name.startswith(".")
    }


def known_batch_ids(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], set[str]]:
    """The batches that the warehouse knows, by source and entity."""
    rows = connection.execute("select source, entity, list(batch_id) from control.batch group by all").fetchall()
    return {(source, entity): set(batch_ids) for source, entity, batch_ids in rows}


def register_batches(
    connection: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity, batch_ids: Iterable[str]
) -> None:
    """Write new batches of one entity to ``control.batch`` and settle anew which of the entity's batches count.

    Raises:
        UnusableBatchError: a manifest is missing, unreadable or names another batch.
    """
    records = [_manifest(settings, entity, batch_id) for batch_id in sorted(batch_ids)]
    if not records:
        return
    connection.execute(
        f"insert into control.batch ({', '.join(_MANIFEST_COLUMNS)}, is_current, registered_at) "
        f"select {', '.join(f'record.{name}' for name in _MANIFEST_COLUMNS)}, false, ? "
        f"from (select unnest(from_json(?, ?)) as record)",
        [utc_timestamp(), json.dumps(records), json.dumps([_MANIFEST_COLUMNS])],
    )
    connection.execute(
        f"""
        with ranked as (
            select batch_id, {_counts_sql(entity)} as counts
            from control.batch
            where source = ? and entity = ?
        )
        update control.batch set is_current = ranked.counts
        from ranked
        where batch.batch_id = ranked.batch_id and batch.is_current <> ranked.counts
        """,
        [entity.source_id, entity.id],
    )


def plan_admission(connection: duckdb.DuckDBPyConnection, entity: Entity) -> AdmissionPlan:
    """Compare the batches that count with those admitted.

    A ``partition`` delivery replaces its own partition. For ``full`` and ``changes`` later batches are
    merged over earlier ones; when something else happened, all current batches are merged again.
    """
    rows = connection.execute(
        f"""
        with release as ({RELEASE_MARKS})
        select
            coalesce(batch.batch_id, admitted.batch_id) as batch_id,
            admitted.batch_id is not null as is_admitted,
            coalesce(batch.is_current, false) as counts,
            coalesce(admitted.contract_hash <> ? || coalesce(release.mark, ''), false) as is_outdated
        from (from control.batch where source = ? and entity = ?) as batch
        full join (from control.admitted_batch where source = ? and entity = ?) as admitted using (batch_id)
        left join release on admitted.batch_id = release.batch_id
        where coalesce(batch.is_current, false) or admitted.batch_id is not null
        order by coalesce(batch.business_on, admitted.business_on), coalesce(batch.partition, admitted.partition),
            coalesce(batch.revision, admitted.revision)
        """,
        [contract_hash(entity), *[entity.source_id, entity.id] * 2],
    ).fetchall()
    removed = tuple(row[0] for row in rows if row[1] and (not row[2] or row[3]))
    added = tuple(row[0] for row in rows if row[2] and (not row[1] or row[3]))
    if entity.delivery == "partition" or not (removed or added):
        return AdmissionPlan(entity, removed, added, is_recomputed=False)
    admitted_positions = [position for position, row in enumerate(rows) if row[1]]
    added_positions = [position for position, row in enumerate(rows) if row[0] in set(added)]
    follows = not removed and (not admitted_positions or min(added_positions) > max(admitted_positions))
    if follows:
        return AdmissionPlan(entity, (), added, is_recomputed=False)
    return AdmissionPlan(
        entity,
        removed=tuple(row[0] for row in rows if row[1]),
        added=tuple(row[0] for row in rows if row[2]),
        is_recomputed=True,
    )


def _counts_sql(entity: Entity) -> str:
    """The table "Batches" of docs/architecture.md as SQL."""
    if entity.delivery == "changes":
        return "true"
    same = "partition" if entity.delivery == "partition" else "business_on"
    return f"row_number() over (partition by {same} order by revision desc, partition desc) = 1"


def _manifest(settings: Settings, entity: Entity, batch_id: str) -> dict[str, object]:
    prefix = f"{entity.full_id}."
    partition, _, revision = batch_id.removeprefix(prefix).rpartition(".")
    path = settings.landing_dir / entity.source_id / entity.id / partition / revision / "manifest.json"
    if not batch_id.startswith(prefix) or not partition:
        raise UnusableBatchError(
            f"The raw file {batch_id}.parquet of {entity.full_id} is not named "
            f"{prefix}<partition>.r<NNN>. Remove it, or run `oneledger ingest` to load its batch again."
        )
    try:
        manifest = read_manifest(path)
    except FileNotFoundError as error:
        raise UnusableBatchError(
            f"The raw rows of batch {batch_id} are there, its manifest {path} is not. Landing is the record of "
            f"truth: restore it from the backup, or remove the raw file."
        ) from error
    except ValueError as error:
        raise UnusableBatchError(str(error)) from error
    if manifest.batch_id != batch_id:
        raise UnusableBatchError(
            f"{path} names batch {manifest.batch_id!r}; it must be {batch_id!r}. Restore it from the backup."
        )
    correction = manifest.correction or {}
    return {
        name: correction.get(name.removeprefix("correction_"))
        if name in CORRECTION_COLUMNS
        else getattr(manifest, name)
        for name in _MANIFEST_COLUMNS
    } | {"business_on": manifest.business_on.isoformat()}

"""What an ingest would do, without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oneledger.catalogue import Catalogue, Entity, Source
from oneledger.landing import LandingIndex
from oneledger.settings import Settings
from oneledger.sources import Connection, resolve_connection
from oneledger.sources.drop_folder import list_folder


def plan_source(
    source: Source, settings: Settings, catalogue: Catalogue, entities: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One entry an entity: ``source, entity, would`` (a sentence), ``files`` (names that are new).

    Raises:
        ConfigurationError: the connection is not configured, or the entity does not exist.
    """
    connection = resolve_connection(source.connection)
    wanted = [catalogue.entity(source.id, name) for name in entities or source.entities]
    index = LandingIndex(settings, source.id)
    try:
        return [_plan_entity(source, entity, settings, connection, index) for entity in wanted]
    finally:
        index.close()


def _plan_entity(
    source: Source, entity: Entity, settings: Settings, connection: Connection, index: LandingIndex
) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": source.id, "entity": entity.id, "files": []}
    if entity.files:
        listing = list_folder(connection.folder(), entity, index.seen_files(entity.id), settings.as_of)
        entry["files"] = [file.name for group in listing.groups for file in group]
        entry["would"] = (
            f"take {len(entry['files'])} new files; {listing.known_count} did not change, "
            f"{len(listing.waiting)} are not complete yet"
        )
        return entry
    last = index.last(entity.id) if entity.delivery == "changes" else None
    what = f"GET {connection.base_url()}{entity.path}" if entity.path else f"read {entity.table or 'the query'}"
    entry["would"] = f"{what}, changes since {last.watermark}" if last and last.watermark else f"{what}, everything"
    return entry

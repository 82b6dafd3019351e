"""Make raw again from landing: for batches whose Parquet file is gone, or whose catalogue entry changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

from oneledger.catalogue import Catalogue
from oneledger.landing import PARTIAL_PREFIX, LandedBatch
from oneledger.landing.durability import flush
from oneledger.raw.conversion import convert, raw_connection, raw_path
from oneledger.settings import Settings


def remake(
    settings: Settings, catalogue: Catalogue, batch: LandedBatch, connection: duckdb.DuckDBPyConnection | None = None
) -> Path:
    """Write the Parquet file of a landed batch again, as the catalogue reads it today.

    Returns:
        The path of the Parquet file.

    Raises:
        RefusalError: the payload no longer fits the catalogue.
        ConfigurationError: the catalogue has no such source or entity.
    """
    if connection is None:
        with raw_connection(settings) as own:
            return remake(settings, catalogue, batch, own)
    source = catalogue.source(batch.source)
    entity = catalogue.entity(batch.source, batch.entity)
    final = raw_path(settings, batch.source, batch.entity, batch.batch_id)
    partial = final.with_name(f"{PARTIAL_PREFIX}{final.name}")
    names = [file.name for file in batch.manifest().files]
    convert(connection, settings, source, entity, batch.batch_id, batch.path, names, partial)
    flush(partial)
    partial.rename(final)
    return final


def missing_batches(settings: Settings, batches: Iterable[LandedBatch]) -> list[LandedBatch]:
    """The landed batches without a Parquet file; costs one listing of each entity's directory."""
    listed: dict[tuple[str, str], set[str]] = {}
    missing = []
    for batch in batches:
        key = (batch.source, batch.entity)
        if key not in listed:
            folder = settings.raw_dir / batch.source / batch.entity
            listed[key] = set(os.listdir(folder)) if folder.is_dir() else set()  # noqa: PTH208 - names only, fast
        if f"{batch.batch_id}.parquet" not in listed[key]:
            missing.append(batch)
    return missing

"""The resolved catalogue: what every other room reads."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path

from oneledger.catalogue.columns import Column, MissingState, Reference, Rule, Strict
from oneledger.catalogue.decisions import Decisions
from oneledger.catalogue.delivery import Delivery, FilesSpec, FormatSpec, HttpSpec, SqlSpec, UnpivotSpec, WorkbookSpec
from oneledger.catalogue.entries import Connector, OnMissingColumn, OnNewColumn
from oneledger.settings import ConfigurationError


class Shape(Strict):
    """Canonical columns that several sources deliver into one admitted table named after the shape."""

    id: str
    title_zh: str
    title_en: str
    natural_key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    references: tuple[Reference, ...]


class Entity(Strict):
    """One thing that a source delivers, with shape, defaults and overrides resolved.

    Attributes:
        columns: canonical columns in order; of a shape, all of the shape's columns in the shape's order
            (a column that this source does not deliver has neither source_name, constant nor default),
            then columns of the entity's own.
        rules: the shape's rules, then the entity's own.
        references: codes that another entity registers; the shape's, then the entity's own.
        missing_markers: source texts that stand for no value, and which kind of no value. A blank is
            ``missing`` unless ``""`` says otherwise.
        decisions: what becomes of each thing that can be wrong at the door.
        most_omitted_share: a full delivery that leaves out a larger share of the records before is refused.
    """

    id: str
    source_id: str
    title_zh: str
    title_en: str
    shape: str | None
    delivery: Delivery
    updated_at: str | None
    max_age_hours: float | None
    on_new_column: OnNewColumn
    on_missing_column: OnMissingColumn
    most_omitted_share: float
    missing_markers: dict[str, MissingState]
    decisions: Decisions
    path: str | None
    limit: int | None
    table: str | None
    query: str | None
    files: FilesSpec | None
    format: FormatSpec
    workbook: WorkbookSpec | None
    unpivot: UnpivotSpec | None
    partition_by: tuple[str, ...]
    natural_key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    references: tuple[Reference, ...] = ()

    @property
    def full_id(self) -> str:
        """``<source>.<entity>``, as in batch ids."""
        return f"{self.source_id}.{self.id}"

    @property
    def admitted_table(self) -> str:
        """The table in schema ``admitted``: the shape's name, else ``<source>__<entity>``."""
        return self.shape or f"{self.source_id}__{self.id}"

    @property
    def raw_table(self) -> str:
        """A name for the raw rows of this entity: ``<source>__<entity>``."""
        return f"{self.source_id}__{self.id}"

    @property
    def delivered_columns(self) -> tuple[Column, ...]:
        """The columns that raw has: those that the source writes or that its delivery names."""
        return tuple(column for column in self.columns if column.is_delivered)

    def column(self, name: str) -> Column:
        """The column of this canonical name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.full_id} has no column {name!r}")

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over everything that the catalogue says about this entity; stands in each manifest."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


class Source(Strict):
    """One source system."""

    id: str
    title_zh: str
    title_en: str
    owner: str
    connector: Connector
    connection: str
    optional: bool
    http: HttpSpec
    sql: SqlSpec
    entities: dict[str, Entity]


class Catalogue(Strict):
    """All sources and shapes. ``paths`` are the files it was read from."""

    paths: tuple[Path, ...]
    shapes: dict[str, Shape]
    sources: dict[str, Source]

    def entity(self, source_id: str, entity_id: str) -> Entity:
        """The entity; ConfigurationError names what there is when it does not exist."""
        source = self.source(source_id)
        if entity_id not in source.entities:
            raise ConfigurationError(
                f"Source {source_id} has no entity {entity_id!r}; it has {', '.join(sorted(source.entities))}."
            )
        return source.entities[entity_id]

    def source(self, source_id: str) -> Source:
        """The source; ConfigurationError names what there is when it does not exist."""
        if source_id not in self.sources:
            raise ConfigurationError(
                f"The catalogue has no source {source_id!r}; it has {', '.join(sorted(self.sources))}. "
                f"Files read: {', '.join(str(path) for path in self.paths)}."
            )
        return self.sources[source_id]

    @property
    def all_entities(self) -> tuple[Entity, ...]:
        """Every entity of every source, in the order of the files."""
        return tuple(entity for source in self.sources.values() for entity in source.entities.values())

    def entities_of_table(self, admitted_table: str) -> tuple[Entity, ...]:
        """The entities that are admitted into this table (several for a shape)."""
        return tuple(entity for entity in self.all_entities if entity.admitted_table == admitted_table)

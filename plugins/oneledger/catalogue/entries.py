"""Shapes, sources and entities as the YAML files give them, before they are resolved."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from oneledger.catalogue.columns import ColumnSpec, MissingState, Reference, Rule, Strict, text_of_scalar
from oneledger.catalogue.decisions import Decisions
from oneledger.catalogue.delivery import Delivery, FilesSpec, FormatSpec, HttpSpec, SqlSpec, UnpivotSpec, WorkbookSpec

Connector = Literal["http", "sql", "delimited", "workbook"]
OnNewColumn = Literal["warn", "keep", "ignore", "refuse"]
OnMissingColumn = Literal["refuse", "warn"]


class ShapeEntry(Strict):
    """Canonical columns that several sources deliver."""

    title_zh: str = ""
    title_en: str = ""
    natural_key: tuple[str, ...] = Field(min_length=1)
    columns: dict[str, ColumnSpec] = Field(min_length=1)
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()


class Inherited(Strict):
    """What an entity may say, or take over from the ``defaults`` of its source."""

    delivery: Delivery | None = None
    updated_at: str | None = None
    max_age_hours: float | None = Field(default=None, gt=0)
    on_new_column: OnNewColumn | None = None
    on_missing_column: OnMissingColumn | None = None
    most_omitted_share: float | None = Field(default=None, ge=0, le=1)
    missing_markers: dict[str, MissingState] | None = None
    decisions: Decisions = Decisions()

    @field_validator("missing_markers", mode="before")
    @classmethod
    def _scalar_keys(cls, value: Any) -> Any:
        return {text_of_scalar(key): item for key, item in value.items()} if isinstance(value, dict) else value


class EntityEntry(Inherited):
    """One thing that a source delivers."""

    title_zh: str = ""
    title_en: str = ""
    conforms_to: str | None = None
    path: str | None = None
    limit: int | None = Field(default=None, ge=1)
    table: str | None = None
    query: str | None = None
    files: FilesSpec | None = None
    format: FormatSpec | None = None
    workbook: WorkbookSpec | None = None
    unpivot: UnpivotSpec | None = None
    partition_by: tuple[str, ...] = ()
    natural_key: tuple[str, ...] | None = None
    columns: dict[str, ColumnSpec]
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()

    @field_validator("columns", mode="before")
    @classmethod
    def _empty_means_no_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {} if spec is None else spec for name, spec in value.items()}


class SourceEntry(Strict):
    """One source system."""

    title_zh: str = ""
    title_en: str = ""
    owner: str = ""
    connector: Connector
    connection: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    optional: bool = False
    http: HttpSpec | None = None
    sql: SqlSpec | None = None
    defaults: Inherited = Inherited()
    entities: dict[str, EntityEntry] = Field(min_length=1)


class CatalogueEntries(Strict):
    """Everything that the catalogue files say, merged."""

    version: Literal[1]
    shapes: dict[str, ShapeEntry] = Field(default_factory=dict)
    sources: dict[str, SourceEntry] = Field(default_factory=dict)

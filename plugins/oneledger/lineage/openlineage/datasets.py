"""How data sets are called in events, and what is said about them.

A source is named by its catalogue id, never by its address; the address, without credentials, path and query, is told
beside it. A table of the warehouse is named as OpenLineage's dbt integration names it, so that events of both meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oneledger.catalogue import Entity, Source
from oneledger.lineage.openlineage.dependencies import Dependency
from oneledger.settings import ConfigurationError, Settings
from oneledger.sources.connections import resolve_connection
from oneledger.warehouse.contract import sql_type

if TYPE_CHECKING:
    from openlineage.client.facet_v2 import DatasetFacet, column_lineage_dataset, schema_dataset


@dataclass(frozen=True)
class DatasetName:
    """Namespace and name of a data set."""

    namespace: str
    name: str

    @property
    def address(self) -> str:
        """A URI of where it lies: the namespace, or for a folder the folder."""
        return Path(self.name).as_uri() if self.namespace == "file" else self.namespace


def warehouse_table(settings: Settings, relation: str) -> DatasetName:
    """A table or view of the warehouse, ``schema.name``."""
    path = settings.warehouse_path
    return DatasetName(f"duckdb://{path}", f"{path.stem}.{relation}")


def published_table(settings: Settings, relation: str) -> DatasetName:
    """A table of ``published/current/marts.duckdb``; its version is told in a facet, so that the name stays."""
    path = settings.published_dir / "current" / "marts.duckdb"
    return DatasetName(f"duckdb://{path}", f"{path.stem}.{relation}")


def published_fact(settings: Settings, name: str) -> DatasetName:
    """The Parquet files of a daily fact in the published version."""
    return _folder(settings.published_dir / "current" / "facts" / name)


def source_entity(entity: Entity) -> DatasetName:
    """What a source delivers."""
    return DatasetName(f"source://{entity.source_id}", entity.id)


def landing_folder(settings: Settings, entity: Entity) -> DatasetName:
    """The bytes as received, all batches of an entity."""
    return _folder(settings.landing_dir / entity.source_id / entity.id)


def raw_folder(settings: Settings, entity: Entity) -> DatasetName:
    """The Parquet files of an entity's batches."""
    return _folder(settings.raw_dir / entity.source_id / entity.id)


def _folder(path: Path) -> DatasetName:
    return DatasetName("file", str(path))


def source_facets(source: Source, entity: Entity) -> dict[str, DatasetFacet]:
    """What the catalogue says about an entity as its source delivers it."""
    from openlineage.client.facet_v2 import datasource_dataset

    fields = {
        column.source_name: ("", _title(column.title_zh, column.title_en))
        for column in entity.columns
        if column.source_name
    }
    return {
        "schema": schema_facet(fields),
        "dataSource": datasource_dataset.DatasourceDatasetFacet(source.id, address_of(source)),
        **described(_title(entity.title_zh, entity.title_en), source.owner),
    }


def address_of(source: Source) -> str:
    """Scheme, host and port of a source's connection, or its folder; never credentials, path or query of an URL."""
    try:
        connection = resolve_connection(source.connection)
    except ConfigurationError:
        return f"source://{source.id}"
    scheme, host = connection.kind or source.connector, connection.host
    if "://" in host:  # Airflow's form for http: the scheme stands in the host
        scheme, host = host.split("://", 1)
    if scheme in ("file", "fs", "sqlite"):
        path = str(connection.extra.get("path") or connection.path or host)
        return f"{'sqlite' if scheme == 'sqlite' else 'file'}:///{path.lstrip('/')}"
    host = host.rpartition("@")[2].partition("/")[0]
    return f"{scheme}://{host}" + (f":{connection.port}" if connection.port else "")


def raw_fields(entity: Entity) -> dict[str, tuple[str, str]]:
    """The columns of raw, all text."""
    return {column.name: ("varchar", _title(column.title_zh, column.title_en)) for column in entity.delivered_columns}


def admitted_fields(entity: Entity) -> dict[str, tuple[str, str]]:
    """The typed columns that admission fills for this entity."""
    return {column.name: (sql_type(column), _title(column.title_zh, column.title_en)) for column in entity.columns}


def described(description: str, owner: str = "") -> dict[str, DatasetFacet]:
    """Facets for a description and an owner, where there are any."""
    from openlineage.client.facet_v2 import documentation_dataset, ownership_dataset

    facets: dict[str, DatasetFacet] = {}
    if description:
        facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(description)
    if owner:
        facets["ownership"] = ownership_dataset.OwnershipDatasetFacet([ownership_dataset.Owner(owner)])
    return facets


def schema_facet(fields: Mapping[str, tuple[str, str]]) -> schema_dataset.SchemaDatasetFacet:
    """Name → (type, description), in table order; an empty text says nothing."""
    from openlineage.client.facet_v2 import schema_dataset

    return schema_dataset.SchemaDatasetFacet(
        [
            schema_dataset.SchemaDatasetFacetFields(name, kind or None, text or None, position)
            for position, (name, (kind, text)) in enumerate(fields.items(), start=1)
        ]
    )


def column_lineage_facet(
    dependencies: Iterable[Dependency], names: Mapping[str, DatasetName]
) -> column_lineage_dataset.ColumnLineageDatasetFacet | None:
    """What a table depends on; None when that is nothing.

    ``names`` gives the data set of each relation; what depends on another relation is left out.
    """
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    fields: dict[str, dict[tuple[str, str], list[facet.Transformation]]] = {}
    whole: dict[tuple[str, str], list[facet.Transformation]] = {}
    for edge in dependencies:
        if edge.relation not in names:
            continue
        origin = (edge.relation, edge.source_column)
        target = fields.setdefault(edge.column, {}) if edge.column else whole
        target.setdefault(origin, []).append(
            facet.Transformation(
                "DIRECT" if edge.is_direct else "INDIRECT", edge.kind, edge.step or None, edge.is_masking or None
            )
        )

    def inputs(found: Mapping[tuple[str, str], list[facet.Transformation]]) -> list[facet.InputField]:
        return [
            facet.InputField(names[relation].namespace, names[relation].name, column, transformations)
            for (relation, column), transformations in found.items()
        ]

    if not fields and not whole:
        return None
    return facet.ColumnLineageDatasetFacet(
        {column: facet.Fields(inputs(found)) for column, found in fields.items()}, inputs(whole)
    )


def same_columns(relation: str, columns: Sequence[tuple[str, str]], kind: str) -> list[Dependency]:
    """All columns from one relation: (column, source column)."""
    return [Dependency(column, relation, source_column, kind) for column, source_column in columns]


def _title(zh: str | None, en: str | None) -> str:
    return " ".join(part for part in (zh, en) if part)

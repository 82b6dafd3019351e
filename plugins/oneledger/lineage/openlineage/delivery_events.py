"""The events of deliveries: source → landing and raw (ingest), raw → admitted and quarantine (admit)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from oneledger.catalogue import Catalogue, Entity, Source
from oneledger.lineage.openlineage.datasets import (
    DatasetName,
    admitted_fields,
    column_lineage_facet,
    described,
    landing_folder,
    raw_fields,
    raw_folder,
    same_columns,
    schema_facet,
    source_entity,
    source_facets,
    warehouse_table,
)
from oneledger.lineage.openlineage.runs import Teller
from oneledger.lineage.openlineage.telling import Told, tell
from oneledger.outcomes import Outcome, utc_now
from oneledger.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import OutputDataset, RunEvent
    from openlineage.client.facet_v2 import DatasetFacet

QUARANTINE = "quarantine.row"


def tell_ingest(settings: Settings, source: Source, run_id: str, outcomes: Sequence[Outcome]) -> Told:
    """Tell what was landed and converted, one run an entity. Nothing is told of an entity that had nothing new."""

    def make() -> Iterator[RunEvent]:
        teller = Teller.for_run(run_id)
        for entity in source.entities.values():
            mine = [one for one in outcomes if one.entity in (entity.id, None)]
            failed = [one for one in mine if one.verdict == "failed"]
            loaded = [one for one in mine if one.step == "load_raw" and one.verdict in ("good", "warning")]
            if failed or loaded:
                yield from _ingested(settings, source, entity, loaded, failed, teller)

    return tell(settings, make)


def tell_admit(settings: Settings, catalogue: Catalogue, run_id: str, outcomes: Sequence[Outcome]) -> Told:
    """Tell what was admitted and quarantined, one run an entity."""

    def make() -> Iterator[RunEvent]:
        teller = Teller.for_run(run_id)
        for entity in catalogue.all_entities:
            mine = [one for one in outcomes if (one.source, one.entity) == (entity.source_id, entity.id)]
            if mine:
                yield from _admitted(settings, catalogue.source(entity.source_id), entity, mine, teller)

    return tell(settings, make)


def _ingested(
    settings: Settings,
    source: Source,
    entity: Entity,
    loaded: Sequence[Outcome],
    failed: Sequence[Outcome],
    teller: Teller,
) -> list[RunEvent]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    rows = sum(one.received_count or 0 for one in loaded)
    origin, raw = source_entity(entity), raw_folder(settings, entity)
    title = f"{entity.title_zh} {entity.title_en}"
    edges = same_columns(
        "source", [(one.name, one.source_name) for one in entity.delivered_columns if one.source_name], "IDENTITY"
    )
    raw_facets: dict[str, DatasetFacet] = {
        "schema": schema_facet(raw_fields(entity)),
        **described(title, source.owner),
    }
    if lineage := column_lineage_facet(edges, {"source": origin}):
        raw_facets["columnLineage"] = lineage
    return teller.events(
        f"ingest.{entity.full_id}",
        "INGEST",
        *_span([*loaded, *failed]),
        inputs=[
            InputDataset(
                origin.namespace,
                origin.name,
                facets=source_facets(source, entity),
                inputFacets={"inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rows)},
            )
        ],
        outputs=[
            _landed(landing_folder(settings, entity), described(title, source.owner)),
            _written(raw, rows, raw_facets),
        ],
        problem="; ".join(one.message for one in failed),
        tags={"batches": " ".join(sorted({one.batch_id for one in loaded if one.batch_id}))[:1000]} if loaded else None,
    )


def _admitted(
    settings: Settings, source: Source, entity: Entity, outcomes: Sequence[Outcome], teller: Teller
) -> list[RunEvent]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    failed = [one for one in outcomes if one.verdict == "failed"]
    counts = {
        name: sum(getattr(one, f"{name}_count") or 0 for one in outcomes)
        for name in ("received", "accepted", "quarantined", "superseded")
    }
    raw = raw_folder(settings, entity)
    edges = same_columns("raw", [(one.name, one.name) for one in entity.delivered_columns], "TRANSFORMATION")
    facets: dict[str, DatasetFacet] = {
        "schema": schema_facet(admitted_fields(entity)),
        **described(f"{entity.title_zh} {entity.title_en}", source.owner),
    }
    if lineage := column_lineage_facet(edges, {"raw": raw}):
        facets["columnLineage"] = lineage
    statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(counts["received"])
    return teller.events(
        f"admit.{entity.full_id}",
        "ADMIT",
        *_span(outcomes),
        inputs=[InputDataset(raw.namespace, raw.name, inputFacets={"inputStatistics": statistics})],
        outputs=[
            _written(warehouse_table(settings, f"admitted.{entity.admitted_table}"), counts["accepted"], facets),
            _written(warehouse_table(settings, QUARANTINE), counts["quarantined"], {}),
        ],
        problem="; ".join(one.message for one in failed),
        tags={f"{name}_count": str(count) for name, count in counts.items()},
    )


def _landed(name: DatasetName, facets: dict[str, DatasetFacet]) -> OutputDataset:
    """Bytes as received: what they are in rows is known of raw."""
    from openlineage.client.event_v2 import OutputDataset

    return OutputDataset(name.namespace, name.name, facets=facets)


def _written(name: DatasetName, rows: int, facets: dict[str, DatasetFacet]) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
    return OutputDataset(name.namespace, name.name, {"outputStatistics": statistics}, facets=facets)


def _span(outcomes: Sequence[Outcome]) -> tuple[dt.datetime, dt.datetime]:
    return min(one.started_at for one in outcomes), max(one.ended_at or utc_now() for one in outcomes)

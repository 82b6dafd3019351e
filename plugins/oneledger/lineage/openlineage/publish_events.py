"""The events of a publication: one run for each published table or fact, from the warehouse into the version."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from oneledger.lineage.openlineage.datasets import (
    DatasetName,
    column_lineage_facet,
    published_fact,
    published_table,
    same_columns,
    schema_facet,
    warehouse_table,
)
from oneledger.lineage.openlineage.runs import Teller
from oneledger.lineage.openlineage.telling import Told, tell
from oneledger.lineage.openlineage.warehouse_tables import TableColumns, warehouse_tables
from oneledger.outcomes import utc_now
from oneledger.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent


def tell_publish(
    settings: Settings,
    run_id: str,
    version: str,
    manifest: Mapping[str, Any],
    started_at: dt.datetime,
) -> Told:
    """Tell a new version.

    Args:
        settings: whose version it is.
        run_id: the OneLedger run.
        version: its name, told as the version of each published data set.
        manifest: its manifest: tables and fact files with their rows.
        started_at: when the publication began.
    """

    def make() -> Iterator[RunEvent]:
        teller = Teller.for_run(run_id)
        columns = warehouse_tables(settings)
        ended_at = utc_now()

        def copied(relation: str, target: DatasetName, rows: int, files: int | None) -> list[RunEvent]:
            return _copied(settings, teller, relation, target, rows, files, columns, version, started_at, ended_at)

        for table in manifest["tables"]:
            yield from copied(table["name"], published_table(settings, table["name"]), table["rows_count"], None)
        rows: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for file in manifest["facts"]:
            rows[file["fact"]] += file["rows_count"]
            files[file["fact"]] += 1
        for fact in sorted(files):
            yield from copied(f"marts.{fact}", published_fact(settings, fact), rows[fact], files[fact])

    return tell(settings, make)


def _copied(
    settings: Settings,
    teller: Teller,
    relation: str,
    target: DatasetName,
    rows: int,
    files: int | None,
    columns: Mapping[str, TableColumns],
    version: str,
    started_at: dt.datetime,
    ended_at: dt.datetime,
) -> list[RunEvent]:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import (
        dataset_version_dataset,
        datasource_dataset,
        output_statistics_output_dataset,
    )

    source = warehouse_table(settings, relation)
    output = OutputDataset(target.namespace, target.name)
    table = columns.get(relation, TableColumns())
    output.facets = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(version),
        "dataSource": datasource_dataset.DatasourceDatasetFacet(target.namespace, target.address),
        "schema": schema_facet({name: (kind, table.comments.get(name, "")) for name, kind in table.types.items()}),
    }
    edges = same_columns(relation, [(name, name) for name in table.types], "IDENTITY")
    if lineage := column_lineage_facet(edges, {relation: source}):
        output.facets["columnLineage"] = lineage
    output.outputFacets = {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rows, fileCount=files)
    }
    return teller.events(
        f"publish.{relation}",
        "PUBLISH",
        started_at,
        ended_at,
        inputs=[InputDataset(source.namespace, source.name)],
        outputs=[output],
        tags={"published_version": version},
    )

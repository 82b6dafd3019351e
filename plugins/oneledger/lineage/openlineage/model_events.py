"""The events of a dbt build: one run for each seed and model that was built or failed, one for each tested data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oneledger.lineage.openlineage.datasets import column_lineage_facet, described, schema_facet
from oneledger.lineage.openlineage.dbt_build import DbtBuild, TableCounts, span
from oneledger.lineage.openlineage.edge_store import EdgeStore
from oneledger.lineage.openlineage.runs import Teller
from oneledger.lineage.openlineage.telling import Told, tell
from oneledger.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, RunEvent
    from openlineage.client.facet_v2 import DatasetFacet, JobFacet, OutputDatasetFacet, RunFacet

_BUILT = ("success", "pass")
_FAILED = ("error", "fail", "runtime error")


def tell_build(
    settings: Settings,
    run_id: str,
    manifest: Any,
    results: Sequence[Any],
    rows_written: Mapping[str, int],
    full_refresh: bool,
) -> Told:
    """Tell what a ``dbt build`` made and tested.

    Args:
        settings: whose warehouse it was; no other connection may be open on it for writing.
        run_id: the OneLedger run.
        manifest: dbt's manifest of that build, as the object that dbt works with.
        results: dbt's results.
        rows_written: rows appended to incremental models, by unique id.
        full_refresh: whether incremental models were built from nothing.
    """

    store = EdgeStore(settings.home / "lineage" / "column_edges.json")

    def make() -> Iterator[RunEvent]:
        from oneledger.lineage.openlineage.assertion_events import assertion_events

        build = DbtBuild(settings, manifest, results, rows_written, full_refresh)
        teller = Teller.for_run(run_id, "DBT")
        run_facets = _run_facets(build)
        yield from _model_events(build, teller, run_facets, store)
        yield from assertion_events(build, teller, run_facets)

    return replace(tell(settings, make), without_columns=store.unread)


def _model_events(
    build: DbtBuild, teller: Teller, run_facets: dict[str, RunFacet], store: EdgeStore
) -> Iterator[RunEvent]:
    told = [
        result
        for result in build.results
        if build.is_dataset(result.node.unique_id) and str(result.status) in (*_BUILT, *_FAILED)
    ]
    tables = [
        result.node.unique_id
        for result in told
        if str(result.status) in _BUILT and _materialized(result.node.unique_id, build) != "view"
    ]
    counts = build.counts(tables)
    for result in told:
        yield from _events_of(result, build, teller, run_facets, counts.get(result.node.unique_id), store)
    store.save()


def _events_of(
    result: Any,
    build: DbtBuild,
    teller: Teller,
    run_facets: dict[str, RunFacet],
    counts: TableCounts | None,
    store: EdgeStore,
) -> list[RunEvent]:
    from openlineage.client.event_v2 import OutputDataset

    unique_id = result.node.unique_id
    node = build.node(unique_id)
    kind = str(node.resource_type)
    has_failed = str(result.status) in _FAILED
    sql = getattr(result.node, "compiled_code", None)
    name = build.dataset(unique_id)
    output = OutputDataset(name.namespace, name.name)
    if not has_failed:
        output.facets = _dataset_facets(build, unique_id, node, counts)
        if sql and (lineage := _column_lineage(build, unique_id, sql, store)):
            output.facets["columnLineage"] = lineage
        output.outputFacets = _written(build, unique_id, result, counts)
    started_at, ended_at = span(result)
    return teller.events(
        job_name(build, unique_id, "seed" if kind == "seed" else "run"),
        kind.upper(),
        started_at,
        ended_at,
        inputs=inputs_of(build, unique_id),
        outputs=[output],
        problem=str(result.message or "dbt says no more") if has_failed else "",
        job_facets=_job_facets(node, sql),
        run_facets=run_facets,
    )


def job_name(build: DbtBuild, unique_id: str, what: str) -> str:
    """As OpenLineage's dbt integration calls it: ``<database>.<schema>.<project>.<model>.build.run``."""
    schema, _, _ = build.relation(unique_id).partition(".")
    database = build.settings.warehouse_path.stem
    return f"{database}.{schema}.{unique_id.partition('.')[2]}.build.{what}"


def inputs_of(build: DbtBuild, unique_id: str) -> list[InputDataset]:
    """What a model reads: models, seeds and sources."""
    from openlineage.client.event_v2 import InputDataset

    names = [build.dataset(parent) for parent in build.parents(unique_id)]
    return [InputDataset(one.namespace, one.name) for one in dict.fromkeys(names)]


def node_facet(node: Any) -> JobFacet:
    """Where in the dbt project a job comes from."""
    from openlineage.common.provider.dbt.facets import DbtNodeJobFacet

    return DbtNodeJobFacet(
        original_file_path=node.original_file_path,
        database=node.database,
        schema=node.schema,
        alias=getattr(node, "alias", None) or node.identifier,
        unique_id=node.unique_id,
    )


def _run_facets(build: DbtBuild) -> dict[str, RunFacet]:
    from openlineage.client.constants import __version__ as client_version
    from openlineage.client.facet_v2 import processing_engine_run
    from openlineage.common.provider.dbt.facets import DbtRunRunFacet

    metadata = build.manifest.metadata
    return {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            metadata.dbt_version, "dbt", client_version
        ),
        "dbt_run": DbtRunRunFacet(
            invocation_id=metadata.invocation_id,
            project_name=metadata.project_name,
            dbt_runtime="core",
            full_refresh=build.full_refresh,
        ),
    }


def _job_facets(node: Any, sql: str | None) -> dict[str, JobFacet]:
    from openlineage.client.facet_v2 import documentation_job, ownership_job, sql_job

    facets: dict[str, JobFacet] = {"dbt_node": node_facet(node)}
    if sql:
        facets["sql"] = sql_job.SQLJobFacet(sql, "duckdb")
    if node.description:
        facets["documentation"] = documentation_job.DocumentationJobFacet(node.description)
    if owner := node.config.meta.get("owner"):
        facets["ownership"] = ownership_job.OwnershipJobFacet([ownership_job.Owner(str(owner))])
    return facets


def _dataset_facets(build: DbtBuild, unique_id: str, node: Any, counts: TableCounts | None) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import data_quality_metrics_dataset, dataset_type_dataset, datasource_dataset

    namespace = build.dataset(unique_id).namespace
    is_view = _materialized(unique_id, build) == "view"
    texts = {name: column.description or "" for name, column in node.columns.items()}
    built = build.columns.get(build.relation(unique_id))
    types = built.types if built else {name: column.data_type or "" for name, column in node.columns.items()}
    facets: dict[str, DatasetFacet] = {
        "schema": schema_facet({name: (kind, texts.get(name, "")) for name, kind in types.items()}),
        "dataSource": datasource_dataset.DatasourceDatasetFacet(namespace, namespace),
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet("VIEW" if is_view else "TABLE"),
        **described(node.description, str(node.config.meta.get("owner") or "")),
    }
    if counts is not None:
        facets["dataQualityMetrics"] = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            {
                name: data_quality_metrics_dataset.ColumnMetrics(nullCount=nulls, count=float(counts.rows - nulls))
                for name, nulls in counts.nulls.items()
            },
            rowCount=counts.rows,
        )
    return facets


def _written(build: DbtBuild, unique_id: str, result: Any, counts: TableCounts | None) -> dict[str, OutputDatasetFacet]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    if counts is None:
        return {}
    rows = build.rows_written.get(unique_id, counts.rows)
    return {"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)}


def _column_lineage(build: DbtBuild, unique_id: str, sql: str, store: EdgeStore) -> DatasetFacet | None:
    relations = {build.relation(parent): build.dataset(parent) for parent in build.parents(unique_id)}
    own = build.relation(unique_id)
    read = [*relations, own]
    columns_of = {relation: list(build.columns[relation].types) for relation in read if relation in build.columns}
    return column_lineage_facet(store.dependencies(own, sql, columns_of), relations)


def _materialized(unique_id: str, build: DbtBuild) -> str:
    return str(build.node(unique_id).config.materialized)

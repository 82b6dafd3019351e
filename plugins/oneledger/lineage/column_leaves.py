"""Admitted columns back to the columns of what a source delivers, by the source catalogue.

``<source>.<entity>.<its own name>`` (a heading, a JSON key, a database column, a part of the file's name) →
``raw.<source>__<entity>.<canonical name>`` (the text as received) → ``admitted.….<canonical name>`` (typed, checked).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb

from oneledger.catalogue import Catalogue, Column, Entity
from oneledger.lineage.column_graph import ColumnNode, GraphEdge
from oneledger.lineage.column_uses import FILTER, GROUP_BY, IDENTITY, ROWS, TRANSFORMATION
from oneledger.lineage.ground import VersionModels
from oneledger.publishing.lineage_basis import FOLDER, INPUTS_DIR
from oneledger.warehouse.contract import contract_hash

BATCHES = "control.admitted_batch"
# What admission writes beside the values, so that a row can be followed back; no source delivers it.
ROW_IDENTITY = {
    "_batch_id": ("批次", "Batch", "The batch that the row came in: source, entity, business date and revision."),
    "_file_id": ("文件", "File", "SHA-256 of the file that the row stands in."),
    "_row_number": ("行号", "Line", "Where the row stands in its file."),
    "_business_on": ("业务日期", "Business date", "The business date of the batch."),
    "_is_omitted": ("已被略去", "Left out", "True when the newest full delivery no longer holds the record."),
    "_missing_states": ("缺失情形", "Missing states", "Which of the values are missing and which do not apply."),
    "source": ("来源", "Source", "The source of the catalogue that delivered the row."),
}
# What is no data of a source but was written down by the nightly or by a person who decided.
_RECORDS = {
    "control.admitted_batch": ("已准入批次", "Batches admitted"),
    "control.evaluation_run": ("评价批次", "Evaluation runs"),
    "control.expected_entity": ("应报数据", "What the catalogue expects"),
    "control.source_state": ("来源状态", "State of the sources"),
    "confirmed.funding_share": ("已确认资金拨付", "Funding shares as confirmed"),
    "quarantine.row": ("被隔离的行", "Rows quarantined"),
}


def titles_of_input(catalogue: Catalogue, relation: str) -> dict[str, str]:
    """Titles of an admitted table, by the catalogue, or of a record; empty for anything else."""
    if relation in _RECORDS:
        return dict(zip(("title_zh", "title_en"), _RECORDS[relation], strict=True))
    schema, _, table = relation.partition(".")
    entities = catalogue.entities_of_table(table) if schema == "admitted" else ()
    if not entities:
        return {}
    shape = catalogue.shapes.get(entities[0].shape) if entities[0].shape else None
    one = shape or entities[0]
    return {"title_zh": one.title_zh, "title_en": one.title_en}


def source_lineage(
    catalogue: Catalogue, models: VersionModels
) -> tuple[list[ColumnNode], list[GraphEdge], dict[str, dict[str, Any]], list[str]]:
    """Nodes and edges from the sources to the admitted tables that the models of a version read.

    Returns:
        Nodes, edges, what is known of each relation, and notes on contracts that differ from the version's.
    """
    contracts = contracts_of(models)
    tables = {one.name.partition(".")[2]: one for one in models.relations.values() if one.schema == "admitted"}
    nodes: dict[str, ColumnNode] = {}
    edges: list[GraphEdge] = []
    relations: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for table in sorted(tables):
        admitted = f"admitted.{table}"
        entities = _entities(catalogue, table, contracts)
        if not entities:
            notes.append(
                f"{admitted} is in this version, but no source of today's catalogue is admitted into it: "
                "its columns end there."
            )
        for entity in entities:
            notes += _contract_notes(entity, contracts.get(entity.full_id, ()))
            _add_entity(catalogue, entity, admitted, set(tables[table].columns), nodes, edges, relations)
    return list(nodes.values()), edges, relations, notes


def contracts_of(models: VersionModels) -> dict[str, tuple[str, ...]]:
    """By ``<source>.<entity>``, the contracts of the catalogue by which the rows of a version were read."""
    parts = models.version.path / FOLDER / INPUTS_DIR / BATCHES
    if not parts.is_dir():
        return {}
    files = str(parts / "*.parquet").replace("'", "''")
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select source || '.' || entity, list(distinct contract_hash) from read_parquet('{files}') group by 1"
        ).fetchall()
    return {name: tuple(sorted(hashes)) for name, hashes in rows}


def step_of(column: Column) -> str:
    """What admission does to the text of a column, in words; empty when it takes it as it is."""
    parts = []
    if column.values:
        parts.append("values " + ", ".join(f"{source}→{value}" for source, value in column.values.items()))
    if column.unit:
        parts.append(f"unit {column.unit}, times {column.unit_factor}")
    if column.prefix:
        parts.append(f"prefix {column.prefix!r}")
    if column.formats:
        parts.append(f"read as {' or '.join(column.formats)}")
    if column.period_day:
        parts.append(f"the {column.period_day} day of the period")
    if column.number_format:
        parts.append("marks of the number taken away")
    if column.default is not None:
        parts.append(f"{column.default!r} where there is none")
    if column.type != "text":
        parts.append(f"as {column.type}")
    return "; ".join(parts)


def place_of(entity: Entity, column: Column | None) -> str:
    """Where a column stands in what the source delivers, in words."""
    if entity.path:
        where = f"HTTP GET {entity.path}"
    elif entity.table or entity.query:
        where = f"table {entity.table}" if entity.table else "a query of the catalogue"
    else:
        where = f"files {entity.files.pattern}" if entity.files else "files"
    if column is None:
        return where
    name = str(column.source_name)
    if not column.is_field:
        return f"{where}, {'field' if entity.path else 'column'} {name}"
    field = name.removeprefix("$")
    if entity.workbook and field in entity.workbook.title_fields:
        return f"{where}, the rows above the heading: {entity.workbook.title_fields[field]}"
    if entity.unpivot and field in entity.unpivot.groups:
        return f"{where}, part of the heading: {entity.unpivot.columns}"
    return f"{where}, part {field} of the delivery's name"


def _contract_notes(entity: Entity, hashes: Iterable[str]) -> Iterator[str]:
    today = contract_hash(entity)
    other = [one for one in hashes if not one.startswith(today)]
    if other:
        yield (
            f"{entity.full_id}: rows of this version were read by the contract {', '.join(one[:12] for one in other)}, "
            f"today's catalogue has {today[:12]}; names and steps shown for it are today's."
        )


def _add_entity(
    catalogue: Catalogue,
    entity: Entity,
    admitted: str,
    known: set[str],
    nodes: dict[str, ColumnNode],
    edges: list[GraphEdge],
    relations: dict[str, dict[str, Any]],
) -> None:
    source, raw = entity.full_id, f"raw.{entity.raw_table}"
    owner = catalogue.source(entity.source_id)
    said = {"title_zh": entity.title_zh, "title_en": entity.title_en, "sql": None, "file": None}
    relations[source] = {
        **said, "layer": "source", "materialized": owner.connector,
        "description": f"{owner.title_zh} {owner.title_en}: {place_of(entity, None)}. {owner.owner}",
    }  # fmt: skip
    relations[raw] = {
        **said, "layer": "raw", "materialized": "parquet", "description": "The rows as received, every value as text."
    }  # fmt: skip

    def note(node: ColumnNode) -> str:
        nodes.setdefault(node.name, node)
        return node.name

    rows_of_source = note(ColumnNode(source, ROWS, "source", description="Its records.", place=place_of(entity, None)))
    rows_of_raw = note(ColumnNode(raw, ROWS, "raw", description="Its rows as received."))
    edges.append(GraphEdge(rows_of_source, rows_of_raw, IDENTITY))
    edges.append(GraphEdge(rows_of_raw, f"{admitted}.{ROWS}", IDENTITY))
    for column in entity.columns:
        target = f"{admitted}.{column.name}"
        if column.name not in known or not column.is_delivered:
            continue
        zh, en = column.title_zh, column.title_en
        there = note(
            ColumnNode(source, str(column.source_name), "source", "text", zh, en, place=place_of(entity, column))
        )
        here = note(ColumnNode(raw, column.name, "raw", "text", zh, en))
        edges.append(GraphEdge(there, here, IDENTITY))
        step = step_of(column)
        edges.append(GraphEdge(here, target, TRANSFORMATION if step else IDENTITY, (step,) if step else ()))
    rows = f"{admitted}.{ROWS}"
    for rule in entity.rules:
        if rule.severity == "quarantine":
            edges += [
                GraphEdge(f"{raw}.{one}", rows, FILTER, (f"row rule {rule.id}: {rule.expect}",))
                for one in rule.columns
                if f"{raw}.{one}" in nodes
            ]
    for reference in entity.references:
        if reference.severity == "quarantine" and f"{raw}.{reference.column}" in nodes:
            edges.append(GraphEdge(f"{raw}.{reference.column}", rows, FILTER, (f"must stand in {reference.to}",)))
    for one in entity.natural_key:
        if f"{raw}.{one}" in nodes:
            edges.append(GraphEdge(f"{raw}.{one}", rows, GROUP_BY, ("the newest row of a key counts",)))


def admitted_constants(
    catalogue: Catalogue, models: VersionModels, admitted: str
) -> dict[str, tuple[tuple[str, ...], str]]:
    """Columns of an admitted table that the catalogue itself fills, or that no source of the version delivers.

    Returns:
        By column, the SQL literals that it holds, and a sentence.
    """
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    entities = _entities(catalogue, admitted.partition(".")[2], contracts_of(models))
    for entity in entities:
        for column in entity.columns:
            value = column.constant if column.constant is not None else column.default
            if value is not None:
                values, said = found.get(column.name, ((), ""))
                word = "always" if column.constant is not None else "where the source gives none"
                sentence = f"{entity.full_id}: {value!r} {word}, by the source catalogue."
                found[column.name] = ((*values, f"'{value}'"), f"{said} {sentence}".strip())
    delivered = {column.name for entity in entities for column in entity.delivered_columns}
    for entity in entities:
        for column in entity.columns:
            if column.name not in delivered and column.name not in found:
                sentence = "Missing in every row: no source of this version delivers it."
                found[column.name] = (("null",), sentence)
    return found


def _entities(catalogue: Catalogue, table: str, contracts: Mapping[str, tuple[str, ...]]) -> list[Entity]:
    """Who delivered into an admitted table of the version; who may, when the version does not say."""
    return [one for one in catalogue.entities_of_table(table) if not contracts or one.full_id in contracts]

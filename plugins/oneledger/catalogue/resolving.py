"""Turn what the YAML files say into the resolved catalogue, and check what no single entry can check."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue.columns import Column, ColumnSpec, Rule
from oneledger.catalogue.decisions import combined, door_problems
from oneledger.catalogue.delivery import FormatSpec, HttpSpec, SqlSpec
from oneledger.catalogue.entries import CatalogueEntries, EntityEntry, Inherited, ShapeEntry, SourceEntry
from oneledger.catalogue.models import Catalogue, Entity, Shape, Source
from oneledger.catalogue.reading import Places, YamlPath
from oneledger.settings import ConfigurationError

_IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SQL_TYPES = {
    "text": "varchar", "integer": "bigint", "decimal": "decimal(38, 9)",
    "date": "date", "timestamp": "timestamp", "boolean": "boolean",
}  # fmt: skip


@dataclass
class Problems:
    """Everything that is wrong, so that one reading names all of it."""

    places: Places
    found: list[str] = field(default_factory=list)

    def add(self, path: YamlPath, text: str) -> None:
        self.found.append(f"{self.places.describe(path)}: {text}")

    def raise_if_any(self) -> None:
        if self.found:
            number = f" in {len(self.found)} places" if len(self.found) > 1 else ""
            raise ConfigurationError(f"The source catalogue is wrong{number}: " + "\n".join(self.found))


def resolve(entries: CatalogueEntries, places: Places, paths: tuple[Path, ...]) -> Catalogue:
    """Resolve shapes, defaults and overrides.

    Raises:
        ConfigurationError: names every place that is wrong, and what to do.
    """
    problems = Problems(places)
    _check_ids(entries, problems)
    shapes = {name: _shape(name, entry, problems) for name, entry in entries.shapes.items()}
    problems.raise_if_any()
    sources = {name: _source(name, entry, shapes, problems) for name, entry in entries.sources.items()}
    problems.raise_if_any()
    catalogue = Catalogue(paths=paths, shapes=shapes, sources=sources)
    for entity in catalogue.all_entities:
        _check_entity(entity, sources[entity.source_id], problems)
    problems.raise_if_any()
    _check_rules(catalogue, problems)
    _check_references(catalogue, problems)
    problems.raise_if_any()
    return catalogue


def _check_ids(entries: CatalogueEntries, problems: Problems) -> None:
    def check(path: YamlPath) -> None:
        if not _IDENTIFIER.fullmatch(str(path[-1])):
            problems.add(path, f"{path[-1]!r} is no name: use small letters, digits and single underscores (app_id).")

    for shape_id, shape in entries.shapes.items():
        check(("shapes", shape_id))
        for column in shape.columns:
            check(("shapes", shape_id, "columns", column))
    for source_id, source in entries.sources.items():
        check(("sources", source_id))
        for entity_id, entity in source.entities.items():
            check(("sources", source_id, "entities", entity_id))
            for column in entity.columns:
                check(("sources", source_id, "entities", entity_id, "columns", column))


def _shape(name: str, entry: ShapeEntry, problems: Problems) -> Shape:
    columns = []
    for column_name, spec in entry.columns.items():
        if spec.type is None:
            problems.add(("shapes", name, "columns", column_name), "a column of a shape needs a type; add `type:`.")
            continue
        columns.append(_column(column_name, spec, spec.source_name))
    return Shape(
        id=name, title_zh=entry.title_zh, title_en=entry.title_en, natural_key=entry.natural_key,
        columns=tuple(columns), rules=entry.rules, references=entry.references,
    )  # fmt: skip


def _source(name: str, entry: SourceEntry, shapes: dict[str, Shape], problems: Problems) -> Source:
    entities: dict[str, Entity] = {}
    for entity_id, entity_entry in entry.entities.items():
        entity = _entity(name, entity_id, entity_entry, entry.defaults, shapes, problems)
        if entity:
            entities[entity_id] = entity
    return Source(
        id=name, title_zh=entry.title_zh, title_en=entry.title_en, owner=entry.owner, connector=entry.connector,
        connection=entry.connection, optional=entry.optional, http=entry.http or HttpSpec(),
        sql=entry.sql or SqlSpec(), entities=entities,
    )  # fmt: skip


def _entity(
    source_id: str,
    entity_id: str,
    entry: EntityEntry,
    defaults: Inherited,
    shapes: dict[str, Shape],
    problems: Problems,
) -> Entity | None:
    path: YamlPath = ("sources", source_id, "entities", entity_id)
    shape = None
    if entry.conforms_to is not None:
        shape = shapes.get(entry.conforms_to)
        if shape is None:
            problems.add(
                (*path, "conforms_to"),
                f"there is no shape {entry.conforms_to!r}; the shapes are {', '.join(shapes) or 'none'}.",
            )
            return None

    def inherited(key: str, otherwise: Any) -> Any:
        for level in (entry, defaults):
            if getattr(level, key) is not None:
                return getattr(level, key)
        return otherwise

    natural_key = entry.natural_key or (shape.natural_key if shape else ())
    if not natural_key:
        problems.add((*path, "natural_key"), "is missing: name the columns that tell one record from another.")
    if inherited("delivery", None) is None:
        problems.add((*path, "delivery"), "is missing here and in the source's defaults: partition, full or changes.")
        return None
    return Entity(
        id=entity_id, source_id=source_id, title_zh=entry.title_zh, title_en=entry.title_en, shape=entry.conforms_to,
        delivery=inherited("delivery", None), updated_at=inherited("updated_at", None),
        max_age_hours=inherited("max_age_hours", None), on_new_column=inherited("on_new_column", "warn"),
        on_missing_column=inherited("on_missing_column", "refuse"),
        most_omitted_share=inherited("most_omitted_share", 0.5), missing_markers=inherited("missing_markers", {}),
        decisions=combined(entry.decisions, defaults.decisions), path=entry.path, limit=entry.limit, table=entry.table,
        query=entry.query, files=entry.files, format=entry.format or FormatSpec(), workbook=entry.workbook,
        unpivot=entry.unpivot, partition_by=entry.partition_by, natural_key=natural_key,
        columns=_columns(path, entry, shape, problems), rules=(*(shape.rules if shape else ()), *entry.rules),
        references=(*(shape.references if shape else ()), *entry.references),
    )  # fmt: skip


def _columns(path: YamlPath, entry: EntityEntry, shape: Shape | None, problems: Problems) -> tuple[Column, ...]:
    columns: dict[str, Column] = {column.name: column for column in shape.columns} if shape else {}
    for name, spec in entry.columns.items():
        source_name = spec.source_name
        if source_name is None and spec.constant is None and spec.default is None:
            source_name = name
        if spec.source_name is not None and spec.constant is not None:
            problems.add((*path, "columns", name), "says both `from` and `constant`; keep one of them.")
        base = columns.get(name)
        if shape and base is None:
            near = difflib.get_close_matches(name, columns, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            problems.add(
                (*path, "columns", name),
                f"shape {shape.id} has no such column{meant} Remove it, or add it to shapes.{shape.id}.columns.",
            )
            continue
        if base is None and spec.type is None:
            problems.add((*path, "columns", name), "needs a type; add `type: text`, or integer, decimal, date ….")
            continue
        columns[name] = _column(name, spec, source_name, base)
    return tuple(columns.values())


def _column(name: str, spec: ColumnSpec, source_name: str | None, base: Column | None = None) -> Column:
    given = spec.model_dump(exclude_none=True, exclude={"source_name"})
    merged = {**(base.model_dump(exclude={"name", "source_name"}) if base else {}), **given}
    return Column(name=name, source_name=source_name, **merged)


def _check_entity(entity: Entity, source: Source, problems: Problems) -> None:
    path: YamlPath = ("sources", entity.source_id, "entities", entity.id)
    _check_connector_keys(entity, source, path, problems)
    _check_decisions(entity, source, path, problems)
    names = {column.name for column in entity.columns}
    for key in entity.natural_key:
        _check_name(key, names, (*path, "natural_key"), "column", problems)
    if entity.delivery == "changes":
        if entity.updated_at is None:
            problems.add((*path, "updated_at"), "is missing: delivery `changes` needs the column of the last change.")
        else:
            _check_name(entity.updated_at, names, (*path, "updated_at"), "column", problems)
    fields = set(entity.files.groups if entity.files else ())
    fields |= set(entity.workbook.title_fields if entity.workbook else ())
    for name in entity.partition_by:
        _check_name(name, fields, (*path, "partition_by"), "named group or title field", problems)
    fields |= set(entity.unpivot.groups if entity.unpivot else ())
    delivered: dict[str, str] = {}
    for column in entity.columns:
        place = (*path, "columns", column.name)
        if column.is_field and column.source_name is not None:
            _check_name(column.source_name[1:], fields, (*place, "from"), "named group or title field", problems)
        elif column.source_name is not None and column.source_name in delivered:
            problems.add(
                (*place, "from"), f"{column.source_name!r} already feeds column {delivered[column.source_name]}."
            )
        if column.source_name is not None:
            delivered[column.source_name] = column.name
        if column.values and column.allowed and not set(column.values.values()) <= set(column.allowed):
            strange = sorted(set(column.values.values()) - set(column.allowed))
            problems.add((*place, "values"), f"gives {', '.join(strange)}, which `allowed` does not name.")


def _check_decisions(entity: Entity, source: Source, path: YamlPath, problems: Problems) -> None:
    known = door_problems()
    for name in sorted(entity.decisions.model_fields_set):
        if source.connector not in known[name].connectors:
            problems.add(
                (*path, "decisions", name),
                f"cannot be wrong with connector {source.connector}, but with {', '.join(known[name].connectors)}; "
                f"remove it.",
            )


def _check_connector_keys(entity: Entity, source: Source, path: YamlPath, problems: Problems) -> None:
    needed = {"http": ("path",), "sql": ("table", "query"), "delimited": ("files",), "workbook": ("files", "workbook")}
    keys = needed[source.connector]
    given = [key for key in keys if getattr(entity, key) is not None]
    if source.connector == "sql":
        if len(given) != 1:
            problems.add(path, "an entity of connector sql says `table: name` or `query: select …`, and only one.")
    elif len(given) != len(keys):
        missing = [key for key in keys if key not in given]
        problems.add(path, f"an entity of connector {source.connector} needs `{'` and `'.join(missing)}`.")
    others = {key for allowed in needed.values() for key in allowed} - set(keys)
    for key in sorted(others):
        if getattr(entity, key) is not None:
            problems.add((*path, key), f"does not belong to connector {source.connector}; remove it.")
    if entity.unpivot and source.connector not in ("delimited", "workbook"):
        problems.add((*path, "unpivot"), "is for connectors delimited and workbook; remove it.")
    if entity.delivery == "changes" and source.connector in ("delimited", "workbook") and entity.updated_at is None:
        problems.add((*path, "delivery"), "files of changes need `updated_at`.")


def _check_name(name: str, known: Iterable[str], path: YamlPath, what: str, problems: Problems) -> None:
    known = list(known)
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known) or 'none'}."
    problems.add(path, f"there is no {what} {name!r}{meant}")


def _check_references(catalogue: Catalogue, problems: Problems) -> None:
    """Both ends exist, and a registry that holds rows back is admitted before them: it stands earlier."""
    seen: dict[str, Entity] = {}
    registries = {entity.full_id: entity for entity in catalogue.all_entities}
    for entity in catalogue.all_entities:
        path: YamlPath = ("sources", entity.source_id, "entities", entity.id, "references")
        for reference in entity.references:
            _check_name(reference.column, [column.name for column in entity.columns], path, "column", problems)
            registry = registries.get(reference.entity)
            if registry is None or registry.shape:
                what = "is of a shape, which is no registry" if registry else "does not exist"
                problems.add(path, f"{reference.to}: the entity {reference.entity} {what}; name source.entity.column.")
                continue
            _check_name(reference.target, [column.name for column in registry.columns], path, "column", problems)
            if reference.severity == "quarantine" and reference.entity not in seen:
                problems.add(
                    path,
                    f"{reference.to}: {reference.entity} must stand before {entity.full_id} in the catalogue, because "
                    "its rows decide which rows are held back; move it up, or say `severity: warn`.",
                )
        seen[entity.full_id] = entity


def _check_rules(catalogue: Catalogue, problems: Problems) -> None:
    """Every rule must be an SQL condition over the entity's columns: DuckDB binds it to an empty row."""
    if not any(entity.rules for entity in catalogue.all_entities):
        return
    with duckdb.connect(":memory:") as connection:
        checked: set[tuple[str, str]] = set()
        for entity in catalogue.all_entities:
            for rule in entity.rules:
                owner = entity.shape if entity.shape and rule in catalogue.shapes[entity.shape].rules else None
                key = (owner or entity.full_id, rule.id)
                if key in checked:
                    continue
                checked.add(key)
                path: YamlPath = (
                    ("shapes", owner, "rules") if owner
                    else ("sources", entity.source_id, "entities", entity.id, "rules")
                )  # fmt: skip
                _check_rule(rule, entity, path, connection, problems)


def _check_rule(
    rule: Rule, entity: Entity, path: YamlPath, connection: duckdb.DuckDBPyConnection, problems: Problems
) -> None:
    for column in rule.columns:
        _check_name(column, [known.name for known in entity.columns], path, "column", problems)
    row = ", ".join(f'null::{_SQL_TYPES[column.type]} as "{column.name}"' for column in entity.columns)
    try:
        connection.execute(f"select ({rule.expect})::boolean from (select {row})")
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        problems.add(path, f"rule {rule.id}: `{rule.expect}` is no condition over the columns: {first_line}")

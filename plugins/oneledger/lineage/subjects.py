"""What is to be traced: a star, points, a figure, a funding share, or a cell of any published table, by its key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from oneledger.lineage.ground import Ground, Relation, VersionModels, quoted
from oneledger.lineage.literals import text_literal
from oneledger.publishing.content import quote
from oneledger.settings import ConfigurationError

FIGURES = "marts.published_figure"

_NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT")


@dataclass(frozen=True)
class Subject:
    """A published thing.

    Attributes:
        kind: ``star``, ``points``, ``figure``, ``share`` or ``cell``.
        relation: where it stands.
        key: columns and values, as text, that find its row.
        columns: which of its values are to be explained; None for all.
    """

    kind: str
    relation: str
    key: dict[str, str]
    columns: tuple[str, ...] | None = None


def star(app_id: str, round_id: str | None = None) -> Subject:
    """An app's star and score."""
    return Subject("star", "evaluation.app_stars", {"app_id": app_id, **({"run_id": round_id} if round_id else {})})


def points(app_id: str, indicator_id: str, round_id: str | None = None) -> Subject:
    """An app's points for one indicator."""
    key = {"app_id": app_id, "indicator_id": indicator_id, **({"run_id": round_id} if round_id else {})}
    return Subject("points", "evaluation.indicator_points", key)


def figure(figure_id: str) -> Subject:
    """A figure of the audit reply."""
    return Subject("figure", FIGURES, {"figure_id": figure_id}, ("figure_id", "computed_value", "is_matched"))


def share(project_id: str, budget_year: str | None = None) -> Subject:
    """A project's share of its operating budget."""
    key = {"project_id": project_id, **({"budget_year": budget_year} if budget_year else {})}
    return Subject("share", "evaluation.funding_share", key)


def cell(relation: str, key: Mapping[str, str], columns: Sequence[str] = ()) -> Subject:
    """Cells of a published table."""
    return Subject("cell", relation, dict(key), tuple(columns) or None)


def find_relation(models: VersionModels, name: str) -> Relation:
    """The table of this name, with or without its schema.

    Raises:
        ConfigurationError: there is none; names that are spelt alike are said.
    """
    known = models.relations
    found = [one for one in known if name in (one, one.partition(".")[2])]
    preferred = [one for one in found if one.startswith(("marts.", "evaluation."))] or found
    if len(preferred) == 1:
        return known[preferred[0]]
    if found:
        raise ConfigurationError(f"{name!r} fits {', '.join(found)}. Give the name with its schema.")
    near = difflib.get_close_matches(name, [*known, *(one.partition(".")[2] for one in known)], n=3, cutoff=0.5)
    meant = f"Do you mean {' or '.join(near)}? " if near else ""
    raise ConfigurationError(
        f'This version has no table {name!r}. {meant}`oneledger query "show all tables"` lists them.'
    )


def where_of(ground: Ground, subject: Subject) -> str:
    """The condition that finds the subject's rows.

    Raises:
        ConfigurationError: a column does not exist, no row has this key, or more than one has; the message says what
            would make it one.
    """
    connection = ground.connection
    relation = find_relation(ground.models, subject.relation)
    ground.define(relation.name)
    for column in (*subject.key, *(subject.columns or ())):
        if column not in relation.columns:
            near = difflib.get_close_matches(column, list(relation.columns), n=3, cutoff=0.4)
            meant = f"Do you mean {' or '.join(near)}? " if near else ""
            raise ConfigurationError(
                f"{relation.name} has no column {column!r}. {meant}It has {', '.join(relation.columns)}."
            )
    parts = []
    for column, value in subject.key.items():
        kind = relation.columns[column]["type"]
        converted = connection.execute(f"select try_cast({text_literal(value)} as {kind})").fetchall()[0][0]
        if value.lower() == "null":
            parts.append(f"{quote(column)} is null")
        elif converted is None:
            raise ConfigurationError(f"{column} of {relation.name} is {kind}; {value!r} is none.")
        else:
            parts.append(f"{quote(column)} = cast({text_literal(value)} as {kind})")
    where = " and ".join(parts) or "true"
    count = connection.execute(f"select count(*) from {quoted(relation.name)} where {where}").fetchall()[0][0]
    if count == 0:
        raise ConfigurationError(_nothing(connection, relation, subject, parts))
    if count > 1:
        raise ConfigurationError(_too_many(connection, relation, subject, where, count))
    return where


def _nothing(connection: duckdb.DuckDBPyConnection, relation: Relation, subject: Subject, parts: Sequence[str]) -> str:
    said = ", ".join(f"{column}={value}" for column, value in subject.key.items())
    text = f"{relation.name} has no row with {said}."
    for column, value, part in zip(subject.key, subject.key.values(), parts, strict=False):
        if connection.execute(f"select 1 from {quoted(relation.name)} where {part} limit 1").fetchone():
            continue
        known = [
            str(row[0])
            for row in connection.execute(
                f"select distinct {quote(column)} from {quoted(relation.name)} where {quote(column)} is not null"
                f" order by jaro_winkler_similarity(cast({quote(column)} as varchar), {text_literal(value)}) desc,"
                f" {quote(column)} limit 3"
            ).fetchall()
        ]
        return f"{text} No row has {column} {value!r}; the nearest are {', '.join(known) or 'none: it is empty'}."
    return f"{text} Each value is there by itself, but not together."


def _too_many(
    connection: duckdb.DuckDBPyConnection, relation: Relation, subject: Subject, where: str, count: int
) -> str:
    """Which further columns would tell the rows apart."""
    others = [
        name for name, column in relation.columns.items()
        if (name not in subject.key and column["type"] not in _NUMBERS and not column["type"].startswith("DECIMAL"))
        or (name.endswith(("_year", "_number")) and name not in subject.key)
    ]  # fmt: skip
    telling: list[str] = []
    for name in others:
        trial = [*telling, name]
        columns = ", ".join(quote(one) for one in trial)
        distinct = connection.execute(
            f"select count(*) from (select distinct {columns} from {quoted(relation.name)} where {where})"
        ).fetchall()[0][0]
        known = 1
        if telling:
            known = connection.execute(
                f"select count(*) from (select distinct {', '.join(quote(one) for one in telling)}"
                f" from {quoted(relation.name)} where {where})"
            ).fetchall()[0][0]
        if distinct > known:
            telling.append(name)
        if distinct == count:
            break
    example = ""
    if telling:
        columns = ", ".join(quote(one) for one in telling)
        first = connection.execute(
            f"select {columns} from {quoted(relation.name)} where {where} order by all limit 1"
        ).fetchall()[0]
        example = " ".join(f"{name}={value}" for name, value in zip(telling, first, strict=True))
    return (
        f"{count:,} rows of {relation.name} fit. Say also {' and '.join(telling) or 'more of its columns'}"
        f"{f', for instance: {example}' if example else ''}."
    )


def row_of(connection: duckdb.DuckDBPyConnection, relation: str, where: str) -> dict[str, Any]:
    """The row as published."""
    cursor = connection.execute(f"select * from {quoted(relation)} where {where}")
    names = [column[0] for column in cursor.description or []]
    return dict(zip(names, cursor.fetchall()[0], strict=True))


def name_of(ground: Ground, row: Mapping[str, Any]) -> str | None:
    """What people call the app or project of a row."""
    for column, relation, name in (
        ("app_id", "marts.dim_app", "app_name"),
        ("project_id", "marts.dim_project", "project_name"),
    ):
        if row.get(name):
            return str(row[name])
        if row.get(column) is not None and relation in ground.models.relations:
            ground.define(relation)
            where = f"{column} = {text_literal(str(row[column]))}"
            found = ground.connection.execute(f"select {name} from {quoted(relation)} where {where}").fetchall()
            if found and found[0][0]:
                return str(found[0][0])
    return None

"""The ground that a gate's checks stand on: what is new since the published version, and what was expected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from oneledger.catalogue import Catalogue, Entity
from oneledger.publishing.content import quote, quote_all
from oneledger.publishing.versions import PublishedVersion
from oneledger.quality.session import CheckSession
from oneledger.settings import Settings
from oneledger.sources.connections import is_configured

_DAILY_AGE_HOURS = 100.0
_SAMPLE_ROWS = 3


@dataclass(frozen=True)
class ChangedRows:
    """The admitted rows of one entity that came with batches not yet published."""

    entity: Entity
    batches_count: int
    first_on: dt.date
    last_on: dt.date

    @property
    def where(self) -> str:
        """SQL condition; the dates let DuckDB skip what lies outside them, so that history costs nothing."""
        return (
            f"_business_on between date '{self.first_on}' and date '{self.last_on}' and _batch_id in "
            f"(select batch_id from new_batch where entity = {text(self.entity.full_id)})"
        )

    @property
    def query(self) -> str:
        return f"select * from admitted.{quote(self.entity.admitted_table)} where {self.where}"


def prepare(
    session: CheckSession,
    settings: Settings,
    catalogue: Catalogue,
    published: PublishedVersion | None,
    sources: Collection[str] | None,
) -> dt.date | None:
    """Make the temporary tables that evidence reads, and return the date as of which the checks judge.

    ``expected_entity``: entity (``source.entity``), source, max_age_hours, delivery, is_daily, is_expected (its
    source is connected, not optional, and among ``sources`` when these are given), is_unpivoted.
    ``new_batch``: the admitted batches that the published version does not hold, with their counts.
    ``published_table``: name, rows_count of each table and fact of the published version.
    ``judged``: one row, ``as_of_on``.
    """
    session.execute(
        "create or replace temp table expected_entity (entity varchar, source varchar, max_age_hours double,"
        " delivery varchar, is_daily boolean, is_expected boolean, is_unpivoted boolean)"
    )
    for entity in catalogue.all_entities:
        source = catalogue.source(entity.source_id)
        is_connected = is_configured(source.connection)
        session.execute(
            "insert into expected_entity values (?, ?, ?, ?, ?, ?, ?)",
            [
                entity.full_id,
                entity.source_id,
                entity.max_age_hours,
                entity.delivery,
                _is_daily(entity),
                is_connected and not source.optional and (sources is None or source.id in sources),
                entity.unpivot is not None,
            ],
        )
    session.execute(
        "create or replace temp table new_batch as"
        " select admitted.* exclude (entity), admitted.source || '.' || admitted.entity as entity, batch.control_total"
        " from control.admitted_batch as admitted left join control.batch as batch using (batch_id)"
        + _not_published(published)
    )
    session.execute("create or replace temp table published_table (name varchar, rows_count bigint)")
    for table in published.manifest["tables"] if published else []:
        session.execute("insert into published_table values (?, ?)", [table["name"], table["rows_count"]])
    as_of = settings.as_of or _newest(session)
    session.execute("create or replace temp table judged as select ?::date as as_of_on", [as_of])
    return as_of


def changed_rows(session: CheckSession, catalogue: Catalogue) -> list[ChangedRows]:
    """The entities that have new batches, with the dates that these cover."""
    found = {
        entity: (batches, first, last)
        for entity, batches, first, last in session.execute(
            "select entity, count(*), min(business_on), max(business_on) from new_batch"
            " where accepted_count > 0 group by entity"
        )
    }
    return [ChangedRows(entity, *found[entity.full_id]) for entity in catalogue.all_entities if entity.full_id in found]


def natural_keys_evidence(changed: Sequence[ChangedRows]) -> str:
    """SQL: per changed entity the number of natural keys that stand more than once, and some of them."""
    return " union all ".join(_keys_of(one) for one in changed)


def references_evidence(changed: Sequence[ChangedRows], references: Sequence[dict[str, str]]) -> str:
    """SQL: per changed entity and reference the values that the referenced table does not know.

    Args:
        references: ``{entity | shape, column, must_be_in: table.column}`` each.
    """
    parts = []
    for reference in references:
        for one in changed:
            entity = one.entity
            if reference.get("shape") != entity.shape and reference.get("entity") != entity.full_id:
                continue
            if reference["column"] not in {column.name for column in entity.columns}:
                continue
            table, _, target = reference["must_be_in"].rpartition(".")
            column = quote(reference["column"])
            parts.append(
                f"select {text(entity.full_id)} as entity, {text(reference['column'])} as column_name,"
                f" {text(table)} as referenced, count(*) filter (not is_known) as unknown_count,"
                f" array_to_string((list(value order by value) filter (not is_known))[1:5], ', ') as sample"
                f" from (select value, value in (select {quote(target)} from {table}) as is_known"
                f" from (select distinct {column} as value from admitted.{quote(entity.admitted_table)}"
                f" where {one.where} and {column} is not null))"
                # An empty registry says that it was not delivered, which completeness reports.
                f" where exists (select 1 from {table})"
            )
    return " union all ".join(parts)


def column_expectations(entity: Entity) -> list[tuple[str, dict[str, object]]]:
    """What the catalogue says about single columns, as (rule in words, Great Expectations expectation)."""
    made: list[tuple[str, dict[str, object]]] = []
    for column in entity.columns:
        if not (column.is_delivered or column.constant is not None or column.default is not None):
            continue
        if column.required:
            made.append((f"{column.name} is given", _expect("expect_column_values_to_not_be_null", column.name)))
        allowed = column.allowed or tuple((column.values or {}).values())
        if allowed and not column.prefix:
            words = sorted(set(allowed))
            made.append((f"{column.name} in {', '.join(words)}",
                         _expect("expect_column_values_to_be_in_set", column.name, value_set=words)))  # fmt: skip
        if column.pattern:
            made.append((f"{column.name} has the form {column.pattern}",
                         _expect("expect_column_values_to_match_regex", column.name,
                                 regex=f"^(?:{column.pattern})$")))  # fmt: skip
        if column.minimum is not None or column.maximum is not None:
            bounds = {"min_value": _number(column.minimum), "max_value": _number(column.maximum)}
            made.append((f"{column.name} between {column.minimum} and {column.maximum}",
                         _expect("expect_column_values_to_be_between", column.name, **bounds)))  # fmt: skip
    return made


def text(value: str) -> str:
    """An SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def _keys_of(one: ChangedRows) -> str:
    entity = one.entity
    keys = (["source"] if entity.shape else []) + list(entity.natural_key)
    dates = [name for name in entity.natural_key if entity.column(name).type == "date"]
    table = f"admitted.{quote(entity.admitted_table)}"
    within = "true"
    if dates:
        day = quote(dates[-1])
        bounds = f"(select {{}}({day}) from {table} where {one.where})"
        within = f"{day} between {bounds.format('min')} and {bounds.format('max')}"
    if entity.shape:
        within += f" and source = {text(entity.source_id)}"
    shown = " || ' / ' || ".join(f"coalesce({quote(name)}::varchar, '')" for name in keys)
    return (
        f"select {text(entity.full_id)} as entity, {text(', '.join(entity.natural_key))} as natural_key,"
        f" count(*) as repeated_count, array_to_string(list(shown)[1:{_SAMPLE_ROWS}], '; ') as sample"
        f" from (select {shown} as shown from {table} where {within} group by {quote_all(keys)} having count(*) > 1)"
    )


def _number(bound: Decimal | None) -> float | int | None:
    if bound is None:
        return None
    return int(bound) if bound == int(bound) else float(bound)


def _expect(kind: str, column: str, **arguments: object) -> dict[str, object]:
    return {"type": kind, "column": column, **{key: value for key, value in arguments.items() if value is not None}}


def _is_daily(entity: Entity) -> bool:
    return (
        entity.delivery == "partition"
        and not entity.partition_by
        and entity.max_age_hours is not None
        and entity.max_age_hours <= _DAILY_AGE_HOURS
    )


def _not_published(published: PublishedVersion | None) -> str:
    if published is None:
        return ""
    path = str(published.path / published.manifest["batches"]["file"])
    return (
        f" where not exists (select 1 from read_parquet({text(path)}) as known"
        " where known.batch_id = admitted.batch_id and known.contract_hash = admitted.contract_hash)"
    )


def _newest(session: CheckSession) -> dt.date | None:
    """The newest business date of what is delivered daily; a yearly workbook is dated on the year's end."""
    found = session.execute(
        "select coalesce(max(business_on) filter (expected.max_age_hours <= ?), max(business_on))"
        " from control.admitted_batch as admitted join expected_entity as expected"
        " on expected.entity = admitted.source || '.' || admitted.entity",
        [_DAILY_AGE_HOURS],
    )
    newest: dt.date | None = found[0][0]
    return newest

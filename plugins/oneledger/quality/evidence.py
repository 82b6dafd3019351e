"""The ground that a gate's checks stand on: what is new since the published version, and what was expected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from oneledger.catalogue import Catalogue, Entity
from oneledger.publishing.content import quote, quote_all
from oneledger.publishing.versions import PublishedVersion
from oneledger.quality.personal_data import masked, shown_kinds
from oneledger.quality.row_rules import Check as RowRule
from oneledger.quality.row_rules import checks_of
from oneledger.quality.session import CheckSession
from oneledger.settings import Settings
from oneledger.sources.connections import is_configured
from oneledger.warehouse.contract import filled_columns
from oneledger.warehouse.expected import DAILY_AGE_HOURS, is_daily

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
                is_daily(entity),
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


def references_evidence(changed: Sequence[ChangedRows], tables: Collection[str]) -> str:
    """SQL: per changed entity and reference of severity ``warn`` the values that the registry does not know.

    Args:
        changed: what is new.
        tables: the tables that exist, ``schema.name``; a registry that does not is passed over.
    """
    parts = []
    for one in changed:
        filled = {column.name for column in filled_columns(one.entity)}
        for reference in one.entity.references:
            if reference.severity != "warn" or reference.column not in filled or reference.table not in tables:
                continue
            column = quote(reference.column)
            parts.append(
                f"select {text(one.entity.full_id)} as entity, {text(reference.column)} as column_name,"
                f" {text(reference.table)} as referenced, count(*) filter (not is_known) as unknown_count,"
                f" array_to_string((list(value order by value) filter (not is_known))[1:5], ', ') as sample"
                f" from (select value, value in (select {quote(reference.target)} from {reference.table}) as is_known"
                f" from (select distinct {column} as value from admitted.{quote(one.entity.admitted_table)}"
                f" where {one.where} and {column} is not null))"
                # An empty registry says that it was not delivered, which completeness reports.
                f" where exists (select 1 from {reference.table})"
            )
    return " union all ".join(parts)


def row_rules_evidence(changed: Sequence[ChangedRows], released: Collection[str]) -> str:
    """SQL: per changed entity and row rule how many admitted rows break it, and one of them.

    The rules are those that split the rows at admission (``oneledger.quality.row_rules``), in one pass over the
    rows of an entity; an admitted row that breaks one shows an error of the split.

    Args:
        changed: what is new.
        released: entities of which a person let rows through; these rows are left out.
    """
    parts = []
    for one in changed:
        rules = [(rule, rule.admitted_sql) for rule in checks_of(one.entity)
                 if rule.severity == "quarantine" and rule.admitted_sql]  # fmt: skip
        if not rules:
            continue
        let_through = ""
        if one.entity.full_id in released:
            let_through = (
                " and (_file_id, _row_number) not in (select (file_id, row_number) from control.released_row"
                " where is_anyway)"
            )
        # Hardly any row breaks a rule: those that do are found first, and only of them it is asked which and where.
        any_broken = " or ".join(sql for _, sql in rules)
        listed = ", ".join(
            f"struct_pack(rule_id := {text(rule.rule_id)}, column_name := {text(', '.join(rule.columns))},"
            f" broken_count := count(*) filter (is_broken_{number}), found := any_value(struct_pack(f := _file_id,"
            f" n := _row_number, v := {_shown_value(one.entity, rule)})) filter (is_broken_{number}))"
            for number, (rule, _) in enumerate(rules)
        )
        flags = ", ".join(f"{sql} as is_broken_{number}" for number, (_, sql) in enumerate(rules))
        parts.append(
            f"select {text(one.entity.full_id)} as entity, judged.rule_id, judged.column_name, judged.broken_count,"
            f" coalesce(judged.found.v, '') as value, coalesce(judged.found.f, '') as file_id,"
            f" judged.found.n as row_number from (select unnest([{listed}]) as judged from"
            f" (select *, {flags} from admitted.{quote(one.entity.admitted_table)}"
            f" where {one.where}{let_through} and ({any_broken})))"
        )
    return " union all ".join(parts)


def row_counts_of_batches_evidence(changed: Sequence[ChangedRows]) -> str:
    """SQL: per new batch its counts as admission noted them, and of partitions also the rows that really stand.

    ``difference`` is 0 when received = accepted + quarantined + superseded, and when as many rows stand in
    ``admitted`` and ``quarantine`` as were noted. Of merged deliveries later batches replace rows, so that
    only the sum is judged.
    """
    standing = " union all ".join(
        f"select _batch_id as batch_id, count(*) as standing_count from admitted.{quote(one.entity.admitted_table)}"
        f" where {one.where} group by 1"
        for one in changed
        if one.entity.delivery == "partition"
    )
    standing = standing or "select null::varchar as batch_id, 0 as standing_count where false"
    return f"""
        with standing as ({standing}),
        held as (
            select batch_id, count(distinct (file_id, row_number)) as held_count
            from quarantine.row where batch_id in (select batch_id from new_batch) group by 1
        ),
        counted as (
            select new_batch.entity, new_batch.batch_id, received_count, accepted_count, quarantined_count,
                superseded_count, delivery = 'partition' as stands_alone,
                coalesce(standing_count, 0) as standing_count, coalesce(held_count, 0) as held_count
            from new_batch
            join expected_entity on expected_entity.entity = new_batch.entity
            left join standing on standing.batch_id = new_batch.batch_id
            left join held on held.batch_id = new_batch.batch_id
        )
        select *, abs(received_count - accepted_count - quarantined_count - superseded_count)
            + case when stands_alone
                then abs(standing_count - accepted_count) + abs(held_count - quarantined_count) else 0 end as difference
        from counted"""


def _shown_value(entity: Entity, rule: RowRule) -> str:
    parts = []
    for name in rule.columns:
        column = entity.column(name)
        shown = f"coalesce(cast({quote(name)} as varchar), 'null')"
        kinds = shown_kinds(entity, column)
        parts.append(masked(shown, kinds) if kinds else shown)
    return " || ', ' || ".join(parts)


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


def _not_published(published: PublishedVersion | None) -> str:
    if published is None:
        return ""
    path = str(published.path / published.manifest["batches"]["file"])
    return (
        f" where not exists (select 1 from read_parquet({text(path)}) as known"
        " where known.batch_id = admitted.batch_id and known.contract_hash = admitted.contract_hash"
        # A batch judged again (a reference was mended, a row released) may hold other rows than it did.
        " and known.accepted_count = admitted.accepted_count)"
    )


def _newest(session: CheckSession) -> dt.date | None:
    """The newest business date of what is delivered daily; a yearly workbook is dated on the year's end."""
    found = session.execute(
        "select coalesce(max(business_on) filter (expected.max_age_hours <= ?), max(business_on))"
        " from control.admitted_batch as admitted join expected_entity as expected"
        " on expected.entity = admitted.source || '.' || admitted.entity",
        [DAILY_AGE_HOURS],
    )
    newest: dt.date | None = found[0][0]
    return newest

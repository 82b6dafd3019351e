"""One chunk of raw batches → the temporary table ``chunk``: typed rows with what the row rules say of each.

``chunk`` has the filled columns of the entity, typed, and ``_missing_states`` (shapes), ``_batch_id``,
``_ordinal`` (position of the batch among the deliveries), ``_business_on``, ``_file_id``, ``_row_number``,
``_broken`` and ``_warned`` (positions of checks, null when there is none) and ``_received`` (JSON of the row
as received, for rows with a report only; identity-card and mobile numbers in it are masked, landing keeps them).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.catalogue import Entity
from oneledger.quality.personal_data import masked, shown_kinds
from oneledger.quality.row_rules import Check, breaking_items, broken_checks, checks_of, median_items, median_of
from oneledger.warehouse.column_typing import constant_value, missing_states, text_of, typing_layers
from oneledger.warehouse.contract import filled_columns, missing_markers
from oneledger.warehouse.received_text import sql_text

_IDENTITY = "_batch_id, _ordinal, _business_on, _file_id, _row_number"


def received_text_of(name: str) -> str:
    """SQL of the received text of a column, read out of the JSON of the row."""
    return f"json_extract_string(_received, {sql_text(f'$.{name}')})"


@dataclass(frozen=True)
class StagingStatement:
    """The generated SQL for one entity: ``checks`` in the order of the positions in ``_broken``."""

    entity: Entity
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, entity: Entity) -> StagingStatement:
        return cls(entity, tuple(checks_of(entity)))

    def select(self, files: list[Path], raw_columns: set[str], *, only_repeated: bool = False) -> str:
        """The select over raw files; the batches must stand in the temporary table ``arriving``.

        Args:
            files: raw Parquet files.
            raw_columns: the columns that any of them has; a column that none has is null.
            only_repeated: only the rows named in the temporary table ``repeated``, all with ``_received``.
        """
        entity = self.entity
        delivered = [column.name for column in entity.delivered_columns]
        texts = ", ".join(
            f'raw."{name}" as {text_of(name)}' if name in raw_columns else f"cast(null as varchar) as {text_of(name)}"
            for name in delivered
        )
        extra = "raw._extra" if "_extra" in raw_columns else "cast(null as varchar)"
        layers = typing_layers([(column, missing_markers(entity, column)) for column in entity.delivered_columns])
        filled = []
        for column in filled_columns(entity):
            default = constant_value(column, column.default) if column.default is not None else None
            if column.constant is not None:
                layers[-1].append(f"{constant_value(column, column.constant)} as {column.name}")
            elif not column.is_delivered:
                layers[-1].append(f"{default} as {column.name}")
            is_filled_up = default is not None and column.is_delivered
            filled.append(f"coalesce({column.name}, {default}) as {column.name}" if is_filled_up else column.name)
        states = "cast(null as varchar)"
        if entity.shape:
            states = missing_states(
                {
                    column.name: missing_markers(entity, column)
                    for column in entity.delivered_columns
                    if column.name not in entity.natural_key and column.default is None
                }
            )
        medians = median_items(entity)
        if only_repeated:
            # Repeated rows kept every rule when all of their batch was looked at; alone they have no median.
            medians = [f"null as {median_of(one.name)}" for one in entity.delivered_columns if one.at_most_times_median]
        if medians:
            layers.append(medians)
        layers.append(breaking_items(self.checks))
        layers.append(
            [
                f"{states} as _missing_states",
                f"{broken_checks(self.checks, 'quarantine')} as _broken",
                f"{broken_checks(self.checks, 'warn')} as _warned",
            ]
        )
        reported = "true" if only_repeated else "_broken is not null or _warned is not null"
        repeated = (
            "semi join repeated on raw._file_id = repeated._file_id and raw._row_number = repeated._row_number"
            if only_repeated
            else ""
        )
        return f"""
        with layer_0 as (
            select
                raw._batch_id, arriving.ordinal as _ordinal, arriving.business_on as _business_on,
                raw._file_id, cast(raw._row_number as bigint) as _row_number, {extra} as _extra, {texts}
            from read_parquet([{", ".join(sql_text(str(path)) for path in files)}], union_by_name = true) as raw
            inner join arriving on raw._batch_id = arriving.batch_id
            {repeated}
        ),
        {", ".join(_layer_sql(number, items) for number, items in enumerate(layers, start=1))}
        select
            {_IDENTITY}, {", ".join(filled)}, _missing_states, _broken, _warned,
            case when {reported} then {_received(entity)} end as _received
        from layer_{len(layers)}
        """


def _layer_sql(number: int, items: list[str]) -> str:
    # Columns that no later layer asks for are dropped by the optimiser.
    return f"layer_{number} as (select {', '.join(['*', *items])} from layer_{number - 1})"


def raw_columns_of(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> set[str]:
    """The columns that any of these raw files has."""
    rows = connection.execute(
        "select distinct name from parquet_schema(?) where num_children is null or num_children = 0",
        [[str(path) for path in files]],
    ).fetchall()
    return {name for (name,) in rows}


def raw_row_counts(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> dict[str, int]:
    """Rows of each raw file by batch id, from the files' own metadata: what admission has to account for."""
    rows = connection.execute(
        "select file_name, num_rows from parquet_file_metadata(?)", [[str(path) for path in files]]
    ).fetchall()
    return {Path(name).stem: count for name, count in rows}


def _received(entity: Entity) -> str:
    shown = {column.name: shown_kinds(entity, column) for column in entity.delivered_columns}
    pairs = ", ".join(
        f"{sql_text(name)}, {masked(text_of(name), kinds) if kinds else text_of(name)}" for name, kinds in shown.items()
    )
    row = f"json_object({pairs})"
    with_extra = f"json_object({pairs}{', ' if pairs else ''}'_extra', cast({masked('_extra')} as json))"
    return f"cast(case when _extra is null then {row} else {with_extra} end as varchar)"

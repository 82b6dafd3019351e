"""What admission reads out of the catalogue: types, tables, and when rows must be admitted anew."""

from __future__ import annotations

import hashlib
import json

from oneledger.catalogue import Column, Entity, MissingState

MONEY_UNITS = ("元", "千元", "万元", "亿元")

# Raised when the SQL that is generated for the same catalogue changes its meaning: every entity is then
# admitted anew from raw at the next run.
ADMISSION_VERSION = 3

_SQL_TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


def sql_type(column: Column) -> str:
    """The DuckDB type in ``admitted``: money is decimal(18, 2) yuan, every other decimal keeps six places."""
    if column.type == "decimal":
        is_money = column.unit in MONEY_UNITS or column.name.endswith("_cny")
        return "decimal(18, 2)" if is_money else "decimal(18, 6)"
    return _SQL_TYPES[column.type]


def admitted_table(entity: Entity) -> str:
    """The qualified name of the table that the entity is admitted into."""
    return f"admitted.{entity.admitted_table}"


def filled_columns(entity: Entity) -> tuple[Column, ...]:
    """The columns that can have a value: delivered by the source, constant, or with a default."""
    return tuple(
        column
        for column in entity.columns
        if column.is_delivered or column.constant is not None or column.default is not None
    )


def date_column(entity: Entity) -> str | None:
    """The date of a shape's rows whose marts must be built again: the last date in its natural key."""
    if not entity.shape:
        return None
    dates = [name for name in entity.natural_key if entity.column(name).type == "date"]
    return dates[-1] if dates else None


def dated_by_file(entity: Entity) -> Column | None:
    """The date column whose rows must all be of the day that the file's name carries; None where that does not hold:
    a file of several days, of a longer period, or whose name carries no day."""
    name = date_column(entity)
    if name is None or entity.delivery != "partition" or entity.partition_by or entity.unpivot:
        return None
    if entity.files is None or "business_date" not in entity.files.groups:
        return None
    grains = [column.constant for column in entity.columns if column.name == "period_grain"]
    column = entity.column(name)
    is_daily = not grains or grains[0] in (None, "day")
    return column if is_daily and column.is_delivered and not column.is_field and not column.period_day else None


def missing_markers(entity: Entity, column: Column) -> dict[str, MissingState]:
    """Texts that stand for no value, with what they mean; the column's own come before the entity's."""
    return {"": "missing", **entity.missing_markers, **(column.missing_markers or {})}


def contract_hash(entity: Entity) -> str:
    """Changes when the same raw rows could be admitted differently; the entity is then admitted anew."""
    content = {
        "admission": ADMISSION_VERSION,
        **entity.model_dump(
            mode="json",
            include={
                "source_id": True, "id": True, "shape": True, "delivery": True, "updated_at": True,
                "missing_markers": True, "natural_key": True, "columns": True, "rules": True, "references": True,
                "decisions": {"row_of_other_date", "changed_in_future"},
            },
        ),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]

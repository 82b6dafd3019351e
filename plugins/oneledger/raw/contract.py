"""The contract at the door: are the columns that arrived the ones that the catalogue knows?"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from oneledger.catalogue import Column, Entity, worded
from oneledger.sources.refusal import RefusalError

MOST_COLUMNS = 4_000


@dataclass(frozen=True)
class ColumnPlan:
    """Which arrived column feeds which canonical one.

    Attributes:
        mapping: canonical name to source name, for delivered columns that arrived.
        absent: canonical names of delivered columns that did not arrive (stay null).
        extra: arrived columns that the catalogue does not know, kept in ``_extra``.
        warnings: sentences for the outcome record.
    """

    mapping: dict[str, str]
    absent: tuple[str, ...]
    extra: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_columns(entity: Entity, arrived: Sequence[str], where: str, repeated: Sequence[str] = ()) -> ColumnPlan:
    """Compare the columns that arrived with the catalogue.

    Args:
        entity: its delivered columns, ``on_missing_column`` and ``on_new_column``.
        arrived: source names as they arrived (headers with white space collapsed).
        where: the file, for messages.
        repeated: headings that stand more than once (``repeated_headings``).

    Raises:
        RefusalError: a column is missing (or new) and the catalogue says to refuse; names the likely new name.
    """
    by_normal_name = {normalise(name): name for name in reversed(arrived)}
    mapping: dict[str, str] = {}
    missing: list[Column] = []
    for column in entity.delivered_columns:
        if column.is_field or column.source_name is None:
            continue
        name = by_normal_name.get(normalise(column.source_name))
        if name is None:
            missing.append(column)
        else:
            mapping[column.name] = name
    extra = [name for name in arrived if name not in mapping.values()]
    warnings = _missing(entity, [column for column in missing if not column.optional], extra, where)
    warnings += _repeated(entity, mapping, repeated, where)
    if extra and entity.on_new_column == "refuse":
        raise RefusalError(
            f"{where} has columns that the catalogue does not know: {', '.join(extra)}.",
            f"Add them under {_place(entity)}, or set on_new_column: warn.",
            {"new_columns": extra},
            problem="new_column",
        )
    if extra and entity.on_new_column == "warn":
        warnings.append(worded("new_column", f"new columns, kept in _extra: {', '.join(extra[:20])}"))
    kept = () if entity.on_new_column == "ignore" else tuple(extra)
    return ColumnPlan(mapping, tuple(column.name for column in missing), kept, tuple(warnings))


def normalise(name: str) -> str:
    """A header with white space collapsed and without a byte order mark."""
    return " ".join(name.replace("\ufeff", "").split())


def repeated_headings(cells: Sequence[str]) -> list[str]:
    """The headings that stand more than once in a header row."""
    counted = Counter(normalise(cell) for cell in cells)
    return [name for name, times in counted.items() if name and times > 1]


def name_headers(cells: Sequence[str], where: str = "The delivery") -> list[str]:
    """Unique column names of a header row: white space collapsed, ``column_3`` for an empty one,
    ``name_2`` for the second of the same name.

    Raises:
        RefusalError: there are more than ``MOST_COLUMNS``.
    """
    refuse_too_many_columns(len(cells), where)
    names: dict[str, None] = {}
    for position, cell in enumerate(cells, start=1):
        base = normalise(cell) or f"column_{position}"
        name, repeat = base, 1
        while name in names:
            repeat += 1
            name = f"{base}_{repeat}"
        names[name] = None
    return list(names)


def refuse_too_many_columns(count: int, where: str) -> None:
    """Raise RefusalError for a delivery of more columns (or keys) than any table has."""
    if count > MOST_COLUMNS:
        raise RefusalError(
            f"{where} has {count:,} columns; at most {MOST_COLUMNS:,} are read.",
            "The sender looks how the delivery came about; a table of data has some dozens.",
            {"columns": count},
            problem="too_large",
        )


def _missing(entity: Entity, missing: Sequence[Column], extra: Sequence[str], where: str) -> list[str]:
    if not missing:
        return []
    guesses = {column.name: _likely_name(column, extra, len(missing)) for column in missing}
    sentences = [
        f"{column.source_name} (→ {column.name})" + (f", perhaps renamed to {guess}" if guess else "")
        for column, guess in ((column, guesses[column.name]) for column in missing)
    ]
    text = f"{where} lacks {'columns' if len(missing) > 1 else 'the column'} {'; '.join(sentences)}"
    if entity.on_missing_column == "warn" and not any(column.required for column in missing):
        return [worded("missing_column", text)]
    guess = next((guess for guess in guesses.values() if guess), None)
    first = next((column for column in missing if guesses[column.name]), missing[0])
    remedy = (
        f"If the source renamed it, set `from: {guess}` at {_place(entity)}.columns.{first.name}; otherwise the "
        f"sender delivers the column again."
        if guess
        else f"The sender delivers the column again; if it is gone for good, change {_place(entity)}."
    )
    raise RefusalError(
        text + f". It has: {', '.join(extra[:30]) or 'no other column'}.",
        remedy,
        {"missing_columns": [column.source_name for column in missing], "new_columns": list(extra)[:100]},
        problem="missing_column",
    )


def _repeated(entity: Entity, mapping: dict[str, str], repeated: Sequence[str], where: str) -> list[str]:
    """A known column that stands twice: nobody can say which of them is meant, unless the catalogue names both."""
    ambiguous = [name for name in repeated if name in mapping.values() and f"{name}_2" not in mapping.values()]
    if not ambiguous:
        return []
    text = f"{where} has the column {', '.join(ambiguous)} more than once"
    if entity.decisions.repeated_heading == "warn":
        return [worded("repeated_heading", f"{text}; the first of them counts")]
    columns = [canonical for canonical, name in mapping.items() if name in ambiguous]
    raise RefusalError(
        f"{text} (→ {', '.join(columns)}); each heading must stand once.",
        f"The sender takes away or renames the others; if both are meant, name them {ambiguous[0]} and "
        f"{ambiguous[0]}_2 at {_place(entity)}.",
        {"repeated_columns": ambiguous},
        problem="repeated_heading",
    )


def _likely_name(column: Column, extra: Sequence[str], missing_count: int) -> str | None:
    for wanted in (column.source_name or "", column.name):
        near = difflib.get_close_matches(wanted, extra, n=1, cutoff=0.5)
        if near:
            return near[0]
    # One column gone and one come: most likely the same one.
    return extra[0] if missing_count == 1 and len(extra) == 1 else None


def _place(entity: Entity) -> str:
    return f"sources.{entity.source_id}.entities.{entity.id}"

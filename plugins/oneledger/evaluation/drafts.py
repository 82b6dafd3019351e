"""A draft of changed rules, laid over the rules in force."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import yaml

from oneledger.evaluation.rule_tables import RuleRow, RuleSet, RuleTable, date_of, number_of
from oneledger.settings import ConfigurationError


def overlay(rules: RuleSet, path: Path) -> RuleSet:
    """The rules with the changed rows of a YAML draft; ``rules`` itself stays as it is.

    The draft maps table names to rows. A row names key columns (all, or some: then every row that agrees is meant) and
    the columns that change. It changes the rows in force; with ``effective_from`` these end the day before and the
    changed ones follow. ``remove: true`` takes rows out. A row with a whole key that is not there yet is added.

        indicator:
          - {family: application_system, indicator_id: use, weight: 45}

    Raises:
        ConfigurationError: the draft cannot be read, names an unknown table or column, or means no row.
    """
    tables = dict(rules.tables)
    for name, drafted in _read_draft(path).items():
        if name not in tables:
            raise ConfigurationError(
                f"{path}: there is no rule table {name}. The tables are {', '.join(sorted(tables))}."
            )
        for cells, line in drafted:
            tables[name] = _changed(tables[name], cells, str(path), line)
    return replace(rules, tables=tables)


def _read_draft(path: Path) -> dict[str, list[tuple[dict[str, str], int]]]:
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"The draft {path} cannot be read: {error}. It must be YAML in UTF-8.") from error
    problem = ConfigurationError(
        f"The draft {path} must map rule tables to lists of rows, for instance: "
        "indicator: [{family: application_system, indicator_id: use, weight: 45}]"
    )
    if not isinstance(document, yaml.MappingNode):
        raise problem
    drafted: dict[str, list[tuple[dict[str, str], int]]] = {}
    for name, rows in document.value:
        if not isinstance(rows, yaml.SequenceNode):
            raise problem
        for row in rows.value:
            if not isinstance(row, yaml.MappingNode):
                raise problem
            if not all(isinstance(cell, yaml.ScalarNode) for pair in row.value for cell in pair):
                raise problem
            cells = {column.value: "" if value.value == "null" else value.value for column, value in row.value}
            drafted.setdefault(name.value, []).append((cells, row.start_mark.line + 1))
    return drafted


def _changed(table: RuleTable, drafted: dict[str, str], file: str, line: int) -> RuleTable:
    """The table with one row of a draft carried out."""
    cells = dict(drafted)
    is_removed = cells.pop("remove", "false").lower() in ("true", "yes")
    where = f"{file}, line {line}, table {table.name}"
    unknown = [column for column in cells if column not in table.columns]
    if unknown:
        raise ConfigurationError(
            f"{where}: there is no column {unknown[0]}. The columns are {', '.join(table.columns)}."
        )
    named = {column: cells[column] for column in table.shape.key if column in cells}
    if not named:
        raise ConfigurationError(f"{where}: the row names none of the key columns {', '.join(table.shape.key)}.")
    since = cells.get("effective_from")
    if since is not None and date_of(since) is None:
        raise ConfigurationError(f"{where}: effective_from is {since}; it must be a date as yyyy-mm-dd.")
    meant = [
        row for row in table.rows
        if not row["effective_to"] and all(_same(row[column], text) for column, text in named.items())
    ]  # fmt: skip
    if not meant and (is_removed or len(named) < len(table.shape.key)):
        raise ConfigurationError(f"{where}: no row in force has {_text(named)}. Correct it, or give the whole key.")
    if not meant:
        return replace(table, rows=(*table.rows, RuleRow({**dict.fromkeys(table.columns, ""), **cells}, file, line)))
    rows: list[RuleRow] = []
    for row in table.rows:
        if not any(row is one for one in meant):
            rows.append(row)
            continue
        is_new_row = since is not None and since != row["effective_from"]
        if is_new_row:
            last = dt.date.fromisoformat(str(since)) - dt.timedelta(days=1)
            rows.append(RuleRow({**row.cells, "effective_to": last.isoformat()}, file, line))
        if not is_removed:
            rows.append(RuleRow({**row.cells, **cells}, file, line))
    return replace(table, rows=tuple(rows))


def _same(one: str, other: str) -> bool:
    """Equal as text or as numbers: 0.1 is 0.10."""
    return one == other or (number_of(one) is not None and number_of(one) == number_of(other))


def _text(cells: dict[str, str]) -> str:
    return ", ".join(f"{column} {text}" for column, text in cells.items())

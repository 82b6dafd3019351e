"""Drafts of changed rules, laid over the rules in force."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from oneledger.evaluation.rule_tables import SEEDS_DIR, RuleRow, RuleSet, RuleTable, date_of, number_of, read_folder
from oneledger.settings import ConfigurationError

_FOR_INSTANCE = "for instance: indicator: [{family: application_system, indicator_id: use, weight: 45}]"


@dataclass(frozen=True)
class Draft:
    """Changed rules under a name."""

    name: str
    rules: RuleSet


def overlay(rules: RuleSet, path: Path) -> RuleSet:
    """The rules changed by a draft; ``rules`` itself stays as it is.

    A YAML draft maps table names to rows. A row names key columns (all, or some: then every row that agrees is meant)
    and the columns that change. It changes the rows in force; with ``effective_from`` these end the day before and the
    changed ones follow. ``remove: true`` takes rows out. A row with a whole key that is not there yet is added.

        indicator:
          - {family: application_system, indicator_id: use, weight: 45}

    A folder holds whole tables as CSV files; they take the place of those with the same name. The metrics are SQL and
    stay as they are.

    Raises:
        ConfigurationError: the draft cannot be read, names an unknown table or column, or means no row.
    """
    if path.is_dir():
        return _with_tables_of(rules, path)
    document = _composed(path)
    if not isinstance(document, yaml.MappingNode):
        raise ConfigurationError(f"The draft {path} must map rule tables to lists of rows, {_FOR_INSTANCE}")
    return _carried_out(rules, document, path)


def read_drafts(rules: RuleSet, path: Path) -> list[Draft]:
    """One draft as ``overlay`` takes it, named after the file, or a YAML list of drafts with names.

        - name: use counts more
          rules:
            indicator:
              - {family: application_system, indicator_id: use, weight: 45}

    Raises:
        ConfigurationError: a draft cannot be read, names an unknown table or column, or means no row.
    """
    document = None if path.is_dir() else _composed(path)
    if not isinstance(document, yaml.SequenceNode):
        return [Draft(path.stem, overlay(rules, path))]
    drafts = []
    for number, one in enumerate(document.value, start=1):
        parts = {key.value: value for key, value in one.value} if isinstance(one, yaml.MappingNode) else {}
        name, tables = parts.get("name"), parts.get("rules")
        if set(parts) - {"name", "rules"} or not isinstance(tables, yaml.MappingNode):
            raise ConfigurationError(
                f"{path}, line {one.start_mark.line + 1}: each draft of a list has a `name` and its `rules`, which map "
                f"rule tables to lists of rows, {_FOR_INSTANCE}"
            )
        told = name.value if isinstance(name, yaml.ScalarNode) and name.value else f"draft {number}"
        drafts.append(Draft(told, _carried_out(rules, tables, path)))
    if not drafts:
        raise ConfigurationError(f"{path} holds no draft. Give a list, each with `name` and `rules`.")
    return drafts


def _with_tables_of(rules: RuleSet, folder: Path) -> RuleSet:
    others = {path.stem for path in SEEDS_DIR.glob("*.csv")} - set(rules.tables)
    given = {name: table for name, table in read_folder(folder).items() if name not in others}
    if not given:
        raise ConfigurationError(
            f"{folder} holds no rule table. Give a folder with CSV files such as indicator.csv, or a YAML draft."
        )
    for name in given:
        _must_be_known(rules, name, str(folder))
    return replace(rules, tables={**rules.tables, **given})


def _composed(path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"The draft {path} cannot be read: {error}. It must be YAML in UTF-8.") from error


def _carried_out(rules: RuleSet, document: yaml.MappingNode, path: Path) -> RuleSet:
    """The rules with the rows of one draft."""
    tables = dict(rules.tables)
    for name, rows in document.value:
        _must_be_known(rules, name.value, f"{path}, line {name.start_mark.line + 1}")
        for row in rows.value if isinstance(rows, yaml.SequenceNode) else [rows]:
            is_plain = isinstance(row, yaml.MappingNode) and all(
                isinstance(cell, yaml.ScalarNode) for pair in row.value for cell in pair
            )
            if not is_plain or not isinstance(rows, yaml.SequenceNode):
                raise ConfigurationError(
                    f"{path}, line {row.start_mark.line + 1}: {name.value} must be a list of rows, {_FOR_INSTANCE}"
                )
            cells = {column.value: "" if value.value == "null" else value.value for column, value in row.value}
            tables[name.value] = _changed(tables[name.value], cells, str(path), row.start_mark.line + 1)
    return replace(rules, tables=tables)


def _must_be_known(rules: RuleSet, name: str, where: str) -> None:
    if name not in rules.tables:
        raise ConfigurationError(
            f"{where}: there is no rule table {name}. The tables are {', '.join(sorted(rules.tables))}."
        )


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

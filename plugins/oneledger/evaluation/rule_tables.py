"""The rules of the evaluation as tables: read, hashed, overlaid with a draft and written as CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from oneledger.settings import ConfigurationError

ROUNDS = "evaluation_round"
INDICATORS = "indicator"
_FULL_WEIGHT = 100.0
_ACTIONS = ("set", "add", "remove")
Row = dict[str, str]


@dataclass(frozen=True)
class RuleTable:
    """One rule table. An empty text is a null; ``rows`` stand in the order of the file."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class RuleSet:
    """All rule tables by the name of their file, without ``.csv``."""

    tables: Mapping[str, RuleTable] = field(default_factory=dict)

    def with_rows(self, name: str, rows: list[Row]) -> RuleSet:
        """The same rules with other rows in one table."""
        return RuleSet({**self.tables, name: replace(self.tables[name], rows=tuple(rows))})


@dataclass(frozen=True)
class RuleProblem:
    """One thing that is wrong with a set of rules: where, what, and how to mend it."""

    table: str
    problem: str
    remedy: str


def load_rules(folder: Path) -> RuleSet:
    """Read every ``*.csv`` of a folder.

    Raises:
        ConfigurationError: the folder has none, or a file is no CSV in UTF-8.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise ConfigurationError(f"{folder} holds no rule table (*.csv). Give the folder that holds the rules.")
    return RuleSet({path.stem: _read(path) for path in files})


def rules_hash(rules: RuleSet) -> str:
    """A hash over what the rules say; neither quoting nor the order of tables counts."""
    digest = hashlib.sha256()
    for name in sorted(rules.tables):
        digest.update(f"{name}\0".encode())
        digest.update(_to_csv(rules.tables[name]))
    return digest.hexdigest()


def write(rules: RuleSet, folder: Path) -> None:
    """Write each table as ``<folder>/<name>.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in rules.tables.items():
        (folder / f"{name}.csv").write_bytes(_to_csv(table))


def overlay(rules: RuleSet, path: Path) -> RuleSet:
    """The rules changed by a draft: a YAML file with ``changes``, or a folder of CSV files that replace whole tables.

    Raises:
        ConfigurationError: says which change cannot be made, and why.
    """
    if path.is_dir():
        given = load_rules(path)
        if unknown := sorted(set(given.tables) - set(rules.tables)):
            raise ConfigurationError(
                f"{path}: {', '.join(unknown)} is no rule table; the tables are {', '.join(sorted(rules.tables))}."
            )
        return RuleSet({**rules.tables, **given.tables})
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds {type(content).__name__}; it must be a mapping with `changes`.")
    return changed(rules, content.get("changes"), str(path))


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigurationError: it does not exist or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} does not exist. Give a YAML file with `changes`, or a folder.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML in UTF-8: {error}. Correct it there.") from error


def changed(rules: RuleSet, changes: Any, where: str) -> RuleSet:
    """Carry out a list of changes: ``{table, where, set}``, ``{table, add}`` or ``{table, where, remove: true}``.

    Raises:
        ConfigurationError: a change names an unknown table or column, or fits no row.
    """
    if not isinstance(changes, list) or not changes:
        raise ConfigurationError(
            f"{where}: `changes` must be a list, each with `table`, and `where` with `set`, or `add`, or `where` with "
            "`remove: true`."
        )
    for number, change in enumerate(changes, start=1):
        rules = _change(rules, change, f"{where}, change {number}")
    return rules


def check(rules: RuleSet) -> list[RuleProblem]:
    """Whether the weights of each family add to 100 on every day on which the catalogue changes."""
    table = rules.tables.get(INDICATORS)
    if table is None:
        return []
    problems = []
    for family in sorted({row.get("family", "") for row in table.rows}):
        rows = [row for row in table.rows if row.get("family", "") == family]
        for day in sorted({row["effective_from"] for row in rows}):
            total = sum(float(row["weight"] or 0) for row in rows if _is_in_force(row, day))
            if abs(total - _FULL_WEIGHT) > 1e-9:
                of = f" of family {family}" if family else ""
                problems.append(
                    RuleProblem(
                        INDICATORS,
                        f"the weights{of} in force on {day} add to {total:g}, not to {_FULL_WEIGHT:g}",
                        "Change other weights so that they add to 100, or ask for --rescale.",
                    )
                )
    return problems


def rescaled(rules: RuleSet) -> RuleSet:
    """Weights brought back to 100 in proportion, per family and day of effect; nothing else changes."""
    table = rules.tables[INDICATORS]
    rows: list[Row] = []
    for row in table.rows:
        peers = [
            one
            for one in table.rows
            if one.get("family", "") == row.get("family", "") and _is_in_force(one, row["effective_from"])
        ]
        total = sum(float(one["weight"] or 0) for one in peers)
        weight = float(row["weight"] or 0) * (_FULL_WEIGHT / total if total else 1)
        rows.append({**row, "weight": f"{weight:.12g}"})
    return rules.with_rows(INDICATORS, rows)


def _is_in_force(row: Row, day: str) -> bool:
    return row["effective_from"] <= day <= (row.get("effective_to") or "9999-12-31")


def _change(rules: RuleSet, change: Any, where: str) -> RuleSet:
    def wrong(problem: str) -> ConfigurationError:
        return ConfigurationError(f"{where}: {problem}.")

    if not isinstance(change, dict) or not isinstance(change.get("table"), str):
        raise wrong(f"{change!r} must be a mapping that names a `table`")
    table = rules.tables.get(change["table"])
    if table is None:
        raise wrong(f"there is no rule table {change['table']!r}; the tables are {', '.join(sorted(rules.tables))}")
    actions = [one for one in _ACTIONS if one in change]
    if len(actions) != 1 or (actions[0] != "add" and not isinstance(change.get("where"), dict)):
        raise wrong("give `where` with `set`, or `add`, or `where` with `remove: true`")
    named = [*change.get("where", {}), *(change[actions[0]] if isinstance(change[actions[0]], dict) else {})]
    if unknown := sorted(set(named) - set(table.columns)):
        raise wrong(f"{table.name} has no column {', '.join(unknown)}; it has {', '.join(table.columns)}")
    if actions[0] == "add":
        fresh = dict.fromkeys(table.columns, "") | _texts(change["add"])
        return rules.with_rows(table.name, [*table.rows, fresh])
    wanted = _texts(change["where"])
    fits = [all(_same(row[key], value) for key, value in wanted.items()) for row in table.rows]
    if not any(fits):
        raise wrong(f"no row of {table.name} has {', '.join(f'{key} = {value}' for key, value in wanted.items())}")
    if actions[0] == "remove":
        return rules.with_rows(table.name, [row for row, is_it in zip(table.rows, fits, strict=True) if not is_it])
    given = _texts(change["set"])
    return rules.with_rows(
        table.name, [{**row, **given} if is_it else row for row, is_it in zip(table.rows, fits, strict=True)]
    )


def _texts(values: Mapping[str, Any]) -> Row:
    return {
        key: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in values.items()
    }


def _same(text: str, wanted: str) -> bool:
    """Equal as written, or as numbers: ``0.10`` is ``0.1``."""
    if text == wanted:
        return True
    try:
        return float(text) == float(wanted)
    except ValueError:
        return False


def _read(path: Path) -> RuleTable:
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        rows = tuple({key: value or "" for key, value in row.items()} for row in reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} is no CSV file in UTF-8: {error}. Correct it there.") from error
    columns = tuple(reader.fieldnames or ())
    for number, row in enumerate(rows, start=2):
        if set(row) != set(columns):
            raise ConfigurationError(f"{path}, line {number} has not as many cells as the header. Correct it there.")
    return RuleTable(path.stem, columns, rows)


def _to_csv(table: RuleTable) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([row[column] for column in table.columns] for row in table.rows)
    return stream.getvalue().encode()

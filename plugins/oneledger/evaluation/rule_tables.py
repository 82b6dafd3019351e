"""Rule tables as rows of text that know their file and line, and the shapes that dbt's properties give them."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from oneledger.evaluation.metrics import Metric
from oneledger.settings import PROJECT_ROOT, ConfigurationError

SEEDS_DIR = PROJECT_ROOT / "dbt_project" / "seeds"
FOREVER = dt.date(9999, 12, 31)
INDICATORS = "indicator"
ROUNDS = "evaluation_round"
_SCHEMA = "evaluation"


@dataclass(frozen=True)
class RuleShape:
    """What dbt's properties say of a rule table: column types, key without the date, columns never empty."""

    name: str
    types: dict[str, str]
    key: tuple[str, ...]
    required: tuple[str, ...]

    @property
    def is_dated(self) -> bool:
        return "effective_from" in self.types


@dataclass(frozen=True)
class RuleRow:
    """One row as text, and the file and line (of the CSV, or of a draft) that it stands on; equal by its text."""

    cells: dict[str, str]
    file: str = field(compare=False)
    line: int = field(compare=False)

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True)
class RuleTable:
    """One rule table: shape, columns in the order of the file, rows. ``file`` is None when it is missing."""

    shape: RuleShape
    columns: tuple[str, ...]
    rows: tuple[RuleRow, ...]
    file: str | None = field(compare=False)

    @property
    def name(self) -> str:
        return self.shape.name


@dataclass(frozen=True)
class RuleSet:
    """All rule tables by seed name, and the metrics that they refer to."""

    tables: Mapping[str, RuleTable]
    metrics: tuple[Metric, ...]
    metrics_file: str = field(compare=False)

    def rows(self, name: str) -> tuple[RuleRow, ...]:
        """The rows of a table; none when the rule set has no such table."""
        table = self.tables.get(name)
        return table.rows if table else ()

    def with_rows(self, name: str, rows: Iterable[RuleRow]) -> RuleSet:
        """The same rules with other rows in one table."""
        return replace(self, tables={**self.tables, name: replace(self.tables[name], rows=tuple(rows))})

    def without(self, name: str) -> RuleSet:
        """The same rules without a table."""
        return replace(self, tables={one: table for one, table in self.tables.items() if one != name})


@cache
def rule_shapes() -> dict[str, RuleShape]:
    """The shape of every seed of the schema ``evaluation``, by name, from the project's seed properties."""
    shapes: dict[str, RuleShape] = {}
    for path in sorted(SEEDS_DIR.glob("*.yml")):
        for seed in yaml.safe_load(path.read_text(encoding="utf-8")).get("seeds", []):
            config = seed.get("config", {})
            if config.get("schema") == _SCHEMA:
                shapes[seed["name"]] = _shape(seed, config.get("column_types", {}))
    return dict(sorted(shapes.items()))


def _shape(seed: dict[str, Any], types: dict[str, str]) -> RuleShape:
    key: tuple[str, ...] = ()
    for test in seed.get("data_tests", []):
        if isinstance(test, dict) and "unique_combination" in test:
            key = tuple(test["unique_combination"]["arguments"]["columns"])
    required = []
    for column in seed.get("columns", []):
        tests = column.get("data_tests", [])
        if "not_null" in tests:
            required.append(column["name"])
        if "unique" in tests:
            key = key or (column["name"],)
    return RuleShape(seed["name"], types, tuple(c for c in key if c != "effective_from"), tuple(required))


def read_table(shape: RuleShape, path: Path) -> RuleTable:
    if not path.exists():
        return RuleTable(shape, (), (), None)
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source, strict=True, restkey="", restval="")
            rows = []
            line = 2
            for found in reader:
                surplus = found.pop("", None)
                if surplus is not None:
                    raise ConfigurationError(
                        f"{path}, line {line}: the row has more cells than the header has columns. "
                        "Put text with a comma between double quotes."
                    )
                rows.append(RuleRow({name: (text or "").strip() for name, text in found.items()}, str(path), line))
                line = reader.line_num + 1
            return RuleTable(shape, tuple(reader.fieldnames or ()), tuple(rows), str(path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} is not CSV in UTF-8: {error}. Save it as CSV in UTF-8.") from error


def read_folder(folder: Path) -> dict[str, RuleTable]:
    """Every rule table that lies in a folder, by name; one that the project does not know has no types and no key."""
    shapes = rule_shapes()
    return {
        path.stem: read_table(shapes.get(path.stem) or RuleShape(path.stem, {}, (), ()), path)
        for path in sorted(folder.glob("*.csv"))
    }


def date_of(text: str) -> dt.date | None:
    """A date as yyyy-mm-dd; None for anything else."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def number_of(text: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def period_of(row: RuleRow) -> tuple[dt.date, dt.date] | None:
    """First and last day in force; None when the dates cannot be read."""
    first, last = date_of(row["effective_from"]), date_of(row["effective_to"]) if row["effective_to"] else FOREVER
    return (first, last) if first and last else None

"""Columns of the workbook: titles, meaning and unit as the version itself describes them, and how wide they are."""

from __future__ import annotations

import decimal
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.reports.facts import Facts
from oneledger.reports.workbook_sheets import SheetSpec
from oneledger.settings import ConfigurationError

_WIDEST, _NARROWEST = 46, 9
# By the ending of a column's name: its unit in Chinese and English, and how Excel shows it.
_UNITS: tuple[tuple[str, tuple[str, str], str], ...] = (
    ("_cny", ("元", "yuan"), '#,##0.00" 元"'),
    ("_working_days", ("工作日", "working days"), "#,##0.##"),
    ("_days_count", ("天", "days"), '#,##0" 天"'),
    ("_days", ("天", "days"), '#,##0" 天"'),
    ("_minutes", ("分钟", "minutes"), '#,##0.0" 分钟"'),
    ("_rate", ("%", "%"), "0.0%"),
    ("_count", ("", ""), "#,##0"),
    ("_year", ("", ""), "0"),
    ("_points", ("分", "points"), "0.00"),
    ("_weight", ("分", "points"), "0.00"),
    ("_score", ("分", "of 100"), "0.00"),
)


_UNITS_BY_NAME: dict[str, tuple[tuple[str, str], str]] = {
    "score": (("分", "of 100"), "0.00"),
    "points": (("分", "points"), "0.00"),
    "weight": (("分", "points"), "0.00"),
    "share": (("%", "%"), "0%"),
    "stars": (("星", "stars"), "0"),
}


_MODELS_FILE = Path("lineage") / "models.json"


@dataclass(frozen=True)
class Column:
    """A column with everything that is said of it."""

    name: str
    relation: str
    title_zh: str
    title_en: str
    description: str
    unit: tuple[str, str]
    number_format: str


def read_models(facts: Facts) -> dict[str, Any]:
    """What the version itself says of its tables and columns."""
    path = facts.version.path / _MODELS_FILE
    try:
        models = json.loads(path.read_bytes())["models"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}), and without it the workbook cannot say what its columns mean. "
            "Publish again "
            "with `oneledger run` and evaluate again, or make the report without it: --format html,pdf,docx"
        ) from error
    return {model["relation"]: model for model in models}


def describe_column(models: dict[str, Any], sheet: SheetSpec, written: str) -> Column:
    relation, _, name = written.rpartition(".") if "." in written else (sheet.relation, "", written)
    try:
        about = models[relation]["columns"][name]
        titles = about["meta"]["title_zh"], about["meta"]["title_en"]
    except KeyError as error:
        raise ConfigurationError(
            f"The version does not describe {relation}.{name} ({error}), which sheet {sheet.name} shows. It was "
            "made by another "
            "program: publish again with `oneledger run` and evaluate again."
        ) from error
    unit, number_format = _unit_of(name)
    return Column(name, relation, *titles, about["description"], unit, number_format)


def _unit_of(name: str) -> tuple[tuple[str, str], str]:
    """A column's name says its unit by how it ends; what says none is shown as it is."""
    if name in _UNITS_BY_NAME:
        return _UNITS_BY_NAME[name]
    for ending, unit, number_format in _UNITS:
        if name.endswith(ending):
            return unit, number_format
    return ("", ""), "#,##0.####"


def with_unit(title: str, unit: str, pattern: str) -> str:
    return title + pattern.format(unit) if unit and unit.lower() not in title.lower() else title


def column_width(column: Column, values: Sequence[Any]) -> float:
    texts = [str(value) for value in values if value is not None and not isinstance(value, float | decimal.Decimal)]
    widest = max([_cells(text) for text in texts], default=0)
    heading = max(_cells(column.title_zh), _cells(column.title_en) * 0.6)
    return min(max(widest + 2, heading + 4, _NARROWEST), _WIDEST)


def _cells(text: str) -> int:
    """How wide a text is, in half-width letters."""
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)

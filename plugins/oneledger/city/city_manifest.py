"""``city.json``: what a city is drawn from, what it holds, and how many of its rows break a rule on purpose."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from oneledger.settings import ConfigurationError

FILE_NAME = "city.json"


@dataclass
class CityManifest:
    """Facts of one city.

    Attributes:
        first_on, last_on: the range; the API answers as of ``last_on``.
        usage_from_on: the first day with usage (``first_on`` unless asked otherwise).
        calls_from_on: the first day with interface calls (``usage_from_on`` unless asked otherwise).
        rows: rows of each thing: ``irs.<path>`` versions, ``project_library.<table>``, ``drops.<portal>``,
            ``finance.<file>``.
        expected_quarantined: rows that break a row rule on purpose, by source.
    """

    seed: int
    scale: int
    first_on: dt.date
    last_on: dt.date
    usage_from_on: dt.date
    project_library: str
    rows: dict[str, int] = field(default_factory=dict)
    expected_quarantined: dict[str, int] = field(default_factory=dict)
    label: str = "合成数据 synthetic data"
    calls_from_on: dt.date | None = None

    @property
    def first_day_of_calls(self) -> dt.date:
        return self.calls_from_on or self.usage_from_on

    def write(self, city_dir: Path) -> None:
        record: dict[str, Any] = asdict(self)
        for name in ("first_on", "last_on", "usage_from_on"):
            record[name] = record[name].isoformat()
        record["calls_from_on"] = self.first_day_of_calls.isoformat()
        partial = city_dir / f".{FILE_NAME}.partial"
        partial.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        partial.replace(city_dir / FILE_NAME)


def read_manifest(city_dir: Path) -> CityManifest | None:
    """The manifest of the city in a folder, or None when there is none.

    Raises:
        ConfigurationError: the file cannot be read as a manifest.
    """
    path = city_dir / FILE_NAME
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
        for name in ("first_on", "last_on", "usage_from_on"):
            record[name] = dt.date.fromisoformat(record[name])
        # A city from before the two could differ names one day for both.
        record["calls_from_on"] = dt.date.fromisoformat(record.get("calls_from_on") or str(record["usage_from_on"]))
        return CityManifest(**record)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is no manifest of a city ({error}). Build the city again: oneledger city build --fresh"
        ) from error


def require_manifest(city_dir: Path) -> CityManifest:
    """The manifest; raises ConfigurationError when there is no city."""
    manifest = read_manifest(city_dir)
    if manifest is None:
        raise ConfigurationError(f"There is no synthetic city in {city_dir}. Build one: oneledger city build")
    return manifest

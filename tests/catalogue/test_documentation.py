"""docs/sources.md names every key of the catalogue, and its example is a valid one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from oneledger.catalogue import (
    Decisions,
    FilesSpec,
    FormatSpec,
    HttpSpec,
    SqlSpec,
    UnpivotSpec,
    WorkbookSpec,
    load_catalogue,
)
from oneledger.catalogue.columns import UNIT_FACTORS, ColumnSpec, NumberFormat, Rule, Strict
from oneledger.catalogue.decision_page import with_table
from oneledger.catalogue.entries import CatalogueEntries, EntityEntry, ShapeEntry, SourceEntry
from oneledger.settings import PROJECT_ROOT, Settings

PAGE = (PROJECT_ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "model",
    [CatalogueEntries, ShapeEntry, SourceEntry, EntityEntry, Decisions, HttpSpec, SqlSpec, FilesSpec,
     FormatSpec, UnpivotSpec,
     WorkbookSpec, ColumnSpec, NumberFormat, Rule],
)  # fmt: skip
def test_every_key_of_the_catalogue_is_explained(model: type[Strict]) -> None:
    keys = {info.alias or name for name, info in model.model_fields.items()}
    named = set(re.findall(r"[`( ]([a-z_]+)[`:]", PAGE)) | set(re.findall(r"`(\w+)`", PAGE))
    assert keys - named == set()


def test_the_table_of_decisions_is_up_to_date() -> None:
    assert with_table(PAGE) == PAGE, "run: python -m oneledger.catalogue.decision_page"


def test_every_unit_is_named() -> None:
    assert [unit for unit in UNIT_FACTORS if f"`{unit}`" not in PAGE] == []


def test_the_example_is_a_valid_catalogue(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert block
    path = tmp_path / "my_district.yml"
    path.write_text(textwrap.dedent(block[1].rstrip()), encoding="utf-8")
    settings = Settings(home=tmp_path, catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml", path))
    usage = load_catalogue(settings).entity("my_district", "usage")
    assert usage.admitted_table == "usage"
    assert usage.column("app_id").prefix == "my:"

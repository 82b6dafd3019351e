"""A small installation whose batches a test writes itself: manifests and raw files as landing and raw leave them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.landing.manifest import LandedFile, Manifest, batch_id_of
from oneledger.outcomes import Outcome, new_run_id
from oneledger.settings import Settings
from oneledger.warehouse.admission import admit
from oneledger.warehouse.connection import open_warehouse

CATALOGUE = r"""
version: 1
shapes:
  usage:
    natural_key: [app_id, module_id, usage_on]
    columns:
      app_id: {type: text, required: true, title_zh: 应用编码}
      module_id: {type: text}
      period_grain: {type: text, default: day}
      usage_on: {type: date, required: true}
      visitors_count: {type: integer, minimum: 0, title_zh: 访客数}
      starts_count: {type: integer, minimum: 0}
      completions_count: {type: integer, minimum: 0}
      satisfaction_rate: {type: decimal, minimum: 0, maximum: 1}
    rules:
      - id: completions_within_starts
        expect: completions_count <= starts_count
        severity: quarantine
        columns: [completions_count, starts_count]
        reason_zh: 办结数大于发起数
        reason_en: more completions than starts
        remedy_zh: 请核对后重新报送
        remedy_en: check and deliver again
      - id: starts_within_visitors
        expect: starts_count <= visitors_count
        severity: warn
        columns: [starts_count, visitors_count]
        reason_zh: 发起数大于访客数
        reason_en: more starts than visitors
        remedy_zh: 请核对统计口径
        remedy_en: check how both are counted
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        conforms_to: usage
        decisions: {row_of_other_date: accept}   # a corrected file may hold rows of other days
        files: {pattern: 'usage_(?P<business_date>\d{8})\.csv'}
        missing_markers: {"-": not_applicable}
        columns:
          app_id: {from: app}
          module_id: {from: module}
          usage_on: {from: day}
          visitors_count: {from: visitors}
          starts_count: {from: starts}
          completions_count: {from: completions}
  library:
    connector: sql
    connection: library_db
    defaults: {delivery: full}
    entities:
      project:
        table: project
        natural_key: [project_id]
        columns:
          project_id: {from: number, type: text, required: true, pattern: 'P\d+'}
          level: {from: level, type: text, required: true, values: {市本级: city, 县区: county}}
          budget_cny: {from: budget, type: decimal, unit: 万元, minimum: 0}
          declared_on: {from: declared, type: date}
          is_in_scope: {from: scope, type: boolean}
  irs:
    connector: http
    connection: irs_api
    defaults: {delivery: changes, updated_at: updated_at}
    entities:
      app:
        path: /apps
        natural_key: [app_id]
        columns:
          app_id: {from: id, type: text, required: true}
          side: {from: side, type: text, required: true, allowed: [service, governance]}
          updated_at: {from: updatedAt, type: timestamp, required: true}
"""

Row = dict[str, str | None]


@dataclass
class Installation:
    """Batches are delivered by ``deliver`` and admitted by ``admit``; ``rows`` asks the warehouse."""

    settings: Settings
    catalogue: Catalogue

    def deliver(
        self, source: str, entity: str, day: str, rows: Sequence[Row], revision: int = 1, business_on: str | None = None
    ) -> str:
        """Leave one batch as landing and raw leave it; returns its batch id."""
        batch_id = batch_id_of(source, entity, day, revision)
        columns = [column.name for column in self.catalogue.entity(source, entity).delivered_columns]
        table: dict[str, Any] = {
            name: pa.array([row.get(name) for row in rows], pa.string()) for name in [*columns, "_extra"]
        }
        table["_batch_id"] = pa.array([batch_id] * len(rows), pa.string())
        table["_file_id"] = pa.array([f"{batch_id}/data.csv"] * len(rows), pa.string())
        table["_row_number"] = pa.array(range(1, len(rows) + 1), pa.int64())
        manifest = Manifest(
            batch_id=batch_id, source=source, entity=entity, partition=day, revision=revision,
            business_on=dt.datetime.strptime(business_on or day, "%Y%m%d").date(),
            delivery=self.catalogue.entity(source, entity).delivery,
            files=(LandedFile("data.csv", "0" * 64, 0, "data.csv", len(rows)),), row_count=len(rows),
            control_total=len(rows), watermark=None, extracted_at="2022-11-01T00:00:00+00:00",
            code_version="test", catalogue_hash="test", previous_manifest_sha256=None,
        )  # fmt: skip
        folder = self.settings.landing_dir / source / entity / day / f"r{revision:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_bytes(manifest.to_bytes())
        raw = self.settings.raw_dir / source / entity / f"{batch_id}.parquet"
        raw.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(table), raw)
        return batch_id

    def admit(self) -> list[Outcome]:
        return admit(self.settings, self.catalogue, run_id=new_run_id())

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings, read_only=True) as connection:
            return connection.execute(query, list(parameters)).fetchall()

    def write(self, statement: str) -> None:
        with open_warehouse(self.settings) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def catalogue_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalogue") / "sources.yml"
    path.write_text(CATALOGUE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def make_installation(catalogue_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Installation]:
    """Make a fresh installation; hypothesis needs one for each example."""
    catalogue = load_catalogue(Settings(home=catalogue_file.parent, catalogue_paths=(catalogue_file,)))

    def make() -> Installation:
        home = tmp_path_factory.mktemp("home")
        return Installation(Settings(home=home, memory_limit="1GB", threads=1), catalogue)

    return make


@pytest.fixture
def installation(make_installation: Callable[[], Installation]) -> Installation:
    return make_installation()


def usage(app_id: str | None, visitors: str | None = "10", day: str = "2022-06-01", **others: str | None) -> Row:
    """One usage row as raw holds it."""
    return {"app_id": app_id, "module_id": "", "usage_on": day, "visitors_count": visitors} | others

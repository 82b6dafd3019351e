"""A small installation for connector tests: its own home, its own catalogue, connections in the environment."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.landing import LandedBatch, list_batches
from oneledger.outcomes import Outcome
from oneledger.pipeline.ingest import ingest_source
from oneledger.raw import raw_path
from oneledger.settings import Settings


@dataclass
class Installation:
    """Everything that a test needs to ingest and to look at what came of it."""

    settings: Settings
    monkeypatch: pytest.MonkeyPatch

    @property
    def drop(self) -> Path:
        folder = self.settings.home.parent / "drop"
        folder.mkdir(exist_ok=True)
        return folder

    def connect(self, connection_id: str, uri: str) -> None:
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{connection_id.upper()}", uri)

    def write_catalogue(self, text: str) -> None:
        self.settings.catalogue_paths[0].write_text(text, encoding="utf-8")

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.settings)

    def ingest(self, source: str, **options: Any) -> list[Outcome]:
        return ingest_source(source, self.settings, self.catalogue, run_id="test", **options)

    def ingest_well(self, source: str, **options: Any) -> list[Outcome]:
        outcomes = self.ingest(source, **options)
        failed = [outcome.message for outcome in outcomes if outcome.verdict == "failed"]
        assert not failed, failed
        return outcomes

    def batches(self, source: str) -> list[LandedBatch]:
        return list_batches(self.settings, source)

    def rows(
        self, batch: LandedBatch, columns: str = "*", order: str = "_file_id, _row_number"
    ) -> list[tuple[Any, ...]]:
        path = raw_path(self.settings, batch.source, batch.entity, batch.batch_id)
        return duckdb.sql(f"select {columns} from read_parquet('{path}') order by {order}").fetchall()

    def put(self, name: str, text: str | bytes, *, encoding: str = "utf-8", control: bool = False) -> Path:
        """Write a file into the drop folder (gzip when its name says so), with its control file when asked."""
        content = text.encode(encoding) if isinstance(text, str) else text
        rows = content.count(b"\n") - 1
        if name.endswith(".gz") and content[:2] != b"\x1f\x8b":
            content = gzip.compress(content, mtime=0)
        path = self.drop / name
        path.write_bytes(content)
        if control:
            self.control(name, rows, hashlib.sha256(content).hexdigest())
        return path

    def control(self, name: str, rows: int, sha256: str) -> None:
        (self.drop / f"{name}.ctl").write_text(f"rows={rows}\nsha256={sha256}\n", encoding="utf-8")


def only(outcomes: list[Outcome], verdict: str) -> Outcome:
    """The one outcome of this verdict; AssertionError shows what there is instead."""
    found = [outcome for outcome in outcomes if outcome.verdict == verdict]
    assert len(found) == 1, [(outcome.step, outcome.verdict, outcome.message) for outcome in outcomes]
    return found[0]

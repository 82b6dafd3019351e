"""Landing and publishing by themselves, killed before each of their renames: cheap enough for every `make test`."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oneledger.audit.verifying import verify
from oneledger.catalogue import load_catalogue
from oneledger.landing import list_batches, verify_chain
from oneledger.outcomes import read_outcomes, utc_now
from oneledger.pipeline.ingest import ingest_source
from oneledger.publishing.publish import publish
from oneledger.publishing.versions import current_version, list_versions
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.leftovers import clear_leftovers
from oneledger.warehouse.outcomes_due import write_outcomes_due
from tests.kills.effects import Effect, can_watch, run_watched
from tests.kills.holding import leftovers
from tests.kills.nights import kill_before
from tests.publishing.conftest import add_usage, open_gates, small_installation

pytestmark = pytest.mark.skipif(not can_watch(), reason="needs Linux on x86-64 with seccomp user notification")

CATALOGUE = """\
version: 1
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        files: {pattern: 'u_(?P<business_date>\\d{8})\\.csv'}
        natural_key: [app_id, usage_on]
        columns:
          app_id: {from: app, type: text, required: true}
          visitors_count: {from: visitors, type: integer}
          usage_on: {from: $business_date, type: date}
"""
TELLING_CALLS = ("rename", "symlink", "link", "unlink")


def telling(effects: tuple[Effect, ...]) -> list[Effect]:
    """Before each change of a name; and within the transactions of the index and the warehouse."""
    named = [one for one in effects if one.call in TELLING_CALLS]
    written = [one for one in effects if one.call == "write" and (".index.db" in one.path or ".duckdb" in one.path)]
    return sorted({*named, *written[:: max(1, len(written) // 4)]}, key=lambda one: one.number)


@contextmanager
def copied(home: Path, settings: Settings) -> Iterator[None]:
    """The home as it was at first, in its place."""
    shutil.rmtree(settings.home, ignore_errors=True)
    shutil.copytree(home, settings.home, symlinks=True)
    yield


def recorded(settings: Settings) -> Counter[tuple[str, str]]:
    """How many good records there are of each step and batch."""
    return Counter(
        (one["step"], one["batch_id"] or "")
        for one in read_outcomes(settings.outcomes_dir)
        if one["verdict"] in ("good", "warning") and (one["batch_id"] or one["step"] == "publish")
    )


def broken(settings: Settings, area: str) -> list[str]:
    items = verify(settings, area, workers=1)["items"]
    return [f"{one.get('file')} {one.get('problem')}" for one in items if not one["ok"] or one.get("is_warning")]


def killed_everywhere(settings: Settings, evening: Path, work: Callable[[], int], look: Callable[[], object]) -> int:
    """Kill ``work`` before each telling effect, do it again alone, and look: always what an undisturbed one gives."""
    with copied(evening, settings):
        ended = run_watched(work, settings.home, lambda _: None)
        assert ended.code == 0
        expected = look()
    points = telling(ended.effects)
    for effect in points:
        with copied(evening, settings):
            assert run_watched(work, settings.home, kill_before(effect.number)).code == -9, effect
            assert run_watched(work, settings.home, lambda _: None).code == 0, effect
            assert look() == expected, effect
            clear_leftovers(settings, utc_now() + dt.timedelta(days=1))  # as the admission of the day after does
            assert leftovers(settings) == [], effect
    return len(points)


def test_an_ingest_killed_before_any_rename_lands_everything_once_with_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sources.yml").write_text(CATALOGUE, "utf-8")
    drop = tmp_path / "drop"
    drop.mkdir()
    monkeypatch.setenv("AIRFLOW_CONN_PORTAL_DROP", drop.as_uri())
    settings = Settings(tmp_path / "home", catalogue_paths=(tmp_path / "sources.yml",), memory_limit="1GB", threads=1)
    catalogue = load_catalogue(settings)
    (drop / "u_20221001.csv").write_text("app,visitors\nA1,10\n", "utf-8")
    ingest_source("portal", settings, catalogue, run_id="evening")
    shutil.copytree(settings.home, tmp_path / "evening", symlinks=True)
    for day in ("20221001", "20221002"):
        (drop / f"u_{day}.csv").write_text("app,visitors\nA1,11\nA2,20\n", "utf-8")

    def work() -> int:
        outcomes = ingest_source("portal", settings, catalogue, run_id="night")
        return sum(one.verdict == "failed" for one in outcomes)

    def look() -> object:
        return (
            sorted((one.batch_id, one.payload_hash) for one in list_batches(settings)),
            sorted(path.name for path in settings.raw_dir.rglob("*.parquet")),
            recorded(settings), verify_chain(settings, "portal"), broken(settings, "landing"),
        )  # fmt: skip

    assert killed_everywhere(settings, tmp_path / "evening", work, look) >= 12


def test_a_publication_killed_before_any_rename_is_one_version_with_one_record(tmp_path: Path) -> None:
    settings = small_installation(tmp_path)
    publish(settings, run_id="evening")
    with open_warehouse(settings) as connection:
        add_usage(connection, "2022-10-31", 300)
        open_gates(connection)
    shutil.copytree(settings.home, tmp_path / "evening", symlinks=True)

    def work() -> int:
        with open_warehouse(settings) as connection:
            write_outcomes_due(connection, settings)  # as the admission before it does
        publish(settings, run_id="night")
        return 0

    def look() -> object:
        current = current_version(settings)
        assert current is not None
        return current.content_hash, len(list_versions(settings)), recorded(settings), broken(settings, "published")

    assert killed_everywhere(settings, tmp_path / "evening", work, look) >= 8

"""Landing: revisions, the hash chain, locks, kills at any moment, and what can be made again."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oneledger.landing import SourceBusyError, list_batches, source_lock, verify_chain
from oneledger.landing.manifest import read_manifest
from oneledger.outcomes import read_outcomes
from oneledger.raw import raw_path, remake
from oneledger.settings import Settings
from tests.sources.installation import Installation, only

CATALOGUE = """\
version: 1
sources:
  portal:
    connector: delimited
    connection: portal_drop
    defaults: {delivery: partition}
    entities:
      usage:
        files: {pattern: 'u_(?P<business_date>\\d{8})\\.csv', control_suffix: .ctl}
        natural_key: [app_id, usage_on]
        columns:
          app_id: {from: app, type: text, required: true}
          visitors_count: {from: visitors, type: integer}
          usage_on: {from: $business_date, type: date}
"""

# Ingests one source in a process of its own: home, catalogue file, source.
INGEST = """
import sys
from pathlib import Path
from oneledger.catalogue import load_catalogue
from oneledger.pipeline.ingest import ingest_source
from oneledger.settings import Settings
settings = Settings(home=Path(sys.argv[1]), catalogue_paths=(Path(sys.argv[2]),))
print("ready", flush=True)
outcomes = ingest_source(sys.argv[3], settings, load_catalogue(settings), run_id="other")
sys.exit(any(outcome.verdict == "failed" for outcome in outcomes))
"""


@pytest.fixture
def portal(installation: Installation) -> Installation:
    installation.write_catalogue(CATALOGUE)
    installation.connect("portal_drop", installation.drop.as_uri())
    return installation


def deliver(portal: Installation, day: int, visitors: int, *, stamp: int | None = None) -> None:
    path = portal.put(f"u_202210{day:02d}.csv", f"app,visitors\nA1,{visitors}\n", control=True)
    if stamp is not None:
        os.utime(path, ns=(stamp, stamp))


def test_a_redelivered_day_is_a_new_revision_and_the_same_bytes_are_not(portal: Installation) -> None:
    deliver(portal, 1, 10)
    portal.ingest_well("portal")
    deliver(portal, 1, 11, stamp=1_700_000_000_000_000_000)
    portal.ingest_well("portal")
    assert [batch.batch_id for batch in portal.batches("portal")] == [
        "portal.usage.20221001.r001", "portal.usage.20221001.r002"
    ]  # fmt: skip
    deliver(portal, 1, 11, stamp=1_700_000_001_000_000_000)
    assert "holds what is landed already" in only(portal.ingest_well("portal"), "unchanged").message
    assert "no new file" in only(portal.ingest_well("portal"), "unchanged").message
    assert len(portal.batches("portal")) == 2


def test_a_range_of_days_is_looked_at_again_and_no_other_day(portal: Installation) -> None:
    stamp = 1_700_000_000_000_000_000
    for day in (1, 2, 3):
        deliver(portal, day, 10, stamp=stamp)
    portal.ingest_well("portal")
    for day in (1, 2, 3):
        # Other bytes under the size and time of before: an ordinary look does not notice them.
        deliver(portal, day, 11, stamp=stamp)
    assert "no new file" in only(portal.ingest_well("portal"), "unchanged").message
    second = dt.date(2022, 10, 2)
    portal.ingest_well("portal", between=(second, second))
    assert [batch.batch_id for batch in portal.batches("portal") if batch.revision > 1] == [
        "portal.usage.20221002.r002"
    ]
    portal.ingest_well("portal", between=(dt.date(2022, 10, 2), dt.date(2022, 12, 31)))
    assert [batch.batch_id for batch in portal.batches("portal") if batch.revision > 1] == [
        "portal.usage.20221002.r002", "portal.usage.20221003.r002"
    ]  # fmt: skip


def test_the_manifest_says_what_was_received_and_chains_to_the_one_before(portal: Installation) -> None:
    deliver(portal, 1, 10)
    deliver(portal, 2, 20)
    portal.ingest_well("portal")
    first, second = portal.batches("portal")
    manifest = second.manifest()
    payload = second.path / manifest.files[0].name
    assert manifest.files[0].sha256 == hashlib.sha256(payload.read_bytes()).hexdigest()
    assert payload.read_bytes() == (portal.drop / payload.name).read_bytes()
    assert (manifest.row_count, manifest.control_total, manifest.delivery) == (1, 1, "partition")
    assert first.manifest().previous_manifest_sha256 is None
    digest = hashlib.sha256((first.path / "manifest.json").read_bytes()).hexdigest()
    assert manifest.previous_manifest_sha256 == digest
    assert manifest.catalogue_hash == portal.catalogue.entity("portal", "usage").content_hash
    assert verify_chain(portal.settings, "portal") == []


@pytest.mark.parametrize("what", ["payload", "manifest", "missing"])
def test_a_changed_byte_anywhere_in_landing_is_found(portal: Installation, what: str) -> None:
    for day in (1, 2, 3):
        deliver(portal, day, day)
    portal.ingest_well("portal")
    second = portal.batches("portal")[1]
    if what == "payload":
        path = second.path / "u_20221002.csv"
        path.write_bytes(path.read_bytes().replace(b"2", b"9"))
    elif what == "manifest":
        path = second.path / "manifest.json"
        path.write_bytes(path.read_bytes().replace(b'"row_count": 1', b'"row_count": 2'))
    else:
        shutil.rmtree(second.path)
    problems = verify_chain(portal.settings, "portal")
    assert problems
    expected = {"payload": "20221002", "manifest": "20221003", "missing": "20221003"}[what]
    assert expected in problems[0].batch_id
    assert problems[0].remedy


def test_a_lost_index_is_made_again_from_the_manifests(portal: Installation) -> None:
    for day in (1, 2, 3):
        deliver(portal, day, day)
        portal.ingest_well("portal")
    deliver(portal, 2, 22)
    portal.ingest_well("portal")
    before = [batch.batch_id for batch in portal.batches("portal")]
    (portal.settings.landing_dir / "portal" / ".index.db").unlink()
    assert [batch.batch_id for batch in portal.batches("portal")] == before
    assert {outcome.verdict for outcome in portal.ingest_well("portal")} == {"unchanged"}
    deliver(portal, 4, 4)
    portal.ingest_well("portal")
    assert verify_chain(portal.settings, "portal") == []


def test_a_lost_raw_file_is_made_again_by_the_next_ingest(portal: Installation) -> None:
    deliver(portal, 1, 10)
    portal.ingest_well("portal")
    (batch,) = portal.batches("portal")
    path = raw_path(portal.settings, "portal", "usage", batch.batch_id)
    rows = portal.rows(batch)
    path.unlink()
    outcomes = portal.ingest_well("portal")
    assert only(outcomes, "good").message == "made again from landing"
    assert portal.rows(batch) == rows


def test_raw_is_made_again_as_the_catalogue_reads_it_today(portal: Installation) -> None:
    deliver(portal, 1, 10)
    portal.ingest_well("portal")
    text = portal.settings.catalogue_paths[0].read_text("utf-8")
    portal.write_catalogue(text.replace("visitors_count: {from", "people_count: {from"))
    (batch,) = portal.batches("portal")
    remake(portal.settings, portal.catalogue, batch)
    assert portal.rows(batch, "people_count") == [("10",)]


def test_a_source_that_is_being_ingested_is_refused_and_the_holder_named(portal: Installation) -> None:
    deliver(portal, 1, 10)
    with source_lock(portal.settings, "portal", "the-other-run"):
        outcome = only(portal.ingest("portal"), "failed")
        assert "run the-other-run, step extract" in outcome.message
        assert f"process {os.getpid()}" in outcome.message
        with pytest.raises(SourceBusyError), source_lock(portal.settings, "portal", "third"):
            raise AssertionError("the lock was given twice")
        with source_lock(portal.settings, "another_source", "third"):
            pass
    portal.ingest_well("portal")


def test_every_attempt_leaves_an_outcome_record(portal: Installation) -> None:
    deliver(portal, 1, 10)
    portal.put("u_20221002.csv", "wrong\n1\n", control=True)
    portal.put("u_20221003.csv", "app,visitors\nA1,1\n")
    portal.ingest("portal")
    from oneledger.outcomes import read_outcomes

    found = {(record["step"], record["verdict"]) for record in read_outcomes(portal.settings.outcomes_dir, "test")}
    assert found == {("extract", "good"), ("load_raw", "good"), ("load_raw", "failed"), ("extract", "skipped")}


@hypothesis_settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=8))
def test_whatever_arrives_in_whatever_order_the_newest_revision_is_the_last_delivery(
    portal: Installation, deliveries: list[tuple[int, int]]
) -> None:
    for folder in (portal.settings.home, portal.drop):
        shutil.rmtree(folder, ignore_errors=True)
    expected: dict[str, list[int]] = {}
    for number, (day, visitors) in enumerate(deliveries):
        deliver(portal, day, visitors, stamp=1_700_000_000_000_000_000 + number * 1_000_000_000)
        portal.ingest_well("portal")
        history = expected.setdefault(f"202210{day:02d}", [])
        if not history or history[-1] != visitors:
            history.append(visitors)
    landed: dict[str, list[int]] = {}
    for batch in portal.batches("portal"):
        assert batch.revision == len(landed.setdefault(batch.partition, [])) + 1
        landed[batch.partition].append(int(portal.rows(batch, "visitors_count")[0][0]))
    assert landed == expected
    assert verify_chain(portal.settings, "portal") == []


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_nothing_half_done_and_the_next_one_finishes(
    portal: Installation, tmp_path: Path
) -> None:
    for day in range(1, 29):
        for hour in range(6):
            portal.put(f"u_2022{hour + 1:02d}{day:02d}.csv", f"app,visitors\nA1,{day}\n", control=True)
    catalogue = portal.settings.catalogue_paths[0]
    chance = random.Random(7)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", INGEST, str(portal.settings.home), str(catalogue), "portal"],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.8))
            process.send_signal(signal.SIGKILL)
        for batch in list_batches(portal.settings, "portal"):
            assert read_manifest(batch.path).batch_id == batch.batch_id
    portal.ingest_well("portal")
    batches = portal.batches("portal")
    assert len(batches) == 168
    assert {batch.revision for batch in batches} == {1}
    assert verify_chain(portal.settings, "portal") == []
    assert all(portal.rows(batch, "count(*)", "1") == [(1,)] for batch in batches[::20])
    leftovers = [path for path in portal.settings.home.rglob(".partial-*") if "outcomes" not in path.parts]
    assert leftovers == []


def test_two_sources_are_ingested_at_the_same_time_by_two_processes(portal: Installation) -> None:
    second = CATALOGUE.replace("version: 1\nsources:\n", "").replace("  portal:", "  gateway:").replace("u_(", "g_(")
    portal.write_catalogue(CATALOGUE + second)
    for day in range(1, 15):
        deliver(portal, day, day)
        portal.put(f"g_202210{day:02d}.csv", f"app,visitors\nB1,{day}\n", control=True)
    arguments = [sys.executable, "-c", INGEST, str(portal.settings.home), str(portal.settings.catalogue_paths[0])]
    processes = [subprocess.Popen([*arguments, name]) for name in ("portal", "gateway")]
    assert [process.wait(60) for process in processes] == [0, 0]
    for name in ("portal", "gateway"):
        assert len(list_batches(Settings(home=portal.settings.home), name)) == 14
        assert verify_chain(portal.settings, name) == []


def test_a_batch_whose_process_ended_before_it_could_tell_of_it_is_told_of_by_the_next(
    portal: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(portal, 1, 10)

    def end(*_: object, **__: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr("oneledger.pipeline.deliveries.record_outcome", end)
        with pytest.raises(SystemExit):
            portal.ingest("portal")
    assert [batch.batch_id for batch in portal.batches("portal")] == ["portal.usage.20221001.r001"]
    assert list(read_outcomes(portal.settings.outcomes_dir)) == []
    only(portal.ingest_well("portal"), "unchanged")
    told = [one for one in read_outcomes(portal.settings.outcomes_dir) if one["batch_id"]]
    assert sorted((one["step"], one["batch_id"], one["verdict"]) for one in told) == [
        ("extract", "portal.usage.20221001.r001", "good"), ("load_raw", "portal.usage.20221001.r001", "good")
    ]  # fmt: skip
    portal.ingest_well("portal")
    assert len([one for one in read_outcomes(portal.settings.outcomes_dir) if one["batch_id"]]) == 2

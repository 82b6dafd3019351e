"""Each ingest seals what it landed; until then the manifests and the index speak for a batch."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from oneledger.audit import ledger
from oneledger.audit.verifying import verify
from oneledger.pipeline import ingest
from oneledger.settings import Settings
from tests.landing.conftest import installation
from tests.landing.test_landing import CATALOGUE, deliver
from tests.sources.installation import Installation

__all__ = ["installation"]


@pytest.fixture
def portal(installation: Installation) -> Installation:
    installation.write_catalogue(CATALOGUE)
    installation.connect("portal_drop", installation.drop.as_uri())
    return installation


def answer_of(settings: Settings) -> dict[str, Any]:
    return verify(settings, "landing")


def broken(answer: dict[str, Any]) -> list[str]:
    return [item["file"] for item in answer["items"] if not item["ok"]]


def sealed_batches(settings: Settings) -> list[list[str]]:
    lines = [ledger.parse(line) for line in ledger.read_lines(settings)]
    return [
        [batch["batch_id"] for batch in ledger.read_document(settings, entry.document)["batches"]]
        for entry in lines
        if entry is not None
    ]


def killed_before_the_seal(portal: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ingest that landed and did not come to its seal."""
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "seal_landing", lambda settings, index: None)
        portal.ingest_well("portal")


def test_an_ingest_seals_what_it_landed_and_a_quiet_one_seals_nothing(portal: Installation) -> None:
    deliver(portal, 1, 10)
    deliver(portal, 2, 20)
    portal.ingest_well("portal")
    deliver(portal, 3, 30)
    portal.ingest_well("portal")
    portal.ingest_well("portal")
    assert sealed_batches(portal.settings) == [
        ["portal.usage.20221001.r001", "portal.usage.20221002.r001"], ["portal.usage.20221003.r001"]
    ]  # fmt: skip
    answer = answer_of(portal.settings)
    assert answer["ok"] and not any(item.get("is_warning") for item in answer["items"])


def test_what_a_killed_ingest_left_unsealed_is_told_guarded_by_the_index_and_sealed_by_the_next(
    portal: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(portal, 1, 10)
    portal.ingest_well("portal")
    deliver(portal, 2, 20)
    deliver(portal, 3, 30)
    killed_before_the_seal(portal, monkeypatch)
    answer = answer_of(portal.settings)
    assert answer["ok"]
    warning = next(item for item in answer["items"] if item.get("is_warning"))
    assert "2 of 3 batches are not sealed" in warning["problem"]
    # Nothing follows the newest manifest: only the index knows what it was.
    newest = portal.batches("portal")[-1].path / "manifest.json"
    content = newest.read_bytes()
    newest.write_bytes(content.replace(b'"row_count": 1', b'"row_count": 7'))
    assert broken(answer_of(portal.settings)) == ["landing/portal/usage/20221003/r001/manifest.json"]
    newest.write_bytes(content)
    portal.ingest_well("portal")
    assert sealed_batches(portal.settings)[1] == ["portal.usage.20221002.r001", "portal.usage.20221003.r001"]
    assert not any(item.get("is_warning") for item in answer_of(portal.settings)["items"])


def test_batches_taken_away_from_the_end_of_a_chain_are_missing(portal: Installation) -> None:
    for day in (1, 2, 3):
        deliver(portal, day, day)
    portal.ingest_well("portal")
    for day in (2, 3):
        shutil.rmtree(portal.settings.landing_dir / "portal" / "usage" / f"202210{day:02d}")
    (portal.settings.landing_dir / "portal" / ".index.db").unlink()
    answer = answer_of(portal.settings)
    assert broken(answer) == ["landing/portal/usage/20221002/r001", "landing/portal/usage/20221003/r001"]
    assert [item["batch_id"] for item in answer["items"] if item.get("is_first_broken_link")] == [
        "portal.usage.20221002.r001"
    ]


def test_a_batch_that_was_never_landed_is_named(portal: Installation) -> None:
    deliver(portal, 1, 1)
    portal.ingest_well("portal")
    known = portal.settings.landing_dir / "portal" / "usage" / "20221001" / "r001"
    forged = Path(shutil.copytree(known, known.parents[1] / "20221002" / "r001"))
    manifest = forged / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace("20221001.r001", "20221002.r001"), "utf-8")
    problems = [item["problem"] for item in answer_of(portal.settings)["items"] if not item["ok"]]
    assert any("was never landed here" in problem and "20221002" in problem for problem in problems)


def test_an_index_that_tells_otherwise_than_the_seal_is_named(portal: Installation) -> None:
    deliver(portal, 1, 1)
    portal.ingest_well("portal")
    with sqlite3.connect(portal.settings.landing_dir / "portal" / ".index.db") as connection:
        connection.execute("update batch set payload_hash = 'another'")
    assert broken(answer_of(portal.settings)) == ["landing/portal/.index.db"]
    (portal.settings.landing_dir / "portal" / ".index.db").unlink()
    portal.ingest_well("portal")
    assert answer_of(portal.settings)["ok"]

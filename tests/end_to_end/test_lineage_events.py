"""The lineage events of the reference city's night: valid, whole from source to published version, without secrets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from oneledger.lineage.openlineage.reading import checked_files, event_lines
from oneledger.outcomes import read_outcomes
from oneledger.settings import Settings
from tests.end_to_end.conftest import Installation

Dataset = tuple[str, str]
# What the nightly itself notes down, and what people confirmed, has no source outside.
OWN_NOTES = ("warehouse.control.", "warehouse.checks.", "warehouse.confirmed.")
# Models whose SQL holds only what a macro wrote into it: the day as of which all is computed, the metrics' definitions.
WRITTEN_BY_MACROS = {"warehouse.intermediate.int_as_of", "warehouse.evaluation.metric"}


@pytest.fixture(scope="module")
def events(reference_city: Installation) -> list[dict[str, Any]]:
    return [line.event for line in event_lines(Settings(home=reference_city.home)) if line.event is not None]


def names(event: dict[str, Any], side: str) -> set[Dataset]:
    return {(one["namespace"], one["name"]) for one in event.get(side) or []}


def leaves_of(dataset: Dataset, reads: dict[Dataset, set[Dataset]]) -> set[Dataset]:
    """What a data set is made from in the end: data sets that no told job writes, or that a job writes from nothing."""
    seen: set[Dataset] = set()
    waiting, leaves = [dataset], set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if not reads.get(one):
            leaves.add(one)
        waiting += reads.get(one, set())
    return leaves


def test_every_event_of_the_night_is_valid_and_none_was_lost(reference_city: Installation) -> None:
    settings = Settings(home=reference_city.home)
    answer = checked_files(settings)
    assert answer["items"] == []
    assert answer["events_count"] > 500
    assert answer["unsent_count"] == 0
    problems = [record["message"] for record in read_outcomes(settings.outcomes_dir) if "lineage" in record["message"]]
    assert problems == []


def test_every_published_table_leads_back_to_sources_or_to_our_own_rules(events: list[dict[str, Any]]) -> None:
    reads: dict[Dataset, set[Dataset]] = {}
    seeds: set[Dataset] = set()
    for event in events:
        for output in names(event, "outputs"):
            reads.setdefault(output, set()).update(names(event, "inputs"))
            if event["job"]["name"].endswith(".build.seed"):
                seeds.add(output)
    published = {one for one in reads if "/published/current/" in "".join(one)}
    assert len(published) > 70
    wrong = {
        (table[1], leaf)
        for table in published
        for leaf in leaves_of(table, reads)
        if not leaf[0].startswith("source://")
        and leaf not in seeds
        and leaf[1] not in WRITTEN_BY_MACROS
        and not leaf[1].startswith(OWN_NOTES)
    }
    assert wrong == set()
    stars = next(one for one in published if one[1] == "marts.evaluation.app_stars")
    assert ("source://zheliban", "usage") in leaves_of(stars, reads)


def test_an_admission_says_how_many_rows_it_took_and_how_many_it_kept_out(events: list[dict[str, Any]]) -> None:
    ended = [event for event in events if event["job"]["name"] == "admit.zheliban.usage" and event.get("outputs")]
    event = ended[-1]
    rows = {one["name"]: one["outputFacets"]["outputStatistics"]["rowCount"] for one in event["outputs"]}
    received = event["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"]
    superseded = next(int(tag["value"]) for tag in event["run"]["facets"]["tags"]["tags"]
                      if tag["key"] == "superseded_count")  # fmt: skip
    assert received == rows["warehouse.admitted.usage"] + rows["warehouse.quarantine.row"] + superseded > 0


def test_no_event_holds_the_citys_token_or_an_address_with_credentials(reference_city: Installation) -> None:
    connections = (reference_city.home / "city" / "connections.env").read_text("utf-8")
    token = re.search(r"http://[^:@]*:([^@]+)@", connections)
    assert token
    texts = [path.read_text("utf-8") for path in (reference_city.home / "lineage" / "events").iterdir()]
    assert texts
    assert not any(token[1] in text or re.search(r'"[a-z+]+://[^"/@]*@', text) for text in texts)

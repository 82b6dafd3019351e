"""docs/evaluation.md says what the rules say."""

from __future__ import annotations

import re

import pytest
import yaml

from oneledger.evaluation.rules import check, load_rules, overlay
from oneledger.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
FAMILIES = ("major_application", "application_system", "infrastructure", "operations")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ["service", "governance"])
def test_the_table_of_weights_is_the_catalogue(family: str, side: str) -> None:
    written = {}
    for line in PAGE.splitlines():
        found = re.match(r"\| `(\w+)` \S+ \| `.*` \| (.+) \|$", line)
        if found:
            cells = [cell.strip() for cell in found.group(2).split("|")]
            both = cells[FAMILIES.index(family)].split(" / ")
            weight = both[("service", "governance").index(side)] if len(both) == 2 else both[0]
            if weight != "–":
                written[found.group(1)] = weight
    rules = {
        row["indicator_id"]: row["weight"]
        for row in load_rules().rows("indicator")
        if row["family"] == family and row["side"] in ("all", side)
    }
    assert written == rules


def test_every_column_of_an_indicator_is_explained() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(load_rules().tables["indicator"].columns) - named == set()


def test_the_draft_on_the_page_is_a_sound_one(tmp_path) -> None:
    draft = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert draft
    assert yaml.safe_load(draft.group(1))
    path = tmp_path / "draft.yml"
    path.write_text(draft.group(1), encoding="utf-8")
    assert check(overlay(load_rules(), path)) == []

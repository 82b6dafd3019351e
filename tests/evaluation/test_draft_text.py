"""A draft written out of two sets of rules turns the one into the other again."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneledger.evaluation.draft_text import draft_of
from oneledger.evaluation.rules import check, load_rules, overlay, rescale, rules_hash

DRAFTS = {
    "a weight of all families": "indicator: [{indicator_id: security, weight: 6}]",
    "a line of stars": "star_band: [{stars: 5, minimum_score: 82.5}]",
    "a row taken out": "indicator: [{family: operations, indicator_id: cost_benefit, remove: true}]",
    "a word with a colon": "indicator: [{indicator_id: security, title_en: 'Security: notices', title_zh: 安全}]",
    "a text that looks like a number": "indicator: [{indicator_id: security, rule_version: '2022.10'}]",
    "a cell emptied": "indicator: [{indicator_id: use, minimum_coverage: ''}]",
}


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS.keys())
def test_the_draft_gives_the_changed_rules_again(draft: str, tmp_path: Path) -> None:
    base = load_rules()
    path = tmp_path / "draft.yml"
    path.write_text(draft, "utf-8")
    changed = overlay(base, path)
    path.write_text(draft_of(base, changed), "utf-8")
    assert rules_hash(overlay(base, path)) == rules_hash(changed) != rules_hash(base)


def test_rules_that_are_the_same_need_no_draft() -> None:
    assert draft_of(load_rules(), load_rules()) == ""


def test_rescaled_rules_written_out_are_sound(tmp_path: Path) -> None:
    base = load_rules()
    path = tmp_path / "draft.yml"
    path.write_text("indicator: [{family: application_system, indicator_id: satisfaction, weight: 40}]", "utf-8")
    rescaled = rescale(overlay(base, path))
    path.write_text(draft_of(base, rescaled), "utf-8")
    drafted = overlay(base, path)
    assert check(drafted) == []
    assert rules_hash(drafted) == rules_hash(rescaled)

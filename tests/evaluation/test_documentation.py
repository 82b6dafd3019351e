"""docs/evaluation.md says what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oneledger.evaluation.rules import check, load_rules, read_drafts, rescale
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


def test_the_drafts_on_the_page_are_sound_ones(tmp_path: Path) -> None:
    drafts = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(drafts) == 2
    for number, draft in enumerate(drafts):
        path = tmp_path / f"{number}.yml"
        path.write_text(draft, encoding="utf-8")
        assert [check(one.rules) for one in read_drafts(load_rules(), path)] == [[]] * (number + 1)


@pytest.mark.parametrize(("name", "is_rescaled"), [("draft.yml", False), ("drafts.yml", True)])
def test_the_examples_are_sound_drafts_and_the_readme_uses_them(name: str, is_rescaled: bool) -> None:
    drafts = read_drafts(load_rules(), PROJECT_ROOT / "docs" / "examples" / name)
    assert drafts
    assert [check(rescale(one.rules) if is_rescaled else one.rules) for one in drafts] == [[]] * len(drafts)
    assert f"--rules docs/examples/{name}" in (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")

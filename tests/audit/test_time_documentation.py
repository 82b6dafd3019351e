"""docs/time.md says what the rule and the commands say."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from oneledger.audit.retention_rule import load_rule
from oneledger.settings import PROJECT_ROOT, Settings

PAGE = (PROJECT_ROOT / "docs" / "time.md").read_text(encoding="utf-8")
README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")


def test_every_key_of_the_rule_stands_on_the_page_with_its_default() -> None:
    rule = load_rule(Settings(home=PROJECT_ROOT), dt.date(2026, 1, 1)).model_dump()
    assert rule.pop("source") == "OneLedger default"
    del rule["effective_from"]
    rows = {found[1]: found[2] for found in re.finditer(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE)}
    for key, limits in rule.items():
        for name, value in limits.items():
            assert f"`{name}: {value}`" in rows[key]


@pytest.mark.parametrize(
    "command", ["oneledger restatement", "oneledger versions", "oneledger rebuild --from-landing --prove",
                "oneledger retention plan"]
)  # fmt: skip
def test_the_readme_shows_each_verb_that_the_page_explains(command: str) -> None:
    assert command in README
    assert command in PAGE


def test_every_kind_of_batch_that_a_restatement_names_is_explained() -> None:
    from oneledger.audit.cause_words import KINDS

    assert all(f"| `{kind}` |" in PAGE for kind in KINDS)

"""Words for codes: every code that a mart's contract allows has them in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from oneledger.settings import PROJECT_ROOT
from oneledger.web.language import Language
from oneledger.web.terms import TERMS, term

KIND_OF = {
    ("dim_project", "level"): "level", ("dim_project", "stage"): "stage", ("dim_project", "family"): "family",
    ("dim_project", "funding_source"): "funding_source", ("dim_project", "scope_reason"): "scope_reason",
    ("mart_project_life_cycle", "state"): "stage_state", ("mart_project_app_gap", "gap_kind"): "gap_kind",
    ("mart_project_app_gap", "reason"): "gap_reason", ("mart_pre_review", "outcome"): "outcome",
    ("mart_project_assessment", "assessor_kind"): "assessor", ("mart_sharing_request", "request_kind"): "request_kind",
    ("mart_sharing_request", "state"): "request_state", ("mart_funding_lead_time", "state"): "funding_state",
    ("mart_budget_execution", "release_position"): "release_position", ("mart_finding", "comparison"): "comparison",
    ("mart_finding", "reported_state"): "reported_state", ("mart_finding_metric", "state"): "metric_state",
    ("dim_app", "listing_state"): "listing_state", ("mart_low_use_verdict", "verdict"): "verdict",
}  # fmt: skip
MODELS = PROJECT_ROOT / "dbt_project" / "models" / "marts"


def columns_with_codes() -> Iterator[tuple[str, str, set[str]]]:
    """Model, column and the codes of its check ``<column> in (…)``."""
    for path in sorted(Path(MODELS).rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            for column in model.get("columns", []):
                for one in column.get("constraints", []):
                    found = re.match(rf"\s*{column['name']} in \((.*)\)", one.get("expression", ""), re.DOTALL)
                    if found:
                        yield model["name"], column["name"], set(re.findall(r"'([^']+)'", found[1]))


ALLOWED = {(model, column): codes for model, column, codes in columns_with_codes()}


@pytest.mark.parametrize("place", KIND_OF, ids=".".join)
def test_every_code_of_a_contract_has_words_in_both_languages(place: tuple[str, str]) -> None:
    assert ALLOWED[place] <= set(TERMS[KIND_OF[place]])


def test_the_words_of_the_two_languages_differ_from_the_code_and_are_not_empty() -> None:
    for kind, words in TERMS.items():
        for code, (zh, en) in words.items():
            assert zh, (kind, code)
            assert en, (kind, code)


def test_what_is_not_there_is_a_dash_and_an_unknown_code_stays_as_it_is() -> None:
    assert term(Language.ZH, "stage", None) == "—"
    assert term(Language.EN, "stage", "dreamt") == "dreamt"

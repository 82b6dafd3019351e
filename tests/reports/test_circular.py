"""What a circular says: counts that add up, withheld apart, movers, drafts and synthetic data marked."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneledger.reports.circular import compose
from oneledger.reports.content import (
    LANGUAGES,
    Circular,
    Figure,
    KeyFigures,
    Language,
    Notice,
    Paragraph,
    Seal,
    Section,
)
from oneledger.reports.facts import BANDS, Facts
from oneledger.reports.wording import NONE, Wording, chinese_number

from .conftest import Reported, facts_of

SEAL = Seal("run", "version", "c" * 64, "d" * 64, "a" * 64, 12, "b" * 64)
STARS = {"5": 5, "4": 4, "3": 3}
COUNTS = ("five_count", "four_count", "three_count", "none_count", "withheld_count")


def section(circular: Circular, section_id: str) -> Section:
    return next(one for one in circular.sections if one.section_id == section_id)


def told(circular: Circular, section_id: str) -> str:
    """The sentences of a section."""
    blocks = section(circular, section_id).blocks
    return " ".join(one.text for one in blocks if isinstance(one, Paragraph | Notice))


def with_bands(facts: Facts, bands: list[str]) -> Facts:
    """The facts as they would be if the first apps had these bands."""
    ranking = []
    for row, band in itertools.zip_longest(facts.ranking[: len(bands)], bands):
        score = None if band == "withheld" else row["score"]
        ranking.append({
            **row, "band": band, "stars": STARS.get(band), "score": score, "rank": None if score is None else 1,
            "status": "withheld" if band == "withheld" else "scored",
        })  # fmt: skip

    def parts(key: str, name: str) -> list[dict[str, Any]]:
        found = []
        for part in sorted({row[key] for row in ranking}):
            of_part = [row for row in ranking if row[key] == part]
            counted = Counter(row["band"] for row in of_part)
            scores = [row["score"] for row in of_part if row["score"] is not None]
            found.append({
                name: part, "apps_count": len(of_part), "mean_score": sum(scores) / len(scores) if scores else None,
                **{count: counted[band] for count, band in zip(COUNTS, BANDS, strict=True)},
                "rank": None, "low_use_count": 0, "capability_score": None, "capability_state": "not_applicable",
            })  # fmt: skip
        return found

    return dataclasses.replace(
        facts, ranking=ranking, distribution={band: bands.count(band) for band in BANDS}, by_side=parts("side", "part"),
        by_family=parts("family", "part"), departments=parts("department_name", "department_name"),
    )  # fmt: skip


@given(bands=st.lists(st.sampled_from(BANDS), min_size=0, max_size=60), language=st.sampled_from(LANGUAGES))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_stars_every_table_adds_up_to_the_population(
    facts: Facts, bands: list[str], language: Language
) -> None:
    circular = compose(with_bands(facts, bands), language, SEAL)
    population = str(len(bands))
    assert len(circular.table("ranking").rows) == len(bands)
    for name, first in (("by_side", 1), ("by_family", 1), ("departments", 2)):
        table = circular.table(name)
        assert table.total is not None
        assert table.total[first] == population
        counts = [str(bands.count(band)) for band in BANDS]
        assert list(table.total[first + 1 : first + 6]) == counts
        for position, expected in enumerate([population, *counts], start=first):
            assert sum(int(row[position]) for row in table.rows) == int(expected)
    for row in circular.table("ranking").rows:
        is_withheld = row[5] == Wording(language).term("band", "withheld")
        # No place and no score: neither a 0.
        assert ((row[0], row[4]) == (NONE, NONE)) == is_withheld


@pytest.mark.parametrize("language", LANGUAGES)
def test_withheld_apps_are_said_apart_and_are_no_zero(facts: Facts, language: Language) -> None:
    circular = compose(with_bands(facts, ["5", "none", "withheld", "withheld"]), language, SEAL)
    notice = next(one for one in section(circular, "distribution").blocks if isinstance(one, Notice))
    assert notice.tone == "warn"
    assert ("2个应用因数据缺失暂不评" if language == "zh" else "2 apps are withheld") in notice.text
    assert ("不是0分" if language == "zh" else "neither 0 nor no stars") in notice.text
    # Of the two that were scored, one has stars: the withheld ones are in neither number.
    assert "50.0%" in told(circular, "state")


def test_the_circular_tells_the_distribution_of_the_run(facts: Facts) -> None:
    counts = facts.distribution
    text = told(compose(facts, "zh", SEAL), "state")
    assert counts == facts.run.record["distribution"]
    assert (
        f"五星级应用{counts['5']}个、四星级{counts['4']}个、三星级{counts['3']}个，{counts['none']}个尚未得星" in text
    )
    assert facts.population == sum(counts.values()) == facts.run.record["population"]["in_scope"]


def test_a_correcting_evaluation_names_the_run_it_corrects_and_who_moved(reported: Reported, facts: Facts) -> None:
    assert facts.previous is not None
    assert facts.previous.run_id == reported.told.confirmed
    movers = compose(facts, "zh", SEAL).table("movers")
    of_app = next(row for row in facts.movers if row["app_id"] == reported.told.app_id)
    assert of_app["movement"] == "risen"
    assert (of_app["app_name"], of_app["department_name"], "上升") in {row[:3] for row in movers.rows}
    assert "被本次更正替代的评价" in told(compose(facts, "zh", SEAL), "movers")
    assert "the evaluation that this one corrects" in told(compose(facts, "en", SEAL), "movers")


def test_a_first_evaluation_says_that_there_is_nothing_to_compare_with(reported: Reported) -> None:
    first = facts_of(reported.settings, reported.told.confirmed)
    assert first.previous is None
    circular = compose(first, "zh", SEAL)
    assert "没有此前已确认的评价可比" in told(circular, "movers")
    assert not any(one.table_id == "movers" for one in circular.tables())


def test_a_run_that_was_replaced_says_so(reported: Reported) -> None:
    about = dict(compose(facts_of(reported.settings, reported.told.confirmed), "zh", SEAL).about)
    assert "已被其后的评价替代" in about["评价运行"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_head_says_period_run_version_rules_confirmation_and_anchor(facts: Facts, language: Language) -> None:
    circular = compose(facts, language, SEAL)
    text = " ".join(value for _, value in circular.about)
    for wanted in (
        SEAL.run_id,
        SEAL.version,
        SEAL.anchor or "",
        facts.run.decision["name"],
        facts.run.record["rule_version"],
    ):
        assert wanted in text
    assert ("2022年第三季度" if language == "zh" else "third quarter of 2022") in text
    assert circular.banner == ("湖州市大数据发展管理局" if language == "zh" else "Big Data Bureau")


def test_generated_data_are_marked_and_real_ones_are_not(facts: Facts) -> None:
    assert facts.is_synthetic
    assert "合成数据" in compose(facts, "zh", SEAL).synthetic
    assert "Synthetic data" in compose(facts, "en", SEAL).synthetic
    assert compose(dataclasses.replace(facts, is_synthetic=False), "zh", SEAL).synthetic == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_languages_have_the_same_sections_tables_and_rows(facts: Facts, language: Language) -> None:
    chinese, other = compose(facts, "zh", SEAL), compose(facts, language, SEAL)
    assert [one.section_id for one in chinese.sections] == [one.section_id for one in other.sections]
    assert [(one.table_id, len(one.rows), len(one.columns)) for one in chinese.tables()] == [
        (one.table_id, len(one.rows), len(one.columns)) for one in other.tables()
    ]
    for table in other.tables():
        assert all(len(row) == len(table.columns) for row in table.rows), table.table_id
        assert table.total is None or len(table.total) == len(table.columns)


def test_every_chart_has_a_sentence_for_those_who_do_not_see_it(facts: Facts) -> None:
    figures = [
        block for one in compose(facts, "en", SEAL).sections for block in one.blocks if isinstance(block, Figure)
    ]
    assert {one.figure_id for one in figures} >= {
        "distribution",
        "scores",
        "movers",
        "requests",
        "lead_times",
        "departments",
    }
    assert all(any(letter.isdigit() for letter in one.alt) for one in figures)


def test_the_key_figures_are_those_of_the_facts(facts: Facts) -> None:
    strip = next(one for one in section(compose(facts, "en", SEAL), "state").blocks if isinstance(one, KeyFigures))
    values = {one.label: one.value for one in strip.items}
    assert values["Apps evaluated"] == str(facts.population)
    assert values["Apps little used"] == str(len(facts.low_use))
    assert values["New sharing requests"] == f"{facts.sharing['requests_count']:,}"


def test_what_cannot_be_compared_is_a_dash_and_never_a_zero(facts: Facts) -> None:
    sharing = {
        **facts.sharing,
        "year_before_count": None,
        "approve_median_working_days": None,
        "open_median_minutes": None,
    }
    circular = compose(dataclasses.replace(facts, sharing=sharing), "zh", SEAL)
    assert "无法计算同比" in told(circular, "sharing")
    assert "上年同期—单" in told(circular, "sharing")
    assert circular.table("sharing_clocks").rows[0][1] == NONE


@pytest.mark.parametrize(
    ("number", "text"), [(1, "一"), (10, "十"), (11, "十一"), (20, "二十"), (21, "二十一"), (99, "九十九")]
)
def test_sections_are_numbered_as_a_bureau_numbers_them(number: int, text: str) -> None:
    assert chinese_number(number) == text


@pytest.mark.parametrize(
    ("period", "chinese", "english"),
    [("2022-Q3", "2022年第三季度", "third quarter of 2022"), ("2022年上半年", "2022年上半年", "2022年上半年")],
)
def test_a_period_is_said_as_people_say_it(period: str, chinese: str, english: str) -> None:
    assert (Wording("zh").period(period), Wording("en").period(period)) == (chinese, english)


def test_numbers_have_their_unit_and_what_is_missing_is_a_dash() -> None:
    chinese, english = Wording("zh"), Wording("en")
    assert (chinese.money(1_234_560), english.money(1_234_560)) == ("123.5", "1.23")
    assert chinese.percent(0.7576) == "75.8%"
    assert {chinese.money(None), chinese.percent(None), chinese.count(None), chinese.date(None)} == {NONE}
    assert chinese.unit_value(0.2, "rate") == "20.0%"

"""The engine computes what dbt computed, and a frozen result is the same bytes whenever it is made."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneledger.evaluation.diffing import _effects
from oneledger.evaluation.engine import open_engine, published_rules
from oneledger.evaluation.rounds import rules_for_round
from oneledger.evaluation.rule_tables import ROUNDS, RuleRow, RuleSet
from oneledger.evaluation.rules import load_rules
from oneledger.evaluation.runs import find_run
from oneledger.publishing.content import hash_relation
from oneledger.publishing.versions import resolve
from oneledger.settings import PROJECT_ROOT, ConfigurationError

from .story import Story

ROUND = {"round_id": "r", "period": "2022-Q3", "period_start_on": "2022-07-01", "period_end_on": "2022-09-30",
         "cut_off_on": "2022-09-30", "level": "city", "title_zh": "", "title_en": "", "source": "s"}  # fmt: skip


def rounds(*rows: dict[str, str]) -> RuleSet:
    return load_rules().with_rows(ROUNDS, [RuleRow(row, "rounds", line) for line, row in enumerate(rows, start=2)])


def test_the_engine_gives_every_table_of_the_evaluation_and_every_rule_table_as_dbt_built_it(story: Story) -> None:
    version = resolve(story.settings, story.second_version)
    with open_engine(story.settings, version) as engine:
        engine.load_rules(published_rules(version))
        engine.run()
        relations = [*engine.basis.relations, *(one["relation"] for one in engine.basis.rules)]
        assert {"evaluation.app_stars", "evaluation.indicator_points", "evaluation.population"} <= set(relations)
        for relation in relations:
            built = hash_relation(engine.connection, f"published.{relation}", relation)
            assert engine.content(relation) == built, relation
            assert built.rows_count > 0 or relation not in engine.basis.relations[:1], relation


def test_the_same_table_is_written_as_the_same_bytes(story: Story, tmp_path: Path) -> None:
    version = resolve(story.settings, story.first_version)
    for name in ("one", "two"):
        with open_engine(story.settings, version) as engine:
            engine.load_rules(published_rules(version))
            engine.run()
            engine.write("evaluation.indicator_points", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    frozen = find_run(story.settings, story.confirmed).result_path("indicator_points")
    assert frozen.read_bytes() == (tmp_path / "one").read_bytes()


def test_a_version_carries_the_bytes_of_the_rules_and_metrics_that_it_was_built_with(story: Story) -> None:
    version = resolve(story.settings, story.second_version)
    seeds = {path.name: path for path in (PROJECT_ROOT / "dbt_project" / "seeds").rglob("*.csv")}
    carried = sorted((version.path / "evaluation" / "rules").glob("*.csv"))
    assert "indicator.csv" in {path.name for path in carried}
    metrics = version.path / "evaluation" / "macros" / "metrics.sql"
    assert metrics.read_bytes() == (PROJECT_ROOT / "dbt_project" / "macros" / "metrics.sql").read_bytes()
    assert all(path.read_bytes() == seeds[path.name].read_bytes() for path in carried)


@given(st.tuples(*[st.floats(0, 100)] * 4))
def test_what_data_and_rules_did_adds_up_to_the_whole_change(scores: tuple[float, float, float, float]) -> None:
    data, rule = _effects(list(scores))
    assert data + rule == pytest.approx(scores[3] - scores[0], abs=1e-5)


@given(st.dates(dt.date(2023, 1, 1), dt.date(2035, 12, 31)))
def test_a_quarter_without_a_round_gets_one_that_covers_it_and_only_once_it_is_over(day: dt.date) -> None:
    period = f"{day.year}-Q{(day.month + 2) // 3}"
    end = dt.date(day.year + (day.month + 2) // 3 // 4, (day.month + 2) // 3 * 3 % 12 + 1, 1) - dt.timedelta(days=1)
    known = rounds(ROUND)
    rules, derived = rules_for_round(known, period, end)
    assert derived["period_start_on"] <= day.isoformat() <= derived["period_end_on"] == derived["cut_off_on"]
    assert derived["period_end_on"] == end.isoformat()
    assert [row["period"] for row in rules.rows(ROUNDS)] == ["2022-Q3", period]
    with pytest.raises(ConfigurationError, match="is not complete"):
        rules_for_round(known, period, end - dt.timedelta(days=1))


def test_without_a_period_the_newest_complete_quarter_is_evaluated_so_that_the_schedule_moves_on() -> None:
    def newest(day: dt.date) -> str:
        return rules_for_round(rounds(ROUND), None, day)[1]["period"]

    assert [newest(dt.date(2022, 10, 31)), newest(dt.date(2022, 12, 30)), newest(dt.date(2022, 12, 31))] == [
        "2022-Q3", "2022-Q3", "2022-Q4"
    ]  # fmt: skip
    assert newest(dt.date(2024, 2, 29)) == "2023-Q4"


def test_a_round_that_is_not_complete_says_up_to_when_the_data_go_and_what_to_evaluate_instead() -> None:
    with pytest.raises(ConfigurationError, match=r"2022-Q4 is not complete.*go to 2022-10-31.*Evaluate 2022-Q3"):
        rules_for_round(rounds(ROUND), "2022-Q4", dt.date(2022, 10, 31))
    with pytest.raises(ConfigurationError, match=r"'2022-Q5' is no period\. Give a quarter as 2022-Q3"):
        rules_for_round(rounds(ROUND), "2022-Q5", dt.date(2022, 10, 31))

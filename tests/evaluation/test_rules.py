"""Rules that cannot be right are refused, each with where it stands and how to mend it."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.evaluation.catalogue_checks import FAMILIES
from oneledger.evaluation.rule_tables import RuleRow, RuleSet, rule_shapes
from oneledger.evaluation.rules import (
    RuleProblem,
    check,
    load_frozen,
    load_rules,
    overlay,
    read_drafts,
    rescale,
    rules_hash,
    write,
)
from oneledger.settings import PROJECT_ROOT, ConfigurationError

PROJECT = PROJECT_ROOT / "dbt_project"
Change = Callable[[str], str]


def replaced(old: str, new: str) -> Change:
    def change(text: str) -> str:
        assert text.count(old) >= 1, f"{old} is not in the file"
        return text.replace(old, new, 1)

    return change


def added(line: str) -> Change:
    return lambda text: text.rstrip("\n") + "\n" + line + "\n"


def without(pattern: str) -> Change:
    def change(text: str) -> str:
        kept = [line for line in text.splitlines() if not re.match(pattern, line)]
        assert len(kept) < len(text.splitlines()), f"no line fits {pattern}"
        return "\n".join(kept) + "\n"

    return change


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A copy of the shipped rules with their metrics."""
    shutil.copytree(PROJECT / "seeds", tmp_path / "seeds")
    (tmp_path / "macros").mkdir()
    shutil.copy(PROJECT / "macros" / "metrics.sql", tmp_path / "macros" / "metrics.sql")
    return tmp_path / "seeds"


def problems_of(seeds: Path, file: str, change: Change) -> list[RuleProblem]:
    path = seeds / file
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return check(load_rules(seeds))


def test_the_shipped_rules_are_sound() -> None:
    assert check(load_rules()) == []


NEW_BAND = "sharing,all,all,{},{},{},{},2022.1,ours"
BAD_RULES = [
    # what, file, how it is spoiled, column, words of the message
    ("weights that do not add up", "indicator.csv", replaced(",daily_visitors,35,", ",daily_visitors,34,"), "weight",
     "add up to 99 from 2010-01-01 on"),
    ("a weight above 100", "indicator.csv", replaced(",daily_visitors,35,", ",daily_visitors,350,"), "weight",
     "out of range"),
    ("an unknown metric", "indicator.csv", replaced(",online_rate,", ",online_ratio,"), "metric_id", "no such metric"),
    ("an unknown condition", "indicator.csv", replaced("projects_linked,no_project", "links,no_project"),
     "applicability_metric_id", "no such metric"),
    ("an unknown reason", "indicator.csv", replaced("no_project_linked", "no_idea"), "reason_not_applicable",
     "no such reason"),
    ("an unknown scoring form", "indicator.csv", replaced(",pro_rata,", ",rough,"), "scoring_method", "not known"),
    ("an unknown family", "indicator.csv", replaced("use,operations,", "use,operation,"), "family", "not known"),
    ("a missing title", "indicator.csv", replaced(",满意率,", ",,"), "title_zh", "the title is missing"),
    ("a coverage above 1", "indicator.csv", replaced(",0.9,5,", ",9,5,"), "minimum_coverage", "out of range"),
    ("bounds upside down", "indicator.csv", replaced(",pro_rata,0,1,", ",pro_rata,1,0,"), "upper_bound", "not above"),
    ("text for a number", "indicator.csv", replaced(",daily_visitors,35,", ",daily_visitors,many,"), "weight",
     "is no number"),
    ("a date that is none", "indicator.csv", replaced("2010-01-01", "2010-02-30"), "effective_from", "is no date"),
    ("dates upside down", "star_band.csv", replaced("5,85,2010-01-01,,", "5,85,2010-01-01,2009-12-31,"),
     "effective_to", "lies before"),
    ("overlapping dates", "star_band.csv", added("5,86,2022-01-01,,2022.2,ours"), "effective_from", "dates overlap"),
    ("a gap in dates", "star_band.csv", lambda text: added("5,86,2022-01-01,,2022.2,ours")(
        replaced("5,85,2010-01-01,,", "5,85,2010-01-01,2021-11-30,")(text)), "effective_from", "gap in its dates"),
    ("a missing star band", "star_band.csv", without("4,"), "stars", "no band of 4 stars"),
    ("overlapping star bands", "star_band.csv", replaced("4,75,", "4,85,"), "minimum_score", "the bands overlap"),
    ("two stars", "star_band.csv", added("2,40,2010-01-01,,2022.1,ours"), "stars", "no such band"),
    ("a gap in bands", "scoring_band.csv", without("sharing,all,all,0,"), "lower_value", "values from 0 to 1 have no"),
    ("no bands", "scoring_band.csv", without("sharing,"), "scoring_method", "has no bands"),
    ("overlapping bands", "scoring_band.csv", added("sharing,operations,all,0,0.5,2010-01-01,,2022.1,ours"),
     "lower_value", "bands that overlap"),
    ("a band twice", "scoring_band.csv", added(NEW_BAND.format(1, 0.7, "2010-01-01", "")), "effective_from",
     "dates overlap"),
    ("a band out of reach", "scoring_band.csv", added(NEW_BAND.format(7, 1, "2010-01-01", "")), "lower_value",
     "upper_bound is 2"),
    ("more points than the weight", "scoring_band.csv", replaced("sharing,all,all,2,1,", "sharing,all,all,2,10,"),
     "points_share", "out of range"),
    ("a band of no indicator", "scoring_band.csv", added("sharring,all,all,0,1,2010-01-01,,2022.1,ours"),
     "indicator_id", "no such indicator"),
    ("a threshold out of range", "rule_threshold.csv",
     lambda text: re.sub(r"withheld_points_maximum,all,\d+", "withheld_points_maximum,all,120", text), "value",
     "out of range"),
    ("a threshold that is gone", "rule_threshold.csv", without("minimum_months_in_service"), "rule_id",
     "not in force"),
    ("a round upside down", "evaluation_round.csv", replaced("2022-09-30,2022-09-30", "2022-09-30,2022-08-30"),
     "period_end_on", "not in order"),
    ("a reason twice", "evaluation_reason.csv", added("no_ratings,withheld,无,None,,"), "reason_id", "stands on line"),
    ("a derived metric of an unknown one", "../macros/metrics.sql",
     replaced("'numerator_metric': 'modules_used'", "'numerator_metric': 'modules_loved'"), "numerator_metric",
     "there is no metric modules_loved"),
    ("a cycle of metrics", "../macros/metrics.sql",
     replaced("'denominator_metric': 'modules_reporting'", "'denominator_metric': 'function_use_rate'"),
     "numerator_metric", "made of itself: function_use_rate → function_use_rate"),
    ("a metric without title", "../macros/metrics.sql", replaced("'title_zh': '上线率', ", ""), "title_zh",
     "nothing is given"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "file", "change", "column", "words"), BAD_RULES, ids=[one[0] for one in BAD_RULES])
def test_a_bad_rule_is_refused_with_place_expectation_and_remedy(
    seeds: Path, what: str, file: str, change: Change, column: str, words: str
) -> None:
    found = problems_of(seeds, file, change)
    fitting = [problem for problem in found if words in problem.problem and problem.column == column]
    assert fitting, [problem.message for problem in found]
    problem = fitting[0]
    lines = Path(problem.file).read_text(encoding="utf-8").splitlines()
    assert 1 <= problem.line <= len(lines)
    assert problem.expected
    assert problem.remedy
    assert f"line {problem.line}, column {column}" in problem.message


def test_the_line_of_a_problem_is_the_line_of_the_cell(seeds: Path) -> None:
    path = seeds / "star_band.csv"
    number = 1 + next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines()) if line[:2] == "3,")
    problem = problems_of(seeds, "star_band.csv", replaced("3,60,", "3,-6,"))[0]
    assert (problem.line, problem.column, problem.value) == (number, "minimum_score", "-6")


def test_a_cycle_over_two_metrics_is_said_once_with_its_way(seeds: Path) -> None:
    def turn(text: str) -> str:
        return replaced("'numerator_metric': 'modules_used'", "'numerator_metric': 'visitors_per_wan'")(
            replaced("'numerator_metric': 'visitors_in_period'", "'numerator_metric': 'function_use_rate'")(text)
        )

    found = problems_of(seeds, "../macros/metrics.sql", turn)
    assert len(found) == 1
    assert "visitors_per_wan → function_use_rate → visitors_per_wan" in found[0].problem


def test_a_missing_file_and_a_missing_column_are_said(seeds: Path) -> None:
    (seeds / "star_band.csv").unlink()
    problems = problems_of(seeds, "rule_threshold.csv", replaced("rule_id,applies_to", "rule,applies_to"))
    assert {(Path(one.file).name, one.problem) for one in problems} >= {
        ("star_band.csv", "the file is missing"), ("rule_threshold.csv", "the column is missing"),
    }  # fmt: skip


def test_a_draft_changes_the_rows_it_means_and_leaves_the_rules_alone(tmp_path: Path) -> None:
    rules = load_rules()
    draft = tmp_path / "draft.yml"
    draft.write_text(
        "indicator:\n"
        "  - {family: application_system, indicator_id: use, weight: 45}\n"
        "  - {family: application_system, indicator_id: satisfaction, weight: 8}\n"
        "star_band:\n"
        "  - {stars: 5, minimum_score: 90}\n",
        encoding="utf-8",
    )
    before = rules_hash(rules)
    drafted = overlay(rules, draft)
    assert check(drafted) == []
    changed = [
        row
        for row in drafted.rows("indicator")
        if row["indicator_id"] == "use" and row["family"] == "application_system"
    ]
    assert [(row["side"], row["weight"], row.line) for row in changed] == [
        ("service", "45", 2),
        ("governance", "45", 2),
    ]
    assert rules_hash(rules) == before != rules_hash(drafted)


def test_a_draft_with_a_date_ends_the_old_row_the_day_before(tmp_path: Path) -> None:
    draft = tmp_path / "draft.yml"
    draft.write_text("star_band: [{stars: 5, minimum_score: 88, effective_from: 2023-01-01}]", encoding="utf-8")
    drafted = overlay(load_rules(), draft)
    assert check(drafted) == []
    assert [
        (row["minimum_score"], row["effective_from"], row["effective_to"])
        for row in drafted.rows("star_band") if row["stars"] == "5"
    ] == [("85", "2010-01-01", "2022-12-31"), ("88", "2023-01-01", "")]  # fmt: skip


def test_a_draft_adds_and_removes_rows(tmp_path: Path) -> None:
    draft = tmp_path / "draft.yml"
    draft.write_text(
        "scoring_band:\n"
        "  - {indicator_id: use, family: all, side: service, lower_value: 100, remove: true}\n"
        "  - {indicator_id: use, family: all, side: service, lower_value: 50, points_share: 0.5,\n"
        "     effective_from: 2010-01-01, rule_version: draft, source: draft}\n",
        encoding="utf-8",
    )
    drafted = overlay(load_rules(), draft)
    assert check(drafted) == []
    knots = [
        row["lower_value"] for row in drafted.rows("scoring_band")
        if (row["indicator_id"], row["side"]) == ("use", "service")
    ]  # fmt: skip
    assert sorted(knots, key=float) == ["0", "10", "50", "1000"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("indicators: [{indicator_id: use}]", "no rule table indicators"),
        ("indicator: [{indicator_id: use, wait: 4}]", "no column wait"),
        ("indicator: [{weight: 4}]", "none of the key columns"),
        ("indicator: [{indicator_id: usage, weight: 4}]", "no row in force has indicator_id usage"),
        ("- use", "has a `name` and its `rules`"),
        ("use", "must map rule tables"),
        ("indicator: use", "line 1: indicator must be a list of rows"),
        ("- {name: a, rule: {star_band: [{stars: 5}]}}", "has a `name` and its `rules`"),
        ("- {name: a, rules: {star_bands: [{stars: 5}]}}", "no rule table star_bands"),
        ("indicator: {", "cannot be read"),
    ],
)
def test_a_draft_that_means_nothing_is_refused(text: str, said: str, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yml"
    draft.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        read_drafts(load_rules(), draft)


def test_rules_written_and_read_again_are_the_same_rules(tmp_path: Path) -> None:
    rules = load_rules()
    write(rules, tmp_path / "written")
    again = load_rules(tmp_path / "written")
    assert check(again) == []
    assert rules_hash(again) == rules_hash(rules)


def test_a_list_of_drafts_gives_each_its_name_and_its_rules_from_the_same_base(tmp_path: Path) -> None:
    path = tmp_path / "drafts.yml"
    path.write_text(
        "- name: lower\n  rules:\n    star_band: [{stars: 5, minimum_score: 80}]\n"
        "- rules: {star_band: [{stars: 4, minimum_score: 70}]}\n",
        encoding="utf-8",
    )
    drafts = read_drafts(load_rules(), path)
    assert [draft.name for draft in drafts] == ["lower", "draft 2"]
    bands = [{row["stars"]: row["minimum_score"] for row in draft.rules.rows("star_band")} for draft in drafts]
    assert [band["5"] for band in bands] == ["80", "85"]
    assert [band["4"] for band in bands] == ["75", "70"]


def test_a_folder_replaces_whole_tables_and_an_unknown_table_in_it_is_named(tmp_path: Path) -> None:
    rules = load_rules()
    (tmp_path / "star_band.csv").write_text(
        "stars,minimum_score,effective_from,effective_to,rule_version,source\n5,90,2010-01-01,,d,ours\n", "utf-8"
    )
    drafted = overlay(rules, tmp_path)
    assert [row["minimum_score"] for row in drafted.rows("star_band")] == ["90"]
    assert drafted.tables["indicator"] == rules.tables["indicator"]
    assert "no band of 4 stars" in check(drafted)[0].problem
    (tmp_path / "indicators.csv").write_text("indicator_id\n", "utf-8")
    with pytest.raises(ConfigurationError, match="there is no rule table indicators"):
        overlay(rules, tmp_path)
    with pytest.raises(ConfigurationError, match="holds no rule table"):
        overlay(rules, tmp_path.parent)


@settings(max_examples=25)
@given(
    weights=st.lists(st.integers(1, 1000), min_size=10, max_size=10),
    since=st.dates(dt.date(2011, 1, 1), dt.date(2030, 1, 1)),
)
def test_rescaled_weights_add_to_100_for_each_family_and_side_on_every_day_and_keep_their_proportions(
    weights: list[int], since: dt.date
) -> None:
    rules = load_rules()
    rows: list[RuleRow] = []
    for number, row in enumerate(rules.rows("indicator")):
        new = {**row.cells, "weight": str(weights[number % len(weights)])}
        if number % 4 == 0:
            # Every fourth weight changes on that day only.
            rows.append(RuleRow({**row.cells, "effective_to": str(since - dt.timedelta(days=1))}, row.file, row.line))
            new["effective_from"] = str(since)
        rows.append(RuleRow(new, row.file, row.line))
    drafted = rules.with_rows("indicator", rows)
    scaled = rescale(drafted)
    assert [one.message for one in check(scaled) if one.column == "weight"] == []
    for day in (dt.date(2010, 6, 1), since, dt.date(2040, 1, 1)):
        for family in FAMILIES:
            for side in ("service", "governance"):
                before, after = weights_of(drafted, family, side, day), weights_of(scaled, family, side, day)
                assert before.keys() == after.keys()
                assert sum(after.values()) == pytest.approx(100)
                factor = 100 / sum(before.values())
                assert after == pytest.approx({name: weight * factor for name, weight in before.items()})


def weights_of(rules: RuleSet, family: str, side: str, day: dt.date) -> dict[str, float]:
    return {
        row["indicator_id"]: float(row["weight"])
        for row in rules.rows("indicator")
        if row["family"] == family
        and row["side"] in ("all", side)
        and row["effective_from"] <= str(day) <= (row["effective_to"] or "9999-12-31")
    }


def test_weights_that_add_to_100_are_left_as_they_are() -> None:
    assert rescale(load_rules()) == load_rules()


def test_frozen_rules_keep_their_hash_when_the_project_gets_a_table_drops_one_or_defines_a_metric_anew(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = tmp_path / "frozen" / "rules"
    write(load_rules(seeds), frozen)
    sealed = rules_hash(load_frozen(frozen))
    assert sealed == rules_hash(load_rules(seeds))
    shapes = rule_shapes()
    later = {name: shape for name, shape in shapes.items() if name != "merge_rule"}
    later["appeal_rule"] = replace(shapes["star_band"], name="appeal_rule")
    monkeypatch.setattr("oneledger.evaluation.rule_tables.rule_shapes", lambda: later)
    monkeypatch.setattr("oneledger.evaluation.rules.rule_shapes", lambda: later)
    assert rules_hash(load_frozen(frozen)) == sealed
    assert check(load_frozen(frozen)) == []
    macro = seeds.parent / "macros" / "metrics.sql"
    macro.write_text(
        replaced("sum(fact.visitors_count)", "max(fact.visitors_count)")(macro.read_text("utf-8")), "utf-8"
    )
    assert rules_hash(load_frozen(frozen)) == sealed != rules_hash(load_rules(seeds))
    (tmp_path / "frozen" / "macros" / "metrics.sql").unlink()
    with pytest.raises(ConfigurationError, match="lacks the rules that were frozen"):
        load_frozen(frozen)


def test_the_hash_hangs_on_the_rules_and_not_on_the_order_of_rows(seeds: Path) -> None:
    before = rules_hash(load_rules(seeds))
    path = seeds / "star_band.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *reversed(rows)]) + "\n", encoding="utf-8")
    assert rules_hash(load_rules(seeds)) == before
    path.write_text(path.read_text(encoding="utf-8").replace("3,60,", "3,61,"), encoding="utf-8")
    assert rules_hash(load_rules(seeds)) != before


def test_the_verb_answers_with_exit_codes_and_json(tmp_path: Path) -> None:
    def oneledger(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "oneledger"), "rules", "check", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    good = oneledger("--json")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["ok"] is True
    draft = tmp_path / "draft.yml"
    draft.write_text("star_band: [{stars: 5, minimum_score: 70}]", encoding="utf-8")
    bad = oneledger("--rules", str(draft), "--json")
    assert bad.returncode == 1
    items = json.loads(bad.stdout)["items"]
    assert items
    assert all(item["problem"] and item["expected"] and item["remedy"] and item["line"] for item in items)
    assert oneledger("--rules", str(tmp_path / "none")).returncode == 2

"""A correction as a reviewed record, on a copy of the story's city: planned, looked at, refused, applied."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oneledger.corrections.applying import abandon, apply
from oneledger.corrections.planning import plan
from oneledger.corrections.records import Backfill, CorrectionRefusedError, find_backfill, keep, with_state
from oneledger.landing import list_batches
from oneledger.settings import ConfigurationError, Settings
from tests.evaluation.story import CORRECTED_DAY, LAST_DAY, Story, correct, version_of

REASON = {"reason": "再次更正访客数", "reference": "申诉2022-31", "name": "李华"}


def tree(home: Path) -> dict[str, str]:
    """Every file of the record of truth and of what readers see, by its size and inode."""
    return {
        str(path.relative_to(home)): f"{path.stat().st_size}-{path.stat().st_ino}"
        for room in ("landing", "raw", "published", "evaluations")
        for path in sorted((home / room).rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".lock"
    }


@dataclass
class Planned:
    """``record`` is the plan; ``before`` and ``after`` are the files of the installation around it."""

    story: Story
    settings: Settings
    record: Backfill
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def planned(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """A day of zheliban is delivered again, and the backfill of its month is planned."""
    copy = story.copy(tmp_path_factory.mktemp("backfill") / "home")
    correct(copy.home, REASON)
    settings = dataclasses.replace(copy.settings, as_of=day(LAST_DAY))
    with connected(copy.home):
        before = tree(copy.home)
        record = plan(
            settings, "zheliban", "usage", day("2022-09-01"), day("2022-09-30"), name="李华", reason="再次更正",
            reference="申诉2022-31",
        )  # fmt: skip
        return Planned(copy, settings, record, before, tree(copy.home))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@contextmanager
def connected(home: Path) -> Iterator[None]:
    """The city's connections in the environment, as a person sets them."""
    text = (home / "city" / "connections.env").read_text("utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in re.findall(r"^(?:export )?(\w+)='?([^'\n]*)'?$", text, re.MULTILINE):
            patch.setenv(name, value)
        yield


def test_a_plan_changes_nothing_and_leaves_no_copy_behind(planned: Planned) -> None:
    assert planned.after == planned.before
    assert not list(planned.settings.scratch_dir.glob("backfill-*"))


def test_a_plan_says_which_batch_is_superseded_and_what_is_built_again(planned: Planned) -> None:
    found = planned.record.plan
    (batch,) = found["batches"]
    assert batch["batch_id"] == f"zheliban.usage.{CORRECTED_DAY}.r003"
    assert batch["supersedes"] == f"zheliban.usage.{CORRECTED_DAY}.r002"
    assert batch["rows_received"] == batch["rows_before"] > 0
    assert [(one["shape"], one["first"], one["last"], one["count"]) for one in found["dates"]] == [
        ("usage", "2022-09-15", "2022-09-15", 1)
    ]
    assert {"marts.app_usage_month", "evaluation.app_stars", "marts.finding"} <= set(found["models"])
    assert "marts.dim_project" not in found["models"]
    assert found["can_be_applied"] is True


def test_a_plan_says_which_rows_change_and_which_do_not(planned: Planned) -> None:
    tables = {one["table"]: one for one in planned.record.plan["changes"]["tables"]}
    fact = tables["marts.fct_app_usage_day/2022-09"]
    assert (fact["rows_gone"], fact["rows_new"]) == (1, 1)
    assert fact["rows_before"] == fact["rows_after"]
    assert not [name for name in tables if name.startswith("marts.fct_app_usage_day/") and name != fact["table"]]
    assert "marts.dim_project" not in tables


def test_a_plan_evaluates_drafts_and_leaves_the_confirmed_run_alone(planned: Planned) -> None:
    (draft,) = planned.record.plan["drafts"]
    assert draft["period"] == "2022-Q3" and draft["gate_is_open"] is True
    assert sum(draft["before"].values()) == sum(draft["after"].values())
    confirmed = planned.record.plan["confirmed_runs"]
    # The first correction came after the confirmation, so its run already differs in the corrected app's stars.
    with duckdb.connect() as connection:
        results = planned.story.home / "evaluations" / planned.story.confirmed / "results" / "app_stars.parquet"
        was = dict(connection.execute(f"select app_id, stars from read_parquet('{results}')").fetchall())
    for run in confirmed:
        assert run["run_id"] == planned.story.confirmed and run["confirmed_by"] == "王敏"
        assert all(one["before"] in (str(was[one["app_id"]]), "none", "withheld") for one in run["stars"])


def test_an_application_is_refused_without_a_second_person_a_name_or_a_reason(planned: Planned) -> None:
    with pytest.raises(CorrectionRefusedError, match="somebody else must look at it"):
        apply(planned.settings, "newest", name="李华", reason="核对无误")
    with pytest.raises(ConfigurationError, match="--reason is empty"):
        apply(planned.settings, "newest", name="王敏", reason=" ")
    with pytest.raises(ConfigurationError, match="is no backfill"):
        apply(planned.settings, "2019", name="王敏", reason="核对无误")
    assert find_backfill(planned.settings, "newest").state == "planned"


def test_an_application_is_refused_when_the_source_gives_other_bytes(planned: Planned) -> None:
    def batches() -> list[str]:
        return [one.batch_id for one in list_batches(planned.settings, "zheliban")]

    path = planned.story.home / "city" / "drops" / "zheliban" / f"zheliban_usage_{CORRECTED_DAY}.csv.gz"
    kept = {one: (one.read_bytes(), one.stat()) for one in path.parent.glob(f"{path.name}*")}
    before = batches()
    with connected(planned.story.home):
        correct(planned.story.home, REASON)
        with pytest.raises(CorrectionRefusedError, match="does not give what was planned any more"):
            apply(planned.settings, "newest", name="王敏", reason="核对无误")
    assert batches() == before
    for one, (content, _) in kept.items():
        one.write_bytes(content)
        age(one)


def age(path: Path) -> None:
    os.utime(path, (time.time() - 3600, time.time() - 3600))


def changed(part: str) -> Callable[[Backfill], Backfill]:
    def change(record: Backfill) -> Backfill:
        against = {**record.plan["planned_against"], part: "another"}
        return with_state(record, "planned", plan={**record.plan, "planned_against": against})

    return change


@pytest.mark.parametrize(
    ("part", "told"),
    [("version", "another version was published"), ("admitted", "the admitted data changed"),
     ("models", "the models or rules changed"), ("decisions", "an evaluation was decided on")],
)  # fmt: skip
def test_an_application_is_refused_on_another_state_than_the_plans(planned: Planned, part: str, told: str) -> None:
    keep(planned.settings, changed(part)(planned.record))
    try:
        with pytest.raises(CorrectionRefusedError, match=told):
            apply(planned.settings, "newest", name="王敏", reason="核对无误")
    finally:
        keep(planned.settings, planned.record)


def test_an_application_does_what_was_planned_once_and_keeps_the_outcome(planned: Planned) -> None:
    before = version_of(planned.story.home)
    confirmed = (planned.story.home / "evaluations" / planned.story.confirmed / "run.json").read_bytes()
    with connected(planned.story.home):
        done = apply(planned.settings, "newest", name="王敏", reason="核对无误")
    assert done.outcome is not None and done.decision is not None
    assert done.state == "applied" and done.outcome["differences"] == [] and done.outcome["as_planned"] is True
    assert done.outcome["version_before"] == before != done.outcome["version"] == version_of(planned.story.home)
    assert done.outcome["content_hash"] == planned.record.plan["content_hash"]
    assert (done.decision["name"], done.decision["reason"]) == ("王敏", "核对无误")
    assert (planned.story.home / "evaluations" / planned.story.confirmed / "run.json").read_bytes() == confirmed
    manifest = planned.story.home / "landing" / "zheliban" / "usage" / CORRECTED_DAY / "r003" / "manifest.json"
    assert json.loads(manifest.read_text("utf-8"))["correction"] == REASON
    with pytest.raises(CorrectionRefusedError, match="it is applied, by 王敏"):
        apply(planned.settings, "newest", name="王敏", reason="再执行一次")
    with connected(planned.story.home), pytest.raises(CorrectionRefusedError, match="there is nothing to correct"):
        plan(planned.settings, "zheliban", "usage", day("2022-09-15"), day("2022-09-15"), name="李华", reason="再来")


def test_the_command_line_shows_what_was_planned_and_what_came_of_it(planned: Planned) -> None:
    shown = planned.story.installation.json("backfill", "show", "newest")
    assert shown["state"] == "applied" and shown["outcome"]["as_planned"] is True
    listed = planned.story.installation.json("backfill", "list")
    assert [one["backfill_id"] for one in listed["items"]] == [planned.record.backfill_id]
    text = planned.story.installation.oneledger("backfill", "show", "newest").stdout
    assert "everything came as planned" in text and "zheliban.usage.20220915.r003" in text
    refused = planned.story.installation.oneledger(
        "backfill", "apply", "newest", "--name", "王敏", "--reason", "again", expected_code=1
    )
    assert "A record is never used twice" in refused.stderr


def test_a_plan_can_be_given_up_by_name(planned: Planned) -> None:
    keep(planned.settings, with_state(planned.record, "planned"))
    done = abandon(planned.settings, planned.record.backfill_id, name="王敏", reason="部门撤回申诉")
    assert done.state == "abandoned" and done.decision is not None and done.decision["reason"] == "部门撤回申诉"
    with pytest.raises(CorrectionRefusedError, match="it is abandoned"):
        abandon(planned.settings, planned.record.backfill_id, name="王敏", reason="again")


def test_the_command_line_gives_a_plan_up_once_and_says_by_whom(planned: Planned) -> None:
    command = planned.story.installation
    keep(planned.settings, with_state(planned.record, "planned"))
    words = ("--name", "王敏", "--reason", "部门撤回申诉")
    given_up = command.json("backfill", "abandon", "newest", *words)
    assert given_up["ok"] is True and given_up["state"] == "abandoned"
    assert given_up["decision"]["name"] == "王敏" and given_up["decision"]["reason"] == "部门撤回申诉"
    assert "已放弃 abandoned" in command.oneledger("backfill", "show", "newest").stdout
    again = command.json("backfill", "abandon", "newest", *words, expected_code=1)
    assert again["ok"] is False and "it is abandoned, by 王敏" in again["items"][0]["problem"]
    applied = command.oneledger(
        "backfill", "apply", "newest", "--name", "赵强", "--reason", "核对无误", expected_code=1
    )
    assert "it is abandoned" in applied.stderr
    assert "is no backfill" in command.oneledger("backfill", "abandon", "2019", *words, expected_code=2).stderr
    unnamed = command.oneledger("backfill", "abandon", "newest", "--name", " ", "--reason", "x", expected_code=2)
    assert "--name is empty" in unnamed.stderr


def test_readmitting_where_nothing_was_delivered_is_refused_and_keeps_no_record(planned: Planned) -> None:
    command = planned.story.installation
    before = command.json("backfill", "list")["items"]
    refused = command.json(
        "backfill", "plan", "finance", "--entity", "spending", "--from", "2030-01-01", "--to", "2030-01-31",
        "--readmit", "--name", "李华", "--reason", "来源目录更正单位", expected_code=1,
    )  # fmt: skip
    assert "No batch of finance.spending" in refused["items"][0]["problem"]
    assert command.json("backfill", "list")["items"] == before


@pytest.mark.soak
def test_after_the_catalogue_changed_the_landed_bytes_are_taken_again_without_asking_the_source(
    story: Story, tmp_path: Path
) -> None:
    """The unit of an amount was wrong in the catalogue: no source is connected, and no byte is landed."""
    copy = story.copy(tmp_path / "home")
    catalogue = tmp_path / "sources.yml"
    text = (Path(__file__).resolve().parents[2] / "config" / "sources.yml").read_text("utf-8")
    line = "spent_cny: {from: 支出金额, type: decimal, unit: 万元"
    assert text.count(line) == 1
    catalogue.write_text(text.replace(line, line.replace("万元", "元")), encoding="utf-8")
    changed_catalogue = {"ONELEDGER_CATALOGUE": str(catalogue), "ONELEDGER_AS_OF": LAST_DAY}

    def run(*arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            copy.installation.oneledger("backfill", *arguments, "--json", **changed_catalogue).stdout
        )
        return answer

    def spent() -> float:
        with copy.installation.marts() as connection:
            found = connection.execute("select sum(spent_cny) from marts.spending_month where month = '2022-09-01'")
            return float(found.fetchall()[0][0])

    def landed() -> dict[str, str]:
        return {name: told for name, told in tree(copy.home).items() if name.startswith("landing/")}

    was_spent, was_landed = spent(), landed()
    plan_of = run("plan", "finance", "--entity", "spending", "--readmit", "--name", "李华",
                  "--reason", "来源目录更正单位", "--reference", "信2022-8")  # fmt: skip
    assert plan_of["request"]["kind"] == "readmit" and plan_of["state"] == "planned"
    assert plan_of["plan"]["batches"]
    for batch in plan_of["plan"]["batches"]:
        assert batch["batch_id"] == batch["supersedes"] and batch["rows_received"] == batch["rows_before"] > 0
    assert "marts.spending_month" in {one["table"] for one in plan_of["plan"]["changes"]["tables"]}
    assert spent() == was_spent, "a plan changes nothing"
    done = run("apply", "newest", "--name", "王敏", "--reason", "核对无误")
    assert done["state"] == "applied" and done["outcome"]["as_planned"] is True
    assert spent() == pytest.approx(was_spent / 10_000)
    assert landed() == was_landed

"""A restatement names what changed since it was published, by how much, and just the batch that changed it."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from oneledger.audit.restatement_page import page
from oneledger.audit.restating import restatement
from oneledger.cli import restating
from oneledger.publishing.relations import RELATIONS_FILE
from oneledger.settings import ConfigurationError
from tests.audit.small_history import History, start

FIRST, SECOND = "2022-11-02T20:00:00+08:00", "2022-11-03T20:00:00+08:00"


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    made = start(tmp_path, monkeypatch)
    made.publish(FIRST)
    return made


def table(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in answer["items"] if one["table"] == name)


def test_a_late_correction_is_named_with_exactly_the_cells_that_it_changed(history: History) -> None:
    history.deliver("2022-09-30", 25, revision=2)
    history.publish(SECOND)
    answer = restatement(history.settings)
    assert not answer["ok"]
    assert [(one["batch_id"], one["kind"], one["replaces"]) for one in answer["came_between"]["batches"]] == [
        ("zheliban.usage.20220930.r002", "redelivered", "zheliban.usage.20220930.r001")
    ]
    assert [(one["figure_id"], one["old"], one["new"], one["difference"]) for one in answer["figures"]] == [
        ("visitors", 180, 195, 15)
    ]
    assert answer["figures"][0]["because"]["batches"] == ["zheliban.usage.20220930.r002"]
    month = table(answer, "marts.app_usage_month")
    assert [(cell["key"]["app_id"], cell["key"]["month"], cell["column"], cell["old"], cell["new"], cell["difference"])
            for cell in month["cells"]] == [
        (app, dt.date(2022, 9, 1), "visitors_count", 30, 35, 5) for app in ("a0", "a1", "a2")
    ]  # fmt: skip
    assert [cell["because"]["batches"] for cell in month["cells"]] == [["zheliban.usage.20220930.r002"]] * 3
    assert (month["changed_count"], month["added_count"], month["removed_count"]) == (3, 0, 0)
    assert table(answer, "marts.fct_app_usage_day")["months"] == ["2022-09"]
    assert "marts.dim_app" not in {one["table"] for one in answer["items"]}
    assert [one["table"] for one in answer["items"]][:2] == ["marts.published_figure", "evaluation.app_stars"]


def test_the_page_to_hand_over_tells_the_same_and_needs_nothing_else(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.deliver("2022-09-30", 25, revision=2)
    history.publish(SECOND)
    monkeypatch.setenv("ONELEDGER_HOME", str(history.settings.home))
    monkeypatch.setenv("ONELEDGER_PROJECT_ROOT", str(history.settings.project_root))
    monkeypatch.setenv("ONELEDGER_CATALOGUE", ":".join(str(one) for one in history.settings.catalogue_paths))
    app = typer.Typer()
    restating.register(app)
    path = tmp_path / "pages" / "restatement.html"
    done = CliRunner().invoke(app, ["--html", str(path)])
    assert done.exit_code == 1, "something was restated"
    assert "restatement.html" in done.output
    text = path.read_text("utf-8")
    answer = restatement(history.settings)
    for told in (
        answer["old"]["version"], answer["new"]["content_hash"], "zheliban.usage.20220930.r002", "重报 redelivered",
        answer["figures"][0]["title_zh"], "marts.app_usage_month", "2022-09-01",
    ):  # fmt: skip
        assert told in text
    assert "tables restate what was published" in text
    assert not re.search(r"<script|https?://|src=", text)
    again = CliRunner().invoke(app, ["--html", str(path)])
    assert again.exit_code == 2 and "exists already" in again.output
    assert CliRunner().invoke(app, ["--html", str(path), "--force"]).exit_code == 1


def test_the_page_of_growth_alone_says_that_nothing_was_restated(history: History, tmp_path: Path) -> None:
    history.deliver("2022-10-02", 40)
    history.publish(SECOND)
    text = page(restatement(history.settings))
    assert "growth, nothing restated" in text and "tables restate" not in text


def test_of_two_corrections_each_cell_names_the_one_that_touched_its_app_and_month(history: History) -> None:
    history.deliver("2022-09-30", 20, revision=2, apps=("a0", "a1"))
    history.deliver("2022-10-01", 31, revision=2, apps=("a0",))
    history.execute(
        "insert into marts.fct_app_usage_day select '2022-10-01', 'zheliban', app, '', 'zheliban_app', 30,"
        " 'zheliban.usage.20221001.r002' from (values ('a1'), ('a2')) as t (app)"
    )
    history.publish(SECOND)
    answer = restatement(history.settings, mart="app_usage_month")
    found = {(cell["key"]["app_id"], str(cell["key"]["month"])): cell["because"]["batches"]
             for cell in answer["items"][0]["cells"]}  # fmt: skip
    # a2 lost a day of September, a0 was corrected in October; a1 is as it was though both batches hold it.
    assert found == {
        ("a2", "2022-09-01"): ["zheliban.usage.20220930.r002"],
        ("a0", "2022-10-01"): ["zheliban.usage.20221001.r002"],
    }
    stars = restatement(history.settings)["stars"]
    assert {one["app_id"]: one["because"]["batches"] for one in stars} == {
        "a2": ["zheliban.usage.20220930.r002"], "a0": ["zheliban.usage.20221001.r002"]
    }  # fmt: skip


def test_a_table_that_reads_no_usage_is_not_blamed_on_usage(history: History) -> None:
    history.deliver("2022-09-30", 25, revision=2)
    history.execute("update marts.dim_app set app_name = 'renamed' where app_id = 'a3'")
    history.note("irs", "app", "20221002", 1, "2022-10-02")
    history.publish(SECOND)
    app = table(restatement(history.settings), "marts.dim_app")
    assert app["because"]["batches"] == ["irs.app.20221002.r001"]
    assert [(cell["key"], cell["old"], cell["new"]) for cell in app["cells"]] == [
        ({"app_id": "a3"}, "app 3", "renamed")
    ]


def test_days_that_came_in_since_are_growth_and_restate_nothing(history: History) -> None:
    history.deliver("2022-10-02", 40)
    history.publish(SECOND)
    answer = restatement(history.settings)
    assert answer["ok"] and answer["has_differences"]
    assert {one["kind"] for one in answer["came_between"]["batches"]} == {"new_day"}
    assert all(one["because"]["is_growth"] for one in answer["items"])
    assert table(answer, "marts.fct_app_usage_day")["added_count"] == 3


def test_a_day_that_was_missing_restates(history: History) -> None:
    history.deliver("2022-09-15", 5)
    history.publish(SECOND)
    answer = restatement(history.settings)
    assert not answer["ok"]
    assert [one["kind"] for one in answer["came_between"]["batches"]] == ["late"]


def test_the_same_data_with_changed_models_changed_because_of_the_models(history: History) -> None:
    history.change_code("evaluation.app_stars", "evaluation.band")
    history.execute("create or replace view evaluation.app_stars as select 'round' as run_id, app_id,"
                    " case when sum(visitors_count) > 50 then 5 end as stars, sum(visitors_count)::double as score,"
                    " 'scored' as status from marts.fct_app_usage_day group by all")  # fmt: skip
    history.publish(SECOND)
    answer = restatement(history.settings)
    assert answer["came_between"]["batches"] == []
    assert (answer["came_between"]["models"], answer["came_between"]["rules"]) == (
        ["evaluation.app_stars"], ["evaluation.band"]
    )  # fmt: skip
    (item,) = answer["items"]
    assert item["table"] == "evaluation.app_stars"
    assert (item["because"]["models"], item["because"]["rules"]) == (("evaluation.app_stars",), ("evaluation.band",))
    assert [(one["app_id"], one["before"], one["after"]) for one in answer["stars"]] == [
        (app, {"stars": None}, {"stars": 5}) for app in ("a0", "a1", "a2")
    ]


def test_a_version_from_before_versions_carried_their_code_says_that_models_changed_and_not_which(
    history: History,
) -> None:
    old = restatement(history.settings, "2022", "2022")["old"]["version"]
    (history.settings.published_dir / old / RELATIONS_FILE).unlink()
    history.change_code("marts.dim_app")
    history.execute("update marts.dim_app set app_name = 'renamed'")
    history.publish(SECOND)
    answer = restatement(history.settings)
    assert answer["came_between"]["is_code_unknown"]
    assert table(answer, "marts.dim_app")["key_columns"] == ["app_id"]


def test_rows_without_a_key_are_compared_whole(history: History) -> None:
    history.execute("insert into marts.rectification values (2022, 1, 'overdue')")
    history.publish(SECOND)
    item = table(restatement(history.settings), "marts.rectification")
    assert (item["key_columns"], item["added_count"]) == ([], 1)
    assert item["added_keys"] == [{"list_year": 2022, "finding_number": 1, "state": "overdue"}]


def test_a_version_does_not_differ_from_itself_and_what_does_not_exist_is_refused(history: History) -> None:
    answer = restatement(history.settings, "2022", "2022")
    assert answer["ok"] and not answer["has_differences"] and answer["same_content"]
    with pytest.raises(ConfigurationError, match="oldest version that is kept"):
        restatement(history.settings)
    with pytest.raises(ConfigurationError, match=r"no published table 'nothing'.*marts\.app_usage_month"):
        restatement(history.settings, "2022", "2022", mart="nothing")
    with pytest.raises(ConfigurationError, match=r"no published figure 'nothing'.*visitors"):
        restatement(history.settings, "2022", "2022", figure="nothing")


def test_a_version_says_the_key_of_each_table(history: History) -> None:
    manifest = json.loads((history.settings.published_dir / "current" / "manifest.json").read_text("utf-8"))
    assert {one["name"]: one["keys"] for one in manifest["tables"]}["marts.dim_app"] == ["app_id"]
    assert set(manifest["fact_keys"]["fct_app_usage_day"]) == {
        "usage_on", "source", "app_id", "module_id", "release_end"
    }  # fmt: skip

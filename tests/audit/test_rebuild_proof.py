"""A published version is made again from landing alone, hash for hash; what was changed since is named."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import json
import shutil
from pathlib import Path

import pytest

from oneledger.audit.past_home import lay_out_project, link_releases, past_home
from oneledger.audit.rebuild_proof import prove_rebuild
from oneledger.audit.rebuild_verdict import equals_what_was_published
from oneledger.audit.restating import restatement
from oneledger.publishing.build import published_models
from oneledger.publishing.versions import current_version, resolve
from oneledger.settings import PROJECT_ROOT, ConfigurationError, load_settings
from oneledger.warehouse.releases import RELEASE_MARKS, Release, ReleasedRow, load_releases, record_release
from tests.audit.small_history import History, start
from tests.evaluation.conftest import story
from tests.evaluation.story import CORRECTION, Story

__all__ = ["story"]


@pytest.mark.soak
def test_an_older_version_is_proved_though_data_were_corrected_and_an_evaluation_was_confirmed_since(
    story: Story,
) -> None:
    lines: list[str] = []
    live = (story.settings.warehouse_path.stat().st_mtime_ns, (story.home / "published" / "current").readlink())
    # The nightly read the whole catalogue of the checkout; the proof says so when it reads another one.
    settings = dataclasses.replace(story.settings, catalogue_paths=load_settings().catalogue_paths)
    answer = prove_rebuild(settings, story.first_version, progress=lines.append)
    assert answer["ok"], answer["first_difference"]
    assert answer["rebuilt_content_hash"] == answer["content_hash"] == resolve(
        story.settings, story.first_version
    ).content_hash  # fmt: skip
    # The run that was made on this version was confirmed after it.
    assert answer["confirmed_count"] == 0
    assert (answer["changed_since"], answer["landing"], answer["batches"]) == ([], [], [])
    assert {one["month"] for one in answer["items"] if one["table"] == "marts.fct_app_usage_day"} >= {"2022-09"}
    assert all(one["content_hash"] == one["rebuilt_content_hash"] for one in answer["items"])
    assert any(line.startswith("landing: ") and "every byte as received" in line for line in lines)
    assert any(line.startswith("marts.app_usage_month: equal") for line in lines)
    assert live == (story.settings.warehouse_path.stat().st_mtime_ns, (story.home / "published" / "current").readlink())
    assert not list(story.settings.scratch_dir.glob("proof-*"))


@pytest.mark.soak
def test_a_changed_number_in_landing_is_named_with_its_file_and_the_cells_that_differ(
    story: Story, tmp_path: Path
) -> None:
    changed = story.copy(tmp_path / "home")
    (path,) = (changed.home / "landing" / "zheliban" / "usage" / "20220914" / "r001").glob("*.csv.gz")
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    heading = lines[0].split(",")
    cells = lines[1].split(",")
    cells[heading.index("浏览量")] = str(int(cells[heading.index("浏览量")]) + 1)
    path.write_bytes(gzip.compress("\n".join([lines[0], ",".join(cells), *lines[2:], ""]).encode("utf-8")))

    answer = changed.installation.json("rebuild", "--from-landing", "--prove", expected_code=1)
    assert not answer["ok"]
    assert answer["first_difference"].startswith("landing: zheliban.usage.20220914.r001:")
    assert [one["batch_id"] for one in answer["landing"]] == ["zheliban.usage.20220914.r001"]
    assert answer["confirmed_count"] == 1
    different = [one for one in answer["items"] if not one["ok"]]
    fact = next(one for one in different if one["table"] == "marts.fct_app_usage_day")
    assert fact["month"] == "2022-09"
    (cell,) = fact["cells"]
    assert (cell["column"], cell["key"]["usage_on"], cell["difference"]) == ("page_views_count", "2022-09-14", 1)
    assert "marts.dim_project" not in {one["table"] for one in different}


def test_a_correction_of_the_city_restates_just_what_it_touched_and_is_named_with_its_reason(
    story: Story,
) -> None:
    answer = restatement(story.settings, story.first_version, story.second_version)
    (batch,) = answer["came_between"]["batches"]
    assert batch["batch_id"] == "zheliban.usage.20220915.r002"
    assert {name: batch[f"correction_{name}"] for name in CORRECTION} == CORRECTION
    assert {one["app_id"] for one in answer["stars"]} == {story.app_id}
    by_table = {one["table"]: one for one in answer["items"]}
    (views, visitors) = sorted(by_table["marts.app_usage_month"]["cells"], key=lambda cell: cell["column"])
    assert (views["column"], views["difference"]) == ("page_views_count", 80_000)
    assert (visitors["column"], visitors["difference"]) == ("visitors_count", 40_000)
    assert visitors["key"]["app_id"] == story.app_id
    for name, item in by_table.items():
        if name in ("evaluation.evaluation_run", "evaluation.funding_share"):
            continue  # the confirmation came between too
        assert set(item["because"]["batches"]) <= {batch["batch_id"]}
        assert {key for cell in item["cells"] for key in cell["because"]["batches"]} <= {batch["batch_id"]}
    assert [one["state"] for one in answer["came_between"]["decisions"]] == ["confirmed"]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    return start(tmp_path, monkeypatch)


def test_only_the_releases_that_the_version_was_made_with_are_read_again(history: History) -> None:
    batch = "zheliban.usage.20220930.r001"

    def release(number: int, at: str) -> None:
        row = ReleasedRow("zheliban", "usage", batch, f"{batch}/data.csv", number, "pattern", "app_id")
        record_release(
            history.settings,
            Release("王敏", "编码规则已更正", False, (row,), {}, dt.datetime.fromisoformat(at), f"{at[:10]}-{number}"),
        )

    release(1, "2022-11-01T08:00:00+00:00")
    with history.warehouse() as connection:
        load_releases(connection, history.settings)
        connection.execute(
            f"update control.admitted_batch set contract_hash = 'c' || mark from ({RELEASE_MARKS}) as mark"
            " where admitted_batch.batch_id = mark.batch_id"
        )
    # Decided after admission and before the version was published; and after both.
    release(2, "2022-11-02T11:59:00+00:00")
    version = history.publish("2022-11-02T20:00:00+08:00")
    release(3, "2022-11-03T08:00:00+00:00")
    with past_home(history.settings, version) as home:
        assert link_releases(history.settings, home, version) == 1
        assert [path.stem for path in home.releases_dir.rglob("*.json")] == ["2022-11-01-1"]
    assert not home.home.exists()


def test_models_that_changed_since_are_said_to_be_so_and_the_versions_rules_are_put_in(
    history: History, tmp_path: Path
) -> None:
    project = history.settings.dbt_project_dir
    shutil.copytree(PROJECT_ROOT / "dbt_project", project, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("target", "logs"))  # fmt: skip
    version = history.publish("2022-11-02T20:00:00+08:00")
    rules = version.path / "evaluation" / "rules"
    rules.mkdir(parents=True)
    shutil.copy(project / "seeds" / "star_band.csv", rules)
    with past_home(history.settings, version) as home:
        assert lay_out_project(history.settings, home, version) == "as it is now"
    band = project / "seeds" / "star_band.csv"
    band.write_text(band.read_text("utf-8").replace("85", "86"), encoding="utf-8")
    with past_home(history.settings, version) as home:
        assert lay_out_project(history.settings, home, version) == "with the version's rules"
        assert published_models(home) == version.manifest["models_hash"]
    model = project / "models" / "marts" / "apps" / "dim_app.sql"
    model.write_text(model.read_text("utf-8") + "\n-- changed\n", encoding="utf-8")
    with past_home(history.settings, version) as home:
        lay_out_project(history.settings, home, version)
        assert published_models(home) != version.manifest["models_hash"]


def test_a_version_that_does_not_say_its_batches_cannot_be_proved(history: History) -> None:
    version = history.publish("2022-11-02T20:00:00+08:00")
    (version.path / "batches.parquet").unlink()
    with pytest.raises(ConfigurationError, match=r"holds no batches\.parquet"):
        prove_rebuild(history.settings)


def test_a_rebuild_in_place_says_whether_it_equals_what_was_published(history: History) -> None:
    first = history.publish("2022-11-02T20:00:00+08:00")
    assert equals_what_was_published(None, first) is None
    same = equals_what_was_published(first, current_version(history.settings))
    assert same is not None and same["is_equal"] and first.content_hash in same["told"]
    history.execute("update marts.dim_app set app_name = 'other'")
    other = equals_what_was_published(first, history.publish("2022-11-03T20:00:00+08:00"))
    assert other is not None and not other["is_equal"]
    assert other["tables"] == ["marts.dim_app"] and "oneledger restatement" in other["told"]


def test_a_version_names_the_commit_and_the_catalogue_that_it_was_made_with(history: History) -> None:
    manifest = json.loads((history.publish("2022-11-02T20:00:00+08:00").path / "manifest.json").read_text("utf-8"))
    assert manifest["code_commit"] is None
    assert len(manifest["catalogue_hash"]) == 64
    assert manifest["expected_entities"] == []

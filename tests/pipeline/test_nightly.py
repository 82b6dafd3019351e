"""The whole nightly on one small source of real files: published, unchanged, stopped by a gate, mended."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from oneledger.pipeline.nightly import Progress, RunReport, run
from oneledger.pipeline.runs import list_runs, status
from oneledger.pipeline.steps import STEPS
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import list_versions
from oneledger.settings import ConfigurationError, Settings, load_settings
from oneledger.warehouse.lock import WriterBusyError, writer_lock

CATALOGUE = """
sources:
  clinic:
    title_zh: 诊所
    title_en: Clinic
    owner: 某区卫健局
    connector: delimited
    connection: test_clinic
    defaults: {delivery: partition, max_age_hours: 50, on_new_column: warn, on_missing_column: refuse}
    entities:
      usage:
        title_zh: 使用情况
        title_en: Usage
        conforms_to: usage
        files: {pattern: 'clinic_(?P<business_date>\\d{8})\\.csv'}
        columns:
          usage_on: {from: day, type: date}
          app_id: {from: app}
          release_end: {constant: zheliban_app}
          visitors_count: {from: visitors}
  broken:
    title_zh: 断线来源
    title_en: A source that cannot be reached
    owner: 某处
    connector: delimited
    connection: test_broken
    defaults: {delivery: partition, max_age_hours: 50, on_new_column: warn, on_missing_column: refuse}
    entities:
      usage:
        title_zh: 使用情况
        title_en: Usage
        conforms_to: usage
        files: {pattern: 'broken_(?P<business_date>\\d{8})\\.csv'}
        columns: {usage_on: {from: day, type: date}, app_id: {from: app}, release_end: {constant: zheliban_app}}
"""
LAST_DAY = dt.date(2022, 10, 31)


def deliver(folder: Path, day: dt.date, apps: int = 20) -> None:
    rows = [f"{day},app-{i},{100 + 13 * i + day.day}" for i in range(apps)]
    (folder / f"clinic_{day:%Y%m%d}.csv").write_text("\n".join(["day,app,visitors", *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def drops(tmp_path: Path) -> Path:
    folder = tmp_path / "drops"
    folder.mkdir()
    for offset in range(10):
        deliver(folder, LAST_DAY - dt.timedelta(days=offset))
    return folder


@pytest.fixture
def settings(tmp_path: Path, drops: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The project's own shapes, with one source of this test beside them."""
    own = tmp_path / "clinic.yml"
    own.write_text(CATALOGUE, encoding="utf-8")
    root = load_settings().project_root
    monkeypatch.setenv("AIRFLOW_CONN_TEST_CLINIC", drops.as_uri())
    return Settings(
        home=tmp_path / "home",
        project_root=root,
        memory_limit="1GB",
        threads=2,
        catalogue_paths=(root / "config" / "sources.yml", own),
        as_of=LAST_DAY,
    )


def visitors_of(settings: Settings, report: RunReport) -> int:
    assert report.published is not None
    with open_version(settings, report.published) as connection:
        return int(connection.execute("select sum(visitors_count) from facts.fct_app_usage_day").fetchall()[0][0])


@pytest.mark.slow
def test_a_night_is_published_repeated_stopped_by_a_gate_and_mended(
    settings: Settings, drops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Progress] = []
    first = run(settings, ["clinic"], progress=seen.append)
    assert first.problem == ""
    assert first.verdict in ("good", "good_with_warnings")
    assert first.counts == {"received": 200, "accepted": 200, "quarantined": 0, "superseded": 0}
    assert [one["step"] for one in first.steps] == list(STEPS)
    assert [one.step for one in seen if one.is_end_of_step] == list(STEPS)
    before = visitors_of(settings, first)

    second = run(settings, ["clinic"])
    assert second.published == first.published
    assert [one["step"] for one in second.steps] == ["ingest", "admit", "publish"]
    assert len(list_versions(settings)) == 1

    deliver(drops, LAST_DAY, apps=3)
    said: list[Progress] = []
    stopped = run(settings, ["clinic"], progress=said.append)
    judging = next(one for one in said if one.step == "gate_sources")
    assert judging.step_seconds_left is not None
    assert judging.run_seconds_left is not None
    assert judging.run_seconds_left > judging.step_seconds_left > 0
    assert stopped.verdict == "not_published"
    assert "20221031: 3 rows, median 20" in stopped.problem
    assert "某区卫健局" in stopped.remedy
    assert stopped.published == first.published
    assert visitors_of(settings, stopped) == before
    answer = status(settings)
    assert answer["ok"] is False
    assert any("volume" in item["name"] and not item["ok"] for item in answer["items"])

    deliver(drops, LAST_DAY, apps=21)
    monkeypatch.setenv("AIRFLOW_CONN_TEST_BROKEN", (tmp_path / "no-such-folder").as_uri())
    mended = run(settings, ["clinic", "broken"])
    assert mended.verdict == "not_published"
    assert any(sentence.startswith("broken") for sentence in mended.missing)
    # A connected source that never delivered anything closes the gate; without it the night is published.
    monkeypatch.delenv("AIRFLOW_CONN_TEST_BROKEN")
    published = run(settings, ["clinic"])
    assert published.is_published
    assert visitors_of(settings, published) > before
    assert [one["verdict"] for one in list_runs(settings)][-1] == first.verdict


def test_a_run_without_a_connected_source_says_how_to_connect_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_TEST_CLINIC")
    with pytest.raises(ConfigurationError, match=r"connections\.env"):
        run(settings, ["clinic"])


def test_a_run_beside_another_writer_is_refused_before_it_fetches_or_records_anything(settings: Settings) -> None:
    with (
        writer_lock(settings, run_id="the-other", step="build_models"),
        pytest.raises(WriterBusyError, match="run the-other, step build_models"),
    ):
        run(settings, ["clinic"])
    assert not settings.landing_dir.exists()
    assert not settings.outcomes_dir.exists()

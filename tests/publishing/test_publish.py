"""Publishing a version: what it holds, when there is none to make, and what is shared between versions."""

from __future__ import annotations

import json

import duckdb
import pytest

from oneledger.outcomes import read_outcomes
from oneledger.publishing.publish import PublishRefusedError, publish
from oneledger.publishing.versions import PublishedVersion, current_version, list_versions, resolve
from oneledger.quality.gate_state import record_gate
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.built_models import BuiltModel, keep_build
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.outcomes_due import write_outcomes_due
from tests.publishing.conftest import add_usage, open_gates, opened


def test_a_version_holds_marts_and_evaluation_in_one_file_that_any_client_opens(settings: Settings) -> None:
    version = publish(settings, run_id="run-one")
    link = settings.published_dir / "current"
    assert link.is_symlink()
    assert link.resolve() == version.path
    with opened(link / "marts.duckdb") as marts:
        assert marts.execute("select sum(visitors_count) from marts.app_usage_month").fetchone() == (44,)
        assert marts.execute("select count(*) from marts.low_use").fetchone() == (2,)
        assert marts.execute("select stars from evaluation.app_stars").fetchone() == (5,)
        assert marts.execute(
            "select count(*) from duckdb_tables() where table_name = 'fct_app_usage_day'"
        ).fetchone() == (0,)
        assert marts.execute("select count(*) from duckdb_views() where not internal").fetchone() == (0,)
    assert not list(version.path.glob("*.wal"))
    assert not list(settings.published_dir.glob(".partial-*"))


def test_a_daily_fact_is_one_sorted_file_a_month(settings: Settings) -> None:
    version = publish(settings, run_id="run-one")
    files = version.fact_files("fct_app_usage_day")
    assert [file.name for file in files] == ["2022-09.parquet", "2022-10.parquet"]
    rows = duckdb.read_parquet(str(files[1])).fetchall()
    assert rows == sorted(rows, key=lambda row: (row[0], row[1]))
    assert {str(row[0]) for row in rows} == {"2022-10-31"}
    entry = next(one for one in version.manifest["facts"] if one["month"] == "2022-10")
    assert (entry["rows_count"], entry["size_bytes"]) == (20, files[1].stat().st_size)


def test_the_manifest_says_what_the_version_was_made_of(settings: Settings) -> None:
    version = publish(settings, run_id="run-one")
    manifest = json.loads((version.path / "manifest.json").read_text("utf-8"))
    assert manifest["version"] == version.path.name
    assert manifest["run_id"] == "run-one"
    assert manifest["as_of_on"] == "2022-10-31"
    assert manifest["previous_version"] is None
    assert manifest["batches"]["batches_count"] == 2
    rows = {table["name"]: table["rows_count"] for table in manifest["tables"]}
    assert rows["marts.app_usage_month"] == 3
    batches = duckdb.read_parquet(str(version.path / manifest["batches"]["file"]))
    assert batches.shape[0] == 2


def test_publishing_clears_the_dates_that_were_pending(settings: Settings) -> None:
    publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        assert connection.execute("select count(*) from control.pending_date").fetchone() == (0,)


def test_nothing_new_makes_no_new_version(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        connection.execute("update evaluation.app_stars set run_id = 'run-two'")
        connection.execute("insert into marts.run_outcome values ('o', 'run-two', 'admit', 'good', now()::timestamp)")
        open_gates(connection, "run-two")
    second = publish(settings, run_id="run-two")
    assert second.is_unchanged
    assert second.version == first.version
    assert [one.version for one in list_versions(settings)] == [first.version]
    verdicts = [one["verdict"] for one in read_outcomes(settings.outcomes_dir)]
    assert verdicts == ["good", "unchanged"]


def test_new_descriptions_alone_make_a_new_version_with_the_same_content(settings: Settings) -> None:
    """An edit of a model's YAML changes no number, but what is told of it."""

    def night(run_id: str, description: str, sql: str) -> PublishedVersion:
        described = {"description": description, "meta": {}, "columns": {}}
        with open_warehouse(settings) as connection:
            keep_build(
                connection,
                [BuiltModel("marts.app_usage_month", False, sql, (), "usage.sql", described=described)],
                is_full=True,
            )
            open_gates(connection, run_id)
        return publish(settings, run_id=run_id)

    first = night("run-one", "One row per app.", "select 1")
    assert night("run-two", "One row per app.", "select 1 -- as before").is_unchanged
    third = night("run-three", "One row per app and month.", "select 1")
    assert not third.is_unchanged
    assert third.content_hash == first.content_hash
    assert "One row per app and month." in (third.path / "lineage" / "models.json").read_text("utf-8")


def test_an_unchanged_month_is_shared_with_the_version_before_and_a_changed_one_written(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        add_usage(connection, "2022-10-31", 999)
        open_gates(connection)
    second = publish(settings, run_id="run-two")
    september, october = ([v.fact_files("fct_app_usage_day")[n] for v in (first, second)] for n in (0, 1))
    assert september[0].samefile(september[1])
    assert not october[0].samefile(october[1])
    assert duckdb.read_parquet(str(october[0])).max("visitors_count").fetchone() == (219,)
    assert duckdb.read_parquet(str(october[1])).max("visitors_count").fetchone() == (1018,)


def test_only_pending_months_are_read_from_the_warehouse(settings: Settings) -> None:
    publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        add_usage(connection, "2022-10-31", 999)
        connection.execute("update marts.fct_app_usage_day set visitors_count = -1 where usage_on = '2022-09-30'")
        open_gates(connection)
    version = publish(settings, run_id="run-two")
    september = duckdb.read_parquet(str(version.fact_files("fct_app_usage_day")[0]))
    assert september.min("visitors_count").fetchone() == (100,)


def test_changed_models_have_every_month_compared(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    (settings.dbt_project_dir / "models" / "a.sql").write_text("select 2", encoding="utf-8")
    with open_warehouse(settings) as connection:
        connection.execute("update marts.fct_app_usage_day set visitors_count = 0 where usage_on = '2022-09-30'")
        open_gates(connection)
    version = publish(settings, run_id="run-two")
    assert duckdb.read_parquet(str(version.fact_files("fct_app_usage_day")[0])).max("visitors_count").fetchone() == (0,)
    assert version.fact_files("fct_app_usage_day")[1].samefile(first.fact_files("fct_app_usage_day")[1])


def test_a_closed_gate_keeps_the_published_version(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        add_usage(connection, "2022-10-30", 1)
        open_gates(connection)
        record_gate(connection, "marts", run_id="run-two", is_open=False, as_of=None)
    with pytest.raises(PublishRefusedError, match="gate marts is closed since its checks in run run-two"):
        publish(settings, run_id="run-two")
    assert current_version(settings) == first
    assert [one["verdict"] for one in read_outcomes(settings.outcomes_dir, "run-two")] == ["failed"]


def test_gates_that_judged_other_data_do_not_allow_publishing(settings: Settings) -> None:
    publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        add_usage(connection, "2022-11-01", 1)
    with pytest.raises(PublishRefusedError, match="gate sources last ran on other data"):
        publish(settings, run_id="run-two")


def test_the_hash_is_the_same_for_permuted_rows_and_other_batches(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        for table in ("marts.app_usage_month", "marts.fct_app_usage_day"):
            connection.execute(f"create or replace table {table} as from {table} order by hash(app_id) desc")
        connection.execute("update marts.fct_app_usage_day set _batch_id = 'another'")
        connection.execute("insert into control.pending_date select distinct 'usage', usage_on"
                           " from marts.fct_app_usage_day")  # fmt: skip
        open_gates(connection)
    assert publish(settings, run_id="run-two").content_hash == first.content_hash


@pytest.mark.parametrize(
    "change",
    [
        "update marts.app_usage_month set visitors_count = 31 where app_id = 'a1'",
        "update marts.app_usage_month set page_views_count = 0 where page_views_count is null",
        "insert into marts.app_usage_month select * from marts.app_usage_month where app_id = 'a1'",
        "delete from evaluation.app_stars",
        "create table marts.another (i integer)",
    ],
)
def test_any_change_of_the_data_changes_the_hash(settings: Settings, change: str) -> None:
    first = publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        connection.execute(change)
    second = publish(settings, run_id="run-two")
    assert second.content_hash != first.content_hash
    assert second.manifest["previous_version"] == first.version


def test_a_version_is_found_by_its_name_the_start_of_its_hash_or_not_at_all(settings: Settings) -> None:
    version = publish(settings, run_id="run-one")
    assert resolve(settings, version.version) == version
    assert resolve(settings, version.content_hash[:12]) == version
    with pytest.raises(ConfigurationError, match="'1999' is no published version"):
        resolve(settings, "1999")


def test_a_clock_that_went_back_does_not_hide_the_new_version(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    future = first.path.rename(first.path.with_name("29991231T000000.000Z-" + first.content_hash[:8]))
    link = settings.published_dir / "current"
    link.unlink()
    link.symlink_to(future.name)
    with open_warehouse(settings) as connection:
        connection.execute("delete from evaluation.app_stars")
    version = publish(settings, run_id="run-two")
    assert list_versions(settings)[-1] == version
    assert current_version(settings) == version


def publications(settings: Settings) -> list[tuple[str, str]]:
    return [(one["run_id"], one["verdict"]) for one in read_outcomes(settings.outcomes_dir) if one["step"] == "publish"]


@pytest.mark.parametrize("where", ["note_published", "record_outcome"])
def test_a_version_whose_process_ended_before_it_could_tell_of_it_is_recorded_once_by_what_follows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def end(*_: object, **__: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(f"oneledger.publishing.publish.{where}", end)
        with pytest.raises(SystemExit):
            publish(settings, run_id="run-one")
    assert publications(settings) == []
    with open_warehouse(settings) as connection:
        write_outcomes_due(connection, settings)  # as the next admission does
    publish(settings, run_id="run-two")
    publish(settings, run_id="run-three")
    assert publications(settings) == [("run-one", "good"), ("run-two", "unchanged"), ("run-three", "unchanged")]

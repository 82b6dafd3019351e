"""Asking a published version, keeping the answer in a file, and comparing with the published figures."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import openpyxl
import pytest

from oneledger.audit.anchors import anchor_of_version
from oneledger.publishing.export import export
from oneledger.publishing.publish import publish
from oneledger.publishing.query import QueryRefusedError, open_version, run_query
from oneledger.publishing.reconcile import reconcile
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.connection import open_warehouse


@pytest.fixture
def version(settings: Settings) -> PublishedVersion:
    return publish(settings, run_id="run-one")


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("select visitors_count from marts.app_usage_month where app_id = 'a1'", [(30,)]),
        ("select stars from evaluation.app_stars", [(5,)]),
        ("select count(*) from facts.fct_app_usage_day", [(40,)]),
        ("select max(visitors_count) from marts.fct_app_usage_day where usage_on >= date '2022-10-01'", [(219,)]),
        ("with low as (from low_use) select count(*) from low", [(2,)]),
    ],
)
def test_marts_evaluation_and_facts_are_seen_under_their_names(
    settings: Settings, version: PublishedVersion, sql: str, answer: list[tuple[int]]
) -> None:
    with open_version(settings, version) as connection:
        assert run_query(connection, sql)[1].fetchall() == answer


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("delete from marts.app_usage_month", "DELETE"),
        ("create table x as select 1", "CREATE"),
        ("copy marts.app_usage_month to '/tmp/stolen.csv'", "COPY"),
        ("attach '/tmp/other.duckdb'", "ATTACH"),
        ("set enable_external_access = true", "SET"),
        ("select 1; select 2", "2 statements"),
        ("selec 1", "cannot read this SQL"),
    ],
)
def test_what_would_write_is_refused_with_the_reason(
    settings: Settings, version: PublishedVersion, sql: str, word: str
) -> None:
    with open_version(settings, version) as connection, pytest.raises(QueryRefusedError, match=word):
        run_query(connection, sql)


def test_a_query_sees_no_file_outside_the_version(settings: Settings, version: PublishedVersion) -> None:
    secret = settings.home / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    with open_version(settings, version) as connection, pytest.raises(QueryRefusedError, match="disabled"):
        run_query(connection, f"from read_csv('{secret}')")


def test_an_unknown_table_is_answered_with_those_that_there_are(settings: Settings, version: PublishedVersion) -> None:
    with open_version(settings, version) as connection, pytest.raises(QueryRefusedError, match="app_usage_month"):
        run_query(connection, "from marts.no_such_table")


def test_a_csv_cell_that_would_run_as_a_formula_is_made_text(
    settings: Settings, version: PublishedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "usage.csv"
    made = export(settings, version, out=out, file_format="csv", table="app_usage_month")
    with out.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert made.rows_count == len(rows) == 3
    assert made.escaped_cells_count == 1
    assert sorted(row["note"] for row in rows) == ["'=cmd|calc", "公共自行车", "公共自行车"]
    assert sorted(row["page_views_count"] for row in rows) == ["", "", "300"]


def test_an_excel_file_has_a_frozen_header_text_cells_and_a_sheet_of_definitions(
    settings: Settings, version: PublishedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "usage.xlsx"
    export(settings, version, out=out, file_format="xlsx", table="marts.app_usage_month")
    book = openpyxl.load_workbook(out)
    data, definitions = book.worksheets
    assert data.freeze_panes == "A2"
    notes = {data.cell(row, 7).value: data.cell(row, 7).data_type for row in range(2, 5)}
    assert notes == {"=cmd|calc": "s", "公共自行车": "s"}
    told = {row[0]: row[1] for row in definitions.iter_rows(values_only=True)}
    assert told["visitors_count"] == "Distinct visitors, summed over days"
    assert told["表 table"] == "One row per app, release end and month."
    assert told["版本 version"] == version.version
    sealed = anchor_of_version(settings, version.version)
    assert sealed is not None and told["存证锚 anchor"] == sealed.anchor


def test_a_parquet_export_holds_the_answer_and_where_it_came_from(
    settings: Settings, version: PublishedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "answer.parquet"
    export(settings, version, out=out, file_format="parquet", sql="select app_id from fct_app_usage_day limit 7;")
    assert duckdb.read_parquet(str(out)).shape == (7, 1)
    told = duckdb.sql(f"select decode(value) from parquet_kv_metadata('{out}') where decode(key) like 'oneledger_v%'")
    assert told.fetchone() == (version.version,)


def test_an_existing_file_is_replaced_only_by_force(
    settings: Settings, version: PublishedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "usage.csv"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="--force"):
        export(settings, version, out=out, file_format="csv", table="app_usage_month")
    assert out.read_text("utf-8") == "mine"
    export(settings, version, out=out, file_format="csv", table="app_usage_month", force=True)
    assert out.read_text("utf-8") != "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


def test_matching_figures_are_good_and_a_differing_one_says_what_to_do(
    settings: Settings, version: PublishedVersion
) -> None:
    answer = reconcile(settings)
    assert (answer["ok"], len(answer["items"])) == (True, 1)
    with open_warehouse(settings) as connection:
        connection.execute("update marts.published_figure set computed_value = 1792, difference = -1,"
                           " is_matched = false")  # fmt: skip
    publish(settings, run_id="run-two")
    answer = reconcile(settings)
    assert answer["ok"] is False
    item = answer["items"][0]
    assert "1792" in item["problem"]
    assert "reply, p. 3" in item["expected"]
    assert "marts.dim_project" in item["remedy"]
    assert f"`oneledger trace figure {item['figure_id']}`" in item["remedy"]
    assert reconcile(settings, version.version)["ok"] is True


def test_without_a_published_version_the_message_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="oneledger run"):
        reconcile(Settings(home=tmp_path))

"""The nightly on the reference city, through the command line, with the sources' real protocols."""

from __future__ import annotations

from tests.end_to_end.conftest import Installation

MARTS_OF_THE_INTERFACE = {
    "published_figure": {"figure_id", "title_zh", "title_en", "published_value", "computed_value", "difference",
                         "mart", "filter"},
    "app_usage_month": {"app_id", "release_end", "month", "visitors_count", "page_views_count"},
    "run_outcome": {"run_id", "step", "entity", "batch_id", "received_count", "accepted_count", "quarantined_count",
                    "superseded_count", "verdict", "started_at", "ended_at"},
    "app_stars": {"run_id", "period", "app_id", "stars", "score", "status", "rule_version"},
    "indicator_points": {"run_id", "app_id", "indicator_id", "numerator", "denominator", "value", "points", "weight",
                         "status", "reason", "rule_version"},
}  # fmt: skip


def test_every_published_figure_comes_out_of_the_computation(reference_city: Installation) -> None:
    answer = reference_city.json("reconcile")
    assert answer["ok"] is True
    assert len(answer["items"]) >= 30
    assert {item["is_matched"] for item in answer["items"]} == {True}


def test_changing_one_row_of_a_source_makes_the_reconciliation_fail(changed_city: Installation) -> None:
    for fault in ("changed_project_level", "changed_request_month"):
        (made,) = changed_city.json("city", "break", fault)["items"]
        assert made["decision"] == "reconcile"
    changed_city.run(expected_code=None)
    answer = changed_city.json("reconcile", expected_code=1)
    assert answer["ok"] is False
    differing = {item["figure_id"]: item for item in answer["items"] if not item["is_matched"]}
    assert {item["difference"] for item in differing.values()} == {1, -1}
    assert all(item["problem"] and item["expected"] and item["remedy"] for item in differing.values())
    assert "marts.dim_project" in {item["mart"] for item in differing.values()}
    assert [item["computed_value"] for item in differing.values() if item["published_value"] == 474] == [473]


def test_a_second_run_with_nothing_new_leaves_the_same_content(changed_city: Installation) -> None:
    before = changed_city.content_hash()
    changed_city.run()
    assert changed_city.content_hash() == before


def test_received_rows_are_accepted_quarantined_or_superseded(reference_city: Installation) -> None:
    with reference_city.marts() as marts:
        admitted = marts.execute(
            "select received_count, accepted_count, quarantined_count, superseded_count"
            " from marts.run_outcome where step = 'admit' and received_count is not null"
        ).fetchall()
    assert admitted
    assert all(received == accepted + quarantined + superseded
               for received, accepted, quarantined, superseded in admitted)  # fmt: skip
    assert sum(quarantined for _, _, quarantined, _ in admitted) > 0


def test_published_marts_hold_the_tables_that_others_rely_on(reference_city: Installation) -> None:
    with reference_city.marts() as marts:
        for table, wanted in MARTS_OF_THE_INTERFACE.items():
            found = {row[0] for row in marts.execute(
                "select column_name from duckdb_columns() where table_name = ? and schema_name in"
                " ('marts', 'evaluation')", [table]).fetchall()}  # fmt: skip
            assert wanted <= found, f"{table} lacks {wanted - found}"


def test_daily_facts_lie_beside_the_marts_one_file_a_month(reference_city: Installation) -> None:
    files = sorted((reference_city.home / "published/current/facts/fct_app_usage_day").glob("*.parquet"))
    assert [file.stem for file in files] == [f"{2021 + n // 12}-{n % 12 + 1:02d}" for n in range(22)]


def test_published_versions_are_complete_after_the_writer_is_gone(reference_city: Installation) -> None:
    current = reference_city.home / "published" / "current"
    assert current.is_symlink()
    assert not list((reference_city.home / "published").glob(".partial-*"))


def test_status_of_a_good_installation_is_good_and_names_the_day(reference_city: Installation) -> None:
    answer = reference_city.json("status")
    assert answer["ok"] is True
    assert "2022-10-31" in str(answer)


def test_two_installations_from_the_same_seed_publish_the_same_content(
    reference_city: Installation, tmp_path_factory
) -> None:
    other = Installation(tmp_path_factory.mktemp("again"))
    other.oneledger("city", "build", "--to", "2022-10-31")
    other.run()
    assert other.content_hash() == reference_city.content_hash()

"""The nightly on the reference city, through the command line, with the sources' real protocols."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.soak
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


@pytest.mark.soak
def test_what_a_number_is_followed_back_by_is_shared_with_the_version_before_unless_it_changed(
    changed_city: Installation,
) -> None:
    before = (changed_city.home / "published" / "current").resolve()
    changed_city.json("city", "break", "changed_request_month")
    changed_city.run(expected_code=None)
    inputs = Path("lineage", "inputs")
    fresh = (changed_city.home / "published" / "current").resolve()
    assert fresh != before
    shared = {
        str(path.relative_to(before / inputs))
        for path in (before / inputs).glob("*/*.parquet")
        if path.samefile(fresh / path.relative_to(before))
    }
    assert {"admitted.irs__interface_call/2022-09.parquet", "admitted.irs__app/all.parquet"} <= shared
    assert "admitted.irs__sharing_request/all.parquet" not in shared


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


def test_no_id_name_or_text_of_the_reference_city_is_taken_for_personal_data(reference_city: Installation) -> None:
    with reference_city.marts() as connection:
        told = connection.execute(
            "select source, entity, message from marts.run_outcome where detail::varchar like '%personal_data%'"
        ).fetchall()
    held = [one for one in reference_city.json("quarantine", "list")["items"] if one["rule_id"] == "personal_data"]
    assert (told, held) == ([], [])


def test_published_marts_hold_the_tables_that_others_rely_on(reference_city: Installation) -> None:
    with reference_city.marts() as marts:
        for table, wanted in MARTS_OF_THE_INTERFACE.items():
            found = {row[0] for row in marts.execute(
                "select column_name from duckdb_columns() where table_name = ? and schema_name in"
                " ('marts', 'evaluation')", [table]).fetchall()}  # fmt: skip
            assert wanted <= found, f"{table} lacks {wanted - found}"


def test_planted_duplicates_and_made_up_use_are_found_and_nothing_else(reference_city: Installation) -> None:
    from oneledger.city.duplicates import LOOK_ALIKES

    with reference_city.marts() as marts:
        pairs = marts.execute(
            "select first_app_name, second_app_name from evaluation.merge_candidate where is_candidate"
        ).fetchall()
        flags = marts.execute(
            "select kind, count(*) filter (where is_in_scope), count(*) from evaluation.suspicious_use"
            " group by kind order by kind"
        ).fetchall()
        stars = marts.execute("select stars, count(*) from evaluation.app_stars group by stars").fetchall()
    assert {frozenset(pair) for pair in pairs} == {
        frozenset((one.beside, one.name)) for one in LOOK_ALIKES if one.is_duplicate
    }
    assert flags == [
        ("night_visits", 1, 2), ("one_end_only", 0, 1), ("same_value_day_after_day", 0, 1),
        ("spike_before_cut_off", 1, 2), ("visits_without_starts", 0, 1),
    ]  # fmt: skip
    assert dict(stars) == {5: 28, 4: 40, 3: 82, None: 48}


def test_every_app_in_scope_and_every_budget_is_accounted_for(reference_city: Installation) -> None:
    with reference_city.marts() as marts:
        dispositions = marts.execute(
            "select coalesce(disposition, reason), count(*) from evaluation.disposition where subject_kind = 'app'"
            " group by all"
        ).fetchall()
        depth = marts.execute("select count(*) from evaluation.project_score where is_in_depth").fetchone()
        shares = marts.execute(
            "select (select count(*) from evaluation.funding_share), (select count(*) from marts.budget_execution),"
            " sum(payable_cny) + sum(withheld_cny) - sum(budget_cny) filter (where state = 'computed')"
            " from evaluation.funding_share"
        ).fetchone()
    assert sum(count for _, count in dispositions) == 198
    assert {"keep", "improve", "merge", "transfer", "suspend", "shut_down"} == {name for name, _ in dispositions}
    assert depth == (10,)
    assert shares is not None and shares[0] == shares[1] > 0 and shares[2] == 0


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


@pytest.mark.soak
def test_two_installations_from_the_same_seed_publish_the_same_content(
    reference_city: Installation, tmp_path_factory
) -> None:
    other = Installation(tmp_path_factory.mktemp("again"))
    other.oneledger("city", "build", "--to", "2022-10-31")
    other.run()
    assert other.content_hash() == reference_city.content_hash()


@pytest.mark.soak
def test_the_city_made_again_from_landing_alone_equals_what_was_published_hash_for_hash(
    reference_city: Installation,
) -> None:
    before = reference_city.content_hash()
    answer = reference_city.json("rebuild", "--from-landing", "--prove")
    assert answer["rebuilt_content_hash"] == answer["content_hash"] == before
    assert all(item["content_hash"] == item["rebuilt_content_hash"] for item in answer["items"])
    months = [item["month"] for item in answer["items"] if item["table"] == "marts.fct_app_usage_day"]
    assert len(months) == 22

"""Admission: which batches count, what happens to their rows, and what a failure leaves."""

from __future__ import annotations

import datetime as dt

import pytest

from oneledger.outcomes import read_outcomes
from oneledger.warehouse import entity_admission
from oneledger.warehouse.entity_admission import EntityAdmission
from oneledger.warehouse.lock import WriterBusyError, writer_lock
from tests.warehouse.conftest import Installation, Row, usage

VISITORS = "select app_id, visitors_count from admitted.usage order by all"


def project(project_id: str, budget: str | None = "1", level: str = "市本级") -> Row:
    return {"project_id": project_id, "level": level, "budget_cny": budget}


def app(app_id: str, side: str, updated_at: str) -> Row:
    return {"app_id": app_id, "side": side, "updated_at": updated_at}


def test_the_counts_of_every_batch_add_up_and_are_recorded(installation: Installation) -> None:
    rows = [usage("A"), usage("A"), usage("B"), usage("C", "1"), usage("C", "2"), usage("", "1"), usage("D", "many")]
    batch_id = installation.deliver("portal", "usage", "20220601", rows)
    (outcome,) = installation.admit()
    counts = (outcome.received_count, outcome.accepted_count, outcome.quarantined_count, outcome.superseded_count)
    assert counts == (7, 2, 4, 1)
    assert (outcome.verdict, outcome.batch_id) == ("warning", batch_id)
    assert installation.rows("select count(*) from admitted.usage") == [(2,)]
    assert installation.rows("select count(distinct row_number) from quarantine.row") == [(4,)]
    assert [record["outcome_id"] for record in read_outcomes(installation.settings.outcomes_dir)] == [
        outcome.outcome_id
    ]
    assert installation.admit() == []


def test_a_redelivered_day_replaces_the_day_and_touches_no_other(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1"), usage("B", "2")])
    installation.deliver("portal", "usage", "20220602", [usage("A", "3", "2022-06-02")])
    installation.admit()
    installation.write("delete from control.pending_date")
    installation.deliver("portal", "usage", "20220601", [usage("A", "9"), usage("C", "1", "2022-05-31")], revision=2)
    (outcome,) = installation.admit()
    assert outcome.detail["replaces"] == ["portal.usage.20220601.r001"]
    assert installation.rows(VISITORS) == [("A", 3), ("A", 9), ("C", 1)]
    assert installation.rows("select usage_on from control.pending_date order by 1") == [
        (dt.date(2022, 5, 31),),
        (dt.date(2022, 6, 1),),
    ]


def test_a_corrected_file_takes_its_rows_out_of_quarantine(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "ten"), usage("B", "2")])
    installation.deliver("portal", "usage", "20220602", [usage("A", "x", "2022-06-02")])
    installation.admit()
    installation.deliver("portal", "usage", "20220601", [usage("A", "10"), usage("B", "2")], revision=2)
    installation.admit()
    assert installation.rows("select batch_id, value from quarantine.row") == [("portal.usage.20220602.r001", "x")]
    assert installation.rows(VISITORS) == [("A", 10), ("B", 2)]


def test_a_revision_that_was_overtaken_before_admission_counts_as_superseded(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1")])
    installation.deliver("portal", "usage", "20220601", [usage("A", "2")], revision=2)
    overtaken, admitted = installation.admit()
    assert (overtaken.batch_id, overtaken.received_count, overtaken.superseded_count) == (
        "portal.usage.20220601.r001", 1, 1,
    )  # fmt: skip
    assert (admitted.batch_id, admitted.accepted_count) == ("portal.usage.20220601.r002", 1)
    assert installation.rows(VISITORS) == [("A", 2)]


def test_of_a_full_delivery_the_newest_row_of_each_record_stands_and_omitted_ones_are_marked(
    installation: Installation,
) -> None:
    installation.deliver("library", "project", "20220601", [project("P1"), project("P2"), project("P3")])
    installation.deliver("library", "project", "20220602", [project("P1", "5"), project("P3", "-1")])
    installation.admit()
    standing = "select project_id, budget_cny::integer, _is_omitted from admitted.library__project order by 1"
    # P3 came broken: it is neither omitted nor overwritten.
    assert installation.rows(standing) == [("P1", 50_000, False), ("P2", 10_000, True), ("P3", 10_000, False)]
    installation.deliver("library", "project", "20220603", [project("P2", "7"), project("P3", "3")])
    installation.admit()
    assert installation.rows(standing) == [("P1", 50_000, True), ("P2", 70_000, False), ("P3", 30_000, False)]
    assert installation.rows("select count(*) from quarantine.row") == [(0,)]


def test_a_late_full_delivery_does_not_overwrite_a_newer_one(installation: Installation) -> None:
    installation.deliver("library", "project", "20220603", [project("P1", "3")])
    installation.admit()
    installation.deliver("library", "project", "20220602", [project("P1", "2"), project("P2", "2")])
    outcomes = installation.admit()
    assert {outcome.detail.get("is_recomputed") for outcome in outcomes} == {True}
    standing = "select project_id, budget_cny::integer, _is_omitted from admitted.library__project order by 1"
    assert installation.rows(standing) == [
        ("P1", 30_000, False),
        ("P2", 20_000, True),
    ]


def test_of_changes_the_row_changed_last_stands_whichever_batch_came_last(installation: Installation) -> None:
    installation.deliver("irs", "app", "20220601", [app("a", "service", "2022-06-01T10:00:00")])
    installation.admit()
    installation.deliver(
        "irs", "app", "20220602", [app("a", "governance", "2022-05-30T10:00:00"), app("b", "service", "2022-06-02")]
    )
    installation.admit()
    installation.deliver("irs", "app", "20220602", [app("b", "governance", "2022-06-02")], revision=2)
    installation.admit()
    assert installation.rows("select app_id, side from admitted.irs__app order by 1") == [
        ("a", "service"),
        ("b", "governance"),
    ]


def test_a_changed_record_twice_in_one_answer_is_no_conflict_the_older_is_superseded(
    installation: Installation,
) -> None:
    rows = [app("a", "service", "2022-06-01T10:00:00"), app("a", "governance", "2022-06-01T11:00:00")]
    installation.deliver("irs", "app", "20220601", rows)
    (outcome,) = installation.admit()
    assert (outcome.accepted_count, outcome.superseded_count, outcome.quarantined_count) == (1, 1, 0)
    assert installation.rows("select side from admitted.irs__app") == [("governance",)]


def test_an_entity_that_fails_leaves_the_others_admitted_and_its_own_rows_as_they_were(
    installation: Installation,
) -> None:
    installation.deliver("library", "project", "20220601", [project("P1")])
    installation.admit()
    batch_id = installation.deliver("library", "project", "20220602", [project("P1", "2")])
    raw = installation.settings.raw_dir / "library" / "project" / f"{batch_id}.parquet"
    whole = raw.read_bytes()
    raw.write_bytes(b"no parquet")
    installation.deliver("irs", "app", "20220601", [app("a", "service", "2022-06-01")])
    failed, admitted = installation.admit()
    assert (failed.verdict, failed.entity) == ("failed", "project")
    assert raw.name in failed.message
    assert (admitted.verdict, admitted.entity) == ("good", "app")
    assert installation.rows("select budget_cny::integer from admitted.library__project") == [(10_000,)]
    raw.write_bytes(whole)
    installation.admit()
    assert installation.rows("select budget_cny::integer from admitted.library__project") == [(20_000,)]


def test_an_admission_broken_off_leaves_nothing_half(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1")])
    installation.admit()
    installation.deliver("portal", "usage", "20220601", [usage("A", "2"), usage("B", "x")], revision=2)

    def break_off(self: EntityAdmission, counts: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(EntityAdmission, "_note_admitted", break_off)
        with pytest.raises(KeyboardInterrupt):
            installation.admit()
    assert installation.rows(VISITORS) == [("A", 1)]
    assert installation.rows("select count(*) from quarantine.row") == [(0,)]
    assert installation.rows("select batch_id from control.admitted_batch") == [("portal.usage.20220601.r001",)]
    installation.admit()
    assert installation.rows(VISITORS) == [("A", 2)]


def test_a_process_killed_before_it_wrote_its_outcomes_has_them_written_by_the_next(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1")])
    with monkeypatch.context() as patched:
        patched.setattr("oneledger.warehouse.outcomes_due.record_outcome", _killed)
        with pytest.raises(KeyboardInterrupt):
            installation.admit()
    assert installation.rows(VISITORS) == [("A", 1)]
    (outcome,) = installation.admit()
    assert (outcome.batch_id, outcome.accepted_count) == ("portal.usage.20220601.r001", 1)
    assert [record["batch_id"] for record in read_outcomes(installation.settings.outcomes_dir)] == [outcome.batch_id]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_many_batches_in_small_chunks_give_what_one_chunk_gives(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entity_admission, "_FEWEST_ROWS_A_CHUNK", 3)
    monkeypatch.setattr(entity_admission, "_MOST_ROWS_A_CHUNK", 3)
    for day in range(1, 8):
        on = f"2022-06-{day:02d}"
        installation.deliver("portal", "usage", f"202206{day:02d}", [usage("A", "1", on), usage("B", "1", on)])
        installation.deliver("library", "project", f"202206{day:02d}", [project(f"P{day}"), project("P0", str(day))])
    outcomes = installation.admit()
    assert [outcome.accepted_count for outcome in outcomes] == [2] * 14
    assert installation.rows("select count(*), count(distinct usage_on) from admitted.usage") == [(14, 7)]
    assert installation.rows(
        "select project_id, budget_cny::integer from admitted.library__project where not _is_omitted order by 1"
    ) == [("P0", 70_000), ("P7", 10_000)]


def test_raw_rows_that_do_not_carry_their_batch_are_refused(installation: Installation) -> None:
    batch_id = installation.deliver("portal", "usage", "20220601", [usage("A")])
    folder = installation.settings.raw_dir / "portal" / "usage"
    other = installation.deliver("portal", "usage", "20220602", [usage("A"), usage("B")])
    (folder / f"{other}.parquet").replace(folder / f"{batch_id}.parquet")
    (outcome,) = installation.admit()
    assert outcome.verdict == "failed"
    assert "raw holds 2 rows, 0 of them carry its batch id" in outcome.message


def test_a_raw_file_without_its_manifest_is_named(installation: Installation) -> None:
    batch_id = installation.deliver("portal", "usage", "20220601", [usage("A")])
    (installation.settings.landing_dir / "portal/usage/20220601/r001/manifest.json").unlink()
    (outcome,) = installation.admit()
    assert outcome.verdict == "failed"
    assert f"The raw rows of batch {batch_id} are there, its manifest" in outcome.message


def test_admission_is_refused_while_another_run_writes(installation: Installation) -> None:
    with (
        writer_lock(installation.settings, run_id="nightly", step="publish"),
        pytest.raises(WriterBusyError, match="run nightly, step publish"),
    ):
        installation.admit()


def test_a_changed_rule_admits_the_entity_anew(installation: Installation) -> None:
    installation.deliver("irs", "app", "20220601", [app("a", "service", "2022-06-01"), app("b", "both", "2022-06-01")])
    installation.admit()
    assert installation.rows("select app_id from admitted.irs__app") == [("a",)]
    entity = installation.catalogue.entity("irs", "app")
    columns = tuple(
        column.model_copy(update={"allowed": ("service", "governance", "both")}) if column.name == "side" else column
        for column in entity.columns
    )
    source = installation.catalogue.source("irs")
    changed = source.model_copy(update={"entities": {"app": entity.model_copy(update={"columns": columns})}})
    installation.catalogue = installation.catalogue.model_copy(
        update={"sources": installation.catalogue.sources | {"irs": changed}}
    )
    installation.admit()
    assert installation.rows("select app_id from admitted.irs__app order by 1") == [("a",), ("b",)]
    assert installation.rows("select count(*) from quarantine.row") == [(0,)]


def test_a_column_added_to_the_shape_makes_the_table_again_with_all_its_rows(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1")])
    installation.admit()
    installation.write("delete from control.pending_date")
    entity = installation.catalogue.entity("portal", "usage")
    added = entity.columns[-1].model_copy(update={"name": "exits_count", "type": "integer", "source_name": None})
    source = installation.catalogue.source("portal")
    changed = source.model_copy(
        update={"entities": {"usage": entity.model_copy(update={"columns": (*entity.columns, added)})}}
    )
    installation.catalogue = installation.catalogue.model_copy(
        update={"sources": installation.catalogue.sources | {"portal": changed}}
    )
    installation.admit()
    assert installation.rows("select app_id, visitors_count, exits_count from admitted.usage") == [("A", 1, None)]
    assert installation.rows("select usage_on from control.pending_date") == [(dt.date(2022, 6, 1),)]

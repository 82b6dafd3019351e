"""Letting quarantined rows in: by mending, by a person's decision, by a corrected file; and what is never let in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from oneledger.audit.ledger import newest_entry
from oneledger.audit.verifying import verify
from oneledger.catalogue import load_catalogue
from oneledger.outcomes import new_run_id
from oneledger.quality.quarantine import Filter, quarantine_counts, quarantined_rows
from oneledger.quality.quarantine_workbook import export_quarantine
from oneledger.quality.release import ReleaseReport, release_rows, released_decisions
from oneledger.settings import ConfigurationError
from oneledger.warehouse.rebuild import rebuild
from tests.warehouse.conftest import CATALOGUE, Installation, Row, usage

VISITORS = "select app_id, visitors_count from admitted.usage order by all"
BUDGETS = "select project_id, budget_cny::bigint from admitted.library__project order by 1"
PERSON = "330502199003074513"


def release(installation: Installation, chosen: Filter, **how: bool) -> ReleaseReport:
    return release_rows(
        installation.settings, installation.catalogue, chosen,
        name="王芳", reason="核对无误", run_id=new_run_id(), **how,
    )  # fmt: skip


def with_catalogue(installation: Installation, folder: Path, old: str, new: str) -> None:
    """Mend the catalogue, as an operator would."""
    assert old in CATALOGUE
    path = folder / "mended.yml"
    path.write_text(CATALOGUE.replace(old, new), encoding="utf-8")
    installation.settings = dataclasses.replace(installation.settings, catalogue_paths=(path,))
    installation.catalogue = load_catalogue(installation.settings)


def projects(budgets: dict[str, str]) -> list[Row]:
    return [{"project_id": key, "level": "市本级", "budget_cny": value} for key, value in budgets.items()]


def test_a_row_that_still_breaks_its_rule_stays_unless_a_person_takes_it_as_it_is(installation: Installation) -> None:
    rows = [usage("A", starts_count="5", completions_count="9"), usage("B", "2")]
    installation.deliver("portal", "usage", "20220601", rows)
    installation.admit()
    chosen = Filter("portal", rule_id="completions_within_starts")
    report = release(installation, chosen)
    assert (report.kept, report.release) == ({"completions_within_starts": 1}, None)
    tried = release(installation, chosen, is_anyway=True, is_dry_run=True)
    assert (tried.waived_count, tried.release) == (1, None)
    assert installation.rows(VISITORS) == [("B", 2)]
    taken = release(installation, chosen, is_anyway=True)
    assert [(one.accepted_count, one.quarantined_count) for one in taken.admitted] == [(2, 0)]
    assert installation.rows(VISITORS) == [("A", 10), ("B", 2)]
    assert installation.rows("select rule_id from checks.row_finding") == [("completions_within_starts",)]
    assert [
        (one["name"], one["rows_count"], one["is_anyway"]) for one in released_decisions(installation.settings)
    ] == [("王芳", 1, True)]


def test_a_release_done_twice_changes_nothing_and_outlives_a_rebuild(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", starts_count="5", completions_count="9")])
    installation.admit()
    release(installation, Filter("portal"), is_anyway=True)
    assert release(installation, Filter("portal"), is_anyway=True).rows_count == 0
    assert installation.admit() == []
    rebuild(
        installation.settings, installation.catalogue, "rebuild", from_landing=False, builds_models=False,
    )  # fmt: skip
    assert installation.rows(VISITORS) == [("A", 10)]
    assert len(released_decisions(installation.settings)) == 1


def test_a_release_is_sealed_when_it_is_recorded(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", starts_count="5", completions_count="9")])
    installation.admit()
    release(installation, Filter("portal"), is_anyway=True)
    entry = newest_entry(installation.settings)
    assert entry is not None and entry.kind == "decision"
    assert verify(installation.settings, "decisions")["ok"]
    path = installation.settings.home / entry.subject
    path.write_text(path.read_text("utf-8").replace("王芳", "王方"), "utf-8")
    assert [item["file"] for item in verify(installation.settings, "decisions")["items"] if not item["ok"]] == [
        entry.subject
    ]


def test_a_released_row_does_not_follow_its_partition_into_a_new_delivery(installation: Installation) -> None:
    wrong = usage("A", starts_count="5", completions_count="9")
    installation.deliver("portal", "usage", "20220601", [wrong])
    installation.admit()
    release(installation, Filter("portal"), is_anyway=True)
    installation.deliver("portal", "usage", "20220601", [wrong], revision=2)
    installation.admit()
    assert installation.rows(VISITORS) == []
    assert [one["batch_id"] for one in quarantined_rows(installation.settings)] == ["portal.usage.20220601.r002"]


def test_a_conflict_a_missing_key_and_personal_data_are_never_taken_as_they_are(installation: Installation) -> None:
    rows = [usage("A", "1"), usage("A", "2"), usage(None), usage("B", module_id=PERSON)]
    installation.deliver("portal", "usage", "20220601", rows)
    installation.admit()
    report = release(installation, Filter("portal"), is_anyway=True)
    assert report.kept == {"duplicate_with_other_content": 2, "required": 1, "personal_data": 1}
    assert report.release is None


def test_a_conflict_is_shown_side_by_side(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1"), usage("A", "2"), usage("B")])
    installation.admit()
    first, second = quarantined_rows(installation.settings, Filter(rule_id="duplicate_with_other_content"))
    assert first["others"] == [
        {"file_id": second["file_id"], "row_number": 2, "differs": {"visitors_count": ["1", "2"]}}
    ]


def test_once_the_rule_is_mended_the_rows_come_in(installation: Installation, tmp_path: Path) -> None:
    installation.deliver("library", "project", "20220601", projects({"P1": "1", "X2": "2"}))
    installation.admit()
    with_catalogue(installation, tmp_path, r"pattern: 'P\d+'", r"pattern: '[PX]\d+'")
    assert release(installation, Filter("library"), is_dry_run=True).passing_count == 1
    release(installation, Filter("library"))
    assert installation.rows(BUDGETS) == [("P1", 10_000), ("X2", 20_000)]
    assert quarantine_counts(installation.settings) == []


def test_a_release_needs_source_name_and_reason(installation: Installation) -> None:
    for chosen, name in ((Filter(), "王芳"), (Filter("portal"), " ")):
        with pytest.raises(ConfigurationError):
            release_rows(installation.settings, installation.catalogue, chosen, name=name, reason="x", run_id="r")


REFERENCES = r"""
    entities:
      owner:
        table: owner
        natural_key: [owner_id]
        columns: {owner_id: {from: id, type: text, required: true}}
      project:
        references:
          - {column: level, to: library.owner.owner_id, severity: quarantine}
"""


@pytest.fixture
def referring(make_installation: Callable[[], Installation], tmp_path: Path) -> Installation:
    """The library with a registry that holds rows with unknown codes back, and a limit on proportions."""
    installation = make_installation()
    text = CATALOGUE.replace("    entities:\n      project:\n", REFERENCES.lstrip("\n"))
    text = text.replace("values: {市本级: city, 县区: county}", "prefix: ''")
    text = text.replace("unit: 万元, minimum: 0", "unit: 万元, minimum: 0, at_most_times_median: 300")
    path = tmp_path / "referring.yml"
    path.write_text(text, encoding="utf-8")
    installation.settings = dataclasses.replace(installation.settings, catalogue_paths=(path,))
    installation.catalogue = load_catalogue(installation.settings)
    return installation


def test_a_row_with_an_unknown_code_waits_and_comes_in_by_itself_once_the_code_is_registered(
    referring: Installation,
) -> None:
    referring.deliver("library", "owner", "20220601", [{"owner_id": "d1"}])
    rows = [{"project_id": "P1", "level": "d1"}, {"project_id": "P2", "level": "d2"}]
    referring.deliver("library", "project", "20220601", rows)
    referring.admit()
    held = quarantined_rows(referring.settings)
    assert [(one["rule_id"], one["value"], one["row_number"]) for one in held] == [("known_reference", "d2", 2)]
    assert "library.owner" in held[0]["remedy_en"]
    referring.deliver("library", "owner", "20220602", [{"owner_id": "d1"}, {"owner_id": "d2"}])
    referring.admit()
    assert referring.rows("select project_id from admitted.library__project order by 1") == [("P1",), ("P2",)]
    assert quarantined_rows(referring.settings) == []
    assert referring.admit() == []


def test_yuan_in_a_column_of_ten_thousands_is_out_of_proportion_and_rarely_seen_columns_are_not(
    referring: Installation,
) -> None:
    referring.deliver("library", "owner", "20220601", [{"owner_id": "city"}])
    budgets = {f"P{number}": str(100 + number) for number in range(25)} | {"P99": "1050000", "P98": "9000"}
    rows = [{"project_id": key, "level": "city", "budget_cny": value} for key, value in budgets.items()]
    referring.deliver("library", "project", "20220601", rows)
    referring.admit()
    held = quarantined_rows(referring.settings)
    assert [(one["rule_id"], one["value"]) for one in held] == [("in_proportion", "1050000")]
    assert "万元" in held[0]["remedy_zh"]
    referring.deliver("library", "project", "20220602", rows[-3:])
    referring.admit()
    assert quarantined_rows(referring.settings) == []


def test_personal_data_is_masked_wherever_it_is_shown_and_stays_in_the_files(installation: Installation) -> None:
    rows = [usage("A", module_id=f"m {PERSON}"), usage("B", module_id="m 330502199003074511"), usage("C", "x")]
    installation.deliver("portal", "usage", "20220601", rows)
    installation.admit()
    held = {one["row_number"]: one for one in quarantined_rows(installation.settings)}
    assert {number: one["rule_id"] for number, one in held.items()} == {1: "personal_data", 3: "is_integer"}
    assert json.loads(held[1]["line"])["module_id"] == "m 330*************13"
    assert held[1]["value"] == "m 330*************13"
    raw = installation.settings.raw_dir / "portal" / "usage" / "portal.usage.20220601.r001.parquet"
    assert installation.rows(f"select module_id from '{raw}' where _row_number = 1") == [(f"m {PERSON}",)]


def test_the_workbook_holds_the_rows_as_received_with_the_bad_cells_marked(
    installation: Installation, tmp_path: Path
) -> None:
    rows = [usage("=1+1", "ten"), usage("B", "2"), usage("C", starts_count="5", completions_count="9")]
    installation.deliver("portal", "usage", "20220601", rows)
    installation.admit()
    made = export_quarantine(installation.settings, installation.catalogue, Filter("portal"), tmp_path / "rows.xlsx")
    assert (made.rows_count, made.marked_cells_count) == (2, 3)
    book = openpyxl.load_workbook(made.path)
    sheet = book["portal.usage"]
    assert sheet.freeze_panes == "C2"
    headings = [cell.value for cell in sheet[1]]
    assert headings[4:10] == ["app", "module", "day", "visitors", "starts", "completions"]
    bad = sheet.cell(2, headings.index("visitors") + 1)
    assert (bad.value, bad.fill.fgColor.rgb) == ("ten", "FFFFC7CE")
    assert "不是整数" in bad.comment.text
    assert "correct visitors_count to a whole number" in bad.comment.text
    formula = sheet.cell(2, headings.index("app") + 1)
    assert (formula.value, formula.data_type, formula.comment) == ("=1+1", "s", None)
    assert sheet.cell(3, 2).value == 3
    assert "按原文件名重新报送" in "".join(str(cell.value) for cell in book["说明 read me"]["A"])


def test_a_workbook_of_nothing_is_refused(installation: Installation, tmp_path: Path) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A")])
    installation.admit()
    with pytest.raises(ConfigurationError, match="No quarantined row is of source portal"):
        export_quarantine(installation.settings, installation.catalogue, Filter("portal"), tmp_path / "rows.xlsx")

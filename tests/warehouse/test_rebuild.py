"""Rebuilding: the same content as before, and the history of checks outlives it."""

from __future__ import annotations

import datetime as dt

import pytest

from oneledger.settings import ConfigurationError
from oneledger.warehouse.rebuild import rebuild
from tests.warehouse.conftest import Installation, usage

CONTENT = (
    "select * from admitted.usage order by all",
    "select * exclude (run_id, found_at) from quarantine.row order by all",
    "select * exclude (run_id, admitted_at) from control.admitted_batch order by all",
)


def test_a_rebuild_gives_what_stood_before_and_keeps_since_when_a_check_fails(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1"), usage("B", "x")])
    installation.admit()
    installation.deliver("portal", "usage", "20220601", [usage("A", "2"), usage("B", "y")], revision=2)
    installation.admit()
    installation.write("delete from control.pending_date")
    installation.write(
        "insert into checks.result (run_id, gate, check_id, severity, is_passed, since, checked_at)"
        " values ('r', 'sources', 'volume', 'fail', false, '2022-06-01', '2022-06-02')"
    )
    before = [installation.rows(query) for query in CONTENT]
    installation.write("update admitted.usage set visitors_count = 77")
    outcomes = rebuild(installation.settings, installation.catalogue, "r2", from_landing=False, builds_models=False)
    assert [outcome.verdict for outcome in outcomes] == ["good", "warning"]
    assert [installation.rows(query) for query in CONTENT] == before
    assert installation.rows("select since from checks.result") == [(dt.datetime(2022, 6, 1),)]
    # Every date is to be published anew: the marts are empty too.
    assert installation.rows("select usage_on from control.pending_date") == [(dt.date(2022, 6, 1),)]
    assert sorted(path.name for path in installation.settings.warehouse_path.parent.iterdir()) == [
        "for_readers",
        "warehouse.duckdb",
        "writer.lock",
    ]


def test_a_warehouse_that_cannot_be_opened_says_what_to_do_and_is_made_again(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1"), usage("B", "2")])
    installation.admit()
    before = [installation.rows(query) for query in CONTENT]
    path = installation.settings.warehouse_path
    path.write_bytes(b"the disk wrote something else here\n" * 400)
    with pytest.raises(ConfigurationError, match=r"rebuild --from-landing.*warehouse-damaged"):
        installation.rows(CONTENT[0])
    told: list[str] = []
    rebuild(
        installation.settings, installation.catalogue, "r2", from_landing=False, builds_models=False,
        progress=told.append,
    )  # fmt: skip
    assert [installation.rows(query) for query in CONTENT] == before
    assert path.with_name("warehouse.damaged.duckdb").read_bytes().startswith(b"the disk wrote")
    assert any("warehouse.damaged.duckdb" in line for line in told)

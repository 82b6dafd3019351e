"""DuckDB gives a database up after an internal error of its own; the pages go on."""

from __future__ import annotations

import duckdb
import pytest

from oneledger.settings import Settings
from oneledger.web.reading import LOST, Reading, VersionPool
from tests.web.conftest import app_over, client_of

_COUNTED = "select count(*) as n from evaluation.app_stars"


def lose(reading: Reading) -> None:
    """What a reader sees of a database that DuckDB gave up: every statement on its connection fails."""
    reading._held._connection.close()
    reading.cursor().close()


def test_a_statement_on_a_lost_connection_is_asked_again_on_a_new_one(published_home: Settings) -> None:
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        before = reading.rows(_COUNTED)
        lose(reading)
        with pytest.raises(duckdb.ConnectionException):
            reading.cursor().execute(_COUNTED)
        assert reading.rows(_COUNTED) == before
        assert reading.cursor().execute(_COUNTED).fetchall() == [(before[0]["n"],)]
    pool.close()


def test_the_next_requests_do_not_see_that_a_connection_was_lost(published_home: Settings) -> None:
    app = app_over(published_home)
    client = client_of(app, "viewer")
    assert client.get("/apps").status_code == 200
    with app.state.pool.reading() as reading:
        lose(reading)
    for address in ("/apps", "/api/v1/tables", "/api/v1/tables/marts.dim_app?limit=1"):
        assert client.get(address).status_code == 200, address


def test_what_is_wrong_with_a_statement_is_not_taken_for_a_lost_connection(published_home: Settings) -> None:
    pool = VersionPool(published_home)
    with pool.reading() as reading:
        held = reading._held._connection
        with pytest.raises(duckdb.CatalogException):
            reading.rows("select * from marts.no_such_table")
        assert reading._held._connection is held
        assert not issubclass(duckdb.CatalogException, LOST)
    pool.close()

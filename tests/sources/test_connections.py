"""Connections from the environment, in both of Airflow's forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneledger.settings import ConfigurationError
from oneledger.sources import is_configured, resolve_connection

URIS = [
    ("http://:to%20ken@host:8080/base/", "http://host:8080/base", "to ken"),
    ("https://user:pw@host", "https://host", "pw"),
    (
        '{"conn_type": "http", "host": "host", "schema": "https", "port": 444, "password": "hidden9"}',
        "https://host:444",
        "hidden9",
    ),
    ('{"conn_type": "http", "host": "https://host/api", "password": "hidden9"}', "https://host/api", "hidden9"),
]


@pytest.mark.parametrize(("text", "base_url", "password"), URIS)
def test_an_address_is_read_from_a_uri_or_from_json(
    monkeypatch: pytest.MonkeyPatch, text: str, base_url: str, password: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOME_API", text)
    connection = resolve_connection("some_api")
    assert connection.base_url() == base_url
    assert connection.password == password
    assert password not in repr(connection)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_database_address_keeps_odd_characters_of_the_password(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("ONELEDGER_CONN_LIBRARY", f"{scheme}://me:p%40ss%2Fword@db:5433/library?sslmode=disable")
    url = resolve_connection("library").database_url()
    assert url == "postgresql+psycopg://me:p%40ss%2Fword@db:5433/library?sslmode=disable"


def test_a_folder_is_read_from_a_uri_or_from_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "区 县"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW_CONN_DROP", folder.as_uri())
    assert resolve_connection("drop").folder() == folder
    monkeypatch.setenv("AIRFLOW_CONN_DROP", f'{{"conn_type": "fs", "extra": {{"path": "{folder}"}}}}')
    assert resolve_connection("drop").folder() == folder
    folder.rmdir()
    with pytest.raises(ConfigurationError, match="does not exist"):
        resolve_connection("drop").folder()


@pytest.mark.parametrize(
    ("text", "message"),
    [("no uri at all", "has no scheme"), ("http://host:99999999", "no URI"),
     ('{"password": "hidden9"', "Airflow's JSON form"),
     ("mysql://u:p@h/d", "of kind 'mysql'")],
)  # fmt: skip
def test_a_wrong_connection_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        resolve_connection("wrong").database_url()
    assert "AIRFLOW_CONN_WRONG" in str(caught.value)
    assert text not in str(caught.value)


def test_an_api_that_is_not_served_yet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOME_API", "http://oneledger:token@127.0.0.1:0")
    with pytest.raises(ConfigurationError, match="city serve"):
        resolve_connection("some_api").base_url()


def test_a_connection_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_NOT_SET", raising=False)
    assert not is_configured("not_set")
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_NOT_SET is not set"):
        resolve_connection("not_set")

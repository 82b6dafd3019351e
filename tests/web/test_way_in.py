"""Who comes in, and what is seen of it: the application with real tokens over a real version."""

from __future__ import annotations

import pytest

from .conftest import ROLES, ClientOf


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_the_overview_of_the_published_version(
    client: ClientOf, role: str, published_version: str
) -> None:
    answer = client(role).get("/")
    assert answer.status_code == 200
    assert published_version in answer.text


def test_nobody_is_sent_to_the_login_and_reads_nothing_of_the_version(client: ClientOf, published_version: str) -> None:
    answer = client(None).get("/")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")
    assert published_version not in answer.text


def test_a_wrong_token_is_nobody(client: ClientOf) -> None:
    answer = client(None).get("/", headers={"Authorization": "Bearer not-a-token-of-ours"})
    assert answer.status_code == 303

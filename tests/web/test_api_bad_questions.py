"""Questions that cannot be answered: 4xx with what is expected, in both languages, and nothing is changed by asking."""

from __future__ import annotations

import base64
import json

import pytest

from oneledger.publishing.facts import file_sha256
from tests.evaluation.story import Story

from .conftest import ClientOf

ADDRESS = "/api/v1/tables/marts.app_usage_month"
EVIL = (
    "'; drop table marts.dim_app; --", '" or 1=1 --', "1; select 1", "../../etc/passwd", "..%2f..%2fseals", "a\0b",
    "‮܀\U0001f4a9", "\\", "%", "$f0", "x" * 10_000, "\r\nSet-Cookie: a=b", "${jndi:ldap://x}", "{{7*7}}",
)  # fmt: skip


def test_every_evil_text_in_every_place_is_a_clear_refusal_and_changes_nothing(client: ClientOf, story: Story) -> None:
    marts = story.home / "published" / story.second_version / "marts.duckdb"
    before = file_sha256(marts)
    viewer = client("viewer")
    for text in EVIL:
        asked = [
            {text: "1"}, {f"{text}__gte": "1"}, {"visitors_count": text}, {"visitors_count__in": f"1,{text}"},
            {"month": text}, {"month__lte": text}, {"select": text}, {"sort": text}, {"sort": f"-{text}"},
            {"limit": text}, {"page": text}, {"cursor": text}, {"format": text}, {"excel": text}, {"version": text},
            {"app_id__isnull": text}, {f"app_id__{text}": "1"},
        ]  # fmt: skip
        for query in asked:
            answer = viewer.get(ADDRESS, params=query)
            assert answer.status_code in (404, 422), (query, answer.text[:300])
            assert answer.headers["content-type"] == "application/problem+json"
            body = answer.json()
            assert body["title_zh"]
            assert "Traceback" not in answer.text
            assert len(answer.text) < 8000, query
            assert "set-cookie" not in answer.headers
    assert file_sha256(marts) == before


@pytest.mark.parametrize("text", [one for one in EVIL if "\0" not in one and len(one) < 1000])
def test_evil_text_as_a_value_of_a_text_is_a_value_and_nothing_else(client: ClientOf, text: str) -> None:
    for operator in ("", "__ne", "__in", "__contains", "__gte"):
        answer = client("viewer").get(ADDRESS, params={f"app_id{operator}": text, "limit": 1})
        assert answer.status_code == 200, answer.text
    everything = client("viewer").get(ADDRESS, params={"limit": 1}).json()["total"]
    assert client("viewer").get(ADDRESS, params={"app_id": text}).json()["total"] == 0 < everything


@pytest.mark.parametrize(
    "path",
    ["/tables/marts.'; drop table x; --", "/tables/main.duckdb_secrets", "/tables/information_schema.tables",
     "/tables/published.marts", "/tables/marts.", "/tables/marts.dim_app%00", "/tables/..%2f..%2fseals",
     "/tables/marts.dim_app.columns", "/apps/..%2f..", "/apps/%00", "/lineage/columns/a.b.c;d",
     f"/tables/marts.{'x' * 10_000}", f"/apps/{'x' * 10_000}", "/versions/..%2f..%2fseals", "/versions/%2e%2e",
     "/versions/current%00"],
)  # fmt: skip
def test_evil_addresses_lead_nowhere(client: ClientOf, path: str) -> None:
    answer = client("engineer").get(f"/api/v1{path}")
    assert answer.status_code in (404, 422), answer.text[:200]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.text) < 8000


@pytest.mark.parametrize(
    ("query", "parameter", "told"),
    [({"visitor_count": "1"}, "visitor_count", "Do you mean visitors_count?"),
     ({"limt": "1"}, "limt", "Do you mean limit?"),
     ({"visitors_count__gte": "many"}, "visitors_count__gte", "BIGINT: give a whole number"),
     ({"visitors_count": "1.5"}, "visitors_count", "whole number"),
     ({"visitors_count__contains": "1"}, "visitors_count__contains", "contains is for text"),
     ({"visitors_count__like": "1"}, "visitors_count__like", "operator"),
     ({"month": "2022-02-30"}, "month", "yyyy-mm-dd"),
     ({"sort": "month,-month"}, "sort", "Name each column once"),
     ({"select": "app_id,nothing"}, "select", "no such column"),
     ({"select": ""}, "select", "no such column"),
     ({"app_id__isnull": "yes"}, "app_id__isnull", "true or false"),
     ({"page": "200000", "limit": "10000"}, "page", "links.next"),
     ({"limit": "10001"}, "limit", "10000"),
     ({"cursor": "AAAA"}, "cursor", "links.next")],
)  # fmt: skip
def test_each_parameter_that_cannot_be_used_is_named_with_what_is_expected(
    client: ClientOf, query: dict[str, str], parameter: str, told: str
) -> None:
    answer = client("viewer").get(ADDRESS, params=query)
    assert answer.status_code == 422
    problem = next(one for one in answer.json()["errors"] if one["parameter"] == parameter)
    assert told in problem["expected"]


def test_a_parameter_that_is_given_twice_is_refused(client: ClientOf) -> None:
    for query in ("limit=1&limit=2", "app_id=a&app_id=b", "version=current&version=current"):
        answer = client("viewer").get(f"{ADDRESS}?{query}")
        assert answer.status_code == 422
        assert "once" in answer.text


def test_all_that_is_wrong_is_said_at_once(client: ClientOf) -> None:
    answer = client("viewer").get(ADDRESS, params={"visitors_count": "a", "month": "b", "nothing": "c"})
    assert {one["parameter"] for one in answer.json()["errors"]} == {"visitors_count", "month", "nothing"}


@pytest.mark.parametrize("path", ["/versions", "/tables", "/runs", "/status", "/apps/A33050000001", "/openapi.json"])
def test_a_parameter_that_a_route_does_not_have_is_refused_everywhere(client: ClientOf, path: str) -> None:
    answer = client("viewer").get(f"/api/v1{path}", params={"verison": "current"})
    assert answer.status_code == 422
    assert "Do you mean version?" in answer.json()["errors"][0]["expected"]


def test_a_cursor_is_good_for_the_question_that_it_came_from_only(client: ClientOf) -> None:
    viewer = client("viewer")
    link = viewer.get(ADDRESS, params={"limit": 10, "sort": "-visitors_count"}).json()["links"]["next"]
    cursor = link.partition("cursor=")[2].partition("&")[0]
    for query in ({"sort": "month"}, {"sort": "-visitors_count", "app_id": "x"}, {}):
        assert viewer.get(ADDRESS, params={**query, "cursor": cursor}).status_code == 422
    assert viewer.get(f"{link}&page=2").status_code == 422
    assert viewer.get(f"{link}&version=20200101").status_code == 422
    # A changed one never is more than another place in the same answer.
    content = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    for changed in (["'; drop table x"], [None] * 9, [], ["1", "2"], [1, 2, 3, 4]):
        forged = base64.urlsafe_b64encode(json.dumps([*content[:2], *changed]).encode()).decode().rstrip("=")
        answer = viewer.get(ADDRESS, params={"sort": "-visitors_count", "limit": 10, "cursor": forged})
        assert answer.status_code == 422, changed

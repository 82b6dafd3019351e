"""Answers of the API: where they come from, caching, methods, limits, what is not rows of a table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from oneledger.audit.anchors import anchor_of_version
from oneledger.publishing.versions import list_versions
from oneledger.quality.quarantine import Filter, count_rows
from oneledger.settings import ConfigurationError
from oneledger.web.limits import requests_a_minute
from tests.evaluation.story import Story

from .conftest import ClientOf, app_over, client_of

STARS = "/api/v1/stars"


def test_every_answer_says_its_version_in_body_and_headers(client: ClientOf, story: Story) -> None:
    current = list_versions(story.settings)[-1]
    sealed = anchor_of_version(story.settings, current.version)
    assert sealed is not None
    viewer = client("viewer")
    places = [one["path"] for one in viewer.get("/api/v1").json()["items"]]
    assert len(places) > 10
    for place in places:
        if place.endswith(("/docs", "/openapi.json")):
            continue
        answer = viewer.get(place)
        assert answer.status_code == 200, place
        body = answer.json()
        assert body["version"] == current.version == answer.headers["oneledger-version"], place
        assert body["content_hash"] == current.content_hash, place
        assert body["as_of_on"] == "2022-10-31", place
        assert body["anchor"] == sealed.anchor, place
        assert body["links"]["self"].startswith(place), place
        assert answer.headers["cache-control"] == "private, no-cache", place
        assert answer.headers["etag"], place


def test_an_older_version_is_asked_by_name_or_hash(client: ClientOf, story: Story) -> None:
    first = list_versions(story.settings)[0]
    viewer = client("viewer")
    by_name = viewer.get(STARS, params={"version": story.first_version}).json()
    by_hash = viewer.get(STARS, params={"version": first.content_hash[:12]}).json()
    assert by_name["version"] == by_hash["version"] == story.first_version
    assert by_name["items"] == by_hash["items"]
    corrected = {"app_id": story.app_id, "release_end": "zheliban_app", "month": "2022-09", "select": "visitors_count"}
    address = "/api/v1/tables/marts.app_usage_month"
    before = viewer.get(address, params={**corrected, "version": story.first_version}).json()["items"]
    after = viewer.get(address, params=corrected).json()["items"]
    assert after[0]["visitors_count"] - before[0]["visitors_count"] == 40_000


def test_a_version_that_is_none_is_not_found_and_the_answer_names_those_there_are(
    client: ClientOf, story: Story
) -> None:
    answer = client("viewer").get(STARS, params={"version": "20990101"})
    assert answer.status_code == 404
    assert story.second_version in answer.json()["detail"]


def test_what_the_asker_has_is_not_sent_again_until_anything_differs(client: ClientOf, story: Story) -> None:
    viewer = client("viewer")
    first = viewer.get(STARS, params={"stars": 5})
    tag = first.headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = viewer.get(STARS, params={"stars": 5}, headers={"If-None-Match": given})
        assert again.status_code == 304, given
        assert again.content == b""
        assert again.headers["etag"] == tag
        assert again.headers["oneledger-version"] == story.second_version
    different = [
        viewer.get(STARS, params=query, headers={"If-None-Match": tag})
        for query in ({"stars": 4}, {"stars": 5, "format": "csv"}, {"stars": 5, "version": story.first_version},
                      {"stars": 5, "limit": 1})
    ]  # fmt: skip
    assert [one.status_code for one in different] == [200] * 4
    assert len({tag, *(one.headers["etag"] for one in different)}) == 5


def test_state_that_no_version_holds_is_tagged_by_its_content(client: ClientOf) -> None:
    viewer = client("viewer")
    tag = viewer.get("/api/v1/runs").headers["etag"]
    assert viewer.get("/api/v1/runs", headers={"If-None-Match": tag}).status_code == 304


def test_head_gives_the_headers_of_get_and_no_body(client: ClientOf) -> None:
    viewer = client("viewer")
    for query in ({}, {"format": "csv"}, {"format": "xlsx"}):
        got, head = viewer.get(STARS, params=query), viewer.head(STARS, params=query)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["etag"] == got.headers["etag"]
        assert head.headers["content-type"] == got.headers["content-type"]
    assert viewer.head(f"{STARS}?limit=0").status_code == 422
    assert client(None).head(STARS).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_but_reading_is_possible(client: ClientOf, method: str) -> None:
    answer = client("engineer").request(method, STARS)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_limit_holds_for_a_visitor_and_says_what_is_left(story: Story) -> None:
    limited = app_over(story.settings, requests_a_minute=3)
    viewer = client_of(limited, "viewer")
    left = [viewer.get("/api/v1").headers["ratelimit-remaining"] for _ in range(2)]
    # One that is refused counts as well.
    refused = viewer.get(STARS, params={"bad": 1})
    assert [*left, refused.headers["ratelimit-remaining"]] == ["2", "1", "0"]
    over = viewer.get("/api/v1")
    assert over.status_code == 429
    assert over.headers["content-type"] == "application/problem+json"
    assert 1 <= int(over.headers["retry-after"]) <= 60
    assert over.headers["ratelimit-limit"] == "3"
    # Another visitor has a limit of their own.
    assert client_of(limited, "auditor").get("/api/v1").status_code == 200


@pytest.mark.parametrize("text", ["0", "-5", "many", "1.5", "9" * 30])
def test_a_rate_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ONELEDGER_WEB_RATE"):
        requests_a_minute({"ONELEDGER_WEB_RATE": text})
    assert requests_a_minute({}).amount == 600
    assert requests_a_minute({"ONELEDGER_WEB_RATE": "40"}).amount == 40


def test_versions_are_listed_newest_first_with_their_content(client: ClientOf, story: Story) -> None:
    viewer = client("viewer")
    items = viewer.get("/api/v1/versions").json()["items"]
    assert [one["version"] for one in items] == [story.second_version, story.first_version]
    assert [one["is_current"] for one in items] == [True, False]
    detail = viewer.get(f"/api/v1/versions/{story.first_version[:18]}").json()
    assert detail["item"]["version"] == story.first_version
    manifest = json.loads((story.home / "published" / story.first_version / "manifest.json").read_text("utf-8"))
    assert detail["tables"] == manifest["tables"]
    assert detail["facts"] == manifest["facts"]


def test_every_table_is_described_with_its_key_and_grain(client: ClientOf) -> None:
    viewer = client("viewer")
    tables = {one["name"]: one for one in viewer.get("/api/v1/tables").json()["items"]}
    assert tables["marts.app_usage_month"]["key"] == ["app_id", "release_end", "month"]
    assert tables["evaluation.star_band"]["kind"] == "rule"
    assert tables["facts.fct_app_usage_day"]["kind"] == "fact"
    assert [name for name, one in tables.items() if not one["key"] or not one["grain"]] == []
    columns = viewer.get("/api/v1/tables/marts.app_usage_month/columns").json()
    visitors = next(one for one in columns["items"] if one["name"] == "visitors_count")
    assert (visitors["title_zh"], visitors["unit_en"], visitors["is_key"]) == ("访客数", "count", False)
    assert "contains" not in visitors["operators"]
    assert "gte" in visitors["operators"]


def test_one_app_comes_with_stars_points_and_use(client: ClientOf, story: Story) -> None:
    viewer = client("viewer")
    body = viewer.get(f"/api/v1/apps/{story.app_id}", params={"months": 2}).json()
    assert body["app"]["app_id"] == story.app_id
    assert body["app"]["stars"] == body["stars"][0]["stars"]
    scored = [one["points"] for one in body["points"] if one["status"] == "scored"]
    weights = [one["weight"] for one in body["points"] if one["status"] == "scored"]
    assert math.isclose(100 * sum(scored) / sum(weights), body["stars"][0]["score"], abs_tol=1e-6)
    assert {one["month"] for one in body["usage"]} == {"2022-10-01", "2022-09-01"}
    missing = viewer.get("/api/v1/apps/nobody")
    assert missing.status_code == 404
    assert "nobody" in missing.json()["detail"]


def test_state_runs_and_quarantined_rows_are_those_of_the_installation(client: ClientOf, story: Story) -> None:
    viewer = client("viewer")
    status = viewer.get("/api/v1/status").json()
    assert status["ok"] is True
    assert str(story.home) not in json.dumps(status)
    runs = viewer.get("/api/v1/runs", params={"limit": 1}).json()
    assert runs["total"] == 2
    assert len(runs["items"]) == 1
    assert runs["items"][0]["version"] == story.second_version
    following = viewer.get(runs["links"]["next"]).json()
    assert following["items"][0]["version"] == story.first_version
    assert "next" not in following["links"]
    rows = client("auditor").get("/api/v1/quarantine/rows", params={"limit": 1000}).json()
    assert rows["total"] == len(rows["items"]) == count_rows(story.settings, Filter())


def test_a_column_is_followed_to_its_sources(client: ClientOf) -> None:
    viewer = client("viewer")
    body = viewer.get("/api/v1/lineage/columns/marts.app_usage_month.visitors_count", params={"uses": True}).json()
    assert "zheliban" in json.dumps(body["leaves"])
    assert any(one["name"].startswith("evaluation.") for one in body["uses"]["items"])
    missing = viewer.get("/api/v1/lineage/columns/marts.app_usage_month.visitor_count")
    assert missing.status_code == 404
    assert "visitors_count" in missing.json()["detail"]


def test_an_auditor_traces_a_number_to_the_landed_lines(client: ClientOf) -> None:
    auditor = client("auditor")
    query = {"relation": "marts.dim_department", "key": "department_id=police", "lines": 1}
    department = auditor.get("/api/v1/tables/marts.dim_department", params={"limit": 1}).json()["items"][0]
    query["key"] = f"department_id={department['department_id']}"
    body = auditor.get("/api/v1/trace", params=query).json()
    assert body["ok"] is True
    assert body["verdict"]["is_equal"] is True
    assert body["published"]["department_id"] == department["department_id"]
    assert body["landed"]


@pytest.mark.parametrize(
    "query",
    [{}, {"star": "a", "figure": "b"}, {"points": "a"}, {"indicator": "use"}, {"relation": "marts.dim_app"},
     {"relation": "marts.dim_app", "key": "app_id"}, {"relation": "marts.dim_app; drop", "key": "a=1"},
     {"star": "a", "lines": -1}, {"star": "a" * 1000}],
)  # fmt: skip
def test_a_trace_of_nothing_in_particular_is_refused(client: ClientOf, query: dict[str, str]) -> None:
    answer = client("auditor").get("/api/v1/trace", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_a_broken_installation_fails_without_telling_its_insides(story: Story, tmp_path: Path) -> None:
    empty = client_of(app_over(story.settings.__class__(home=tmp_path / "nowhere")), "viewer").get(STARS)
    assert empty.status_code == 404
    assert "oneledger run" in empty.json()["detail"]


def test_links_lead_back_below_where_the_application_is_mounted(app: FastAPI) -> None:
    mounted = client_of(Starlette(routes=[Mount("/oneledger", app)]), "viewer")
    body = mounted.get("/oneledger/api/v1/stars", params={"limit": 150}).json()
    assert body["links"]["next"].startswith("/oneledger/api/v1/stars?")
    assert len(mounted.get(body["links"]["next"]).json()["items"]) == body["total"] - 150
    assert mounted.get("/oneledger/api/v1/openapi.json").json()["servers"] == [{"url": "/oneledger"}]
    assert mounted.get("/oneledger/api/v1/nothing").headers["content-type"] == "application/problem+json"

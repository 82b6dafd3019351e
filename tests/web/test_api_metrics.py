"""Metrics over the API: the values of the library, the same refusals, filters by dimension."""

from __future__ import annotations

import pytest

from oneledger.metrics import Filter, list_metrics, query_metrics
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings
from oneledger.web.api.plain import plain

from .conftest import ClientOf

ADDRESS = "/api/v1/metrics"


def test_every_metric_of_the_version_is_listed_with_its_dimensions(client: ClientOf, published_home: Settings) -> None:
    known = {one.name: one for one in list_metrics(resolve(published_home))}
    items = {one["name"]: one for one in client("viewer").get(ADDRESS).json()["items"]}
    assert set(items) == set(known)
    assert items["five_star_apps"]["dimensions"] == list(known["five_star_apps"].dimensions)


def test_values_are_those_of_the_library(client: ClientOf, published_home: Settings) -> None:
    asked = {"group_by": "star__run_id,app__side", "app__side__in": "service,governance", "limit": 5}
    answer = client("viewer").get(f"{ADDRESS}/scored_apps", params=asked)
    assert answer.status_code == 200, answer.text
    expected = query_metrics(
        published_home, resolve(published_home), metrics=["scored_apps"], group_by=["star__run_id", "app__side"],
        filters=[Filter("app__side", "in", ["service", "governance"])], limit=5,
    )  # fmt: skip
    body = answer.json()
    assert body["items"] == plain(expected.rows)
    assert len(body["items"]) == 2
    assert body["metric"]["name"] == "scored_apps"
    viewer = client("viewer")
    stars = viewer.get("/api/v1/stars", params={"status": "scored", "limit": 1}).json()
    assert sum(one["scored_apps"] for one in body["items"]) == stars["total"] > 0
    of_round = {"star__run_id": stars["items"][0]["run_id"], "app__side": "service"}
    services = viewer.get("/api/v1/apps", params={"side": "service", "status": "scored"}).json()["total"]
    assert viewer.get(f"{ADDRESS}/scored_apps", params=of_round).json()["items"][0]["scored_apps"] == services


def test_what_must_not_be_added_is_not_added(client: ClientOf) -> None:
    answer = client("viewer").get(f"{ADDRESS}/scored_apps", params={"app__side": "service"})
    assert answer.status_code == 422
    assert "star__run_id" in answer.json()["errors"][0]["expected"]


@pytest.mark.parametrize(
    ("query", "told"),
    [({"app__syde": "service"}, "Do you mean app__side?"), ({"app__side__isnull": "maybe"}, "true or false"),
     ({"group_by": "nothing"}, "nothing"), ({"grain": "hour"}, "hour"), ({"start_on": "2022-13-01"}, "start_on"),
     ({"start_on": "2022-10-01", "end_on": "2022-09-01"}, "before it begins"), ({"order_by": "nothing"}, "nothing"),
     ({"app__side": "x" * 2000}, "too long"), ({"group_by": "app__side; drop table x"}, "group_by")],
)  # fmt: skip
def test_what_a_metric_cannot_be_asked_is_refused_with_what_is_expected(
    client: ClientOf, query: dict[str, str], told: str
) -> None:
    answer = client("viewer").get(f"{ADDRESS}/scored_apps", params=query)
    assert answer.status_code == 422
    assert told in answer.text


def test_a_metric_that_is_none_is_not_found_and_the_nearest_are_named(client: ClientOf) -> None:
    answer = client("viewer").get(f"{ADDRESS}/scored_app")
    assert answer.status_code == 404
    assert "scored_apps" in answer.json()["detail"]

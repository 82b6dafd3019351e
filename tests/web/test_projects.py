"""Projects: the numbers of the pages are those of the version, lists are whole, and a wrong question is told so."""

from __future__ import annotations

import re

import pytest

from oneledger.publishing.query import open_version
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings

from .conftest import ClientOf

PATHS = (
    "/projects",
    "/projects/gaps",
    "/projects/gaps?kind=spending_without_project",
    "/projects/gaps?kind=project_without_app",
)
PROJECT_LINK = re.compile(r'<td><a href="/projects/(XM\w+)">')


def of_version(settings: Settings, sql: str) -> list[tuple]:
    with open_version(settings, resolve(settings, "current")) as connection:
        return connection.execute(sql).fetchall()


def every_page(client: ClientOf, path: str) -> list[str]:
    """The project numbers that a list shows, page after page."""
    found: list[str] = []
    while path:
        answer = client("viewer").get(path)
        assert answer.status_code == 200
        found += PROJECT_LINK.findall(answer.text)
        following = re.search(r'<a rel="next" href="([^"]+)"', answer.text)
        path = following[1].replace("&amp;", "&") if following else ""
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("language", "other"), [("zh", "English"), ("en", "中文")])
def test_each_page_answers_in_both_languages(client: ClientOf, path: str, language: str, other: str) -> None:
    answer = client("viewer").get(path + ("&" if "?" in path else "?") + f"lang={language}")
    assert answer.status_code == 200
    assert f">{other}</a>" in answer.text


@pytest.mark.parametrize("path", [*PATHS, "/projects/XM202001125"])
def test_nobody_reads_a_project(client: ClientOf, path: str) -> None:
    answer = client(None).get(path)
    assert answer.status_code == 303
    assert "XM20" not in answer.text


def test_the_page_counts_the_projects_that_the_library_holds(client: ClientOf, published_home: Settings) -> None:
    ((every, city, county),) = of_version(
        published_home,
        "select count(*), count(*) filter (where level = 'city'), count(*) filter (where level = 'county')"
        " from marts.dim_project",
    )
    text = client("viewer").get("/projects?lang=en").text
    assert f"{every:,} IT projects in the library: {city:,} of the city, {county:,} of the counties" in text


def test_a_narrowed_list_holds_every_project_that_matches_once_over_all_its_pages(
    client: ClientOf, published_home: Settings
) -> None:
    expected = [
        row[0]
        for row in of_version(
            published_home,
            "select project_id from marts.dim_project where level = 'county' and stage = 'operating'"
            " order by budget_cny desc nulls last, project_id",
        )
    ]
    assert len(expected) > 50, "the list must be longer than a page for this to show anything"
    assert every_page(client, "/projects?level=county&stage=operating&sort=-budget_cny") == expected


def test_the_signs_of_a_pattern_are_searched_for_as_they_are(client: ClientOf) -> None:
    assert PROJECT_LINK.findall(client("viewer").get("/projects?q=%25").text) == []
    assert PROJECT_LINK.findall(client("viewer").get("/projects?q=_").text) == []


def test_a_project_that_is_due_and_not_reached_is_found_under_overdue(
    client: ClientOf, published_home: Settings
) -> None:
    expected = of_version(
        published_home,
        "select count(distinct project_id) from marts.project_life_cycle where is_overdue and state = 'not_reached'",
    )[0][0]
    assert len(every_page(client, "/projects?attention=overdue")) == expected


@pytest.mark.parametrize(
    "kind", ["app_without_project", "project_without_app", "link_to_unknown_app", "link_to_unknown_project"]
)
def test_gaps_are_listed_without_those_that_have_a_plain_reason_unless_asked(
    client: ClientOf, published_home: Settings, kind: str
) -> None:
    for expected in ("false", "true"):
        count = of_version(
            published_home,
            f"select count(*) from marts.project_app_gap where gap_kind = '{kind}' and ({expected} or not is_expected)",
        )[0][0]
        text = client("viewer").get(f"/projects/gaps?lang=en&kind={kind}&expected={expected}").text
        assert (f"{count:,} in all" in text) if count else ("There is no gap of this kind" in text)


def test_one_project_shows_its_stages_its_money_and_where_they_lead(client: ClientOf, published_home: Settings) -> None:
    project_id, name = of_version(
        published_home,
        "select project_id, any_value(project.project_name) from marts.dim_project as project"
        " join marts.budget_execution using (project_id) join marts.project_app_link using (project_id)"
        " group by project_id order by project_id limit 1",
    )[0]
    days = of_version(
        published_home, f"select entered_on from marts.project_life_cycle where project_id = '{project_id}'"
    )
    (app_id,) = of_version(
        published_home, f"select app_id from marts.project_app_link where project_id = '{project_id}'"
    )[0]
    text = client("viewer").get(f"/projects/{project_id}").text
    assert f"<h1>{name}</h1>" in text
    assert all(str(day) in text for (day,) in days if day is not None)
    assert f'href="/apps/{app_id}"' in text
    assert "/lineage/trace?relation=marts.budget_execution" in text


def test_every_assessed_project_shows_what_each_assessor_gave(client: ClientOf, published_home: Settings) -> None:
    rows = of_version(published_home, "select project_id, self_rate, expert_rate from evaluation.project_score")
    assert rows
    for project_id, self_rate, expert_rate in rows:
        text = client("viewer").get(f"/projects/{project_id}?lang=en").text
        assert f"self: {self_rate * 100:.1f}%" in text
        assert f"expert: {expert_rate * 100:.1f}%" in text


def test_money_that_nobody_recorded_is_called_missing_and_never_zero(
    client: ClientOf, published_home: Settings
) -> None:
    project_id = of_version(
        published_home,
        "select project_id from marts.dim_project anti join marts.budget_execution using (project_id)"
        " order by project_id limit 1",
    )[0][0]
    text = client("viewer").get(f"/projects/{project_id}?lang=en").text
    for amount in ("Released", "Spent"):
        figure = re.search(rf'<span class="label">{amount}</span>.*?</div>', text, re.DOTALL)
        assert figure is not None
        assert '<span class="value">—</span>' in figure[0]
        assert "missing" in figure[0]
    assert "No budget and no spending of this project is recorded." in text


def test_an_unknown_project_is_named_with_what_to_do(client: ClientOf) -> None:
    answer = client("viewer").get("/projects/XM0")
    assert answer.status_code == 404
    assert "no project XM0. Look for its name in the list" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "level=province", "district=abc", "district=3305021", "stage=done", "family=x", "funding_source=x",
        "attention=late", "by=project_id", "sort=budget_cny;drop", "sort=--budget_cny", "page=0", "page=x",
        "page=100001", f"q={'x' * 81}", f"department={'x' * 81}", "version=..%2Fetc",
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_told_and_nothing_of_the_inside(client: ClientOf, query: str) -> None:
    answer = client("viewer").get(f"/projects?{query}")
    assert answer.status_code == 422
    assert "Traceback" not in answer.text
    assert f"<code>{query.split('=')[0]}</code>" in answer.text


@pytest.mark.parametrize("query", ["kind=nothing", "expected=perhaps", "page=-1"])
def test_a_wrong_parameter_of_the_gaps_is_told(client: ClientOf, query: str) -> None:
    assert client("viewer").get(f"/projects/gaps?{query}").status_code == 422


def test_a_page_behind_the_last_one_is_empty_and_no_error(client: ClientOf) -> None:
    answer = client("viewer").get("/projects?page=9999&lang=en")
    assert answer.status_code == 200
    assert "No project matches" in answer.text

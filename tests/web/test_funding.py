"""Funding: the ledgers' days are the marts', and the simulator says what the published share says."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from oneledger.settings import Settings

from .conftest import ClientOf
from .test_projects import of_version

PATHS = ("/funding", "/funding?ledger=city-S1&waiting=all", "/funding/share")
SHARE = re.compile(r'<p class="big">(\d+)% <span class="unit">is paid')


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_page_answers_in_both_languages(client: ClientOf, path: str, language: str) -> None:
    answer = client("viewer").get(path + ("&" if "?" in path else "?") + f"lang={language}")
    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_about_money(client: ClientOf, path: str) -> None:
    assert client(None).get(path).status_code == 303


def test_each_city_ledger_says_after_how_many_days_its_projects_were_released(
    client: ClientOf, published_home: Settings
) -> None:
    text = client("viewer").get("/funding?lang=en").text
    rows = of_version(
        published_home,
        "select ledger_version, publish_to_release_days from marts.ledger where publish_to_release_days is not null",
    )
    assert rows
    for version, days in rows:
        figure = re.search(rf"City {version}: published to released.*?</a>", text, re.DOTALL)
        assert figure is not None
        assert f'<span class="value">{days}<' in figure[0]


def test_projects_that_wait_are_those_of_the_ledgers_whose_money_is_not_spent(
    client: ClientOf, published_home: Settings
) -> None:
    for state, where in (("waiting", "state <> 'spent'"), ("published", "state = 'published'"), ("all", "true")):
        count = of_version(published_home, f"select count(*) from marts.funding_lead_time where {where}")[0][0]
        text = client("viewer").get(f"/funding?lang=en&waiting={state}").text
        assert (f"{count:,} in all" in text) if count else ("No project matches" in text)


def test_the_simulator_opens_a_project_with_its_own_rates_and_says_its_share(
    client: ClientOf, published_home: Settings
) -> None:
    rows = of_version(
        published_home,
        "select any_value(project_id), any_value(budget_year), share from evaluation.funding_share"
        " where state = 'computed' group by share",
    )
    assert rows
    for project_id, year, share in rows:
        text = client("viewer").get(f"/funding/share?lang=en&project_id={project_id}&year={year}").text
        found = SHARE.search(text)
        assert found is not None
        assert int(found[1]) == round(share * 100)
        assert "changed" not in text


def test_sending_the_form_as_it_stands_changes_nothing(client: ClientOf, published_home: Settings) -> None:
    project_id, year, payable = of_version(
        published_home,
        "select project_id, budget_year, payable_cny from evaluation.funding_share"
        " where state = 'computed' and satisfaction_rate is not null"
        " order by satisfaction_rate * 100 - floor(satisfaction_rate * 100) desc limit 1",
    )[0]
    address = f"/funding/share?lang=en&project_id={project_id}&year={year}"
    text = client("viewer").get(address).text
    fields = dict(re.findall(r'<input type="number" name="(\w+)"[^>]*value="([^"]*)"', text))
    again = client("viewer").get(address, params={**fields, "lang": "en", "project_id": project_id, "year": year}).text
    assert f"{payable:,.2f}" in again
    assert "changed" not in again


def test_a_moved_rate_moves_the_money_by_the_rules_in_force(client: ClientOf) -> None:
    full = client("viewer").get("/funding/share?lang=en&online=100&usage=100&satisfaction=100&budget=1000000").text
    none = client("viewer").get("/funding/share?lang=en&online=0&usage=0&satisfaction=0&budget=1000000").text
    assert SHARE.findall(full) == ["100"]
    assert SHARE.findall(none) == ["50"]
    assert f"{Decimal(500000):,.2f}" in none


def test_a_missing_rate_withholds_the_share_and_one_that_does_not_apply_does_not(client: ClientOf) -> None:
    missing = client("viewer").get("/funding/share?lang=en&usage_state=missing").text
    assert not SHARE.search(missing)
    assert "A missing rate withholds the share: Usage rate" in missing
    apart = client("viewer").get("/funding/share?lang=en&online=100&satisfaction=100&usage_state=not_applicable").text
    assert SHARE.findall(apart) == ["100"]


def test_fields_left_empty_are_not_given(client: ClientOf) -> None:
    answer = client("viewer").get("/funding/share?online=&usage=&satisfaction=&budget=")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "online=101", "online=-1", "usage=nan", "satisfaction=inf", "usage=much", "budget=-1", "budget=nan",
        "budget=1.001", "budget=1e99", "year=1999", "year=x", "online_state=perhaps", f"q={'x' * 81}",
        f"project_id={'x' * 61}",
    ],
)  # fmt: skip
def test_a_wrong_parameter_of_the_simulator_is_told(client: ClientOf, query: str) -> None:
    answer = client("viewer").get(f"/funding/share?{query}")
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("query", ["ledger=S1", "ledger=city-S1'", "waiting=x", "year=99999", "sort=state", "page=0"])
def test_a_wrong_parameter_of_the_ledgers_is_told(client: ClientOf, query: str) -> None:
    assert client("viewer").get(f"/funding?{query}").status_code == 422


def test_an_unknown_project_and_a_year_without_a_budget_are_named(client: ClientOf, published_home: Settings) -> None:
    assert "no budget year of a project XM0" in client("viewer").get("/funding/share?project_id=XM0").text
    project_id = of_version(published_home, "select min(project_id) from evaluation.funding_share")[0][0]
    answer = client("viewer").get(f"/funding/share?project_id={project_id}&year=2099")
    assert answer.status_code == 404
    assert "no budget year 2099" in answer.text


def test_a_year_without_rules_says_that_no_weight_is_in_force(client: ClientOf) -> None:
    text = client("viewer").get("/funding/share?lang=en&year=2001").text
    assert "no weight is in force in that year" in text
    assert not SHARE.search(text)

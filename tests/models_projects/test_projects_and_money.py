"""Projects, links, money, assessments and findings of the small city, followed by hand."""

from __future__ import annotations

import datetime as dt

from .small_warehouse import OURS, SmallWarehouse


def test_a_project_left_out_by_the_library_stays_and_is_marked(city: SmallWarehouse) -> None:
    assert city.rows("select project_id, is_omitted_by_source from marts.dim_project order by 1") == [
        ("p1", False), ("p2", False), ("p3", True), ("p4", False)
    ]  # fmt: skip


def test_a_hospitals_project_is_out_of_scope(city: SmallWarehouse) -> None:
    assert city.rows("select is_in_scope, scope_reason from marts.dim_project where project_id = 'p2'") == [
        (False, "owner_is_hospital")
    ]


def test_the_inventory_counts_every_project_once(city: SmallWarehouse) -> None:
    assert city.rows("select sum(projects_count), sum(projects_with_budget_count) from marts.project_inventory") == [
        (4, 3)
    ]


def test_the_life_cycle_measures_each_stage_to_the_newest_date(city: SmallWarehouse) -> None:
    assert city.rows(
        "select stage, state, days_in_stage, is_overdue, overdue_days from marts.project_life_cycle "
        "where project_id = 'p1' order by stage_number"
    ) == [
        ("declared", "completed", 70, None, None),
        ("reviewed", "completed", 10, True, 10),
        ("implementing", "current", 345, False, 0),
        ("accepted", "not_reached", None, True, 30),
        ("operating", "not_reached", None, None, None),
    ]


def test_every_project_has_all_five_stages(city: SmallWarehouse) -> None:
    assert city.rows("select count(*), count(distinct project_id) from marts.project_life_cycle") == [(20, 4)]


def test_gaps_tell_expected_ones_from_those_to_be_mended(city: SmallWarehouse) -> None:
    assert city.rows("select gap_id, reason, is_expected from marts.project_app_gap order by 1") == [
        ("app_without_project:given", "assigned_by_province", True),
        ("app_without_project:notice", "never_linked", False),
        ("link_to_unknown_app:p4:unborn", "app_not_on_irs", False),
        ("project_without_app:p2", "never_linked", False),
        ("project_without_app:p3", "never_linked", False),
        ("project_without_app:p4", "only_linked_to_unknown_app", False),
    ]


def test_it_spending_without_a_project_names_the_keyword_that_gave_it_away(city: SmallWarehouse) -> None:
    assert city.rows(
        "select voucher_number, project_match, keyword_id, department_state, spent_cny "
        "from marts.unlinked_it_spend order by 1"
    ) == [
        ("v2", "no_project", "system_upgrade", "reported", 80_000),
        ("v4", "unknown_project", "cloud_service", "missing", 40_000),
    ]


def test_spending_by_month_adds_up_to_every_line(city: SmallWarehouse) -> None:
    assert city.rows("select sum(spent_cny), sum(spending_lines_count) from marts.spending_month") == [(420_900, 4)]


def test_a_ledger_is_measured_from_publication_to_its_first_release(city: SmallWarehouse) -> None:
    assert city.rows(
        "select ledger_level, ledger_version, published_on, published_precision, publish_to_release_days, "
        "publish_to_release_state from marts.ledger order by 1"
    ) == [
        ("city", "S0", dt.date(2021, 10, 18), "day", 18, "reported"),
        ("province", "S2", dt.date(2022, 6, 1), "month", None, "not_applicable"),
    ]


def test_money_is_followed_from_the_ledger_to_the_first_payment(city: SmallWarehouse) -> None:
    assert city.rows(
        "select ledger_level, ledger_version, project_id, state, publish_to_release_days, release_to_arrive_days, "
        "arrive_to_spend_days, waiting_days from marts.funding_lead_time order by 1, 3"
    ) == [
        ("city", "S0", "p1", "spent", 18, 20, 20, None),
        ("province", "S2", "p4", "published", None, None, None, 152),
    ]


def test_execution_of_a_year_is_spent_over_budget(city: SmallWarehouse) -> None:
    assert city.rows(
        "select project_id, budget_year, execution_rate, execution_state, release_position "
        "from marts.budget_execution order by 1"
    ) == [
        ("nowhere", 2022, None, "missing", "not_released"),
        ("p1", 2021, 0.3, "reported", "after_window"),
    ]


def test_a_self_assessment_far_above_the_others_is_pointed_out(city: SmallWarehouse) -> None:
    ((gap, is_far_above, version),) = city.rows(
        "select self_minus_others_rate, is_self_rated_far_above, rule_version from marts.assessor_gap"
    )
    assert (round(gap, 9), is_far_above, version) == (0.15, True, "2022.1")


def test_a_finding_past_its_second_node_is_overdue_until_done(city: SmallWarehouse) -> None:
    assert city.rows(
        "select finding_number, state, overdue_days, received_on, replied_on, is_replied "
        "from marts.rectification order by 1"
    ) == [
        (4, "reported_done", 0, dt.date(2022, 8, 8), dt.date(2022, 11, 10), False),
        (5, "overdue", 36, dt.date(2022, 8, 8), dt.date(2022, 11, 10), False),
    ]


def test_revised_articles_are_counted_apart_from_removed_ones(city: SmallWarehouse) -> None:
    assert city.rows(
        "select count(*) filter (where is_in_revised_rules), count(*) filter (where is_in_former_rules) "
        "from marts.rule_revision"
    ) == [(2, 1)]


def test_codes_outside_their_domain_cannot_be_stored(city: SmallWarehouse) -> None:
    ((checks,),) = city.rows(
        "select count(*) from duckdb_constraints() "
        "where schema_name = 'marts' and table_name = 'sharing_request' and constraint_type = 'CHECK'"
    )
    assert checks >= 4


def test_building_again_from_the_same_rows_gives_the_same_marts(city: SmallWarehouse) -> None:
    tables = [name for (name,) in city.rows("select table_name from duckdb_tables() where schema_name = 'marts'")]
    assert len(tables) >= 20

    def contents() -> dict[str, list[tuple[object, ...]]]:
        return {name: city.rows(f"select * from marts.{name} order by all") for name in tables}

    before = contents()
    city.dbt("run", "--select", *(f"path:models/marts/{room}" for room in OURS))
    assert contents() == before

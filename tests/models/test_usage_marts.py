"""What the usage marts and the evaluation say of a small city whose numbers are known by construction."""

from __future__ import annotations

from .usage_city import UsageCity


def test_a_month_of_an_app_is_the_sum_of_its_days(city: UsageCity) -> None:
    assert city.rows(
        "select visitors_count, page_views_count, days_expected_count, days_reported_count, days_missing_count,"
        " visitors_state, impressions_state from marts.app_usage_month"
        " where app_id = 'traffic' and release_end = 'zheliban_app' and month = date '2022-06-01'"
    ) == [(1200, 2400, 30, 30, 0, "reported", "missing")]


def test_module_rows_do_not_enter_the_app_as_a_whole(city: UsageCity) -> None:
    assert city.rows(
        "select sum(visitors_count) from marts.app_usage_month where app_id = 'lost' and month = date '2022-06-01'"
    ) == [(90,)]
    assert city.rows(
        "select visitors_count from marts.matter_usage_month where module_id = 'lost-m1' and month = date '2022-06-01'"
    ) == [(90,)]


def test_verdicts_tell_used_from_hardly_used_apps(city: UsageCity) -> None:
    assert city.rows(
        "select app_id, verdict, round(measured_value, 3) from marts.low_use_verdict"
        " where month = date '2022-06-01' order by app_id"
    ) == [("county", "in_use", 20), ("desk", "low_use", 0.08), ("lost", "low_use", 3), ("traffic", "in_use", 80)]


def test_every_app_in_scope_has_a_row_for_every_indicator(city: UsageCity) -> None:
    assert city.rows("select app_id from evaluation.population where is_in_scope order by app_id") == [
        ("desk",), ("lost",), ("traffic",)
    ]  # fmt: skip
    for side, app_ids in (("service", "('lost', 'traffic')"), ("governance", "('desk')")):
        indicators = city.rows(
            "select count(*) from evaluation.indicator where family = 'application_system'"
            f" and side in ('all', '{side}')"
        )[0][0]
        counts = city.rows(
            f"select app_id, count(*) from evaluation.indicator_points where app_id in {app_ids} group by app_id"
        )
        assert indicators > 0
        assert {count for _, count in counts} == {indicators}, side


def test_the_score_is_the_sum_of_the_points_over_the_points_that_could_be_had(city: UsageCity) -> None:
    scores = dict(city.rows("select app_id, score from evaluation.app_stars"))
    # No project is linked, so that 95 points can be had: time online 6, security 5, function 4 and module data 3 are
    # whole; ratings of 4.5; half of what was started was completed; nobody asked for data.
    # use: 80 visitors a day lie 70/90 of the way from 0.2 to 0.6; two of three ends.
    traffic = 35 * (0.2 + 0.4 * 70 / 90) + 18 * 3.5 / 4 + 10 / 2 + 6 + 5 + 4 + 3 + 4 * 0.75
    assert scores["traffic"] == round(100 * traffic / 95, 6)
    # 3 of 10 visitors, and of 3 starts one is completed a day; one of three ends
    lost = 35 * 0.2 * 0.3 + 18 * 3.5 / 4 + 10 / 3 + 6 + 5 + 4 + 3 + 4 * 0.5
    assert scores["lost"] == round(100 * lost / 95, 6)


def test_an_app_that_is_not_evaluated_has_a_named_reason(city: UsageCity) -> None:
    assert city.rows("select scope_reason from evaluation.population where app_id = 'county'") == [("other_level",)]


def test_the_daily_fact_leads_back_to_the_line_of_a_file(city: UsageCity) -> None:
    assert city.rows(
        "select distinct _batch_id, _file_id, _row_number from marts.fct_app_usage_day where app_id = 'lost'"
    ) == [("batch", "batch/file", 1)]


def test_each_published_figure_prints_exactly_what_it_ran(city: UsageCity) -> None:
    figures = city.rows("select figure_id, mart, filter, measure, computed_value from marts.published_figure")
    assert len(figures) == city.rows("select count(*) from intermediate.published_figure_source")[0][0] >= 45
    for figure_id, mart, condition, measure, computed in figures:
        again = city.rows(f"select cast({measure} as double) from {mart} where {condition}")
        assert again == [(computed,)], figure_id


def test_figures_that_the_marts_do_not_give_are_not_matched(city: UsageCity) -> None:
    found = dict(city.rows("select figure_id, is_matched from marts.published_figure"))
    assert found["projects_in_library"] is False
    assert found["promotion_viewers"] is False
    assert found["replied_on"] is False, "nothing computed is not a match"
    assert found["promotion_broadcasts"] is False
    assert found["city_s2_ledgers"] is True

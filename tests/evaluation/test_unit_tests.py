"""The unit tests of the evaluation's models, as dbt runs them."""

from __future__ import annotations

from tests.models.usage_city import UsageCity


def test_every_unit_test_of_the_evaluation_and_of_its_own_marts_passes(families: UsageCity) -> None:
    said = families.dbt(
        "test", "--select", "test_type:unit,path:models/evaluation", "test_type:unit,mart_portal_delivery_month",
        "test_type:unit,mart_security_notice", "test_type:unit,mart_app_project_money",
        "test_type:unit,mart_app_interface_month",
    )  # fmt: skip
    assert "Completed successfully" in said

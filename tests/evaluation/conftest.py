"""Cities to evaluate: one of all four families, the same without a month of one portal, and a city with its story.

The story is told once for all test processes of this folder; whoever changes something works on a copy.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.models.usage_city import UsageCity, small_city

from .story import Story, told_once

FAMILIES = ("major_application", "application_system", "infrastructure", "operations")
FIRST_DAY, LAST_DAY = dt.date(2022, 6, 1), dt.date(2022, 10, 31)
LOST_MONTH = (dt.date(2022, 8, 1), dt.date(2022, 8, 31))
ENDS = {"service": "zheliban_app", "governance": "zhezhengding"}


def city_of_families(folder: Path) -> UsageCity:
    """Eight well used apps besides those of the small city: one a family and side, each with ratings and a module."""
    city = small_city(folder)
    for family in FAMILIES:
        for side, end in ENDS.items():
            app_id = f"{family}-{side}"
            city.admit(
                "irs__app",
                {"app_id": app_id, "app_name": app_id, "side": side, "level": "city", "department_id": "police",
                 "registered_on": dt.date(2021, 1, 1), "family": family, "district_code": "330500",
                 "is_key_app": False, "is_province_assigned": False, "has_standalone_app": False},
            )  # fmt: skip
            city.admit(
                "irs__module",
                {"module_id": f"{app_id}-m1", "app_id": app_id, "module_name": "办理", "module_kind": "matter"},
            )
            city.admit(
                "irs__listing_event",
                {"listing_event_id": app_id, "app_id": app_id, "release_end": end, "event_kind": "listed",
                 "event_on": dt.date(2021, 3, 1)},
            )  # fmt: skip
            city.admit_usage(app_id, end, FIRST_DAY, LAST_DAY, 70)
    return city


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> UsageCity:
    """Everything delivered, built; do not change it."""
    city = city_of_families(Path(tmp_path_factory.mktemp("families")))
    notice = {"notice_kind": "vulnerability", "due_on": dt.date(2022, 8, 1)}
    city.admit(
        "irs__security_notice",
        # The owner reports three risks itself and mends none in time.
        *(
            {**notice, "security_notice_id": f"own{number}", "app_id": "operations-service", "reported_by": "self",
             "noticed_on": dt.date(2022, 7, 5 + number), "mended_on": dt.date(2022, 10, 1) if number else None}
            for number in range(3)
        ),
        # An inspection finds one of another app; it is mended in time.
        {**notice, "security_notice_id": "found", "app_id": "operations-governance", "reported_by": "inspection",
         "noticed_on": dt.date(2022, 7, 5), "mended_on": dt.date(2022, 7, 20)},
    )  # fmt: skip
    city.build(select="+path:models/evaluation")
    return city


@pytest.fixture(scope="session")
def without_august(tmp_path_factory: pytest.TempPathFactory) -> UsageCity:
    """The same city, and none of zheliban's files of August came; interface calls stopped before the cut-off."""
    city = city_of_families(Path(tmp_path_factory.mktemp("without_august")))
    city.execute("delete from admitted.usage where source = 'zheliban' and usage_on between ? and ?", list(LOST_MONTH))
    city.deliver("irs.interface_call", newest_on=dt.date(2022, 9, 1))
    city.build(select="+path:models/evaluation")
    return city


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Story:
    """Do not change it: ``changed_story`` is a copy."""
    base = tmp_path_factory.getbasetemp()
    return told_once(base if worker_id == "master" else base.parent)


@pytest.fixture
def changed_story(story: Story, tmp_path: Path) -> Story:
    return story.copy(tmp_path / "home")

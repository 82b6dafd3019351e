"""The list of what may be public refuses what it must not hold."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from oneledger.open_data import read_open_data
from oneledger.settings import PROJECT_ROOT, ConfigurationError, Settings


def listed(folder: Path, change: dict[str, Any]) -> Settings:
    """The shipped list with its first table changed."""
    content = yaml.safe_load((PROJECT_ROOT / "config" / "open_data.yml").read_text("utf-8"))
    content["tables"][0] |= change
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "open_data.yml").write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return Settings(home=folder, project_root=folder)


def test_the_shipped_list_says_of_each_table_why_who_and_since_when(tmp_path: Path) -> None:
    for table in read_open_data(Settings(home=tmp_path)).tables:
        assert table.why
        assert table.decided_by
        assert table.reviewed_on <= dt.date.today()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": ["app_id", "confirmed_by"]}, "confirmed_by may never be public"),
        ({"columns": ["app_id", "expert_id"]}, "expert_id may never be public"),
        ({"columns": ["app_id", "_batch_id"]}, "_batch_id may never be public"),
        ({"columns": ["app_id", "visitors_count"]}, "visitors_count counts people"),
        ({"columns": ["app_id", "provisioned_users_mean"]}, "provisioned_users_mean counts people"),
        ({"columns": ["app_id", "app_id"]}, "listed twice"),
        ({"columns": []}, "at least 1"),
        ({"table": "staging.stg_irs__app"}, "tables.0.table"),
        ({"resource": "ledgers"}, "the resource ledgers is named twice"),
        ({"reviewed_on": "some day"}, "tables.0.reviewed_on"),
        ({"colums": ["app_id"]}, "colums"),
    ],
)
def test_an_entry_that_must_not_stand_in_it_is_refused_by_name(
    change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read_open_data(listed(tmp_path, change))


def test_the_rule_of_suppression_in_force_is_the_newest_that_has_begun(tmp_path: Path) -> None:
    shipped = read_open_data(Settings(home=tmp_path))
    stricter = shipped.suppression[0].model_copy(update={"effective_from": dt.date(2023, 1, 1), "minimum_count": 20})
    both = shipped.model_copy(update={"suppression": (stricter, *shipped.suppression)})
    assert both.rule_on(dt.date(2022, 12, 31)).minimum_count == 10
    assert both.rule_on(dt.date(2023, 1, 1)).minimum_count == 20
    with pytest.raises(ConfigurationError, match="no rule of suppression in force"):
        both.rule_on(dt.date(2019, 1, 1))

"""`make freshness`: dbt's own word on how old each source is, in step with the source catalogue."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneledger.catalogue import load_catalogue
from oneledger.settings import PROJECT_ROOT, Settings

from .usage_city import AS_OF, UsageCity


@pytest.fixture(scope="module")
def freshness(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `dbt source freshness` answers when zhezhengding and the departments are three days behind."""
    city = UsageCity(tmp_path_factory.mktemp("freshness"))
    city.set_newest_day(AS_OF)
    city.admit_usage("traffic", "zheliban_app", AS_OF, AS_OF, 1)
    for source, entity, behind in (
        ("irs", "app", 0), ("irs", "department", 3), ("zheliban", "usage", 0), ("zhezhengding", "usage", 3),
        ("finance", "spending", 3),
    ):  # fmt: skip
        city.execute(
            "insert or replace into control.source_state by name select ? as source, ? as entity,"
            " ?::date as newest_business_on, 'b' as newest_batch_id, 1 as batches_count, 1 as rows_count,"
            " now()::timestamp as changed_at, 50.0 as max_age_hours",
            [source, entity, AS_OF - dt.timedelta(days=behind)],
        )
    target = city.folder / "target"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")), "--quiet", "source", "freshness",
            "--project-dir", "dbt_project", "--profiles-dir", "dbt_project", "--target-path", str(target),
            "--log-path", str(city.folder / "logs"), "--select", "source:admitted.irs__app",
            "source:admitted.irs__department", "source:admitted.usage", "source:admitted.finance__spending",
        ],
        cwd=PROJECT_ROOT,
        env={**os.environ, "ONELEDGER_WAREHOUSE": str(city.path), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip
    assert (target / "sources.json").exists(), done.stdout + done.stderr
    results = json.loads((target / "sources.json").read_text("utf-8"))["results"]
    return {
        "status": {one["unique_id"].rsplit(".", 1)[1]: one["status"] for one in results},
        "manifest": json.loads((target / "manifest.json").read_text("utf-8")),
    }


def test_a_source_that_fell_behind_is_stale_whatever_the_clock_says(freshness: dict[str, Any]) -> None:
    assert freshness["status"] == {
        "irs__app": "pass",
        "irs__department": "warn",
        # of two portals that fill one table, the one that is behind counts
        "usage": "warn",
        # three days are nothing for a workbook that comes once a month
        "finance__spending": "pass",
    }


def test_dbt_and_the_source_catalogue_name_the_same_age(freshness: dict[str, Any]) -> None:
    catalogue = load_catalogue(
        Settings(home=PROJECT_ROOT, catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml",))
    )  # fmt: skip
    wanted: dict[str, set[float | None]] = {}
    for entity in catalogue.all_entities:
        wanted.setdefault(entity.admitted_table, set()).add(entity.max_age_hours)
    found = {
        source["name"]: {float(source["freshness"]["warn_after"]["count"])}
        for source in freshness["manifest"]["sources"].values()
        if source["source_name"] == "admitted"
    }
    assert found == wanted

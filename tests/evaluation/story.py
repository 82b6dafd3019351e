"""A short city's evaluation as a story: evaluated, confirmed, an appeal corrects the data, evaluated again."""

from __future__ import annotations

import csv
import fcntl
import gzip
import hashlib
import io
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from oneledger.settings import PROJECT_ROOT, Settings
from tests.end_to_end.conftest import Installation

LAST_DAY = "2022-10-31"
CORRECTED_DAY = "20220915"
ADDED_VISITORS = 40_000
CORRECTION = {"reason": "漏报一个发布端的访客", "reference": "申诉2022-17", "name": "李华"}
DRAFT_RULES = """
star_band:
  - {stars: 5, minimum_score: 80}
"""


@dataclass
class Story:
    """Two published versions and three runs.

    Attributes:
        home: the installation; tests that change something work on a copy.
        confirmed: the confirmed run, made on the first version.
        ruled: a draft on the first version with a lower five-star band.
        corrected: a draft on the second version, which holds the correction.
        app_id: whose visitors were corrected.
    """

    home: Path
    first_version: str
    second_version: str
    confirmed: str
    ruled: str
    corrected: str
    app_id: str

    @property
    def settings(self) -> Settings:
        return settings_of(self.home)

    @property
    def installation(self) -> Installation:
        return Installation(self.home)

    def copy(self, target: Path) -> Story:
        """The same story in a home of its own, to change."""
        shutil.copytree(self.home, target, symlinks=True)
        for path in (target / "evaluations").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        connections = target / "city" / "connections.env"
        connections.write_text(connections.read_text("utf-8").replace(str(self.home), str(target)), "utf-8")
        return Story(**{**asdict(self), "home": target})


def settings_of(home: Path) -> Settings:
    return Settings(
        home=home,
        memory_limit="1GB",
        threads=2,
        catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml",),
    )


def tell(home: Path) -> Story:
    """Carry the story through, with the commands that a person would type."""
    city = Installation(home)
    city.oneledger("city", "build", "--from", "2022-07-01", "--to", LAST_DAY)
    city.run()
    first_version = version_of(home)
    confirmed = city.json("evaluate", "--period", "2022-Q3")["run_id"]
    rules = home / "draft.yml"
    rules.write_text(DRAFT_RULES, "utf-8")
    ruled = city.json("evaluate", "--period", "2022-Q3", "--rules", str(rules))["run_id"]
    city.oneledger("evaluate", "confirm", confirmed, "--name", "王敏", "--reason", "各部门已核对")
    app_id = correct(home)
    city.run()
    corrected = city.json("evaluate", "--period", "2022-Q3")["run_id"]
    return Story(home, first_version, version_of(home), confirmed, ruled, corrected, app_id)


def told_once(shared: Path) -> Story:
    """The story, told by the first test process that asks and read by all others; do not change it.

    Args:
        shared: a folder that all processes of one test run share.

    ``ONELEDGER_TEST_STORY`` names the ``evaluation_story.json`` of an earlier run, to try a few tests without telling
    the story again (it takes minutes).
    """
    earlier = os.environ.get("ONELEDGER_TEST_STORY")
    told = Path(earlier) if earlier else shared / "evaluation_story.json"
    if not earlier:
        with (shared / "evaluation_story.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                told.write_text(json.dumps(asdict(tell(shared / "evaluation_story")), default=str), "utf-8")
    known = json.loads(told.read_text("utf-8"))
    return Story(**{**known, "home": Path(known["home"])})


def version_of(home: Path) -> str:
    return (home / "published" / "current").readlink().name


def correct(home: Path, reason: dict[str, Any] | None = CORRECTION) -> str:
    """Deliver one day of zheliban again with more visitors of one app; returns the app."""
    path = home / "city" / "drops" / "zheliban" / f"zheliban_usage_{CORRECTED_DAY}.csv.gz"
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode("utf-8"))))
    with duckdb.connect() as connection:
        points = home / "evaluations" / "*" / "results" / "indicator_points.parquet"
        candidates = {
            row[0]
            for row in connection.execute(
                f"select app_id from read_parquet('{points}') where indicator_id = 'use' and status = 'scored'"
                " and points < 30"
            ).fetchall()
        }
    row = next(
        one for one in rows if one["应用编码"] in candidates and not one["事项编码"] and one["发布端"] == "浙里办APP"
    )
    row["访客数"] = str(int(row["访客数"]) + ADDED_VISITORS)
    row["浏览量"] = str(int(row["浏览量"]) + 2 * ADDED_VISITORS)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = gzip.compress(text.getvalue().encode("utf-8"))
    if reason is not None:
        path.with_name(f"{path.name}.reason.json").write_text(json.dumps(reason, ensure_ascii=False), "utf-8")
    path.write_bytes(content)
    path.with_name(f"{path.name}.ctl").write_text(f"rows={len(rows)}\nsha256={hashlib.sha256(content).hexdigest()}\n")
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    return row["应用编码"]

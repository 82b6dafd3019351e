"""The overview says what the version, the confirmed evaluation and the last night say, each led on to its page."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from oneledger.evaluation.deciding import confirm
from oneledger.evaluation.runs import find_run
from oneledger.outcomes import Outcome, record_outcome
from oneledger.pipeline.runs import list_runs, newest_run
from oneledger.publishing.versions import resolve
from oneledger.settings import Settings
from oneledger.web.last_night import last_night
from oneledger.web.queries.overview import newest_whole_month
from oneledger.web.reading import VersionPool
from tests.evaluation.story import Story

from .conftest import ClientOf, app_over, client_of

STARTED = dt.datetime(2026, 11, 25, 18, 0, tzinfo=dt.UTC)
RUN_ID = "20261125T180000Z-aaaaaa"


@pytest.fixture
def own_home(published_home: Settings, tmp_path: Path) -> Settings:
    """The story's versions, with evaluations and outcome records of one's own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "published").symlink_to(published_home.published_dir)
    shutil.copytree(published_home.evaluations_dir, home / "evaluations")
    for path in (home / "evaluations").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (home / "evaluations").chmod(0o755)
    return replace(published_home, home=home)


def record(settings: Settings, step: str, verdict: str, **more: object) -> None:
    record_outcome(
        Outcome(run_id=RUN_ID, step=step, verdict=verdict, started_at=STARTED, **more),  # type: ignore[arg-type]
        settings.outcomes_dir,
    )


def page_of(app: FastAPI, language: str = "en") -> str:
    answer = client_of(app, "viewer").get(f"/?lang={language}")
    assert answer.status_code == 200
    return answer.text


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("role", ["viewer", "auditor", "engineer"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_opens_for_every_role_in_both_languages(client: ClientOf, role: str, language: str) -> None:
    answer = client(role).get(f"/?lang={language}")
    assert answer.status_code == 200
    assert {"zh": "全市应用一览", "en": "The city at a glance"}[language] in answer.text


def test_somebody_who_is_not_logged_in_sees_nothing_of_it(client: ClientOf) -> None:
    answer = client(None).get("/")
    assert answer.status_code == 303
    assert answer.text == ""


def test_stars_are_those_of_the_confirmed_run_and_drafts_are_called_drafts(client: ClientOf, story: Story) -> None:
    counts = find_run(story.settings, story.confirmed).record["distribution"]
    text = client("viewer").get("/?lang=en").text
    for band in ("5", "4", "3", "none"):
        assert re.search(rf'href="/apps\?stars={band}">.*?<b>{counts[band]}</b>', text, re.S), band
    assert "2 drafts waiting" in text
    assert "the first confirmed run" in text


def test_a_later_confirmation_is_shown_against_the_one_before(own_home: Settings, story: Story) -> None:
    confirm(own_home, story.corrected, name="王敏", reason="申诉成立", supersedes=story.confirmed)
    now = find_run(own_home, story.corrected).record["distribution"]
    before = find_run(own_home, story.confirmed).record["distribution"]
    text = page_of(app_over(own_home))
    assert f"/evaluation/compare?first={story.confirmed}&amp;second={story.corrected}" in text
    for band in ("5", "4", "3", "none"):
        change = now[band] - before[band]
        signed = f"+{change}" if change > 0 else f"−{-change}" if change < 0 else "0"
        assert re.search(rf'stars={band}">.*?<b>{now[band]}</b>.*?<small>{re.escape(signed)}</small>', text, re.S), band


def test_without_any_run_the_stars_of_the_version_are_called_not_confirmed(own_home: Settings) -> None:
    shutil.rmtree(own_home.evaluations_dir)
    with VersionPool(own_home).reading() as reading:
        five = reading.rows("select count(*) as apps_count from evaluation.app_stars where stars = 5")
    text = page_of(app_over(own_home))
    assert "not confirmed" in text
    assert f"<b>{five[0]['apps_count']}</b>" in text


def test_little_used_apps_clocks_and_lead_times_are_those_of_the_marts(
    client: ClientOf, published_home: Settings
) -> None:
    text = plain(client("viewer").get("/?lang=en").text)
    with VersionPool(published_home).reading() as reading:
        month = newest_whole_month(reading.version.as_of_on)  # type: ignore[arg-type]
        low = reading.rows(
            "select portal, count(*) as apps_count from marts.low_use_verdict where month = $month"
            " and period_grain = 'month' and is_registered and verdict in ('low_use', 'unused') group by portal",
            {"month": month},
        )
        minutes = reading.rows(
            "select median(approve_to_open_minutes) as minutes, max(open_target_minutes) as target"
            " from marts.sharing_request where month = $month", {"month": month},
        )[0]  # fmt: skip
        ledgers = reading.rows("select * from marts.ledger where ledger_level = 'city' order by published_on")
    assert low
    for one in low:
        title = {"zheliban": "Zheliban", "zhezhengding": "Zhezhengding"}[one["portal"]]
        assert f" {one['apps_count']} {title}" in text
    assert f"{minutes['minutes']:.1f} minutes to open target {minutes['target']:g}" in text
    assert ledgers
    for one in ledgers:
        days = "—" if one["publish_to_release_days"] is None else one["publish_to_release_days"]
        assert f"{days} {one['ledger_version']} of {one['published_on']}" in text


def test_the_ten_findings_lead_to_their_pages_with_their_states(client: ClientOf, published_home: Settings) -> None:
    text = client("viewer").get("/?lang=en").text
    with VersionPool(published_home).reading() as reading:
        findings = reading.rows("select finding_number, state from marts.finding")
    assert len(findings) == 10
    for one in findings:
        assert f'class="finding {one["state"]}" href="/findings/{one["finding_number"]}"' in text


def test_generated_data_is_said_to_be_generated(client: ClientOf) -> None:
    assert "合成数据" in client("viewer").get("/?lang=zh").text
    assert "synthetic" in client("viewer").get("/?lang=en").text


def test_a_failed_night_shows_what_failed_and_what_to_do_although_the_old_version_is_still_read(
    own_home: Settings,
) -> None:
    record(own_home, "admit", "good", source="irs", entity="app", batch_id="b1")
    record(
        own_home, "gate_sources", "failed", message="3 checks failed <b>",
        remedy="ask the owner of zheliban to deliver again",
    )  # fmt: skip
    text = page_of(app_over(own_home))
    assert "nothing was published" in text
    assert "3 checks failed &lt;b&gt;" in text
    assert "ask the owner of zheliban to deliver again" in text
    assert str(resolve(own_home).as_of_on) in text


def test_a_night_that_broke_off_says_so_and_names_the_command(own_home: Settings) -> None:
    record(own_home, "admit", "good", source="irs", entity="app", batch_id="b1")
    text = page_of(app_over(own_home))
    assert "The run ended before it published." in text
    assert f"oneledger runs show {RUN_ID}" in text


def test_the_verdict_follows_the_records_without_a_new_version(own_home: Settings) -> None:
    record(own_home, "publish", "good")
    app = app_over(own_home)
    assert "ended well" in page_of(app)
    record(own_home, "gate_marts", "failed", message="a mart is wrong")
    assert "nothing was published" in page_of(app)
    assert last_night(own_home).is_failed


def test_the_newest_run_is_the_one_that_all_records_give(published_home: Settings) -> None:
    whole = [one for one in list_runs(published_home) if one["is_whole"]]
    assert newest_run(published_home) == whole[0]


def test_an_ingest_alone_is_no_night(own_home: Settings) -> None:
    record(own_home, "extract", "failed", source="irs", entity="app", message="no answer")
    assert newest_run(own_home) is None
    assert "no run yet" in page_of(app_over(own_home))


@pytest.mark.parametrize(
    ("as_of_on", "month"),
    [("2022-10-31", "2022-10-01"), ("2022-10-30", "2022-09-01"), ("2022-01-05", "2021-12-01"),
     ("2024-02-29", "2024-02-01")],
)  # fmt: skip
def test_the_month_shown_is_the_newest_that_has_ended(as_of_on: str, month: str) -> None:
    assert newest_whole_month(dt.date.fromisoformat(as_of_on)) == dt.date.fromisoformat(month)


@pytest.mark.parametrize("version", ["%27", "x", "a" * 200, "../..", "20991231T000000.000Z-00000000"])
def test_a_version_that_is_none_gets_a_clear_answer(client: ClientOf, version: str) -> None:
    answer = client("viewer").get(f"/?version={version}")
    assert answer.status_code in (404, 422)
    assert "Traceback" not in answer.text

"""Retention removes what its rule says and nothing that is needed, on the record, and is harmless to kill."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.audit import removing
from oneledger.audit.needed_versions import needed_versions
from oneledger.audit.pins import pin, unpin
from oneledger.audit.removing import apply_retention
from oneledger.audit.retention import plan_retention
from oneledger.audit.retention_rule import VersionRule, kept_by_rule, load_rule
from oneledger.audit.seals import seal_version
from oneledger.audit.verifying import verify
from oneledger.outcomes import Outcome, record_outcome
from oneledger.publishing.holds import reading
from oneledger.publishing.publish import recover
from oneledger.publishing.query import open_version
from oneledger.publishing.versions import describe, list_versions, resolve
from oneledger.settings import CITY_TIMEZONE, PROJECT_ROOT, ConfigurationError, Settings

NOW = dt.datetime(2026, 6, 15, 12, tzinfo=CITY_TIMEZONE)
WHO = {"name": "王敏", "reason": "季度清理"}


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The marts file that every version of these tests shares."""
    path = Path(tmp_path_factory.mktemp("marts")) / "shared.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts; create table marts.number as select 42 as number")
    return path


class Installation:
    """Versions made at given instants, as far as retention reads them."""

    def __init__(self, home: Path, marts: Path) -> None:
        self.settings = Settings(home=home, project_root=PROJECT_ROOT, memory_limit="1GB", threads=1)
        self.marts = marts
        self.names: list[str] = []

    def version(self, made_at: dt.datetime) -> str:
        name = f"{made_at.astimezone(dt.UTC):%Y%m%dT%H%M%S}.{len(self.names):03d}Z-aaaaaaaa"
        folder = self.settings.published_dir / name
        folder.mkdir(parents=True)
        os.link(self.marts, folder / "marts.duckdb")
        (folder / "own.bin").write_bytes(name.encode())
        manifest = {
            "version": name, "run_id": f"run-{len(self.names)}", "created_at": made_at.isoformat(), "as_of_on": None,
            "content_hash": f"{len(self.names):064d}", "previous_version": self.names[-1] if self.names else None,
            "models_hash": "m", "tables": [], "facts": [],
        }  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        self.names.append(name)
        return name

    def finish(self) -> Installation:
        """The newest one is current."""
        self.names.sort()
        link = self.settings.published_dir / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(self.names[-1])
        return self

    def run(self, run_id: str, version: str, made_at: dt.datetime, decision: dict[str, Any] | None = None) -> Path:
        folder = self.settings.evaluations_dir / run_id
        folder.mkdir(parents=True)
        record = {"run_id": run_id, "version": version, "created_at": made_at.astimezone(dt.UTC).isoformat(),
                  "gate": {"is_open": True}}  # fmt: skip
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        if decision is not None:
            (folder / "confirmation.json").write_text(json.dumps({"supersedes": None, **decision}), encoding="utf-8")
        return folder


@pytest.fixture
def installation(tmp_path: Path, marts: Path) -> Installation:
    """A version a day for 120 days until now."""
    made = Installation(tmp_path / "home", marts)
    for days in range(120, -1, -1):
        made.version(NOW - dt.timedelta(days=days))
    return made.finish()


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.is_dir() else set()


def test_every_version_of_the_last_weeks_and_the_last_of_each_month_before_stay(installation: Installation) -> None:
    plan = plan_retention(installation.settings, now=NOW)
    kept = [name[:8] for name in plan.kept]
    assert kept[:3] == ["20260228", "20260331", "20260430"]
    assert len(kept) == 3 + 36
    assert {one.kind for one in plan.removals} == {"version"}
    assert all("OneLedger default" in one.rule for one in plan.removals)


INSTANTS = st.lists(
    st.integers(min_value=0, max_value=900).map(lambda days: NOW - dt.timedelta(days=days, minutes=days % 7)),
    min_size=1, max_size=15, unique=True,
)  # fmt: skip


@settings(max_examples=10)
@given(instants=INSTANTS, data=st.data())
def test_what_is_needed_never_goes_and_applying_removes_exactly_the_plan_once(
    tmp_path_factory: pytest.TempPathFactory, marts: Path, instants: list[dt.datetime], data: st.DataObject
) -> None:
    home = Path(tmp_path_factory.mktemp("home"))
    made = Installation(home, marts)
    for instant in sorted(instants):
        made.version(instant)
    made.finish()
    pick = st.sampled_from(made.names)
    pinned = data.draw(st.sets(pick, max_size=2), label="pinned")
    evaluated = data.draw(st.sets(pick, max_size=2), label="evaluated")
    held = data.draw(st.sets(pick, max_size=1), label="read by somebody")
    for name in pinned:
        pin(made.settings, name, **WHO)
    for number, name in enumerate(sorted(evaluated)):
        made.run(f"run-{number}", name, NOW - dt.timedelta(days=800), {"decided_at": "2026-01-01T00:00:00"})
    (made.settings.landing_dir / "zheliban").mkdir(parents=True)
    (made.settings.landing_dir / "zheliban" / "payload.csv").write_text("as received", encoding="utf-8")
    landing = contents(made.settings.landing_dir)

    plan = plan_retention(made.settings, now=NOW)
    going = {one.subject for one in plan.removals}
    needed = pinned | evaluated | set(made.names[-2:])
    assert set(needed_versions(made.settings)) == needed
    assert not going & needed
    assert going | set(plan.kept) == set(made.names) and not going & set(plan.kept)
    assert going == set(made.names) - needed - set(
        kept_by_rule([(one.version, one.created_at) for one in list_versions(made.settings)], plan.rule.versions, NOW)
    )
    with _all_read(made.settings, held):
        applied = apply_retention(made.settings, now=NOW, **WHO)
    assert {one.subject for one in applied.removed} == going - held
    assert {one.subject for one in applied.held} == going & held
    assert {one.version for one in list_versions(made.settings)} == set(made.names) - (going - held)
    assert {path.stem for path in (made.settings.published_dir / ".removed").glob("*")} == going - held
    again = apply_retention(made.settings, now=NOW, **WHO)
    assert {one.subject for one in again.removed} == going & held
    assert plan_retention(made.settings, now=NOW).removals == ()
    assert contents(made.settings.landing_dir) == landing
    shutil.rmtree(home)


@pytest.fixture
def old(installation: Installation) -> str:
    """A version that the rule removes."""
    return plan_retention(installation.settings, now=NOW).removals[0].subject


def _all_read(settings: Settings, names: set[str]) -> ExitStack:
    stack = ExitStack()
    for name in names:
        stack.enter_context(reading(resolve(settings, name)))
    return stack


@given(
    rule=st.builds(
        VersionRule, every_one_for_days=st.integers(0, 60), last_of_month_for_months=st.integers(0, 30)
    ),
    days=st.lists(st.integers(0, 1500), min_size=1, max_size=40, unique=True),
)  # fmt: skip
def test_a_longer_rule_never_keeps_less(rule: VersionRule, days: list[int]) -> None:
    versions = [(f"{1500 - day:05d}", NOW - dt.timedelta(days=day)) for day in days]
    longer = VersionRule(
        every_one_for_days=rule.every_one_for_days + 5, last_of_month_for_months=rule.last_of_month_for_months + 1
    )
    assert set(kept_by_rule(versions, rule, NOW)) <= set(kept_by_rule(versions, longer, NOW))


def test_a_removed_version_says_when_by_whom_why_and_by_which_rule(installation: Installation, old: str) -> None:
    applied = apply_retention(installation.settings, now=NOW, **WHO)
    with pytest.raises(ConfigurationError, match=rf"{old}.*was removed on .* by 王敏 \(季度清理; rule: versions"):
        resolve(installation.settings, old)
    day = describe(installation.settings, old)["manifest"]["created_at"][:10]
    with pytest.raises(ConfigurationError, match=r"that was current at the end of .* was removed"):
        resolve(installation.settings, as_of=dt.date.fromisoformat(day))
    shown = describe(installation.settings, old)
    assert shown["manifest"]["version"] == old and shown["removed"]["removed_by"] == "王敏"
    assert applied.record is not None
    record = json.loads(applied.record.read_text("utf-8"))
    assert (record["name"], record["reason"]) == ("王敏", "季度清理")
    assert [one["subject"] for one in record["planned"]] == [one.subject for one in applied.removed]
    assert record["ended_at"]


def test_a_reader_that_has_an_old_version_open_is_not_disturbed(installation: Installation, old: str) -> None:
    path = installation.settings.published_dir / old / "marts.duckdb"
    with open_version(installation.settings, resolve(installation.settings, old)) as ours:
        held = apply_retention(installation.settings, now=NOW, **WHO).held
        assert [one.subject for one in held] == [old]
        assert ours.execute("select number from marts.number").fetchall() == [(42,)]
    with duckdb.connect(str(path), read_only=True) as client:
        # A client of its own holds nothing; it keeps the file that it opened.
        apply_retention(installation.settings, now=NOW, **WHO)
        assert not path.exists()
        assert client.execute("select number from marts.marts.number").fetchall() == [(42,)]


def test_killed_while_it_deletes_no_half_version_is_seen_and_the_next_start_clears_up(
    installation: Installation, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path) -> None:
        (next(Path(path).glob("*.duckdb"))).unlink()
        raise KeyboardInterrupt

    before = len(list_versions(installation.settings))
    with monkeypatch.context() as patch:
        patch.setattr(removing.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            apply_retention(installation.settings, now=NOW, **WHO)
    seen = list_versions(installation.settings)
    assert len(seen) == before - 1
    assert old not in {one.version for one in seen}
    assert all((one.path / "marts.duckdb").is_file() for one in seen)
    with pytest.raises(ConfigurationError, match="was removed on"):
        resolve(installation.settings, old)
    recover(installation.settings)
    assert not list(installation.settings.published_dir.glob(".partial-*"))


def test_killed_before_the_folder_goes_the_version_is_still_there_and_is_not_said_to_be_removed(
    installation: Installation, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(removing, "_rename_away_and_delete", killed)
        with pytest.raises(KeyboardInterrupt):
            apply_retention(installation.settings, now=NOW, **WHO)
    assert resolve(installation.settings, old).version == old
    assert old in {one.subject for one in apply_retention(installation.settings, now=NOW, **WHO).removed}


def test_whoever_keeps_seals_is_told_of_each_removal_before_it_is_made(installation: Installation) -> None:
    told = []

    def tell(settings: Settings, removal: Any, name: str, reason: str) -> None:
        assert removal.paths[0].exists()
        told.append((removal.kind, removal.subject, name, reason))

    applied = apply_retention(installation.settings, now=NOW, before_removal=[tell], **WHO)
    assert told == [(one.kind, one.subject, "王敏", "季度清理") for one in applied.removed]


def test_a_pin_keeps_a_version_until_it_is_taken_away(installation: Installation, old: str) -> None:
    pin(installation.settings, old, **WHO)
    assert plan_retention(installation.settings, now=NOW).kept[old] == ["pinned by 王敏: 季度清理"]
    unpin(installation.settings, old)
    assert old in {one.subject for one in plan_retention(installation.settings, now=NOW).removals}
    with pytest.raises(ConfigurationError, match="not the start of one pinned version"):
        unpin(installation.settings, old)


def test_old_drafts_go_with_the_version_that_only_they_needed_and_decided_runs_stay(
    installation: Installation, old: str
) -> None:
    young = installation.run("young", old, NOW - dt.timedelta(days=10))
    assert plan_retention(installation.settings, now=NOW).kept[old] == ["draft evaluation young"]
    shutil.rmtree(young)
    aged = installation.run("aged", old, NOW - dt.timedelta(days=200))
    decided = installation.run("decided", installation.names[-1], NOW - dt.timedelta(days=900), {})
    removed = {one.subject for one in apply_retention(installation.settings, now=NOW, **WHO).removed}
    assert {"aged", old} <= removed
    assert not aged.exists() and decided.exists()


def test_old_outcomes_go_but_not_those_of_a_kept_version_nor_failures_that_nothing_ended(
    installation: Installation,
) -> None:
    directory = installation.settings.outcomes_dir
    then = dt.datetime(2022, 5, 1, 12, tzinfo=dt.UTC)

    def note(step: str, verdict: str, hours: int, run_id: str = "long-ago", entity: str = "usage") -> str:
        at = then + dt.timedelta(hours=hours)
        made = Outcome(run_id=run_id, step=step, source="zheliban", entity=entity, verdict=verdict, started_at=at,  # type: ignore[arg-type]
                       ended_at=at)  # fmt: skip
        return record_outcome(made, directory).outcome_id

    ended, ending = note("load_raw", "failed", 0), note("load_raw", "good", 1)
    open_failure = note("load_raw", "failed", 2, entity="module")
    kept_run = note("admit", "good", 3, run_id=f"run-{len(installation.names) - 1}")
    young = record_outcome(Outcome(run_id="r", step="admit", verdict="good", started_at=NOW), directory).outcome_id
    apply_retention(installation.settings, now=NOW, **WHO)
    left = {path.stem for path in directory.rglob("*.json")}
    assert left == {open_failure, kept_run, young}
    assert not {ended, ending} & left


def test_what_a_killed_process_left_and_old_logs_go_and_young_ones_stay(installation: Installation) -> None:
    home = installation.settings.home
    ages = {"scratch/proof-x/home/big": 5, "scratch/replay-y/home/young": 0, "scratch/duckdb/spill": 5,
            "logs/dbt/dbt.log.1": 200, "logs/dbt/dbt.log": 0, "reports/docs/old.html": 200}  # fmt: skip
    for name, days in ages.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
        for one in (path, *path.parents[: len(Path(name).parts) - 1]):
            os.utime(one, ((NOW - dt.timedelta(days=days)).timestamp(),) * 2)
    apply_retention(installation.settings, now=NOW, **WHO)
    assert {name for name in ages if (home / name).exists()} == {"scratch/replay-y/home/young", "logs/dbt/dbt.log"}


def test_a_version_that_first_shows_an_open_finding_stays(tmp_path: Path, marts: Path) -> None:
    made = Installation(tmp_path / "home", marts)
    first, second, _ = (made.version(NOW - dt.timedelta(days=days)) for days in (100, 90, 80))
    for number, name in enumerate((*made.names, made.version(NOW))):
        findings = made.settings.published_dir / name / "findings.duckdb"
        with duckdb.connect(str(findings)) as connection:
            connection.execute("create schema marts")
            connection.execute(
                "create table marts.finding as select *, '题' as title_zh, 'title' as title_en, '处' as office,"
                " null::date as reopened_on, '因' as reason_zh, 'reason' as reason_en from (values (2022, 1, 'closed'),"
                " (2022, 2, 'open'), (2022, 3, 'open')) as t (list_year, finding_number, state)"
                f" where finding_number <= {2 + number}"
            )
        findings.replace(findings.with_name("marts.duckdb"))
    made.finish()
    needed = needed_versions(made.settings)
    assert needed[first] == ["finding 2022/2 (open): first shows it open"]
    assert needed[second] == ["finding 2022/3 (open): first shows it open"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{effective_from: 2022-01-01, landing: {for_days: 30}}]", "landing has no retention"),
        ("rules: [{effective_from: 2022-01-01, source: x}]", "versions: Field required"),
        ("nothing", "has no list `rules`"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "retention.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        load_rule(Settings(home=tmp_path, project_root=tmp_path), NOW.date())


def test_the_newest_rule_in_force_counts_and_a_day_before_all_has_none(tmp_path: Path) -> None:
    shipped = (PROJECT_ROOT / "config" / "retention.yml").read_text("utf-8")
    later = shipped[shipped.index("  - effective_from") :].replace("2022-01-01", "2030-01-01").replace(": 35", ": 70")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "retention.yml").write_text(shipped + later, encoding="utf-8")
    own = Settings(home=tmp_path, project_root=tmp_path)
    assert load_rule(own, dt.date(2029, 12, 31)).versions.every_one_for_days == 35
    assert load_rule(own, dt.date(2030, 1, 1)).versions.every_one_for_days == 70
    with pytest.raises(ConfigurationError, match="no rule in force on 2021-12-31"):
        load_rule(own, dt.date(2021, 12, 31))


def test_nothing_is_removed_without_a_name_and_a_reason(installation: Installation) -> None:
    before = contents(installation.settings.published_dir)
    with pytest.raises(ConfigurationError, match="--reason is empty"):
        apply_retention(installation.settings, name="王敏", reason=" ", now=NOW)
    assert contents(installation.settings.published_dir) == before


def test_a_removed_version_stays_in_the_ledger_with_who_removed_it_and_why(tmp_path: Path, marts: Path) -> None:
    made = Installation(tmp_path, marts)
    old = made.version(NOW - dt.timedelta(days=800))
    for days in (3, 2, 1):
        made.version(NOW - dt.timedelta(days=days))
    installation = made.finish().settings
    for one in list_versions(installation):
        seal_version(installation, one, None)
    assert verify(installation, "published")["ok"]
    done = apply_retention(installation, now=NOW, **WHO)
    assert [one.subject for one in done.removed] == [old]
    answer = verify(installation, "published")
    assert answer["ok"]
    (gone,) = [one for one in answer["items"] if one["state"] == "removed"]
    assert "王敏" in gone["note"]
    assert done.record is not None
    done.record.write_text(done.record.read_text("utf-8").replace("季度", "年度"), encoding="utf-8")
    assert not verify(installation, "decisions")["ok"]

"""What retention would remove now, and why everything else stays. Nothing is removed here."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.audit.needed_versions import Reasons, made_at, needed_versions
from oneledger.audit.retention_rule import RetentionRule, kept_by_rule, load_rule
from oneledger.evaluation.runs import evaluation_runs
from oneledger.outcomes import utc_now
from oneledger.publishing.versions import PublishedVersion, list_versions
from oneledger.settings import CITY_TIMEZONE, Settings
from oneledger.warehouse.control import create_control_tables, load_outcomes

_SPILL = "duckdb"


@dataclass(frozen=True)
class Removal:
    """One thing to remove.

    Attributes:
        kind: ``version``, ``evaluation_draft``, ``outcomes``, ``scratch``, ``log`` or ``report``.
        subject: the version, the run, the month, the file below the home.
        paths: what goes; a folder with everything in it.
        freed_bytes: what the disk gets back. A month that a kept version shares is not counted.
        rule: the rule by which it goes.
    """

    kind: str
    subject: str
    paths: tuple[Path, ...]
    freed_bytes: int
    rule: str


@dataclass(frozen=True)
class Plan:
    """What goes by which rule, and why each version that stays does."""

    rule: RetentionRule
    removals: tuple[Removal, ...]
    kept: Reasons

    @property
    def freed_bytes(self) -> int:
        return sum(one.freed_bytes for one in self.removals)


def plan_retention(settings: Settings, *, now: dt.datetime | None = None) -> Plan:
    """Work out what the rule removes; a version that something needs stays whatever the rule says.

    Args:
        now: the instant of the decision, with time zone; default now.

    Raises:
        ConfigurationError: the rule cannot be read, or an evaluation run or a version is damaged.
    """
    now = now or utc_now()
    rule = load_rule(settings, now.astimezone(CITY_TIMEZONE).date())
    drafts_since = now - dt.timedelta(days=rule.evaluation_drafts.for_days)
    versions = list_versions(settings)
    made = [(one.version, one.created_at) for one in versions]
    kept: Reasons = {name: [reason] for name, reason in kept_by_rule(made, rule.versions, now).items()}
    for name, reasons in needed_versions(settings, drafts_since=drafts_since).items():
        kept[name] = [*reasons, *kept.get(name, [])]
    there = {one.version for one in versions}
    kept = {name: reasons for name, reasons in sorted(kept.items()) if name in there}
    going = [one for one in versions if one.version not in kept]
    removals = [
        *_versions(going, rule),
        *_drafts(settings, rule, drafts_since),
        *_outcomes(settings, rule, now, [one for one in versions if one.version in kept]),
        *_scratch(settings, rule, now),
        *_old_files(settings, "log", (settings.logs_dir, settings.airflow_dir / "logs"), rule, now),
        *_old_files(settings, "report", (settings.reports_dir,), rule, now),
    ]
    return Plan(rule, tuple(removals), kept)


def _versions(going: list[PublishedVersion], rule: RetentionRule) -> Iterator[Removal]:
    """A month that several versions share is freed with the last of them that goes."""
    links: Counter[tuple[int, int]] = Counter()
    for one in going:
        freed = 0
        for path in one.path.rglob("*"):
            if path.is_file():
                found = path.stat()
                inode = (found.st_dev, found.st_ino)
                links[inode] += 1
                freed += found.st_size if links[inode] == found.st_nlink else 0
        yield Removal("version", one.version, (one.path,), freed, rule.about("versions"))


def _drafts(settings: Settings, rule: RetentionRule, since: dt.datetime) -> Iterator[Removal]:
    for run in evaluation_runs(settings):
        if run.state in ("draft", "stopped") and made_at(run.record["created_at"]) < since:
            yield Removal(
                "evaluation_draft", run.run_id, (run.path,), _size([run.path]), rule.about("evaluation_drafts")
            )


def _outcomes(
    settings: Settings, rule: RetentionRule, now: dt.datetime, kept: list[PublishedVersion]
) -> Iterator[Removal]:
    months = now.year * 12 + now.month - 1 - rule.outcomes.for_months
    oldest_kept = f"{months // 12:04d}-{months % 12 + 1:02d}"
    folders = [folder for folder in sorted(settings.outcomes_dir.glob("????-??")) if folder.name < oldest_kept]
    if not folders:
        return
    needed = _needed_outcomes(settings, kept)
    for folder in folders:
        paths = tuple(path for path in sorted(folder.glob("[!.]*.json")) if path.stem not in needed)
        if paths:
            yield Removal("outcomes", folder.name, paths, _size(paths), rule.about("outcomes"))


def _needed_outcomes(settings: Settings, kept: list[PublishedVersion]) -> set[str]:
    """The records of the runs of kept versions, those of the builds that these were made by, and failures that no
    later step ended: ``marts.withheld_part`` still tells of them."""
    with duckdb.connect() as connection:
        create_control_tables(connection)
        load_outcomes(connection, settings.outcomes_dir)
        rows = connection.execute(
            """
            with built as (
                select arg_max(outcome.outcome_id, outcome.started_at) as outcome_id
                from (select unnest(?) as published_at) as version
                inner join control.outcome as outcome
                    on outcome.step = 'build_models' and outcome.started_at <= version.published_at
                group by version.published_at
            ),
            ended as (
                select failed.outcome_id
                from control.outcome as failed
                inner join control.outcome as good
                    on failed.source is not distinct from good.source and failed.entity is not distinct from good.entity
                    and good.started_at > failed.started_at and ((good.step = failed.step and good.verdict <> 'failed')
                        or (good.step = 'extract' and good.verdict = 'unchanged'))
                where failed.verdict = 'failed'
            )
            select outcome_id from control.outcome
            where list_contains(?, run_id) or outcome_id in (from built)
                or (verdict = 'failed' and outcome_id not in (from ended))
            """,
            [
                [one.created_at.astimezone(dt.UTC).replace(tzinfo=None) for one in kept],
                [str(one.manifest["run_id"]) for one in kept],
            ],
        ).fetchall()
    return {outcome_id for (outcome_id,) in rows}


def _scratch(settings: Settings, rule: RetentionRule, now: dt.datetime) -> Iterator[Removal]:
    folder = settings.scratch_dir
    if not folder.is_dir():
        return
    entries = [path for path in folder.iterdir() if path.name != _SPILL]
    # Its lock keeps a process's place for as long as it lives; the next night removes those of the dead.
    spilled = (folder / _SPILL).iterdir() if (folder / _SPILL).is_dir() else ()
    entries += [path for path in spilled if path.suffix != ".lock"]
    for path in sorted(entries):
        # What is still being written has a young file somewhere.
        newest = max(one.lstat().st_mtime for one in (path, *_below(path)))
        if _age_days(newest, now) > rule.scratch.for_days:
            name = str(path.relative_to(settings.home))
            yield Removal("scratch", name, (path,), _size([path]), rule.about("scratch"))


def _old_files(
    settings: Settings, kind: str, folders: Iterable[Path], rule: RetentionRule, now: dt.datetime
) -> Iterator[Removal]:
    limit = rule.logs if kind == "log" else rule.reports
    about = rule.about("logs" if kind == "log" else "reports")
    for folder in folders:
        for path in sorted(_below(folder)):
            # A lock file is never removed: who waits for it would wait for another than who comes after.
            if (
                path.suffix != ".lock"
                and path.name != ".lock"
                and not path.is_dir()
                and _age_days(path.lstat().st_mtime, now) > limit.for_days
            ):
                yield Removal(kind, str(path.relative_to(settings.home)), (path,), path.lstat().st_size, about)


def _below(path: Path) -> list[Path]:
    return list(path.rglob("*")) if path.is_dir() and not path.is_symlink() else []


def _age_days(written_at: float, now: dt.datetime) -> float:
    return (now.timestamp() - written_at) / 86_400


def _size(paths: Iterable[Path]) -> int:
    return sum(
        one.lstat().st_size for path in paths for one in (path, *_below(path)) if one.is_file() and not one.is_symlink()
    )

"""A home of its own that holds just what a published version was made of, to make that version again.

Landing: links to the batches that the version's ``batches.parquet`` names, and to no other. Decisions: the releases
from quarantine that had been decided when the version's rows were admitted (each admitted batch bears the mark of its
releases), the evaluation runs that had been decided, and the outcome records that had been written, when its models
were built. Models and rules: today's dbt project with the version's own tables of rules; when that is not what the
version was built with and the version names a commit that the checkout still has, the project of that commit.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import duckdb

from oneledger.evaluation.rules import metrics_file
from oneledger.landing.manifest import MANIFEST_NAME, read_manifest
from oneledger.publishing.build import published_models
from oneledger.publishing.evaluation_basis import FOLDER, MACROS_DIR, RULES_DIR
from oneledger.publishing.facts import file_sha256
from oneledger.publishing.lineage_basis import FOLDER as LINEAGE_DIR
from oneledger.publishing.lineage_basis import SEEDS_DIR
from oneledger.publishing.versions import BATCHES_FILE, PublishedVersion
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.control import create_control_tables, load_outcomes
from oneledger.warehouse.evaluation_runs import DECIDED, list_runs
from oneledger.warehouse.releases import Release, read_releases

_BATCHES_A_LINE = 500


@dataclass(frozen=True)
class LandingProblem:
    """A landed file that is not what its manifest says, or a batch that is gone."""

    batch_id: str
    problem: str
    expected: str


@contextmanager
def past_home(settings: Settings, version: PublishedVersion) -> Iterator[Settings]:
    """Settings of an empty home under ``scratch/``; removed at the end."""
    folder = settings.scratch_dir / f"proof-{version.version}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield dataclasses.replace(settings, home=folder / "home", project_root=folder / "project")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def link_landing(
    settings: Settings, home: Settings, version: PublishedVersion, progress: Callable[[str], None] = lambda _: None
) -> tuple[int, list[LandingProblem]]:
    """Link the version's batches, and compare every byte of them with their manifests.

    Args:
        progress: told one line now and then: years of deliveries take minutes to read.

    Returns:
        How many batches there are, and what is not as it was received.
    """
    problems = []
    batches = _batches(version)
    for number, (batch_id, source, entity, partition, revision, _) in enumerate(batches):
        if number and number % _BATCHES_A_LINE == 0:
            progress(f"landing: {number} of {len(batches)} batches read")
        place = Path(source) / entity / partition / f"r{revision:03d}"
        folder = settings.landing_dir / place
        if not (folder / MANIFEST_NAME).is_file():
            problems.append(LandingProblem(batch_id, f"{folder} is gone", "the batch as it was received"))
            continue
        problems += _changed_files(batch_id, folder)
        link = home.landing_dir / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder, target_is_directory=True)
    return len(batches), problems


def link_releases(settings: Settings, home: Settings, version: PublishedVersion) -> int:
    """Link the releases that had been decided when the version's rows were admitted; returns how many.

    A batch's contract hash ends with a mark of the releases that name the batch. The releases are taken in the order
    of their decision, and the newest ones left out until the marks are those of the version.
    """
    marks = {batch_id: contract.partition("+")[2] for batch_id, *_, contract in _batches(version)}
    releases = [one for one in read_releases(settings) if one.released_at <= version.created_at]
    while releases and not _has_marks(releases, marks):
        releases.pop()
    for one in releases:
        name = Path(f"{one.released_at:%Y-%m}") / f"{one.release_id}.json"
        (home.releases_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (home.releases_dir / name).symlink_to(settings.releases_dir / name)
    return len(releases)


def built_at(settings: Settings, connection: duckdb.DuckDBPyConnection, version: PublishedVersion) -> dt.datetime:
    """Load the outcome records that had been written when the version's models were built.

    Returns:
        That instant (UTC, naive): what was decided later did not go into the version.
    """
    create_control_tables(connection)
    load_outcomes(connection, settings.outcomes_dir)
    published_at = version.created_at.astimezone(dt.UTC).replace(tzinfo=None)
    found = connection.execute(
        "select max(started_at) from control.outcome where step = 'build_models' and verdict in ('good', 'warning')"
        " and started_at <= ?",
        [published_at],
    ).fetchone()
    instant: dt.datetime = found[0] if found and found[0] else published_at
    connection.execute("delete from control.outcome where started_at > ?", [instant])
    return instant


def link_decided_runs(settings: Settings, home: Settings, instant: dt.datetime) -> int:
    """Link the evaluation runs that had been confirmed or rejected by then; returns how many."""
    home.evaluations_dir.mkdir(parents=True, exist_ok=True)
    count = 0
    for run in list_runs(settings.evaluations_dir):
        if run.state in DECIDED and dt.datetime.fromisoformat(run.decision["decided_at"]) <= instant:
            (home.evaluations_dir / run.run_id).symlink_to(run.path, target_is_directory=True)
            count += 1
    return count


def lay_out_project(settings: Settings, home: Settings, version: PublishedVersion) -> str:
    """Put the dbt project of the version into the home, as nearly as it can be had.

    Returns:
        Which one it is: ``as it is now``, ``with the version's rules``, or the commit.
    """
    target = home.dbt_project_dir
    wanted = version.manifest["models_hash"]
    shutil.copytree(settings.dbt_project_dir, target, ignore=shutil.ignore_patterns("target", "logs"))
    if published_models(home) == wanted:
        return "as it is now"
    _put_rules(version, target)
    if published_models(home) == wanted:
        return "with the version's rules"
    commit = version.manifest.get("code_commit")
    if commit and _lay_out_commit(settings, target, commit) and published_models(home) == wanted:
        return f"of commit {commit}"
    shutil.rmtree(target)
    shutil.copytree(settings.dbt_project_dir, target, ignore=shutil.ignore_patterns("target", "logs"))
    _put_rules(version, target)
    return "with the version's rules"


def _batches(version: PublishedVersion) -> list[tuple[str, str, str, str, int, str]]:
    path = str(version.path / BATCHES_FILE).replace("'", "''")
    with duckdb.connect() as connection:
        return connection.execute(
            "select batch_id, source, entity, partition, revision, contract_hash"
            f" from read_parquet('{path}') order by batch_id"
        ).fetchall()


def _changed_files(batch_id: str, folder: Path) -> list[LandingProblem]:
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return [LandingProblem(batch_id, str(error), "a readable manifest")]
    problems = []
    for file in manifest.files:
        path = folder / file.name
        found = f"has SHA-256 {file_sha256(path)}" if path.is_file() else "is missing"
        if found != f"has SHA-256 {file.sha256}":
            problems.append(LandingProblem(batch_id, f"{path} {found}", f"SHA-256 {file.sha256}"))
    return problems


def _has_marks(releases: list[Release], marks: dict[str, str]) -> bool:
    """Whether the batches of these releases bear their marks, as ``RELEASE_MARKS`` makes them."""
    of_batch: dict[str, set[str]] = {}
    for one in releases:
        for row in one.rows:
            of_batch.setdefault(row.batch_id, set()).add(one.release_id)
    return all(
        marks[batch_id] == hashlib.md5(",".join(sorted(ids)).encode(), usedforsecurity=False).hexdigest()[:8]
        for batch_id, ids in of_batch.items()
        if batch_id in marks
    )


def _put_rules(version: PublishedVersion, project: Path) -> None:
    """Replace the tables of rules and the metrics by the version's own."""
    # Versions of before all seeds were kept hold those of the evaluation.
    kept = version.path / LINEAGE_DIR / SEEDS_DIR
    rules = kept if kept.is_dir() else version.path / FOLDER / RULES_DIR
    seeds = {path.name: path for path in (project / "seeds").rglob("*.csv")}
    for path in sorted(rules.glob("*.csv")):
        # A rule table that the project no longer has is not put in: its absence shows as a difference.
        if path.name in seeds:
            shutil.copyfile(path, seeds[path.name])
    for path in (version.path / FOLDER / MACROS_DIR).glob("*.sql"):
        shutil.copyfile(path, metrics_file(project / "seeds"))


def _lay_out_commit(settings: Settings, target: Path, commit: str) -> bool:
    """Replace the project by that of a commit; False when git or the commit is not to be had."""
    command = ["git", "-C", str(settings.dbt_project_dir), "archive", "--format=tar", commit, "."]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode != 0:
        return False
    shutil.rmtree(target)
    target.mkdir()
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")
    return True


def must_be_whole(version: PublishedVersion) -> None:
    """Refuse a version that does not say what it was made of.

    Raises:
        ConfigurationError: its list of batches is gone.
    """
    if not (version.path / BATCHES_FILE).is_file():
        raise ConfigurationError(
            f"Version {version.version} holds no {BATCHES_FILE}, so it cannot be said of which batches to make it "
            "again. Restore its folder from a backup, or name another version."
        )

"""One finding for each thing that the nightly needs, with a remedy where it is not as it must be."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue import decided, load_catalogue
from oneledger.publishing.facts import fact_files_of, file_sha256
from oneledger.publishing.versions import NOT_YET_CURRENT, PARTIAL_PREFIX, current_version, list_versions
from oneledger.runbooks import page_of
from oneledger.settings import CITY_TIMEZONE, ConfigurationError, Settings
from oneledger.sources.connections import is_configured, resolve_connection, variable_of
from oneledger.warehouse.lock import lock_holder

EXTENSIONS = ("encodings", "excel", "icu")
_LEAST_FREE_BYTES = 2 * 1024**3
_WEB_PORT = 8080
_CONNECT_SECONDS = 5.0
_PINNED = re.compile(r"^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")


@dataclass(frozen=True)
class Finding:
    """One examined thing. A warning does not make the installation unfit; ``runbook``: the page of what is wrong."""

    title: str
    is_good: bool
    value: str
    remedy: str = ""
    expected: str = ""
    is_warning: bool = False
    runbook: str = ""

    def as_item(self) -> dict[str, Any]:
        """For JSON: with ``problem`` when it is not good."""
        item = {**asdict(self), "ok": self.is_good or self.is_warning}
        return item if self.is_good else {**item, "problem": f"{self.title}: {self.value}"}


def examine(settings: Settings, *, only_catalogue: bool = False) -> list[Finding]:
    """Examine everything, or the source catalogue only. Nothing is changed and nothing is downloaded."""
    if only_catalogue:
        title = "来源目录 source catalogue"
        return [*_guarded(lambda: _catalogue(settings), title), *_guarded(lambda: _decisions(settings), title)]
    return [finding for name in EXAMINATIONS for finding in _examined(name, settings)]


def _examined(name: str, settings: Settings) -> Iterator[Finding]:
    """The findings of one examination; what is not good says where its runbook is."""
    title, examination = EXAMINATIONS[name]
    for finding in _guarded(lambda: examination(settings), title):
        yield finding if finding.is_good else replace(finding, runbook=page_of(f"doctor:{name}"))


def _guarded(examination: Callable[[], Iterator[Finding]], title: str) -> Iterator[Finding]:
    try:
        yield from examination()
    except ConfigurationError as error:
        yield Finding(title, False, str(error), "Correct what the message names.")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    is_good = sys.version_info[:2] == (3, 11)
    yield Finding("Python", is_good, version, "Install Python 3.11 and run `make run` again.", "3.11")


def _packages(settings: Settings) -> Iterator[Finding]:
    lock = settings.project_root / "requirements.lock"
    wrong = []
    pinned = [match.groups() for line in lock.read_text("utf-8").splitlines() if (match := _PINNED.match(line))]
    for name, version in pinned:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            # A package for another system is locked and not installed.
            continue
        if installed != version:
            wrong.append(f"{name} {installed}, locked {version}")
    value = "; ".join(wrong[:10]) if wrong else f"{len(pinned)} as locked"
    yield Finding("软件包 packages", not wrong, value, "Run `make setup`, which installs the lock file.")


def _catalogue(settings: Settings) -> Iterator[Finding]:
    catalogue = load_catalogue(settings)
    entities = len(catalogue.all_entities)
    yield Finding(
        "来源目录 source catalogue",
        True,
        f"{len(catalogue.sources)} sources, {entities} entities, from {', '.join(p.name for p in catalogue.paths)}",
    )


def _decisions(settings: Settings) -> Iterator[Finding]:
    """What is decided at the door of each source, and what single entities decide otherwise."""
    try:
        catalogue = load_catalogue(settings)
    except ConfigurationError:
        return  # said already
    for source in catalogue.sources.values():
        of_entities = {name: decided(entity, source.connector) for name, entity in source.entities.items()}
        common = {problem: max(set(said), key=said.count) for problem in next(iter(of_entities.values()))
                  if (said := [of_one[problem] for of_one in of_entities.values()])}  # fmt: skip
        parts = [f"{decision}: {', '.join(problem for problem, what in common.items() if what == decision)}"
                 for decision in dict.fromkeys(common.values())]  # fmt: skip
        parts += [f"{name}: {problem} {what}" for name, of_one in of_entities.items()
                  for problem, what in of_one.items() if what != common[problem]]  # fmt: skip
        yield Finding(f"到门决定 decisions at the door {source.id}", True, "; ".join(parts))


def _connections(settings: Settings) -> Iterator[Finding]:
    for source in load_catalogue(settings).sources.values():
        title = f"连接 connection {source.id}"
        variable = variable_of(source.connection)
        if not is_configured(source.connection):
            yield Finding(
                title,
                source.optional,
                f"{variable} is not set" + (" (optional source)" if source.optional else ""),
                f"Set {variable}; for the synthetic city: oneledger city build, then set -a; . "
                f"{settings.city_dir / 'connections.env'}; set +a",
                is_warning=True,
            )
            continue
        problem = _unreachable(resolve_connection(source.connection))
        yield Finding(title, not problem, problem or "reachable", f"Start the source system or correct {variable}.")


def _unreachable(connection: Any) -> str:
    """Why the other end cannot be reached; empty when it can."""
    if connection.host and connection.kind not in ("file", "sqlite"):
        port = connection.port or {"https": 443, "http": 80}.get(connection.kind, 5432)
        try:
            socket.create_connection((connection.host, port), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            return f"{connection.host}:{port}: {error}"
        return ""
    path = getattr(connection, "path", "")
    if path and not Path(path).exists():
        return f"{path} does not exist"
    return ""


def _models(settings: Settings) -> Iterator[Finding]:
    from dbt.cli.main import dbtRunner

    from oneledger.warehouse.models import _dbt_environment

    folder = settings.dbt_project_dir
    with tempfile.TemporaryDirectory() as target, _dbt_environment(settings, "doctor"):
        settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
        result = dbtRunner().invoke(
            ["--quiet", "--log-level", "none", "--log-level-file", "none", "parse", "--project-dir", str(folder),
             "--profiles-dir", str(folder), "--target-path", target, "--log-path", target]
        )  # fmt: skip
    problem = "" if result.success else " ".join(str(result.exception).split())
    yield Finding("dbt 项目 dbt project", not problem, problem or "parses", "Correct the model that the message names.")


def _extensions() -> Iterator[Finding]:
    missing = []
    with duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}) as con:
        for name in EXTENSIONS:
            try:
                import duckdb_extensions

                duckdb_extensions.import_extension(name, con=con)
                con.execute(f"load {name}")
            except (duckdb.Error, ImportError, OSError, TypeError) as error:
                missing.append(f"{name} ({error})")
    yield Finding(
        "DuckDB 扩展 extensions",
        not missing,
        "; ".join(missing) or f"DuckDB {duckdb.__version__} with {', '.join(EXTENSIONS)}",
        "They come as packages of the lock file: run `make setup`. Nothing is downloaded at run time.",
    )


def _disk(settings: Settings) -> Iterator[Finding]:
    existing = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    value = f"{free / 1024**3:,.1f} GiB free under {existing}"
    yield Finding("磁盘 disk", free >= _LEAST_FREE_BYTES, value, "Free space, or move ONELEDGER_HOME.", "2 GiB")


def _port() -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.settimeout(1)
        is_taken = probe.connect_ex(("127.0.0.1", _WEB_PORT)) == 0
    value = f"{_WEB_PORT} is taken" if is_taken else f"{_WEB_PORT} is free"
    yield Finding("端口 port", not is_taken, value, "`make up` takes another one and says which.", is_warning=True)


def _lock(settings: Settings) -> Iterator[Finding]:
    holder = lock_holder(settings)
    yield Finding("写锁 writer's lock", True, f"held by {holder}" if holder else "nobody writes")


def _clock() -> Iterator[Finding]:
    now = dt.datetime.now(CITY_TIMEZONE)
    floor = dt.datetime(2024, 1, 1, tzinfo=CITY_TIMEZONE)
    value = f"{now:%Y-%m-%d %H:%M} in {CITY_TIMEZONE.key}"
    yield Finding("时钟 clock", now > floor, value, "Set the machine's clock; business dates are counted from it.")


def _published(settings: Settings) -> Iterator[Finding]:
    title = "已发布 published"
    current = current_version(settings)
    if current is None:
        yield Finding(title, False, "nothing yet", "Run `oneledger run`.", is_warning=True)
        return
    wrong = [
        f"{one.fact} {one.month}"
        for fact in current.fact_names()
        for one in fact_files_of(current, fact)
        if file_sha256(current.path / "facts" / fact / f"{one.month}.parquet") != one.sha256
    ]
    with duckdb.connect() as connection:
        connection.execute(f"attach '{current.marts_path}' as published (read_only)")
        held = dict(
            connection.execute(
                "select schema_name || '.' || table_name, estimated_size from duckdb_tables()"
                " where database_name = 'published'"
            ).fetchall()
        )
    wrong += [
        f"{table['name']} holds {held.get(table['name'])} rows, manifest {table['rows_count']}"
        for table in current.manifest["tables"]
        if held.get(table["name"]) != table["rows_count"]
    ]
    yield Finding(
        title,
        not wrong,
        "; ".join(wrong) or f"{current.version} is whole, {len(list_versions(settings))} versions kept",
        "Point published/current at an older version, and run `oneledger run --from gate_sources` to publish again.",
    )
    left = [path.name for path in settings.published_dir.glob(f"{PARTIAL_PREFIX}*")]
    left += [one.version for one in list_versions(settings) if (one.path / NOT_YET_CURRENT).exists()]
    if left:
        yield Finding(title, False, f"left by a run that was killed: {', '.join(left)}",
                      "The next `oneledger run` finishes or removes it.", is_warning=True)  # fmt: skip


# What is examined, in this order: a name that stays (``doctor:<name>`` leads to a runbook), title, examination.
EXAMINATIONS: dict[str, tuple[str, Callable[[Settings], Iterator[Finding]]]] = {
    "python": ("Python", lambda _: _python()),
    "packages": ("软件包 packages", _packages),
    "catalogue": ("来源目录 source catalogue", _catalogue),
    "connections": ("连接 connections", _connections),
    "dbt": ("dbt", _models),
    "extensions": ("DuckDB", lambda _: _extensions()),
    "disk": ("磁盘 disk", _disk),
    "port": ("端口 port", lambda _: _port()),
    "lock": ("写锁 lock", _lock),
    "clock": ("时钟 clock", lambda _: _clock()),
    "published": ("已发布 published", _published),
}

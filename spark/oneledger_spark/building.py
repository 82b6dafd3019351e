"""The marts built twice from the same Parquet, by DuckDB and by Spark on a cluster, and every mart compared."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oneledger.settings import ConfigurationError, Settings
from oneledger_spark.cluster import Cluster, ClusterSize, running_cluster
from oneledger_spark.comparing import Comparison, compare_marts, marts_of
from oneledger_spark.inputs import export_inputs, load_inputs
from oneledger_spark.usage import UsageWatch, Used

Progress = Callable[[str], None]
SPARK_FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SparkHome:
    """Where what Spark reads and writes lies: ``<home>/spark/``, all of it made again by each build."""

    folder: Path

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @property
    def views(self) -> Path:
        return self.folder / "views"

    @property
    def duckdb_warehouse(self) -> Path:
        return self.folder / "duckdb" / "warehouse.duckdb"

    @property
    def manifest(self) -> Path:
        return self.folder / "target" / "manifest.json"

    @property
    def log(self) -> Path:
        return self.folder / "build.log"


@dataclass(frozen=True)
class Built:
    """A build on Spark.

    Attributes:
        rows_count: rows of all sources that were exported.
        seconds: of each step: ``export``, ``duckdb``, ``cluster``, ``spark``, ``compare``. The two builds count the
            whole dbt process, start to end.
        model_seconds: seconds of each seed and model by its name, as dbt measured them: DuckDB's, then Spark's.
        used: what ``duckdb`` and ``spark`` took of the machine: the dbt process, and for Spark the JVM of the driver,
            the master, the workers and their executors together.
        comparisons: one for each mart.
    """

    rows_count: int
    seconds: dict[str, float]
    used: dict[str, Used]
    model_seconds: dict[str, tuple[float, float]]
    comparisons: list[Comparison]

    @property
    def is_same(self) -> bool:
        return bool(self.comparisons) and all(comparison.is_same for comparison in self.comparisons)


class SparkBuildError(Exception):
    """dbt on Spark failed: the end of what it said, and where the rest is."""


def build_on_spark(settings: Settings, *, size: ClusterSize, with_tests: bool, progress: Progress) -> Built:
    """Build all seeds and models of the dbt project on a cluster of this machine and compare the marts.

    Args:
        settings: whose warehouse gives the sources, and the marts to compare with.
        size: the cluster.
        with_tests: whether dbt's data tests run on Spark, too.
        progress: told one line for each step.

    Raises:
        ConfigurationError: no warehouse, no Java, or no environment of Spark.
        SparkBuildError: a seed, model or test failed.
    """
    python, spark_home = spark_environment(settings)
    home = SparkHome(settings.home / "spark")
    seconds: dict[str, float] = {}
    used: dict[str, Used] = {}
    home.folder.mkdir(parents=True, exist_ok=True)
    for left in (home.warehouse, home.views, home.folder / "metastore", home.folder / "target"):
        shutil.rmtree(left, ignore_errors=True)

    with _timed(seconds, "export"):
        rows_count = export_inputs(settings, home.inputs)
    progress(f"1/5 导出 export the sources as Parquet: {rows_count:,} rows  {seconds['export']:.1f} s")

    with _timed(seconds, "duckdb"):
        load_inputs(settings, home.inputs, home.duckdb_warehouse)
        used["duckdb"] = _build_on_duckdb(settings, home)
    progress(f"2/5 DuckDB: dbt on {home.duckdb_warehouse}  {seconds['duckdb']:.1f} s")

    with contextlib.ExitStack() as running:
        with _timed(seconds, "cluster"):
            cluster = running.enter_context(running_cluster(home.folder / "cluster", spark_home, python, size))
        progress(f"3/5 集群 one master, {size.workers} workers: {cluster.address}  {seconds['cluster']:.1f} s")
        with _timed(seconds, "spark"):
            used["spark"] = _run_dbt(settings, home, python, cluster, size, _commands(home, with_tests))
    there = _model_seconds(home.folder / "target" / "build_results.json")
    progress(f"4/5 Spark: dbt on the cluster, {len(there)} seeds and models  {seconds['spark']:.1f} s")

    with _timed(seconds, "compare"):
        marts = marts_of(home.manifest, home.warehouse, home.views)
        comparisons = compare_marts(home.duckdb_warehouse, marts, memory_limit=settings.duckdb_memory_limit)
    same = sum(comparison.is_same for comparison in comparisons)
    progress(f"5/5 比对 compare: {same} of {len(comparisons)} marts the same  {seconds['compare']:.1f} s")
    here = _model_seconds(home.folder / "duckdb" / "target" / "run_results.json")
    model_seconds = {name: (here[name], there[name]) for name in there if name in here}
    return Built(rows_count, seconds, used, model_seconds, comparisons)


def run_dbt_on_spark(settings: Settings, arguments: Sequence[str], *, size: ClusterSize) -> str:
    """Any dbt command on a cluster that lives as long as it: what an earlier build left in the metastore is there.

    Returns:
        What dbt said.
    """
    python, spark_home = spark_environment(settings)
    home = SparkHome(settings.home / "spark")
    home.folder.mkdir(parents=True, exist_ok=True)
    with running_cluster(home.folder / "cluster", spark_home, python, size) as cluster:
        _run_dbt(settings, home, python, cluster, size, [list(arguments)])
    return home.log.read_text(errors="replace")


def spark_environment(settings: Settings) -> tuple[Path, Path]:
    """The interpreter of `.venvs/spark/`, and where pyspark lies in it."""
    folder = settings.project_root / ".venvs" / "spark"
    found = sorted(folder.glob("lib/python3.*/site-packages/pyspark"))
    if not found:
        raise ConfigurationError(f"There is no pyspark under {folder}. Run: make environment NAME=spark")
    return folder / "bin" / "python", found[0]


def _commands(home: SparkHome, with_tests: bool) -> list[list[str]]:
    # Incremental models are built whole: what they append to on DuckDB is not here. Unit tests are DuckDB's.
    kinds = ["seed", "model", *(["test"] if with_tests else [])]
    chosen = [part for kind in kinds for part in ("--resource-type", kind)]
    return [
        ["parse"],
        ["run-operation", "prepare_spark", "--args", json.dumps({"folder": str(home.inputs)})],
        ["build", "--full-refresh", *chosen],
        ["run-operation", "write_views_of_spark", "--args", json.dumps({"folder": str(home.views)})],
    ]


def _build_on_duckdb(settings: Settings, home: SparkHome) -> Used:
    folder = home.duckdb_warehouse.parent
    project = settings.dbt_project_dir
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--full-refresh",
               "--resource-type", "seed", "--resource-type", "model", "--project-dir", str(project),
               "--profiles-dir", str(project), "--target", "warehouse", "--log-path", str(folder / "logs")]  # fmt: skip
    environment = {
        **os.environ,
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "ONELEDGER_WAREHOUSE": str(home.duckdb_warehouse),
        "ONELEDGER_DUCKDB_MEMORY": settings.duckdb_memory_limit,
        "ONELEDGER_THREADS": str(settings.threads),
    }
    return _run(command, environment, folder, folder / "build.log", "DuckDB")


def _run_dbt(
    settings: Settings, home: SparkHome, python: Path, cluster: Cluster, size: ClusterSize, commands: list[list[str]]
) -> Used:
    project = settings.dbt_project_dir
    everywhere = ["--target", "spark", "--project-dir", str(project), "--profiles-dir", str(project),
                  "--log-path", str(home.folder / "logs")]  # fmt: skip
    environment = {
        **os.environ,
        **cluster.environment,
        "PYTHONPATH": os.pathsep.join(map(str, (SPARK_FOLDER, SPARK_FOLDER / "adapter"))),
        "DBT_TARGET_PATH": str(home.folder / "target"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "ONELEDGER_SPARK_MASTER": cluster.address,
        "ONELEDGER_SPARK_HOME": str(home.folder),
        "ONELEDGER_SPARK_EXECUTOR_MEMORY": f"{size.executor_megabytes}m",
        "ONELEDGER_SPARK_DRIVER_MEMORY": f"{size.driver_megabytes}m",
        "ONELEDGER_SPARK_PARTITIONS": str(2 * size.workers * size.cores),
        "ONELEDGER_DBT_THREADS": str(size.workers * size.cores),
    }
    told = json.dumps([[*command, *everywhere] for command in commands])
    command = [str(python), "-m", "oneledger_spark.driver", told]
    return _run(command, environment, home.folder, home.log, "Spark", beside=cluster.process_ids)


def _run(
    command: list[str],
    environment: dict[str, str],
    folder: Path,
    log_path: Path,
    engine: str,
    beside: tuple[int, ...] = (),
) -> Used:
    """Run dbt to its end and answer what it and the processes ``beside`` it took."""
    watch = UsageWatch()
    with (
        log_path.open("w") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT) as ended,
        watch.watching(ended.pid, *beside),
    ):
        ended.wait()
    if ended.returncode != 0:
        last = "\n".join(log_path.read_text(errors="replace").splitlines()[-40:])
        raise SparkBuildError(f"dbt on {engine} ended with {ended.returncode}. The end of {log_path}:\n{last}")
    return watch.used


@contextlib.contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started


def _model_seconds(results_path: Path) -> dict[str, float]:
    results = json.loads(results_path.read_text())["results"]
    return {
        result["unique_id"].split(".")[2]: result["execution_time"]
        for result in results
        if result["unique_id"].startswith(("model.", "seed."))
    }

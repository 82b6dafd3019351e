"""A Spark standalone cluster on this machine: one master, two workers, each a process of its own, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oneledger.settings import ConfigurationError

_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
_LOOPBACK = "127.0.0.1"
_START_SECONDS = 180.0
# Warnings of Spark say nothing about the marts, and there are thousands: Hive's names for types, sessions found open;
# its metastore calls it an error when `create schema if not exists` finds the schema.
_LOG_SETTINGS = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
logger.metastore.name = org.apache.hadoop.hive.metastore.RetryingHMSHandler
logger.metastore.level = off
"""
# Most code of a build runs once, to plan a query over few rows: of the driver's first twelve seconds of cores the
# optimizing compiler took four (2026-11-26). Without it Java would keep but 48 MB of code, which the driver outgrows,
# and sweep. What the environment says stands in the place of this.
_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"


@dataclass(frozen=True)
class ClusterSize:
    """What the workers offer, and what an application may ask of each.

    Attributes:
        workers: worker processes.
        cores: cores of each worker.
        executor_megabytes: memory of the one executor on each worker.
        driver_megabytes: memory of the driver, which is the dbt process.
    """

    workers: int = 2
    cores: int = 1
    executor_megabytes: int = 1280
    driver_megabytes: int = 1280

    @property
    def worker_megabytes(self) -> int:
        # An executor takes a tenth more than it is given, at least 384 MB.
        return self.executor_megabytes + max(384, self.executor_megabytes // 10)


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        address: what a driver connects to, ``spark://…``.
        folder: logs and work of its processes.
        environment: variables that a driver on this machine needs.
        process_ids: the master and the workers; executors are children of theirs.
    """

    address: str
    folder: Path
    environment: dict[str, str]
    process_ids: tuple[int, ...] = ()


@contextlib.contextmanager
def running_cluster(folder: Path, spark_home: Path, python: Path, size: ClusterSize) -> Iterator[Cluster]:
    """Start master and workers under ``folder``, and end all of their processes with the block.

    Args:
        folder: a directory of this cluster's own; what an earlier one left there is removed.
        spark_home: where pyspark lies, with ``bin/spark-class`` and ``jars/``.
        python: the interpreter of the environment that holds it.
        size: how many workers, and what each may use.

    Raises:
        ConfigurationError: there is no Java, no Spark, or the workers did not register in time.
    """
    _require(spark_home)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "log4j2.properties").write_text(_LOG_SETTINGS)
    environment = {
        "SPARK_HOME": str(spark_home),
        "SPARK_CONF_DIR": str(folder / "conf"),
        "SPARK_LOCAL_IP": _LOOPBACK,
        "SPARK_LOCAL_DIRS": str(folder / "scratch"),
        "PYSPARK_PYTHON": str(python),
        "JAVA_TOOL_OPTIONS": os.environ.get("JAVA_TOOL_OPTIONS", _JAVA_OPTIONS),
    }
    port, page = _free_port(), _free_port()
    address = f"spark://{_LOOPBACK}:{port}"
    processes: list[subprocess.Popen[bytes]] = []
    try:
        processes.append(
            _start(folder, "master", environment, _MASTER, "--host", _LOOPBACK, "--port", port, "--webui-port", page)
        )
        for number in range(1, size.workers + 1):
            options = ("--host", _LOOPBACK, "--cores", size.cores, "--memory", f"{size.worker_megabytes}m")
            places = ("--webui-port", _free_port(), "--work-dir", folder / f"worker-{number}")
            processes.append(_start(folder, f"worker-{number}", environment, _WORKER, *options, *places, address))
        _wait_for_workers(page, size.workers, processes, folder)
        yield Cluster(address, folder, environment, tuple(process.pid for process in processes))
    finally:
        for process in reversed(processes):
            _end(process)


def _require(spark_home: Path) -> None:
    if not (spark_home / "bin" / "spark-class").exists():
        raise ConfigurationError(
            f"There is no Spark at {spark_home}; it has an environment of its own. Run: make environment NAME=spark"
        )
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java" if "JAVA_HOME" in os.environ else shutil.which("java")
    if java is None or not Path(java).exists():
        raise ConfigurationError(
            "Spark 4 needs Java 17 or newer, and there is no java on the PATH and none in JAVA_HOME. Install a JRE, "
            "for instance Debian's openjdk-17-jre-headless."
        )


def _start(folder: Path, name: str, environment: dict[str, str], *command: object) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(Path(environment["SPARK_HOME"]) / "bin" / "spark-class"), *map(str, command)],
            cwd=folder, env={**os.environ, **environment, "SPARK_DAEMON_MEMORY": "256m"},
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def _wait_for_workers(page: int, wanted: int, processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    until, registered = time.monotonic() + _START_SECONDS, 0
    while time.monotonic() < until:
        ended = [process for process in processes if process.poll() is not None]
        if ended:
            break
        with contextlib.suppress(OSError, json.JSONDecodeError):
            with urllib.request.urlopen(f"http://{_LOOPBACK}:{page}/json/", timeout=5) as answer:
                registered = json.load(answer)["aliveworkers"]
            if registered >= wanted:
                return
        time.sleep(0.5)
    raise ConfigurationError(
        f"{registered} of {wanted} Spark workers registered within {_START_SECONDS:.0f} s. What they said is in "
        f"{folder}/*.log."
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, among them the executors of a worker."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
            return


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind((_LOOPBACK, 0))
        return int(asked.getsockname()[1])

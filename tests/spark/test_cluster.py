"""What is missing for a cluster is said before anything is started, with what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oneledger.settings import ConfigurationError, Settings
from oneledger_spark.building import spark_environment
from oneledger_spark.cluster import ClusterSize, running_cluster
from oneledger_spark.inputs import export_inputs, source_tables
from oneledger_spark.usage import UsageWatch, Used


def installed_spark(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "spark-class").touch()
    return folder


def test_without_spark_the_error_names_the_environment_to_make(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="make environment NAME=spark"),
        running_cluster(tmp_path / "cluster", tmp_path / "pyspark", tmp_path / "python", ClusterSize()),
    ):
        pass
    with pytest.raises(ConfigurationError, match="make environment NAME=spark"):
        spark_environment(Settings(home=tmp_path, project_root=tmp_path))


def test_without_java_the_error_says_which_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    spark_home = installed_spark(tmp_path / "pyspark")
    with (
        pytest.raises(ConfigurationError, match="Java 17"),
        running_cluster(tmp_path / "cluster", spark_home, tmp_path / "python", ClusterSize()),
    ):
        pass
    assert not (tmp_path / "cluster").exists()


def test_an_executor_fits_into_its_worker_with_what_spark_adds() -> None:
    assert ClusterSize(executor_megabytes=1280).worker_megabytes == 1280 + 384
    assert ClusterSize(executor_megabytes=8192).worker_megabytes == 8192 + 819


def test_without_a_warehouse_the_export_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="oneledger run"):
        export_inputs(Settings(home=tmp_path), tmp_path / "inputs")


def test_every_declared_source_is_exported_once(tmp_path: Path) -> None:
    tables = source_tables(Settings(home=tmp_path))
    assert len(tables) == len(set(tables)) >= 31
    assert ("admitted", "usage") in tables
    assert ("quarantine", "row") in tables


def test_what_a_process_and_its_children_take_is_counted_together() -> None:
    held = "import subprocess, sys; kept = bytearray(60_000_000); {}"
    child = held.format("sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()")
    parent = held.format(f"subprocess.run([sys.executable, '-c', {child!r}])")
    watch = UsageWatch()
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.read(1) == b"."
        with watch.watching(process.pid):
            pass
        process.communicate()
    assert 114 < watch.used.peak_mib < 300
    assert 0.01 <= watch.used.cpu_seconds < 60
    after = UsageWatch()
    with after.watching(process.pid):
        pass
    assert after.used == Used(0, 0)

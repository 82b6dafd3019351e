"""The synthetic city for `make run` and `make up`: built once, its addresses exported to Airflow's parts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from oneledger.city.city_manifest import read_manifest
from oneledger.city.connections_file import FILE_NAME, IRS, read_connections
from oneledger.settings import ConfigurationError, Settings
from oneledger_airflow.processes import Child, ProcessGroup, StartError
from oneledger_airflow.progress import Progress

SERVED_WITHIN_SECONDS = 60


def build_when_missing(settings: Settings, progress: Progress) -> None:
    """Build the city's own systems with ``oneledger city build`` when there are none."""
    if read_manifest(settings.city_dir) is not None:
        return
    progress.say("building the synthetic city (合成数据: everything in it is generated)")
    with progress.step("synthetic city"):
        environment = {**os.environ, "ONELEDGER_HOME": str(settings.home)}
        done = subprocess.run([_oneledger(), "city", "build"], env=environment, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ConfigurationError(
            f"`oneledger city build` ended with code {done.returncode}; what it said is above. "
            f"Mend it, remove {settings.city_dir}, and type the command again."
        )


def serve(settings: Settings, processes: ProcessGroup, progress: Progress) -> None:
    """Serve the city's HTTP API, and export its connections and its last day as the business date.

    Variables that the user set stay as they are. Without a city nothing is served: the sources' connections
    come from Airflow or the environment.

    Raises:
        StartError: the server ended, or wrote no address within a minute.
    """
    manifest = read_manifest(settings.city_dir)
    if manifest is None:
        progress.say("no synthetic city here (`make run` builds one): connections come from Airflow or AIRFLOW_CONN_…")
        return
    path = settings.city_dir / FILE_NAME
    before_ns = path.stat().st_mtime_ns
    environment = {**os.environ, "ONELEDGER_HOME": str(settings.home)}
    server = processes.start("city", [_oneledger(), "city", "serve"], environment)
    _wait_until_served(path, before_ns, server, progress)
    for name, value in read_connections(settings.city_dir).items():
        os.environ.setdefault(name, value)
    # Started anew it answers where the others ask.
    port = urlsplit(read_connections(settings.city_dir)[IRS]).port
    server.command = [*server.command, "--port", str(port)]
    # The city's time stands still: what it delivers without a date belongs to its last day, not to yesterday.
    os.environ.setdefault("ONELEDGER_AS_OF", manifest.last_on.isoformat())


def _wait_until_served(path: Path, before_ns: int, server: Child, progress: Progress) -> None:
    """``city serve`` writes the address that it listens on into ``connections.env``."""
    deadline = time.monotonic() + SERVED_WITHIN_SECONDS
    with progress.step("the city's HTTP API"):
        while path.stat().st_mtime_ns == before_ns:
            if server.process.poll() is not None:
                raise StartError(
                    f"`oneledger city serve` ended with code {server.process.returncode}:\n"
                    f"{server.log_path.read_text(errors='replace')[-2000:]}"
                )
            if time.monotonic() > deadline:
                raise StartError(
                    f"`oneledger city serve` wrote no address to {path} within {SERVED_WITHIN_SECONDS} s. "
                    f"Its log: {server.log_path}"
                )
            time.sleep(0.1)


def _oneledger() -> str:
    return str(Path(sys.executable).with_name("oneledger"))

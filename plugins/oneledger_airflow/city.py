"""The synthetic city for `make run` and `make up`: built once, its addresses exported to Airflow's parts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from oneledger.settings import ConfigurationError, Settings
from oneledger_airflow.processes import Child, ProcessGroup, StartError
from oneledger_airflow.progress import Progress

SERVED_WITHIN_SECONDS = 60


def connections_path(settings: Settings) -> Path:
    return settings.city_dir / "connections.env"


def build_when_missing(settings: Settings, progress: Progress) -> None:
    """Build the city's own systems with ``oneledger city build`` when there are none."""
    if connections_path(settings).exists():
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
    """Serve the city's HTTP API, and export its connections; variables that the user set stay as they are.

    Without a city nothing is served: the sources' connections come from Airflow or the environment.

    Raises:
        StartError: the server ended, or wrote no address within a minute.
    """
    path = connections_path(settings)
    if not path.exists():
        progress.say("no synthetic city here (`make run` builds one): connections come from Airflow or AIRFLOW_CONN_…")
        return
    before_ns = path.stat().st_mtime_ns
    environment = {**os.environ, "ONELEDGER_HOME": str(settings.home)}
    server = processes.start("city", [_oneledger(), "city", "serve"], environment)
    _wait_until_served(path, before_ns, server, progress)
    for name, value in read_connections(path).items():
        os.environ.setdefault(name, value)


def read_connections(path: Path) -> dict[str, str]:
    """``AIRFLOW_CONN_…`` variables of a ``connections.env`` file (shell assignments, quoted or not)."""
    pattern = re.compile(r"""^(?:export\s+)?(?P<name>\w+)=(?P<quote>['"]?)(?P<value>.*?)(?P=quote)\s*$""", re.MULTILINE)
    return {found["name"]: found["value"] for found in pattern.finditer(path.read_text("utf-8"))}


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

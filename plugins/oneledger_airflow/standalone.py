"""`make up` and `make run`: ``python -m oneledger_airflow.standalone up|run``.

Exit codes: 0 good, 1 ran and found something wrong, 2 usage or configuration.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from types import FrameType

from oneledger.settings import ConfigurationError, Settings, load_settings
from oneledger_airflow import city
from oneledger_airflow.installation import USER
from oneledger_airflow.pages_address import PREFIX
from oneledger_airflow.pools import ensure_pools
from oneledger_airflow.processes import StartError
from oneledger_airflow.progress import Progress
from oneledger_airflow.supervisor import Supervisor

DEFAULT_PORT = 8080


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m oneledger_airflow.standalone",
        description="OneLedger's Airflow on this machine, for one user.",
        epilog="Examples: make up · make run · ONELEDGER_HOME=/data/oneledger make up · "
        "python -m oneledger_airflow.standalone up --port 9000",
    )
    parser.add_argument("command", choices=["up", "run"], help="up: stay until Ctrl-C; run: one nightly, then end")
    parser.add_argument("--port", type=int, default=int(os.environ.get("AIRFLOW__API__PORT", DEFAULT_PORT)))
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    progress = Progress()
    try:
        settings = load_settings()
        if options.command == "up":
            return _up(settings, options.port, progress)
        from oneledger_airflow.nightly_run import run_nightly

        return run_nightly(settings, options.port, progress)
    except ConfigurationError as error:
        print(f"错误 error: {error}", file=sys.stderr)
        return 2
    except StartError as error:
        print(f"错误 error: Airflow did not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.say("stopped")
        return 0 if options.command == "up" else 130


def interrupt_on_signals() -> None:
    """Turn the signals that end a command into KeyboardInterrupt, so that everything it started is ended too."""
    # SIGINT too: a shell that starts this in the background has it ignored, and then Ctrl-C's signal would not end it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _up(settings: Settings, port: int, progress: Progress) -> int:
    with Supervisor(settings, port, progress, lambda processes: city.serve(settings, processes, progress)) as airflow:
        ensure_pools(airflow.api, settings)
        password_path = airflow.installation.password_path
        progress.say()
        progress.say(f"  Airflow    {airflow.address}")
        progress.say(f"  pages      {airflow.address}{PREFIX}/   (also in Airflow's navigation)")
        progress.say(f"  log in as  {USER}   password  {airflow.installation.password()}")
        progress.say(f"             (also in {password_path}, readable by you only)")
        progress.say(f"  logs       {airflow.installation.logs_dir}")
        progress.say("  Ctrl-C ends it and every process that it started.")
        progress.say()
        while True:
            airflow.keep_alive()
            time.sleep(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

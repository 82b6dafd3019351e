"""The stack of docker-compose.yml without containers: ``python -m oneledger_airflow.cluster up|run|secrets|install``.

Exit codes: 0 good, 1 ran and found something wrong, 2 usage or configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from oneledger.settings import ConfigurationError, Settings, load_settings
from oneledger_airflow import city
from oneledger_airflow.backing_services import install
from oneledger_airflow.cluster_secrets import BY_HAND, make_secrets
from oneledger_airflow.cluster_supervisor import ClusterSupervisor
from oneledger_airflow.installation import USER
from oneledger_airflow.nightly_run import run_nightly
from oneledger_airflow.pages_address import PREFIX
from oneledger_airflow.processes import StartError
from oneledger_airflow.progress import Progress
from oneledger_airflow.standalone import DEFAULT_PORT, interrupt_on_signals

PROGRAM = "python -m oneledger_airflow.cluster"
EXAMPLES = ("install", "up --port 8080", "run", "secrets secrets")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; returns the exit code."""
    options = _parser().parse_args(arguments)
    interrupt_on_signals()
    progress = Progress()
    try:
        if options.command == "secrets":
            return _secrets(Path(options.folder), options.user, progress)
        if options.command == "install":
            progress.say(f"installed {', '.join(install()) or 'nothing: PostgreSQL and Redis are here'}")
            return 0
        settings = load_settings()
        if options.command == "up":
            return _up(settings, options.port, progress)
        return run_nightly(settings, options.port, progress, ClusterSupervisor, waits_for_retries=True)
    except ConfigurationError as error:
        print(f"错误 error: {error}", file=sys.stderr)
        return 2
    except StartError as error:
        print(f"错误 error: the stack did not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.say("stopped")
        return 0 if options.command == "up" else 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="The services of docker-compose.yml as processes of this machine (docs/cluster.md).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n  ".join(["Examples:", *(f"{PROGRAM} {one}" for one in EXAMPLES)]),
    )
    commands = parser.add_subparsers(dest="command", required=True)
    port = int(os.environ.get("AIRFLOW__API__PORT", DEFAULT_PORT))
    for name, what in (
        ("up", "PostgreSQL, Redis, Airflow's parts and two Celery workers; stays until Ctrl-C"),
        ("run", "the same for one nightly on the synthetic city, then the report, then everything ends"),
    ):
        commands.add_parser(name, help=what, description=what).add_argument("--port", type=int, default=port)
    what = "make the secrets of docker-compose.yml that are not there yet; prints names, never values"
    secrets = commands.add_parser("secrets", help=what, description=what)
    secrets.add_argument("folder", nargs="?", default="secrets", help="where they lie (default: secrets)")
    secrets.add_argument("--user", default=USER, help=f"the first user of Airflow's pages (default: {USER})")
    what = "install PostgreSQL and Redis from the distribution's packages when they are missing"
    commands.add_parser("install", help=what, description=what)
    return parser


def _secrets(folder: Path, user: str, progress: Progress) -> int:
    made = make_secrets(folder, user=user)
    progress.say(f"made {', '.join(made)}" if made else "every secret is there already; nothing was changed")
    progress.say(f"written by hand (empty: not used): {', '.join(f'{folder}/{name}' for name in BY_HAND)}")
    return 0


def _up(settings: Settings, port: int, progress: Progress) -> int:
    serve_city = lambda processes: city.serve(settings, processes, progress)  # noqa: E731
    with ClusterSupervisor(settings, port, progress, serve_city) as cluster:
        progress.say()
        progress.say(f"  Airflow    {cluster.address}")
        progress.say(f"  pages      {cluster.address}{PREFIX}/   (also in Airflow's navigation)")
        progress.say(f"  log in as  {USER}   the password is in {cluster.installation.password_path}")
        for service in cluster.services.values():
            if service.queues:
                progress.say(f"  worker     {service.name} serves {', '.join(service.queues)}")
        progress.say(f"  logs       {cluster.installation.logs_dir}")
        progress.say("  Ctrl-C ends it and every process that it started.")
        progress.say()
        while True:
            cluster.keep_alive()
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())

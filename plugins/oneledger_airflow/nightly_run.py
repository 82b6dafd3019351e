"""`make run`: one nightly of the synthetic city through a real Airflow, then the report, then everything ends."""

from __future__ import annotations

import os

from oneledger.catalogue import load_catalogue
from oneledger.settings import ConfigurationError, Settings
from oneledger_airflow import city, schedule_switch
from oneledger_airflow.nightly_report import print_report
from oneledger_airflow.nightly_watch import Ending, Nightly, follow, make_ready, start
from oneledger_airflow.pools import ensure_pools
from oneledger_airflow.progress import Progress
from oneledger_airflow.supervisor import Supervisor

DEFAULT_LIMIT_MINUTES = "45"


def run_nightly(
    settings: Settings,
    port: int,
    progress: Progress,
    supervisor: type[Supervisor] = Supervisor,
    *,
    waits_for_retries: bool = False,
) -> int:
    """Build the city when there is none, start Airflow, carry one nightly through, report, end everything.

    Args:
        settings, port, progress: of this installation.
        supervisor: what is started: Airflow's parts on one machine, or the stack of docker-compose.yml.
        waits_for_retries: whether a task that broke is given its further tries.

    Returns 0 only when the outcome records show every step good and every published figure matches.
    """
    limit_minutes = _limit_minutes()
    catalogue = load_catalogue(settings)
    city.build_when_missing(settings, progress)
    schedule_switch.switch_off()
    progress.say("starting Airflow; Ctrl-C ends everything")
    with supervisor(settings, port, progress, lambda processes: city.serve(settings, processes, progress)) as airflow:
        # Which optional sources take part is known once the city's connections are exported.
        from oneledger_airflow.schedule import awaited_sources

        sources = awaited_sources(catalogue)
        ensure_pools(airflow.api, settings)
        make_ready(airflow, sources, progress, limit_minutes=limit_minutes)
        nightly = Nightly(sources)
        progress.say(f"nightly {nightly.run_id}: ingest {', '.join(nightly.sources)} → build → publish")
        progress.say(f"  watch it at {airflow.address} (password in {airflow.installation.password_path})")
        start(airflow, nightly)
        ending = follow(airflow, nightly, progress, limit_minutes=limit_minutes, waits_for_retries=waits_for_retries)
    is_good = print_report(settings, nightly.run_id, progress)
    _print_ending(ending, progress)
    return 0 if is_good and ending.is_finished else 1


def _print_ending(ending: Ending, progress: Progress) -> None:
    for broken in ending.broken:
        progress.say(f"✗ {broken}")


def _limit_minutes() -> float:
    text = os.environ.get("ONELEDGER_RUN_LIMIT_MINUTES", DEFAULT_LIMIT_MINUTES)
    try:
        return float(text)
    except ValueError as error:
        raise ConfigurationError(
            f"ONELEDGER_RUN_LIMIT_MINUTES is {text!r}; it must be a number of minutes. Correct or unset it."
        ) from error

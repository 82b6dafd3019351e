"""Everything again from landing, and what comes of it published: one run, under one lock."""

from __future__ import annotations

from oneledger.catalogue import load_catalogue
from oneledger.outcomes import new_run_id
from oneledger.pipeline.nightly import RunReport, Show, run
from oneledger.settings import Settings
from oneledger.warehouse.lock import writer_lock
from oneledger.warehouse.rebuild import Progress, rebuild


def rebuild_and_publish(settings: Settings, progress: Progress, show: Show) -> RunReport:
    """Make raw and warehouse again from landing, then models, gates and a version.

    Nobody writes between the two: an emptied warehouse is nobody else's to go on with.

    Args:
        progress: told one line for each thing made again.
        show: called with the live progress of the steps that follow.

    Raises:
        BusyError: another process writes the warehouse, or fetches a source; nothing was changed.
    """
    run_id = new_run_id()
    with writer_lock(settings, run_id=run_id, step="rebuild"):
        rebuild(settings, load_catalogue(settings), run_id=run_id, builds_models=False, progress=progress)
        return run(settings, from_step="admit", progress=show, run_id=run_id)

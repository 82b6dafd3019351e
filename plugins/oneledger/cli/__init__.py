"""The command line ``oneledger``: thin; what it shows, a library function returns."""

from __future__ import annotations

import gc
import importlib
import sys
import traceback

import typer

from oneledger.cli.output import EXIT_FOUND_SOMETHING_WRONG, emit_json, fail
from oneledger.locks import BusyError
from oneledger.redacting import redacted
from oneledger.runbooks import runbook_command
from oneledger.settings import ConfigurationError

# One module a room; each adds its verbs with ``register``.
ROOMS = (
    "city", "ingest", "nightly", "checks", "quarantine", "notices", "publishing", "metrics", "open_data", "rebuilding",
    "restating", "retention", "rules", "evaluation", "report", "findings", "backfill", "trace", "lineage",
    "lineage_events", "verify", "doctor", "runbook", "web",
)  # fmt: skip

app = typer.Typer(
    name="oneledger",
    help="OneLedger (一本账): load, check, publish and query the metrics of a city's applications.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)


def main() -> None:
    """Entry point of the console script."""
    # A command is over before most cycles are worth looking for; parsed SQL is made of very many objects.
    gc.set_threshold(100_000, 50, 50)
    for room in ROOMS:
        importlib.import_module(f"oneledger.cli.{room}").register(app)
    try:
        app()
    except ConfigurationError as error:
        _end(error)
    except BusyError as error:
        _refuse(error)
    except Exception:
        # A fault of ours: the trace helps whoever mends it, and must not show what a driver repeats of a connection.
        sys.stderr.write(redacted(traceback.format_exc()))
        raise SystemExit(EXIT_FOUND_SOMETHING_WRONG) from None


def _end(error: ConfigurationError) -> None:
    try:
        fail(str(error))
    except typer.Exit as stop:
        raise SystemExit(stop.exit_code) from error


def _refuse(error: BusyError) -> None:
    """Somebody else is at it: whichever verb was refused answers alike."""
    if "--json" in sys.argv:
        emit_json(error.to_json())
        raise SystemExit(EXIT_FOUND_SOMETHING_WRONG) from error
    try:
        # Square brackets in a name are no markup.
        problem, remedy = (text.replace("[", r"\[") for text in (f"{error.problem} {error.rule}", error.remedy))
        page = runbook_command("refusal:BusyError")
        fail(problem, f"{remedy}\n手册 runbook: {page}", code=EXIT_FOUND_SOMETHING_WRONG)
    except typer.Exit as stop:
        raise SystemExit(stop.exit_code) from error

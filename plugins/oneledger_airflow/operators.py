"""Airflow's side of the pipeline's steps: each operator calls one library function and turns its answer into a task.

The library is imported when a task runs: Great Expectations alone takes 13 seconds and 230 MB to import.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from oneledger_airflow import run_ids
from oneledger_airflow.lineage import task_as_parent
from oneledger_airflow.turns import named, warehouse_turn

if TYPE_CHECKING:
    from airflow.sdk import Context

    from oneledger.catalogue import Catalogue
    from oneledger.outcomes import Outcome
    from oneledger.settings import Settings


class IngestSourceOperator(BaseOperator):
    """Land what a source has and we have not, and load it into raw.

    Fails (and is tried again) when an entity could not be read; what did land stays landed. The outcome
    records say the same for each entity.
    """

    def __init__(self, *, source: str, **given: Any) -> None:
        super().__init__(**given)
        self.source = source

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.pipeline.ingest import ingest_source
        from oneledger_airflow.connections import export_connection

        settings, catalogue = _configured()
        export_connection(catalogue.source(self.source).connection)
        run_id = run_ids.own_run_id(context)
        as_of = context["params"].get("as_of")
        with task_as_parent(context), named(context):
            outcomes = ingest_source(
                self.source,
                settings,
                catalogue,
                run_id=run_id,
                as_of=dt.date.fromisoformat(as_of) if as_of else None,
                progress=self._say,
            )
        failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
        if failed:
            raise AirflowException(_sentences(failed))
        summary: dict[str, Any] = {
            "run_id": run_id,
            "source": self.source,
            "batch_ids": sorted({outcome.batch_id for outcome in outcomes if outcome.batch_id}),
        }
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = summary
        return summary

    def _say(self, source: str, entity: str, message: str, rows: int | None) -> None:
        self.log.info("%s.%s: %s%s", source, entity, message, "" if rows is None else f" ({rows:,} rows)")


class ReportArrivalsOperator(BaseOperator):
    """Say which sources came tonight and which are missing; at the cut-off the build goes on with what is there."""

    def __init__(self, *, sources: Sequence[str], **given: Any) -> None:
        super().__init__(**given)
        self.sources = list(sources)

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.outcomes import read_outcomes
        from oneledger_airflow.arrivals import arrivals

        settings, _ = _configured()
        found = arrivals(read_outcomes(settings.outcomes_dir), self.sources, dt.datetime.now(dt.UTC))
        self.log.info("%s", found)
        if found.missing:
            self.log.warning("building without %s", ", ".join(found.missing))
        return {"run_id": run_ids.carried_run_id(context), "arrived": found.arrived, "missing": found.missing}


class AdmitOperator(BaseOperator):
    """Admit raw batches: rows typed and checked into ``admitted``, the others into quarantine with their reason.

    An entity that cannot be admitted does not keep the others back; the run's verdict, computed from the
    outcome records, then says that parts are withheld.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.warehouse.admission import admit

        settings, catalogue = _configured()
        run_id = run_ids.carried_run_id(context)
        with (
            task_as_parent(context),
            warehouse_turn(context, settings, run_id=run_id, step="admit", log=self.log),
        ):
            outcomes = admit(settings, catalogue, run_id=run_id, progress=self.log.info)
        failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
        if failed:
            self.log.error("not admitted:\n%s", _sentences(failed))
        return {
            "received": sum(outcome.received_count or 0 for outcome in outcomes),
            "accepted": sum(outcome.accepted_count or 0 for outcome in outcomes),
            "quarantined": sum(outcome.quarantined_count or 0 for outcome in outcomes),
            "superseded": sum(outcome.superseded_count or 0 for outcome in outcomes),
        }


class GateOperator(BaseOperator):
    """Run a gate. A shut gate fails the task for good: the same data would shut it again.

    Its outlets, if any, are told the run id under which what follows goes on.
    """

    def __init__(self, *, gate: Literal["sources", "marts"], **given: Any) -> None:
        super().__init__(**given)
        self.gate = gate

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.quality.gates import run_gate
        from oneledger_airflow.gate_message import gate_message

        settings, catalogue = _configured()
        run_id = run_ids.carried_run_id(context)
        with (
            task_as_parent(context),
            warehouse_turn(context, settings, run_id=run_id, step=f"gate_{self.gate}", log=self.log),
        ):
            report = run_gate(self.gate, settings, catalogue, run_id=run_id)
        message = gate_message(report)
        if not report.is_open:
            raise AirflowFailException(message)
        self.log.info("%s", message)
        summary: dict[str, Any] = {
            "run_id": run_ids.carried_run_id(context),
            "gate": self.gate,
            "checks": len(report.results),
        }
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = summary
        return summary


class BuildModelsOperator(BaseOperator):
    """Build the dbt models that the admitted changes concern, in one dbt process."""

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.warehouse.models import build_models
        from oneledger_airflow.nothing_new import published_already

        settings, _ = _configured()
        run_id = run_ids.carried_run_id(context)
        with (
            task_as_parent(context),
            warehouse_turn(context, settings, run_id=run_id, step="build_models", log=self.log),
        ):
            if version := published_already(settings, run_id, "build_models"):
                return {"published_already": version.version}
            outcome = build_models(settings, run_id=run_id, progress=self.log.info)
        if outcome.verdict == "failed":
            raise AirflowFailException(_sentences([outcome]))
        return {"message": outcome.message}


class PublishOperator(BaseOperator):
    """Publish the checked marts as a new version, whole or not at all."""

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.publishing.publish import publish
        from oneledger_airflow.nothing_new import published_already

        settings, _ = _configured()
        run_id = run_ids.carried_run_id(context)
        with (
            task_as_parent(context),
            warehouse_turn(context, settings, run_id=run_id, step="publish", log=self.log),
        ):
            published = published_already(settings, run_id, "publish") or publish(settings, run_id=run_id)
        self.log.info("published %s", published)
        return {"version": str(published.version), "content_hash": str(published.content_hash)}


class RunEndOperator(BaseOperator):
    """Say how the run ended and what the published version lacks, tell people, and be red when anything was.

    Runs whatever came of the tasks before it. A run that published with parts withheld is red here although its
    publication is green: somebody has to act.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.lineage.openlineage.reading import pack_old_files
        from oneledger.notices.sending import send_notices
        from oneledger.pipeline.withheld import run_end
        from oneledger_airflow.notifier import export_channels

        settings, _ = _configured()
        end = run_end(settings, run_ids.carried_run_id(context))
        self.log.info("%s", end.text)
        export_channels()
        notices = send_notices(settings)
        if problem := pack_old_files(settings):
            self.log.warning("%s", problem)
        for problem in notices.problems:
            self.log.error("notice not sent: %s", problem)
        if not end.is_good:
            raise AirflowFailException(end.text)
        return {"verdict": end.verdict, "withheld": len(end.withheld), "notices": len(notices.messages)}


class MorningCheckOperator(BaseOperator):
    """Fail when nothing was published since the night began, and say what broke."""

    def execute(self, context: Context) -> dict[str, Any]:
        from oneledger.outcomes import read_outcomes
        from oneledger_airflow.arrivals import ARRIVED, NIGHT

        settings, _ = _configured()
        since = dt.datetime.now(dt.UTC) - NIGHT
        tonight = [
            record
            for record in read_outcomes(settings.outcomes_dir)
            if dt.datetime.fromisoformat(record["started_at"]) >= since
        ]
        if any(record["step"] == "publish" and record["verdict"] in ARRIVED for record in tonight):
            return {"published": True}
        broken = [f"{record['step']}: {record['message']}" for record in tonight if record["verdict"] == "failed"]
        raise AirflowFailException(
            f"nothing was published since {since:%Y-%m-%d %H:%M} UTC; readers still see the version before. "
            + (
                "What broke: " + "; ".join(broken[-5:])
                if broken
                else "No step failed: look at the ingest and build runs"
            )
            + ". Type: oneledger status"
        )


def _configured() -> tuple[Settings, Catalogue]:
    from oneledger.catalogue import load_catalogue
    from oneledger.settings import load_settings

    settings = load_settings()
    return settings, load_catalogue(settings)


def _sentences(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(
        f"{outcome.source or ''}.{outcome.entity or outcome.step}: {outcome.message} {outcome.remedy}".strip(". ")
        for outcome in outcomes
    )

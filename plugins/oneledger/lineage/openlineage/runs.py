"""Who the parent of a run is, and how a run is told: its start and its end, with the facets that all runs have."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneledger.lineage.openlineage import configuration
from oneledger.redacting import without_secrets
from oneledger.settings import ConfigurationError

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
    from openlineage.client.facet_v2 import JobFacet, RunFacet, parent_run

PARENT_VARIABLE = "OPENLINEAGE_PARENT_ID"
ROOT_VARIABLE = "OPENLINEAGE_ROOT_PARENT_ID"
NIGHTLY_JOB = "nightly"
# The tag by which every event names the OneLedger run that it belongs to.
RUN_TAG = "oneledger_run_id"
TAG_SOURCE = "ONELEDGER"


@dataclass(frozen=True)
class RunName:
    """A run of a job, as OpenLineage names it."""

    namespace: str
    job: str
    run_id: str

    @classmethod
    def parse(cls, text: str, variable: str) -> RunName:
        """From ``namespace/job/run id``, the form in which Airflow hands a parent on.

        Raises:
            ConfigurationError: it has another form.
        """
        found = re.fullmatch(r"(.+)/([^/]+)/([0-9a-fA-F-]{36})", text.strip())
        if found is None:
            raise ConfigurationError(f"{variable} is {text!r}; it must be namespace/job name/UUID of the run.")
        return cls(*found.groups())

    def __str__(self) -> str:
        return f"{self.namespace}/{self.job}/{self.run_id}"


def nightly_run(run_id: str) -> RunName:
    """The OneLedger run itself. Its UUID follows from the run id, so that every process gives the same."""
    return RunName(configuration.namespace(), NIGHTLY_JOB, str(uuid.uuid5(uuid.NAMESPACE_URL, f"oneledger:{run_id}")))


def parent_of(run_id: str) -> tuple[RunName, RunName]:
    """Parent and root of what happens in this OneLedger run: Airflow's task and DAG run, else the run itself."""
    if not (text := os.environ.get(PARENT_VARIABLE)):
        own = nightly_run(run_id)
        return own, own
    parent = RunName.parse(text, PARENT_VARIABLE)
    root = os.environ.get(ROOT_VARIABLE)
    return parent, RunName.parse(root, ROOT_VARIABLE) if root else parent


@contextlib.contextmanager
def as_parent(parent: str, root: str) -> Iterator[None]:
    """Make a run (``namespace/job/UUID``) the parent of what this process tells meanwhile."""
    wanted = {PARENT_VARIABLE: parent, ROOT_VARIABLE: root}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@dataclass(frozen=True)
class Teller:
    """Makes the events of one OneLedger run."""

    run_id: str
    parent: RunName | None
    root: RunName | None
    integration: str = "ONELEDGER"

    @classmethod
    def for_run(cls, run_id: str, integration: str = "ONELEDGER") -> Teller:
        return cls(run_id, *parent_of(run_id), integration)

    def events(
        self,
        job: str,
        job_type: str,
        started_at: dt.datetime,
        ended_at: dt.datetime,
        *,
        inputs: Sequence[InputDataset] = (),
        outputs: Sequence[OutputDataset] = (),
        problem: str = "",
        has_failed: bool = False,
        job_facets: dict[str, JobFacet] | None = None,
        run_facets: dict[str, RunFacet] | None = None,
        tags: dict[str, str] | None = None,
        run_name: RunName | None = None,
    ) -> list[RunEvent]:
        """The start and the end of a run.

        The start names the data sets; the end, when it is no failure, also says what they are and hold. ``problem``
        is the message of a failure. ``run_name`` is given for a run that has its name already.
        """
        start = self.start(job, job_type, started_at, job_facets, run_facets, tags, run_name)
        start.inputs, start.outputs = [_bare(one) for one in inputs], [_bare(one) for one in outputs]
        return [start, self.end(start, ended_at, inputs, outputs, problem, has_failed)]

    def start(
        self,
        job: str,
        job_type: str,
        started_at: dt.datetime,
        job_facets: dict[str, JobFacet] | None = None,
        run_facets: dict[str, RunFacet] | None = None,
        tags: dict[str, str] | None = None,
        run_name: RunName | None = None,
    ) -> RunEvent:
        """The start of a run, without data sets."""
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import job_type_job, tags_run
        from openlineage.client.uuid import generate_new_uuid

        from oneledger.lineage.openlineage.telling import producer

        named = {RUN_TAG: self.run_id, **(tags or {})}
        facets: dict[str, RunFacet] = {
            "tags": tags_run.TagsRunFacet(
                [tags_run.TagsRunFacetFields(key, value, TAG_SOURCE) for key, value in named.items()]
            ),
            **(run_facets or {}),
        }
        if self.parent is not None and self.root is not None:
            facets["parent"] = parent_facet(self.parent, self.root)
        return RunEvent(
            eventType=RunState.START,
            eventTime=_text(started_at),
            producer=producer(),
            run=Run(run_name.run_id if run_name else str(generate_new_uuid(started_at)), facets),
            job=Job(
                run_name.namespace if run_name else configuration.namespace(),
                job,
                {
                    "jobType": job_type_job.JobTypeJobFacet("BATCH", self.integration, job_type),
                    **(job_facets or {}),
                },
            ),
        )

    def end(
        self,
        start: RunEvent,
        ended_at: dt.datetime,
        inputs: Sequence[InputDataset] = (),
        outputs: Sequence[OutputDataset] = (),
        problem: str = "",
        has_failed: bool = False,
    ) -> RunEvent:
        """The end of a run that was told to have started."""
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import error_message_run

        failed = has_failed or bool(problem)
        facets = dict(start.run.facets or {})
        if problem:
            language = "SQL" if self.integration == "DBT" else "PYTHON"
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(without_secrets(problem), language)
        return RunEvent(
            eventType=RunState.FAIL if failed else RunState.COMPLETE,
            eventTime=_text(ended_at),
            producer=start.producer,
            run=Run(start.run.runId, facets),
            job=Job(start.job.namespace, start.job.name, dict(start.job.facets or {})),
            inputs=list(inputs),
            # What failed wrote nothing that counts.
            outputs=[] if failed else list(outputs),
        )


def parent_facet(parent: RunName, root: RunName) -> parent_run.ParentRunFacet:
    """The facet that names parent and root."""
    from openlineage.client.facet_v2 import parent_run

    return parent_run.ParentRunFacet(
        run=parent_run.Run(parent.run_id),
        job=parent_run.Job(parent.namespace, parent.job),
        root=parent_run.Root(parent_run.RootRun(root.run_id), parent_run.RootJob(root.namespace, root.job)),
    )


def _bare(dataset: Any) -> Any:
    return type(dataset)(namespace=dataset.namespace, name=dataset.name)


def _text(instant: dt.datetime) -> str:
    """With the offset; what comes without one is UTC."""
    return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).isoformat()

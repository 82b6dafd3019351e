"""What dbt's data tests say, stated on every data set that a test concerns.

OpenLineage's own dbt integration states a test over several data sets on one of them only (the last that it reads),
and drops tests on seeds (``parse_assertions`` and ``parse_test`` of ``openlineage.common.provider.dbt.processor``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oneledger.lineage.openlineage.dbt_build import DbtBuild, span
from oneledger.lineage.openlineage.model_events import job_name, node_facet
from oneledger.lineage.openlineage.runs import Teller
from oneledger.redacting import without_secrets

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.facet_v2 import JobFacet, RunFacet, data_quality_assertions_dataset

_PASSED = "pass"
_NOT_RUN = "skipped"


@dataclass
class _Tested:
    """A data set with what was asserted of it."""

    started_at: dt.datetime
    ended_at: dt.datetime
    assertions: list[data_quality_assertions_dataset.Assertion] = field(default_factory=list)
    has_failed: bool = False


def assertion_events(build: DbtBuild, teller: Teller, run_facets: Mapping[str, RunFacet]) -> Iterator[RunEvent]:
    """One run for each tested data set, and one for each test that reads none."""
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    tested: dict[str, _Tested] = {}
    for result in build.results:
        node = result.node
        if str(node.resource_type) != "test" or str(result.status) == _NOT_RUN:
            continue
        parents = build.parents(node.unique_id)
        started_at, ended_at = span(result)
        if not parents:
            yield from _test_of_nothing(build, node, result, teller, run_facets)
        for parent in parents:
            one = tested.setdefault(parent, _Tested(started_at, ended_at))
            one.started_at, one.ended_at = min(one.started_at, started_at), max(one.ended_at, ended_at)
            one.assertions.append(_assertion(build, node, result, parent, parents))
            one.has_failed |= blocks(result)
    for unique_id, one in tested.items():
        name = build.dataset(unique_id)
        facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(one.assertions)
        yield from teller.events(
            job_name(build, unique_id, "test"),
            "TEST",
            one.started_at,
            one.ended_at,
            inputs=[InputDataset(name.namespace, name.name, inputFacets={"dataQualityAssertions": facet})],
            has_failed=one.has_failed,
            problem=_problem(one),
            job_facets={"dbt_node": node_facet(build.node(unique_id))},
            run_facets=dict(run_facets),
        )


def blocks(result: Any) -> bool:
    """Whether the test stopped the build: a failure of severity error, or a test that could not be run."""
    return str(result.status) not in (_PASSED, "warn", _NOT_RUN)


def _assertion(
    build: DbtBuild, node: Any, result: Any, parent: str, parents: list[str]
) -> data_quality_assertions_dataset.Assertion:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    severity = str(node.config.severity).lower()
    is_counted = result.failures is not None
    return data_quality_assertions_dataset.Assertion(
        assertion=node.test_metadata.name if _is_generic(node) else node.name,
        success=str(result.status) == _PASSED,
        column=_column(node, parent, parents),
        severity=severity,
        name=node.name,
        description=node.description or None,
        expected=_expected(node.config, severity) if is_counted else None,
        actual=str(result.failures) if is_counted else None,
        params={"datasets": [build.relation(one) for one in parents]} if len(parents) > 1 else {},
    )


def _is_generic(node: Any) -> bool:
    """A test that is given columns and arguments; the others are a select of their own."""
    return getattr(node, "test_metadata", None) is not None


def _expected(config: Any, severity: str) -> str:
    """How many failing rows are allowed: none, or dbt's threshold where one is set."""
    threshold = "".join(str(config.warn_if if severity == "warn" else config.error_if).split())
    return "0" if threshold == "!=0" else threshold


def _column(node: Any, parent: str, parents: list[str]) -> str | None:
    """The column of this data set: the tested one, or for the data set that is referred to, its ``field``."""
    if not _is_generic(node):
        return None
    given = node.test_metadata.kwargs
    if len(parents) > 1 and parent != node.attached_node:
        return str(given["field"]) if given.get("field") else None
    column = given.get("column_name") or node.column_name
    return str(column) if column else None


def _problem(tested: _Tested) -> str:
    if not tested.has_failed:
        return ""
    failed = [one for one in tested.assertions if not one.success and one.severity == "error"]
    return "; ".join(f"{one.name}: {one.actual or 'not run'} rows, expected {one.expected or 'none'}" for one in failed)


def _test_of_nothing(
    build: DbtBuild, node: Any, result: Any, teller: Teller, run_facets: Mapping[str, RunFacet]
) -> list[RunEvent]:
    from openlineage.client.facet_v2 import test_run

    started_at, ended_at = span(result)
    has_failed = blocks(result)
    facets: dict[str, JobFacet] = {"dbt_node": node_facet(node)}
    execution = test_run.TestExecution(
        name=node.name,
        status="pass" if str(result.status) == _PASSED else "fail",
        severity=str(node.config.severity).lower(),
        type="singular",
        actual=str(result.failures) if result.failures is not None else None,
        content=getattr(result.node, "compiled_code", None),
        contentType="sql",
    )
    return teller.events(
        f"{build.settings.warehouse_path.stem}.{node.unique_id.partition('.')[2]}.build.test",
        "TEST",
        started_at,
        ended_at,
        problem=without_secrets(str(result.message or "")) if has_failed else "",
        has_failed=has_failed,
        job_facets=facets,
        run_facets={**run_facets, "test": test_run.TestRunFacet([execution])},
    )

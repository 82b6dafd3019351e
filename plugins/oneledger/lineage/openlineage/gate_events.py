"""The event of a gate: every check that was made, stated on each data set that it concerns."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from oneledger.catalogue import Catalogue
from oneledger.lineage.openlineage.datasets import warehouse_table
from oneledger.lineage.openlineage.runs import Teller
from oneledger.lineage.openlineage.telling import Told, tell
from oneledger.lineage.openlineage.warehouse_tables import warehouse_tables
from oneledger.outcomes import utc_now
from oneledger.quality.checks import Check, CheckResult, GateReport
from oneledger.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.facet_v2 import data_quality_assertions_dataset


def tell_gate(
    settings: Settings,
    catalogue: Catalogue,
    report: GateReport,
    checks: Sequence[Check],
    started_at: dt.datetime,
) -> Told:
    """Tell what a gate found.

    Args:
        settings: whose warehouse it looked at.
        catalogue: gives the table of an entity.
        report: its results.
        checks: what it was asked; a check names the tables that it needs.
        started_at: when it began.
    """

    def make() -> Iterator[RunEvent]:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import data_quality_assertions_dataset

        stated: dict[str, list[data_quality_assertions_dataset.Assertion]] = {}
        for result, relations in stated_on(report.results, checks, catalogue, set(warehouse_tables(settings))):
            for relation in relations:
                stated.setdefault(relation, []).append(_assertion(result, relations))
        inputs = []
        for relation, assertions in sorted(stated.items()):
            name = warehouse_table(settings, relation)
            facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions)
            inputs.append(InputDataset(name.namespace, name.name, inputFacets={"dataQualityAssertions": facet}))
        blocking = [one for one in report.failed if one.blocks]
        yield from Teller.for_run(report.run_id).events(
            f"gate.{report.gate}",
            "GATE",
            started_at,
            utc_now(),
            inputs=inputs,
            has_failed=not report.is_open,
            problem="; ".join(f"{one.title_en} ({one.entity}): {one.observed}" for one in blocking),
        )

    return tell(settings, make)


def stated_on(
    results: Sequence[CheckResult], checks: Sequence[Check], catalogue: Catalogue, tables: Collection[str]
) -> Iterator[tuple[CheckResult, list[str]]]:
    """Each result with the tables that it is about.

    These are the tables of the entity that it names; and, when the check names one entity only, all tables that it
    compares. A check that judges several entities says of each what it found there.
    """
    needs = {check.check_id: check.needs for check in checks}
    judged = Counter(result.check_id for result in results)
    admitted = {one.full_id: f"admitted.{one.admitted_table}" for one in catalogue.all_entities}
    for result in results:
        own = [admitted[result.entity]] if result.entity in admitted else _named(result.entity or "", tables)
        joint = needs.get(result.check_id, ()) if judged[result.check_id] == 1 else ()
        yield result, [one for one in dict.fromkeys([*own, *joint]) if one in tables]


def _named(entity: str, tables: Collection[str]) -> list[str]:
    """An entity of the marts: a table with or without its schema, or a schema as a whole."""
    parts = (one.partition(".") for one in sorted(tables))
    return [
        f"{schema}.{name}" for schema, _, name in parts
        if entity in (f"{schema}.{name}", schema) or (entity == name and schema in ("marts", "evaluation"))
    ]  # fmt: skip


def _assertion(result: CheckResult, relations: Sequence[str]) -> data_quality_assertions_dataset.Assertion:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    params: Mapping[str, object] = {"datasets": list(relations)} if len(relations) > 1 else {}
    return data_quality_assertions_dataset.Assertion(
        assertion=result.check_id,
        success=result.is_passed,
        severity="error" if result.severity == "fail" else "warn",
        name=f"{result.gate}.{result.check_id}.{result.entity}",
        description=f"{result.title_zh} {result.title_en}",
        expected=result.expected,
        actual=result.observed,
        params=dict(params),
    )

"""Every failure that this code can tell of, listed from the places that tell of it."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Iterator
from pathlib import Path

from oneledger.audit.verifying import AREAS
from oneledger.catalogue import Catalogue, door_problems
from oneledger.catalogue.columns import ColumnType
from oneledger.city.breaking import KINDS
from oneledger.city.faults.breakage import Breakage
from oneledger.outcomes import STEPS
from oneledger.pipeline.verdict import RunVerdict
from oneledger.quality.checks import Gate, load_checks
from oneledger.quality.row_rules import checks_of, other_rule_ids
from oneledger.runbooks.catalogue import SITUATIONS, code_of_check, code_of_row_rule
from oneledger.settings import Settings

# The city's own server and asker are no part of the warehouse.
_NOT_OURS = ("city",)


def all_failures(settings: Settings, catalogue: Catalogue) -> dict[str, str]:
    """Failure code → where in the code it comes from."""
    found: dict[str, str] = {}
    for source, codes in (
        ("catalogue/decisions.py", (f"door:{name}" for name in _door_failures())),
        ("quality/row_rules.py", row_failures(catalogue)),
        ("expectations/", check_failures(settings)),
        ("mart_withheld_part.sql", (f"withheld:{kind}" for kind in withheld_kinds(settings))),
        ("outcomes.py", (f"step:{step}" for step in STEPS)),
        ("pipeline/verdict.py", (f"verdict:{verdict}" for verdict in _bad_verdicts())),
        ("audit/verifying.py", (f"verify:{area}" for area in AREAS)),
        ("exceptions", (f"refusal:{name}" for name in exception_names(settings.project_root / "plugins"))),
        ("installation/examination.py", (f"doctor:{name}" for name in _examinations())),
        ("web/errors.py", (f"page:{status}" for status in _statuses())),
        ("dags/", (f"dag:{path.stem}" for path in (settings.project_root / "dags").glob("*.py"))),
        ("publishing/reconcile.py", ("figure:differs",)),
        ("notices/causes.py", ("finding:reopened",)),
        ("runbooks/catalogue.py", (f"situation:{name}" for name in SITUATIONS)),
    ):
        for code in codes:
            found.setdefault(code, source)
    return found


def code_of_fault(fault: Breakage) -> str | None:
    """The failure that a fault of the city shows as; None when the delivery is taken without a word."""
    expected = fault.expected
    if expected.decision == "accept":
        return None
    if expected.decision == "reconcile":
        return "figure:differs"
    if expected.decision == "gate":
        return code_of_check(expected.rule)
    if expected.decision == "quarantine":
        return code_of_row_rule(expected.rule)
    if not expected.problem:
        return "step:extract"
    # The decisions about columns have keys of their own in the catalogue.
    return f"door:{expected.problem.removeprefix('decisions.')}"


def faults_of_page(page: str) -> list[Breakage]:
    """The faults of the city with which a failure of this page can be caused."""
    from oneledger.runbooks.catalogue import page_of

    return [fault for fault in KINDS.values() if (code := code_of_fault(fault)) and page_of(code) == page]


def _door_failures() -> Iterator[str]:
    """Problems that can be decided otherwise than by taking the delivery without a word."""
    return (name for name, problem in door_problems().items() if set(problem.choices) != {"accept"})


def row_failures(catalogue: Catalogue) -> Iterator[str]:
    yield from (f"row:is_{kind}" for kind in typing.get_args(ColumnType) if kind != "text")
    yield from (f"row:{rule_id}" for rule_id in other_rule_ids())
    for entity in catalogue.all_entities:
        yield from (code_of_row_rule(check.rule_id) for check in checks_of(entity))


def check_failures(settings: Settings) -> Iterator[str]:
    for gate in typing.get_args(Gate):
        for check in load_checks(settings.project_root / "expectations", gate):
            yield code_of_check(check.check_id)


def withheld_kinds(settings: Settings) -> list[str]:
    """The kinds that the mart of withheld parts writes, read from its SQL."""
    sql = next(settings.dbt_project_dir.rglob("mart_withheld_part.sql")).read_text("utf-8")
    return sorted(set(re.findall(r"'(\w+)' as kind", sql)))


def _bad_verdicts() -> list[str]:
    return [verdict for verdict in (*typing.get_args(RunVerdict), "ingest_failed") if verdict != "good"]


def exception_names(plugins: Path) -> Iterator[str]:
    """Every exception class of the product; one whose name begins with an underscore never leaves its module."""
    for path in sorted(plugins.rglob("*.py")):
        if path.relative_to(plugins).parts[1:2] and path.relative_to(plugins).parts[1] in _NOT_OURS:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and _is_exception(node):
                yield node.name


def _is_exception(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id.endswith(("Error", "Exception")) for base in node.bases)


def _examinations() -> list[str]:
    from oneledger.installation.examination import EXAMINATIONS

    return list(EXAMINATIONS)


def _statuses() -> list[int]:
    from oneledger.web.errors import TITLES

    return list(TITLES)

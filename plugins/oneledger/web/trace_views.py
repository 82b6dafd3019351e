"""A trace as a page shows it: what was asked, the numbers at its head, and what each role may see of it.

A VIEWER sees the whole way with its published rows, rules, counts, hashes and the recomputation; rows before the marts
and the landed lines are rows as they were received, and those an AUDITOR sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from oneledger.evaluation.runs import find_run
from oneledger.lineage import subjects
from oneledger.lineage.subjects import Subject
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun
from oneledger.web.access import Role, Visitor

PUBLISHED = ("marts.", "evaluation.")
_HEAD = {
    "evaluation.app_stars": ("stars", "score", "status"),
    "evaluation.indicator_points": ("numerator", "denominator", "value", "points", "weight", "status"),
    "marts.published_figure": ("published_value", "computed_value", "difference"),
    "evaluation.funding_share": ("share", "payable_cny", "budget_cny", "status"),
}


@dataclass(frozen=True)
class Asked:
    """The form of address of a trace, as it stands in the page's query.

    Attributes:
        keys: ``column=value`` texts of a cell.
    """

    subject: str = ""
    star: str = ""
    points: str = ""
    indicator: str = ""
    figure: str = ""
    share: str = ""
    year: str = ""
    relation: str = ""
    keys: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    run: str = ""
    lines: int = 10

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked yet: only the form is wanted, or a table whose key is still to be given."""
        return not (self.star or self.points or self.figure or self.share or (self.relation and self.keys))


def subject_of(asked: Asked, round_id: str | None) -> Subject:
    """What is to be traced.

    Raises:
        HTTPException: 422 when the parts do not make a subject.
    """
    given = [name for name in ("star", "points", "figure", "share", "relation") if getattr(asked, name)]
    if len(given) != 1:
        raise HTTPException(
            422,
            "一次只追溯一项：请只给 star、points、figure、share、relation 之一。 "
            f"Trace one thing at a time: give one of star, points, figure, share, relation, not {', '.join(given)}.",
        )
    if asked.points and not asked.indicator:
        raise HTTPException(
            422,
            "追溯得分还需指标编码 indicator，例如 satisfaction。 "
            "To trace points give the indicator too, for instance &indicator=satisfaction.",
        )
    if asked.star:
        return subjects.star(asked.star, round_id)
    if asked.points:
        return subjects.points(asked.points, asked.indicator, round_id)
    if asked.figure:
        return subjects.figure(asked.figure)
    if asked.share:
        return subjects.share(asked.share, asked.year or None)
    wrong = [one for one in asked.keys if "=" not in one]
    if wrong:
        raise HTTPException(
            422,
            f"主键应写成 列=值，收到 {wrong[0]}。 "
            f"A key is column=value, and {wrong[0]} is not; for instance key=app_id%3DA33050000001.",
        )
    return subjects.cell(asked.relation, dict(one.split("=", 1) for one in asked.keys), asked.columns)


def check_may_trace(subject: Subject, visitor: Visitor) -> None:
    """Rows before the marts are for auditors.

    Raises:
        HTTPException: 403 with a sentence.
    """
    if visitor.role >= Role.AUDITOR or subject.relation.startswith(PUBLISHED) or "." not in subject.relation:
        return
    raise HTTPException(
        403,
        f"{subject.relation} 尚未公布，追溯它需要审计权限；集市与评价的表您都可以追溯。 "
        f"{subject.relation} is not published: to trace it takes the role auditor. Tables of the marts and the "
        "evaluation you may trace.",
    )


def run_of(settings: Settings, name: str) -> EvaluationRun | None:
    """The evaluation run of this name; None when none is asked for.

    Raises:
        HTTPException: 404 when there is no such run.
    """
    if not name:
        return None
    try:
        return find_run(settings, name)
    except ConfigurationError as error:
        raise HTTPException(404, f"没有这次评价。 {error}") from error


def seen_by(report: Mapping[str, Any], visitor: Visitor) -> dict[str, Any]:
    """The report as this visitor may see it; ``is_whole`` says whether something was left out."""
    landed = [
        {**one, "files": [{name: value for name, value in file.items() if name != "path"} for file in one["files"]]}
        for one in report["landed"]
    ]
    if visitor.role >= Role.AUDITOR:
        return {**report, "landed": landed, "is_whole": True}
    steps = [
        one if one["relation"].startswith(PUBLISHED) else {**one, "rows": []} for one in report["steps"]
    ]  # fmt: skip
    bare = [
        {**one, "files": [{**file, "lines": []} for file in one["files"]]} for one in landed
    ]  # fmt: skip
    notes = [{**one, "rows": []} for one in report["notes"]]
    return {**report, "steps": steps, "landed": bare, "notes": notes, "is_whole": False}


def head_of(report: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """The numbers that the trace is about: column and value."""
    subject, row = report["subject"], report["published"]
    names = list(_HEAD.get(subject["relation"], ())) if not subject["columns"] or subject["kind"] == "figure" else []
    if not names:
        names = list(subject["columns"] or [])
    if not names:
        names = [
            name for name, value in row.items()
            if value is not None and not isinstance(value, bool) and hasattr(value, "__abs__")
        ][:6]  # fmt: skip
    return [(name, row.get(name)) for name in names if name in row]


def command_of(report: Mapping[str, Any], run: str) -> str:
    """The same trace in a terminal."""
    subject = report["subject"]
    words = " ".join(f"{name}={value}" for name, value in subject["key"].items())
    columns = "".join(f" --column {name}" for name in subject["columns"] or ()) if subject["kind"] == "cell" else ""
    version = report["provenance"]["version"]
    return f"oneledger trace {subject['relation']} {words}{columns}" + (
        f" --run {run}" if run else f" --version {version}"
    )

"""What is wrong with a rule, where, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oneledger.evaluation.rule_tables import RuleRow


@dataclass(frozen=True)
class RuleProblem:
    """One problem of one cell or row: ``value`` is what stands there, ``expected`` what must, ``remedy`` how."""

    file: str
    line: int
    column: str
    value: str
    problem: str
    expected: str
    remedy: str

    @property
    def message(self) -> str:
        """The problem in one line, as a compiler would say it."""
        return (
            f"{Path(self.file).name}, line {self.line}, column {self.column}: {self.value or 'empty'}: {self.problem}. "
            f"Expected: {self.expected}. {self.remedy}."
        )

    def as_item(self) -> dict[str, Any]:
        """The problem for JSON."""
        return {**asdict(self), "message": self.message}


def problem_of(row: RuleRow, column: str, problem: str, expected: str, remedy: str) -> RuleProblem:
    """A problem of one cell of a row."""
    return RuleProblem(row.file, row.line, column, row[column], problem, expected, remedy)

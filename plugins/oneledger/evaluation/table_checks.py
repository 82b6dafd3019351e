"""What every rule table must be: there, of its shape, of its types, titled, dated without overlaps or holes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise

from oneledger.evaluation.rule_problems import RuleProblem, problem_of
from oneledger.evaluation.rule_tables import RuleRow, RuleSet, RuleTable, date_of, number_of, period_of

_TITLES = ("title_zh", "title_en")
_NUMBERS = ("double", "integer", "bigint")


def check_tables(rules: RuleSet) -> list[RuleProblem]:
    """Problems of single tables, in the order of tables and lines."""
    problems: list[RuleProblem] = []
    for table in rules.tables.values():
        if table.file is None:
            problems.append(_missing(table))
            continue
        if not table.shape.key:
            # Of a version or run from when the project had this table: nothing reads it any more.
            continue
        wanted = dict.fromkeys((*table.shape.types, *table.shape.key))
        lacking = [column for column in wanted if column not in table.columns]
        if lacking:
            problems += [
                RuleProblem(table.file, 1, column, "", "the column is missing", f"a column {column} in the header",
                            "Add the column to the first line and to every row")
                for column in lacking
            ]  # fmt: skip
            continue
        of_cells = [problem for row in table.rows for problem in _cells(table, row)]
        problems += of_cells or list(_repeated(table))
    return problems


def _missing(table: RuleTable) -> RuleProblem:
    return RuleProblem(
        f"{table.name}.csv", 1, "", "", "the file is missing", f"a CSV file {table.name}.csv",
        "Copy it from dbt_project/seeds",
    )  # fmt: skip


def _cells(table: RuleTable, row: RuleRow) -> Iterator[RuleProblem]:
    for column, kind in table.shape.types.items():
        text = row[column]
        if kind == "date" and text and date_of(text) is None:
            yield problem_of(row, column, "is no date", "a date as yyyy-mm-dd", "Correct the date")
        if kind in _NUMBERS and text and number_of(text) is None:
            yield problem_of(row, column, "is no number", "a number", "Correct the number")
        if kind in ("integer", "bigint") and not (number_of(text) or 0.0).is_integer():
            yield problem_of(row, column, "is no whole number", "a whole number", "Correct the number")
    required = [*table.shape.key, *table.shape.required, *(title for title in _TITLES if title in table.columns)]
    for column in dict.fromkeys(required):
        if not row[column]:
            what = "the title is missing" if column in _TITLES else "nothing is given"
            yield problem_of(row, column, what, "text" if column in _TITLES else "a value", f"Fill in {column}")
    if not table.shape.is_dated:
        return
    if not row["effective_from"]:
        yield problem_of(row, "effective_from", "nothing is given", "the first day in force", "Fill in effective_from")
    for column in ("rule_version", "source"):
        if column in table.columns and not row[column]:
            yield problem_of(
                row, column, "nothing is given", "text that results can quote",
                "Name the version or the source; `OneLedger default` when nobody published the rule",
            )  # fmt: skip
    period = period_of(row)
    if period and period[1] < period[0]:
        yield problem_of(
            row, "effective_to", f"lies before effective_from {row['effective_from']}",
            "a day not before effective_from, or nothing while the rule is in force", "Correct one of the two dates",
        )  # fmt: skip


def _repeated(table: RuleTable) -> Iterator[RuleProblem]:
    """Rows of one key whose periods overlap or leave a hole; without dates, rows of one key."""
    groups: dict[tuple[str, ...], list[RuleRow]] = {}
    for row in table.rows:
        groups.setdefault(tuple(_normal(row[column]) for column in table.shape.key), []).append(row)
    for key, rows in groups.items():
        named = " ".join(key)
        if not table.shape.is_dated:
            for row in rows[1:]:
                yield problem_of(
                    row, table.shape.key[0] if table.shape.key else table.columns[0],
                    f"{named} stands on line {rows[0].line} too", "one row for each key", "Remove one of the rows",
                )  # fmt: skip
            continue
        dated = sorted(((period, row) for row in rows if (period := period_of(row))), key=lambda one: one[0])
        for (before, earlier), (after, later) in pairwise(dated):
            if after[0] <= before[1]:
                yield problem_of(
                    later, "effective_from", f"{named} is already in force by line {earlier.line}: the dates overlap",
                    f"a day after effective_to of line {earlier.line}",
                    f"Give line {earlier.line} an effective_to before {after[0]}, or correct this date",
                )  # fmt: skip
            elif after[0] > before[1] + dt.timedelta(days=1):
                yield problem_of(
                    later, "effective_from",
                    f"{named} has a gap in its dates: nothing is in force from {before[1] + dt.timedelta(days=1)}",
                    f"{before[1] + dt.timedelta(days=1)}, the day after line {earlier.line} ends",
                    "Close the gap, or give the rule a new id when it is another one",
                )  # fmt: skip


def _normal(text: str) -> str:
    number = number_of(text)
    return text if number is None else repr(number)

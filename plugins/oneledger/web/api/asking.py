"""A question to a relation as one statement: columns, conditions, a stable order, and where the page begins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oneledger.publishing.content import quote
from oneledger.web.api.cursors import Cursor
from oneledger.web.api.filters import Condition
from oneledger.web.api.problems import BadParameter, BadQuestionError, unknown
from oneledger.web.api.relations import Relation

MOST_SORTED = 8


@dataclass(frozen=True)
class Ordered:
    """A column of the order; nulls come last either way."""

    column: str
    is_descending: bool = False

    @property
    def sql(self) -> str:
        return f"{quote(self.column)} {'desc' if self.is_descending else 'asc'} nulls last"


@dataclass(frozen=True)
class Question:
    """What is asked of one relation.

    Attributes:
        select: the columns of the answer, in order.
        order: ends with the relation's key, so that every row has one place.
        limit: rows of a page; None for all.
        offset: rows to pass over (paging by number).
        after: where to go on (paging by cursor).
    """

    relation: Relation
    select: tuple[str, ...]
    conditions: tuple[Condition, ...]
    order: tuple[Ordered, ...]
    limit: int | None = None
    offset: int = 0
    after: Cursor | None = None

    @property
    def digest(self) -> str:
        """Equal for questions with the same rows in the same order."""
        asked = [
            self.relation.name,
            [[one.sql, [str(value) for _, value in one.values]] for one in self.conditions],
            [one.sql for one in self.order],
        ]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()[:16]

    @property
    def values(self) -> dict[str, Any]:
        """What is bound to the statement's ``$names``, of the conditions alone."""
        return {name: value for one in self.conditions for name, value in one.values}

    def count_sql(self) -> str:
        return f"select count(*) as n from {self.relation.source} as asked{self._where([])}"

    def rows_sql(self, *, more: int = 0, has_places: bool = False) -> tuple[str, dict[str, Any]]:
        """The statement and its values.

        Args:
            more: rows beyond the limit, to see whether there is a next page.
            has_places: append the order's columns as text, for the cursor.
        """
        beyond, values = self._beyond()
        order = f" order by {', '.join(one.sql for one in self.order)}"
        shown = [self._shown(name) for name in self.select]
        if has_places:
            shown += [f"cast({quote(one.column)} as varchar) as __at{place}" for place, one in enumerate(self.order)]
        read = ", ".join(quote(one) for one in dict.fromkeys([*self.select, *(one.column for one in self.order)]))
        text = f"select {read} from {self.relation.source} as asked{self._where(beyond)}"
        if self.limit is not None:
            text += f"{order} limit {self.limit + more}"
        if self.offset:
            text += f" offset {self.offset}"
        # What is shown is worked out of the page's rows, not of all of them.
        return f"select {', '.join(shown)} from ({text}) as page{order}", {**self.values, **values}

    def _where(self, beyond: list[str]) -> str:
        parts = [*(one.sql for one in self.conditions), *beyond]
        return f" where {' and '.join(f'({one})' for one in parts)}" if parts else ""

    def _shown(self, name: str) -> str:
        """A column of the answer; what is no number (NaN, infinite) is missing in every format."""
        column = self.relation.columns[name]
        target = quote(name)
        if column.type in ("DOUBLE", "FLOAT"):
            return f"case when isfinite({target}) then {target} end as {target}"
        return target

    def _beyond(self) -> tuple[list[str], dict[str, Any]]:
        """The condition that a row comes after the cursor's: greater in a column and equal in those before it."""
        if self.after is None:
            return [], {}
        steps: list[str] = []
        equal: list[str] = []
        values: dict[str, Any] = {}
        for place, (one, text) in enumerate(zip(self.order, self.after.after, strict=True)):
            target, name = quote(one.column), f"at{place}"
            values[name] = text
            given = f"cast(${name} as {self.relation.columns[one.column].type})"
            if text is not None:
                greater = f"({target} {'<' if one.is_descending else '>'} {given} or {target} is null)"
                steps.append(" and ".join([*equal, greater]))
                equal.append(f"{target} = {given}")
            else:
                # Nulls are last: nothing comes after one in this column.
                equal.append(f"{target} is null and ${name} is null")
        conditions = [" or ".join(f"({one})" for one in steps) or "false"]
        first = self.order[0]
        if first.column == self.relation.date_column and self.after.after[0] is not None:
            # The same said so that months before are not opened: a fact lies in a file a month.
            given = f"cast($at0 as {self.relation.columns[first.column].type})"
            conditions.append(f"{quote(first.column)} {'<=' if first.is_descending else '>='} {given}")
        return conditions, values


def read_select(text: str | None, relation: Relation) -> tuple[str, ...]:
    """The columns of the answer; all of them when none are named.

    Raises:
        BadQuestionError: a column does not exist or is named twice.
    """
    if text is None:
        return tuple(relation.columns)
    return _names("select", text, relation)


def read_sort(text: str | None, relation: Relation) -> tuple[Ordered, ...]:
    """The order that was asked for (``column`` or ``-column``, joined by commas), made whole by the key.

    Raises:
        BadQuestionError: a column does not exist or is named twice.
    """
    words = text.split(",") if text is not None else []
    if len(words) > MOST_SORTED:
        raise BadQuestionError(
            [BadParameter("sort", text or "", f"最多 {MOST_SORTED} 列。 At most {MOST_SORTED} columns.")]
        )
    _names("sort", ",".join(word.removeprefix("-") for word in words), relation) if words else ()
    asked = [Ordered(word.removeprefix("-"), word.startswith("-")) for word in words]
    named = {one.column for one in asked}
    # A version that does not say the key is ordered by every column: equal rows are then interchangeable.
    rest = relation.key or tuple(relation.columns)
    if relation.date_column in rest and not asked:
        # A fact begins with its first day, so that a page opens few of its months.
        rest = (relation.date_column, *(one for one in rest if one != relation.date_column))
    return (*asked, *(Ordered(one) for one in rest if one not in named))


def _names(parameter: str, text: str, relation: Relation) -> tuple[str, ...]:
    names = text.split(",")
    problems = [unknown(parameter, one, relation.columns, "列", "column") for one in names[:20]
                if one not in relation.columns]  # fmt: skip
    if problems:
        raise BadQuestionError(problems)
    if len(set(names)) < len(names):
        raise BadQuestionError([BadParameter(parameter, text, "每列只能写一次。 Name each column once.")])
    return tuple(names)


def going_on(question: Question, last: Sequence[str | None], version: str) -> Cursor:
    """The cursor after a row, given by the order's columns as text."""
    return Cursor(version, question.digest, tuple(last))

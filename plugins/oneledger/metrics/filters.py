"""Filters as values: which dimension, which comparison, which value. They become bound parameters, never SQL text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oneledger.metrics.definitions import GRAINS, METRIC_TIME, Dimension
from oneledger.settings import ConfigurationError

_COMPARISONS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_LISTS = {"in": "in", "not in": "not in"}
_TESTS = {"is null": "is null", "is not null": "is not null"}
OPERATORS = (*_COMPARISONS, *_LISTS, *_TESTS)
_WRITTEN = re.compile(r"^\s*(?P<name>[a-z_0-9]+)\s*(?P<operator>!=|<=|>=|=|<|>)\s*(?P<value>.*)$", re.DOTALL)
_WRITTEN_WORDS = re.compile(
    r"^\s*(?P<name>[a-z_0-9]+)\s+(?P<operator>not in|in|is not null|is null)(?:\s+(?P<value>.*))?$", re.DOTALL
)
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Filter:
    """Rows that count.

    Attributes:
        dimension: a name that ``list_dimensions`` gives; of time also with a grain, ``metric_time__month``.
        operator: one of ``OPERATORS``. A comparison with a missing value is never true, ``!=`` included; ask
            ``is null`` for those.
        value: a value; for ``in`` and ``not in`` a list; for ``is null`` and ``is not null`` None.
    """

    dimension: str
    operator: str = "="
    value: Any = None

    @classmethod
    def parse(cls, text: str) -> Filter:
        """A filter as it is typed: ``app__side=service``, ``star__stars>=4``, ``app__level in city,county``,
        ``app__department_id is null``.

        Raises:
            ConfigurationError: it cannot be read.
        """
        found = _WRITTEN_WORDS.match(text) or _WRITTEN.match(text)
        if found is None:
            raise ConfigurationError(
                f"The filter {text!r} cannot be read. Write a dimension, a comparison and a value, for instance "
                f"app__side=service or 'app__level in city,county'. Comparisons: {', '.join(OPERATORS)}."
            )
        operator, value = found["operator"], found["value"]
        if operator in _LISTS:
            return cls(found["name"], operator, [one.strip() for one in (value or "").split(",")])
        return cls(found["name"], operator, None if operator in _TESTS else value)

    def values(self, dimension: Dimension) -> list[Any]:
        """The values as the dimension's column holds them.

        Raises:
            ConfigurationError: there is none, too many, or one that the column cannot hold.
        """
        if self.operator not in OPERATORS:
            raise ConfigurationError(
                f"There is no comparison {self.operator!r} (filter on {self.dimension}). There are: "
                f"{', '.join(OPERATORS)}."
            )
        if self.operator in _TESTS:
            if self.value is not None:
                raise ConfigurationError(f"{self.dimension} {self.operator} takes no value, and got {self.value!r}.")
            return []
        is_list = isinstance(self.value, Sequence) and not isinstance(self.value, str)
        if self.operator in _LISTS:
            if not is_list or not self.value:
                raise ConfigurationError(f"{self.dimension} {self.operator} needs a list of values.")
            return [_typed(one, dimension) for one in self.value]
        if is_list or self.value is None:
            raise ConfigurationError(
                f"{self.dimension} {self.operator} needs one value, and got {self.value!r}. Missing values are found "
                "with `is null`, several with `in`."
            )
        return [_typed(self.value, dimension)]

    def condition(self, written: str, names: Sequence[str]) -> str:
        """The condition on ``written``, the dimension as MetricFlow refers to it, with ``$name`` for each value."""
        if self.operator in _TESTS:
            return f"{written} {_TESTS[self.operator]}"
        if self.operator in _LISTS:
            return f"{written} {_LISTS[self.operator]} ({', '.join(f'${name}' for name in names)})"
        return f"{written} {_COMPARISONS[self.operator]} ${names[0]}"

    @property
    def is_one_value(self) -> bool:
        """Whether rows of one value of the dimension are left."""
        return self.operator == "=" or (self.operator == "in" and len(set(map(str, self.value or ()))) == 1)


def split_grain(name: str) -> tuple[str, str | None]:
    """``metric_time__month`` is ``metric_time`` by ``month``; a name without a grain has None."""
    head, _, last = name.rpartition("__")
    return (head, last) if head and last in GRAINS else (name, None)


def written_as(dimension: Dimension, grain: str | None) -> str:
    """How MetricFlow's filters refer to a dimension."""
    if dimension.kind == "entity":
        return f"{{{{ Entity('{dimension.name}') }}}}"
    if dimension.kind == "time" or dimension.name == METRIC_TIME:
        return f"{{{{ TimeDimension('{dimension.name}', '{grain or dimension.grains[0]}') }}}}"
    return f"{{{{ Dimension('{dimension.name}') }}}}"


def _typed(value: Any, dimension: Dimension) -> Any:
    kind = dimension.data_type
    try:
        if kind == "boolean":
            return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]
        if kind == "date":
            return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
        if kind in ("bigint", "integer", "hugeint"):
            if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
                raise ValueError(value)
            return int(value)
        if kind == "double" or kind.startswith("decimal"):
            return float(value)
    except (KeyError, ValueError, TypeError) as error:
        wanted = {"boolean": "true or false", "date": "a date such as 2022-10-31"}.get(kind, "a number")
        raise ConfigurationError(f"{dimension.name} is {kind}: {value!r} is not {wanted}.") from error
    return str(value)

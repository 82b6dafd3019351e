"""What a metric and a dimension are, as a published version carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# From fine to coarse; a metric is given by its own grain and by every coarser one.
GRAINS = ("day", "week", "month", "quarter", "year")
METRIC_TIME = "metric_time"


@dataclass(frozen=True)
class Dimension:
    """Something that a metric can be grouped and filtered by.

    Attributes:
        name: as MetricFlow writes it, for instance ``app__side``; an entity (``app``) has no underscores.
        kind: ``categorical``, ``time`` or ``entity``.
        data_type: the column's type in DuckDB; ``date`` for time.
        grains: of time, the grains that can be asked for, finest first; empty for the others.
        relation, column: where it is read; the column is None when the dimension is computed.
    """

    name: str
    title_zh: str
    title_en: str
    description: str
    kind: Literal["categorical", "time", "entity"]
    data_type: str
    grains: tuple[str, ...]
    relation: str | None
    column: str | None

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "grains": list(self.grains)}


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        kind: ``simple`` (one aggregation), ``ratio`` or ``derived`` (computed from other metrics).
        unit: ``rate`` means a share where 1 is all; ``CNY`` is yuan.
        inputs: the metrics that a ratio or derived metric is computed from.
        relations: the marts that it reads, ``schema.name``.
        dimensions: the names of what it can be grouped and filtered by; time is ``metric_time`` besides.
        grain: the finest grain of time.
        missing_in: the metric that counts what is missing of it; None when nothing can be.
        not_additive_over: dimensions over which values must not be added: group by them or filter them to one value.
        is_state_at_end: True when a group of several months has the value of the last of them (a count of what is
            open cannot be added over months).
    """

    name: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    unit: str
    kind: Literal["simple", "ratio", "derived"]
    inputs: tuple[str, ...]
    relations: tuple[str, ...]
    dimensions: tuple[str, ...]
    grain: str
    missing_in: str | None
    not_additive_over: tuple[str, ...]
    is_state_at_end: bool

    @property
    def grains(self) -> tuple[str, ...]:
        """The grains of time that can be asked for, finest first."""
        return GRAINS[GRAINS.index(self.grain) :]

    def as_dict(self) -> dict[str, Any]:
        listed = ("inputs", "relations", "dimensions", "not_additive_over")
        return {
            **{key: list(value) if key in listed else value for key, value in self.__dict__.items()},
            "grains": list(self.grains),
        }

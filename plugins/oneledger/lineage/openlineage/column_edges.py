"""One column that depends on another, in the words of OpenLineage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class ColumnEdge:
    """One column that another depends on.

    Attributes:
        column: the model's column; "" when the whole model depends on it (indirect).
        relation: ``schema.table`` that is read.
        source_column: its column.
        is_direct: whether the value comes from there; otherwise it only decides about rows.
        kind: direct, ``IDENTITY``, ``TRANSFORMATION`` or ``AGGREGATION``; indirect, ``CONDITIONAL`` or ``WINDOW`` of
            one column, ``JOIN``, ``FILTER``, ``GROUP_BY`` or ``SORT`` of the whole model.
    """

    column: str
    relation: str
    source_column: str
    is_direct: bool
    kind: str

"""What an event tells of a column that depends on another one, in OpenLineage's words.

``oneledger.lineage.columns`` finds it; this carries it, so that a night whose SQL is known needs no parser.
"""

from __future__ import annotations

from dataclasses import dataclass

DIRECT = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")


@dataclass(frozen=True, order=True)
class Dependency:
    """One column of a table depends on one column that it reads.

    Attributes:
        column: the table's column; "" when all of the table depends on it.
        relation: ``schema.table`` that is read.
        source_column: its column.
        kind: ``IDENTITY``, ``TRANSFORMATION``, ``AGGREGATION``; or, where it only decides about the value or the row,
            ``CONDITIONAL``, ``WINDOW``, ``JOIN``, ``FILTER``, ``GROUP_BY``, ``SORT``.
        step: the SQL of the last step; "" when the value is passed on.
        is_masking: the value was counted or hashed.
    """

    column: str
    relation: str
    source_column: str
    kind: str
    step: str = ""
    is_masking: bool = False

    @property
    def is_direct(self) -> bool:
        return self.kind in DIRECT

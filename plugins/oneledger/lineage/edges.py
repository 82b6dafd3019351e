"""The first and the last value of a grouped relation's key, without working the relation out.

A model may ask a large relation for no more than its first month. The smallest month of grouped days is the month of
the smallest day, so one pass over the days answers, and no group is formed.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from oneledger.lineage.blocks import DIALECT, Block, ModelBlocks, Source, aggregates_in, columns_read, text_of
from oneledger.lineage.pushing import cut_to_month
from oneledger.publishing.content import quote

_INDIFFERENT = (exp.Min, exp.Max, exp.AnyValue)


def edge_column(block: Block, source: Source) -> str | None:
    """The column of which a block asks a source for nothing but the smallest or largest value."""
    on = source.join.args.get("on") if source.join is not None else None
    if (
        not block.is_aggregated or block.is_opaque or block.group or block.partitions or block.nested
        or any(block.select.args.get(key) for key in ("where", "having", "qualify", "distinct"))
        or (on is not None and text_of(on).upper() != "TRUE")
    ):  # fmt: skip
        return None
    read = columns_read(block.outputs.values())
    columns = read.get(source.alias, set())
    calls = [one for output in block.outputs.values() for one in aggregates_in(output)]
    # Of everything else a row more or less makes no difference.
    if "" in read or len(columns) != 1 or not all(isinstance(one, _INDIFFERENT) for one in calls):
        return None
    asking = [one for one in calls if source.alias in columns_read([one])]
    is_edge = all(isinstance(one, exp.Min | exp.Max) and isinstance(one.this, exp.Column) for one in asking)
    return next(iter(columns)) if asking and is_edge else None


def edge_values(sql: str, blocks: ModelBlocks, column: str) -> str | None:
    """SQL that gives the smallest and the largest value of a column of a model; None when it has to be worked out."""
    if len(blocks.main.blocks) != 1:
        return None
    block = blocks.main.blocks[0]
    key = block.outputs.get(column)
    if (
        key is None or block.is_opaque or block.partitions or block.nested
        or block.select.args.get("having") or block.select.args.get("qualify")
        or text_of(key) not in {text_of(one) for one in block.group}
    ):  # fmt: skip
        return None
    below = key if isinstance(key, exp.Column) else cut_to_month(key)
    if below is None:
        return None
    values = ", ".join(text_of(key).replace(text_of(below), f"{name}({text_of(below)})") for name in ("min", "max"))
    tree = sqlglot.parse_one(sql, dialect=DIALECT)
    for clause in ("group", "order"):
        tree.set(clause, None)
    tree.set("expressions", [sqlglot.parse_one(f"unnest([{values}]) as {quote(column)}", dialect=DIALECT)])
    return tree.sql(dialect=DIALECT)

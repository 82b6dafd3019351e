"""What decides which rows a select gives: filters, grouping, distinct rows, lists taken apart, an order that is cut."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from oneledger.lineage.column_expressions import Names, has_aggregate, sql_of, uses_of
from oneledger.lineage.column_uses import FILTER, GROUP_BY, SORT, Uses, as_rows
from oneledger.lineage.column_values import conjuncts


def deciding_rows(node: exp.Select, names: Names, columns: Mapping[str, Uses]) -> list[Uses]:
    """What decides which rows a select gives, beside the rows that it works on.

    Args:
        names: what the names in it mean.
        columns: what its columns depend on.
    """
    rows: list[Uses] = []
    for clause in ("having", "qualify"):
        if node.args.get(clause) is not None:
            rows += [uses_of(one, names, FILTER) for one in conjuncts(node.args[clause].this)]
    group = node.args.get("group")
    if group is not None:
        rows += [uses_of(one, names, GROUP_BY, f"group by {sql_of(one)}") for one in _group_keys(node, group)]
    distinct = node.args.get("distinct")
    if distinct is not None:
        keys = distinct.args["on"].expressions if distinct.args.get("on") is not None else None
        if keys is not None:
            rows += [uses_of(one, names, GROUP_BY) for one in keys]
        else:
            rows += [as_rows(uses, GROUP_BY, f"distinct {name}") for name, uses in columns.items()]
    for one in node.expressions:
        if one.find(exp.Explode, exp.Unnest, exp.Posexplode) is not None:
            rows.append(uses_of(one, names, FILTER))
    keeps_some = node.args.get("limit") is not None or node.args.get("offset") is not None
    if node.args.get("order") is not None and (keeps_some or distinct is not None):
        rows += [uses_of(one.this, names, SORT) for one in node.args["order"].expressions]
    return rows


def _group_keys(node: exp.Select, group: exp.Group) -> list[exp.Expr]:
    if group.args.get("all"):
        return [unaliased(one) for one in node.expressions if not one.is_star and not has_aggregate(one)]
    keys = []
    for one in group.expressions:
        if isinstance(one, exp.Literal) and not one.is_string:
            keys.append(unaliased(node.expressions[int(one.this) - 1]))
        else:
            keys.append(one)
    return keys


def unaliased(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Alias) else node

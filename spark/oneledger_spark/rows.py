"""Rows out of columns: ``unnest`` in a select list, ``unpivot`` as a statement. Spark has both in the from clause."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

_ITEM = "unnested_{}"


def bring_unnested_lists_beside(select: exp.Select) -> None:
    """Change ``select`` in place: each ``unnest`` of its select list becomes a column of a lateral view.

    Several in one list are taken side by side, the shorter filled up with nulls, as DuckDB does.
    """
    found = [node for node in select.find_all(exp.Explode) if node.parent_select is select and _is_shown(node, select)]
    if not found:
        return
    if _is_recursive(found[0]):
        # A list of structs with all their fields as columns; it stands alone in its select list.
        found[0].replace(exp.Inline(this=found[0].this.copy()))
        return
    lists = [node.this.copy() for node in found]
    names = [_ITEM.format(number) for number in range(1, len(lists) + 1)]
    for node, name in zip(found, names, strict=True):
        node.replace(exp.column(name))
    generator: exp.Expr = exp.Explode(this=lists[0])
    if len(lists) > 1:
        generator = exp.Inline(this=exp.Anonymous(this="arrays_zip", expressions=lists))
    columns = exp.TableAlias(this=exp.to_identifier("unnested"), columns=[exp.to_identifier(name) for name in names])
    if select.args.get("from_") is None:
        select.set("from_", exp.From(this=exp.Table(this=generator, alias=columns)))
    else:
        select.append("laterals", exp.Lateral(this=generator, view=True, alias=columns))


def unpivoted(node: exp.Expr) -> exp.Expr | None:
    """``unpivot (query) on a, b into name n value v``: one row for each of the columns that is not null."""
    into = node.args.get("into")
    if not node.args.get("unpivot") or into is None or not isinstance(node.this, exp.Subquery):
        return None
    name, value = into.this.this.copy(), into.expressions[0].this.copy()
    columns = exp.In(this=name, expressions=[column.copy() for column in node.expressions])
    turned = exp.Pivot(expressions=[value], fields=[columns], unpivot=True)
    rows = exp.Subquery(this=node.this.this.copy(), pivots=[turned])
    return exp.select("*").from_(rows)


def _is_shown(node: exp.Expr, select: exp.Select) -> bool:
    """Whether a node stands in the select list, not in a clause behind it."""
    outermost: exp.Expr | None = node
    while outermost is not None and outermost.parent is not select:
        outermost = outermost.parent
    return outermost is not None and outermost.arg_key == "expressions"


def _is_recursive(node: exp.Explode) -> bool:
    return any(isinstance(option, exp.PropertyEQ) and option.name == "recursive" for option in node.expressions)


RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {exp.Pivot: unpivoted}

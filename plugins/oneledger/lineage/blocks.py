"""A model's SQL taken apart into select blocks: what each reads, how it joins, groups and windows it, what it gives.

A query (the model itself, a CTE, a subquery behind FROM) is a list of blocks, one for each branch of a union. Rows are
followed back block by block (``oneledger.lineage.pushdown``): within one block it is known exactly which combinations
of source rows a row came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import exp

MAIN = "main"
DIALECT = "duckdb"
_OTHER_JOINS = ("SEMI", "ANTI", "ASOF", "POSITIONAL")


@dataclass(eq=False)
class Source:
    """What one item of FROM or JOIN reads.

    Attributes:
        alias: the name by which the block knows it.
        relation: ``schema.table``, or None.
        query: the name of a query of the same model, or None.
        join: the join by which it comes in; None for the first.
    """

    alias: str
    relation: str | None
    query: str | None
    join: exp.Join | None

    @property
    def side(self) -> str:
        return "" if self.join is None else str(self.join.side or "").upper()


@dataclass(eq=False)
class Block:
    """One SELECT. ``is_opaque``: nothing is known of it but what it reads (pivot, limit, other set operations).

    ``nested`` are the queries of its expression subqueries, with the outputs in which they stand (None: everywhere).
    ``known`` maps the names by which its SQL calls other queries of the model.
    """

    select: exp.Expr
    sources: list[Source] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, exp.Expr] = field(default_factory=dict)
    group: list[exp.Expr] = field(default_factory=list)
    is_aggregated: bool = False
    partitions: list[list[exp.Expr]] = field(default_factory=list)
    nested: list[tuple[str, str | None]] = field(default_factory=list)
    is_opaque: bool = False

    @property
    def conditions(self) -> list[exp.Expr]:
        """Everything besides the outputs that decides which rows there are."""
        parts: list[exp.Expr] = [
            source.join.args["on"] for source in self.sources if source.join is not None and source.join.args.get("on")
        ]
        parts += [self.select.args[key].this for key in ("where", "having", "qualify") if self.select.args.get(key)]
        return parts

    @property
    def is_whole_outer(self) -> bool:
        """Whether a full join stands in it: then its keys are coalesced, and any source may lack a row."""
        return any(one.side == "FULL" for one in self.sources)

    def source(self, alias: str) -> Source | None:
        return next((one for one in self.sources if one.alias == alias), None)


@dataclass(eq=False)
class Query:
    """A named result of a model. ``is_expression``: it stands in an expression, and is read whole."""

    name: str
    blocks: list[Block]
    columns: list[str]
    is_expression: bool = False


@dataclass(eq=False)
class ModelBlocks:
    """The queries of a model, what is read before what reads it; the last is the model's own result."""

    queries: dict[str, Query]

    @property
    def main(self) -> Query:
        return self.queries[MAIN]

    @property
    def reads_by_name(self) -> bool:
        """Whether parts of the SQL are run as they stand, with the names of what they read."""
        blocks = [block for query in self.queries.values() for block in query.blocks]
        return any(block.is_opaque or block.nested for block in blocks)


class _Reader:
    def __init__(self, columns_of: dict[str, tuple[str, ...]]) -> None:
        self.columns_of = columns_of
        self.queries: dict[str, Query] = {}

    def read(self, tree: exp.Expr, name: str, known: dict[str, str], *, is_expression: bool = False) -> str:
        """Enter a query and what it is made of; gives its name."""
        known = dict(known)
        with_clause = tree.args.get("with_") or tree.args.get("with")
        if with_clause is not None:
            for cte in with_clause.expressions:
                known[cte.alias] = self.read(cte.this, self._free(cte.alias), known)
        name = self._free(name)
        blocks = [self._block(select, known) for select in _branches(tree)]
        # Later branches of a union take the names of the first, by position.
        first = list(blocks[0].outputs)
        for block in blocks[1:]:
            if len(block.outputs) == len(first):
                block.outputs = dict(zip(first, block.outputs.values(), strict=True))
        self.queries[name] = Query(name, blocks, first, is_expression)
        return name

    def _free(self, name: str) -> str:
        if name not in self.queries:
            return name
        return next(f"{name}_{number}" for number in range(2, 10_000) if f"{name}_{number}" not in self.queries)

    def _block(self, tree: exp.Expr, known: dict[str, str]) -> Block:
        if not isinstance(tree, exp.Select):
            return self._opaque(tree, known)
        if tree.args.get("limit") or tree.find(exp.Pivot) or any(_gives_columns(one) for one in tree.expressions):
            return self._opaque(tree, known)
        block = Block(tree, known=known)
        from_clause = tree.args.get("from_") or tree.args.get("from")
        items: list[tuple[exp.Expr, exp.Join | None]] = [(from_clause.this, None)] if from_clause else []
        items += [(join.this, join) for join in tree.args.get("joins") or []]
        for item, join in items:
            source = self._source(item, join, known)
            if source is None or (join is not None and (join.args.get("using") or join.kind in _OTHER_JOINS)):
                return self._opaque(tree, known)
            block.sources.append(source)
        self._expressions(block, tree)
        self._nested(block, tree, known)
        return block

    def _source(self, item: exp.Expr, join: exp.Join | None, known: dict[str, str]) -> Source | None:
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            if not item.db and item.name in known:
                return Source(item.alias or item.name, None, known[item.name], join)
            return Source(item.alias or item.name, f"{item.db}.{item.name}", None, join)
        if isinstance(item, exp.Subquery) and item.alias:
            return Source(item.alias, None, self.read(item.this, item.alias, known), join)
        return None

    def _expressions(self, block: Block, tree: exp.Select) -> None:
        aliases = {
            # What has no name is known by its place only.
            one.alias_or_name if one.alias_or_name not in names[:place] and one.alias_or_name else f"output {place}": (
                one.this if isinstance(one, exp.Alias) else one
            )
            for names in [[other.alias_or_name for other in tree.expressions]]
            for place, one in enumerate(tree.expressions)
        }
        named = {one.name: one for one in tree.args.get("windows") or []}

        def resolved(expression: exp.Expr, *, own: str | None = None) -> exp.Expr:
            """The same expression with every column under its source, and names of this select put in place."""
            copy = expression.copy()
            holder = exp.Paren(this=copy)
            for column in list(holder.find_all(exp.Column)):
                if column.table or column.find_ancestor(exp.Query):
                    continue
                owner = self._owner(block, column.name)
                if owner is not None:
                    column.set("table", exp.to_identifier(owner))
                elif column.name in aliases and column.name != own:
                    column.replace(exp.Paren(this=resolved(aliases[column.name], own=column.name)))
            return holder.this

        block.outputs = {name: resolved(one, own=name) for name, one in aliases.items()}
        for source in block.sources:
            if source.join is not None and source.join.args.get("on"):
                source.join.set("on", resolved(source.join.args["on"]))
        for key in ("where", "having", "qualify"):
            if tree.args.get(key):
                tree.args[key].set("this", resolved(tree.args[key].this))
        group = tree.args.get("group")
        block.is_aggregated = group is not None or any(has_aggregate(one) for one in block.outputs.values())
        if group is not None:
            if group.args.get("all"):
                block.group = [one for one in block.outputs.values() if not has_aggregate(one)]
            for one in group.expressions:
                if isinstance(one, exp.Literal) and not one.is_string:
                    block.group.append(list(block.outputs.values())[int(one.this) - 1])
                elif isinstance(one, exp.Column) and not one.table and not self._owner(block, one.name):
                    block.group.append(block.outputs.get(one.name, one))
                else:
                    block.group.append(resolved(one))
        qualify = tree.args.get("qualify")
        for expression in [*block.outputs.values(), *([qualify.this] if qualify else [])]:
            for window in expression.find_all(exp.Window):
                name = window.alias or (window.args["this"].name if not window.this else "")
                definition = named.get(name) if not window.args.get("partition_by") else None
                parts = (definition or window).args.get("partition_by") or []
                block.partitions.append([resolved(one) for one in parts])

    def _owner(self, block: Block, column: str) -> str | None:
        for source in block.sources:
            columns = self.queries[source.query].columns if source.query else self.columns_of.get(source.relation or "")
            if columns and column in columns:
                return source.alias
        return None

    def _nested(self, block: Block, tree: exp.Select, known: dict[str, str]) -> None:
        """Expression subqueries: a scalar, EXISTS, IN. Conditions that look outwards are dropped, so more is read."""
        places: list[tuple[str | None, exp.Expr]] = [(name, one) for name, one in block.outputs.items()]
        places += [(None, one) for one in block.conditions]
        for output, expression in places:
            for subquery in _outermost_queries(expression):
                copy = subquery.copy()
                inner = copy.this if isinstance(copy, exp.Subquery) else copy
                outer = {source.alias for source in block.sources}
                where = inner.args.get("where")
                if where is not None:
                    kept = [
                        one for one in conjuncts(where.this)
                        if not any(column.table in outer for column in one.find_all(exp.Column))
                    ]  # fmt: skip
                    inner.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)
                block.nested.append((self.read(inner, "subquery", known, is_expression=True), output))

    def _opaque(self, tree: exp.Expr, known: dict[str, str]) -> Block:
        block = Block(tree, known=known, is_opaque=True)
        for number, table in enumerate(tree.find_all(exp.Table)):
            if not isinstance(table.this, exp.Identifier):
                continue
            if not table.db and table.name in known:
                block.sources.append(Source(f"s{number}", None, known[table.name], None))
            elif table.db:
                block.sources.append(Source(f"s{number}", f"{table.db}.{table.name}", None, None))
        selects = tree.expressions if isinstance(tree, exp.Select) else []
        if not any(_gives_columns(one) for one in selects):
            block.outputs = {one.alias_or_name: one for one in selects}
        return block


def read_blocks(sql: str, columns_of: dict[str, tuple[str, ...]]) -> ModelBlocks:
    """Take the SQL of a model apart.

    Args:
        columns_of: the columns of the relations that it reads, by ``schema.table``.
    """
    reader = _Reader(columns_of)
    reader.read(sqlglot.parse_one(sql, dialect=DIALECT), MAIN, {})
    return ModelBlocks(reader.queries)


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """The parts of ``a and b and c``."""
    if isinstance(condition, exp.Paren):
        yield from conjuncts(condition.this)
    elif isinstance(condition, exp.And):
        yield from conjuncts(condition.left)
        yield from conjuncts(condition.right)
    else:
        yield condition


def columns_read(expressions: Iterable[exp.Expr]) -> dict[str, set[str]]:
    """By source alias the columns that these expressions mention."""
    found: dict[str, set[str]] = {}
    for expression in expressions:
        for column in expression.find_all(exp.Column):
            found.setdefault(column.table, set()).add(column.name)
    return found


def text_of(expression: exp.Expr) -> str:
    return expression.sql(dialect=DIALECT, comments=False)


def with_tables(expression: exp.Expr, tables: dict[str, tuple[str, str, str]]) -> exp.Expr:
    """A copy in which names of queries stand for tables (catalogue, schema, name); aliases stay."""
    copy = expression.copy()
    for table in list(copy.find_all(exp.Table)):
        if not table.db and table.name in tables:
            catalogue, schema, name = (exp.to_identifier(one, quoted=True) for one in tables[table.name])
            alias = exp.TableAlias(this=exp.to_identifier(table.alias or table.name, quoted=True))
            table.replace(exp.Table(this=name, db=schema, catalog=catalogue, alias=alias))
    return copy


def has_window(expression: exp.Expr) -> bool:
    return expression.find(exp.Window) is not None


def aggregates_in(expression: exp.Expr) -> list[exp.Expr]:
    """The outermost calls that sum up rows (window functions do not); of one with FILTER or WITHIN GROUP, all of it."""
    found: list[exp.Expr] = []
    for one in expression.find_all(exp.AggFunc, exp.Anonymous, exp.Filter, exp.WithinGroup):
        if isinstance(one, exp.Anonymous) and one.name.lower() not in _other_aggregates():
            continue
        if _is_within_window(one, expression) or one.find_ancestor(exp.Query) is not None:
            continue
        above = one.parent
        while above is not None and above is not expression.parent and not any(above is other for other in found):
            above = above.parent
        if above is None or above is expression.parent:
            found.append(one)
    return found


def has_aggregate(expression: exp.Expr) -> bool:
    return bool(aggregates_in(expression))


def _is_within_window(node: exp.Expr, top: exp.Expr) -> bool:
    parent = node.parent
    child = node
    while parent is not None and child is not top:
        if isinstance(parent, exp.Window) and parent.this is child:
            return True
        # ``last(x order by y) filter (where z) over w``: the wrappers stand between.
        if not isinstance(parent, exp.Filter | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls):
            return False
        child, parent = parent, parent.parent
    return False


@lru_cache(maxsize=1)
def _other_aggregates() -> frozenset[str]:
    """The aggregates of DuckDB by name: sqlglot does not know all of them as such."""
    import duckdb

    rows = duckdb.sql(
        "select distinct lower(function_name) from duckdb_functions() where function_type = 'aggregate'"
    ).fetchall()
    return frozenset(row[0] for row in rows)


def _branches(tree: exp.Expr) -> list[exp.Expr]:
    while isinstance(tree, exp.Subquery) and not tree.alias:
        tree = tree.this
    if isinstance(tree, exp.Union):
        return [*_branches(tree.left), *_branches(tree.right)]
    return [tree]


def _gives_columns(selected: exp.Expr) -> bool:
    """Whether one item of a SELECT gives columns that it does not name: a star, a struct taken apart."""
    return isinstance(selected, exp.Star | exp.Unnest | exp.Explode) or (
        isinstance(selected, exp.Column) and isinstance(selected.this, exp.Star)
    )


def _outermost_queries(expression: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for one in expression.find_all(exp.Select, exp.SetOperation):
        above = one.parent
        while above is not None and above is not expression.parent:
            if isinstance(above, exp.Query) and not isinstance(above, exp.Subquery):
                break
            above = above.parent
        else:
            found.append(one)
    return found

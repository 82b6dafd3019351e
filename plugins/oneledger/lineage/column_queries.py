"""What every column of a query depends on, and what decides which rows the query gives.

A resolver of our own on sqlglot's syntax tree: the names of DuckDB's dialect as dbt compiles it (aliases used in the
same select, ``group by all``, ``unpivot``, ``unnest`` among the columns), strict (a name that nothing explains is an
error), and able to follow one known value through unions and joins (``where``), so that a measure is not said to
depend on what another branch of the same union reads.
"""

from __future__ import annotations

from sqlglot import exp

from oneledger.lineage.column_expressions import literal_of, sql_of, uses_of
from oneledger.lineage.column_outputs import Defined, Output, extend, unused
from oneledger.lineage.column_rows import deciding_rows, unaliased
from oneledger.lineage.column_sources import (
    Source,
    empty_source,
    function_source,
    struct_fields,
    table_source,
    unpivoted,
)
from oneledger.lineage.column_uses import (
    EVERYWHERE,
    FILTER,
    GROUP_BY,
    IDENTITY,
    JOIN,
    TRANSFORMATION,
    LineageError,
    Uses,
    Where,
    add,
    as_rows,
    merged,
)
from oneledger.lineage.column_values import KnownValues, alias_of, conjuncts, known_values

_OUTER = ("LEFT", "FULL")


def output_of(node: exp.Expr, names: Defined, where: Where = EVERYWHERE) -> Output | None:
    """What a query gives in the rows in which its columns have the values of ``where``; None when none can."""
    key = (id(node), where)
    if names.outer is not None:
        return _output(node, names, where)
    if key not in names.outputs:
        names.outputs[key] = _output(node, names, where)
    return names.outputs[key]


def _output(node: exp.Expr, names: Defined, where: Where) -> Output | None:
    if isinstance(node, exp.Subquery):
        return output_of(node.this, names.within(node), where)
    if isinstance(node, exp.SetOperation):
        return _set_operation(node, names.within(node), where)
    if isinstance(node, exp.Select):
        return SelectScope(node, names.within(node), where).output()
    if isinstance(node, exp.Pivot) and node.args.get("unpivot"):
        inner = output_of(node.this, names, EVERYWHERE)
        assert inner is not None
        columns, rows, steps = unpivoted(node, inner.columns, inner.rows, inner.steps)
        return Output(columns, rows, steps)
    raise LineageError(f"a {type(node).__name__.lower()} cannot be followed: {sql_of(node)[:200]}")


def _set_operation(node: exp.SetOperation, names: Defined, where: Where) -> Output | None:
    branches = []
    one: exp.Expr = node
    while (
        isinstance(one, exp.SetOperation)
        and type(one) is type(node)
        and one.args.get("with_")
        in (
            None,
            node.args.get("with_"),
        )
    ):
        branches.append(one.expression)
        one = one.this
    branches = [one, *reversed(branches)]
    by_name = bool(node.args.get("by_name"))
    titles = _titles(branches[0], names)
    found = []
    for branch in branches:
        own = where
        if not by_name and titles is not None and where:
            # A union goes by position: the names are those of the first branch.
            other = _titles(branch, names)
            renamed = dict(zip(titles, other, strict=True)) if other and len(other) == len(titles) else {}
            own = frozenset((renamed[name], value) for name, value in where if name in renamed)
        output = output_of(branch, names, own)
        if output is not None:
            found.append(output)
    if not found:
        return None
    first = found[0]
    order = titles or list(first.columns)
    together = Output({name: {} for name in order}, {})
    if by_name:
        for output in found[1:]:
            for name in output.columns:
                together.columns.setdefault(name, {})
    removes = isinstance(node, exp.Except)
    for place, output in enumerate(found):
        add(together.rows, output.rows)
        if not by_name and len(output.columns) != len(order):
            raise LineageError(f"a branch of a union has not one name for each column: {sql_of(node)[:200]}")
        for position, name in enumerate(output.columns):
            target = name if by_name else order[position]
            if removes and place:
                add(together.rows, as_rows(output.columns[name], FILTER, f"except {name}"))
                continue
            add(together.columns[target], output.columns[name])
            extend(together.steps, target, output.steps.get(name, ()))
            extend(together.constants, target, output.constants.get(name, ()))
    if node.args.get("distinct") or not isinstance(node, exp.Union):
        for name, uses in list(together.columns.items()):
            add(together.rows, as_rows(uses, GROUP_BY, f"distinct {name}"))
    return together


def _titles(node: exp.Expr, names: Defined) -> list[str] | None:
    query = node.unnest()
    while isinstance(query, exp.SetOperation):
        query = query.this.unnest()
    if isinstance(query, exp.Select) and not any(one.is_star for one in query.expressions):
        return [one.alias_or_name.lower() for one in query.expressions]
    output = output_of(node, names)
    return list(output.columns) if output is not None else None


class SelectScope:
    """One select: its sources, its projections and what its names mean."""

    def __init__(self, node: exp.Select, names: Defined, where: Where) -> None:
        self._node = node
        self._names = names
        self._where = where
        self._sources: dict[str, Source] = {}
        self._using: dict[str, list[str]] = {}
        self._aliases: dict[str, exp.Expr] = {}
        self._resolving: set[str] = set()
        self._is_empty = False
        self._rows: Uses = {}

    def output(self) -> Output | None:
        """None when the constants in it contradict ``where``."""
        node = self._node
        known = known_values(node, self._where)
        if known is None:
            return None
        self._read_sources(known)
        if self._is_empty:
            return None
        self._aliases = {one.alias.lower(): one.this for one in node.expressions if isinstance(one, exp.Alias)}
        self._read_rows()
        output = Output({}, {})
        for projection in node.expressions:
            if projection.is_star:
                self._add_star(projection, output)
            else:
                self._add(projection, output)
        output.rows = merged([self._rows, *deciding_rows(node, self, output.columns)])
        return output

    # ------------------------------------------------------------------ what the names mean

    def column(self, column: exp.Column) -> Uses:
        name, qualifier = column.name.lower(), column.table.lower()
        if qualifier:
            if qualifier in self._sources:
                return self._sources[qualifier].column(name)
            holder = [one for one in self._sources.values() if one.has(qualifier)]
            if len(holder) == 1 and not column.args.get("db"):
                return holder[0].column(qualifier)  # a field of a struct
        else:
            if name in self._using:
                return merged(self._sources[alias].column(name) for alias in self._using[name])
            holders = [one for one in self._sources.values() if one.has(name)]
            if len(holders) == 1:
                return holders[0].column(name)
            if len(holders) > 1:
                raise LineageError(f"{name} stands in several sources of: {sql_of(self._node)[:200]}")
            if name in self._aliases and name not in self._resolving:
                self._resolving.add(name)
                try:
                    return uses_of(self._aliases[name], self, _kind_of(self._aliases[name]))
                finally:
                    self._resolving.discard(name)
            open_sources = [one for one in self._sources.values() if one.names is None]
            if len(open_sources) == 1:
                return open_sources[0].column(name)
        if self._names.outer is not None:
            return self._names.outer.column(column)
        raise LineageError(f"nothing explains {sql_of(column)} in: {sql_of(self._node)[:200]}")

    def rows(self) -> Uses:
        return self._rows

    def subquery(self, query: exp.Expr) -> tuple[Uses, Uses]:
        inner = output_of(query, Defined(self._names.columns_of, self._names.queries, self._names.outputs, self))
        if inner is None:
            return {}, {}
        return merged(inner.columns.values()), inner.rows

    def window(self, name: str) -> exp.Expr:
        for one in self._node.args.get("windows") or ():
            if one.name.lower() == name.lower():
                return one
        raise LineageError(f"the window {name} is not defined in: {sql_of(self._node)[:200]}")

    # ------------------------------------------------------------------ sources

    def _read_sources(self, known: KnownValues) -> None:
        start = self._node.args.get("from_")
        if start is not None:
            self._add_source(start.this, known, "")
        for lateral in self._node.args.get("laterals") or ():
            self._add_source(lateral, known, "")
        for join in self._node.args.get("joins") or ():
            self._add_source(join.this, known, (join.side or "").upper(), join)

    def _add_source(self, node: exp.Expr, known: KnownValues, side: str, join: exp.Join | None = None) -> None:
        alias = alias_of(node)
        where = frozenset(known.get(alias, {}).items())
        source = self._source(node, where)
        if source is None:
            if side not in _OUTER:
                self._is_empty = True
            source = empty_source(alias)
        kind = (join.kind or "").upper() if join is not None else ""
        only_tests = kind in ("SEMI", "ANTI")
        joined = [self._rows]
        if side in _OUTER or only_tests:
            joined.append(as_rows(source.rows, JOIN, f"{side or kind} join {alias}".lower()))
        else:
            joined.append(source.rows)
        self._rows = merged(joined)
        if join is None:
            self._sources[alias] = source
            return
        using = [one.name.lower() for one in join.args.get("using") or ()]
        conditions = []
        for name in using:
            holders = [one for one, of in self._sources.items() if of.has(name)]
            self._using[name] = list(dict.fromkeys([*self._using.get(name, holders), *([] if only_tests else [alias])]))
            for part in (merged(self._sources[one].column(name) for one in holders), source.column(name)):
                conditions.append(as_rows(part, JOIN, f"using ({name})"))
        self._sources[alias] = source
        condition = join.args.get("on")
        if condition is not None:
            conditions += [uses_of(one, self, JOIN) for one in conjuncts(condition)]
        self._rows = merged([self._rows, *conditions])
        if only_tests:
            del self._sources[alias]

    def _source(self, node: exp.Expr, where: Where) -> Source | None:
        alias = alias_of(node)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            if node.args.get("pivots"):
                raise LineageError(f"a pivot in `from` cannot be followed: {sql_of(node)[:200]}")
            defined = None if node.args.get("db") else self._names.queries.get(node.name.lower())
            if defined is not None:
                return self._of_query(alias, node, output_of(defined[0], defined[1], where))
            relation = f"{node.db}.{node.name}".lower() if node.db else node.name.lower()
            return table_source(alias, relation, self._names.columns_of(relation), where)
        if isinstance(node, exp.Subquery):
            return self._of_query(alias, node, output_of(node, self._names, where))
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            inside = Defined(self._names.columns_of, self._names.queries, self._names.outputs, self)
            return self._of_query(alias, node, output_of(node.this, inside, where))
        if isinstance(node, exp.Unnest | exp.Values | exp.Table | exp.Lateral):
            return function_source(alias, node, self)
        raise LineageError(f"a {type(node).__name__.lower()} in `from` cannot be followed: {sql_of(node)[:200]}")

    @staticmethod
    def _of_query(alias: str, node: exp.Expr, output: Output | None) -> Source | None:
        if output is None:
            return None
        titles = [one.name.lower() for one in node.args["alias"].args.get("columns") or ()] if node.alias else []
        names = [*titles, *list(output.columns)[len(titles) :]]
        pairs = list(zip(names, output.columns, strict=True))
        return Source(
            alias,
            {new: output.columns[old] for new, old in pairs},
            output.rows,
            tuple(names),
            {new: output.steps.get(old, ()) for new, old in pairs},
            {new: output.constants.get(old, ()) for new, old in pairs},
        )

    # ------------------------------------------------------------------ columns and rows

    def _add(self, projection: exp.Expr, output: Output) -> None:
        inner = unaliased(projection)
        fields = struct_fields(inner)
        if fields:
            for name, values in fields.items():
                output.columns[name] = merged(uses_of(one, self, TRANSFORMATION) for one in values)
                output.constants[name] = tuple(dict.fromkeys(sql_of(one) for one in values))
            return
        name = unused(projection.alias_or_name.lower() or sql_of(projection), output)
        output.columns[name] = uses_of(inner, self, _kind_of(inner))
        source = self._holder(inner) if isinstance(inner, exp.Column) else None
        if source is not None:
            output.steps[name] = source.steps.get(inner.name.lower(), ())
            output.constants[name] = source.constants.get(inner.name.lower(), ())
        elif literal_of(inner) is not None or not output.columns[name]:
            output.constants[name] = (sql_of(inner),)
        else:
            output.steps[name] = (sql_of(inner),)

    def _holder(self, column: exp.Column) -> Source | None:
        if column.table:
            return self._sources.get(column.table.lower())
        return next((one for one in self._sources.values() if one.has(column.name.lower())), None)

    def _add_star(self, projection: exp.Expr, output: Output) -> None:
        star = projection.this if isinstance(projection, exp.Column) else projection
        only = projection.table.lower() if isinstance(projection, exp.Column) else None
        left_out = {one.name.lower() for one in star.args.get("except_") or ()}
        replaced = {one.alias.lower(): one.this for one in star.args.get("replace") or ()}
        for alias, source in self._sources.items():
            if only is not None and alias != only:
                continue
            if source.names is None:
                raise LineageError(f"the columns of {alias} are not known, so * cannot be: {sql_of(self._node)[:200]}")
            for name in source.names:
                if name in left_out or (name in output.columns and name in self._using):
                    continue
                if name in replaced:
                    self._add(exp.alias_(replaced[name].copy(), name), output)
                    continue
                title = unused(name, output)
                output.columns[title] = self.column(exp.column(name)) if name in self._using else source.column(name)
                output.steps[title] = source.steps.get(name, ())
                output.constants[title] = source.constants.get(name, ())

    def _read_rows(self) -> None:
        """The rows that are worked on: those of the sources that pass the filter."""
        condition = self._node.args.get("where")
        if condition is not None:
            parts = [uses_of(one, self, FILTER) for one in conjuncts(condition.this)]
            self._rows = merged([self._rows, *parts])


def _kind_of(node: exp.Expr) -> str:
    return IDENTITY if isinstance(node, exp.Column) else TRANSFORMATION

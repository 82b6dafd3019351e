"""The rows that a model's SQL made a published row of, found block by block (tracing as in Cui and Widom, 2000).

First what is known of the wanted rows is pushed down as far as it holds: through columns that are passed on, through
GROUP BY in its keys, through windows in what every PARTITION BY holds, through joins along their equalities, into every
branch of a union. What cannot be pushed leaves a source whole: wide, never wrong. So little is read. Then every query
of the model is worked out over that little, and from the wanted rows backwards each block gives exactly the rows
of its sources that stood in a combination of which a wanted row came.

Nothing here decides whether a trace is right: ``oneledger.lineage.recomputing`` runs the model's SQL over nothing but
the rows that were found and compares.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
from sqlglot import exp

from oneledger.lineage.blocks import (
    DIALECT,
    MAIN,
    Block,
    ModelBlocks,
    Query,
    Source,
    aggregates_in,
    columns_read,
    conjuncts,
    has_aggregate,
    has_window,
    text_of,
    with_tables,
)
from oneledger.publishing.content import quote

_MOST_LITERALS = 60
# Of so many wanted rows the combinations are kept once for all sources; of more each source is worked out by itself.
_FEW = 200
_HERE = "__here"
_ROW = "__row"
# A row is named by text and dates, not by amounts.
_NAMING = ("VARCHAR", "DATE", "TIMESTAMP")
_NAMING_ENDS = ("_id", "_year", "_number")
_FLOATS = ("DOUBLE", "FLOAT", "REAL")


@dataclass(frozen=True)
class Constraint:
    """The values that an expression may have: ``sql`` stands behind IN; ``values`` when they are few."""

    sql: str
    values: frozenset[Any] | None
    has_null: bool

    def on(self, expression: str) -> str:
        if self.values is not None and not self.values:
            return f"({expression}) is null"
        within = f"({expression}) in {self.sql}"
        return f"({within} or ({expression}) is null)" if self.has_null else within


Conjunction = dict[str, Constraint]


@dataclass
class Demand:
    """What the readers of a query want of it: columns, and rows as alternatives of conjunctions on columns."""

    columns: set[str] = field(default_factory=set)
    alternatives: list[Conjunction] = field(default_factory=list)

    def add(self, columns: Iterable[str], alternative: Conjunction) -> None:
        self.columns |= set(columns)
        if not any(set(one) <= set(alternative) and all(alternative[key] == one[key] for key in one)
                   for one in self.alternatives):  # fmt: skip
            self.alternatives.append(alternative)


@dataclass
class Contribution:
    """Rows of one relation that the wanted rows came of: a table with all its columns, and the columns that counted."""

    relation: str
    table: str
    columns: set[str]
    rows_count: int = 0


@dataclass
class _Pushed:
    """One alternative inside a block: conditions on the block, and on columns of single sources."""

    conditions: list[str]
    by_source: dict[str, Conjunction]


def constraints_of(connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str]) -> Conjunction:
    """What values the columns of a table have: few as literals, so that files are pruned by them, many as a subquery.

    Doubles are left out, since their last bits may differ from one evaluation to the next.
    """
    known = set(columns)
    described = connection.execute(f"describe {table}").fetchall()
    names = [row[0] for row in described if row[0] in known and row[1] not in _FLOATS and "[" not in row[1]]
    if not names:
        return {}
    rows = connection.execute(f"select {_names(names)} from {table} limit {_MOST_LITERALS + 1}").fetchall()
    if len(rows) <= _MOST_LITERALS:
        found = [({one for one in column if one is not None}, None in column) for column in zip(*rows, strict=True)]
        found = found or [(set(), False) for _ in names]
    else:
        parts = ", ".join(
            f"list_slice(list(distinct {quote(name)}), 1, {_MOST_LITERALS + 1}), count(*) > count({quote(name)})"
            for name in names
        )
        both = connection.execute(f"select {parts} from {table}").fetchall()[0]
        found = [(set(both[2 * place] or []), both[2 * place + 1]) for place in range(len(names))]
    constraints = {}
    # Of many rows that say which record they came from, file and app narrow enough: each further list of values costs
    # a join over everything that is looked through.
    narrowing = {"_file_id", "app_id"} if {"_file_id", "_row_number"} <= set(names) else set(names)
    for name, (values, has_null) in zip(names, found, strict=True):
        literals = [_literal(value) for value in values]
        if len(values) <= _MOST_LITERALS and all(literals):
            text = f"({', '.join(sorted(str(one) for one in literals))})"
            constraints[name] = Constraint(text, frozenset(str(one) for one in literals), has_null)
        elif name in narrowing:
            text = f"(select distinct {quote(name)} from {table} where {quote(name)} is not null)"
            constraints[name] = Constraint(text, None, has_null)
    return constraints


class BlockTracer:
    """Traces wanted rows of one model to rows of the relations that it reads.

    Args:
        connection: all relations under the names that the SQL uses.
        blocks: the model taken apart.
        types: by relation its columns with their types.
        schema: where the tables of the found rows are made.
        is_near: of a relation that is only summed up as a whole (its first month, say) look no further than the rows
            that bear the names of the wanted rows; enough unless they are at the edge.
        with_existence: also trace what a row needs only to be there at all (an inner join to a grouped query of which
            no value is used).
        is_exact: False takes all rows that the pushed conditions let through, without looking at combinations.
        is_whole: everything that the model reads.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        blocks: ModelBlocks,
        types: Mapping[str, Mapping[str, str]],
        schema: str,
        *,
        is_near: bool = False,
        with_existence: bool = False,
        is_exact: bool = True,
        is_whole: bool = False,
    ) -> None:
        self.connection = connection
        self.blocks = blocks
        self.types = types
        self.schema = schema
        self.is_near = is_near
        self.with_existence = with_existence
        self.known: Conjunction = {}
        self.is_exact = is_exact and not is_whole
        self.is_whole = is_whole
        self.demands: dict[str, Demand] = {}
        self.pushed: dict[int, list[_Pushed]] = {}
        self.wanted_tables: dict[str, str] = {}
        self.found: dict[str, list[str]] = {}
        self.found_of_queries: dict[str, list[str]] = {}
        self.counted: dict[str, set[str]] = {}
        self._floats: dict[tuple[str, str], bool] = {}
        self._counts: dict[str, int] = {}

    def trace(self, wanted: str, columns: Iterable[str]) -> list[Contribution]:
        """Rows of the relations that the model reads.

        Args:
            wanted: a table of rows of the model; its columns are the names of (some of) the model's outputs.
            columns: the outputs whose values are to be explained.
        """
        main = self.blocks.main
        known = constraints_of(self.connection, wanted, main.columns)
        self.known = {name: one for name, one in known.items() if name in self._keys(main) and not one.has_null}
        self.demands[MAIN] = Demand()
        asked = set(columns) | (set(known) & self._keys(main))
        self.demands[MAIN].add(asked, {name: one for name, one in known.items() if name in asked})
        self.wanted_tables[MAIN] = wanted
        order = list(self.blocks.queries)
        for name in reversed(order):
            if name in self.demands:
                self._push(self.blocks.queries[name])
        for name in order:
            query = self.blocks.queries[name]
            if name in self.demands and name != MAIN and not query.is_expression and not self._is_light(name):
                self._work_out(query)
        for name in reversed(order):
            if name in self.demands and (
                name == MAIN or self.blocks.queries[name].is_expression or not self._is_light(name)
            ):
                self._follow(self.blocks.queries[name])
        return self._contributions()

    def keys(self) -> set[str]:
        """The outputs of the model that say which row it is."""
        return self._keys(self.blocks.main)

    def _keys(self, query: Query) -> set[str]:
        """Outputs that say which row it is: always wanted, since they narrow what is followed.

        Of grouped rows what they are grouped by, of others what they take over from a source that must be there.
        """
        keys: set[str] = set()
        for block in query.blocks:
            if block.is_opaque:
                continue
            grouped = {text_of(one) for one in block.group}
            nullable = _nullable(block) - ({one.alias for one in block.sources} if block.is_whole_outer else set())
            for name, expression in block.outputs.items():
                if block.is_aggregated:
                    is_key = text_of(expression) in grouped
                else:
                    columns = [expression] if isinstance(expression, exp.Column) else _coalesced(expression)
                    is_key = bool(columns) and all(
                        one.table not in nullable and self._names_row(block, one) for one in columns
                    )
                if is_key:
                    keys.add(name)
        return keys

    def _names_row(self, block: Block, column: exp.Column) -> bool:
        """Whether a column of a relation may be part of a key, going by its type and name."""
        source = block.source(column.table)
        if source is None:
            return False
        if source.query is not None:
            outputs = [(one, one.outputs.get(column.name)) for one in self.blocks.queries[source.query].blocks]
            return any(isinstance(output, exp.Column) and self._names_row(one, output) for one, output in outputs)
        kind = self.types.get(source.relation or "", {}).get(column.name, "VARCHAR")
        return kind in _NAMING or column.name.endswith(_NAMING_ENDS)

    # Downwards: conditions.

    def _push(self, query: Query) -> None:
        demand = self.demands[query.name]
        if any(block.is_aggregated for block in query.blocks):
            demand.columns |= self._keys(query)
        for block in query.blocks:
            if block.is_opaque or self.is_whole:
                self.pushed[id(block)] = [_Pushed([], {})]
                for source in block.sources:
                    self._demand(source, None, {})
            else:
                pushed = [one for known in demand.alternatives if (one := self._pushed(block, query, known))]
                self.pushed[id(block)] = pushed
                if not pushed:
                    continue
                used = self._used(block, demand.columns)
                for source in block.sources:
                    if source.alias in used:
                        for one in pushed:
                            mine = one.by_source.get(source.alias, {})
                            self._demand(source, used[source.alias] | set(mine), mine)
            for name, output in block.nested:
                if output is None or output in demand.columns:
                    self.demands.setdefault(name, Demand()).add(self.blocks.queries[name].columns, {})

    def _demand(self, source: Source, columns: set[str] | None, known: Conjunction) -> None:
        if source.query is not None:
            query = self.blocks.queries[source.query]
            wanted = set(query.columns) if columns is None else columns
            self.demands.setdefault(source.query, Demand()).add(wanted, known)

    def _pushed(self, block: Block, query: Query, known: Conjunction) -> _Pushed | None:
        """What holds inside the block when ``known`` holds of its outputs; None: no row of it can be wanted."""
        holds: dict[str, Constraint] = {}
        for name, constraint in known.items():
            expression = block.outputs.get(name)
            if expression is None:
                continue
            if isinstance(expression, exp.Literal) and constraint.values is not None:
                if text_of(expression) not in constraint.values:
                    return None
                continue
            if self._is_passed(block, query, name, expression):
                holds[text_of(expression)] = constraint
        conditions = [constraint.on(text) for text, constraint in holds.items()]
        self._spread(block, holds)
        by_source: dict[str, Conjunction] = {}
        nullable = _nullable(block)
        for source in block.sources:
            mine: Conjunction = {}
            for text, constraint in holds.items():
                column = _column_of(text, source.alias)
                if column is not None and not (constraint.has_null and source.alias in nullable):
                    mine[column] = constraint
            if self.is_near and block.is_aggregated and not block.group:
                query_columns = self.blocks.queries[source.query].columns if source.query else ()
                columns = query_columns or self.types.get(source.relation or "", {})
                mine |= {column: constraint for column, constraint in self.known.items() if column in columns}
            by_source[source.alias] = mine
        return _Pushed(conditions, by_source)

    def _is_passed(self, block: Block, query: Query, name: str, expression: exp.Expr) -> bool:
        """Whether a condition on this output is one on the rows that go into the block."""
        if not _is_plain(expression) or self._is_float(block, expression):
            return False
        text = text_of(expression)
        if block.is_aggregated and text not in {text_of(one) for one in block.group}:
            return False
        return all(text in {text_of(one) for one in parts} for parts in block.partitions)

    def _spread(self, block: Block, holds: dict[str, Constraint]) -> None:
        """Add what follows along the equalities of joins, and through coalesce over a full join."""
        equal: list[tuple[str, str]] = []
        coalesced: list[tuple[str, list[str]]] = []
        for condition in block.conditions[: sum(1 for one in block.sources if one.join and one.join.args.get("on"))]:
            for one in conjuncts(condition):
                if isinstance(one, exp.EQ):
                    equal.append((text_of(one.left), text_of(one.right)))
        where = block.select.args.get("where")
        for one in conjuncts(where.this) if where is not None else ():
            if isinstance(one, exp.EQ):
                equal.append((text_of(one.left), text_of(one.right)))
        pairs = {frozenset(pair) for pair in equal}
        for expression in [*block.outputs.values(), *block.group, *block.conditions]:
            for one in expression.find_all(exp.Coalesce):
                parts = [text_of(part) for part in (one.this, *one.expressions)]
                if len(parts) == 2 and frozenset(parts) in pairs:
                    coalesced.append((text_of(one), parts))
        for _ in range(len(equal) + len(coalesced) + 1):
            before = len(holds)
            for left, right in equal:
                for one_side, other in ((left, right), (right, left)):
                    if one_side in holds and other not in holds and not holds[one_side].has_null:
                        holds[other] = holds[one_side]
            for whole, parts in coalesced:
                if whole in holds and not holds[whole].has_null:
                    for part in parts:
                        holds.setdefault(part, holds[whole])
            if len(holds) == before:
                return

    def _used(self, block: Block, columns: set[str]) -> dict[str, set[str]]:
        """By source the columns that these outputs, and which rows there are, depend on."""
        named = [one for name, one in block.outputs.items() if name in columns]
        rest = [block.select.args[key].this for key in ("where", "having", "qualify") if block.select.args.get(key)]
        partitions = [one for parts in block.partitions for one in parts]
        used = columns_read([*named, *rest, *block.group, *(partitions if rest or named else [])])
        for source in reversed(block.sources):
            on = source.join.args.get("on") if source.join is not None else None
            if source.side == "LEFT" and source.alias not in used:
                continue
            used.setdefault(source.alias, set())
            if on is not None:
                for alias, names in columns_read([on]).items():
                    used.setdefault(alias, set()).update(names)
        return used

    def _is_only_there(self, block: Block, source: Source, columns: set[str]) -> bool:
        """Whether an inner join asks a grouped query for nothing but that a row is there."""
        if source.query is None or source.join is None or source.side or source.join.args.get("on") is None:
            return False
        if not all(one.is_aggregated for one in self.blocks.queries[source.query].blocks):
            return False
        named = [one for name, one in block.outputs.items() if name in columns]
        rest = [block.select.args[key].this for key in ("where", "having", "qualify") if block.select.args.get(key)]
        other = [one.join.args["on"] for one in block.sources
                 if one is not source and one.join is not None and one.join.args.get("on")]  # fmt: skip
        return source.alias not in columns_read([*named, *rest, *block.group, *other]) and all(
            isinstance(one, exp.EQ) for one in conjuncts(source.join.args["on"])
        )

    # Upwards: the queries over what the conditions let through.

    def _work_out(self, query: Query) -> None:
        live = [block for block in query.blocks if self.pushed.get(id(block))]
        columns = self._asked(query)
        selects = []
        for block in live:
            if block.is_opaque:
                selects.append(f"select {_names(columns)} from ({self._renamed(block.select, block)})")
                continue
            texts = [f"{text} as {quote(name)}" for name, text in self._texts(block, columns)]
            selects.append(self._select(block, texts, columns, is_grouped=True))
        if not selects:
            # A view, since a column of a table has a type, and this null must be comparable with anything.
            nothing = f"select {', '.join(f'null as {quote(one)}' for one in columns)} where false"
            self.connection.execute(f"create view {self._table(query.name)} as {nothing}")
            return
        text = " union all ".join(selects)
        self.connection.execute(f"create table {self._table(query.name)} as {text}")

    def _is_light(self, name: str | None) -> bool:
        """Whether a query only renames, computes and filters rows of one relation: then it is read in place."""
        if name is None:
            return True
        query = self.blocks.queries[name]
        block = query.blocks[0]
        return not (
            self.is_whole or query.is_expression or len(query.blocks) > 1 or block.is_opaque or block.is_aggregated
            or block.partitions or len(block.sources) != 1 or block.select.args.get("distinct") or block.nested
            or not all(_is_plain(one) for one in block.outputs.values()) or not self._is_light(block.sources[0].query)
        )  # fmt: skip

    def _base(self, source: Source, columns: set[str]) -> tuple[str, set[str]]:
        """The relation under a light source, and those of its columns that ``columns`` are made of."""
        if source.query is None:
            return source.relation or "", columns
        block = self.blocks.queries[source.query].blocks[0]
        below = block.sources[0]
        return self._base(below, self._used(block, columns).get(below.alias, set()))

    def _asked(self, query: Query) -> list[str]:
        """The columns of a query that are worked out; what an opaque one gives is known by what is asked of it."""
        asked = self.demands[query.name].columns
        return (sorted(asked & set(query.columns)) or query.columns) if query.columns else sorted(asked)

    def _texts(self, block: Block, columns: Iterable[str]) -> list[tuple[str, str]]:
        return [(name, self._renamed(block.outputs[name], block)) for name in columns]

    def _select(
        self, block: Block, selected: list[str], columns: Iterable[str], *, is_grouped: bool, more: Iterable[str] = (),
        is_distinct: bool = False,
    ) -> str:  # fmt: skip
        """SQL over the block's sources; ``more`` are further conditions."""
        where = self._conditions(block, more)
        tree = block.select
        distinct = "distinct " if is_distinct or (is_grouped and tree.args.get("distinct")) else ""
        text = f"select {distinct}{', '.join(selected)} {self._from(block, set(columns))}"
        if where:
            text += f" where {' and '.join(where)}"
        if is_grouped:
            if block.group:
                text += f" group by {', '.join(self._renamed(one, block) for one in block.group)}"
            for key in ("having",):
                if tree.args.get(key):
                    text += f" {key} {self._renamed(tree.args[key].this, block)}"
            if tree.args.get("windows"):
                text += f" window {', '.join(_window(one) for one in tree.args['windows'])}"
            if tree.args.get("qualify"):
                text += f" qualify {self._renamed(tree.args['qualify'].this, block)}"
        return text

    def _conditions(self, block: Block, more: Iterable[str] = ()) -> list[str]:
        where = block.select.args.get("where")
        conditions = [f"({self._renamed(where.this, block)})"] if where is not None else []
        alternatives = self.pushed[id(block)]
        if alternatives and all(one.conditions for one in alternatives):
            conditions.append("(" + " or ".join(f"({' and '.join(one.conditions)})" for one in alternatives) + ")")
        return [*conditions, *more]

    def _from(self, block: Block, columns: set[str]) -> str:
        if not block.sources:
            return ""
        used = self._used(block, columns)
        text = ""
        for source in block.sources:
            if source.alias not in used:
                continue
            item = self._item(block, source)
            if source.join is None:
                text = f"from {item}"
                continue
            on = source.join.args.get("on")
            if on is None:
                text += f" cross join {item}"
            else:
                text += f" {source.side or 'inner'} join {item} on {self._renamed(on, block)}"
        return text

    def _item(self, block: Block, source: Source) -> str:
        conditions = []
        for one in self.pushed[id(block)]:
            mine = one.by_source.get(source.alias, {})
            conditions.append(" and ".join(constraint.on(quote(column)) for column, constraint in mine.items()))
        where = f" where ({') or ('.join(conditions)})" if conditions and all(conditions) else ""
        return f"(select *, true as {_HERE} from {self._read(source)}{where}) as {quote(source.alias)}"

    def _read(self, source: Source) -> str:
        """What stands behind FROM; where rows of a relation are read, the whole row goes along as a struct."""
        if source.query is None:
            return f"(select *, source_row as {_ROW} from {_relation(source.relation or '')} as source_row)"
        if not self._is_light(source.query):
            return self._table(source.query)
        query = self.blocks.queries[source.query]
        block = query.blocks[0]
        below = block.sources[0]
        columns = sorted(self.demands[source.query].columns & set(query.columns))
        parts = [f"{text} as {quote(name)}" for name, text in self._texts(block, columns)]
        return "(" + self._select(block, [*parts, f"{quote(below.alias)}.{_ROW}"], columns, is_grouped=False) + ")"

    # Backwards: the rows that stood in a combination.

    def _follow(self, query: Query) -> None:
        demand = self.demands[query.name]
        wanted = self._wanted(query)
        if wanted is None:
            return
        for block in query.blocks:
            if not self.pushed.get(id(block)):
                continue
            if block.is_opaque or self.is_whole:
                for source in block.sources:
                    self._enter(source, None, self._all_of(source))
                continue
            more = [] if query.is_expression or not self.is_exact else self._matching(block, query, wanted)
            used = self._used(block, demand.columns)
            sources = [
                one for one in block.sources
                if one.alias in used
                and (self.with_existence or not self._is_only_there(block, one, demand.columns))
            ]  # fmt: skip
            together = self._together(block, query, sources, wanted, more) if len(sources) > 1 else None
            for place, source in enumerate(sources):
                if together is None:
                    found = self._combined(block, query, source, self._selected(source), more)
                else:
                    found = f"select unnest(r{place}) from (select distinct r{place} from {together} where h{place})"
                self._enter(source, used[source.alias], found)

    def _selected(self, source: Source) -> str:
        """What of a source is taken: of a relation the whole row as a struct, of a query its columns."""
        if self._is_light(source.query):
            return f"{quote(source.alias)}.{_ROW} as {_ROW}"
        names = self._asked(self.blocks.queries[source.query or MAIN])
        return ", ".join(f"{quote(source.alias)}.{quote(one)}" for one in names)

    def _together(self, block: Block, query: Query, sources: list[Source], wanted: str, more: list[str]) -> str | None:
        """A table of the wanted combinations, when they are few: so the join is worked out once for all sources."""
        if not wanted or self._count(wanted) > _FEW:
            return None
        columns = self.demands[query.name].columns
        selected = []
        for place, source in enumerate(sources):
            alias = quote(source.alias)
            if self._is_light(source.query):
                selected.append(f"{alias}.{_ROW} as r{place}")
            else:
                names = self._asked(self.blocks.queries[source.query or MAIN])
                fields = ", ".join(f"{quote(one)} := {alias}.{quote(one)}" for one in names)
                selected.append(f"struct_pack({fields}) as r{place}")
            selected.append(f"coalesce({alias}.{_HERE}, false) as h{place}")
        witnesses = self._witnesses(block, columns)
        selected += [f"({one}) as w{place}" for place, one in enumerate(witnesses)]
        inner = self._select(block, selected, columns, is_grouped=False, more=more)
        chosen = f" where {' or '.join(f'w{place}' for place in range(len(witnesses)))}" if witnesses else ""
        table = f'{self._table(query.name)[:-1]} {query.blocks.index(block)} together"'
        self.connection.execute(f"create table {table} as select * from ({inner}){chosen}")
        return table

    def _count(self, table: str) -> int:
        if table not in self._counts:
            self._counts[table] = int(self.connection.execute(f"select count(*) from {table}").fetchall()[0][0])
        return self._counts[table]

    def _all_of(self, source: Source) -> str:
        if source.query is None:
            return f"select * from {_relation(source.relation or '')}"
        if self._is_light(source.query):
            return f"select unnest({_ROW}) from {self._read(source)}"
        names = _names(self._asked(self.blocks.queries[source.query]))
        return f"select {names} from {self._table(source.query)}"

    def _combined(self, block: Block, query: Query, source: Source, selected: str, more: list[str]) -> str:
        """The rows of a source that stand in a wanted combination."""
        columns = self.demands[query.name].columns
        here = f"{quote(source.alias)}.{_HERE}"
        is_alone = len(self._used(block, columns)) == 1
        witnesses = self._witnesses(block, columns)
        if not witnesses:
            found = self._select(block, [selected], columns, is_grouped=False, more=[*more, here],
                                 is_distinct=not is_alone)  # fmt: skip
            return f"select unnest({_ROW}) from ({found})" if self._is_light(source.query) else found
        inner = self._select(block, [selected, *(f"({one}) as __w{n}" for n, one in enumerate(witnesses)),
                                     f"{here} as {_HERE}"], columns, is_grouped=False, more=more)  # fmt: skip
        names = [f"__w{n}" for n in range(len(witnesses))]
        found = (f"select distinct * exclude ({', '.join([*names, _HERE])}) from ({inner})"
                 f" where {_HERE} and ({' or '.join(names)})")  # fmt: skip
        return f"select unnest({_ROW}) from ({found})" if self._is_light(source.query) else found

    def _witnesses(self, block: Block, columns: set[str]) -> list[str]:
        """Of a group that only gives its smallest or largest value, or whether anything holds, a few rows suffice.

        Returns:
            One condition for each such value: true in the rows that give it. Empty when all rows count.
        """
        if self.with_existence or not block.is_aggregated or block.partitions or block.select.args.get("having"):
            return []
        values = [one for name, one in block.outputs.items() if name in columns and has_aggregate(one)]
        group = ", ".join(self._renamed(one, block) for one in block.group)
        part = f"partition by {group} " if group else ""
        used = self._used(block, columns)
        tie = ", ".join(self._place(one) for one in block.sources if one.alias in used)
        witnesses = []
        for value in values:
            for one in aggregates_in(value):
                extreme = _extreme_of(one)
                if extreme is None or not all(_is_plain(part) for part in extreme.parts):
                    return []
                texts = [self._renamed(part, block) for part in extreme.parts]
                first = f"({self._renamed(extreme.only, block)}) desc nulls last, " if extreme.only is not None else ""
                if extreme.kind == "bit_or":
                    before = (f"bit_or({texts[0]}) over ({part}order by bit_count({texts[0]}) desc, {tie} "
                              "rows between unbounded preceding and 1 preceding)")  # fmt: skip
                    witnesses.append(f"({texts[0]} & ~coalesce({before}, 0)) <> 0")
                elif extreme.kind == "each":
                    each = f"partition by {', '.join([*([group] if group else []), *texts])} "
                    witnesses.append(f"row_number() over ({each}order by {first}{tie}) = 1")
                else:
                    order = {"min": f"({texts[-1]}) asc nulls last", "max": f"({texts[-1]}) desc nulls last",
                             "any": f"({texts[0]}) is null"}[extreme.kind]  # fmt: skip
                    witnesses.append(f"row_number() over ({part}order by {first}{order}, {tie}) = 1")
        if not witnesses and block.group:
            # Only that the group is there: any of its rows shows it.
            witnesses.append(f"row_number() over ({part}order by {tie}) = 1")
        return list(dict.fromkeys(witnesses))

    def _place(self, source: Source) -> str:
        """What orders the rows of a source, so that the same few are taken each time."""
        if not self._is_light(source.query):
            return quote(source.alias)
        types = self.types.get(self._base(source, set())[0], {})
        names = [one for one in ("_file_id", "_row_number") if one in types] or [
            one for one, kind in types.items() if kind in _NAMING or one.endswith(_NAMING_ENDS)
        ]
        return ", ".join(f"{quote(source.alias)}.{_ROW}.{quote(one)}" for one in names) or quote(source.alias)

    def _wanted(self, query: Query) -> str | None:
        if query.name in self.wanted_tables:
            return self.wanted_tables[query.name]
        if query.is_expression:
            return ""
        parts = self.found_of_queries.get(query.name)
        if not parts:
            return None
        table = f'{self._table(query.name)[:-1]} wanted"'
        self.connection.execute(f"create table {table} as {' union '.join(parts)}")
        self.wanted_tables[query.name] = table
        return table

    def _matching(self, block: Block, query: Query, wanted: str) -> list[str]:
        """Conditions that a combination gives one of the wanted rows."""
        present = {row[0]: row[1] for row in self.connection.execute(f"describe {wanted}").fetchall()}
        # A row that says which record it came from is found by that and by what names it; measures tell nothing more.
        is_identified = {"_file_id", "_row_number"} <= set(present)
        grouped = {text_of(one) for one in block.group}
        matched = []
        for name, expression in block.outputs.items():
            if name not in present or not _is_plain(expression) or self._is_float(block, expression):
                continue
            if query.name == MAIN and name not in self.demands[MAIN].columns:
                continue
            if block.is_aggregated and text_of(expression) not in grouped:
                continue
            if is_identified and name != "_row_number" and present[name] not in _NAMING:
                continue
            matched.append((name, self._renamed(expression, block)))
        if not matched:
            return []
        equal = " and ".join(f"wanted_row.{quote(name)} is not distinct from ({text})" for name, text in matched)
        match = f"exists (select 1 from {wanted} as wanted_row where {equal})"
        if not block.partitions:
            return [match]
        everywhere = set.intersection(*({text_of(one) for one in parts} for parts in block.partitions))
        shared = [one for one in block.partitions[0] if text_of(one) in everywhere]
        if not shared:
            return []
        texts = [self._renamed(one, block) for one in shared]
        columns = self.demands[query.name].columns
        inner = self._select(block, [f"{text} as p{number}" for number, text in enumerate(texts)], columns,
                             is_grouped=False, more=[match], is_distinct=True)  # fmt: skip
        same = " and ".join(f"part.p{number} is not distinct from ({text})" for number, text in enumerate(texts))
        return [f"exists (select 1 from ({inner}) as part where {same})"]

    def _enter(self, source: Source, columns: set[str] | None, select: str) -> None:
        if not self._is_light(source.query):
            self.found_of_queries.setdefault(str(source.query), []).append(select)
            return
        whole = set(self.types.get(source.relation or "", {})) if columns is None else columns
        relation, counted = (source.relation or "", whole) if source.query is None else self._base(source, whole)
        self.found.setdefault(relation, []).append(select)
        self.counted.setdefault(relation, set()).update(counted)

    def _contributions(self) -> list[Contribution]:
        contributions = []
        for relation, parts in self.found.items():
            table = f"{self.schema}.{quote(relation)}"
            selects = list(dict.fromkeys(parts))
            text = selects[0] if len(selects) == 1 else " union ".join(selects)
            self.connection.execute(f"create table {table} as {text}")
            rows_count = self.connection.execute(f"select count(*) from {table}").fetchall()[0][0]
            contributions.append(Contribution(relation, table, self.counted[relation], rows_count))
        return contributions

    # Names and types.

    def _table(self, query: str | None) -> str:
        return f"{self.schema}.{quote(self._name(query or MAIN))}"

    def _name(self, query: str) -> str:
        return f"{list(self.blocks.queries).index(query)} {query}"

    def _renamed(self, expression: exp.Expr, block: Block) -> str:
        """SQL in which the queries of the model that it names are the tables made of them."""
        if not any(not table.db and table.name in block.known for table in expression.find_all(exp.Table)):
            return text_of(expression)
        catalogue, _, schema = self.schema.partition(".")
        names = {short: (catalogue, schema, self._name(long)) for short, long in block.known.items()}
        return text_of(with_tables(expression, names))

    def _is_float(self, block: Block, expression: exp.Expr) -> bool:
        """Whether its last bits may differ from one evaluation to the next."""
        if expression.find(exp.Div, exp.Avg) or any(
            text_of(one.to).upper() in _FLOATS for one in expression.find_all(exp.Cast)
        ):
            return True
        for column in expression.find_all(exp.Column):
            source = block.source(column.table)
            if source is None:
                continue
            if source.relation is not None:
                if self.types.get(source.relation, {}).get(column.name) in _FLOATS:
                    return True
            elif source.query is not None and self._gives_float(source.query, column.name):
                return True
        return False

    def _gives_float(self, name: str, column: str) -> bool:
        key = (name, column)
        if key not in self._floats:
            self._floats[key] = False
            self._floats[key] = any(
                self._is_float(block, block.outputs[column])
                for block in self.blocks.queries[name].blocks
                if column in block.outputs
            )
        return self._floats[key]


def _is_plain(expression: exp.Expr) -> bool:
    """A value of each combination of rows by itself: no sum, no window, no list taken apart, no subquery."""
    return not (
        has_aggregate(expression) or has_window(expression)
        or expression.find(exp.Unnest, exp.Explode, exp.Select, exp.Rand) is not None
    )  # fmt: skip


@dataclass(frozen=True)
class _Extreme:
    """An aggregate that a few rows decide: the row with the smallest or largest last part, any row with a value, one
    row for each value, or rows that together hold all bits; ``only`` is the condition of its FILTER."""

    kind: str
    parts: tuple[exp.Expr, ...]
    only: exp.Expr | None = None


def _extreme_of(aggregate: exp.Expr) -> _Extreme | None:
    """None for an aggregate to which every row adds."""
    if isinstance(aggregate, exp.Filter):
        inner = _extreme_of(aggregate.this)
        if inner is None or inner.only is not None or inner.kind == "bit_or":
            return None
        return _Extreme(inner.kind, inner.parts, aggregate.expression.this)
    if isinstance(aggregate, exp.Min | exp.Max) and not aggregate.expressions:
        return _Extreme("min" if isinstance(aggregate, exp.Min) else "max", (aggregate.this,))
    if isinstance(aggregate, exp.ArgMin | exp.ArgMax):
        return _Extreme("min" if isinstance(aggregate, exp.ArgMin) else "max", (aggregate.this, aggregate.expression))
    if isinstance(aggregate, exp.LogicalOr | exp.LogicalAnd):
        return _Extreme("max" if isinstance(aggregate, exp.LogicalOr) else "min", (aggregate.this,))
    if isinstance(aggregate, exp.AnyValue) and not isinstance(aggregate.this, exp.Order | exp.HavingMax):
        return _Extreme("any", (aggregate.this,))
    if isinstance(aggregate, exp.BitwiseOrAgg):
        return _Extreme("bit_or", (aggregate.this,))
    if isinstance(aggregate, exp.Count) and isinstance(aggregate.this, exp.Distinct):
        return _Extreme("each", tuple(aggregate.this.expressions))
    return None


def _coalesced(expression: exp.Expr) -> list[exp.Column]:
    """The columns of ``coalesce(a.x, b.x)``: over a full join that is the key."""
    if not isinstance(expression, exp.Coalesce):
        return []
    parts = [expression.this, *expression.expressions]
    return [one for one in parts if isinstance(one, exp.Column)] if len(parts) == 2 else []


def _nullable(block: Block) -> set[str]:
    """The sources of which a combination may hold no row."""
    nullable: set[str] = set()
    before: list[str] = []
    for source in block.sources:
        if source.side in ("LEFT", "FULL"):
            nullable.add(source.alias)
        if source.side in ("RIGHT", "FULL"):
            nullable |= set(before)
        before.append(source.alias)
    return nullable


def _column_of(text: str, alias: str) -> str | None:
    """``name`` of the expression ``alias.name``."""
    for start in (f"{alias}.", f"{quote(alias)}."):
        if text.startswith(start):
            name = text[len(start) :].strip('"')
            return name if name.replace("_", "").isalnum() else None
    return None


def _window(definition: exp.Expr) -> str:
    # A copy would not know any more that it stands in a WINDOW clause, where it is written otherwise.
    return definition.sql(dialect=DIALECT, comments=False, copy=False)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(quote(one) for one in columns)


def _relation(name: str) -> str:
    schema, _, table = name.partition(".")
    return f'"warehouse".{quote(schema)}.{quote(table)}'


def _literal(value: Any) -> str | None:
    """A value as sqlglot writes its literal; None for what has no plain one."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | decimal.Decimal):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dt.datetime):
        return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP)"
    if isinstance(value, dt.date):
        return f"CAST('{value.isoformat()}' AS DATE)"
    return None


__all__ = ["BlockTracer", "Constraint", "Contribution", "Query"]

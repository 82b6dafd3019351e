"""The rows that a model's SQL made a published row of, found block by block (tracing as in Cui and Widom, 2000).

What is known of the wanted rows is pushed down as far as it holds (``oneledger.lineage.pushing``). So little is read.
Then every query of the model is worked out over that little, and from the wanted rows backwards each block gives
exactly the rows of its sources that stood in a combination of which a wanted row came.

Nothing here decides whether a trace is right: ``oneledger.lineage.recomputing`` runs the model's SQL over nothing but
the rows that were found and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from oneledger.lineage.blocks import (
    MAIN,
    Block,
    ModelBlocks,
    Query,
    Source,
)
from oneledger.lineage.constraints import constraints_of
from oneledger.lineage.deciding import witnesses_of
from oneledger.lineage.pushing import NAMING, is_plain
from oneledger.lineage.selecting import HERE, PLACE, ROW, Selecting, Tables, names_of, relation_name
from oneledger.publishing.content import quote

# Of so many wanted rows the combinations are kept once for all sources; of more each source is worked out by itself.
_FEW = 200
# Rows that are named by longer SQL are put into a table before they are followed.
_LONG = 500
_BRANCH = "__branch"


@dataclass
class Contribution:
    """Rows of one relation that the wanted rows came of: a table with all its columns, and the columns that counted."""

    relation: str
    table: str
    columns: set[str]
    rows_count: int = 0


@dataclass(frozen=True)
class _Found:
    """Rows of a relation: of a table those whose ``rowid`` the SQL gives; without a table the rows that it gives."""

    table: str | None
    sql: str


class BlockTracer(Selecting):
    """Traces wanted rows of one model to rows of the relations that it reads.

    Args:
        connection: all relations under the names that the SQL uses.
        blocks: the model taken apart.
        types: by relation its columns with their types.
        schema: where the tables of the found rows are made.
        tables: where the rows of relations are read.
        into: how the names of the tables of the contributions begin, up to the relation's name; ``schema."`` if None.
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
        tables: Tables | None = None,
        into: str | None = None,
        is_near: bool = False,
        with_existence: bool = False,
        is_exact: bool = True,
        is_whole: bool = False,
    ) -> None:
        super().__init__(blocks, types, schema, tables=tables, is_near=is_near, is_whole=is_whole)
        self.connection = connection
        self.into = into or f'{schema}."'
        self.with_existence = with_existence
        self.is_exact = is_exact and not is_whole
        self.wanted_tables: dict[str, str] = {}
        self.found: dict[str, list[_Found]] = {}
        self.found_of_queries: dict[str, list[str]] = {}
        self.counted: dict[str, set[str]] = {}
        self._counts: dict[str, int] = {}
        self._types_of: dict[str, Mapping[str, str]] = {}
        self._columns_of: dict[str, list[str]] = {}
        self._carrying: set[str] = set()

    def trace(
        self, wanted: str, columns: Iterable[str], wanted_types: Mapping[str, str] | None = None
    ) -> list[Contribution]:
        """Rows of the relations that the model reads.

        Args:
            wanted: a table of rows of the model; its columns are the names of (some of) the model's outputs.
            columns: the outputs whose values are to be explained.
            wanted_types: those columns of ``wanted`` that are known of the rows, with their types; all when not given.
        """
        main = self.blocks.main
        if wanted_types is not None:
            self._types_of[wanted] = wanted_types
        types = self._types(wanted)
        known = constraints_of(self.connection, wanted, main.columns, types)
        keys = self.keys()
        self.known = {name: one for name, one in known.items() if name in keys and not one.has_null}
        asked = set(columns) | (set(known) & keys)
        self.push(asked, {name: one for name, one in known.items() if name in asked})
        self.wanted_tables[MAIN] = wanted
        order = list(self.blocks.queries)
        for name in order:
            query = self.blocks.queries[name]
            if name in self.demands and name != MAIN and not query.is_expression and not self.is_light(name):
                self._work_out(query)
        for name in reversed(order):
            if name in self.demands and (
                name == MAIN or self.blocks.queries[name].is_expression or not self.is_light(name)
            ):
                self._follow(self.blocks.queries[name])
        return self._contributions()

    # Upwards: the queries over what the conditions let through.

    def _work_out(self, query: Query) -> None:
        live = [block for block in query.blocks if self.pushed.get(id(block))]
        columns = self.asked(query)
        is_carrying = bool(live) and self._can_carry(query, live)
        selects = []
        for block in live:
            if block.is_opaque:
                selects.append(f"select {names_of(columns)} from ({self.renamed(block.select, block)})")
                continue
            texts = [f"{text} as {quote(name)}" for name, text in self.outputs(block, columns)]
            carried = self._followed(block, query) if is_carrying else []
            if is_carrying:
                texts += self._carried(query, live, block)
            selects.append(self.select(block, texts, columns, is_grouped=True, rows=[one.alias for one in carried]))
        if is_carrying:
            self._carrying.add(query.name)
        if not selects:
            # A view, since a column of a table has a type, and this null must be comparable with anything.
            nothing = f"select {', '.join(f'null as {quote(one)}' for one in columns)} where false"
            self.connection.execute(f"create view {self.table(query.name)} as {nothing}")
            self.empty.add(query.name)
            return
        text = " union all ".join(selects)
        self.connection.execute(f"create table {self.table(query.name)} as {text}")

    def _can_carry(self, query: Query, live: Sequence[Block]) -> bool:
        """Whether each row of a query is one combination of rows: then it can say itself of which."""
        if not self.is_exact or query.name in self._read_by_name:
            return False
        return all(
            not (block.is_opaque or block.is_aggregated or block.partitions or block.nested)
            and not block.select.args.get("distinct")
            and all(self.has_rowid(block, one) for one in self._followed(block, query))
            for block in live
        )

    @cached_property
    def _read_by_name(self) -> set[str]:
        """Queries of which SQL that is run as it stands may take every column."""
        blocks = [block for query in self.blocks.queries.values() for block in query.blocks]
        opaque = {source.query for block in blocks if block.is_opaque for source in block.sources if source.query}
        nested = {
            source.query
            for block in blocks
            for name, _ in block.nested
            for below in self.blocks.queries[name].blocks
            for source in below.sources
            if source.query
        }
        return opaque | nested

    def _carried(self, query: Query, live: Sequence[Block], block: Block) -> list[str]:
        """Columns that say of which branch of the query a row is, and which rows of the sources it is made of."""
        most = max(len(self._followed(one, query)) for one in live)
        rows = [f"{quote(one.alias)}.{ROW}" for one in self._followed(block, query)]
        rows += ["null::bigint"] * (most - len(rows))
        branch = [f"{query.blocks.index(block)} as {_BRANCH}"] if len(live) > 1 else []
        return [*branch, *(f"{row} as {ROW}{place}" for place, row in enumerate(rows))]

    def _followed(self, block: Block, query: Query) -> list[Source]:
        """The sources of a block of which rows are looked for."""
        columns = self.demands[query.name].columns
        used = self.used(block, columns)
        return [
            one
            for one in block.sources
            if one.alias in used and (self.with_existence or not self.is_only_there(block, one, columns))
        ]

    # Backwards: the rows that stood in a combination.

    def _follow_carried(self, query: Query) -> None:
        """The rows that the wanted rows of a query say that they are made of."""
        parts = list(dict.fromkeys(self.found_of_queries.get(query.name, [])))
        if not parts:
            return
        live = [block for block in query.blocks if self.pushed.get(id(block))]
        wanted = f"{self.table(query.name)} where rowid in ({' union all '.join(parts)})"
        if len(live) > 1 or len(wanted) > _LONG:
            self._create(f'{self.table(query.name)[:-1]} wanted"', f"select * from {wanted}")
            wanted = f'{self.table(query.name)[:-1]} wanted" where true'
        for block in live:
            branch = f" and {_BRANCH} = {query.blocks.index(block)}" if len(live) > 1 else ""
            used = self.used(block, self.demands[query.name].columns)
            for place, source in enumerate(self._followed(block, query)):
                row = f"{ROW}{place}"
                rows = f"select {row} as {ROW} from {wanted}{branch} and {row} is not null"
                self._enter(block, source, used[source.alias], rows)

    def _follow(self, query: Query) -> None:
        if query.name in self._carrying:
            self._follow_carried(query)
            return
        demand = self.demands[query.name]
        wanted = self._wanted(query)
        if wanted is None:
            return
        for block in query.blocks:
            if not self.pushed.get(id(block)):
                continue
            if block.is_opaque or self.is_whole:
                for source in block.sources:
                    self._enter_all(block, source)
                continue
            matching = "" if query.is_expression or not self.is_exact else self._matching(block, query, wanted)
            used = self.used(block, demand.columns)
            sources = self._followed(block, query)
            together = self._together(block, query, sources, wanted, matching) if len(sources) > 1 else None
            for place, source in enumerate(sources):
                if together is None:
                    rows = self._combined(block, query, source, matching)
                else:
                    distinct = "" if self.has_rowid(block, source) else "distinct "
                    rows = f"select {distinct}r{place} as {ROW} from {together} where h{place}"
                self._enter(block, source, used[source.alias], rows)

    def _together(self, block: Block, query: Query, sources: list[Source], wanted: str, matching: str) -> str | None:
        """A table of the wanted combinations, when they are few: so the join is worked out once for all sources."""
        if not wanted or self._count(wanted) > _FEW:
            return None
        columns = self.demands[query.name].columns
        selected = []
        for place, source in enumerate(sources):
            alias = quote(source.alias)
            selected.append(f"{alias}.{ROW} as r{place}, coalesce({alias}.{HERE}, false) as h{place}")
        witnesses = self._witnesses(block, columns)
        selected += [f"({one}) as w{place}" for place, one in enumerate(witnesses)]
        inner = self.select(block, selected, columns, is_grouped=False, matching=matching,
                             rows=[one.alias for one in sources], places=self._placed(block, witnesses))  # fmt: skip
        if witnesses:
            chosen = " or ".join(f"w{place}" for place in range(len(witnesses)))
            inner = f"select * from ({inner}) where {chosen}"
        table = f'{self.table(query.name)[:-1]} {query.blocks.index(block)} together"'
        self.connection.execute(f"create table {table} as {inner}")
        return table

    def _combined(self, block: Block, query: Query, source: Source, matching: str) -> str:
        """The rows of a source that stand in a wanted combination."""
        columns = self.demands[query.name].columns
        row, here = f"{quote(source.alias)}.{ROW} as {ROW}", f"{quote(source.alias)}.{HERE}"
        witnesses = self._witnesses(block, columns)
        if not witnesses:
            is_alone = len(self.used(block, columns)) == 1
            return self.select(block, [row], columns, is_grouped=False, matching=matching, more=[here],
                                is_distinct=not is_alone, rows=[source.alias])  # fmt: skip
        names = [f"__w{n}" for n in range(len(witnesses))]
        marked = [f"({one}) as {name}" for one, name in zip(witnesses, names, strict=True)]
        inner = self.select(block, [row, *marked, f"{here} as {HERE}"], columns, is_grouped=False, matching=matching,
                             rows=[source.alias], places=self._placed(block, witnesses))  # fmt: skip
        return f"select distinct {ROW} from ({inner}) where {HERE} and ({' or '.join(names)})"

    def _placed(self, block: Block, witnesses: Sequence[str]) -> list[str]:
        return [one.alias for one in block.sources] if witnesses else []

    def _witnesses(self, block: Block, columns: set[str]) -> list[str]:
        """Conditions that pick the few rows of a group that decide it; empty when all of its rows count."""
        if self.with_existence:
            return []
        used = self.used(block, columns)
        tie = ", ".join(f"{quote(one.alias)}.{PLACE}" for one in block.sources if one.alias in used)
        return witnesses_of(block, columns, tie, lambda one: self.renamed(one, block))

    def _wanted(self, query: Query) -> str | None:
        if query.name in self.wanted_tables:
            return self.wanted_tables[query.name]
        if query.is_expression:
            return ""
        parts = self.found_of_queries.get(query.name)
        if not parts or query.name in self.empty:
            return None
        worked_out = self.table(query.name)
        table = f'{worked_out[:-1]} wanted"'
        rows = " union all ".join(dict.fromkeys(parts))
        self._create(table, f"select * from {worked_out} where rowid in ({rows})")
        self._columns_of[table] = self.asked(query)
        self.wanted_tables[query.name] = table
        return table

    def _matching(self, block: Block, query: Query, wanted: str) -> str:
        """The join that leaves the combinations that give one of the wanted rows."""
        present = self._columns_of.get(wanted) or list(self._types(wanted))
        # A row that says which record it came from is found by that and by what names it; measures tell nothing more.
        is_identified = {"_file_id", "_row_number"} <= set(present)
        grouped = self.grouped(block)
        matched = []
        for name, expression in block.outputs.items():
            if name not in present or not is_plain(expression) or self.is_float(block, expression):
                continue
            if query.name == MAIN and name not in self.demands[MAIN].columns:
                continue
            if block.is_aggregated and self.text(expression) not in grouped:
                continue
            if is_identified and name != "_row_number" and self._types(wanted)[name] not in NAMING:
                continue
            matched.append((name, self.renamed(expression, block)))
        if not matched:
            return ""
        equal = " and ".join(f"wanted_row.{quote(name)} is not distinct from ({text})" for name, text in matched)
        match = f" semi join {wanted} as wanted_row on {equal}"
        if not block.partitions:
            return match
        everywhere = set.intersection(*({self.text(one) for one in parts} for parts in block.partitions))
        shared = [one for one in block.partitions[0] if self.text(one) in everywhere]
        if not shared:
            return ""
        texts = [self.renamed(one, block) for one in shared]
        columns = self.demands[query.name].columns
        inner = self.select(block, [f"{text} as p{number}" for number, text in enumerate(texts)], columns,
                             is_grouped=False, matching=match, is_distinct=True)  # fmt: skip
        same = " and ".join(f"part.p{number} is not distinct from ({text})" for number, text in enumerate(texts))
        return f" semi join ({inner}) as part on {same}"

    # What was found.

    def _enter(self, block: Block, source: Source, columns: set[str], rows: str) -> None:
        """Enter rows of a source; ``rows`` gives them as ``__row``."""
        if not self.is_light(source.query):
            self.found_of_queries.setdefault(str(source.query), []).append(rows)
            return
        relation, counted = self.base_of(source, columns)
        reading = self.reading(*self.lowest(block, source))
        # Where rows have no place of their own, they went along whole.
        found = (
            _Found(reading.table, rows) if reading.has_rowid else _Found(None, f"select unnest({ROW}) from ({rows})")
        )
        self.found.setdefault(relation, []).append(found)
        self.counted.setdefault(relation, set()).update(counted)

    def _enter_all(self, block: Block, source: Source) -> None:
        """Enter all rows of a source that the conditions let through."""
        if source.query is not None and not self.is_light(source.query):
            self.found_of_queries.setdefault(source.query, []).append(f"select rowid from {self.table(source.query)}")
            return
        if source.query is None:
            relation = source.relation or ""
            self.found.setdefault(relation, []).append(_Found(None, f"select * from {relation_name(relation)}"))
            self.counted.setdefault(relation, set()).update(self.types.get(relation, {}))
            return
        columns = self.demands[source.query].columns & set(self.blocks.queries[source.query].columns)
        self._enter(block, source, columns, f"select {ROW} from {self.inlined(source.query, columns, True, False)}")

    def _contributions(self) -> list[Contribution]:
        contributions = []
        for relation, parts in self.found.items():
            by_table: dict[str, list[str]] = {}
            selects = []
            for one in dict.fromkeys(parts):
                if one.table is None:
                    selects.append(one.sql)
                else:
                    by_table.setdefault(one.table, []).append(one.sql)
            selects += [
                f"select * from {table} where rowid in ({' union all '.join(rows)})" for table, rows in by_table.items()
            ]
            table = f'{self.into}{relation}"'
            rows_count = self._create(table, " union ".join(selects))
            contributions.append(Contribution(relation, table, self.counted[relation], rows_count))
        return contributions

    # Names, counts and types.

    def _create(self, table: str, select: str) -> int:
        self._counts[table] = int(self.connection.execute(f"create table {table} as {select}").fetchall()[0][0])
        return self._counts[table]

    def _count(self, table: str) -> int:
        if table not in self._counts:
            self._counts[table] = int(self.connection.execute(f"select count(*) from {table}").fetchall()[0][0])
        return self._counts[table]

    def _types(self, table: str) -> Mapping[str, str]:
        if table not in self._types_of:
            described = self.connection.execute(f"describe {table}").fetchall()
            self._types_of[table] = {row[0]: row[1] for row in described}
        return self._types_of[table]

"""Rows of intermediate and admitted relations, worked out once in a trace for the app or project that it is about.

A version carries no intermediate table: its own SQL works them out again from the admitted rows. A trace asks the same
of them again and again, so what belongs to an app (or a project, a data resource) is kept in a table of the trace. Of
what a relation reads, no more is read than the pushed conditions let through (``oneledger.lineage.pushing``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from oneledger.lineage.blocks import ModelBlocks
from oneledger.lineage.constraints import Conjunction, Constraint
from oneledger.lineage.edges import edge_column, edge_values
from oneledger.lineage.ground import NAMED, Ground, Relation, quoted
from oneledger.lineage.pushing import Pushed, Pushing
from oneledger.lineage.selecting import Reading
from oneledger.publishing.content import quote
from oneledger.publishing.lineage_basis import SORTED_BY, USAGE

_SCHEMA = "traced.narrowed"
# A relation that is made of no more admitted rows than this is worked out whole.
_SMALL = 5_000
# So many values are looked for one by one.
_SINGLY = 16


class Narrowing:
    """Where a trace reads the rows of relations."""

    def __init__(
        self, ground: Ground, blocks_of: Callable[[str], ModelBlocks], types: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.ground = ground
        self._blocks_of = blocks_of
        self._types = types
        self._kept: dict[tuple[str, str], frozenset[str]] = {}
        self._whole: dict[str, str] = {}
        self._sizes: dict[str, int | None] = {}
        self.clear()

    def clear(self) -> None:
        """Forget what was kept."""
        self.ground.connection.execute(f"drop schema if exists {_SCHEMA} cascade")
        self.ground.connection.execute(f"create schema {_SCHEMA}")
        self._kept = {}
        self._whole = {}

    def read(self, relation: str, alternatives: Sequence[Conjunction]) -> Reading:
        """A table that holds at least those rows of a relation that one of the alternatives lets through."""
        table = self.ground.table_of(relation)
        if table is not None:
            return Reading(table, True, is_published=True)
        if self._is_small(relation):
            return Reading(self._all_of(relation), True)
        key = _key_of(alternatives)
        if key is not None:
            return Reading(self._narrowed(relation, *key), True)
        self.ground.define(relation)
        return Reading(f'"warehouse".{quoted(relation)}', False)

    def _narrowed(self, relation: str, column: str, values: frozenset[str]) -> str:
        """The table of the rows in which a column has one of these values; those of further values come on top."""
        table = f"{_SCHEMA}.{quote(f'{relation} {column}')}"
        known = self._kept.get((relation, column))
        missing = values - (known or frozenset())
        if known is not None and not missing:
            return table
        constraint = Constraint(f"({', '.join(sorted(missing))})", missing, False)
        one = self.ground.models.relations.get(relation)
        is_read = one is None or one.sql is None
        # The parts of a file that may hold one value are found by its statistics; those of several are not.
        wanted = [frozenset([value]) for value in sorted(missing)] if is_read and len(missing) <= _SINGLY else [missing]
        source = self._source(relation, {column: constraint})
        rows = " union all ".join(f"{source} where {quote(column)} in ({', '.join(sorted(part))})" for part in wanted)
        begin = f"create table {table} as" if known is None else f"insert into {table}"
        self.ground.connection.execute(f"{begin} {rows}")
        self._kept[relation, column] = values | (known or frozenset())
        return table

    def _all_of(self, relation: str) -> str:
        if relation not in self._whole:
            source = self._source(relation, {})
            table = f"{_SCHEMA}.{quote(relation)}"
            self.ground.connection.execute(f"create table {table} as {source}")
            self._whole[relation] = table
        return self._whole[relation]

    def _source(self, relation: str, known: Conjunction) -> str:
        """A SELECT of a relation's rows, of which those for which ``known`` holds are all there."""
        one = self.ground.models.relations.get(relation)
        if one is None or one.sql is None or one.schema in ("marts", "evaluation"):
            self.ground.define(relation)
            return f'select * from "warehouse".{quoted(relation)}'
        return f"select * from ({self._standing_in(one.sql, self._reads(one, known))}) as worked_out"

    def _reads(self, one: Relation, known: Conjunction) -> dict[str, str]:
        """By relation that a model reads the table that stands for it when only the rows of ``known`` are wanted."""
        blocks = self._blocks_of(one.name)
        pushing = Pushing(blocks, self._types)
        pushing.push(blocks.main.columns, known)
        asked: dict[str, list[Conjunction]] = {name: [] for name in one.reads}
        edges: dict[str, set[str | None]] = {}
        for query in blocks.queries.values():
            for block in query.blocks:
                # What no condition reached stands in the SQL all the same.
                pushed = pushing.pushed.get(id(block)) or [Pushed({}, {})]
                for source in block.sources:
                    if source.relation is not None:
                        edges.setdefault(source.relation, set()).add(edge_column(block, source))
                        asked.setdefault(source.relation, []).extend(
                            alternative.by_source.get(source.alias, {}) for alternative in pushed
                        )
        return {
            name: self._edge(name, edges.get(name, set())) or self.read(name, alternatives or [{}]).table
            for name, alternatives in asked.items()
        }

    def _edge(self, relation: str, columns: set[str | None]) -> str | None:
        """The first and last value of the one column of a relation that is asked for nothing else, in a subquery."""
        one = self.ground.models.relations.get(relation)
        column = next(iter(columns)) if len(columns) == 1 else None
        if column is None or one is None or one.sql is None or self.ground.table_of(relation) is not None:
            return None
        if self._is_small(relation):
            return None
        values = edge_values(one.sql, self._blocks_of(relation), column)
        return f"({self._standing_in(values, self._reads(one, {}))})" if values is not None else None

    def _standing_in(self, sql: str, reads: Mapping[str, str]) -> str:
        """The SQL of a model with other tables in place of what it reads."""
        return NAMED.sub(lambda match: reads.get(f"{match[1]}.{match[2]}", match[0]), sql)

    def _is_small(self, relation: str) -> bool:
        size = self._size(relation)
        return size is not None and size <= _SMALL

    def _size(self, relation: str) -> int | None:
        """How many admitted rows a relation is made of; None when that is not known."""
        if relation in self._sizes:
            return self._sizes[relation]
        one = self.ground.models.relations.get(relation)
        size: int | None = None
        if one is not None and one.kind == "seed":
            size = 0
        elif one is not None and one.kind == "input" and relation != USAGE:
            parts = [part for part in self.ground.models.version.manifest.get("lineage") or []
                     if part["relation"] == relation]  # fmt: skip
            size = sum(int(part["rows_count"]) for part in parts) if parts else None
        elif one is not None and one.kind == "model" and one.schema not in ("marts", "evaluation"):
            sizes = [self._size(read) for read in one.reads]
            known = [read for read in sizes if read is not None]
            size = sum(known) if len(known) == len(sizes) else None
        self._sizes[relation] = size
        return size


def _key_of(alternatives: Sequence[Conjunction]) -> tuple[str, frozenset[str]] | None:
    """The column that names what all alternatives are about, and all its values."""
    for column in SORTED_BY:
        constraints = [one.get(column) for one in alternatives]
        if alternatives and all(one is not None and one.values and not one.has_null for one in constraints):
            return column, frozenset(value for one in constraints if one is not None for value in one.values or ())
    return None

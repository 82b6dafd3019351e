"""SQL over the sources of a block: those of their rows that the pushed conditions let through, and how they join."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from oneledger.lineage.blocks import DIALECT, MAIN, Block, ModelBlocks, Source, with_tables
from oneledger.lineage.constraints import Conjunction
from oneledger.lineage.pushing import NAMING, NAMING_ENDS, Pushing
from oneledger.publishing.content import quote

# Columns that go along: whether there is a row, which one, and its place in an order that is the same each time.
HERE = "__here"
ROW = "__row"
PLACE = "__place"


@dataclass(frozen=True)
class Reading:
    """Where rows of a relation are read.

    Attributes:
        has_rowid: it is a table, whose rows are known by their place in it.
        is_published: the table was published, so that the place of a row is the same each time.
    """

    table: str
    has_rowid: bool
    is_published: bool = False


class Tables(Protocol):
    """Where the rows of relations are read (see ``oneledger.lineage.narrowing``)."""

    def read(self, relation: str, alternatives: Sequence[Conjunction]) -> Reading:
        """A table that holds at least those rows of a relation that one of the alternatives lets through."""


class WarehouseTables:
    """All rows of each relation, under the name that the SQL uses."""

    def read(self, relation: str, alternatives: Sequence[Conjunction]) -> Reading:
        return Reading(relation_name(relation), False)


class Selecting(Pushing):
    """Writes the SQL that works a model out over what its pushed conditions let through.

    Args:
        blocks: the model taken apart.
        types: by relation its columns with their types.
        schema: where the tables of the model's queries lie.
        tables: where the rows of relations are read.
    """

    def __init__(
        self,
        blocks: ModelBlocks,
        types: Mapping[str, Mapping[str, str]],
        schema: str,
        *,
        tables: Tables | None = None,
        is_near: bool = False,
        is_whole: bool = False,
    ) -> None:
        super().__init__(blocks, types, is_near=is_near, is_whole=is_whole)
        self.schema = schema
        self.tables: Tables = tables or WarehouseTables()
        # Queries of which no row can be wanted.
        self.empty: set[str] = set()
        self._readings: dict[tuple[int, str], Reading] = {}

    def outputs(self, block: Block, columns: Iterable[str]) -> list[tuple[str, str]]:
        return [(name, self.renamed(block.outputs[name], block)) for name in columns]

    def select(
        self, block: Block, selected: list[str], columns: Iterable[str], *, is_grouped: bool, matching: str = "",
        more: Iterable[str] = (), is_distinct: bool = False, rows: Collection[str] = (), places: Collection[str] = (),
    ) -> str:  # fmt: skip
        """SQL over the block's sources.

        Args:
            matching: a join that lets only the combinations of wanted rows through; ``more``: further conditions.
            rows: aliases of the sources of which the row is named by ``__row``; ``places``: by ``__place``, which puts
                the rows of a source into an order that is the same each time.
        """
        where = self.conditions(block, more)
        columns = {*columns, *(name for one in self.pushed[id(block)] for name in one.conditions)}
        tree = block.select
        distinct = "distinct " if is_distinct or (is_grouped and tree.args.get("distinct")) else ""
        text = f"select {distinct}{', '.join(selected)} {self.from_clause(block, columns, rows, places)}{matching}"
        if where:
            text += f" where {' and '.join(where)}"
        if is_grouped:
            if block.group:
                text += f" group by {', '.join(self.renamed(one, block) for one in block.group)}"
            if tree.args.get("having"):
                text += f" having {self.renamed(tree.args['having'].this, block)}"
            if tree.args.get("windows"):
                text += f" window {', '.join(_window(one) for one in tree.args['windows'])}"
            if tree.args.get("qualify"):
                text += f" qualify {self.renamed(tree.args['qualify'].this, block)}"
        return text

    def conditions(self, block: Block, more: Iterable[str] = ()) -> list[str]:
        where = block.select.args.get("where")
        conditions = [f"({self.renamed(where.this, block)})"] if where is not None else []
        alternatives = self.pushed[id(block)]
        if alternatives and all(one.conditions for one in alternatives):
            texts = [" and ".join(dict.fromkeys(one.conditions.values())) for one in alternatives]
            conditions.append(f"(({') or ('.join(texts)}))")
        return [*conditions, *more]

    def from_clause(self, block: Block, columns: set[str], rows: Collection[str], places: Collection[str]) -> str:
        used = self.used(block, columns)
        # What stands without its source, or in a subquery or a named window, is not taken apart: then all goes along.
        is_known = "" not in used and not block.nested and not block.select.args.get("windows")
        text = ""
        for source in block.sources:
            if source.alias not in used:
                continue
            item = self.item(block, source, used[source.alias] if is_known else None,
                              source.alias in rows, source.alias in places)  # fmt: skip
            if source.join is None:
                text = f"from {item}"
                continue
            on = source.join.args.get("on")
            if on is None:
                text += f" cross join {item}"
            else:
                text += f" {source.side or 'inner'} join {item} on {self.renamed(on, block)}"
        return text

    def item(self, block: Block, source: Source, columns: set[str] | None, has_row: bool, has_place: bool) -> str:
        """What stands behind FROM: those rows of a source that the conditions let through."""
        alternatives = self.alternatives(block, source)
        conditions = [
            " and ".join(constraint.on(quote(column)) for column, constraint in one.items()) for one in alternatives
        ]
        where = f" where ({') or ('.join(conditions)})" if conditions and all(conditions) else ""
        mentioned = {column for one in alternatives for column in one}
        selected = [quote(one) for one in sorted(columns)] if columns is not None else ["*"]
        extra = [f"true as {HERE}"]
        if source.query is not None and self.is_light(source.query):
            table = self.inlined(source.query, None if columns is None else columns | mentioned, has_row, has_place)
            if columns is not None:
                extra += [ROW] * has_row + [PLACE] * has_place
        elif source.query is not None:
            table = self.table(source.query)
            if has_row:
                extra.append(f"{'null::bigint' if source.query in self.empty else 'rowid'} as {ROW}")
            if has_place:
                extra.append(f"row({names_of(self.asked(self.blocks.queries[source.query]))}) as {PLACE}")
        else:
            reading = self.reading(block, source)
            table = f"{reading.table} as source_row"
            if has_row:
                extra.append(f"{'rowid' if reading.has_rowid else 'source_row'} as {ROW}")
            if has_place:
                place = "rowid" if reading.is_published else self.place_in(source.relation or "")
                extra.append(f"{place} as {PLACE}")
        return f"(select {', '.join([*selected, *extra])} from {table}{where}) as {quote(source.alias)}"

    def alternatives(self, block: Block, source: Source) -> list[Conjunction]:
        return [one.by_source.get(source.alias, {}) for one in self.pushed[id(block)]]

    def reading(self, block: Block, source: Source) -> Reading:
        """Where the rows of a relation are read: each place in the SQL by its own conditions."""
        key = (id(block), source.alias)
        if key not in self._readings:
            alternatives = [{}] if self.is_whole else self.alternatives(block, source)
            self._readings[key] = self.tables.read(source.relation or "", alternatives)
        return self._readings[key]

    def inlined(self, name: str, columns: set[str] | None, has_row: bool, has_place: bool) -> str:
        """A light query, read in place; the row of the relation goes along."""
        query = self.blocks.queries[name]
        block = query.blocks[0]
        alias = block.sources[0].alias
        demanded = self.demands[name].columns & set(query.columns)
        asked = sorted(demanded if columns is None else columns & set(query.columns))
        parts = [f"{text} as {quote(one)}" for one, text in self.outputs(block, asked)]
        parts += [f"{quote(alias)}.{one}" for one, has in ((ROW, has_row), (PLACE, has_place)) if has]
        inner = self.select(block, parts or [f"true as {HERE}"], asked, is_grouped=False,
                             rows=[alias] if has_row else [], places=[alias] if has_place else [])  # fmt: skip
        return f"({inner})"

    def place_in(self, relation: str) -> str:
        types = self.types.get(relation, {})
        names = [one for one in ("_file_id", "_row_number") if one in types] or [
            one for one, kind in types.items() if kind in NAMING or one.endswith(NAMING_ENDS)
        ]
        return f"row({names_of(names or types)})"

    def lowest(self, block: Block, source: Source) -> tuple[Block, Source]:
        """Where the relation under a light source is read."""
        while source.query is not None:
            block = self.blocks.queries[source.query].blocks[0]
            source = block.sources[0]
        return block, source

    def has_rowid(self, block: Block, source: Source) -> bool:
        return not self.is_light(source.query) or self.reading(*self.lowest(block, source)).has_rowid

    def table(self, query: str | None) -> str:
        return f"{self.schema}.{quote(self.name(query or MAIN))}"

    def name(self, query: str) -> str:
        return f"{list(self.blocks.queries).index(query)} {query}"

    def renamed(self, expression: exp.Expr, block: Block) -> str:
        """SQL in which the queries of the model that it names are the tables made of them."""
        if not any(not table.db and table.name in block.known for table in expression.find_all(exp.Table)):
            return self.text(expression)
        catalogue, _, schema = self.schema.partition(".")
        names = {short: (catalogue, schema, self.name(long)) for short, long in block.known.items()}
        return with_tables(expression, names).sql(dialect=DIALECT, comments=False)


def _window(definition: exp.Expr) -> str:
    # A copy would not know any more that it stands in a WINDOW clause, where it is written otherwise.
    return definition.sql(dialect=DIALECT, comments=False, copy=False)


def names_of(columns: Iterable[str]) -> str:
    return ", ".join(quote(one) for one in columns)


def relation_name(name: str) -> str:
    schema, _, table = name.partition(".")
    return f'"warehouse".{quote(schema)}.{quote(table)}'

"""What is known of the wanted rows of a model, pushed down through its SQL as far as it holds.

Through columns that are passed on, through GROUP BY in its keys, through windows in what every PARTITION BY holds,
through joins along their equalities, into every branch of a union. What cannot be pushed leaves a source whole: wide,
never wrong. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from oneledger.lineage.blocks import (
    MAIN,
    Block,
    ModelBlocks,
    Query,
    Source,
    columns_read,
    conjuncts,
    has_aggregate,
    has_window,
    text_of,
)
from oneledger.lineage.constraints import FLOATS, Conjunction, Constraint, Demand
from oneledger.publishing.content import quote

# A row is named by text and dates, not by amounts.
NAMING = ("VARCHAR", "DATE", "TIMESTAMP")
NAMING_ENDS = ("_id", "_year", "_number")


@dataclass
class Pushed:
    """One alternative inside a block: conditions on some of its outputs, and on columns of single sources."""

    conditions: dict[str, str]
    by_source: dict[str, Conjunction]


class Pushing:
    """What each query and each source of a model is asked for, when some rows of the model are.

    Args:
        blocks: the model taken apart.
        types: by relation its columns with their types.
        is_near: of a relation that is only summed up as a whole (its first month, say) ask for no more than the rows
            that bear the names of the wanted rows; enough unless they are at the edge.
        is_whole: everything that the model reads.
    """

    def __init__(
        self,
        blocks: ModelBlocks,
        types: Mapping[str, Mapping[str, str]],
        *,
        is_near: bool = False,
        is_whole: bool = False,
    ) -> None:
        self.blocks = blocks
        self.types = types
        self.is_near = is_near
        self.is_whole = is_whole
        self.known: Conjunction = {}
        self.demands: dict[str, Demand] = {}
        self.pushed: dict[int, list[Pushed]] = {}
        self._keys: dict[str, set[str]] = {}
        self._floats: dict[tuple[str, str], bool] = {}
        self._lights: dict[str, bool] = {}
        self._uses: dict[tuple[int, frozenset[str]], dict[str, set[str]]] = {}
        self._texts: dict[int, str] = {}
        self._equal: dict[int, tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]] = {}

    def push(self, columns: Iterable[str], known: Conjunction) -> None:
        """Ask for columns of the model, of the rows for which all of ``known`` holds."""
        self.demands[MAIN] = Demand()
        self.demands[MAIN].add(columns, known)
        for name in reversed(list(self.blocks.queries)):
            if name in self.demands:
                self._push(self.blocks.queries[name])

    def keys(self) -> set[str]:
        """The outputs of the model that say which row it is."""
        return self.keys_of(self.blocks.main)

    def keys_of(self, query: Query) -> set[str]:
        """Outputs that say which row it is: always wanted, since they narrow what is followed.

        Of grouped rows what they are grouped by, of others what they take over from a source that must be there.
        """
        if query.name in self._keys:
            return self._keys[query.name]
        keys: set[str] = set()
        for block in query.blocks:
            if block.is_opaque:
                continue
            grouped = self.grouped(block)
            nullable = _nullable(block) - ({one.alias for one in block.sources} if block.is_whole_outer else set())
            for name, expression in block.outputs.items():
                if block.is_aggregated:
                    is_key = self.text(expression) in grouped
                else:
                    columns = [expression] if isinstance(expression, exp.Column) else _coalesced(expression)
                    is_key = bool(columns) and all(
                        one.table not in nullable and self._names_row(block, one) for one in columns
                    )
                if is_key:
                    keys.add(name)
        self._keys[query.name] = keys
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
        return kind in NAMING or column.name.endswith(NAMING_ENDS)

    def _push(self, query: Query) -> None:
        demand = self.demands[query.name]
        if any(block.is_aggregated for block in query.blocks):
            demand.columns |= self.keys_of(query)
        for block in query.blocks:
            if block.is_opaque or self.is_whole:
                self.pushed[id(block)] = [Pushed({}, {})]
                for source in block.sources:
                    self._demand(source, None, {})
            else:
                pushed = [one for known in demand.alternatives if (one := self._pushed(block, known))]
                self.pushed[id(block)] = pushed
                if not pushed:
                    continue
                used = self.used(block, demand.columns)
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

    def _pushed(self, block: Block, known: Conjunction) -> Pushed | None:
        """What holds inside the block when ``known`` holds of its outputs; None: no row of it can be wanted."""
        holds: dict[str, Constraint] = {}
        conditions: dict[str, str] = {}
        for name, constraint in known.items():
            expression = block.outputs.get(name)
            if expression is None:
                continue
            if isinstance(expression, exp.Literal) and constraint.values is not None:
                if self.text(expression) not in constraint.values:
                    return None
                continue
            if self._is_passed(block, expression):
                holds[self.text(expression)] = constraint
                conditions[name] = constraint.on(self.text(expression))
        self._spread(block, holds)
        days = self._days_of_months(block, holds)
        by_source: dict[str, Conjunction] = {}
        nullable = _nullable(block)
        for source in block.sources:
            mine: Conjunction = {}
            for text, constraint in [*holds.items(), *days.items()]:
                column = _column_of(text, source.alias)
                if column is not None and not (constraint.has_null and source.alias in nullable):
                    mine.setdefault(column, constraint)
            if self.is_near and block.is_aggregated and not block.group:
                query_columns = self.blocks.queries[source.query].columns if source.query else ()
                columns = query_columns or self.types.get(source.relation or "", {})
                mine |= {column: constraint for column, constraint in self.known.items() if column in columns}
            by_source[source.alias] = mine
        return Pushed(conditions, by_source)

    def _is_passed(self, block: Block, expression: exp.Expr) -> bool:
        """Whether a condition on this output is one on the rows that go into the block."""
        if not is_plain(expression) or self.is_float(block, expression):
            return False
        text = self.text(expression)
        if block.is_aggregated and text not in self.grouped(block):
            return False
        return all(text in {self.text(one) for one in parts} for parts in block.partitions)

    def _spread(self, block: Block, holds: dict[str, Constraint]) -> None:
        """Add what follows along the equalities of joins, and through coalesce over a full join."""
        equal, coalesced = self._equalities(block)
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

    def _equalities(self, block: Block) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
        """What the block holds to be equal, and its coalesces of two that are."""
        if id(block) in self._equal:
            return self._equal[id(block)]
        equal: list[tuple[str, str]] = []
        coalesced: list[tuple[str, list[str]]] = []
        for condition in block.conditions[: sum(1 for one in block.sources if one.join and one.join.args.get("on"))]:
            for one in conjuncts(condition):
                if isinstance(one, exp.EQ):
                    equal.append((self.text(one.left), self.text(one.right)))
        where = block.select.args.get("where")
        for one in conjuncts(where.this) if where is not None else ():
            if isinstance(one, exp.EQ):
                equal.append((self.text(one.left), self.text(one.right)))
        pairs = {frozenset(pair) for pair in equal}
        for expression in [*block.outputs.values(), *block.group, *block.conditions] if pairs else ():
            for one in expression.find_all(exp.Coalesce):
                parts = [self.text(part) for part in (one.this, *one.expressions)]
                if len(parts) == 2 and frozenset(parts) in pairs:
                    coalesced.append((self.text(one), parts))
        self._equal[id(block)] = (equal, coalesced)
        return equal, coalesced

    def _days_of_months(self, block: Block, holds: dict[str, Constraint]) -> dict[str, Constraint]:
        """Of days that are only asked for by their month, the span: by it the files of other months are left alone."""
        days: dict[str, Constraint] = {}
        for expression in [*block.group, *block.outputs.values()]:
            column = cut_to_month(expression)
            known = holds.get(self.text(expression)) if column is not None else None
            span = known.in_months() if known is not None else None
            if column is not None and span is not None:
                days[self.text(column)] = span
        return days

    def used(self, block: Block, columns: Iterable[str]) -> dict[str, set[str]]:
        """By source the columns that these outputs, and which rows there are, depend on."""
        asked = frozenset(columns)
        key = (id(block), asked)
        if key not in self._uses:
            self._uses[key] = self._used(block, asked)
        return self._uses[key]

    def _used(self, block: Block, columns: frozenset[str]) -> dict[str, set[str]]:
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

    def is_only_there(self, block: Block, source: Source, columns: set[str]) -> bool:
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

    def is_light(self, name: str | None) -> bool:
        """Whether a query only renames, computes and filters rows of one relation: then it is read in place."""
        if name is None:
            return True
        if name not in self._lights:
            query = self.blocks.queries[name]
            block = query.blocks[0]
            self._lights[name] = not (
                self.is_whole or query.is_expression or len(query.blocks) > 1 or block.is_opaque or block.is_aggregated
                or block.partitions or len(block.sources) != 1 or block.select.args.get("distinct") or block.nested
                or not all(is_plain(one) for one in block.outputs.values())
                or not self.is_light(block.sources[0].query)
            )  # fmt: skip
        return self._lights[name]

    def base_of(self, source: Source, columns: set[str]) -> tuple[str, set[str]]:
        """The relation under a light source, and those of its columns that ``columns`` are made of."""
        if source.query is None:
            return source.relation or "", columns
        block = self.blocks.queries[source.query].blocks[0]
        below = block.sources[0]
        return self.base_of(below, self.used(block, columns).get(below.alias, set()))

    def asked(self, query: Query) -> list[str]:
        """The columns of a query that are worked out; what an opaque one gives is known by what is asked of it."""
        asked = self.demands[query.name].columns
        return (sorted(asked & set(query.columns)) or query.columns) if query.columns else sorted(asked)

    def text(self, expression: exp.Expr) -> str:
        """An expression of the blocks as SQL; they live as long as this does, so each is written once."""
        key = id(expression)
        if key not in self._texts:
            self._texts[key] = text_of(expression)
        return self._texts[key]

    def grouped(self, block: Block) -> set[str]:
        return {self.text(one) for one in block.group}

    def is_float(self, block: Block, expression: exp.Expr) -> bool:
        """Whether its last bits may differ from one evaluation to the next."""
        if expression.find(exp.Div, exp.Avg) or any(
            text_of(one.to).upper() in FLOATS for one in expression.find_all(exp.Cast)
        ):
            return True
        for column in expression.find_all(exp.Column):
            source = block.source(column.table)
            if source is None:
                continue
            if source.relation is not None:
                if self.types.get(source.relation, {}).get(column.name) in FLOATS:
                    return True
            elif source.query is not None and self._gives_float(source.query, column.name):
                return True
        return False

    def _gives_float(self, name: str, column: str) -> bool:
        key = (name, column)
        if key not in self._floats:
            self._floats[key] = False
            self._floats[key] = any(
                self.is_float(block, block.outputs[column])
                for block in self.blocks.queries[name].blocks
                if column in block.outputs
            )
        return self._floats[key]


def is_plain(expression: exp.Expr) -> bool:
    """A value of each combination of rows by itself: no sum, no window, no list taken apart, no subquery."""
    return not (
        has_aggregate(expression) or has_window(expression)
        or expression.find(exp.Unnest, exp.Explode, exp.Select, exp.Rand) is not None
    )  # fmt: skip


def cut_to_month(expression: exp.Expr) -> exp.Column | None:
    """The column of ``date_trunc('month', column)``, cast to a date or not."""
    inner = expression.this if isinstance(expression, exp.Cast) else expression
    if isinstance(inner, exp.DateTrunc | exp.TimestampTrunc) and isinstance(inner.this, exp.Column):
        unit = inner.args.get("unit")
        if unit is not None and unit.name.upper() == "MONTH":
            return inner.this
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

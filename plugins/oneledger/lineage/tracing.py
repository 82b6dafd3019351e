"""Published rows followed back through every model to the admitted rows, each step checked by running it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from oneledger.lineage.blocks import ModelBlocks, read_blocks
from oneledger.lineage.ground import OUTCOMES, Ground, Relation, VersionModels, open_lazily, quoted
from oneledger.lineage.narrowing import Narrowing
from oneledger.lineage.pushdown import BlockTracer, Contribution
from oneledger.lineage.pushing import Pushing
from oneledger.lineage.recomputing import NINE_DECIMALS, SIX_DECIMALS, differing_rows
from oneledger.publishing.content import quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.relations import Relations, read_relations
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

_FOUND = "traced.found"
# From so many rows of a relation on, the trace works with all the threads that it may use.
_MANY = 10_000
# Each is tried when the rows of the one before do not give the wanted rows again.
WIDTHS = ("near", "exact", "with_existence", "pushed", "whole")


@dataclass
class Step:
    """Rows of one relation on the way down.

    Attributes:
        rows_count: how many of its rows the published thing came of.
        columns: those of its columns that counted.
        reads: by relation below, how many rows these rows came of.
        width: how far the rows below had to be widened (``WIDTHS``).
        is_equal: the model run over just the rows below gives these rows; None when not tried or nothing is below.
        differing_rows_count: of the rows, those that did not come again.
    """

    relation: Relation
    rows_count: int
    columns: set[str]
    reads: dict[str, int] = field(default_factory=dict)
    width: str = WIDTHS[0]
    is_equal: bool | None = None
    differing_rows_count: int = 0


class Tracer:
    """Traces rows in one opened version. What it found lies in tables that ``table_of`` names."""

    def __init__(self, ground: Ground, *, recompute: bool = True, threads: int = 1) -> None:
        self.ground = ground
        self.connection = ground.connection
        self.models = ground.models
        self.recompute = recompute
        self.rules_dir = ground.run.path / RULES_DIR if ground.run is not None else None
        self.steps: dict[str, Step] = {}
        self._threads = threads
        self._runs = 0
        self._tables: dict[str, str] = {}
        self._blocks: dict[str, ModelBlocks] = {}
        self.connection.execute("attach if not exists ':memory:' as traced")
        # The same few files are read again and again.
        self.connection.execute("set parquet_metadata_cache = true")
        self._narrowing = Narrowing(ground, self.blocks_of, self.types)
        self.clear()

    def clear(self) -> None:
        """Forget what was found."""
        self.connection.execute(f"drop schema if exists {_FOUND} cascade")
        self.connection.execute(f"create schema {_FOUND}")
        self._narrowing.clear()
        # Hundreds of statements over a few rows each: a second thread only costs.
        self.connection.execute("set threads = 1")
        self._tables = {}
        self.steps = {}

    @cached_property
    def keys(self) -> Relations:
        """Of every relation the columns that tell its rows apart."""
        return read_relations(self.models.version)

    @cached_property
    def types(self) -> dict[str, dict[str, str]]:
        """Of every relation its columns with their types."""
        types = {
            name: {column: str(described["type"]) for column, described in one.columns.items()}
            for name, one in self.models.relations.items()
        }
        return {**types, OUTCOMES: types.get("marts.run_outcome", {})}

    def blocks_of(self, name: str) -> ModelBlocks:
        if name not in self._blocks:
            relation = self.models.relations[name]
            columns = {one: tuple(self.types.get(one, {})) for one in relation.reads}
            self._blocks[name] = read_blocks(str(relation.sql), columns)
        return self._blocks[name]

    def table_of(self, name: str) -> str:
        """The table of the found rows of a relation."""
        return self._tables[name]

    def start(self, name: str, where: str, columns: Iterable[str] | None = None) -> int:
        """Enter the rows to be traced; gives how many they are.

        Args:
            where: SQL on the relation's columns.
            columns: what of them is to be explained; None for all.
        """
        relation = self.models.relations[name]
        self.ground.define(name)
        table = f"{_FOUND}.{quote(name)}"
        select = f"select * from {quoted(name)} where {where}"
        rows_count = int(self.connection.execute(f"create table {table} as {select}").fetchall()[0][0])
        wanted = set(relation.columns if columns is None else columns)
        self._enter(Contribution(name, table, wanted, rows_count))
        return rows_count

    def follow(self) -> dict[str, Step]:
        """Trace all entered rows down to what no model makes."""
        for one in reversed(self.models.in_order):
            step = self.steps.get(one.name)
            if step is not None and one.sql is not None and step.rows_count:
                self._follow(step)
        return self.steps

    def _enter(self, found: Contribution) -> None:
        name = found.relation
        step = self.steps.setdefault(name, Step(self._relation(name), 0, set()))
        step.columns |= found.columns
        if found.rows_count > _MANY:
            self.connection.execute(f"set threads = {self._threads}")
        if name not in self._tables:
            self._tables[name] = found.table
            step.rows_count = found.rows_count
            return
        known = self._tables[name]
        step.rows_count += int(
            self.connection.execute(f"insert into {known} ((from {found.table}) except (from {known}))").fetchall()[0][
                0
            ]
        )
        self.connection.execute(f"drop table {found.table}")

    def _relation(self, name: str) -> Relation:
        known = self.models.relations.get(name)
        return known or Relation(name, "input", "input", None, (), None, "", {}, {})

    def _follow(self, step: Step) -> None:
        relation = step.relation
        blocks = self.blocks_of(relation.name)
        wanted = self.table_of(relation.name)
        compared = self._compared(step)
        schema, contributions = "", list[Contribution]()
        for width in WIDTHS:
            if schema:
                # What a narrower attempt found is found again by a wider one.
                self.connection.execute(f"drop schema {schema} cascade")
                for one in contributions:
                    self.connection.execute(f"drop table {one.table}")
            self._runs += 1
            schema = f"traced.step_{self._runs}"
            self.connection.execute(f"create schema {schema}")
            if blocks.reads_by_name or width == "whole":
                for read in relation.reads:
                    self.ground.define(read)
            tracer = BlockTracer(
                self.connection, blocks, self.types, schema, tables=self._narrowing,
                into=f'{_FOUND}."{self._runs} ', is_near=width == "near", with_existence=width in WIDTHS[2:],
                is_exact=width in WIDTHS[:3], is_whole=width == "whole",
            )  # fmt: skip
            contributions = tracer.trace(wanted, step.columns, compared)
            step.width = width
            if not self.recompute:
                break
            step.differing_rows_count = differing_rows(
                self.connection, str(relation.sql), reads=relation.reads, contributions=contributions, schema=schema,
                wanted=wanted, types=self.types[relation.name], columns=compared, types_of=self.types,
                tolerance=SIX_DECIMALS if self.rules_dir is not None else NINE_DECIMALS,
            )  # fmt: skip
            step.is_equal = step.differing_rows_count == 0
            if step.is_equal:
                break
        for one in contributions:
            if one.rows_count:
                step.reads[one.relation] = one.rows_count
                self._enter(one)
        self.connection.execute(f"drop schema {schema} cascade")

    def _compared(self, step: Step) -> dict[str, str]:
        """The columns that are to be explained, and those by which the row is found, with their types."""
        name = step.relation.name
        keys = Pushing(self.blocks_of(name), self.types).keys()
        # Of a row that only has to be there, all of it.
        names = [one for one in step.relation.columns if one in step.columns or one in keys] or step.relation.columns
        return {one: self.types[name][one] for one in names}


@contextmanager
def open_tracer(
    settings: Settings, models: VersionModels, *, recompute: bool = True, run: EvaluationRun | None = None
) -> Iterator[Tracer]:
    """A tracer on a version; what it found is gone when it closes.

    Args:
        run: an evaluation run that was made on this version: its results and rules stand in place of the live ones.
    """
    with open_lazily(settings, models, run) as ground:
        yield Tracer(ground, recompute=recompute, threads=settings.threads)

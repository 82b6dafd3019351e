"""Published rows followed back through every model to the admitted rows, each step checked by running it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb

from oneledger.lineage.blocks import ModelBlocks, read_blocks
from oneledger.lineage.ground import Relation, VersionModels, open_ground, quoted
from oneledger.lineage.pushdown import BlockTracer, Contribution
from oneledger.lineage.recomputing import NINE_DECIMALS, SIX_DECIMALS, differing_rows
from oneledger.publishing.content import quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun

_FOUND = "traced.found"
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

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        models: VersionModels,
        *,
        recompute: bool = True,
        rules_dir: Path | None = None,
    ) -> None:
        self.connection = connection
        self.models = models
        self.recompute = recompute
        self.rules_dir = rules_dir
        self.steps: dict[str, Step] = {}
        self._runs = 0
        self._blocks: dict[str, ModelBlocks] = {}
        connection.execute("attach if not exists ':memory:' as traced")
        # The same few files are read again and again.
        connection.execute("set parquet_metadata_cache = true")
        self.clear()

    def clear(self) -> None:
        """Forget what was found."""
        self.connection.execute(f"drop schema if exists {_FOUND} cascade")
        self.connection.execute(f"create schema {_FOUND}")
        self.steps = {}

    @cached_property
    def types(self) -> dict[str, dict[str, str]]:
        """Of every relation its columns with their types."""
        types = {
            name: {column: str(described["type"]) for column, described in one.columns.items()}
            for name, one in self.models.relations.items()
        }
        outcome = self.connection.execute("describe control.outcome").fetchall()
        return {**types, "control.outcome": {row[0]: row[1] for row in outcome}}

    def blocks_of(self, name: str) -> ModelBlocks:
        if name not in self._blocks:
            relation = self.models.relations[name]
            columns = {one: tuple(self.types.get(one, {})) for one in relation.reads}
            self._blocks[name] = read_blocks(str(relation.sql), columns)
        return self._blocks[name]

    def table_of(self, name: str) -> str:
        """The table of the found rows of a relation."""
        return f"{_FOUND}.{quote(name)}"

    def start(self, name: str, where: str, columns: Iterable[str] | None = None) -> int:
        """Enter the rows to be traced; gives how many they are.

        Args:
            where: SQL on the relation's columns.
            columns: what of them is to be explained; None for all.
        """
        relation = self.models.relations[name]
        wanted = set(relation.columns if columns is None else columns)
        return self._enter(name, f"select * from {quoted(name)} where {where}", wanted)

    def follow(self) -> dict[str, Step]:
        """Trace all entered rows down to what no model makes."""
        for one in reversed(self.models.in_order):
            step = self.steps.get(one.name)
            if step is not None and one.sql is not None and step.rows_count:
                self._follow(step)
        return self.steps

    def _enter(self, name: str, select: str, columns: set[str]) -> int:
        table = self.table_of(name)
        if name in self.steps:
            self.connection.execute(f"insert into {table} (({select}) except (from {table}))")
        else:
            self.connection.execute(f"create table {table} as {select}")
        rows_count = int(self.connection.execute(f"select count(*) from {table}").fetchall()[0][0])
        step = self.steps.setdefault(name, Step(self._relation(name), 0, set()))
        step.rows_count = rows_count
        step.columns |= columns
        return rows_count

    def _relation(self, name: str) -> Relation:
        known = self.models.relations.get(name)
        return known or Relation(name, "input", "input", None, (), None, "", {}, {})

    def _follow(self, step: Step) -> None:
        relation = step.relation
        schema, contributions = "", list[Contribution]()
        for width in WIDTHS:
            if schema:
                # What a narrower attempt found is found again by a wider one.
                self.connection.execute(f"drop schema {schema} cascade")
            self._runs += 1
            schema = f"traced.step_{self._runs}"
            self.connection.execute(f"create schema {schema}")
            wanted = f"{schema}.wanted"
            self.connection.execute(f"create table {wanted} as select {self._compared(step)} from "
                                    f"{self.table_of(relation.name)}")  # fmt: skip
            tracer = BlockTracer(
                self.connection, self.blocks_of(relation.name), self.types, schema,
                is_near=width == "near", with_existence=width in WIDTHS[2:], is_exact=width in WIDTHS[:3],
                is_whole=width == "whole",
            )  # fmt: skip
            contributions = tracer.trace(wanted, step.columns)
            step.width = width
            if not self.recompute:
                break
            step.differing_rows_count = differing_rows(
                self.connection, str(relation.sql), reads=relation.reads, contributions=contributions, schema=schema,
                wanted=wanted, types=self.types[relation.name],
                tolerance=SIX_DECIMALS if self.rules_dir is not None else NINE_DECIMALS,
            )  # fmt: skip
            step.is_equal = step.differing_rows_count == 0
            if step.is_equal:
                break
        for one in contributions:
            if one.rows_count:
                step.reads[one.relation] = one.rows_count
                self._enter(one.relation, f"select * from {one.table}", one.columns)
        self.connection.execute(f"drop schema {schema} cascade")

    def _compared(self, step: Step) -> str:
        """The columns that are to be explained, and those by which the row is found."""
        found = self.blocks_of(step.relation.name)
        keys = BlockTracer(self.connection, found, self.types, "traced.none").keys()
        names = [name for name in step.relation.columns if name in step.columns or name in keys]
        # Of a row that only has to be there, all of it.
        return ", ".join(quote(name) for name in names or step.relation.columns)


@contextmanager
def open_tracer(
    settings: Settings, models: VersionModels, *, recompute: bool = True, run: EvaluationRun | None = None
) -> Iterator[Tracer]:
    """A tracer on a version; what it found is gone when it closes.

    Args:
        run: an evaluation run that was made on this version: its results and rules stand in place of the live ones.
    """
    with open_ground(settings, models.version, models) as connection:
        if run is not None:
            _show_run(connection, models, run)
        yield Tracer(connection, models, recompute=recompute, rules_dir=run.path / RULES_DIR if run else None)


def _show_run(connection: duckdb.DuckDBPyConnection, models: VersionModels, run: EvaluationRun) -> None:
    for one in models.in_order:
        result = run.result_path(one.name.partition(".")[2])
        if one.schema == "evaluation" and one.kind == "model" and result.is_file():
            connection.execute(f"create or replace view {quoted(one.name)} as from read_parquet('{_literal(result)}')")
        elif one.kind == "seed" and (rules := run.path / RULES_DIR / str(one.file)).is_file():
            connection.execute(f"delete from {quoted(one.name)}")
            connection.execute(f"copy {quoted(one.name)} from '{_literal(rules)}' (format csv, header, delimiter ',')")


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")

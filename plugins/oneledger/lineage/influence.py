"""Forwards: which published rows a landed file, or one line of it, may have influenced.

The rows of a file go up through every model: in each block of its SQL along what identifies an output (what is passed
on, what is grouped by, what every window is partitioned by). Where nothing of a row survives to identify the outputs,
the whole table depends on it, and it is said so. So the answer may hold a row that would be the same without the
line; ``oneledger trace`` of that row tells. Whether a total or an extreme over intermediate rows depends on the line is
found by leaving its rows out: one that would only change with another value in the line may be missing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from oneledger.landing.manifest import read_manifest
from oneledger.landing.reading import list_batches
from oneledger.lineage.blocks import Block, ModelBlocks, Query, has_aggregate, has_window, text_of, with_tables
from oneledger.lineage.constraints import Conjunction, constraints_of
from oneledger.lineage.ground import Relation, quoted, read_models
from oneledger.lineage.landed_lines import batch_folder
from oneledger.lineage.subjects import FIGURES
from oneledger.lineage.tracing import Tracer, open_tracer
from oneledger.publishing.content import quote
from oneledger.publishing.versions import CURRENT, resolve
from oneledger.settings import ConfigurationError, Settings

_SHOWN_ROWS = 5
_TOUCHED = "traced.touched"
_FLOATS = ("DOUBLE", "FLOAT", "REAL")
_SHOWN_SCHEMAS = ("marts", "evaluation")
_TAKEN_OVER = (exp.Column, exp.Coalesce, exp.Literal, exp.Cast, exp.DateTrunc, exp.TimestampTrunc)


@dataclass(frozen=True)
class LandedPlace:
    """A landed file, or one record of it."""

    file_id: str
    row_number: int | None


def find_place(settings: Settings, text: str) -> LandedPlace:
    """The file that is meant by ``FILE`` or ``FILE:LINE``.

    Args:
        text: a path in landing, a file id (``<batch_id>/<name>``), or the name by which the source calls the file; LINE
            is the record's number, as rows carry it and ``trace`` shows it.

    Raises:
        ConfigurationError: no landed file is called so, or more than one.
    """
    name, _, number = text.rpartition(":")
    if not name or not number.isdigit():
        name, number = text, ""
    row_number = int(number) if number else None
    batch_id, _, file = name.rpartition("/")
    if batch_id.count(".") >= 3 and (batch_folder(settings, batch_id) / file).is_file():
        return LandedPlace(name, row_number)
    found = []
    for batch in list_batches(settings):
        for path in batch.path.iterdir():
            if path.name == name or str(path) == name or str(path).endswith(f"/{name}"):
                found.append(f"{batch.batch_id}/{path.name}")
    if not found:
        found = [
            f"{batch.batch_id}/{one.name}"
            for batch in list_batches(settings)
            for one in read_manifest(batch.path).files
            if name in one.source_name
        ]
    if len(found) == 1:
        return LandedPlace(found[0], row_number)
    if found:
        shown = ", ".join(found[-5:])
        raise ConfigurationError(
            f"{len(found)} landed files are called {name!r}. Name one of them by its id: {shown} …"
        )
    raise ConfigurationError(
        f"No landed file is called {name!r}. Give its path under {settings.landing_dir}, its id as a trace shows it "
        "(zheliban.usage.20221031.r001/usage_20221031.csv.gz), or the source's own name of the file."
    )


def influence(settings: Settings, place: LandedPlace, *, version: str = CURRENT) -> dict[str, Any]:
    """What a landed file or line may have influenced in a version.

    Returns:
        ``admitted`` (rows of it that count, by table), ``items`` (a published table each: ``rows_count``,
        ``is_whole``, ``rows``: the first with what identifies them), ``figures`` and ``stars`` (apps) by id.
    """
    started = time.monotonic()
    published = resolve(settings, version)
    models = read_models(published)
    with open_tracer(settings, models, recompute=False) as tracer:
        tracer.ground.define_all()
        forward = _Forward(tracer)
        admitted = forward.begin(place)
        forward.follow()
        items = [forward.described(one) for one in models.in_order if one.name in forward.touched
                 and one.schema in _SHOWN_SCHEMAS and one.kind == "model"]  # fmt: skip
        stars = forward.values("evaluation.app_stars", "app_id")
        figures = forward.values(FIGURES, "figure_id")
    return {
        "ok": bool(admitted),
        "version": published.version,
        "file_id": place.file_id,
        "row_number": place.row_number,
        "admitted": admitted,
        "items": items,
        "stars": stars,
        "figures": figures,
        "seconds": round(time.monotonic() - started, 3),
    }


class _Forward:
    """Tables of touched rows, by relation: of each those columns that identify it."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.connection = tracer.connection
        self.touched: dict[str, str | None] = {}
        self._known: dict[str, Conjunction] = {}
        self._tables = 0
        self.connection.execute(f"create schema if not exists {_TOUCHED}")

    def begin(self, place: LandedPlace) -> dict[str, int]:
        admitted = {}
        for one in self.tracer.models.relations.values():
            if one.kind != "input" or "_file_id" not in one.columns:
                continue
            where = f"_file_id = '{place.file_id.replace(chr(39), chr(39) * 2)}'"
            if place.row_number is not None:
                where += f" and _row_number = {place.row_number}"
            rows_count = self._keep(one.name, f"select * from {quoted(one.name)} where {where}")
            if rows_count:
                admitted[one.name] = rows_count
        return admitted

    def follow(self) -> None:
        for one in self.tracer.models.in_order:
            if one.sql is not None and any(read in self.touched for read in one.reads):
                self._reach(one)

    def _keep(self, name: str, select: str) -> int:
        table = f"{_TOUCHED}.{quote(name)}"
        self.connection.execute(f"create table {table} as {select}")
        rows_count = int(self.connection.execute(f"select count(*) from {table}").fetchall()[0][0])
        if rows_count:
            self.touched[name] = table
        return rows_count

    def _reach(self, relation: Relation) -> None:
        reach = _Reach(self, relation, self.tracer.blocks_of(relation.name))
        selects = reach.touched_outputs()
        if selects is None:
            self.touched[relation.name] = None
            return
        if not selects:
            return
        # By what identifies them: the rows as they are published.
        parts = []
        for select, on in selects:
            keys = self.worked_out(select)
            parts.append(
                f"select * from {quoted(relation.name)} as published_row where {self.is_in(keys, on, 'published_row')}"
            )
        self._keep(relation.name, " union ".join(parts))

    def worked_out(self, select: str) -> str:
        self._tables += 1
        table = f"{_TOUCHED}.{quote(f'keys {self._tables}')}"
        self.connection.execute(f"create table {table} as {select}")
        return table

    def is_in(self, table: str, columns: Iterable[str], alias: str) -> str:
        """SQL: whether a row stands in a table, by these columns; few values are said as literals too, to read less."""
        names = list(columns)
        if table not in self._known:
            self._known[table] = constraints_of(self.connection, table, names)
        narrow = [
            one.on(f"{alias}.{quote(name)}")
            for name, one in self._known[table].items()
            if name in names and one.values is not None
        ]
        same = " and ".join(f"touched.{quote(one)} is not distinct from {alias}.{quote(one)}" for one in names)
        return " and ".join([*narrow, f"exists (select 1 from {table} as touched where {same})"])

    def described(self, relation: Relation) -> dict[str, Any]:
        table = self.touched[relation.name]
        source = quoted(relation.name) if table is None else table
        rows_count = self.connection.execute(f"select count(*) from {source}").fetchall()[0][0]
        all_count = self.connection.execute(f"select count(*) from {quoted(relation.name)}").fetchall()[0][0]
        keys = [name for name, column in relation.columns.items() if column["type"] in ("VARCHAR", "DATE", "BIGINT")][
            :5
        ]
        cursor = self.connection.execute(
            f"select {', '.join(quote(one) for one in keys)} from {source} order by all limit {_SHOWN_ROWS}"
        )
        rows = [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()] if table is not None else []
        return {
            "relation": relation.name, "title_zh": relation.meta.get("title_zh", ""),
            "title_en": relation.meta.get("title_en", ""), "rows_count": rows_count, "all_rows_count": all_count,
            "is_whole": table is None, "rows": rows,
        }  # fmt: skip

    def values(self, name: str, column: str) -> list[str]:
        table = self.touched.get(name)
        if name not in self.touched:
            return []
        source = quoted(name) if table is None else table
        rows = self.connection.execute(f"select distinct {quote(column)} from {source} order by 1").fetchall()
        return [str(row[0]) for row in rows]


class _Reach:
    """One model: from touched rows of what it reads to touched outputs."""

    def __init__(self, forward: _Forward, relation: Relation, blocks: ModelBlocks) -> None:
        self.forward = forward
        self.relation = relation
        self.blocks = blocks
        # By query, SELECTs of the identifying columns of touched rows; None: all of its rows.
        self.found: dict[str, list[tuple[str, tuple[str, ...]]] | None] = {}
        self.tables: dict[str, str] = {}
        self.inlined: set[str] = set()

    def touched_outputs(self) -> list[tuple[str, tuple[str, ...]]] | None:
        for query in self.blocks.queries.values():
            self.found[query.name] = self._of_query(query)
        return self.found[self.blocks.main.name]

    def _of_query(self, query: Query) -> list[tuple[str, tuple[str, ...]]] | None:
        selects: list[tuple[str, tuple[str, ...]]] = []
        for block in query.blocks:
            found = self._of_block(block)
            if found is None:
                return None
            selects += found
        return selects

    def _of_block(self, block: Block) -> list[tuple[str, tuple[str, ...]]] | None:
        if block.is_opaque:
            touched = any(self._is_touched(one.relation, one.query) for one in block.sources)
            return None if touched else []
        for name, output in block.nested:
            if self.found[name] is None or self.found[name]:
                if output is None or not any(isinstance(one, exp.Literal) for one in block.outputs.values()):
                    return None
                # A scalar beside constants: the constants say which row it is.
                kept = {key: one for key, one in block.outputs.items() if isinstance(one, exp.Literal)}
                if any(self._gives_row(name)):
                    return [(f"select {', '.join(f'{text_of(one)} as {quote(key)}' for key, one in kept.items())}",
                             tuple(kept))]  # fmt: skip
        if block.is_aggregated and not block.group:
            return self._of_total(block)
        stable = self._stable(block)
        selects = []
        for source in block.sources:
            if not self._is_touched(source.relation, source.query):
                continue
            if not stable:
                return None
            texts = [f"{text_of(one)} as {quote(name)}" for name, one in stable.items()]
            where = self._where(block)
            conditions = [*([where] if where else []), self._touches(block, source.alias)]
            selects.append((f"select distinct {', '.join(texts)} {self._from(block)} where {' and '.join(conditions)}",
                            tuple(stable)))  # fmt: skip
        return selects

    def _of_total(self, block: Block) -> list[tuple[str, tuple[str, ...]]] | None:
        """A total over everything: worked out without the touched rows, it tells whether they made a difference."""
        touched = [one for one in block.sources if self._is_touched(one.relation, one.query)]
        if not touched:
            return []
        where = [one for one in [self._where(block)] if one]
        texts = ", ".join(text_of(one) for one in block.outputs.values())
        without = [f"not coalesce({self._touches(block, one.alias)}, false)" for one in touched]
        found = [
            self.forward.connection.execute(
                f"select {texts} {self._from(block)}{' where ' if conditions else ''}{' and '.join(conditions)}"
            ).fetchall()
            for conditions in (where, [*where, *without])
        ]
        return [] if found[0] == found[1] else None

    def _gives_row(self, name: str) -> list[bool]:
        found = self.found[name]
        if found is None:
            return [True]
        return [bool(self.forward.connection.execute(f"select 1 from ({sql}) limit 1").fetchone()) for sql, _ in found]

    def _stable(self, block: Block) -> dict[str, exp.Expr]:
        """The outputs that a touched row's own values give."""
        grouped = {text_of(one) for one in block.group}
        stable: dict[str, exp.Expr] = {}
        for name, one in block.outputs.items():
            if has_aggregate(one) or has_window(one) or one.find(exp.Unnest, exp.Explode, exp.Select, exp.Div):
                continue
            if block.is_aggregated and text_of(one) not in grouped:
                continue
            if not all(text_of(one) in {text_of(other) for other in parts} for parts in block.partitions):
                continue
            # What a group is named by is stable whatever it is; of single rows, what is taken over or only cut.
            if not block.is_aggregated and not isinstance(one, _TAKEN_OVER):
                continue
            if any(self._is_float(block, column) for column in one.find_all(exp.Column)):
                continue
            stable[name] = one
        return stable

    def _is_float(self, block: Block, column: exp.Column) -> bool:
        source = block.source(column.table)
        if source is None or source.relation is None:
            return self.relation.columns.get(column.name, {}).get("type") in _FLOATS
        return self.forward.tracer.types.get(source.relation, {}).get(column.name) in _FLOATS

    def _is_touched(self, relation: str | None, query: str | None) -> bool:
        if query is not None:
            return self.found[query] is None or bool(self.found[query])
        return relation in self.forward.touched

    def _is_whole(self, relation: str | None, query: str | None) -> bool:
        if query is not None:
            return self.found[query] is None
        return self.forward.touched.get(relation or "") is None

    def _touches(self, block: Block, alias: str) -> str:
        source = block.source(alias)
        if source is None or self._is_whole(source.relation, source.query):
            return "true"
        if source.query is not None:
            parts = [
                self.forward.is_in(self._table_of(select), on, quote(alias))
                for select, on in self.found[source.query] or []
            ]
            return f"(({') or ('.join(parts)}))"
        relation = str(source.relation)
        columns = [name for name, kind in self.forward.tracer.types[relation].items() if kind not in _FLOATS]
        identity = [one for one in ("_file_id", "_row_number") if one in columns]
        return f"({self.forward.is_in(str(self.forward.touched[relation]), identity or columns, quote(alias))})"

    def _table_of(self, select: str) -> str:
        if select not in self.tables:
            self.tables[select] = self.forward.worked_out(select)
        return self.tables[select]

    def _where(self, block: Block) -> str | None:
        where = block.select.args.get("where")
        if where is None or where.this.find(exp.Select) is not None:
            return None
        return f"({text_of(where.this)})"

    def _from(self, block: Block) -> str:
        text = ""
        for source in block.sources:
            name = self._inline(source.query) if source.query else f'"warehouse".{quoted(source.relation or "")}'
            item = f"{name} as {quote(source.alias)}"
            if source.join is None:
                text = f"from {item}"
                continue
            on = source.join.args.get("on")
            text += f" cross join {item}" if on is None else f" {source.side or 'inner'} join {item} on {text_of(on)}"
        return text

    def _inline(self, query: str) -> str:
        """A query of the model worked out whole, once."""
        table = f"{_TOUCHED}.{quote(f'{self.relation.name} {query}')}"
        if query not in self.inlined:
            blocks = self.blocks.queries[query].blocks
            selects = [self._whole_block(block, self.blocks.queries[query]) for block in blocks]
            # What only renames and filters is read in place: then no more of it is read than is asked for.
            is_light = len(blocks) == 1 and len(blocks[0].sources) == 1 and not (
                blocks[0].is_aggregated or blocks[0].partitions or blocks[0].is_opaque
            )  # fmt: skip
            kind = "view" if is_light else "table"
            self.forward.connection.execute(f"create {kind} {table} as {' union all '.join(selects)}")
            self.inlined.add(query)
        return table

    def _whole_block(self, block: Block, query: Query) -> str:
        catalogue, _, schema = _TOUCHED.partition(".")
        names = {}
        for short, long in block.known.items():
            if any(not one.db and one.name == short for one in block.select.find_all(exp.Table)):
                self._inline(long)
                names[short] = (catalogue, schema, f"{self.relation.name} {long}")
        copy = with_tables(block.select, names)
        # A query that is no select (unpivot) names its columns itself; here nobody knows them.
        listed = f"({', '.join(quote(one) for one in query.columns)})" if query.columns else ""
        return f"(select * from ({text_of(copy)}) as part{listed})"

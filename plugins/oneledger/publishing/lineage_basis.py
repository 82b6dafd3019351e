"""What a version needs so that any of its numbers can be followed back: all SQL, all rules, all admitted rows.

Written into ``<version>/lineage/``:

``models.json``   every model and rule table of the build: relation, how it is materialized, what it reads, its SQL
                  (of an incremental model that which builds all of it), the file in the dbt project, its
                  descriptions, and the types of its columns
``semantic_manifest.json``   the metrics of the marts as the build read them (``oneledger.metrics`` answers from it)
``seeds/*.csv``   the bytes of every seed: rules and reference tables
``checks.parquet``  the result of every single check of the gates that let the version through
``inputs/<schema>.<table>/<part>.parquet``   what the models read and no model makes: the admitted rows with their row
                  identity, and what the nightly noted about sources. Part ``all``, or a month (``yyyy-mm``) of a large
                  table; a part that did not change is shared with the version before, not copied

Daily usage is not among the inputs: ``facts/fct_app_usage_day`` holds the same rows, with the same identity.
``oneledger.lineage`` reads all of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from oneledger.publishing.content import quote
from oneledger.publishing.versions import PublishedVersion
from oneledger.warehouse.built_models import BuiltModel, last_build
from oneledger.warehouse.semantic_manifest import last_semantic_manifest

FOLDER = "lineage"
MODELS_FILE = "models.json"
CHECKS_FILE = "checks.parquet"
SEMANTIC_MANIFEST_FILE = "semantic_manifest.json"
SEEDS_DIR = "seeds"
INPUTS_DIR = "inputs"
USAGE = "admitted.usage"
WHOLE = "all"
# About the installation's own runs: marts.run_outcome holds all of it.
_LEFT_OUT = frozenset({"control.outcome", "control.pending_date"})
# What was refused may have been refused for being personal.
_LEFT_OUT_COLUMNS = {"quarantine.row": ("received", "value", "record_key")}
# A table of more rows is kept by month, so that a night writes the months that changed.
_ROWS_OF_ONE_PART = 200_000
# What is looked for stands together, so that a reader skips what it does not look for.
SORTED_BY = ("app_id", "project_id", "data_resource_id")
_PARQUET = "format parquet, compression zstd, row_group_size 122880"


@dataclass(frozen=True)
class InputPart:
    """One file of one input. ``fingerprint`` is equal for equal rows, read by the same contract."""

    relation: str
    part: str
    rows_count: int
    fingerprint: str

    @property
    def file(self) -> str:
        return f"{FOLDER}/{INPUTS_DIR}/{self.relation}/{self.part}.parquet"


def write_lineage(
    connection: duckdb.DuckDBPyConnection, version_folder: Path, *, previous: PublishedVersion | None
) -> list[dict[str, Any]]:
    """Write ``lineage/`` into a version in the making.

    Returns:
        The parts of the inputs, as the version's manifest lists them.
    """
    built = last_build(connection)
    if not built:
        return []
    folder = version_folder / FOLDER
    (folder / SEEDS_DIR).mkdir(parents=True)
    for seed in built:
        if seed.is_seed:
            (folder / SEEDS_DIR / str(seed.file_name)).write_bytes(seed.content or b"")
    metrics = last_semantic_manifest(connection)
    if metrics is not None:
        (folder / SEMANTIC_MANIFEST_FILE).write_text(metrics, encoding="utf-8")
    inputs = _inputs(connection, built)
    known = _known_parts(previous)
    parts = [
        part for relation in inputs for part in _write_input(connection, version_folder, relation, known, previous)
    ]
    _write_checks(connection, folder / CHECKS_FILE)
    content = {
        "models": [_described(connection, one) for one in built if one.materialized != "macro"],
        "inputs": [{"relation": one, "columns": _columns(connection, _source_of(one))} for one in inputs],
    }
    (folder / MODELS_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [{**asdict(one), "file": one.file} for one in parts]


def _write_checks(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    known = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() and schema_name = 'checks'"
        " and table_name in ('gate', 'result')"
    ).fetchall()
    if known[0][0] < 2:
        return  # no gate was ever run on this warehouse
    connection.execute(
        "copy (select result.gate, result.check_id, result.entity, result.title_zh, result.title_en, result.severity,"
        " result.is_passed, result.observed, result.expected, result.checked_at, result.run_id"
        " from checks.result as result inner join checks.gate as gate"
        " on result.gate = gate.gate and result.run_id = gate.run_id"
        " order by result.is_passed, result.severity, result.gate desc, result.check_id, result.entity)"
        f" to '{str(path).replace(chr(39), chr(39) * 2)}' ({_PARQUET})"
    )


def described_alike(one: Path, other: Path) -> bool:
    """Whether two version folders tell the same of their models: descriptions, titles, types, what each reads.

    The SQL is left out: of an incremental model it is that of the last full build, and what counts of it shows in the
    content.
    """
    return _told(one) == _told(other)


def _told(version_folder: Path) -> Any:
    path = version_folder / FOLDER / MODELS_FILE
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return [{key: value for key, value in model.items() if key != "sql"} for model in content["models"]]


def _described(connection: duckdb.DuckDBPyConnection, one: BuiltModel) -> dict[str, Any]:
    described = one.described.get("columns", {})
    return {
        "relation": one.relation,
        "materialized": one.materialized,
        "file": one.file_name,
        "reads": list(one.reads),
        "description": one.described.get("description", ""),
        "meta": one.described.get("meta", {}),
        "columns": {
            name: {"type": kind, **described.get(name, {"description": "", "meta": {}})}
            for name, kind in _columns(connection, one.relation).items()
        },
        "sql": one.sql,
    }


def _inputs(connection: duckdb.DuckDBPyConnection, built: Sequence[BuiltModel]) -> list[str]:
    """The relations that models read and no model or seed makes, in alphabetical order."""
    made = {one.relation for one in built}
    read = {relation for one in built for relation in one.reads}
    present = {
        f"{schema}.{name}"
        for schema, name in connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
        ).fetchall()
    }
    return sorted((read - made - _LEFT_OUT - {USAGE}) & present) + (
        [f"{USAGE}_of_periods"] if USAGE in read & present else []
    )


def _source_of(relation: str) -> str:
    """The rows of an input, as SQL; days of usage lie in the daily facts, so only other periods are kept here."""
    if relation == f"{USAGE}_of_periods":
        return f"(select * from {_quoted(USAGE)} where period_grain <> 'day')"
    left_out = _LEFT_OUT_COLUMNS.get(relation)
    return f"(select * exclude ({', '.join(left_out)}) from {_quoted(relation)})" if left_out else _quoted(relation)


def _write_input(
    connection: duckdb.DuckDBPyConnection,
    version_folder: Path,
    relation: str,
    known: dict[tuple[str, str], InputPart],
    previous: PublishedVersion | None,
) -> list[InputPart]:
    source = _source_of(relation)
    columns = _columns(connection, source)
    month = _month_of(connection, source, columns)
    contract = _contracts_of(connection, relation)
    found = connection.execute(
        f"select {month} as part, count(*), {_fingerprint(columns)} from {source} as input group by part order by part"
    ).fetchall()
    if not found:
        found = [(WHOLE, 0, "0")]
    (version_folder / FOLDER / INPUTS_DIR / relation).mkdir(parents=True)
    parts = []
    for name, rows_count, fingerprint in found:
        one = InputPart(relation, name, rows_count, f"{fingerprint}-{contract}")
        path = version_folder / one.file
        if previous is not None and known.get((relation, name)) == one:
            os.link(previous.path / one.file, path)
        else:
            connection.execute(
                f"copy (select * from {source} as input where {month} = '{name}' order by {_order(columns)})"
                f" to '{str(path).replace(chr(39), chr(39) * 2)}' ({_PARQUET})"
            )
        parts.append(one)
    return parts


def _month_of(connection: duckdb.DuckDBPyConnection, source: str, columns: dict[str, str]) -> str:
    """SQL that gives the part of a row."""
    dates = [name for name, kind in columns.items() if kind == "DATE" and not name.startswith("_")]
    rows_count = connection.execute(f"select count(*) from {source} as input").fetchall()[0][0]
    if not dates or rows_count <= _ROWS_OF_ONE_PART:
        return f"'{WHOLE}'"
    return f"coalesce(strftime({quote(dates[0])}, '%Y-%m'), 'none')"


def _fingerprint(columns: dict[str, str]) -> str:
    """An admitted row never changes under its identity; other tables are small, so all of the row counts."""
    identity = [one for one in ("_file_id", "_row_number", "_is_omitted") if one in columns]
    counted = identity if "_file_id" in identity else list(columns)
    return f"coalesce(bit_xor(hash({', '.join(quote(one) for one in counted)})), 0)::varchar"


def _order(columns: dict[str, str]) -> str:
    if "_file_id" not in columns:
        return "all"
    keys = [one for one in SORTED_BY if one in columns]
    return ", ".join(quote(one) for one in (*keys, "_file_id", "_row_number"))


def _contracts_of(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """By what contracts of the catalogue the rows of an admitted table were read."""
    schema, _, name = relation.partition(".")
    if schema != "admitted":
        return "none"
    source, _, entity = name.partition("__")
    where = "source = ? and entity = ?" if entity else "true"
    found = connection.execute(
        "select md5(coalesce(string_agg(distinct contract_hash, ',' order by contract_hash), ''))"
        f" from control.admitted_batch where {where}",
        [source, entity] if entity else [],
    ).fetchall()[0][0]
    released = connection.execute(
        "select md5(coalesce(string_agg(distinct release_id, ',' order by release_id), '')) from control.released_row"
        f" where {where}",
        [source, entity] if entity else [],
    ).fetchall()[0][0]
    return f"{found[:12]}-{released[:12]}"


def _known_parts(previous: PublishedVersion | None) -> dict[tuple[str, str], InputPart]:
    if previous is None:
        return {}
    parts = [
        InputPart(one["relation"], one["part"], one["rows_count"], one["fingerprint"])
        for one in previous.manifest.get("lineage") or []
    ]
    return {(one.relation, one.part): one for one in parts}


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    source = relation if relation.startswith(("(", '"')) else _quoted(relation)
    return {row[0]: row[1] for row in connection.execute(f"describe select * from {source} as described").fetchall()}


def _quoted(relation: str) -> str:
    schema, _, name = relation.partition(".")
    return f"{quote(schema)}.{quote(name)}"

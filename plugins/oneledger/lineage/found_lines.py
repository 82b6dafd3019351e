"""The ends of a trace: the landed files and lines, the lines of rule files, what the nightly noted."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oneledger.catalogue import Catalogue, Entity
from oneledger.landing.manifest import read_manifest
from oneledger.lineage.ground import quoted
from oneledger.lineage.landed_lines import LandedFileLines, batch_folder, read_landed_lines
from oneledger.lineage.literals import text_literal, texts_literal
from oneledger.lineage.tracing import Step, Tracer
from oneledger.publishing.content import quote
from oneledger.publishing.lineage_basis import FOLDER, SEEDS_DIR
from oneledger.quality.personal_data import masked
from oneledger.settings import ConfigurationError, Settings

_IDENTITY = ("_batch_id", "_file_id", "_row_number")
# Files are compared with their manifests as long as that takes a moment.
_MOST_BYTES_HASHED = 200_000_000


@dataclass(frozen=True)
class FoundFile:
    """A landed file, and how many of its records stand behind the number."""

    file_id: str
    batch_id: str
    lines_count: int


def landed_files(tracer: Tracer, step: Step) -> list[FoundFile]:
    """The files behind the found rows of an admitted table, in order."""
    rows = tracer.connection.execute(
        f"select _file_id, any_value(_batch_id), count(distinct _row_number) from {tracer.table_of(step.relation.name)}"
        " group by _file_id order by _file_id"
    ).fetchall()
    return [FoundFile(*row) for row in rows]


def is_landed(tracer: Tracer, step: Step) -> bool:
    """Whether the rows of this input carry the identity of a landed record."""
    types = tracer.types.get(step.relation.name, {})
    return step.relation.kind == "input" and all(one in types for one in _IDENTITY)


def landed(
    tracer: Tracer, settings: Settings, catalogue: Catalogue, step: Step, *, lines: int | None
) -> dict[str, Any]:
    """The landed records behind the found rows of one admitted table.

    Args:
        lines: how many records are shown; None for all.

    Returns:
        ``relation, entity titles, rows_count, lines_count, files_count, used`` (headings whose value counted),
        ``files`` (each file with hash, state and the shown ``lines``) and ``problems``.
    """
    files = landed_files(tracer, step)
    entity = _entity(catalogue, step, files)
    problems: list[str] = []
    shown: list[dict[str, Any]] = []
    left = sum(one.lines_count for one in files) if lines is None else lines
    counted = _counted(settings, files)
    asked: dict[str, list[int]] = {}
    for one in files:
        wanted = _row_numbers(tracer, step, one, left)
        left -= len(wanted)
        if wanted or one.file_id not in counted:
            asked[one.file_id] = wanted
    with ThreadPoolExecutor(max_workers=settings.threads) as pool:
        read = pool.map(lambda item: read_landed_lines(settings, catalogue, *item), asked.items())
        found = dict(zip(asked, read, strict=True))
    for one in files:
        is_read = one.file_id in found
        shown.append(_described(tracer, one, found[one.file_id]) if is_read else counted[one.file_id])
        if shown[-1].get("problem"):
            problems.append(str(shown[-1]["problem"]))
    return {
        "relation": step.relation.name,
        "entity": entity.full_id if entity else None,
        "title_zh": entity.title_zh if entity else "",
        "title_en": entity.title_en if entity else "",
        "rows_count": step.rows_count,
        "lines_count": sum(one.lines_count for one in files),
        "files_count": len(files),
        "used": _used_headings(entity, step.columns) if entity else [],
        "files": shown,
        "problems": problems,
    }


def _entity(catalogue: Catalogue, step: Step, files: Sequence[FoundFile]) -> Entity | None:
    if not files:
        return None
    source, entity, _ = files[0].batch_id.split(".", 2)
    try:
        return catalogue.entity(source, entity)
    except ConfigurationError:
        return None


def _used_headings(entity: Entity, columns: set[str]) -> list[str]:
    return [
        str(column.source_name)
        for column in entity.delivered_columns
        if column.name in columns and column.source_name is not None
    ]


def _row_numbers(tracer: Tracer, step: Step, file: FoundFile, most: int) -> list[int]:
    if most <= 0:
        return []
    rows = tracer.connection.execute(
        f"select distinct _row_number from {tracer.table_of(step.relation.name)}"
        f" where _file_id = {text_literal(file.file_id)} order by _row_number limit {most}"
    ).fetchall()
    return [int(row[0]) for row in rows]


def _counted(settings: Settings, files: Sequence[FoundFile]) -> dict[str, dict[str, Any]]:
    """The files without their lines: what the manifest says, and whether the bytes are still what it says."""
    found: dict[str, dict[str, Any]] = {}
    size = 0
    todo: list[tuple[FoundFile, Path, dict[str, Any], bool]] = []
    for one in files:
        folder = batch_folder(settings, one.batch_id)
        if not (folder / "manifest.json").is_file():
            continue
        manifest = read_manifest(folder)
        name = one.file_id.rpartition("/")[2]
        file = next((item for item in manifest.files if item.name == name), None)
        if file is None:
            continue
        size += file.size_bytes
        todo.append((one, folder / name, {
            "source": manifest.source, "entity": manifest.entity, "business_on": manifest.business_on.isoformat(),
            "source_name": file.source_name, "size_bytes": file.size_bytes, "sha256": file.sha256,
            "extracted_at": manifest.extracted_at, "correction": manifest.correction,
        }, size <= _MOST_BYTES_HASHED))  # fmt: skip
    with ThreadPoolExecutor(max_workers=settings.threads) as pool:
        states = pool.map(lambda item: _is_as_received(item[1], item[2]["sha256"]) if item[3] else None, todo)
    for (one, path, about, _), state in zip(todo, states, strict=True):
        problem = None if state is not False else f"{path.name} of {one.batch_id} is not what was received"
        found[one.file_id] = {
            "file_id": one.file_id, "batch_id": one.batch_id, "lines_count": one.lines_count, **about,
            "is_as_received": state, "lines": [], "problem": problem,
        }  # fmt: skip
    return found


def _is_as_received(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _described(tracer: Tracer, file: FoundFile, found: LandedFileLines | None) -> dict[str, Any]:
    if found is None:
        return {
            "file_id": file.file_id, "batch_id": file.batch_id, "lines_count": file.lines_count, "lines": [],
            "is_as_received": None, "problem": f"batch {file.batch_id} is not in landing any more",
        }  # fmt: skip
    about = asdict(found)
    return {**about, "path": str(found.path), "lines_count": file.lines_count, "lines": _masked(tracer, about["lines"])}


def _masked(tracer: Tracer, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines as they are shown and handed over: the middle of what has the form of a personal number as stars."""
    texts = [one["text"] for one in lines] + [cell for one in lines for cell in one["cells"].values() if cell]
    if not texts:
        return lines
    rows = tracer.connection.execute(
        f"select line, {masked('line')} from (select distinct unnest({texts_literal(texts)}) as line)"
    ).fetchall()
    shown = dict(rows)
    return [
        {
            **one,
            "text": shown[one["text"]],
            "cells": {name: shown[cell] if cell else cell for name, cell in one["cells"].items()},
            "is_masked": shown[one["text"]] != one["text"],
        }
        for one in lines
    ]


def rule_lines(tracer: Tracer, step: Step) -> dict[str, Any]:
    """The found rows of a rule or reference table, each with its line in the file that the version carries."""
    name = step.relation.name
    columns = list(step.relation.columns)
    same = " and ".join(f"seed.{quote(one)} is not distinct from found.{quote(one)}" for one in columns)
    cursor = tracer.connection.execute(
        f"select seed.* from (select row_number() over (order by rowid) - 1 as __place, * from {quoted(name)}) as seed"
        f" where exists (select 1 from {tracer.table_of(name)} as found where {same}) order by seed.__place"
    )
    names = [column[0] for column in cursor.description or []][1:]
    path = tracer.models.version.path / FOLDER / SEEDS_DIR / str(step.relation.file)
    rules_dir = tracer.rules_dir
    if rules_dir is not None and (rules_dir / str(step.relation.file)).is_file():
        path = rules_dir / str(step.relation.file)
    places = list(_lines_of(path))
    rows = []
    for position, *values in cursor.fetchall():
        line, text = places[position] if position < len(places) else (None, "")
        rows.append({"line": line, "text": text, "values": dict(zip(names, values, strict=True))})
    return {
        "relation": name,
        "file": step.relation.file,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "used": [one for one in columns if one in step.columns],
        "rows_count": step.rows_count,
        "rows": rows,
    }


def _lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Physical line and text of each record of a CSV file, without the header."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        physical = stream.readlines()
    reader = csv.reader(physical)
    begun = 1
    is_header = True
    for record in reader:
        if record and not is_header:
            yield begun, "".join(physical[begun - 1 : reader.line_num]).rstrip("\r\n")
        is_header = is_header and not record
        begun = reader.line_num + 1

"""The column graph of a published version, worked out once and kept.

A version is read-only, so what was read out of its SQL lies in the state directory, ``lineage/columns-<hash>.json``:
the hash of the version's ``models.json`` and of the code that reads it. Taking the file away costs one more reading.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlglot

from oneledger.catalogue import load_catalogue
from oneledger.lineage.column_graph import ColumnGraph
from oneledger.lineage.columns import ColumnEdge, QueryColumns, column_graph, columns_of_models
from oneledger.lineage.ground import VersionModels, read_models
from oneledger.publishing.lineage_basis import FOLDER, MODELS_FILE
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings

_CODE = (
    "columns.py", "column_queries.py", "column_values.py", "column_sources.py", "column_expressions.py",
    "column_uses.py",
)  # fmt: skip
_KEPT_FILES = 20


def read_graph(settings: Settings, version: PublishedVersion) -> ColumnGraph:
    """The column graph of a version, with today's catalogue at its far end.

    Raises:
        ConfigurationError: the version carries no SQL, or the catalogue is wrong.
        LineageError: of one of its models it cannot be said what its columns come from.
    """
    models = read_models(version)
    return column_graph(models, load_catalogue(settings), kept_columns(settings, models))


def kept_columns(settings: Settings, models: VersionModels) -> dict[str, QueryColumns]:
    """``columns_of_models``, out of the kept file when there is one."""
    content = (models.version.path / FOLDER / MODELS_FILE).read_bytes()
    folder = settings.home / "lineage"
    path = folder / f"columns-{hashlib.sha256(content + _code_hash()).hexdigest()[:16]}.json"
    if path.is_file():
        try:
            return {name: _restored(one) for name, one in json.loads(path.read_text(encoding="utf-8")).items()}
        except (ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)  # cut off or written by hand: it is worked out again
    columns = columns_of_models(models)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: _stored(one) for name, one in columns.items()}, ensure_ascii=False)
    handle, written = tempfile.mkstemp(dir=folder, prefix="columns-", suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(written).replace(path)
    _keep_newest(folder)
    return columns


def _stored(one: QueryColumns) -> dict[str, Any]:
    edges = [{name: value for name, value in asdict(edge).items() if name != "where"} for edge in one.edges]
    return {"columns": one.columns, "edges": edges, "steps": dict(one.steps), "constants": dict(one.constants)}


def _restored(one: dict[str, Any]) -> QueryColumns:
    edges = tuple(ColumnEdge(**{**edge, "expressions": tuple(edge["expressions"])}) for edge in one["edges"])
    steps, constants = ({name: tuple(texts) for name, texts in one[part].items()} for part in ("steps", "constants"))
    return QueryColumns(tuple(one["columns"]), edges, steps, constants)


@lru_cache(maxsize=1)
def _code_hash() -> bytes:
    here = Path(__file__).parent
    code = b"".join((here / name).read_bytes() for name in _CODE)
    return hashlib.sha256(code + sqlglot.__version__.encode()).digest()


def _keep_newest(folder: Path) -> None:
    files = sorted(folder.glob("columns-*.json"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
    for old in files[_KEPT_FILES:]:
        old.unlink(missing_ok=True)

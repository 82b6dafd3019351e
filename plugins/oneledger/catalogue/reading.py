"""Read the catalogue's YAML files, merge them, and remember where in which file each entry stands."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from oneledger.catalogue.columns import ColumnSpec, NumberFormat, Rule, Strict
from oneledger.catalogue.delivery import FilesSpec, FormatSpec, HttpSpec, UnpivotSpec, WorkbookSpec
from oneledger.catalogue.entries import (
    CatalogueEntries,
    EntityEntry,
    Inherited,
    ShapeEntry,
    SourceEntry,
)
from oneledger.settings import ConfigurationError

YamlPath = tuple[str | int, ...]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The model that is read under a key; used to suggest the key that was meant.
_MODELS_UNDER: dict[str, type[Strict]] = {
    "http": HttpSpec, "files": FilesSpec, "format": FormatSpec, "unpivot": UnpivotSpec, "workbook": WorkbookSpec,
    "number_format": NumberFormat, "defaults": Inherited,
}  # fmt: skip
_MODELS_NAMED_UNDER: dict[str, type[Strict]] = {
    "columns": ColumnSpec, "rules": Rule, "entities": EntityEntry, "sources": SourceEntry, "shapes": ShapeEntry,
}  # fmt: skip


@dataclass
class Places:
    """Where each YAML path stands: file and 1-based line; of a path in several files, the last one read."""

    lines: dict[YamlPath, tuple[Path, int]] = field(default_factory=dict)

    def describe(self, path: YamlPath) -> str:
        """``config/sources.yml, line 12, sources.irs.entities.app``; the nearest parent when the path has no line."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        dotted = ".".join(str(part) for part in path) or "(top)"
        if known not in self.lines:
            return dotted
        file, line = self.lines[known]
        return f"{file}, line {line}, {dotted}"


def read_entries(paths: tuple[Path, ...]) -> tuple[CatalogueEntries, Places]:
    """Read and merge the files in order: a later file adds to, or overrides, what an earlier one says.

    Raises:
        ConfigurationError: a file is missing, is no YAML, repeats a key, or says what the schema does not know.
    """
    if not paths:
        raise ConfigurationError("No catalogue file is named. Unset ONELEDGER_CATALOGUE or let it name YAML files.")
    merged: dict[str, Any] = {}
    places = Places()
    for path in paths:
        merged = _merge(merged, _read_file(path, places))
    try:
        return CatalogueEntries.model_validate(merged), places
    except ValidationError as error:
        raise ConfigurationError(_explain(error, places)) from error


def _read_file(path: Path, places: Places) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The catalogue file {path} cannot be read: {error.strerror}. Correct ONELEDGER_CATALOGUE or the file."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The catalogue file {path} is not UTF-8 ({error}). Save it as UTF-8.") from error
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is not None:
            _note_places(root, (), path, places)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no valid YAML: {error}. Correct the file at that place.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}, line 1: a catalogue file is a mapping with version, shapes and sources.")
    return content


def _note_places(node: yaml.Node, path: YamlPath, file: Path, places: Places) -> None:
    places.lines[path] = (file, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen:
                raise ConfigurationError(
                    f"{file}, line {line}: the key {name!r} stands already in line {seen[name]}. Remove one of them."
                )
            seen[name] = line
            _note_places(value, (*path, name), file, places)
            places.lines[(*path, name)] = (file, line)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_places(item, (*path, index), file, places)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _explain(error: ValidationError, places: Places) -> str:
    lines = []
    for problem in error.errors():
        path = tuple(part for part in problem["loc"] if part != "[key]")
        lines.append(f"{places.describe(path)}: {_sentence(problem, path)}")
    head = (
        "The source catalogue is wrong" if len(lines) == 1 else f"The source catalogue is wrong in {len(lines)} places"
    )
    return f"{head}: " + "\n".join(lines)


def _sentence(problem: Any, path: YamlPath) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), _known_keys(path[:-1]), n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        return f"the key {path[-1]!r} is unknown here{meant} docs/sources.md lists every key."
    if kind == "missing":
        return f"the key {path[-1]!r} is missing; add it."
    text = str(problem["msg"]).removeprefix("Value error, ")
    given = problem.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) and repr(given) not in text else ""
    return f"{text}{shown}. docs/sources.md explains this key."


def _known_keys(parent: YamlPath) -> list[str]:
    model: type[Strict] = CatalogueEntries
    if parent:
        model = _MODELS_UNDER.get(str(parent[-1]), CatalogueEntries)
    if len(parent) > 1:
        model = _MODELS_NAMED_UNDER.get(str(parent[-2]), model)
    return [info.alias or name for name, info in model.model_fields.items()]

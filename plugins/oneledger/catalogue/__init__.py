"""The source catalogue: what is read, how it is delivered, what each column means.

``load_catalogue(settings)`` reads ``config/sources.yml`` and ``config/sources.d/*.yml``, validates them
and resolves shapes and defaults. Everything else in the package asks the catalogue, never the files.
"""

from __future__ import annotations

from oneledger.catalogue.columns import UNIT_FACTORS, Column, ColumnType, MissingState, NumberFormat, Reference, Rule
from oneledger.catalogue.decisions import Decisions, DoorProblem, door_problems, remedy_of, worded
from oneledger.catalogue.delivery import FilesSpec, FormatSpec, HttpSpec, SqlSpec, UnpivotSpec, WorkbookSpec
from oneledger.catalogue.models import Catalogue, Entity, Shape, Source
from oneledger.catalogue.reading import read_entries
from oneledger.catalogue.resolving import resolve
from oneledger.settings import Settings

__all__ = [
    "UNIT_FACTORS", "Catalogue", "Column", "ColumnType", "Decisions", "DoorProblem", "Entity", "FilesSpec",
    "FormatSpec", "HttpSpec", "MissingState", "NumberFormat", "Reference", "Rule", "Shape", "Source", "SqlSpec",
    "UnpivotSpec", "WorkbookSpec", "decided", "door_problems", "load_catalogue", "remedy_of", "worded",
]  # fmt: skip


def decided(entity: Entity, connector: str) -> dict[str, str]:
    """What is decided about each problem that can occur with an entity of this connector, by problem."""
    own = {"missing_column": entity.on_missing_column, "new_column": entity.on_new_column}
    said = {**entity.decisions.model_dump(), **own}
    return {name: str(said[name]) for name, problem in door_problems().items() if connector in problem.connectors}


def load_catalogue(settings: Settings) -> Catalogue:
    """Read, validate and resolve the catalogue files that the settings name, in that order.

    Raises:
        ConfigurationError: names file, line and YAML path of everything that is wrong, and what to do.
    """
    entries, places = read_entries(settings.catalogue_paths)
    return resolve(entries, places, settings.catalogue_paths)

"""Checks events against the JSON schemas of OpenLineage, without a network."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPEC = Path(__file__).parent / "spec"
_RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_BASE_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/BaseFacet"
# Schemas of facets that dbt's and Airflow's integrations add, as their packages bring them.
_MORE = (("openlineage.common", "schema"), ("airflow.providers.openlineage", "facets"))
_FACETS_AT = ("facets", "inputFacets", "outputFacets")


@dataclass
class Checked:
    """What checking found: ``problems``, and the facets whose schema nobody brought, so that only their base was."""

    problems: list[str] = field(default_factory=list)
    without_schema: set[str] = field(default_factory=set)


class EventChecker:
    """Reads the schemas once, for any number of events."""

    def check(self, event: Any) -> Checked:
        """Check the event as a whole and each facet against the schema that it names."""
        found = Checked()
        if not isinstance(event, dict):
            found.problems.append("it is no JSON object")
            return found
        found.problems += self._errors(_RUN_EVENT, event, "event")
        for place, name, facet in _facets(event):
            url = str(facet.get("_schemaURL", "")) if isinstance(facet, Mapping) else ""
            known = self._known(url)
            if known is None:
                found.without_schema.add(url)
            found.problems += self._errors(known or _BASE_FACET, facet, f"{place}.{name}")
        return found

    def _known(self, url: str) -> str | None:
        """The reference to a schema that we have.

        A facet may name a later minor version than the copied one: such versions only add optional fields.
        """
        address, fragment = urldefrag(url)
        name = address.rpartition("/")[2]
        if address in self._schemas:
            return url
        if name not in self._by_name:
            return None
        held = self._by_name[name]
        if address.startswith("https://openlineage.io/spec/facets/") and _major(address) != _major(held):
            return None
        return f"{held}#{fragment}"

    def _errors(self, reference: str, instance: Any, place: str) -> list[str]:
        if reference not in self._validators:
            self._validators[reference] = Draft202012Validator(
                {"$ref": reference}, registry=self._registry, format_checker=_formats()
            )
        errors = self._validators[reference].iter_errors(instance)
        return [f"{place}{''.join(f'.{part}' for part in one.absolute_path)}: {one.message[:200]}" for one in errors]

    @cached_property
    def _validators(self) -> dict[str, Draft202012Validator]:
        return {}

    @cached_property
    def _schemas(self) -> dict[str, Any]:
        schemas = {}
        for path in (*SPEC.rglob("*.json"), *_more_schemas()):
            content = json.loads(path.read_text(encoding="utf-8"))
            schemas[content.get("$id") or path.as_uri()] = content
            self._by_name[path.name] = content.get("$id") or path.as_uri()
        return schemas

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {}

    @cached_property
    def _registry(self) -> Registry[Any]:
        registry: Registry[Any] = Registry()
        return registry.with_resources(
            (address, Resource.from_contents(content, default_specification=DRAFT202012))
            for address, content in self._schemas.items()
        )


def _facets(event: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for place in ("run", "job"):
        for name, facet in ((event.get(place) or {}).get("facets") or {}).items():
            yield place, name, facet
    for place in ("inputs", "outputs"):
        for dataset in event.get(place) or []:
            for kind in _FACETS_AT:
                for name, facet in (dataset.get(kind) or {}).items():
                    yield f"{place}[{dataset.get('name')}].{kind}", name, facet


def _more_schemas() -> Iterator[Path]:
    for package, folder in _MORE:
        if find_spec(package.partition(".")[0]) is not None and find_spec(package) is not None:
            yield from (Path(str(one)) for one in resources.files(package).joinpath(folder).iterdir()
                        if one.name.endswith(".json"))  # fmt: skip


def _major(address: str) -> str:
    return address.rpartition("/")[0].rpartition("/")[2].partition("-")[0]


def _formats() -> FormatChecker:
    checker = FormatChecker()

    @checker.checks("date-time", raises=ValueError)
    def _is_instant(value: object) -> bool:
        return not isinstance(value, str) or dt.datetime.fromisoformat(value).tzinfo is not None

    @checker.checks("uri", raises=ValueError)
    def _is_uri(value: object) -> bool:
        return not isinstance(value, str) or bool(urlsplit(value).scheme)

    return checker

"""The catalogue of metrics as ``dbt_project/macros/metrics.sql`` defines it, read without dbt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from oneledger.settings import ConfigurationError


@dataclass(frozen=True)
class Metric:
    """One metric: base ones read a ``mart``, derived ones divide the values of two others.

    Attributes:
        definition: everything that the macro says of it, as text.
        line: line of the macro file on which the definition begins.
    """

    metric_id: str
    definition: dict[str, Any] = field(hash=False)
    line: int = field(compare=False)

    @property
    def parents(self) -> tuple[str, ...]:
        """The metrics that a derived one is made of; empty for a base metric."""
        named = (self.definition.get("numerator_metric"), self.definition.get("denominator_metric"))
        return tuple(name for name in named if name)

    @property
    def is_derived(self) -> bool:
        return bool(self.parents)


def read_metrics(path: Path) -> tuple[Metric, ...]:
    """All metrics of the macro file, in its order.

    Raises:
        ConfigurationError: the file is missing or is not a macro ``metrics()`` that returns a list of definitions.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}. It must define the macro metrics().") from error
    returned: list[Any] = []

    def keep(value: Any) -> str:
        returned.append(value)
        return ""

    # SQL, never shown as HTML: escaping would turn its signs into entities.
    environment = jinja2.Environment(  # noqa: S701
        undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"]
    )
    environment.globals["return"] = keep
    try:
        environment.from_string(text).module.metrics()  # type: ignore[attr-defined]
    except (jinja2.TemplateError, AttributeError) as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise ConfigurationError(
            f"{path}{line} does not define the macro metrics(): {error}. Correct the file."
        ) from error
    if not returned or not isinstance(returned[0], list) or not all(isinstance(one, dict) for one in returned[0]):
        raise ConfigurationError(f"{path}: metrics() must return a list of definitions. Correct the file.")
    return tuple(
        Metric(str(one.get("metric_id", "")), {str(key): value for key, value in one.items()},
               _line_of(text, str(one.get("metric_id", ""))))
        for one in returned[0]
    )  # fmt: skip


def _line_of(text: str, metric_id: str) -> int:
    found = re.search(rf"'metric_id':\s*'{re.escape(metric_id)}'", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1

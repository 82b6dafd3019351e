"""What a gate demands, read from ``expectations/<gate>.yml``, and what came out of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from oneledger.quality.gate_state import Gate
from oneledger.settings import ConfigurationError

Severity = Literal["fail", "warn"]


@dataclass(frozen=True)
class Wording:
    """How a check speaks to people. ``{name}`` in ``observed`` stands for a column of the evidence."""

    title_zh: str
    title_en: str
    remedy_zh: str
    remedy_en: str
    observed: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Check:
    """One check: a query that gives the evidence, and the expectation that Great Expectations holds it to.

    Attributes:
        check_id: its name; with ``entity`` it names one series of results over time.
        evidence: SQL with one row a judged thing and a column ``entity``; or the name of a generated evidence
            (``natural_keys``, ``references``, ``row_rules``, ``batch_counts`` …).
        expectation: the Great Expectations type, its column and arguments.
        needs: tables (``schema.name``) without which the check does not apply.
        count_column: the column whose sum over the unexpected rows is the number of failures; else they are counted.
        owner: who acts; ``source`` means the owner of the source that the entity belongs to.
    """

    check_id: str
    severity: Severity
    evidence: str
    expectation: dict[str, Any]
    wording: Wording
    owner: str
    needs: tuple[str, ...] = ()
    is_generated: bool = False
    count_column: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """One row of ``checks.result``. ``since`` is when it was first seen failing without a pass between (UTC).

    ``judged_count`` things were judged, ``unexpected_count`` of them (or of what they count) were not as expected;
    ``expectation`` is the JSON of the Great Expectations type and its arguments, for Data Docs.
    """

    gate: Gate
    check_id: str
    entity: str | None
    severity: Severity
    is_passed: bool
    observed: str
    expected: str
    owner: str
    title_zh: str
    title_en: str
    remedy_zh: str
    remedy_en: str
    unexpected_count: int = 0
    judged_count: int = 0
    expectation: str = "{}"
    since: dt.datetime | None = None
    tolerated: str = ""

    @property
    def blocks(self) -> bool:
        """Whether this result alone closes the gate."""
        return not self.is_passed and self.severity == "fail" and not self.tolerated


@dataclass(frozen=True)
class GateReport:
    """What a gate said. ``is_open`` is False when a check of severity fail did not pass and is not tolerated."""

    gate: Gate
    run_id: str
    as_of: dt.date | None
    results: tuple[CheckResult, ...]

    @property
    def is_open(self) -> bool:
        return not any(result.blocks for result in self.results)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """What did not pass; what blocks comes first."""
        found = [result for result in self.results if not result.is_passed]
        return tuple(sorted(found, key=lambda one: (not one.blocks, one.severity, one.check_id, one.entity or "")))


_WORDS = ("title_zh", "title_en", "remedy_zh", "remedy_en", "observed", "expected")
_KEYS = {
    "id",
    "severity",
    "evidence",
    "generated",
    "expectation",
    "needs",
    "owner",
    "parameters",
    "count_column",
    *_WORDS,
}


def load_checks(folder: Path, gate: Gate) -> list[Check]:
    """The checks of ``<folder>/<gate>.yml``.

    Raises:
        ConfigurationError: names the file, the check and what is wrong with it.
    """
    path = folder / f"{gate}.yml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} does not exist: the gate {gate} has no checks. Restore it.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}. Correct it there.") from error
    checks = [_check(entry, path) for entry in (content or {}).get("checks", [])]
    names = [check.check_id for check in checks]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not checks or repeated:
        raise ConfigurationError(f"{path}: {'check ids repeat: ' + ', '.join(repeated) if repeated else 'no checks'}.")
    return checks


def _check(entry: Any, path: Path) -> Check:
    name = entry.get("id", "?") if isinstance(entry, dict) else "?"

    def wrong(problem: str) -> ConfigurationError:
        return ConfigurationError(f"{path}, check {name}: {problem}.")

    if not isinstance(entry, dict):
        raise wrong(f"{entry!r} must be a mapping with {', '.join(sorted(_KEYS))}")
    if unknown := set(entry) - _KEYS:
        raise wrong(f"unknown keys {', '.join(sorted(unknown))}; known are {', '.join(sorted(_KEYS))}")
    if missing := {"id", "severity", "expectation", "owner", *_WORDS} - set(entry):
        raise wrong(f"lacks {', '.join(sorted(missing))}")
    if entry["severity"] not in ("fail", "warn"):
        raise wrong(f"severity is {entry['severity']!r}; it must be fail or warn")
    if ("evidence" in entry) == ("generated" in entry):
        raise wrong("give either evidence (SQL) or generated (natural_keys, references, row_rules, batch_counts)")
    return Check(
        check_id=name,
        severity=entry["severity"],
        evidence=entry.get("evidence") or entry["generated"],
        expectation=entry["expectation"],
        wording=Wording(**{word: entry[word] for word in _WORDS}),
        owner=entry["owner"],
        needs=tuple(entry.get("needs", ())),
        is_generated="generated" in entry,
        parameters=entry.get("parameters", {}),
        count_column=entry.get("count_column"),
    )

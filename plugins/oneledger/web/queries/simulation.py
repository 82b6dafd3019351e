"""A change of rules that a visitor chose on a form, computed as ``oneledger simulate`` computes a draft."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.exceptions import RequestValidationError

from oneledger.evaluation.catalogue_checks import FAMILIES, FULL_POINTS, SIDES
from oneledger.evaluation.draft_text import draft_of
from oneledger.evaluation.engine import published_rules
from oneledger.evaluation.rule_tables import INDICATORS, RuleRow, RuleSet, number_of
from oneledger.evaluation.rules import rescale
from oneledger.evaluation.simulating import simulate
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings

STAR_BANDS = "star_band"
# So many numbers fit the form with room to spare; an address with more was not made by it.
MOST_PARAMETERS = 400
# Each computes in memory of its own; who comes later waits a second or two.
_AT_A_TIME = threading.Semaphore(2)


@dataclass(frozen=True)
class Number:
    """One number of the rules that the form shows.

    Attributes:
        name: of its parameter: ``weight.<family>.<side>.<indicator>`` or ``stars.<stars>``.
        table, key: the row of the rules that it stands in.
        published: what the published rules say; ``value`` what the visitor chose.
    """

    name: str
    table: str
    key: tuple[str, ...]
    title_zh: str
    title_en: str
    published: float
    value: float

    @property
    def is_changed(self) -> bool:
        return self.value != self.published


@dataclass(frozen=True)
class Choice:
    """What a visitor chose: every number of the form, and whether weights are brought back to 100."""

    weights: tuple[Number, ...]
    cut_offs: tuple[Number, ...]
    is_rescaled: bool

    @property
    def changed(self) -> tuple[Number, ...]:
        return tuple(one for one in (*self.weights, *self.cut_offs) if one.is_changed)

    def of_family(self, family: str) -> list[Number]:
        return [one for one in self.weights if one.key[0] == family]

    def sums(self, family: str) -> dict[str, float]:
        """The sum of the weights on each side; 100 is right."""
        return {
            side: round(sum(one.value for one in self.of_family(family) if one.key[1] in (side, "all")), 9)
            for side in SIDES
        }

    @property
    def unsound_families(self) -> list[str]:
        """Families whose weights do not add up to 100."""
        return [family for family in FAMILIES if set(self.sums(family).values()) != {FULL_POINTS}]


@dataclass(frozen=True)
class Simulation:
    """What came out: the draft as YAML, and ``simulate``'s answer about it (None when nothing was changed)."""

    draft: str
    answer: dict[str, Any] | None

    @property
    def item(self) -> dict[str, Any]:
        """The one draft of the answer."""
        return dict(self.answer["items"][0]) if self.answer else {}


_KNOWN = "应为表单中的权重或星级线。 A weight or a line of the published rules, as the form names them."
_WITHIN = f"应为 0 到 {FULL_POINTS:g} 的数。 A number from 0 to {FULL_POINTS:g}."


def choose(rules: RuleSet, given: Iterable[tuple[str, str]], *, is_rescaled: bool) -> Choice:
    """The numbers of the form, changed by the parameters of an address.

    Raises:
        RequestValidationError: a parameter names no number of these rules, or its value is none from 0 to 100.
    """
    known = {one.name: one for one in _published(rules)}
    chosen: dict[str, float] = {}
    problems = []
    for count, (name, text) in enumerate(given):
        value = number_of(text)
        if name not in known or count >= MOST_PARAMETERS:
            problems.append(_problem(name, text, _KNOWN))
        elif value is None or not 0 <= value <= FULL_POINTS:
            problems.append(_problem(name, text, _WITHIN))
        else:
            chosen[name] = value
    if problems:
        raise RequestValidationError(problems[:10])
    numbers = [
        Number(one.name, one.table, one.key, one.title_zh, one.title_en, one.published, chosen.get(name, one.value))
        for name, one in known.items()
    ]
    return Choice(
        tuple(one for one in numbers if one.table == INDICATORS),
        tuple(one for one in numbers if one.table == STAR_BANDS),
        is_rescaled,
    )


def rules_of_version(version: PublishedVersion) -> RuleSet:
    """The rules that a version was built with."""
    return published_rules(version)


def run_simulation(settings: Settings, version: PublishedVersion, rules: RuleSet, choice: Choice) -> Simulation:
    """Compute the chosen rules on a version. Nothing is written but a file that is gone at the end."""
    draft = draft_text(rules, choice)
    if not draft:
        return Simulation("", None)
    with _AT_A_TIME, tempfile.TemporaryDirectory(prefix="oneledger-draft-") as folder:
        path = Path(folder) / "draft.yml"
        path.write_text(draft, encoding="utf-8")
        return Simulation(draft, simulate(settings, path, version=version.version))


def draft_text(rules: RuleSet, choice: Choice) -> str:
    """The choice as a draft for ``evaluate --rules`` and ``simulate --rules``; empty when it changes nothing."""
    changed = _changed(rules, {(one.table, one.key): one.value for one in choice.changed})
    return draft_of(rules, rescale(changed) if choice.is_rescaled else changed)


def _published(rules: RuleSet) -> list[Number]:
    """The numbers in force, in the order of the rules; the highest stars first."""
    weights = [
        _number(f"weight.{row['family']}.{row['side']}.{row['indicator_id']}", INDICATORS, row, "weight")
        for row in rules.rows(INDICATORS)
        if not row["effective_to"]
    ]
    lines = [
        _number(f"stars.{row['stars']}", STAR_BANDS, row, "minimum_score")
        for row in rules.rows(STAR_BANDS)
        if not row["effective_to"]
    ]
    return [*weights, *sorted(lines, key=lambda one: -one.published)]


def _number(name: str, table: str, row: RuleRow, column: str) -> Number:
    value = number_of(row[column]) or 0.0
    return Number(name, table, _key(table, row), row["title_zh"], row["title_en"], value, value)


def _key(table: str, row: RuleRow) -> tuple[str, ...]:
    return (row["family"], row["side"], row["indicator_id"]) if table == INDICATORS else (row["stars"],)


def _changed(rules: RuleSet, values: Mapping[tuple[str, tuple[str, ...]], float]) -> RuleSet:
    for table, column in ((INDICATORS, "weight"), (STAR_BANDS, "minimum_score")):
        rows = []
        for row in rules.rows(table):
            value = None if row["effective_to"] else values.get((table, _key(table, row)))
            rows.append(row if value is None else RuleRow({**row.cells, column: f"{value:.15g}"}, row.file, row.line))
        rules = rules.with_rows(table, rows)
    return rules


def _problem(name: str, text: str, expected: str) -> dict[str, Any]:
    return {"loc": ("query", name[:80]), "input": text, "msg": expected, "type": "value_error"}

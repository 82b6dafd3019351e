"""What came between two versions, and which of it can have changed a table or a row.

Of the batches it is known exactly which came, which replaced which and which were judged again. Which of them can have
changed a table follows from what its model reads; which of those can have changed a row, from the rows of the daily
facts that changed, by the columns that a fact's row and the table's key share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from oneledger.audit.comparing import CHANGED, Pair
from oneledger.publishing.relations import AS_OF_RELATION

# Tables about all batches: what they hold can change with any.
_ABOUT_BATCHES = {"control.admitted_batch", "control.source_state", "quarantine.row"}
_ABOUT_DECISIONS = {"control.evaluation_run"}
_CONFIRMED = "confirmed."
_USAGE = "admitted.usage"
_FACT = "marts.fct_app_usage_day"
# Columns by which a row of a table is followed to the rows of the daily fact that changed.
_SHARED_WITH_FACT = ("source", "app_id", "release_end")


@dataclass(frozen=True)
class Because:
    """What can have changed something.

    Attributes:
        batches: batch ids of ``Causes.batches``.
        models, rules: relations whose SQL, or whose table of rules, is not what it was.
        decisions: evaluation runs that were confirmed, superseded or rejected between.
        contracts: entities that are admitted by other rules of the catalogue than before.
        is_as_of_changed: it is computed as of another day.
        is_code_unknown: models or rules changed, and the older version does not say which.
    """

    batches: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
    is_as_of_changed: bool = False
    is_code_unknown: bool = False


@dataclass
class Causes:
    """Everything that came between two versions.

    Attributes:
        batches: one dict a batch: ``batch_id``, ``source``, ``entity``, ``admitted_table``, ``business_on``, ``kind``
            (``new_day``: after the older version's day; ``late``: a day before it that was missing; ``redelivered``;
            ``judged_again``: released from quarantine, or its counts changed; ``withdrawn``), ``replaces``,
            accepted rows before and after, and the reason of a correction.
        contracts: entities whose contract in the catalogue changed.
        decisions: evaluation runs decided between, with their state.
        changed_models, changed_rules: relations whose code changed.
        tables: by entity (``zheliban.usage``), the admitted table that its batches go into.
        has_fact_rows: whether the rows of daily usage that changed are known.
    """

    batches: list[dict[str, Any]]
    contracts: list[str]
    decisions: list[dict[str, str]]
    changed_models: set[str]
    changed_rules: set[str]
    is_as_of_changed: bool
    is_code_unknown: bool
    tables: dict[str, str]
    has_fact_rows: bool = False
    _ancestors: dict[str, set[str]] = field(default_factory=dict)
    _kinds: dict[str, str] = field(default_factory=dict)

    def kind_of(self, batch_id: str) -> str:
        """How a batch came between."""
        if not self._kinds:
            self._kinds = {one["batch_id"]: one["kind"] for one in self.batches}
        return self._kinds[batch_id]

    def of_table(self, pair: Pair, relation: str) -> Because:
        """What can have changed anything in a table."""
        ancestors = self._of(pair, relation)
        if ancestors is None:
            # Neither version says what it is computed from: anything can have changed it.
            everything = tuple(one["batch_id"] for one in self.batches)
            return Because(
                everything, tuple(sorted(self.changed_models)), tuple(sorted(self.changed_rules)),
                tuple(one["run_id"] for one in self.decisions), tuple(self.contracts), self.is_as_of_changed,
                self.is_code_unknown,
            )  # fmt: skip
        reads_all = bool(ancestors & _ABOUT_BATCHES)
        tables = {one["admitted_table"] for one in self.batches}
        read = tables if reads_all else tables & ancestors
        own = {*ancestors, relation}
        decided = bool(ancestors & _ABOUT_DECISIONS) or any(one.startswith(_CONFIRMED) for one in ancestors)
        return Because(
            batches=tuple(one["batch_id"] for one in self.batches if one["admitted_table"] in read),
            models=tuple(sorted(self.changed_models & own)),
            rules=tuple(sorted(self.changed_rules & own)),
            decisions=tuple(one["run_id"] for one in self.decisions) if decided else (),
            contracts=tuple(one for one in self.contracts if reads_all or self.tables[one] in ancestors),
            is_as_of_changed=self.is_as_of_changed and AS_OF_RELATION in ancestors,
            is_code_unknown=self.is_code_unknown,
        )

    def of_rows(self, pair: Pair, relation: str, keys: list[dict[str, Any]]) -> list[Because]:
        """What can have changed each of these rows of a table, in their order."""
        because = self.of_table(pair, relation)
        about = {one["batch_id"]: one for one in self.batches}
        exact = self._by_fact_rows(pair, relation, keys)
        usage = {one for one in because.batches if about[one]["admitted_table"] == _USAGE}
        others = [one for one in because.batches if one not in usage]
        found = []
        for key, from_facts in zip(keys, exact, strict=True):
            batches: Iterable[str] = because.batches
            if "entity" in key:
                batches = [one for one in batches if _can_touch(about[one], key)]
            elif from_facts:
                # Of app usage the rows that changed are known; of other data what the table reads.
                batches = sorted([*others, *(from_facts & usage)])
            found.append(replace(because, batches=tuple(batches) or because.batches))
        return found

    def keep_fact_rows(self, pair: Pair) -> None:
        """Remember from ``changed_row`` (the daily usage) which batch changed which app, end and day.

        A row that is gone was changed by the batch that replaced its own.
        """
        successors = [
            {"gone": one["replaces"] or one["batch_id"], "batch_id": one["batch_id"]}
            for one in self.batches
            if one["kind"] in ("redelivered", "withdrawn")
        ]
        pair.connection.execute(
            "create or replace temp table changed_usage as select changed.source, changed.app_id, changed.release_end,"
            " strftime(changed.usage_on, '%Y-%m') as month,"
            " coalesce(changed._new_batch, successor.batch_id) as batch_id"
            f" from {CHANGED} as changed left join (select unnest(from_json(?, ?), recursive := true)) as successor"
            " on changed._old_batch = successor.gone",
            [json.dumps(successors), json.dumps([{"gone": "VARCHAR", "batch_id": "VARCHAR"}])],
        )
        self.has_fact_rows = True

    def _by_fact_rows(self, pair: Pair, relation: str, keys: list[dict[str, Any]]) -> list[set[str]]:
        """The batches whose rows of daily usage changed, for each key; empty where that is not known."""
        found: list[set[str]] = [set() for _ in keys]
        ancestors = self._of(pair, relation) or set()
        if not self.has_fact_rows or not keys or not (_USAGE in ancestors or relation == _FACT):
            return found
        shared = [name for name in _SHARED_WITH_FACT if name in keys[0]]
        wanted = [
            {"number": number, "month": month_of(key), **{one: key[one] for one in shared}}
            for number, key in enumerate(keys)
        ]
        if not shared and all(one["month"] is None for one in wanted):
            return found
        structure = [{"number": "BIGINT", "month": "VARCHAR", **dict.fromkeys(shared, "VARCHAR")}]
        on = " and ".join(f"(wanted.{one} is null or wanted.{one} = usage.{one})" for one in ["month", *shared])
        for number, batch_id in pair.connection.execute(
            "select distinct wanted.number, usage.batch_id from (select unnest(from_json(?, ?), recursive := true))"
            f" as wanted inner join changed_usage as usage on {on}",
            [json.dumps(wanted), json.dumps(structure)],
        ).fetchall():
            found[number].add(batch_id)
        return found

    def _of(self, pair: Pair, relation: str) -> set[str] | None:
        if not pair.new_relations.by_name and not pair.old_relations.by_name:
            return None
        if relation not in self._ancestors:
            self._ancestors[relation] = pair.new_relations.ancestors(relation) | pair.old_relations.ancestors(relation)
        return self._ancestors[relation]


def month_of(key: dict[str, Any]) -> str | None:
    """``yyyy-mm`` of a row that is about one month or day; None for others."""
    for name in ("month", "usage_on"):
        if key.get(name) is not None:
            return str(key[name])[:7]
    return None


def _can_touch(batch: dict[str, Any], key: dict[str, Any]) -> bool:
    """Whether a batch can have changed a row about one source and entity, and maybe one day of delivery."""
    if (key.get("source"), key["entity"]) != (batch["source"], batch["entity"]):
        return False
    return key.get("period_on") is None or bool(key["period_on"] == batch["business_on"])

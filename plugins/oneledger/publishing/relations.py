"""``relations.json`` of a version: the key, the ancestors and the code of each relation that it was built from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.publishing.versions import PublishedVersion
from oneledger.warehouse.model_grains import ModelGrain, last_grains

RELATIONS_FILE = "relations.json"
# The day as of which everything is computed stands between nearly every model and the usage it is read from; what is
# computed for the same day does not change by it.
AS_OF_RELATION = "intermediate.int_as_of"


@dataclass(frozen=True)
class Relations:
    """The relations of one version, by name; empty for a version that was published before versions carried them."""

    by_name: dict[str, ModelGrain]

    def key_of(self, relation: str) -> tuple[str, ...]:
        """The columns that tell the relation's rows apart; empty when nobody said."""
        grain = self.by_name.get(relation)
        return grain.key_columns if grain else ()

    def ancestors(self, relation: str) -> set[str]:
        """Everything that the relation is computed from, models and sources, without what lies behind the as-of day."""
        seen: set[str] = set()
        waiting = list(self.by_name[relation].reads) if relation in self.by_name else []
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            if one in self.by_name and one != AS_OF_RELATION:
                waiting += self.by_name[one].reads
        return seen


def write_relations(connection: duckdb.DuckDBPyConnection, folder: Path) -> Relations:
    """Write the file into a version in the making."""
    grains = last_grains(connection)
    content = {
        one.relation: {
            "is_seed": one.is_seed, "key_columns": one.key_columns, "reads": one.reads, "code_hash": one.code_hash
        }
        for one in grains
    }  # fmt: skip
    (folder / RELATIONS_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Relations({one.relation: one for one in grains})


def read_relations(version: PublishedVersion) -> Relations:
    """What the version says about its relations."""
    path = version.path / RELATIONS_FILE
    if not path.is_file():
        return Relations({})
    content = json.loads(path.read_text(encoding="utf-8"))
    return Relations(
        {
            name: ModelGrain(name, one["is_seed"], tuple(one["key_columns"]), tuple(one["reads"]), one["code_hash"])
            for name, one in content.items()
        }
    )

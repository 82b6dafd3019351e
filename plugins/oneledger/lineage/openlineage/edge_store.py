"""Column edges of the models, kept between builds: reading all SQL takes seconds, and it seldom changes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from oneledger.lineage.openlineage.dependencies import Dependency

# Each night computes for other days; which columns a model reads does not depend on them.
_DATE = r"(?:(?:date|timestamp)\s*)?'\d{4}-\d{2}[^']*'"
_LONGEST_STEP = 300
_DATES = re.compile(rf"{_DATE}(?:\s*,\s*{_DATE})*")


class EdgeStore:
    """Edges by the SQL that they were read from. What a build did not ask for is forgotten with ``save``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[list[object]]] = {}
        self._used: dict[str, list[list[object]]] = {}
        self.unread: dict[str, str] = {}
        if path.exists():
            try:
                self._known = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                self._known = {}  # a store that is broken is only made again

    def dependencies(self, model: str, sql: str, columns_of: Mapping[str, Sequence[str]]) -> list[Dependency]:
        """What the columns of a model depend on; nothing when its SQL cannot be read, which ``unread`` then says."""
        asked = json.dumps([_DATES.sub("'date'", sql), sorted((one, list(of)) for one, of in columns_of.items())])
        key = hashlib.sha256(asked.encode()).hexdigest()
        found = self._used.get(key) or self._known.get(key)
        if found is None:
            # The parser takes a third of a second to import; most nights need none of it.
            try:
                found = [list(astuple(one)) for one in _read(sql, columns_of)]
            except Exception as error:  # SQL of one model that surprises the parser costs its columns, not all events
                self.unread[model] = f"{type(error).__name__}: {error}"[:_LONGEST_STEP]
                return []
        self._used[key] = found
        return [Dependency(*one) for one in found]  # type: ignore[arg-type]

    def save(self) -> None:
        """Keep what was asked for, when that is not what was kept before."""
        if self._used == self._known:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(f".{self._path.name}.partial")
        partial.write_text(json.dumps(self._used, separators=(",", ":")), encoding="utf-8")
        partial.rename(self._path)


def _read(sql: str, columns_of: Mapping[str, Sequence[str]]) -> list[Dependency]:
    from oneledger.lineage.column_uses import ROWS
    from oneledger.lineage.columns import column_edges

    return sorted(
        Dependency(
            "" if edge.target == ROWS else edge.target,
            edge.relation,
            edge.column,
            edge.kind.upper(),
            edge.expressions[0][:_LONGEST_STEP] if edge.expressions else "",
            edge.is_masking,
        )
        for edge in column_edges(sql, columns_of).edges
        # That the rows of a table depend on those of another is what inputs and outputs say.
        if edge.column != ROWS
    )

"""The flow of a published version: its tables from the sources to the evaluation, and what each is read by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from oneledger.lineage.column_graph import ColumnGraph
from oneledger.lineage.column_reading import read_graph
from oneledger.lineage.ground import VersionModels, read_models
from oneledger.publishing.relations import Relations, read_relations
from oneledger.settings import Settings
from oneledger.web.reading import Reading

# The rooms of the flow as pictures show them; rules and the nightly's records join it from beside.
ROOMS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("source",), "来源", "Sources"),
    (("admitted",), "准入", "Admitted"),
    (("rule", "record"), "规则与记录", "Rules and records"),
    (("staging",), "整理", "Staging"),
    (("intermediate",), "中间", "Intermediate"),
    (("marts",), "集市", "Marts"),
    (("evaluation",), "评价", "Evaluation"),
)
LAYER_TITLES = {
    "source": ("来源", "source"), "raw": ("原样", "as received"), "admitted": ("准入", "admitted"),
    "rule": ("规则", "rule"), "record": ("记录", "record"), "staging": ("整理", "staging"),
    "intermediate": ("中间", "intermediate"), "marts": ("集市", "mart"), "evaluation": ("评价", "evaluation"),
}  # fmt: skip
PUBLISHED_LAYERS = ("marts", "evaluation")
_ROOM_OF = {layer: number for number, (layers, _, _) in enumerate(ROOMS) for layer in layers}


@dataclass(frozen=True)
class Table:
    """A table of the flow.

    Attributes:
        layer: of ``oneledger.lineage.column_graph.LAYERS``, never ``raw``.
        grain: the first sentence of its description.
        reads, used_by: tables directly before and after it.
    """

    name: str
    layer: str
    title_zh: str
    title_en: str
    description: str
    file: str | None
    materialized: str
    reads: tuple[str, ...]
    used_by: tuple[str, ...]

    @property
    def room(self) -> int:
        return _ROOM_OF[self.layer]

    @property
    def grain(self) -> str:
        return first_sentence(self.description)


@dataclass
class Flow:
    """All tables of a version with their columns."""

    graph: ColumnGraph
    models: VersionModels
    relations: Relations
    tables: dict[str, Table]

    def before(self, name: str) -> set[str]:
        """Everything that a table is made of."""
        return _reached(name, lambda one: self.tables[one].reads)

    def after(self, name: str) -> set[str]:
        """Everything that is made of a table."""
        return _reached(name, lambda one: self.tables[one].used_by)

    def matching(self, words: str, layer: str | None = None) -> list[Table]:
        """Tables whose name or title has all these words, in the order of the flow."""
        wanted = words.lower().split()
        return [
            one
            for one in self.ordered
            if (layer is None or one.layer == layer)
            and all(word in f"{one.name} {one.title_zh} {one.title_en}".lower() for word in wanted)
        ]

    @cached_property
    def ordered(self) -> list[Table]:
        return sorted(self.tables.values(), key=lambda one: one.room)

    def edges(self, among: Iterable[str]) -> list[tuple[str, str]]:
        """Reader edges between these tables."""
        kept = set(among)
        return [(source, name) for name in self.tables if name in kept for source in self.tables[name].reads
                if source in kept]  # fmt: skip


def flow_of(settings: Settings, reading: Reading) -> Flow:
    """The flow of the version that is read, worked out once.

    Raises:
        ConfigurationError: the version was published before versions carried their SQL.
    """
    return reading.remembered(("flow",), lambda: _flow(settings, reading))


def first_sentence(text: str) -> str:
    """Of a description, what one row is."""
    line = " ".join(text.split())
    end = line.find(". ")
    return (line if end < 0 else line[: end + 1]).strip()


def _flow(settings: Settings, reading: Reading) -> Flow:
    graph = read_graph(settings, reading.version)
    models = read_models(reading.version)
    reads: dict[str, set[str]] = {name: set() for name in graph.relations}
    for one in models.relations.values():
        reads[one.name] |= {name for name in one.reads if name in graph.relations}
    for edge in graph.edges:
        target, source = graph.nodes[edge.target].relation, graph.nodes[edge.source].relation
        if target != source:
            reads[target].add(source)
    # What was received is the same table as the source's, before its values have types.
    received = {name for name, about in graph.relations.items() if about["layer"] == "raw"}
    for name, before in reads.items():
        reads[name] = {one for one in before if one not in received}.union(*(reads[one] for one in before & received))
    kept = [name for name in graph.relations if name not in received]
    used_by: dict[str, list[str]] = {name: [] for name in kept}
    for name in kept:
        for source in reads[name]:
            if source in used_by and source != name:
                used_by[source].append(name)
    order = {name: place for place, name in enumerate(graph.relations)}
    tables = {
        name: Table(
            name=name,
            layer=about["layer"],
            title_zh=about["title_zh"] or name,
            title_en=about["title_en"] or name,
            description=about["description"] or "",
            file=about["file"],
            materialized=about["materialized"] or "",
            reads=tuple(sorted(reads[name] - {name}, key=lambda one: order[one])),
            used_by=tuple(sorted(used_by[name], key=lambda one: order[one])),
        )
        for name, about in graph.relations.items()
        if name in used_by
    }
    return Flow(graph, models, read_relations(reading.version), tables)


def _reached(name: str, neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for one in neighbours(waiting.pop()):
            if one not in found:
                found.add(one)
                waiting.append(one)
    return found - {name}

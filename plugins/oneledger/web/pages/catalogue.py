"""The catalogue: every table, column, metric, rule, source and word, in both languages, to be found and copied."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, Response

from oneledger.catalogue.words import words
from oneledger.lineage.column_impact import seed_rows
from oneledger.lineage.ground import Relation
from oneledger.publishing.lineage_basis import FOLDER, SEEDS_DIR
from oneledger.web.page import Page, ViewerPage
from oneledger.web.pages.lineage import find_table
from oneledger.web.queries import catalogue as queries
from oneledger.web.queries.flow import PUBLISHED_LAYERS, Flow, Table, flow_of
from oneledger.web.remembered import PageOfVersion

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

TableName = Annotated[str, PathParameter(pattern=r"^[A-Za-z_]\w{0,60}\.[A-Za-z_]\w{0,80}$")]
ShortName = Annotated[str, PathParameter(pattern=r"^\w{1,80}$")]
Kind = Literal["", "table", "column", "metric", "rule", "source", "word"]
KIND_TITLES = {
    "table": ("表", "Tables"), "column": ("列", "Columns"), "metric": ("度量", "Metrics"), "rule": ("规则", "Rules"),
    "source": ("来源", "Sources"), "word": ("词汇", "Words"),
}  # fmt: skip
_SHOWN = 12
_SHOWN_OF_KIND = 200


@router.get("/catalogue")
def catalogue(page: ViewerPage, q: Annotated[str, Query(max_length=80)] = "", kind: Kind = "") -> HTMLResponse:
    """What there is, or what a search finds."""
    flow = flow_of(page.settings, page.reading)
    known = page.reading.remembered(("catalogue",), lambda: queries.entries(page.settings, page.reading, flow))
    found = queries.search(known, q) if q.strip() else {}
    counts = {name: sum(1 for one in known if one.kind == name) for name in KIND_TITLES}
    topics: dict[str, list[Table]] = {name: [] for name in queries.TOPICS}
    for table in queries.published_tables(flow):
        topics.setdefault(queries.topic_of(table), []).append(table)
    return page.show(
        "catalogue/index.html",
        q=q, kind=kind, found={name: found[name] for name in KIND_TITLES if name in found and kind in ("", name)},
        found_count=sum(len(one) for one in found.values()), counts=counts, kind_titles=KIND_TITLES,
        shown=_SHOWN_OF_KIND if kind else _SHOWN, topics={name: tables for name, tables in topics.items() if tables},
        topic_titles=queries.TOPICS, rows=queries.row_counts(page.reading),
    )  # fmt: skip


@router.get("/catalogue/tables/{name}")
def table(page: ViewerPage, name: TableName) -> HTMLResponse:
    """One published table: grain, key, owner, tests, columns, freshness, a sample, and how to ask for it."""
    flow = flow_of(page.settings, page.reading)
    one = find_table(flow, name)
    if one.layer not in PUBLISHED_LAYERS:
        if one.layer == "rule":
            return _rule_page(page, one.name.partition(".")[2])
        raise HTTPException(
            404,
            f"{name} 不公布，目录只列公布的表；它的来路见溯源页。 {name} is not published and so not in the catalogue; "
            f"see it on /lineage/tables/{name}.",
        )
    relation = flow.models.relations[one.name]
    before = flow.before(one.name)
    entities = [other for other in before if flow.tables[other].layer == "source"]
    columns, rows = page.reading.remembered(
        ("sample", one.name), lambda: queries.sample(page.reading, one.name, relation.columns)
    )
    root = page.request.scope.get("root_path", "")
    base = f"{page.request.url.scheme}://{page.request.url.netloc}{root}"
    return page.show(
        "catalogue/table.html",
        table=one, relation=relation, key=flow.relations.key_of(one.name), topic=queries.topic_of(one),
        topic_titles=queries.TOPICS, rows_count=queries.row_counts(page.reading).get(one.name),
        fresh=queries.freshness_of(page.reading, entities), unit_of=queries.unit_of,
        held=page.reading.remembered(("held", one.name), lambda: queries.held_to(page.settings, flow, one)),
        sample_columns=columns, sample_rows=rows, base=base,
        is_fact=one.name.partition(".")[2] in page.reading.version.fact_names(),
        rules=[flow.tables[other] for other in before if flow.tables[other].layer == "rule"],
    )  # fmt: skip


@router.get("/catalogue/metrics")
def metrics(page: ViewerPage) -> HTMLResponse:
    """Every metric: what is added up and divided, of which mart, and which indicators score it."""
    reading = page.reading
    return page.show(
        "catalogue/metrics.html",
        evaluation=reading.remembered(("evaluation-metrics",), lambda: queries.evaluation_metrics(reading)),
        semantic=reading.remembered(("semantic-metrics",), lambda: queries.semantic_metrics(reading)),
        unit_titles=queries.METRIC_UNITS,
    )


@router.get("/catalogue/rules")
def rules(page: ViewerPage) -> HTMLResponse:
    """Every table of rules: how many are in force, which version, whose they are."""
    flow = flow_of(page.settings, page.reading)
    day = page.reading.version.as_of_on
    found = page.reading.remembered(("rules",), lambda: queries.rule_tables(flow, day))
    return page.show("catalogue/rules.html", rules=found, day=day)


@router.get("/catalogue/rules/{name}")
def rule(page: ViewerPage, name: ShortName) -> HTMLResponse:
    """The rows of one table of rules."""
    return _rule_page(page, name)


@router.get("/catalogue/rules/{name}/download.csv")
def rule_file(page: ViewerPage, name: ShortName) -> Response:
    """The very file of rules that the version keeps, so that its SHA-256 is that of the page."""
    relation, _ = _rule(flow_of(page.settings, page.reading), name)
    path = page.reading.version.path / FOLDER / SEEDS_DIR / str(relation.file)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(path.read_bytes(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/catalogue/sources")
def sources(page: ViewerPage) -> HTMLResponse:
    """Every source: who owns it, how it is read, how old it may be and is."""
    known = queries.sources_of(page.settings)
    fresh = queries.freshness_of(page.reading, [one.full_id for one in known.all_entities])
    return page.show(
        "catalogue/sources.html",
        sources=known.sources, fresh={f"{one['source']}.{one['entity']}": one for one in fresh},
    )  # fmt: skip


@router.get("/catalogue/sources/{source_id}")
def source(page: ViewerPage, source_id: ShortName) -> HTMLResponse:
    """One source with its entities and their columns."""
    known = queries.sources_of(page.settings)
    one = known.sources.get(source_id)
    if one is None:
        raise HTTPException(
            404,
            f"来源目录中没有 {source_id}；有 {'、'.join(known.sources)}。 "
            f"The source catalogue has no {source_id}; it has {', '.join(known.sources)}.",
        )
    fresh = queries.freshness_of(page.reading, [entity.full_id for entity in one.entities.values()])
    flow = flow_of(page.settings, page.reading)
    return page.show(
        "catalogue/source.html",
        source=one, fresh={f"{row['source']}.{row['entity']}": row for row in fresh}, flow_tables=flow.tables,
        nodes=flow.graph.nodes,
    )  # fmt: skip


@router.get("/catalogue/words")
def glossary(page: ViewerPage, q: Annotated[str, Query(max_length=80)] = "") -> HTMLResponse:
    """The words of the domain in both languages."""
    wanted = q.lower().split()
    found = [
        one for one in words()
        if all(part in f"{one.id} {one.zh} {one.en} {one.meaning_zh} {one.meaning_en}".lower() for part in wanted)
    ]  # fmt: skip
    return page.show("catalogue/words.html", words=found, q=q)


def _rule(flow: Flow, name: str) -> tuple[Relation, list[dict[str, str]]]:
    relations = flow.models.relations
    known = {one.name.partition(".")[2]: one for one in relations.values() if one.kind == "seed"}
    relation = known.get(name)
    if relation is None:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        meant_zh = f"是否为 {'、'.join(near)}？" if near else ""
        meant_en = f" Do you mean {' or '.join(near)}?" if near else ""
        raise HTTPException(
            404,
            f"此版本没有规则表 {name}。{meant_zh} This version has no table of rules {name}.{meant_en} "
            "/catalogue/rules lists them.",
        )
    return relation, seed_rows(flow.models, relation.name)


def _rule_page(page: Page, name: str) -> HTMLResponse:
    flow = flow_of(page.settings, page.reading)
    relation, rows = _rule(flow, name)
    day = page.reading.version.as_of_on
    names = list(rows[0]) if rows else []
    empty = [one for one in names if not any(row[one] for row in rows) and one != "effective_to"]
    about = next(one for one in queries.rule_tables(flow, day) if one.short_name == name)
    return page.show(
        "catalogue/rule.html",
        about=about, rows=rows, columns=[one for one in names if one not in empty], empty_columns=empty,
        relation=relation, day=day,
        in_force=lambda row: queries.in_force(row, day),
        used_by=[flow.tables[one] for one in flow.tables[about.name].used_by],
    )  # fmt: skip

"""What columns of a query depend on: each shape of SQL with its known answer, and the same held against DuckDB."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.lineage.column_graph import DECIDES, ROWS_ONLY, VALUE, ColumnGraph, ColumnNode, GraphEdge
from oneledger.lineage.column_names import found_columns
from oneledger.lineage.column_page import lineage_page
from oneledger.lineage.column_uses import DIRECT, LineageError
from oneledger.lineage.columns import column_edges
from oneledger.settings import ConfigurationError
from tests.lineage.perturbing import perturb

TABLES = {
    "s.app": {"app_id": "INTEGER", "name": "VARCHAR", "side": "VARCHAR", "owner_id": "INTEGER", "tags": "VARCHAR[]"},
    "s.use": {"app_id": "INTEGER", "day": "DATE", "visitors": "INTEGER", "starts": "INTEGER", "source": "VARCHAR"},
    "s.band": {"stars": "INTEGER", "minimum": "INTEGER"},
}
APP, USE, BAND = '"w"."s"."app"', '"w"."s"."use"', '"w"."s"."band"'

# Name: the SQL, then by column what its value is made of and what only decides about it, as "table.column kind".
SHAPES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "a name is passed on through queries and stars": (
        f"with a as (select * from {APP}), b as (select a.* exclude (tags) from a) select b.name as title from b",
        {"title": "app.name identity"}, {"title": ""},
    ),
    "a computed value is a transformation, also of a computed value": (
        f"with a as (select visitors + starts as either from {USE}) select either * 2 as twice from a",
        {"twice": "use.visitors transformation, use.starts transformation"}, {"twice": ""},
    ),
    "a sum is an aggregation of which the filter decides": (
        f"select app_id, sum(visitors) as total from {USE} where source = 'a' group by app_id",
        {"app_id": "use.app_id identity", "total": "use.visitors aggregation"},
        {"app_id": "", "total": "use.* filter, use.source filter"},
    ),
    "counting rows is made of the rows": (
        f"select count(*) as n, count(*) filter (where starts > 1) as m from {USE}",
        {"n": "use.* aggregation", "m": "use.* aggregation"}, {"n": "", "m": "use.starts filter"},
    ),
    "a condition decides, its results are the value": (
        f"select case when side = 'x' then name else 'none' end as shown from {APP}",
        {"shown": "app.name transformation"}, {"shown": "app.side conditional"},
    ),
    "all results literal: only the condition decides": (
        f"select case side when 'x' then 1 when 'y' then 2 end as n from {APP}",
        {"n": ""}, {"n": "app.side conditional"},
    ),
    "a window says its partition and order": (
        f"select sum(visitors) over (partition by app_id order by day) as so_far,"
        f" row_number() over w as place, lag(starts) over w as before from {USE} window w as (partition by source)",
        {"so_far": "use.visitors aggregation", "place": "", "before": "use.starts transformation"},
        {"so_far": "use.app_id window, use.day window", "place": "use.source window", "before": "use.source window"},
    ),
    "an alias is used again in the same select": (
        f"select visitors + 1 as more, more * starts as product from {USE}",
        {"more": "use.visitors transformation", "product": "use.visitors transformation, use.starts transformation"},
        {"more": "", "product": ""},
    ),
    "a union is made of its branches by position": (
        f"select app_id as id, 'a' as kind from {APP} union all select app_id, source from {USE}",
        {"id": "app.app_id identity, use.app_id identity", "kind": "use.source identity"}, {"id": "", "kind": ""},
    ),
    "columns without a name keep their place in a union": (
        f"select app_id, false as x, false as y, name from {APP}"
        f" union all select app_id, false, false, source from {USE}",
        {"app_id": "app.app_id identity, use.app_id identity", "x": "", "y": "",
         "name": "app.name identity, use.source identity"},
        {"app_id": "", "x": "", "y": "", "name": ""},
    ),
    "a union by name is made of its branches by name": (
        f"select 1 as one, name from {APP} union all by name select source as name, 2 as one from {USE}",
        {"one": "", "name": "app.name identity, use.source identity"}, {"one": "", "name": ""},
    ),
    "a scalar query is the value, its filter decides": (
        f"select app.name, (select max(visitors) from {USE} as u where u.app_id = app.app_id) as most"
        f" from {APP} as app",
        {"name": "app.name identity", "most": "use.visitors aggregation"},
        {"name": "", "most": "use.* filter, use.app_id filter, app.app_id filter"},
    ),
    "exists decides": (
        f"select exists (select 1 from {USE} as u where u.app_id = app.app_id) as is_used from {APP} as app",
        {"is_used": ""}, {"is_used": "use.* conditional, use.app_id filter, app.app_id filter"},
    ),
    "columns named in using come from both sides": (
        f"select app_id, visitors from {APP} full join {USE} using (app_id)",
        {"app_id": "app.app_id identity, use.app_id identity", "visitors": "use.visitors identity"},
        {"app_id": "", "visitors": ""},
    ),
    "an unnested list is its column": (
        f"select app_id, unnest(tags) as tag from {APP}",
        {"app_id": "app.app_id identity", "tag": "app.tags transformation"}, {"app_id": "", "tag": ""},
    ),
    "a list in from is its column": (
        f"select app.app_id, t.tag from {APP} as app, unnest(app.tags) as t(tag)",
        {"app_id": "app.app_id identity", "tag": "app.tags transformation"}, {"app_id": "", "tag": ""},
    ),
    "a lateral query reads what stands before it": (
        f"select app.app_id, l.n from {APP} as app left join lateral (select app.owner_id + 1 as n) as l on true",
        {"app_id": "app.app_id identity", "n": "app.owner_id transformation"}, {"app_id": "", "n": ""},
    ),
    "unpivot turns names into values": (
        f"with p as (unpivot (select app_id, visitors, starts from {USE})"
        " on visitors, starts into name what value n)"
        " select app_id, what, n from p",
        {"app_id": "use.app_id identity", "what": "", "n": "use.visitors transformation, use.starts transformation"},
        {"app_id": "", "what": "", "n": ""},
    ),
    "an aggregate in order says its order": (
        f"select string_agg(name, ',' order by owner_id) as names, max_by(name, owner_id) as last from {APP}",
        {"names": "app.name aggregation", "last": "app.name aggregation, app.owner_id aggregation"},
        {"names": "app.owner_id sort, app.* filter", "last": "app.* filter"},
    ),
    "a function of a list keeps its own names apart": (
        f"select list_filter(tags, tag -> tag <> name) as others from {APP}",
        {"others": "app.tags transformation, app.name transformation"}, {"others": ""},
    ),
    "an inequality join decides which band is taken": (
        f"select u.app_id, max(b.stars) as stars from {USE} as u left join {BAND} as b on u.visitors >= b.minimum"
        " group by all",
        {"app_id": "use.app_id identity", "stars": "band.stars aggregation"},
        {"app_id": "", "stars": "use.* filter, band.* join, use.visitors join, band.minimum join"},
    ),
    "distinct on and qualify decide about rows only": (
        f"select distinct on (app_id) app_id, starts from {USE} qualify row_number() over (order by day) < 9"
        " order by app_id, day, starts",
        {"app_id": "use.app_id identity", "starts": "use.starts identity"}, {"app_id": "", "starts": ""},
    ),
    "a semi join only decides about rows": (
        f"select name from {APP} semi join {USE} using (app_id)", {"name": "app.name identity"}, {"name": ""}
    ),
    "in with a query only decides about rows": (
        f"select name from {APP} where app_id in (select app_id from {USE} where starts > 1)",
        {"name": "app.name identity"}, {"name": ""},
    ),
    "except takes rows away": (
        f"select app_id from {APP} except select app_id from {USE}", {"app_id": "app.app_id identity"}, {"app_id": ""}
    ),
    "structs give their fields": (
        "with w as (select unnest([{'kind': 'a', 'n': 1}, {'kind': 'b', 'n': 2}], recursive := true))"
        f" select w.kind, w.n + starts as sum from {USE} cross join w",
        {"kind": "", "sum": "use.starts transformation"}, {"kind": "", "sum": ""},
    ),
}  # fmt: skip


def split(text: str) -> set[tuple[str, str]]:
    return {(f"s.{one.split()[0]}", one.split()[1]) for one in text.split(", ")} if text else set()


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_of_sql_has_its_known_lineage(name: str) -> None:
    sql, made_of, decided_by = SHAPES[name]
    found = column_edges(sql, TABLES)
    assert list(found.columns) == list(made_of)
    for column in made_of:
        own = [edge for edge in found.edges if edge.target == column]
        direct = {(f"{edge.relation}.{edge.column}", edge.kind) for edge in own if edge.kind in DIRECT}
        indirect = {(f"{edge.relation}.{edge.column}", edge.kind) for edge in own if edge.kind not in DIRECT}
        assert direct == split(made_of[column]), column
        assert indirect == split(decided_by[column]), column


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as kept; attach ':memory:' as w; create schema w.s")
    connection.execute(
        "create table kept.\"s.app\" as select i as app_id, 'app ' || i as name, ['x', 'y', 'z'][i % 3 + 1] as side,"
        " i // 2 as owner_id, case when i % 4 > 0 then [i::varchar, 't' || i % 5] else [] end as tags"
        " from range(12) r(i)"
    )
    connection.execute(
        "create table kept.\"s.use\" as select i % 9 as app_id, date '2022-01-01' + (i // 9)::int as day,"
        " nullif(i * 7 % 23, 5)::int as visitors, (i * 5 % 11)::int as starts, ['a', 'b'][i % 2 + 1] as source"
        " from range(80) r(i)"
    )
    connection.execute('create table kept."s.band" as select s as stars, s * 4 as minimum from range(3, 6) r(s)')
    for one in TABLES:
        schema, _, table = one.partition(".")
        described = connection.execute(f'describe kept."{one}"').fetchall()
        listed = ", ".join(f'"{row[0]}"::{TABLES[one][row[0]]} as "{row[0]}"' for row in described)
        connection.execute(f'create or replace table kept."{one}" as select {listed} from kept."{one}"')
        connection.execute(f'create view w."{schema}"."{table}" as from kept."{one}"')
    return connection


# The order of equal values is the database's own choice, so these give no certain answer to compare.
@pytest.mark.parametrize("name", [one for one in SHAPES if "window" not in one and "distinct on" not in one])
def test_what_a_shape_is_said_not_to_depend_on_does_not_change_it(
    database: duckdb.DuckDBPyConnection, name: str
) -> None:
    found = perturb(database, SHAPES[name][0], TABLES, "w")
    assert found.wrong == []
    assert found.tried_count > 0


EXPRESSIONS = st.recursive(
    st.sampled_from(["u.visitors", "u.starts", "a.owner_id", "a.app_id", "3"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"coalesce({two[0]}, {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} + {two[1]})"),
        st.tuples(inner, inner, inner).map(lambda of: f"case when {of[0]} > 2 then {of[1]} else {of[2]} end"),
        inner.map(lambda one: f"(select max(b.stars) from {BAND} as b where b.minimum > {one})"),
    ),
    max_leaves=6,
)


@settings(max_examples=12)
@given(EXPRESSIONS, EXPRESSIONS, st.sampled_from(["inner", "left"]), st.booleans())
def test_no_dependence_of_a_made_up_query_is_missed(
    database: duckdb.DuckDBPyConnection, first: str, second: str, join: str, groups: bool
) -> None:
    value = f"sum({second})" if groups else second
    sql = (
        f"with j as (select a.side, {first} as x, {value} as y from {APP} as a {join} join {USE} as u"
        f" on a.app_id = u.app_id {'group by all' if groups else ''}) select side, x, x + y as total from j"
    )
    try:
        database.execute(sql)
    except duckdb.BinderException:
        return  # such a grouping does not exist
    assert perturb(database, sql, TABLES, "w").wrong == []


def test_a_known_value_follows_one_branch_of_a_union_through_joins() -> None:
    sql = (
        f"with part as (select 'n' as id, (select count(*) from {APP}) as value"
        f" union all select 'v' as id, (select sum(visitors) from {USE} where source = 'a') as value),"
        f" named as (select 'n' as id, name from {APP} union all select 'v' as id, source as name from {USE})"
        " select named.id, part.value, named.name from named left join part on named.id = part.id"
    )
    reads = {
        value: {edge.relation for edge in column_edges(sql, TABLES, frozenset({("id", f"'{value}'")})).edges}
        for value in ("n", "v")
    }
    assert reads == {"n": {"s.app"}, "v": {"s.use"}}
    assert column_edges(sql, TABLES, frozenset({("id", "'other'")})).columns == ()


def test_a_known_value_does_not_narrow_the_rows_of_a_window() -> None:
    sql = (
        f"with part as (select 'a' as id, visitors as n from {USE} union all select 'b' as id, owner_id from {APP})"
        " select id, sum(n) over () as of_all from part"
    )
    narrowed = column_edges(sql, TABLES, frozenset({("id", "'b'")}))
    assert {edge.relation for edge in narrowed.edges} == {"s.app", "s.use"}


def test_a_filter_inside_narrows_what_it_reads() -> None:
    sql = (
        f"with measure as (select 'a' as id, visitors as n from {USE} union all select 'b' as id, owner_id from {APP})"
        " select n from measure where id = 'b'"
    )
    assert {edge.relation for edge in column_edges(sql, TABLES).edges} == {"s.app"}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"select nobody from {APP}", "nothing explains nobody"),
        (f"select app.nobody from {APP}", "has no column nobody"),
        (f"select app_id from {APP} as a inner join {USE} as u on a.app_id = u.app_id", "several sources"),
        ("select 1 +", "cannot be read"),
        (f"with recursive r as (select 1 as n union all select n + 1 from r) select n from r, {APP}", "recursive"),
    ],
)
def test_what_cannot_be_followed_is_an_error_and_no_gap(sql: str, said: str) -> None:
    with pytest.raises(LineageError, match=said):
        column_edges(sql, TABLES)


def test_counting_and_hashing_mask_the_value() -> None:
    sql = f"select md5(name) as hidden, count(distinct side) as n, upper(name) as seen from {APP}"
    edges = column_edges(sql, TABLES)
    masks = {edge.target: edge.is_masking for edge in edges.edges if edge.is_direct}
    assert masks == {"hidden": True, "n": True, "seen": False, "*": False}


def small_graph() -> ColumnGraph:
    columns = [
        ("portal.usage", "访客数", "source"), ("portal.usage", "日期", "source"),
        ("raw.portal__usage", "visitors", "raw"), ("raw.portal__usage", "day", "raw"),
        ("marts.month", "visitors", "marts"), ("marts.month", "*", "marts"), ("marts.month", "label", "marts"),
        ("evaluation.stars", "stars", "evaluation"),
    ]  # fmt: skip
    nodes = {f"{table}.{name}": ColumnNode(table, name, layer, title_zh="</script>") for table, name, layer in columns}
    edges = (
        GraphEdge("portal.usage.访客数", "raw.portal__usage.visitors", "identity"),
        GraphEdge("portal.usage.日期", "raw.portal__usage.day", "identity"),
        GraphEdge("raw.portal__usage.visitors", "marts.month.visitors", "aggregation", ("sum(visitors)",)),
        GraphEdge("raw.portal__usage.day", "marts.month.*", "filter", ("day > 1",)),
        GraphEdge("marts.month.visitors", "evaluation.stars.stars", "conditional"),
    )
    said = {"title_zh": "", "title_en": "", "description": "", "file": None, "sql": None, "materialized": "table"}
    relations = {node.relation: {**said, "layer": node.layer} for node in nodes.values()}
    return ColumnGraph("v1", nodes, edges, relations)


def test_value_condition_and_row_are_three_distances() -> None:
    graph = small_graph()
    assert set(graph.upstream(["evaluation.stars.stars"], closeness=VALUE)) == {"evaluation.stars.stars"}
    assert "portal.usage.访客数" in graph.upstream(["evaluation.stars.stars"], closeness=DECIDES)
    assert "portal.usage.日期" not in graph.upstream(["marts.month.visitors"], closeness=DECIDES)
    assert graph.upstream(["marts.month.visitors"], closeness=ROWS_ONLY)["portal.usage.日期"] == "rows"
    down = graph.downstream(["portal.usage.访客数"])
    assert (down["marts.month.visitors"], down["evaluation.stars.stars"]) == ("value", "decides")
    assert graph.downstream(["portal.usage.日期"])["marts.month.label"] == "rows"


def test_a_column_that_comes_from_nothing_is_unexplained_until_it_says_why() -> None:
    graph = small_graph()
    assert [node.name for node in graph.unexplained()] == ["marts.month.label"]


def test_names_are_found_in_full_in_part_and_by_either_name_of_a_source() -> None:
    graph = small_graph()
    assert [one.name for one in found_columns(graph, "month.visitors")] == ["marts.month.visitors"]
    assert [one.name for one in found_columns(graph, "portal.usage.visitors")] == ["raw.portal__usage.visitors"]
    assert [one.name for one in found_columns(graph, "portal.usage.访客数")] == ["portal.usage.访客数"]
    assert [one.column for one in found_columns(graph, "marts.month")] == ["visitors", "label"]
    with pytest.raises(ConfigurationError, match=r"marts\.month\.visitors"):
        found_columns(graph, "marts.month.visitor")


def test_the_page_holds_its_data_safely_and_asks_for_no_other_file() -> None:
    page = lineage_page(small_graph(), "marts.month.visitors", anchor="存证锚 anchor: 12ab")
    assert "存证锚 anchor: 12ab" in page
    assert page.count("</script>") == 2  # a title that ends a script stays inside the data
    for mark in ("src=", "@import", "<link", "fetch("):
        assert mark not in page

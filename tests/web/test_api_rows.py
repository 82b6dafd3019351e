"""Rows of tables: the API equals the same question in SQL; pages give each row once; formats hold the same values."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneledger.publishing.query import open_version
from oneledger.publishing.versions import current_version
from oneledger.settings import Settings
from oneledger.web.api import rows
from oneledger.web.api.caps import Caps
from tests.evaluation.story import Story, settings_of

from .conftest import ClientOf, app_over, client_of

KEYS = {
    "marts.app_usage_month": ("app_id", "release_end", "month"),
    "marts.dim_project": ("project_id",),
    "evaluation.indicator_points": ("run_id", "app_id", "indicator_id"),
    "marts.run_outcome": ("outcome_id",),
}
COMPARED = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@pytest.fixture(scope="module")
def sql(published_home: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published version for questions in SQL."""
    current = current_version(published_home)
    assert current is not None
    with open_version(published_home, current) as connection:
        yield connection


def columns_of(sql: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in sql.execute(f"describe {table}").fetchall()}


def as_sent(value: Any) -> str:
    """A value of a row as a person would write it in the address."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else str(value)


def as_json(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat() + "Z"
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, dt.date) else value


@given(data=st.data())
@settings(max_examples=40, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_any_filters_give_what_the_same_question_gives_in_sql(
    client: ClientOf, sql: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    table = data.draw(st.sampled_from(sorted(KEYS)))
    columns = columns_of(sql, table)
    asked: dict[str, str] = {}
    conditions: list[str] = []
    values: list[Any] = []
    for name in data.draw(st.lists(st.sampled_from(sorted(columns)), min_size=1, max_size=3, unique=True)):
        known = [
            row[0]
            for row in sql.execute(
                f'select distinct "{name}" from {table} where "{name}" is not null order by 1 limit 40'
            ).fetchall()
        ]
        operators = ["isnull", *(["eq", "ne", "in"] if known else [])]
        if known and columns[name] != "BOOLEAN":
            operators += ["gt", "gte", "lt", "lte"]
        if known and columns[name] == "VARCHAR":
            operators += ["contains"]
        operator = data.draw(st.sampled_from(operators))
        if operator == "isnull":
            is_null = data.draw(st.booleans())
            asked[f"{name}__isnull"] = "true" if is_null else "false"
            conditions.append(f'"{name}" is {"" if is_null else "not "}null')
        elif operator == "in":
            chosen = [one for one in data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4))
                      if "," not in str(one)] or [known[0]]  # fmt: skip
            if any("," in str(one) for one in chosen):
                continue
            asked[f"{name}__in"] = ",".join(as_sent(one) for one in chosen)
            conditions.append(f'list_contains(?, "{name}")')
            values.append(chosen)
        elif operator == "contains":
            text = data.draw(st.sampled_from(known))
            part = text[: data.draw(st.integers(1, max(1, len(text))))].upper()
            asked[f"{name}__contains"] = part
            conditions.append(f'position(lower(?) in lower("{name}")) > 0')
            values.append(part)
        else:
            value = data.draw(st.sampled_from(known))
            if len(as_sent(value)) > 1000:
                continue
            asked[name if operator == "eq" and data.draw(st.booleans()) else f"{name}__{operator}"] = as_sent(value)
            conditions.append(f'"{name}" {COMPARED[operator]} ?')
            values.append(value)
    where = " and ".join(conditions) or "true"
    key = ", ".join(f'"{one}"' for one in KEYS[table])
    shown = ", ".join(f'"{one}"' for one in columns)
    total = sql.execute(f"select count(*) from {table} where {where}", values).fetchall()[0][0]
    expected = sql.execute(
        f"select {shown} from {table} where {where} order by {key} nulls last limit 40", values
    ).fetchall()
    answer = client("viewer").get(f"/api/v1/tables/{table}", params={**asked, "limit": 40})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["total"] == total
    assert [tuple(one.values()) for one in body["items"]] == [tuple(as_json(one) for one in row) for row in expected]


def paged(client: Any, address: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every page from the first on, along links.next."""
    body = client.get(address, params=params).json()
    yield body
    while "next" in body["links"]:
        answer = client.get(body["links"]["next"])
        assert answer.status_code == 200, answer.text
        body = answer.json()
        yield body


@pytest.mark.parametrize(
    ("table", "sort"),
    [("marts.app_usage_month", None), ("marts.app_usage_month", "-visitors_count"), ("marts.dim_app", "delisted_on"),
     ("marts.dim_app", "-delisted_on,side"), ("evaluation.indicator_points", "-points,status")],
)  # fmt: skip
def test_pages_along_the_links_give_every_row_once(
    client: ClientOf, sql: duckdb.DuckDBPyConnection, table: str, sort: str | None
) -> None:
    key = client("viewer").get(f"/api/v1/tables/{table}/columns").json()["key"]
    pages = list(paged(client("viewer"), f"/api/v1/tables/{table}",
                       {"limit": 97, "select": ",".join(key), **({"sort": sort} if sort else {})}))  # fmt: skip
    received = [tuple(one.values()) for page in pages for one in page["items"]]
    order = [*(f"{one.removeprefix('-')} {'desc' if one.startswith('-') else 'asc'} nulls last"
               for one in (sort or "").split(",") if one), *(f'"{one}" asc nulls last' for one in key)]  # fmt: skip
    expected = sql.execute(f"select {', '.join(key)} from {table} order by {', '.join(order)}").fetchall()
    assert received == [tuple(as_json(one) for one in row) for row in expected]
    assert {page["total"] for page in pages} == {len(expected)}


def test_pages_by_number_give_the_same_rows_as_pages_by_cursor(client: ClientOf) -> None:
    viewer, address = client("viewer"), "/api/v1/tables/evaluation.app_stars"
    by_cursor = [one for page in paged(viewer, address, {"limit": 50}) for one in page["items"]]
    numbered = list(paged(viewer, address, {"limit": 50, "page": 1}))
    assert [one for page in numbered for one in page["items"]] == by_cursor
    assert [page["page"] for page in numbered] == [1, 2, 3, 4]
    last = viewer.get(address, params={"limit": 50, "page": 4})
    assert "prev" in last.json()["links"]
    assert 'rel="prev"' in last.headers["link"]


@pytest.fixture
def two_versions(story: Story, tmp_path: Path) -> Settings:
    """The story's versions in a home of their own, with the first one current."""
    shutil.copytree(story.home / "published", tmp_path / "published", symlinks=True, copy_function=os.link)
    shutil.copytree(story.home / "seals", tmp_path / "seals")
    make_current(tmp_path, story.first_version)
    return settings_of(tmp_path)


def make_current(home: Path, version: str) -> None:
    link = home / "published" / "current"
    link.unlink()
    link.symlink_to(version)


def test_a_version_that_is_published_between_pages_changes_nothing(two_versions: Settings, story: Story) -> None:
    viewer = client_of(app_over(two_versions), "viewer")
    address, params = "/api/v1/tables/marts.app_usage_month", {"limit": 1000, "sort": "-visitors_count"}
    undisturbed = [one for page in paged(viewer, address, params) for one in page["items"]]
    received, pages = [], paged(viewer, address, params)
    for number, page in enumerate(pages):
        received += page["items"]
        assert page["version"] == story.first_version
        if number == 0:
            make_current(two_versions.home, story.second_version)
            assert viewer.get(address).json()["version"] == story.second_version
    assert received == undisturbed
    assert len(received) > 1000
    after = [one for page in paged(viewer, address, params) for one in page["items"]]
    assert after != undisturbed


def test_every_format_holds_the_same_rows(client: ClientOf) -> None:
    viewer = client("viewer")
    query = {"sort": "-registered_on", "select": "project_id,project_name,budget_cny,registered_on"}
    columns = [one["name"] for one in viewer.get("/api/v1/tables/marts.dim_project/columns").json()["items"]]
    query["select"] = ",".join(
        one for one in ("project_id", "project_name", "budget_cny", "declared_on", "level") if one in columns
    )
    query["sort"] = "-project_id"
    address = "/api/v1/tables/marts.dim_project"
    items = viewer.get(address, params={**query, "limit": 10_000}).json()["items"]
    as_csv = viewer.get(address, params=query, headers={"Accept": "text/csv"})
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert as_csv.headers["content-disposition"].endswith('.csv"')
    read = list(csv.DictReader(io.StringIO(as_csv.content.decode("utf-8"))))
    as_parquet = viewer.get(address, params={**query, "format": "parquet"})
    table = pyarrow.parquet.read_table(io.BytesIO(as_parquet.content))
    book = openpyxl.load_workbook(io.BytesIO(viewer.get(address, params={**query, "format": "xlsx"}).content))
    sheet = list(book.worksheets[0].values)
    assert len(items) == len(read) == table.num_rows == len(sheet) - 1 > 1000
    assert [one["project_id"] for one in items] == [one["project_id"] for one in read]
    assert [one["project_id"] for one in items] == table.column("project_id").to_pylist()
    assert [one["project_id"] for one in items] == [row[0] for row in sheet[1:]]
    assert [one["project_name"] for one in items] == [one["project_name"] for one in read]
    if "budget_cny" in query["select"]:
        for item, row in zip(items, read, strict=True):
            assert (item["budget_cny"] is None) == (row["budget_cny"] == "")
            assert item["budget_cny"] is None or math.isclose(item["budget_cny"], float(row["budget_cny"]))
    told = {name.decode(): text.decode() for name, text in table.schema.metadata.items()}
    assert told["oneledger_version"] == as_parquet.headers["oneledger-version"]
    assert "说明 definitions" in book.sheetnames


def test_a_page_of_a_file_goes_on_where_it_ended(client: ClientOf) -> None:
    viewer, parts = client("viewer"), []
    answer = viewer.get("/api/v1/stars", params={"format": "csv", "limit": 150, "select": "app_id"})
    parts.append(answer.text)
    answer = viewer.get(answer.links["next"]["url"])
    parts.append(answer.text)
    assert "next" not in answer.links
    whole = viewer.get("/api/v1/stars", params={"format": "csv", "select": "app_id"}).text
    assert parts[0] + parts[1].partition("\n")[2] == whole


@pytest.mark.parametrize(
    ("accept", "media"),
    [(None, "application/json"), ("*/*", "application/json"), ("text/csv, application/json;q=0.5", "text/csv"),
     ("text/html, text/*;q=0.5", "text/csv"), ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
     ("text/csv;q=0, */*;q=0.1", "application/json")],
)  # fmt: skip
def test_the_header_accept_chooses_the_format(client: ClientOf, accept: str | None, media: str) -> None:
    answer = client("viewer").get("/api/v1/stars", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"].partition(";")[0] == media
    assert "Accept" in answer.headers["vary"]


def test_a_format_that_we_do_not_have_is_not_acceptable(client: ClientOf) -> None:
    answer = client("viewer").get("/api/v1/stars", headers={"Accept": "image/png"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["detail"]


FORMULAS = ("=cmd|'/c calc'!A1", "+1", "-2+3", "@SUM(A1)", "公共自行车", "")


@pytest.fixture
def odd_values(two_versions: Settings, story: Story) -> Settings:
    """A version in which texts look like formulas, a number is none, an integer is huge, and a fact is large."""
    path = two_versions.home / "published" / story.first_version / "marts.duckdb"
    shutil.copy(path, path.with_suffix(".own"))
    path.with_suffix(".own").replace(path)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as m")
        connection.execute("create table m.marts.odd (name varchar, rate double, big bigint, cny decimal(18,2))")
        connection.executemany(
            "insert into m.marts.odd values (?, ?, ?, ?)",
            [[text, [0.5, float("nan"), float("inf")][number % 3], 2**53 + number, f"{number}.10"]
             for number, text in enumerate(FORMULAS)],
        )  # fmt: skip
        connection.execute("insert into m.marts.odd values (null, null, null, null)")
    return two_versions


def test_csv_keeps_values_as_they_are_unless_excel_is_to_read_it(odd_values: Settings) -> None:
    viewer = client_of(app_over(odd_values), "viewer")
    address = "/api/v1/tables/marts.odd"
    plain = viewer.get(address, params={"format": "csv", "sort": "big"}).content.decode("utf-8")
    names = [row[0] for row in csv.reader(io.StringIO(plain))][1:]
    assert names == [*FORMULAS, ""]
    # What is missing stands without quotes, an empty text with them.
    assert [line.partition(",")[0] for line in plain.splitlines()[-2:]] == ['""', ""]
    for_excel = viewer.get(address, params={"format": "csv", "excel": True, "sort": "big"}).content
    assert for_excel.startswith(b"\xef\xbb\xbf")
    names = [row[0] for row in csv.reader(io.StringIO(for_excel.decode("utf-8-sig")))][1:]
    assert names == [*(f"'{one}" for one in FORMULAS[:4]), *FORMULAS[4:], ""]
    sheet = openpyxl.load_workbook(io.BytesIO(viewer.get(address, params={"format": "xlsx", "sort": "big"}).content))
    cells = [row[0] for row in sheet.worksheets[0].iter_rows(min_row=2)]
    assert cells[0].value == FORMULAS[0]
    assert {one.data_type for one in cells} <= {"s", "n"}


def test_numbers_that_json_cannot_hold_do_not_go_out_as_numbers(odd_values: Settings) -> None:
    viewer = client_of(app_over(odd_values), "viewer")
    items = viewer.get("/api/v1/tables/marts.odd", params={"sort": "big"}).json()["items"]
    assert [one["rate"] for one in items] == [0.5, None, None, 0.5, None, None, None]
    assert [one["big"] for one in items[:2]] == [str(2**53), str(2**53 + 1)]
    assert [one["cny"] for one in items[:2]] == [0.1, 1.1]
    assert items[-1] == {"name": None, "rate": None, "big": None, "cny": None}
    found = viewer.get("/api/v1/tables/marts.odd", params={"big": 2**53 + 1, "cny": "1.10"}).json()
    assert found["total"] == 1


def test_what_is_too_much_for_one_file_is_refused_before_it_is_sent(
    client: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows.rows_answer, "__kwdefaults__", {"caps": Caps(file=100, sheet=50)})
    viewer = client("viewer")
    for file_format, most in (("csv", "100"), ("parquet", "100"), ("xlsx", "50")):
        answer = viewer.get("/api/v1/stars", params={"format": file_format})
        assert answer.status_code == 413
        assert most in answer.json()["detail"]
        assert "links.next" in answer.json()["detail"]
    assert viewer.get("/api/v1/stars", params={"format": "csv", "stars": 5}).status_code == 200
    assert viewer.get("/api/v1/stars", params={"format": "csv", "limit": 150}).status_code == 200


def test_a_large_daily_fact_is_asked_month_by_month(
    client: ClientOf, sql: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, address = client("viewer"), "/api/v1/tables/facts.fct_app_usage_day"
    expected = sql.execute(
        "select count(*) from facts.fct_app_usage_day where strftime(usage_on, '%Y-%m') = '2022-09'"
    ).fetchall()[0][0]
    monkeypatch.setattr(rows.rows_answer, "__kwdefaults__", {"caps": replace(Caps(), fact_without_month=1000)})
    for query in ({}, {"app_id": "A33050000001"}, {"usage_on__isnull": "false"}):
        refused = viewer.get(address, params=query)
        assert refused.status_code == 422
        assert "month=yyyy-mm" in refused.json()["errors"][0]["expected"]
    assert viewer.get(address, params={"month": "2022-09", "limit": 1}).json()["total"] == expected
    assert viewer.get(address, params={"usage_on": "2022-09-15", "limit": 1}).status_code == 200
    assert viewer.get(address, params={"month": "2022-13"}).status_code == 422


def test_quarantined_rows_are_counted_once_however_many_rules_they_break(two_versions: Settings, story: Story) -> None:
    path = two_versions.published_dir / story.first_version / "lineage/inputs/quarantine.row/all.parquet"
    columns = [row[0] for row in duckdb.sql(f"describe from '{path}'").fetchall()]
    path.unlink()
    kept_out = [("f1", 1, "pattern"), ("f1", 1, "known_word"), ("f1", 2, "pattern"), ("f2", 1, "pattern")]
    told = {"source": "irs", "entity": "app", "batch_id": "b", "found_at": "2022-10-31 01:02:03"}
    rows_of = " union all ".join(
        "select " + ", ".join(
            f"'{ {**told, 'file_id': file_id, 'rule_id': rule}.get(one, 'x')}' as {one}" if one != "row_number"
            else f"{number} as row_number" for one in columns
        )
        for file_id, number, rule in kept_out
    )  # fmt: skip
    duckdb.sql(
        f"copy (select * replace (found_at::timestamp as found_at) from ({rows_of})) to '{path}' (format parquet)"
    )
    answer = client_of(app_over(two_versions), "viewer").get(
        "/api/v1/quarantine/counts", params={"sort": "-rows_count"}
    )
    counted = [(one["rule_id"], one["rows_count"], one["since_at"]) for one in answer.json()["items"]]
    assert counted == [("pattern", 3, "2022-10-31T01:02:03Z"), ("known_word", 1, "2022-10-31T01:02:03Z")]

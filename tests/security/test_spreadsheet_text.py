"""Text that a spreadsheet program would run: harmless in every file, and back again as it was."""

from __future__ import annotations

import csv
import functools
import io

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.publishing.spreadsheet_text import harmless_array, harmless_sql, original
from oneledger.web.api.files import csv_bytes
from oneledger.web.api.relations import Column
from tests.security.hostile_city import HARMLESS

DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")
texts = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.sampled_from(
    [*HARMLESS, "'", "''=", "'=", "'''", "=", "-", "'a", "a'="]), max_size=30)  # fmt: skip


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def through_sql(values: list[str]) -> list[str]:
    found = f"select {harmless_sql('text')} from (select unnest($values::varchar[]) as text)"
    return [row[0] for row in connection().execute(found, {"values": values}).fetchall()]


@settings(max_examples=50)
@given(texts)
def test_no_field_of_a_csv_runs_and_every_text_comes_back(values: list[str]) -> None:
    written = harmless_array(pa.array(values, pa.string())).to_pylist()
    assert [one for one in written if one.startswith(DANGEROUS)] == []
    assert [original(one) for one in written] == values
    assert through_sql(values) == written
    # What would not run is not touched.
    assert all(one == value for one, value in zip(written, values, strict=True)
               if not value.lstrip("'").startswith(DANGEROUS))  # fmt: skip


@pytest.mark.parametrize("value", [-5, -0.5, None, True])
def test_what_is_no_text_is_never_changed(value: object) -> None:
    column = pa.array([value])
    assert harmless_array(column).to_pylist() == [value]


def test_a_csv_for_a_spreadsheet_program_is_harmless_and_one_for_programs_exact() -> None:
    table = pa.table({"name": HARMLESS, "list": [[one] for one in HARMLESS]})
    columns = [Column("name", "VARCHAR"), Column("list", "VARCHAR[]")]
    for for_excel in (True, False):
        content = b"".join(csv_bytes(table.to_reader(), columns, for_excel=for_excel)).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(content, newline="")))[1:]
        cells = [row[0] for row in rows]
        assert [original(one) for one in cells] == HARMLESS if for_excel else cells == HARMLESS
        if for_excel:
            assert [cell for row in rows for cell in row if cell.startswith(DANGEROUS)] == []

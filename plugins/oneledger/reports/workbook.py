"""The workbook for departments and auditors: rows of a run and its version, what each column means, its origin."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

from oneledger.publishing.versions import BATCHES_FILE
from oneledger.reports.circular import title_of
from oneledger.reports.content import Seal
from oneledger.reports.facts import Facts, open_facts
from oneledger.reports.wording import Wording
from oneledger.reports.workbook_columns import Column, column_width, describe_column, read_models, with_unit
from oneledger.reports.workbook_pages import (
    Formats,
    add_codes,
    add_definitions,
    add_overview,
    add_provenance,
    new_sheet,
    write_cell,
)
from oneledger.reports.workbook_sheets import SHEETS, SheetSpec
from oneledger.settings import ConfigurationError, Settings

_MEASURED_ROWS = 300

_ROW_LIMIT = 1_048_576


def render_workbook(settings: Settings, facts: Facts, seal: Seal, made_at: dt.datetime) -> bytes:
    """The bytes of the workbook; the same facts give the same bytes.

    Raises:
        ConfigurationError: the version describes no columns, or a sheet has more rows than Excel holds.
    """
    import xlsxwriter

    models = read_models(facts)
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(content, options) as book:
        book.set_size(2400, 1500)
        book.set_properties(
            {
                "title": title_of(facts, Wording("zh")),
                "subject": title_of(facts, Wording("en")),
                "author": facts.issuer or "OneLedger",
                "keywords": seal.run_id,
                "comments": f"inputs {seal.inputs_hash}",
                "created": made_at.astimezone(dt.UTC).replace(tzinfo=None, microsecond=0),
            }
        )
        formats = Formats(book)
        add_overview(book, formats, facts, seal)
        columns_of = {}
        with open_facts(facts.run, facts.version) as connection:
            batches = str(facts.version.path / BATCHES_FILE).replace("'", "''")
            connection.execute(f"create view batch as from read_parquet('{batches}')")
            for sheet in SHEETS:
                columns_of[sheet.name] = [describe_column(models, sheet, name) for name in sheet.columns]
                rows = connection.execute(sheet.sql, _parameters(facts, sheet.sql)).fetchall()
                _rows(book, formats, sheet, columns_of[sheet.name], rows, facts)
            batch_rows = connection.execute(
                "select batch_id, source, entity, business_on, revision, received_count, accepted_count, "
                "quarantined_count,"
                " correction_reason, correction_reference, correction_name from batch order by batch_id"
            ).fetchall()
        add_definitions(book, formats, columns_of)
        add_codes(book, formats)
        add_provenance(book, formats, facts, seal, batch_rows)
    return content.getvalue()


def _rows(
    book: Any,
    formats: Formats,
    spec: SheetSpec,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    facts: Facts,
) -> None:
    """A sheet of rows: Chinese headings with units, English ones below, a filter, the first columns held in place."""
    if len(rows) + 2 > _ROW_LIMIT:
        raise ConfigurationError(
            f"Sheet {spec.name} would have {len(rows):,} rows, and Excel holds {_ROW_LIMIT:,}. Take them with "
            "`oneledger export "
            f"{spec.relation.partition('.')[2]} --format parquet`, and make the report without xlsx: --format "
            "html,pdf,docx"
        )
    sheet = new_sheet(book, spec.name, facts)
    sheet.freeze_panes(2, spec.frozen)
    sheet.repeat_rows(0, 1)
    sheet.set_row(0, 32)
    sheet.set_row(1, 32)
    for position, column in enumerate(columns):
        sheet.set_column(position, position, column_width(column, [row[position] for row in rows[:_MEASURED_ROWS]]))
        sheet.write_string(0, position, with_unit(column.title_zh, column.unit[0], "（{}）"), formats.head)
        sheet.write_string(1, position, with_unit(column.title_en, column.unit[1], " ({})"), formats.head_english)
    for place, row in enumerate(rows, start=2):
        for position, value in enumerate(row):
            write_cell(sheet, place, position, value, columns[position], formats)
    sheet.autofilter(1, 0, max(len(rows) + 1, 2), len(columns) - 1)


def _parameters(facts: Facts, sql: str) -> dict[str, Any]:
    given = {
        "from": facts.period_start_on,
        "to": facts.period_end_on,
        "level": facts.run.record["round"]["level"],
        "year": facts.period_end_on.year,
    }
    return {name: value for name, value in given.items() if f"${name}" in sql}

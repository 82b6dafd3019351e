"""What can be wrong with a workbook beyond its headings: no workbook, a password, formulas, merged cells, totals."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

from oneledger.catalogue import Decisions, WorkbookSpec, worded
from oneledger.raw.contract import normalise
from oneledger.raw.decoding import refuse_web_page
from oneledger.sources.refusal import RefusalError

_BEGINNING_BYTES = 512
_CHUNK = 1024 * 1024
_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# Cents are rounded on each row and once in the total.
_ROUNDING = Decimal("0.01")
_SHOWN = 5


class Table(Protocol):
    """The table of a sheet, as ``oneledger.raw.workbook`` reads it."""

    names: list[str]
    rows: list[list[str | None]]
    row_numbers: list[int]
    warnings: list[str]
    total: tuple[int, list[str | None]] | None


def refuse_what_is_no_workbook(path: Path) -> None:
    """Raise RefusalError for a web page, a workbook under a password, or bytes that are no workbook at all."""
    with path.open("rb") as stream:
        beginning = stream.read(_BEGINNING_BYTES)
    if beginning.startswith(_OLE) and _holds(path, _ENCRYPTED):
        raise RefusalError(
            f"{path.name} is protected by a password; it must be readable without one.",
            "The sender saves it without a password and delivers it again.",
            {"file": path.name},
            problem="password_protected",
        )
    if beginning.startswith(b"PK"):
        return
    refuse_web_page(path.name, beginning.decode("utf-8", "replace"))
    raise RefusalError(
        f"{path.name} is no workbook; it begins with {beginning[:40]!r}, where a workbook begins with 'PK'.",
        "The sender saves the table as .xlsx and delivers it again; a renamed CSV is no workbook.",
        {"file": path.name},
        problem="not_a_workbook",
    )


def _holds(path: Path, sought: bytes) -> bool:
    """Whether the bytes stand in the file, read a part at a time."""
    before = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if sought in before + chunk:
                return True
            before = chunk[-len(sought) :]
    return False


def check_formulas(path: Path, sheet_index: int, table: Table, decisions: Decisions) -> None:
    """Formulas whose values were never computed: a reader sees an empty cell where a number is meant."""
    cells = _formulas_without_value(path, sheet_index, table)
    if not cells:
        return
    text = f"{path.name}: {len(cells)} cells hold a formula without its value ({', '.join(cells[:_SHOWN])})"
    if decisions.formula_without_value == "refuse":
        raise RefusalError(
            f"{text}; they would be read as empty.",
            "The sender opens the workbook, lets it compute, saves it, and delivers it again.",
            {"file": path.name, "cells": cells[:20]},
            problem="formula_without_value",
        )
    table.warnings.append(worded("formula_without_value", f"{text}; read as missing"))


def check_merged(path: Path, merged: Sequence[Any], table: Table, spec: WorkbookSpec, decisions: Decisions) -> None:
    """Merged cells within the data where the catalogue agreed none (``fill_down``): only the first has the value."""
    if decisions.merged_cells == "accept" or not table.row_numbers:
        return
    first, last = table.row_numbers[0], table.row_numbers[-1]
    agreed = {normalise(name) for name in spec.fill_down}
    found = []
    for (top, left), (bottom, right) in merged:
        is_data = bottom + 1 >= first and top + 1 <= last and left < len(table.names)
        if is_data and not (left == right and table.names[left] in agreed) and top + 1 in table.row_numbers:
            found.append(f"{table.names[left]}, rows {top + 1} to {bottom + 1}")
    if not found:
        return
    text = f"{path.name}: merged cells where none were agreed ({'; '.join(found[:_SHOWN])})"
    if decisions.merged_cells == "refuse":
        raise RefusalError(
            f"{text}; only the first cell of each holds a value.",
            "The sender takes the cells apart and fills in each row; or name the column in `workbook.fill_down`.",
            {"file": path.name, "merged": found[:20]},
            problem="merged_cells",
        )
    table.warnings.append(worded("merged_cells", f"{text}; the cells below the first are missing, not filled in"))


def check_total(path: Path, table: Table, decisions: Decisions) -> None:
    """The total row against the sum of the rows, in each column in which it has a number."""
    if table.total is None:
        return
    number, cells = table.total
    wrong = []
    for position, name in enumerate(table.names):
        said = _number(cells[position])
        if said is None:
            continue
        values = [_number(row[position]) for row in table.rows if row[position] is not None]
        if None in values:
            # A cell that is no number: row rules hold it back, and say so better than a sum can.
            continue
        found = sum((value for value in values if value is not None), Decimal(0))
        if abs(found - said) > _ROUNDING * max(1, len(table.rows)) / 2:
            wrong.append(f"{name}: row {number} says {said:f}, the rows add up to {found:f}")
    if not wrong:
        return
    text = f"{path.name}: the total row is not the sum of the {len(table.rows)} rows ({'; '.join(wrong)})"
    if decisions.total_row_differs == "refuse":
        raise RefusalError(
            f"{text}.",
            "The sender checks whether rows were lost or the total was typed in, and delivers the workbook again.",
            {"file": path.name, "row": number, "columns": wrong},
            problem="total_row_differs",
        )
    table.warnings.append(worded("total_row_differs", text))


def _number(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _formulas_without_value(path: Path, sheet_index: int, table: Table) -> list[str]:
    """Cells of the data rows such as ``G7`` whose formula has no value. Most workbooks have no formula: those cost a
    look into the archive and nothing else."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)]
        if not any(re.search(rb"<f[ >/]", archive.read(name)) for name in sheets):
            return []
    import openpyxl

    rows = set(table.row_numbers)
    formulas = openpyxl.load_workbook(path, read_only=True, keep_links=False).worksheets[sheet_index]
    values = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False).worksheets[sheet_index]
    for sheet in (formulas, values):
        # A sheet may claim a size of its own; each row would be filled up to it.
        sheet.reset_dimensions()
    found = []
    for of_formulas, of_values in zip(formulas.iter_rows(), values.iter_rows(), strict=False):
        for cell, value in zip(of_formulas, of_values, strict=False):
            if getattr(cell, "data_type", "") == "f" and value.value is None and cell.row in rows:
                found.append(str(cell.coordinate))
    return found

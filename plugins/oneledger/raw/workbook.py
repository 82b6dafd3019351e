"""Workbooks as people keep them: title rows, merged headers, subtotals and notes around one table."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import python_calamine as calamine

from oneledger.catalogue import Decisions, WorkbookSpec, worded
from oneledger.raw.contract import name_headers, normalise, repeated_headings
from oneledger.raw.workbook_checks import check_formulas, check_merged, check_total, refuse_what_is_no_workbook
from oneledger.raw.workbook_safety import MOST_CELLS, refuse_unsafe_workbook
from oneledger.sources.refusal import RefusalError

_HEADER_SEARCH_ROWS = 200


@dataclass
class SheetTable:
    """The table of one sheet, every cell as text (None for an empty one).

    Attributes:
        names: unique column names; of a two-row header ``upper/lower``.
        rows: cells of each data row.
        row_numbers: the sheet's own row number (from 1) of each data row.
        title_fields: what was found in the rows above the header.
        skipped: rows that are no data: how many subtotal rows, empty rows, rows from the notes on.
        repeated: headings that stand more than once.
        warnings: what is to be said of the sheet.
        total: row number and cells of the total row, where the catalogue says how to know it.
        around: texts that are no data, with the sheet and row in which they stand: titles, notes, subtotals, whatever
            lies beside the table and on other sheets.
    """

    names: list[str]
    rows: list[list[str | None]]
    row_numbers: list[int]
    title_fields: dict[str, str]
    skipped: dict[str, int] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    total: tuple[int, list[str | None]] | None = None
    around: list[tuple[str, str]] = field(default_factory=list)


def read_sheet(path: Path, spec: WorkbookSpec, decisions: Decisions | None = None) -> SheetTable:
    """Read the table that the catalogue describes.

    Args:
        decisions: what becomes of another sheet, merged cells, formulas without values, a wrong total row.

    Raises:
        RefusalError: no workbook, no such sheet, or no header row that holds the agreed headings.
    """
    decisions = decisions or Decisions()
    grid, merged, sheet_index = _open_sheet(path, spec)
    header_at = _find_header(grid, merged, spec)
    warnings: list[str] = []
    if header_at is None:
        elsewhere = _other_sheet(path, spec, sheet_index)
        if elsewhere is not None:
            name, grid, merged, sheet_index, header_at = elsewhere
            text = f"{path.name}: the table stands on sheet {name!r}, not on {spec.sheet!r}"
            if decisions.other_sheet == "refuse":
                raise RefusalError(
                    f"{text}, as the catalogue says.",
                    "The sender puts the table back; if it moved for good, correct `workbook.sheet`.",
                    {"file": path.name, "sheet": name},
                    problem="other_sheet",
                )
            warnings.append(worded("other_sheet", f"{text}; read there"))
    if header_at is None:
        raise RefusalError(
            f"{path.name}: no row of the sheet holds all of {', '.join(spec.header_contains)}{_nearest(grid, spec)}.",
            "If a heading was renamed, correct `workbook.header_contains` and `columns`; otherwise the sender uses "
            "the agreed form.",
            {"file": path.name, "header_contains": list(spec.header_contains)},
            problem="missing_column",
        )
    labels = _joined_header(grid, merged, header_at, spec.header_rows)
    last = max((position for position, label in enumerate(labels) if label), default=-1) + 1
    names = name_headers(labels[:last], path.name)
    titles = _title_fields(grid[:header_at], spec)
    table = SheetTable(names, [], [], titles, {"subtotal_rows": 0, "empty_rows": 0, "rows_of_notes": 0})
    table.repeated = repeated_headings(labels[:last])
    table.warnings = warnings
    _read_rows(grid, header_at + spec.header_rows, last, spec, table)
    table.around = [*_around(grid, table, last), *_on_other_sheets(path, sheet_index)]
    check_formulas(path, sheet_index, table, decisions)
    check_merged(path, merged, table, spec, decisions)
    check_total(path, table, decisions)
    return table


def _open_sheet(
    path: Path, spec: WorkbookSpec
) -> tuple[list[list[Any]], list[tuple[tuple[int, int], tuple[int, int]]], int]:
    refuse_what_is_no_workbook(path)
    refuse_unsafe_workbook(path, spec.max_unpacked_bytes)
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as workbook:
            names = workbook.sheet_names
            index = (
                spec.sheet if isinstance(spec.sheet, int) else (names.index(spec.sheet) if spec.sheet in names else -1)
            )
            if not 0 <= index < len(names):
                raise RefusalError(
                    f"{path.name} has no sheet {spec.sheet!r}; it has {', '.join(names)}.",
                    "Correct `workbook.sheet`, or the sender names the sheet as agreed.",
                    {"file": path.name, "sheets": names},
                    problem="other_sheet",
                )
            sheet = workbook.get_sheet_by_index(index)
            if sheet.total_height * sheet.total_width > MOST_CELLS:
                raise RefusalError(
                    f"{path.name}: the sheet claims {sheet.total_height:,} × {sheet.total_width:,} cells, more than "
                    f"{MOST_CELLS:,}.",
                    "The sender removes formatted but empty rows and columns, or delivers the table as CSV.",
                    {"file": path.name},
                    problem="too_large",
                )
            return sheet.to_python(skip_empty_area=False), list(sheet.merged_cell_ranges or []), index
    except (calamine.CalamineError, OSError) as error:
        raise RefusalError(
            f"{path.name} cannot be read as a workbook: {str(error).strip() or type(error).__name__}.",
            "The file is cut off or of another format: the sender delivers it again.",
            {"file": path.name},
            problem="truncated_file",
        ) from error


def _find_header(grid: list[list[Any]], merged: Sequence[Any], spec: WorkbookSpec) -> int | None:
    wanted = {normalise(name) for name in spec.header_contains}
    for position, row in enumerate(grid[:_HEADER_SEARCH_ROWS]):
        if wanted <= {normalise(_text(cell) or "") for cell in row}:
            return position
    if spec.header_rows > 1:
        for position in range(min(len(grid) - 1, _HEADER_SEARCH_ROWS)):
            if wanted <= set(_joined_header(grid, merged, position, spec.header_rows)):
                return position
    return None


def _other_sheet(path: Path, spec: WorkbookSpec, index: int) -> tuple[str, list[list[Any]], list[Any], int, int] | None:
    """Name, cells, merged ranges and number of another sheet that has the agreed header, and where it stands."""
    with calamine.CalamineWorkbook.from_path(str(path)) as workbook:
        for number, name in enumerate(workbook.sheet_names):
            if number == index:
                continue
            sheet = workbook.get_sheet_by_index(number)
            if sheet.total_height * sheet.total_width > MOST_CELLS:
                continue
            grid, merged = sheet.to_python(skip_empty_area=False), list(sheet.merged_cell_ranges or [])
            header_at = _find_header(grid, merged, spec)
            if header_at is not None:
                return name, grid, merged, number, header_at
    return None


def _around(grid: list[list[Any]], table: SheetTable, width: int) -> Iterator[tuple[str, str]]:
    """Place and text of every filled cell that is no cell of a data row."""
    data = set(table.row_numbers)
    for number, row in enumerate(grid, start=1):
        for cell in row[width:] if number in data else row:
            if text := _text(cell):
                yield f"row {number}", text


def _on_other_sheets(path: Path, index: int) -> Iterator[tuple[str, str]]:
    with calamine.CalamineWorkbook.from_path(str(path)) as workbook:
        names = workbook.sheet_names
        for number in range(len(names)):
            if number == index:
                continue
            try:
                rows = workbook.get_sheet_by_index(number).to_python()
            except calamine.CalamineError:
                continue  # a sheet of drawings only has no cells
            for cell in (cell for row in rows for cell in row):
                if text := _text(cell):
                    yield f"sheet {names[number]}", text


def _joined_header(grid: list[list[Any]], merged: Sequence[Any], header_at: int, rows: int) -> list[str]:
    upper = [normalise(_text(cell) or "") for cell in grid[header_at]]
    if rows == 1:
        return upper
    lower = [normalise(_text(cell) or "") for cell in grid[header_at + 1]] if header_at + 1 < len(grid) else []
    lower += [""] * (len(upper) - len(lower))
    spread = _spread_over_merged(upper, merged, header_at)
    labels = []
    left = ""
    for position, own in enumerate(spread):
        # Without merge information a blank upper cell over a lower heading belongs to the heading on its left.
        left = own or (left if lower[position] else "")
        labels.append(f"{left}/{lower[position]}" if left and lower[position] else left or lower[position])
    return labels


def _spread_over_merged(upper: list[str], merged: Sequence[Any], header_at: int) -> list[str]:
    spread = list(upper)
    for (top, first), (bottom, last) in merged:
        if top <= header_at <= bottom:
            for position in range(first, min(last + 1, len(spread))):
                spread[position] = upper[first]
    return spread


def _title_fields(rows: list[list[Any]], spec: WorkbookSpec) -> dict[str, str]:
    texts = [text for row in rows for cell in row if (text := _text(cell))]
    texts += [" ".join(text for cell in row if (text := _text(cell))) for row in rows]
    found = {}
    for name, pattern in spec.title_fields.items():
        match = next((match for text in texts if (match := re.search(pattern, text))), None)
        if match:
            found[name] = match.group(1)
    return found


def _read_rows(grid: list[list[Any]], start: int, width: int, spec: WorkbookSpec, table: SheetTable) -> None:
    stop = [re.compile(pattern) for pattern in spec.stop_at]
    skip = [re.compile(pattern) for pattern in spec.skip_rows]
    filled = [position for position, name in enumerate(table.names) if name in {normalise(n) for n in spec.fill_down}]
    carried: dict[int, str | None] = {}
    for position in range(start, len(grid)):
        cells = [_text(cell) for cell in grid[position][:width]]
        cells += [None] * (width - len(cells))
        given = [cell for cell in (_text(cell) for cell in grid[position]) if cell]
        if not given:
            table.skipped["empty_rows"] += 1
            continue
        if _matches(stop, given[:1]):
            table.skipped["rows_of_notes"] += sum(1 for row in grid[position:] if any(_text(cell) for cell in row))
            return
        if spec.total_row and re.search(spec.total_row, given[0].strip()):
            table.total = (position + 1, cells)
        if _matches(skip, given):
            table.skipped["subtotal_rows"] += 1
            continue
        for column in filled:
            cells[column] = carried[column] = cells[column] or carried.get(column)
        table.rows.append(cells)
        table.row_numbers.append(position + 1)


def _matches(patterns: Sequence[re.Pattern[str]], texts: Sequence[str]) -> bool:
    return any(pattern.search(text.strip()) for pattern in patterns for text in texts)


def _nearest(grid: list[list[Any]], spec: WorkbookSpec) -> str:
    """A hint: the row that holds most of the agreed headings."""
    wanted = {normalise(name) for name in spec.header_contains}
    best: tuple[int, int, list[str]] = (0, 0, [])
    for position, row in enumerate(grid[:_HEADER_SEARCH_ROWS]):
        cells = [normalise(text) for cell in row if (text := _text(cell))]
        held = len(wanted & set(cells))
        if held > best[0]:
            best = (held, position + 1, cells)
    return f"; row {best[1]} comes nearest: {', '.join(best[2][:20])}" if best[0] else ""


def _text(cell: Any) -> str | None:
    """A cell as text: whole numbers without a point, others with the 15 digits that a workbook keeps, ISO dates."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else format(cell, ".15g")
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell) if str(cell).strip() else None


def sheet_columns(table: SheetTable) -> Iterator[tuple[str, list[str | None]]]:
    """Name and values of each column."""
    for position, name in enumerate(table.names):
        yield name, [row[position] for row in table.rows]

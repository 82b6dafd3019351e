"""Workbooks as offices make them: title rows, merged cells, subtotals, notes; the same bytes for the same content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import xlsxwriter

from oneledger.city.calendar import chinese_date
from oneledger.city.irs_store import LABEL

_CREATED = dt.datetime.combine(dt.date(2021, 1, 1), dt.time())
NOTE = "注：本表为合成数据（synthetic data），由程序生成，不涉及真实单位和项目。"


class Sheet:
    """One workbook with one sheet, written from top to bottom; ``row`` is where the next line goes."""

    def __init__(self, path: Path, sheet_name: str, widths: Sequence[int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._book = xlsxwriter.Workbook(str(self._partial))
        self._book.set_properties({"title": sheet_name, "comments": LABEL, "created": _CREATED, "author": "oneledger"})
        self._sheet = self._book.add_worksheet(sheet_name)
        self.columns = len(widths)
        self.row = 0
        for column, width in enumerate(widths):
            self._sheet.set_column(column, column, width)
        self._title = self._book.add_format({"bold": True, "align": "center", "font_size": 14})
        self._head = self._book.add_format({"bold": True, "align": "center", "valign": "vcenter", "border": 1})
        self._middle = self._book.add_format({"valign": "vcenter", "border": 1})
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._money = self._book.add_format({"num_format": "#,##0.00"})

    def __enter__(self) -> Sheet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._book.close()
        if error is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

    def title(self, text: str) -> None:
        """A title over all columns."""
        self._sheet.merge_range(self.row, 0, self.row, self.columns - 1, text, self._title)
        self.row += 1

    def line(self, values: Sequence[Any]) -> None:
        """A line of cells; dates as dates, other numbers with two decimals, None left blank."""
        for column, value in enumerate(values):
            self._cell(self.row, column, value)
        self.row += 1

    def head(self, names: Sequence[str]) -> None:
        for column, name in enumerate(names):
            self._sheet.write_string(self.row, column, name, self._head)
        self.row += 1

    def head_of_two_rows(self, names: Sequence[str | tuple[str, Sequence[str]]]) -> None:
        """A heading of two rows: a text stands over both, a group ``(text, parts)`` over its parts."""
        column = 0
        for name in names:
            if isinstance(name, str):
                self._sheet.merge_range(self.row, column, self.row + 1, column, name, self._head)
                column += 1
                continue
            group, parts = name
            self._sheet.merge_range(self.row, column, self.row, column + len(parts) - 1, group, self._head)
            for part in parts:
                self._sheet.write_string(self.row + 1, column, part, self._head)
                column += 1
        self.row += 2

    def merge_down(self, column: int, first: int, last: int, text: str) -> None:
        """One cell over the rows ``first`` to ``last``, as offices group rows."""
        if last > first:
            self._sheet.merge_range(first, column, last, column, text, self._middle)
        else:
            self._sheet.write_string(first, column, text, self._middle)

    def note(self, *texts: str) -> None:
        """Notes under the table, each in the first cell of its row."""
        for text in texts:
            self._sheet.write_string(self.row, 0, text)
            self.row += 1

    def _cell(self, row: int, column: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, dt.date):
            self._sheet.write_datetime(row, column, dt.datetime.combine(value, dt.time()), self._date)
        elif isinstance(value, int):
            self._sheet.write_number(row, column, value)
        elif isinstance(value, float):
            self._sheet.write_number(row, column, value, self._money)
        else:
            self._sheet.write_string(row, column, str(value))


def typed_or_written(day: dt.date, number: int) -> dt.date | str:
    """Every third date was typed as Chinese text, as people do."""
    return chinese_date(day) if number % 3 == 0 else day

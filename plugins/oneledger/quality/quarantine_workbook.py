"""A workbook for the department that sent the rows: what was received, the bad cells marked, what to do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.catalogue import Catalogue, Entity
from oneledger.quality.quarantine import Filter, count_rows, quarantined_rows
from oneledger.settings import ConfigurationError, Settings

ROW_LIMIT = 100_000
_OWN_COLUMNS = (
    ("原文件 file", 34), ("行 row", 8), ("问题 what is wrong", 44), ("处理办法 what to do", 50),
)  # fmt: skip
_WIDTH = 18


@dataclass(frozen=True)
class ExportedWorkbook:
    """Where it lies and how much it holds."""

    path: Path
    rows_count: int
    marked_cells_count: int


def export_quarantine(settings: Settings, catalogue: Catalogue, chosen: Filter, path: Path) -> ExportedWorkbook:
    """Write the chosen rows, one sheet an entity under the headings of the source's own file.

    The bad cells are filled and carry a comment with reason and remedy in both languages; columns before them say
    the same of the row. Every cell is text, so that none runs as a formula. Correct the cells and send the rows
    back in the file of their batch: the new delivery takes them out of quarantine.

    Raises:
        ConfigurationError: there are no such rows, too many for one workbook, or the name does not end in .xlsx.
    """
    import xlsxwriter

    if path.suffix != ".xlsx":
        raise ConfigurationError(f"{path} must end in .xlsx.")
    count = count_rows(settings, chosen)
    if not count:
        raise ConfigurationError(f"No quarantined row is of {chosen}. `oneledger quarantine list` says what there is.")
    if count > ROW_LIMIT:
        raise ConfigurationError(
            f"{count:,} reports are too many for one workbook (at most {ROW_LIMIT:,}). Narrow it with --entity, --rule "
            "or --batch; so many bad rows have one cause, which the source mends at once."
        )
    by_entity: dict[tuple[str, str], dict[tuple[str, int], list[dict[str, Any]]]] = {}
    for report in quarantined_rows(settings, chosen, limit=None):
        of_entity = by_entity.setdefault((report["source"], report["entity"]), {})
        of_entity.setdefault((report["file_id"], report["row_number"]), []).append(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows_count = marked = 0
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        formats = {
            "heading": book.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1, "text_wrap": True}),
            "bad": book.add_format({"bg_color": "#FFC7CE", "font_color": "#9C0006", "border": 1, "num_format": "@"}),
            "text": book.add_format({"num_format": "@"}),
            "words": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        _write_cover(book, formats, catalogue, chosen, by_entity)
        for (source, entity_id), rows in sorted(by_entity.items()):
            sheet = book.add_worksheet(_sheet_name(f"{source}.{entity_id}", book))
            marked += _write_rows(sheet, formats, catalogue.entity(source, entity_id), rows)
            rows_count += len(rows)
    return ExportedWorkbook(path, rows_count, marked)


def _write_cover(book: Any, formats: Any, catalogue: Catalogue, chosen: Filter, by_entity: Any) -> None:
    sheet = book.add_worksheet("说明 read me")
    sheet.set_column(0, 0, 100, formats["words"])
    lines = ["被隔离的数据行，请更正后重新报送  Rows kept out: correct them and deliver again", f"范围 what: {chosen}"]
    for (source, entity_id), rows in sorted(by_entity.items()):
        owner = catalogue.source(source).owner
        title = catalogue.entity(source, entity_id)
        lines.append(
            f"{title.title_zh} {title.title_en} ({source}.{entity_id}): {len(rows)} 行 rows, 责任 who: {owner}"
        )
    lines += [
        "1. 红色单元格有误，批注写明原因与处理办法；前四列是原文件、行号、问题与办法。"
        " Red cells are wrong; the comment says why and what to do; the first columns name file and row.",
        "2. 请在源系统或原文件中更正，按原文件名重新报送整个文件；更正后的文件到达后，这些行自动解除隔离。"
        " Correct them in the source and deliver the whole file again under its name: the rows then leave quarantine.",
        "3. 数值属实而规则不当的，请告知数据仓库运维，由其放行并记录原因。"
        " If a value is right and the rule is wrong, tell the warehouse's operators, who release the row and note why.",
        "4. 身份证号码与手机号码已遮盖。 Identity-card and mobile numbers are masked.",
    ]
    for number, line in enumerate(lines):
        sheet.write_string(number, 0, line, formats["words"])


def _write_rows(sheet: Any, formats: Any, entity: Entity, rows: dict[tuple[str, int], list[dict[str, Any]]]) -> int:
    names = [column.name for column in entity.delivered_columns]
    headings = {column.name: column.source_name or column.name for column in entity.delivered_columns}
    first = len(_OWN_COLUMNS)
    for position, (heading, width) in enumerate(_OWN_COLUMNS):
        sheet.write_string(0, position, heading, formats["heading"])
        sheet.set_column(position, position, width)
    for position, name in enumerate(names, start=first):
        heading = headings[name]
        sheet.write_string(0, position, heading.removeprefix("$"), formats["heading"])
    sheet.set_column(first, first + len(names), _WIDTH)
    extra_at = first + len(names)
    sheet.write_string(0, extra_at, "其他列 other columns", formats["heading"])
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, max(len(rows), 1), extra_at)
    marked = 0
    for line, ((file_id, row_number), reports) in enumerate(sorted(rows.items()), start=1):
        received = json.loads(reports[0]["line"])
        sheet.write_string(line, 0, file_id.partition("/")[2] or file_id, formats["text"])
        sheet.write_number(line, 1, row_number)
        sheet.write_string(line, 2, _joined(reports, "reason"), formats["words"])
        sheet.write_string(line, 3, _joined(reports, "remedy"), formats["words"])
        bad: dict[str, list[dict[str, Any]]] = {}
        for report in reports:
            for name in (report["column_name"] or "").split(", "):
                bad.setdefault(name, []).append(report)
        for position, name in enumerate(names, start=first):
            text = received.get(name)
            sheet.write_string(line, position, "" if text is None else str(text),
                               formats["bad" if name in bad else "text"])  # fmt: skip
            if name in bad:
                comment = f"{_joined(bad[name], 'reason')}\n{_joined(bad[name], 'remedy')}"
                sheet.write_comment(line, position, comment, {"x_scale": 2, "y_scale": 1.5, "author": "OneLedger"})
                marked += 1
        if received.get("_extra"):
            sheet.write_string(line, extra_at, json.dumps(received["_extra"], ensure_ascii=False), formats["text"])
    return marked


def _joined(reports: list[dict[str, Any]], what: str) -> str:
    return "\n".join(dict.fromkeys(f"{one[f'{what}_zh']}  {one[f'{what}_en']}" for one in reports))


def _sheet_name(wanted: str, book: Any) -> str:
    """At most 31 characters without those that a sheet's name may not hold, and unlike every other."""
    name = re.sub(r"[\[\]:*?/\\]", "_", wanted)[:31]
    taken = {sheet.get_name().lower() for sheet in book.worksheets()}
    number = 2
    while name.lower() in taken:
        name = f"{name[:28]}~{number}"
        number += 1
    return name

"""Faults of the finance bureau's and the reform office's workbooks."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oneledger.city.faults.breakage import Breakage, Expected, Target
from oneledger.settings import ConfigurationError

YUAN_PER_WAN = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SPENDING, BUDGET, LIST = "zhichu_", "ysxd_", "zhenggai_"


def _found(target: Target, stem: str) -> Path:
    """The newest workbook of this kind up to the day; raises ConfigurationError when there is none."""
    known = sorted((target.city_dir / "drops" / "finance").glob(f"{stem}*.xlsx"))
    if stem == SPENDING:
        known = [path for path in known if path.stem <= f"{SPENDING}{target.day:%Y%m}"]
    if not known:
        raise ConfigurationError(
            f"There is no workbook {stem}*.xlsx up to {target.day}, so it cannot be spoiled; choose a later --day, or "
            "build the city up to 2022-10-31."
        )
    return known[-1]


def _book(change: Callable[[Any, Any], str]) -> Callable[[Path], str]:
    """Change a workbook: ``change`` gets the book and its first sheet and says what it did."""

    def spoil(path: Path) -> str:
        import openpyxl

        book = openpyxl.load_workbook(path)
        said = change(book, book.worksheets[0])
        book.save(path)
        return f"{path.name}: {said}"

    return spoil


def _column(sheet: Any, heading: str) -> tuple[int, int]:
    """Row and column of a heading."""
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value == heading:
                return cell.row, cell.column
    raise ConfigurationError(f"The sheet {sheet.title} has no heading {heading}; build the city again.")


def _amounts(sheet: Any, heading: str) -> list[Any]:
    """The cells of a column in data rows (the first cell of subtotal rows says so), in their order."""
    header, column = _column(sheet, heading)
    return [
        row[column - 1]
        for row in sheet.iter_rows(min_row=header + 1)
        if isinstance(row[column - 1].value, int | float) and not any(cell.value in ("小计", "合计") for cell in row)
    ]


def _in_yuan(says_yuan: bool) -> Callable[[Any, Any], str]:
    def change(book: Any, sheet: Any) -> str:
        changed = 0
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value == "金额单位：万元" and says_yuan:
                    cell.value = "金额单位：元"
                elif cell.column == row[-1].column and isinstance(cell.value, int | float):
                    cell.value = round(cell.value * YUAN_PER_WAN, 2)
                    changed += 1
        return f"{changed} amounts written in yuan" + (", title too" if says_yuan else ", title still 万元")

    return change


def _write(heading: str, values: list[Any]) -> Callable[[Any, Any], str]:
    """Write values into the first data rows of a column."""

    def change(book: Any, sheet: Any) -> str:
        for cell, value in zip(_amounts(sheet, heading), values, strict=False):
            cell.value = value
        return f"{heading} of {len(values)} rows written as {values[0]}"

    return change


def _rename_heading(old: str, new: str) -> Callable[[Any, Any], str]:
    def change(book: Any, sheet: Any) -> str:
        row, column = _column(sheet, old)
        sheet.cell(row, column).value = new
        return f"heading {old} became {new}"

    return change


def _move_header(book: Any, sheet: Any) -> str:
    merged = [str(cells) for cells in sheet.merged_cells.ranges]
    for cells in merged:
        sheet.unmerge_cells(cells)
    sheet.insert_rows(2, amount=3)
    sheet.cell(2, 1).value = "（本表由系统导出）"
    return "three rows more above the header"


def _other_sheet(book: Any, sheet: Any) -> str:
    cover = book.create_sheet("封面", 0)
    cover["A1"] = "打分表封面"
    return "a cover sheet in front of the table"


def _merge_values(heading: str) -> Callable[[Any, Any], str]:
    def change(book: Any, sheet: Any) -> str:
        first = _amounts(sheet, heading)[0]
        sheet.merge_cells(
            start_row=first.row, end_row=first.row + 2, start_column=first.column, end_column=first.column
        )
        return f"{heading}: rows {first.row} to {first.row + 2} merged"

    return change


def _own_total(book: Any, sheet: Any) -> str:
    """A row of the sender's own within the rows, in words that were not agreed."""
    header, column = _column(sheet, "序号")
    row = header + 4
    sheet.cell(row, column).value = "本页累计"
    return f"row {row} is a total in words that were not agreed"


def _lose_rows(book: Any, sheet: Any) -> str:
    for cell in _amounts(sheet, "下达金额")[:2]:
        cell.value = None
    return "two amounts are gone, the total row is as before"


def _without_title(text: str) -> Callable[[Any, Any], str]:
    def change(book: Any, sheet: Any) -> str:
        for row in sheet.iter_rows(max_row=3):
            for cell in row:
                if isinstance(cell.value, str) and text in cell.value:
                    cell.value = cell.value.split("（2")[0]
        return f"the title no longer says {text}"

    return change


def _with_password(path: Path) -> str:
    """What Office writes for a workbook under a password: a compound file whose streams name the encryption."""
    streams = "".join(f"{name}\0" for name in ("EncryptionInfo", "EncryptedPackage")).encode("utf-16-le")
    path.write_bytes(_OLE + bytes(504) + streams + path.read_bytes()[::-1])
    return f"{path.name}: protected by a password"


def _cut(path: Path) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return f"{path.name}: {len(content)} bytes cut to {len(content) // 2}"


def _parts(path: Path, changed: Callable[[str, bytes], bytes], added: dict[str, bytes]) -> None:
    """Write the archive anew with its parts changed, and some more."""
    partial = path.with_name(f".{path.name}.partial")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as written:
        for name in archive.namelist():
            written.writestr(name, changed(name, archive.read(name)))
        for name, content in added.items():
            written.writestr(name, content)
    partial.replace(path)


def _zip_bomb(path: Path) -> str:
    _parts(path, lambda name, content: content, {"xl/media/image1.png": bytes(80 * 1024 * 1024)})
    return f"{path.name}: {path.stat().st_size:,} bytes that unpack to more than 80 MiB"


def _entities(path: Path) -> str:
    declaration = b'<!DOCTYPE workbook [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    _parts(
        path,
        lambda name, content: content.replace(b"?>", b"?>" + declaration, 1) if name == "xl/workbook.xml" else content,
        {},
    )
    return f"{path.name}: declares an entity that would read a file of the machine"


def _renamed_csv(path: Path) -> str:
    path.write_text("序号,跑道,应用名称\n1,党政,甲\n", encoding="utf-8")
    return f"{path.name}: a CSV under the name of a workbook"


def _page(path: Path) -> str:
    path.write_text("<html><body>系统维护中</body></html>\n", encoding="utf-8")
    return f"{path.name}: a web page"


def _of(
    kind: str, zh: str, en: str, problem: str, expected: Expected, stem: str, change: Callable[[Path], str]
) -> Breakage:  # fmt: skip
    return Breakage(
        kind, zh, en, problem, expected, f"drops/finance/{stem}", lambda target: change(_found(target, stem)),
        lambda target: [_found(target, stem)],
    )  # fmt: skip


def _copy_of_other(target: Target) -> str:
    source, other = _found(target, "dafen_self"), _found(target, "dafen_third_party")
    shutil.copyfile(source, other)
    return f"{other.name} is a copy of {source.name}"


def _refuse(entity: str, problem: str, text: str, *says: str) -> Expected:
    return Expected("refuse", "finance", entity, text, problem, says=says)


WORKBOOK_FAULTS = (
    _of("yuan_for_wan", "以元当万元填报", "yuan written for 万元",
        "a month's amounts are in yuan while the title says 万元",
        Expected("quarantine", "finance", "spending", "amounts of over a thousand million yuan are quarantined",
                 "", "usual_maximum", 109, ("spent_cny", "1000000000")),
        SPENDING, _book(_in_yuan(says_yuan=False))),
    _of("unit_changed", "表头单位改为元", "a workbook in another unit",
        "title and amounts of a month are in yuan",
        Expected("quarantine", "finance", "spending", "the rows are quarantined: unit 元 is not the agreed 万元",
                 "changed_unit", "allowed", 141, ("元", "unit_text", "万元")),
        SPENDING, _book(_in_yuan(says_yuan=True))),
    _of("words_for_amounts", "金额写成文字", "words for amounts", "3 amounts are written as 约20万元",
        Expected("quarantine", "finance", "spending", "the 3 rows are quarantined", "unreadable_value", "is_decimal", 3,
                 ("约20万元", "spent_cny")),
        SPENDING, _book(_write("支出金额", ["约20万元"] * 3))),
    _of("formulas_without_values", "公式没有值", "formulas without values",
        "3 amounts are formulas that were never computed",
        _refuse("spending", "formula_without_value", "the batch is refused; its outcome names the cells",
                "zhichu_202210.xlsx", "G4", "formula"),
        SPENDING, _book(_write("支出金额", ["=10+10.75"] * 3))),
    _of("total_row_differs", "合计与明细不符", "a total that disagrees", "two amounts are gone, the total row is not",
        _refuse("budget_release", "total_row_differs", "the batch is refused; its outcome shows both sums",
                "ysxd_2022.xlsx", "资金/下达金额", "row 539"),
        BUDGET, _book(_lose_rows)),
    _of("renamed_heading", "表头被改", "a heading renamed", "项目编号 is called 项目代码",
        _refuse("budget_release", "missing_column", "the batch is refused; its outcome names the nearest row",
                "ysxd_2022.xlsx", "项目编号", "项目代码"),
        BUDGET, _book(_rename_heading("项目编号", "项目代码"))),
    _of("truncated_workbook", "工作簿被截断", "a workbook cut short", "the file ends in the middle",
        _refuse("budget_release", "truncated_file", "the batch is refused", "ysxd_2022.xlsx",
                "cannot be read as a workbook"),
        BUDGET, _cut),
    _of("password", "工作簿加密", "a workbook under a password", "the file cannot be opened without a password",
        _refuse("ledger_entry", "password_protected", "the batch is refused; its outcome says why",
                "yibenzhang_city_S0.xlsx", "password"),
        "yibenzhang_city_S0", _with_password),
    _of("csv_for_workbook", "CSV改名为工作簿", "no workbook at all", "a CSV under the name of a workbook",
        _refuse("ledger_entry", "not_a_workbook", "the batch is refused; its outcome shows how the file begins",
                "yibenzhang_city_S1.xlsx", "no workbook"),
        "yibenzhang_city_S1", _renamed_csv),
    _of("page_for_workbook", "网页代替工作簿", "a web page for a workbook", "the file is a maintenance page",
        _refuse("ledger_entry", "web_page", "the batch is refused; its outcome shows how the page begins",
                "yibenzhang_province_S0.xlsx", "<html>"),
        "yibenzhang_province_S0", _page),
    _of("zip_bomb", "压缩炸弹工作簿", "a workbook that unpacks without end", "a picture of 80 MiB of nothing",
        _refuse("rectification", "too_large", "the batch is refused before a reader opens it", "zhenggai_",
                "zip bomb"),
        LIST, _zip_bomb),
    _of("xml_entities", "工作簿含XML实体", "a workbook that defines entities",
        "an entity would read a file of the machine",
        _refuse("ledger_entry", "unsafe_content", "the batch is refused before a reader opens it",
                "yibenzhang_province_S2.xlsx", "declares a document type"),
        "yibenzhang_province_S2", _entities),
    _of("title_without_date", "标题缺发布日期", "a title without its date",
        "the title no longer says when the ledger was published",
        _refuse("ledger_entry", "missing_column", "the batch is refused; its outcome names what was not found",
                "yibenzhang_province_S1.xlsx", "published_text"),
        "yibenzhang_province_S1", _book(_without_title("发布"))),
    _of("own_total_row", "未约定的累计行", "a total row in words of its own",
        "a row is a total in words that were not agreed",
        Expected("quarantine", "finance", "ledger_entry", "the row is quarantined: 本页累计 is no number",
                 "unreadable_value", "is_integer", 1, ("本页累计", "entry_number")),
        "yibenzhang_province_S2", _book(_own_total)),
    _of("other_sheet", "表格换了工作表", "the table on another sheet", "a cover sheet stands in front of the table",
        _refuse("score_sheet", "other_sheet", "the batch is refused; its outcome names the sheet with the table",
                "dafen_expert_2022Q3.xlsx", "专家评价"),
        "dafen_expert", _book(_other_sheet)),
    _of("merged_points", "得分合并单元格", "merged cells where none were agreed", "the points of 3 rows are merged",
        Expected("warn", "finance", "score_sheet",
                 "rows are taken; a warning names column and rows, and points below the first are missing",
                 "merged_cells", says=("dafen_self_2022Q3.xlsx", "得分", "rows 4 to 6")),
        "dafen_self", _book(_merge_values("得分"))),
    Breakage("same_file_again", "同一文件换名再送", "the same file under another name",
             "the third party's scores are a copy of the owner's own",
             Expected("refuse", "finance", "score_sheet", "the batch is refused; its outcome names the other batch",
                      "same_file_again", says=("dafen_third_party_2022Q3.xlsx", "finance.score_sheet.self-2022Q3")),
             "drops/finance/dafen_third_party", _copy_of_other, lambda target: [_found(target, "dafen_third_party")]),
    _of("header_moved", "表头下移", "the header moved", "three rows more stand above the header",
        Expected("accept", "finance", "rectification", "every row is taken: the header is found by its headings",
                 "header_moved"),
        LIST, _book(_move_header)),
    _of("unknown_state", "未约定的整改状态", "a word that was not agreed in a workbook",
        "a state is written as 基本完成",
        Expected("quarantine", "finance", "rectification", "the row is quarantined; the agreed words are listed", "",
                 "known_word", 1, ("基本完成", "reported_state", "已完成")),
        LIST, _book(lambda book, sheet: _one_cell(sheet, "整改状态", "基本完成"))),
)  # fmt: skip


def _one_cell(sheet: Any, heading: str, value: str) -> str:
    row, column = _column(sheet, heading)
    sheet.cell(row + 1, column).value = value
    return f"{heading} of one row written as {value}"

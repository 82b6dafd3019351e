"""What is decided at the door: for each thing that can be wrong with a delivery, what becomes of it.

A source says its decisions under ``defaults.decisions``, an entity under ``decisions``; what neither says is
decided as below. A problem with one choice is not for a source to decide; it stands here so that the list is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import Field

from oneledger.catalogue.columns import Strict

_FILES = ("delimited", "workbook")
_ALL = ("http", "sql", "delimited", "workbook")


def _problem(default: str, connectors: tuple[str, ...], zh: str, en: str, remedy_zh: str) -> Any:
    """One thing that can be wrong: what is decided unless the catalogue says otherwise, where it occurs, its names,
    and what the owner does about it. (The English remedy names what was found; it is worded where it is found.)"""
    about: dict[str, Any] = {"connectors": list(connectors), "title_zh": zh, "remedy_zh": remedy_zh}
    return Field(default=default, title=en, json_schema_extra=about)


class Decisions(Strict):
    """One decision a problem: ``accept`` without a word, ``warn``, ``quarantine`` the rows, ``refuse`` the batch,
    ``wait`` for a later run."""

    # Columns
    reordered_columns: Literal["accept"] = _problem(
        "accept",
        _ALL,
        "列的顺序变了（按列名取值）",
        "columns stand in another order (they are found by name)",
        "无需处理",
    )
    repeated_heading: Literal["refuse", "warn"] = _problem(
        "refuse",
        _FILES,
        "约定的列名出现两次",
        "the heading of a known column stands twice",
        "请来源方删去或改名重复的列后重新报送",
    )
    changed_type: Literal["quarantine", "refuse"] = _problem(
        "quarantine",
        _ALL,
        "一列的值全部不是约定的类型",
        "no value of a column can be read as its type",
        "请来源方恢复该列的约定写法后重新报送",
    )
    changed_unit: Literal["quarantine"] = _problem(
        "quarantine",
        ("workbook",),
        "表头写的单位不是约定的单位",
        "the unit in the title is not the agreed one",
        "请按约定单位填报后重新报送",
    )
    unreadable_value: Literal["quarantine"] = _problem(
        "quarantine",
        _ALL,
        "个别值读不出来",
        "single values cannot be read as the type of their column",
        "请来源方更正该值后重新报送",
    )
    repeated_record: Literal["quarantine"] = _problem(
        "quarantine",
        _ALL,
        "同一记录内容互相矛盾（完全相同的只算一条）",
        "a record stands twice with other content (an exact copy counts once)",
        "请来源方确认哪一条正确后重新报送",
    )

    # What would do harm
    personal_data: Literal["refuse", "mask", "quarantine"] = _problem(
        "refuse",
        _ALL,
        "含个人信息（身份证号、手机号、银行卡号、电子邮箱）",
        "identity-card, mobile or bank-card numbers or e-mail addresses; `mask` lands them with stars, `quarantine` "
        "lands them as received and holds the rows back",
        "请删去或脱敏所列列中的个人信息后重新报送",
    )
    too_large: Literal["refuse"] = _problem(
        "refuse",
        _ALL,
        "超出允许的大小（解压后过大、单页过大、列过多）",
        "larger than allowed once unpacked or read: zip bombs, pages without end, cells without number",
        "请缩小或拆分后重新报送；若非来源方所为，请按攻击处置",
    )
    unsafe_content: Literal["refuse"] = _problem(
        "refuse",
        _ALL,
        "含有害内容（XML 实体、符号链接、不可用的文件名、回显的令牌）",
        "XML entities, symbolic links, unusable file names, or our own token repeated back",
        "请以普通文件、由表格软件另存后重新报送；若非来源方所为，请按攻击处置",
    )

    # Text files
    byte_order_mark: Literal["accept"] = _problem(
        "accept", ("delimited",), "带字节顺序标记", "a byte order mark", "无需处理"
    )
    other_encoding: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("delimited",),
        "编码不是约定的编码",
        "another encoding than agreed; `warn` reads the one that fits",
        "请按约定的编码重新导出；若已长期改用新编码，请修改目录中的 format.encoding",
    )
    undecodable_bytes: Literal["refuse", "quarantine"] = _problem(
        "refuse",
        ("delimited",),
        "一个文件里混有两种编码",
        "encodings are mixed: single bytes fit no encoding",
        "请用同一种编码重新导出整个文件",
    )
    other_delimiter: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("delimited",),
        "分隔符不是约定的分隔符",
        "another delimiter than agreed; `warn` reads the one that fits",
        "请按约定的分隔符重新导出；若已长期改变，请修改目录中的 format.delimiter",
    )
    ragged_rows: Literal["quarantine", "refuse"] = _problem(
        "quarantine",
        ("delimited",),
        "行的字段数与表头不同",
        "records with more or fewer fields than the header",
        "请检查这些行的分隔符与引号后重新报送",
    )
    nul_bytes: Literal["quarantine", "refuse"] = _problem(
        "quarantine", ("delimited",), "文本里有空字节", "NUL bytes within the text", "请去掉这些行里的空字节后重新报送"
    )
    unclosed_quote: Literal["refuse"] = _problem(
        "refuse", ("delimited",), "引号没有闭合", "a quotation mark is never closed", "请补上该行缺少的引号后重新报送"
    )
    not_compressed: Literal["refuse", "accept"] = _problem(
        "refuse",
        ("delimited",),
        "约定压缩而未压缩",
        "not packed although gzip was agreed",
        "请压缩后重新报送，或在目录中改为不压缩",
    )

    # Files
    truncated_file: Literal["refuse"] = _problem(
        "refuse", _FILES, "文件被截断", "a file that was cut off", "文件在传输中被截断：请重新报送文件与控制文件"
    )
    web_page: Literal["refuse"] = _problem(
        "refuse",
        ("http", *_FILES),
        "送来的是网页（含状态码 200 的错误页）",
        "a web page instead of data, even with status 200",
        "送来的是网页（多为登录页或错误页）：请来源方检查导出程序后重新报送",
    )
    empty_file: Literal["refuse"] = _problem("refuse", _FILES, "空文件", "a file of 0 bytes", "请来源方重新报送该文件")
    no_rows: Literal["refuse", "warn"] = _problem(
        "refuse",
        _FILES,
        "只有表头（控制文件写明 rows=0 的除外）",
        "a header and no row (unless the control file says rows=0)",
        "请补报数据；确无数据的，请在控制文件中写明 rows=0",
    )
    control_file_missing: Literal["wait", "warn"] = _problem(
        "wait",
        ("delimited",),
        "缺控制文件",
        "the control file is not there (yet); `warn` takes the file without it",
        "请补送控制文件；到齐后下次运行自动接收",
    )
    control_file_unreadable: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("delimited",),
        "控制文件读不出来",
        "the control file cannot be read",
        "请重写控制文件（rows=行数，sha256=校验值）",
    )
    control_total_differs: Literal["refuse"] = _problem(
        "refuse",
        ("http", *_FILES),
        "行数、总数或校验值与来源所报不符",
        "rows, total or hash differ from what the source says",
        "请来源方核对行数与总数后重新报送",
    )
    date_in_name_unreadable: Literal["refuse"] = _problem(
        "refuse", _FILES, "文件名里的日期不存在", "the date in the file name is none", "请更正文件名中的日期后重新报送"
    )
    future_business_date: Literal["refuse", "warn", "accept"] = _problem(
        "refuse",
        _FILES,
        "文件日期在今天之后",
        "the file is of a day that has not come yet",
        "请更正文件名中的日期；确属未来日期的，到期再报送",
    )
    other_business_date: Literal["refuse", "warn", "accept"] = _problem(
        "refuse",
        _FILES,
        "内容的日期不是文件名的日期",
        "most rows carry another day than the file's name",
        "请核对文件名与内容的日期，以正确的文件名重新报送",
    )
    row_of_other_date: Literal["quarantine", "accept"] = _problem(
        "quarantine",
        _FILES,
        "个别行的日期不是文件的日期",
        "single rows carry another day than their file",
        "请将这些行报送到其所属日期的文件中",
    )
    same_file_again: Literal["warn", "refuse", "accept"] = _problem(
        "warn",
        _FILES,
        "同一文件换了日期再送",
        "the same bytes once more for another partition",
        "请确认哪一天的文件是对的，重新导出另一天的文件",
    )

    # Workbooks
    not_a_workbook: Literal["refuse"] = _problem(
        "refuse", ("workbook",), "不是工作簿", "the file is no workbook", "请以 xlsx 工作簿重新报送"
    )
    password_protected: Literal["refuse"] = _problem(
        "refuse", ("workbook",), "工作簿加了密码", "the workbook is protected by a password", "请去掉密码保护后重新报送"
    )
    other_sheet: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("workbook",),
        "表格在另一张工作表上",
        "the table stands on another sheet; `warn` reads it there",
        "请把表格放回约定的工作表，或修改目录中的 workbook.sheet",
    )
    header_moved: Literal["accept"] = _problem(
        "accept", ("workbook",), "表头下移或上移", "the header row moved (it is found by its headings)", "无需处理"
    )
    subtotal_rows: Literal["accept"] = _problem(
        "accept", ("workbook",), "小计、合计行（计数后略去）", "rows of subtotals (counted and left out)", "无需处理"
    )
    total_row_differs: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("workbook",),
        "合计行与明细之和不符",
        "the total row is not the sum of the rows",
        "请核对合计行与明细后重新报送",
    )
    formula_without_value: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("workbook",),
        "公式没有算出的值",
        "formulas whose values were never computed",
        "请用表格软件打开、重新计算并保存，或粘贴为数值后重新报送",
    )
    merged_cells: Literal["warn", "refuse", "accept"] = _problem(
        "warn",
        ("workbook",),
        "数据区有未约定的合并单元格",
        "merged cells within the rows where none were agreed",
        "请拆分合并单元格，逐行填写后重新报送",
    )

    # HTTP
    no_answer: Literal["refuse"] = _problem(
        "refuse",
        ("http",),
        "拒绝、限流、故障、超时、断线（重试之后）",
        "401, 403, 404, 429, 5xx, time-outs and cut connections, after the retries",
        "请检查接口服务与令牌；恢复后下次运行自动续取",
    )
    unreadable_answer: Literal["refuse"] = _problem(
        "refuse",
        ("http",),
        "回答不是约定的 JSON",
        "an answer that is not the agreed JSON",
        "请接口方恢复约定的返回格式",
    )
    repeated_page: Literal["refuse"] = _problem(
        "refuse", ("http",), "同一页再次送来", "a page comes again", "请接口方修复翻页；本次内容未入库"
    )
    endless_paging: Literal["refuse"] = _problem(
        "refuse", ("http",), "翻页没有尽头", "the cursor never ends", "请接口方修复翻页游标；本次内容未入库"
    )
    overlapping_pages: Literal["refuse", "warn"] = _problem(
        "refuse",
        ("http",),
        "前后页有相同的记录",
        "records of one page stand in another one too",
        "请接口方修复翻页，避免重复与遗漏",
    )
    pages_out_of_order: Literal["accept"] = _problem(
        "accept", ("http",), "页的先后颠倒", "pages come in another order (a record's last change decides)", "无需处理"
    )
    since_ignored: Literal["warn", "accept", "refuse"] = _problem(
        "warn",
        ("http", "sql"),
        "增量参数不起作用",
        "rows from before the day that was asked from",
        "请接口方恢复增量参数；数据按记录的修改时间合并，不会重复",
    )
    changed_in_future: Literal["quarantine", "warn", "accept"] = _problem(
        "quarantine",
        ("http", "sql"),
        "修改时间在基准日之后（时钟或时区不对）",
        "changed after the day as of which the source answers (a clock in another zone)",
        "请核对来源系统的时钟与时区",
    )
    other_time_zone: Literal["accept"] = _problem(
        "accept", ("http", "sql"), "时间带有其他时区", "times with an offset (converted to the city's)", "无需处理"
    )
    nested_value: Literal["quarantine", "accept", "refuse"] = _problem(
        "quarantine",
        ("http",),
        "单值字段里是对象或列表",
        "an object or a list where one value was agreed",
        "请接口方恢复该字段的单值写法",
    )

    # Databases
    unreachable_database: Literal["refuse"] = _problem(
        "refuse",
        ("sql",),
        "数据库连不上、密码不对、被锁、不是数据库",
        "unreachable, wrong password, locked, or no database",
        "请检查数据库服务、地址与密码；恢复后下次运行自动读取",
    )
    missing_table: Literal["refuse"] = _problem(
        "refuse", ("sql",), "缺表", "the table is not there", "请恢复该表；若已改名，请修改目录中的 table"
    )
    omitted_records: Literal["warn", "accept", "refuse"] = _problem(
        "warn",
        ("sql", "http", *_FILES),
        "全量数据漏了记录（保留并标记，不当作删除）",
        "a full delivery leaves records out (kept and marked, not deleted)",
        "请来源方确认是否漏导；确已注销的，请在源系统中标明状态",
    )


@dataclass(frozen=True)
class DoorProblem:
    """One line of the list of decisions, for people. ``key`` is where the catalogue says it."""

    id: str
    key: str
    title_zh: str
    title_en: str
    remedy_zh: str
    connectors: tuple[str, ...]
    choices: tuple[str, ...]
    default: str


# Older than the other decisions, and still keys of their own.
_COLUMN_PROBLEMS = (
    DoorProblem(
        "missing_column",
        "on_missing_column",
        "缺少约定的列",
        "an agreed column is missing, or was renamed",
        "请恢复该列的约定名称后重新报送；若已长期改名，请修改目录中的 from",
        _ALL,
        ("refuse", "warn"),
        "refuse",
    ),
    DoorProblem(
        "new_column",
        "on_new_column",
        "多出目录里没有的列",
        "a column that the catalogue does not know",
        "请在目录中登记该列，或请来源方去掉",
        _ALL,
        ("warn", "keep", "ignore", "refuse"),
        "warn",
    ),
)


@cache
def door_problems() -> dict[str, DoorProblem]:
    """Everything that is decided at the door, by id, in the order in which it is documented."""
    found = {problem.id: problem for problem in _COLUMN_PROBLEMS}
    for name, about in Decisions.model_json_schema()["properties"].items():
        choices = tuple(about["enum"]) if "enum" in about else (about["const"],)
        found[name] = DoorProblem(
            name,
            f"decisions.{name}",
            about["title_zh"],
            about["title"],
            about["remedy_zh"],
            tuple(about["connectors"]),
            choices,
            about["default"],
        )
    return found


def combined(*levels: Decisions | None) -> Decisions:
    """What is decided: the first level that says something about a problem counts, the entity's before the source's."""
    said: dict[str, Any] = {}
    for level in reversed(levels):
        if level is not None:
            said.update(level.model_dump(exclude_unset=True))
    return Decisions(**said)


def worded(problem: str, text: str) -> str:
    """A message in both languages: the problem's Chinese name before what was found."""
    return f"{door_problems()[problem].title_zh}: {text}" if problem in door_problems() else text


def remedy_of(problem: str, text: str) -> str:
    """A remedy in both languages."""
    return f"{door_problems()[problem].remedy_zh}。{text}" if problem in door_problems() else text

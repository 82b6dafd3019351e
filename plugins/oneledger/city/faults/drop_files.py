"""Faults of the portals' daily drop files."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path

from oneledger.city import spoiled_files as files
from oneledger.city.drop_files import CONTROL_SUFFIX, Portal, write_control
from oneledger.city.faults.breakage import Breakage, Expected, Target
from oneledger.city.spoiled_files import ZHELIBAN, ZHEZHENGDING, Lines

Z_FILE = "zheliban_usage_{day}.csv.gz"
G_FILE = "zzd_yysy_{day}.csv.gz"


def _pair(portal: Portal) -> Callable[[Target], list[Path]]:
    def touched(target: Target) -> list[Path]:
        path = portal.path(target.city_dir / "drops", target.day)
        return [path, path.with_name(path.name + CONTROL_SUFFIX)]

    return touched


def _path(portal: Portal, target: Target) -> Path:
    return files.delivered(target.city_dir, portal, target.day)


def _lines(change: Callable[[Lines], Lines], said: str, portal: Portal = ZHELIBAN) -> Callable[[Target], str]:
    """Change the records; the control file stays honest."""

    def spoil(target: Target) -> str:
        path = _path(portal, target)
        files.edit(path, portal.encoding, change)
        return f"{path.name}: {said}"

    return spoil


def _bytes(change: Callable[[bytes], bytes], said: str, portal: Portal = ZHELIBAN) -> Callable[[Target], str]:
    """Change the bytes within the gzip file; the control file stays honest about records and hash."""

    def spoil(target: Target) -> str:
        path = _path(portal, target)
        rows = gzip.decompress(path.read_bytes()).count(b"\n") - 1
        path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes())), 5, mtime=0))
        write_control(path, rows)
        return f"{path.name}: {said}"

    return spoil


def _file(change: Callable[[Path], str], portal: Portal = ZHELIBAN) -> Callable[[Target], str]:
    return lambda target: change(_path(portal, target))


def _cells(column: str, value: str | Callable[[str], str], first: int = 1, count: int = 3) -> Callable[[Lines], Lines]:
    """Write a value (or change the one that is there) into one column of some records."""

    def change(lines: Lines) -> Lines:
        place = lines[0].index(column)
        changed = [list(line) for line in lines]
        for line in changed[first : first + count]:
            line[place] = value(line[place]) if callable(value) else value
        return changed

    return change


def _all_cells(column: str, value: Callable[[str], str]) -> Callable[[Lines], Lines]:
    return _cells(column, value, count=10_000_000)


def _reorder(lines: Lines) -> Lines:
    return [list(reversed(line)) for line in lines]


def _drop_column(name: str) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        place = lines[0].index(name)
        return [[*line[:place], *line[place + 1 :]] for line in lines]

    return change


def _ragged(share: float) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        count = 3 if not share else int(len(lines) * share)
        return [lines[0], *([*line, "", "多"] for line in lines[1 : count + 1]), *lines[count + 1 :]]

    return change


def _without_rows(path: Path) -> str:
    header = gzip.decompress(path.read_bytes()).split(b"\n", 1)[0]
    path.write_bytes(gzip.compress(header + b"\n", 5, mtime=0))
    write_control(path, 0)
    control = path.with_name(path.name + CONTROL_SUFFIX)
    control.write_text(control.read_text("ascii").split("\n", 1)[1], encoding="ascii")
    return f"{path.name}: only the header is left; the control file says no number of rows"


def _empty(path: Path) -> str:
    path.write_bytes(b"")
    write_control(path, 0)
    return f"{path.name}: 0 bytes"


def _bomb(path: Path) -> str:
    header = gzip.decompress(path.read_bytes()).split(b"\n", 1)[0]
    path.write_bytes(gzip.compress(header + b"\n" + bytes(100 * 1024 * 1024), 9, mtime=0))
    write_control(path, 1)
    return f"{path.name}: {path.stat().st_size:,} bytes that unpack to more than 100 MiB"


def _linked(path: Path) -> str:
    path.unlink()
    path.symlink_to("/etc/hostname")
    return f"{path.name}: a symbolic link to a file of the machine"


def _plain(path: Path) -> str:
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(content)
    write_control(path, content.count(b"\n") - 1)
    return f"{path.name}: not packed"


def _web_page(path: Path) -> str:
    page = "<!DOCTYPE html>\n<html><head><title>统一登录</title></head><body>请登录</body></html>\n"
    path.write_bytes(gzip.compress(page.encode(), 5, mtime=0))
    control = path.with_name(path.name + CONTROL_SUFFIX)
    write_control(path, 1)
    control.write_text(control.read_text("ascii").split("\n", 1)[1], encoding="ascii")
    return f"{path.name}: a log-in page"


def _without_control(path: Path) -> str:
    path.with_name(path.name + CONTROL_SUFFIX).unlink()
    return f"{path.name}{CONTROL_SUFFIX} removed"


def _garbled_control(path: Path) -> str:
    path.with_name(path.name + CONTROL_SUFFIX).write_text("OK 2022\n", encoding="ascii")
    return f"{path.name}{CONTROL_SUFFIX}: says OK 2022"


def _renamed(name_of: Callable[[dt.date], str]) -> tuple[Callable[[Target], str], Callable[[Target], list[Path]]]:
    """The day's file under another name, beside the right one."""

    def paths(target: Target) -> list[Path]:
        path = ZHELIBAN.path(target.city_dir / "drops", target.day)
        other = path.with_name(name_of(target.day))
        return [other, other.with_name(other.name + CONTROL_SUFFIX)]

    def spoil(target: Target) -> str:
        other, control = paths(target)
        other.write_bytes(_path(ZHELIBAN, target).read_bytes())
        write_control(other, gzip.decompress(other.read_bytes()).count(b"\n") - 1)
        return f"{other.name} delivered, with {control.name}"

    return spoil, paths


def _mixed(content: bytes) -> bytes:
    """Three records in the middle are written in GB18030."""
    lines = content.split(b"\n")
    for place in (10, 11, 12):
        lines[place] = lines[place].decode("utf-8").encode("gb18030")
    return b"\n".join(lines)


def _nul(content: bytes) -> bytes:
    lines = content.split(b"\n")
    for place in (3, 4, 5):
        lines[place] = lines[place].replace(b",A", b",A\x00", 1)
    return b"\n".join(lines)


def _open_quote(content: bytes) -> bytes:
    lines = content.split(b"\n")
    fields = lines[8].split(b",")
    fields[2] = b'"' + fields[2]
    lines[8] = b",".join(fields)
    return b"\n".join(lines)


def _tomorrow(day: str) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=1)).isoformat()


def _chinese(day: str) -> str:
    return f"{int(day[:4])}年{int(day[5:7])}月{int(day[8:])}日"


def _thousands(text: str) -> str:
    return f'"{int(text) + 0:,}"' if text else text


def _full_width(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if sign.isdigit() else sign for sign in text)


def _z(
    kind: str, zh: str, en: str, problem: str, expected: Expected, spoil: Callable[[Target], str],
    touches: Callable[[Target], list[Path]] | None = None, *, needs_history: bool = False,
) -> Breakage:  # fmt: skip
    portal = ZHELIBAN if expected.source == "zheliban" else ZHEZHENGDING
    return Breakage(kind, zh, en, problem, expected, f"drops/{portal.name}", spoil, touches or _pair(portal),
                    is_of_day=True, needs_history=needs_history)  # fmt: skip


def _refuse(problem: str, text: str, *says: str, source: str = "zheliban") -> Expected:
    return Expected("refuse", source, "usage", text, problem, says=says)


def _held(rule: str, rows: int, text: str, *says: str, problem: str = "unreadable_value") -> Expected:
    return Expected("quarantine", "zheliban", "usage", text, problem, rule, rows, says)


def _taken(problem: str, text: str, source: str = "zheliban", rows: int | None = None) -> Expected:
    return Expected("accept", source, "usage", text, problem, rows_count=rows)


_future, _future_paths = _renamed(lambda day: "zheliban_usage_20991231.csv.gz")
_no_date, _no_date_paths = _renamed(lambda day: "zheliban_usage_20221399.csv.gz")

DROP_FILE_FAULTS = (
    # The file as a whole. The missing day comes first: a check names the first days that it misses.
    _z("missing_day", "缺一天的文件", "a day's file is missing", "neither data nor control file of the day is there",
       Expected("gate", "zheliban", "usage", "the check missing_days and status name the source and the day",
                rule="missing_days", says=("{day}",)), _file(files.remove)),
    _z("part_of_a_day", "只导出了一部分", "a part of a day", "only a quarter of the rows are there, honestly counted",
       Expected("gate", "zheliban", "usage", "the check volume shows rows and median, and shuts the gate",
                rule="volume", says=("{day}",)),
       _lines(lambda lines: lines[: len(lines) // 4], "only a quarter of the rows is left"), needs_history=True),
    _z("truncated_file", "投递文件被截断", "a drop file cut short",
       "the gzip file ends too early, its SHA-256 differs from the control file",
       _refuse("control_total_differs", "the delivery is not taken; its outcome names file and both hashes",
               Z_FILE, "SHA-256", "control file"), _file(files.truncate)),
    _z("half_written_file", "文件只写了一半", "a drop file half written",
       "the gzip file ends too early, and the control file was made of the half",
       _refuse("truncated_file", "the delivery is not taken; its outcome says that the gzip file is not whole",
               Z_FILE, "no whole gzip file"), _file(files.truncate_honestly)),
    _z("wrong_control_total", "控制文件行数不符", "a wrong control total",
       "the control file says 5 rows more than the file holds",
       _refuse("control_total_differs", "the delivery is not taken; its outcome shows both numbers", Z_FILE, "holds",
               "the source says"), _file(files.say_more_rows)),
    _z("missing_control_file", "缺控制文件", "a drop file without its control file", "the control file is not there",
       Expected("wait", "zheliban", "usage", "the file waits, and its outcome says for what", "control_file_missing",
                says=(Z_FILE, f"{Z_FILE}.ctl")), _file(_without_control)),
    _z("garbled_control_file", "控制文件损坏", "a control file that cannot be read",
       "the control file says neither rows nor hash",
       _refuse("control_file_unreadable", "the delivery is not taken; its outcome shows what the control file says",
               f"{Z_FILE}.ctl", "OK 2022", "rows=<number>"), _file(_garbled_control)),
    _z("empty_file", "空文件", "an empty drop file", "the file has 0 bytes",
       _refuse("empty_file", "the delivery is not taken; its outcome says that the file is empty", Z_FILE, "0 bytes"),
       _file(_empty)),
    _z("header_only", "只有表头", "a drop file with its header only", "the file has a header and no row",
       _refuse("no_rows", "the delivery is not taken, unless its control file says rows=0", Z_FILE,
               "a header and no row"), _file(_without_rows)),
    _z("not_packed", "未压缩", "a drop file that is not packed", "the file is plain CSV under the name of a gzip file",
       _refuse("not_compressed", "the delivery is not taken; its outcome says what was agreed", Z_FILE, "gzip"),
       _file(_plain)),
    _z("gzip_bomb", "压缩炸弹", "a file that unpacks without end", "a file of 100 KB unpacks to more than 100 MiB",
       _refuse("too_large", "the delivery is refused while it is unpacked; its outcome says which bound", Z_FILE,
               "200 times"),
       _file(_bomb)),
    _z("linked_file", "符号链接", "a link instead of a file", "a symbolic link to a file of the machine",
       _refuse("unsafe_content", "nothing that the link leads to is read; its outcome says so", Z_FILE,
               "a symbolic link"),
       _file(_linked)),
    _z("login_page", "投递了登录页", "a web page as a drop file", "the file is the log-in page of the export system",
       _refuse("web_page", "the delivery is not taken; its outcome shows how the page begins", Z_FILE,
               "<!DOCTYPE html>"), _file(_web_page)),
    _z("file_of_a_future_day", "文件日期在未来", "a file of a day that has not come",
       "a file says that it is of 31 December 2099",
       _refuse("future_business_date", "the delivery is not taken, so that no mart is computed as of that day",
               "zheliban_usage_20991231.csv.gz", "2099-12-31"), _future, _future_paths),
    _z("file_of_no_day", "文件名日期不存在", "a file name without a day", "the file name says the 99th of month 13",
       _refuse("date_in_name_unreadable", "the delivery is not taken; its outcome names file and date",
               "zheliban_usage_20221399.csv.gz", "'20221399'", "yyyymmdd"), _no_date, _no_date_paths),
    _z("content_of_another_day", "内容是另一天的", "a file whose content is of another day",
       "every row carries the next day",
       _refuse("other_business_date", "the delivery is not taken; its outcome names both days", Z_FILE, "日期",
               "{day}"), _lines(_all_cells("日期", _tomorrow), "every row carries the next day")),
    _z("rows_of_another_day", "混入另一天的行", "rows of another day", "3 rows carry the next day",
       _held("row_of_other_date", 3, "the 3 rows are quarantined, the others are taken", "日期", problem=(
           "row_of_other_date")), _lines(_cells("日期", _tomorrow), "3 rows carry the next day")),
    _z("redelivered_day", "某天重新投递", "a day is delivered again with other content",
       "page views are one higher and one row is gone",
       _taken("", "the new revision replaces the day; old rows count as superseded"),
       _lines(files.correct_views, "delivered again: page views one higher, last row gone"), needs_history=True),

    # Encoding and form of the text
    _z("wrong_encoding", "编码错误", "another encoding than agreed", "the zhezhengding file is UTF-16, not GB18030",
       _refuse("other_encoding", "the batch is refused with file, byte and the encoding that fits", G_FILE, "gb18030",
               "utf-16", source="zhezhengding"), _file(files.as_utf16, ZHEZHENGDING)),
    _z("utf8_for_gb18030", "以UTF-8代替GB18030", "UTF-8 where GB18030 was agreed",
       "the zhezhengding file is UTF-8, not GB18030",
       _refuse("other_encoding", "the batch is refused; its outcome says which encoding fits", G_FILE, "gb18030",
               "utf-8", source="zhezhengding"),
       _bytes(lambda content: content.decode("gb18030").encode("utf-8"), "written as UTF-8", ZHEZHENGDING)),
    _z("gb18030_for_utf8", "以GB18030代替UTF-8", "GB18030 where UTF-8 was agreed",
       "the zheliban file is GB18030, not UTF-8",
       _refuse("other_encoding", "the batch is refused; its outcome says which encoding fits", Z_FILE, "utf-8",
               "gb18030"),
       _bytes(lambda content: content.decode("utf-8").encode("gb18030"), "written as GB18030")),
    _z("mixed_encodings", "两种编码混用", "two encodings in one file", "3 lines of the UTF-8 file are GB18030",
       _refuse("undecodable_bytes", "the batch is refused; its outcome names the byte", Z_FILE, "byte",
               "no usual encoding fits"), _bytes(_mixed, "3 lines written as GB18030")),
    _z("byte_order_mark", "带字节顺序标记", "a byte order mark", "the file begins with a byte order mark",
       _taken("byte_order_mark", "every row is taken"),
       _bytes(lambda content: b"\xef\xbb\xbf" + content, "a byte order mark in front")),
    _z("windows_line_ends", "Windows换行", "line ends of Windows", "lines end with CR LF",
       _taken("", "every row is taken"), _bytes(lambda content: content.replace(b"\n", b"\r\n"), "lines end CR LF")),
    _z("everything_quoted", "全部加引号", "every field in quotation marks", "every field stands in quotation marks",
       _taken("", "every row is taken"),
       _lines(lambda lines: [[f'"{cell}"' for cell in line] for line in lines], "every field quoted")),
    _z("wrong_delimiter", "分隔符错误", "another delimiter than agreed", "fields are parted by semicolons",
       _refuse("other_delimiter", "the batch is refused; its outcome names both delimiters", Z_FILE, "';'", "','"),
       _bytes(lambda content: content.replace(b",", b";"), "parted by semicolons")),
    _z("unclosed_quote", "引号未闭合", "a quotation mark that is never closed", "a quotation mark opens on line 9",
       _refuse("unclosed_quote", "the batch is refused; its outcome names the line", Z_FILE, "line 9"),
       _bytes(_open_quote, "a quotation mark opens on line 9")),
    _z("ragged_rows", "行的字段数不符", "rows with too many fields", "3 rows have two fields too many",
       _held("malformed_record", 3, "the 3 rows are quarantined whole, with their line and why",
             "19 fields instead of 17", problem="ragged_rows"),
       _lines(_ragged(0), "3 rows have two fields too many")),
    _z("mostly_ragged", "大量行的字段数不符", "too many rows with too many fields",
       "a third of the rows have two fields too many",
       _refuse("ragged_rows", "the batch is refused; its outcome shows how many rows, and the first", Z_FILE,
               "17 fields of the header", "record 1"), _lines(_ragged(0.34), "a third of the rows is too wide")),
    _z("nul_bytes", "文本含空字节", "NUL bytes in the text", "a NUL byte stands in 3 rows",
       _held("malformed_record", 3, "the 3 rows are quarantined whole, the byte shown as a sign", "a NUL byte",
             problem="nul_bytes"), _bytes(_nul, "a NUL byte in 3 rows")),

    # Columns
    _z("renamed_column", "列名被改", "a column renamed", "访客数 is called 访问人次",
       _refuse("missing_column", "the batch is refused and the missing column named, with its likely new name", Z_FILE,
               "访客数", "visitors_count", "访问人次"),
       _lines(files.rename_column, "访客数 became 访问人次")),
    _z("removed_column", "缺一列", "a column left out", "the column 办结数 is not there",
       _refuse("missing_column", "the batch is refused and the missing column named", Z_FILE, "办结数",
               "completions_count"), _lines(_drop_column("办结数"), "column 办结数 left out")),
    _z("new_column", "多出一列", "a column that nobody announced", "the file has a column 分享数",
       Expected("warn", "zheliban", "usage", "rows are taken, the unknown column is kept and a warning made",
                "new_column", says=(Z_FILE, "分享数")), _lines(files.add_column, "column 分享数 added")),
    _z("reordered_columns", "列的顺序变了", "columns in another order", "the columns stand in the opposite order",
       _taken("reordered_columns", "every row is taken: columns are found by name"),
       _lines(_reorder, "columns in the opposite order")),
    _z("repeated_heading", "列名重复", "a heading that stands twice", "the file has two columns 访客数",
       _refuse("repeated_heading", "the batch is refused: nobody can say which of them is meant", Z_FILE, "访客数",
               "visitors_count"),
       _lines(lambda lines: [[*line, "访客数" if place == 0 else "1"] for place, line in enumerate(lines)],
              "a second column 访客数")),

    # Values
    _z("thousands_marks", "带千分位", "thousands marks", "3 numbers are written with thousands marks",
       _taken("", "every row is taken, numbers as meant"),
       _lines(_cells("浏览量", _thousands), "3 numbers with thousands marks")),
    _z("decimal_zeros", "整数带小数位", "whole numbers with decimals", "3 counts are written as 12.0",
       _taken("", "every row is taken, numbers as meant"),
       _lines(_cells("浏览量", lambda text: f"{text}.0"), "3 counts with .0")),
    _z("full_width_digits", "全角数字", "full-width digits", "3 counts are written in full-width digits",
       _taken("", "every row is taken, numbers as meant"),
       _lines(_cells("浏览量", _full_width), "3 counts in full-width digits")),
    _z("chinese_dates", "中文日期", "Chinese dates", "every date is written as 2022年10月5日",
       _taken("", "every row is taken, dates as meant"), _lines(_all_cells("日期", _chinese), "Chinese dates")),
    _z("padded_values", "值前后有空格", "blanks around values", "3 ends are written with blanks around them",
       _taken("", "every row is taken"), _lines(_cells("发布端", lambda text: f" {text} "), "blanks around 3 values")),
    _z("chinese_numerals", "中文数字", "Chinese numerals", "3 counts are written as 三百",
       _held("is_integer", 3, "the 3 rows are quarantined: that is no number", "三百", "page_views_count"),
       _lines(_cells("浏览量", "三百"), "3 counts written 三百")),
    _z("mobile_number", "名称里有手机号", "a mobile number in a name", "a mobile number stands in the names of 3 rows",
       _refuse("personal_data", "nothing of the file is landed; its outcome names column and rows, not the number",
               Z_FILE, "app_name", "in 3 rows"),
       _lines(_cells("应用名称", lambda text: f"{text} 13957212345"), "a mobile number in 3 names")),
    _z("bell_in_name", "名称里有控制字符", "control characters in a name",
       "the names of 3 rows hold a control character",
       _held("readable_text", 3, "the 3 rows are quarantined: no page can show such a name", "app_name", problem=""),
       _lines(_cells("应用名称", lambda text: f"{text}\x07"), "a control character in 3 names")),
    _z("fractions", "人数带小数", "fractions of persons", "3 visitor counts are written as 1.5",
       _held("is_integer", 3, "the 3 rows are quarantined, not rounded", "1.5", "visitors_count"),
       _lines(_cells("访客数", "1.5"), "3 counts of 1.5")),
    _z("words_in_numbers", "数字里有文字", "words within numbers", "3 counts are written as 约100",
       _held("is_integer", 3, "the 3 rows are quarantined", "约100", "page_views_count"),
       _lines(_cells("浏览量", "约100"), "3 counts written 约100")),
    _z("decimal_commas", "小数逗号", "decimal commas", '3 counts are written as "1,5"',
       _held("is_integer", 3, "the 3 rows are quarantined: 1,5 is neither 15 nor 1.5 persons", "1,5",
             "page_views_count"), _lines(_cells("浏览量", '"1,5"'), "3 counts written 1,5")),
    _z("negative_counts", "负数", "negative counts", "3 counts are -1",
       _held("minimum", 3, "the 3 rows are quarantined", "-1", "page_views_count", problem=""),
       _lines(_cells("浏览量", "-1"), "3 counts of -1")),
    _z("impossible_dates", "不存在的日期", "dates that do not exist", "3 dates are written as 2022-10-32",
       _held("is_date", 3, "the 3 rows are quarantined", "2022-10-32", "usage_on"),
       _lines(_cells("日期", "2022-10-32"), "3 dates of 2022-10-32")),
    _z("blank_keys", "应用编码为空", "blank keys", "3 rows have no app",
       _held("required", 3, "the 3 rows are quarantined", "app_id", problem=""),
       _lines(_cells("应用编码", ""), "3 rows without an app")),
    _z("unknown_word", "未约定的用词", "a word that was not agreed", "3 rows are of the end 抖音小程序",
       _held("known_word", 3, "the 3 rows are quarantined; the agreed words are listed", "抖音小程序", "release_end",
             problem=""), _lines(_cells("发布端", "抖音小程序"), "3 rows of 抖音小程序")),
    _z("unknown_app", "未登记的应用", "an app that nobody registered", "3 rows are of an app that IRS does not know",
       Expected("gate", "zheliban", "usage", "rows are taken; the check reference names the app", rule="reference",
                says=("A99999999999",)),
       _lines(_cells("应用编码", "A99999999999", first=1, count=1), "a row of the app A99999999999")),
    _z("duplicate_rows", "重复行", "rows delivered twice",
       "two rows stand twice, a third a second time with other visitors",
       _held("duplicate_with_other_content", 2, "exact repeats are superseded, the contradicting rows quarantined",
             problem="repeated_record"), _lines(files.repeat_rows, "3 rows added that are there already")),
    _z("completions_over_starts", "办结数大于发起数", "more completed than started",
       "40 rows break the rule completions_within_starts",
       _held("completions_within_starts", 40, "40 rows are quarantined with reason and remedy", "completions_count=",
             problem=""), _lines(files.complete_more, "40 rows with more completions than starts")),
    _z("clicks_over_impressions", "点击量大于曝光量", "more clicks than impressions",
       "3 rows break the rule clicks_within_impressions",
       _held("clicks_within_impressions", 3, "3 rows are quarantined with reason and remedy", "clicks_count=",
             problem=""), _lines(files.click_more, "3 rows with more clicks than impressions")),
)  # fmt: skip

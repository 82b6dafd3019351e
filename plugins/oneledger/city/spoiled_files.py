"""Spoil delivered files: drop files with or without an honest control file, and workbooks."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path

from oneledger.city.drop_files import CONTROL_SUFFIX, PORTALS, Portal, write_control
from oneledger.settings import ConfigurationError

ZHELIBAN, ZHEZHENGDING = PORTALS
Lines = list[list[str]]


def delivered(city_dir: Path, portal: Portal, day: dt.date) -> Path:
    """The portal's file of a day; raises ConfigurationError when it is not there."""
    path = portal.path(city_dir / "drops", day)
    if not path.exists():
        raise ConfigurationError(
            f"{path} is not there, so it cannot be spoiled. Choose a day of the city with --day, or build it again: "
            "oneledger city build --fresh"
        )
    return path


def edit(path: Path, encoding: str, change: Callable[[Lines], Lines], *, written_as: str | None = None) -> None:
    """Change the records of a drop file (the first is the header) and write an honest control file."""
    lines = [line.split(",") for line in gzip.decompress(path.read_bytes()).decode(encoding).splitlines()]
    changed = change(lines)
    text = "".join(",".join(line) + "\n" for line in changed)
    path.write_bytes(gzip.compress(text.encode(written_as or encoding), 5, mtime=0))
    write_control(path, len(changed) - 1)


def truncate(path: Path) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return f"{path.name}: {len(content)} bytes cut to {len(content) * 2 // 3}"


def truncate_honestly(path: Path) -> str:
    """Cut a file off; its control file is made of the half, so that the hash agrees."""
    said = truncate(path)
    write_control(path, 0)
    control = path.with_name(path.name + CONTROL_SUFFIX)
    control.write_text(control.read_text("ascii").split("\n", 1)[1], encoding="ascii")
    return f"{said}, control file made anew"


def as_utf16(path: Path) -> str:
    edit(path, ZHEZHENGDING.encoding, lambda lines: lines, written_as="utf-16")
    return f"{path.name}: written as UTF-16 instead of GB18030"


def say_more_rows(path: Path, more: int = 5) -> str:
    """Change the control total only."""
    control = path.with_name(path.name + CONTROL_SUFFIX)
    told = dict(line.split("=", 1) for line in control.read_text("ascii").splitlines())
    rows = int(told["rows"])
    control.write_text(f"rows={rows + more}\nsha256={told['sha256']}\n", encoding="ascii")
    return f"{control.name}: rows={rows} became rows={rows + more}"


def remove(path: Path) -> str:
    path.unlink()
    path.with_name(path.name + CONTROL_SUFFIX).unlink()
    return f"{path.name} and its control file removed"


def correct_views(lines: Lines) -> Lines:
    """A redelivery: every page view count is one higher, and the last row is gone."""
    place = lines[0].index("浏览量")
    return [lines[0], *([*row[:place], str(int(row[place]) + 1), *row[place + 1 :]] for row in lines[1:-1])]


def repeat_rows(lines: Lines) -> Lines:
    """Two rows twice as they are, and one a second time with other visitors."""
    place = lines[0].index("访客数")
    other = list(lines[3])
    other[place] = str(int(other[place]) + 1)
    return [*lines, lines[1], lines[2], other]


def complete_more(lines: Lines, count: int = 40) -> Lines:
    """The first rows with started transactions complete more than they started."""
    starts, completions = lines[0].index("发起数"), lines[0].index("办结数")
    changed, left = [lines[0]], count
    for row in lines[1:]:
        if left and row[starts]:
            row = [*row]
            row[completions] = str(int(row[starts]) + 3)
            left -= 1
        changed.append(row)
    return changed


def click_more(lines: Lines, count: int = 3) -> Lines:
    """The first rows with impressions get more clicks than impressions."""
    impressions, clicks = lines[0].index("曝光量"), lines[0].index("点击量")
    changed, left = [lines[0]], count
    for row in lines[1:]:
        if left and row[impressions]:
            row = [*row]
            row[clicks] = str(int(row[impressions]) + 3)
            left -= 1
        changed.append(row)
    return changed


def rename_column(lines: Lines) -> Lines:
    return [["访问人次" if name == "访客数" else name for name in lines[0]], *lines[1:]]


def add_column(lines: Lines) -> Lines:
    return [[*lines[0], "分享数"], *([*row, "1"] for row in lines[1:])]

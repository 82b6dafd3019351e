"""A city whose departments give hostile names to their apps, modules, projects and components."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb

# Would say so when a browser ran it.
CANARY = "window.__canary = (window.__canary || 0) + 1"
HARMLESS = [
    "O'Reilly's \"quoted\"; drop table marts.app; --",
    "'; delete from marts.app where '1'='1",
    "\") union select * from secrets --",
    f"<script>{CANARY}</script>",
    f"<img src=x onerror=\"{CANARY}\">",
    f"\"><svg/onload={CANARY}>",
    f"</title></textarea></style><script>{CANARY}</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${7*7} #{7*7} <%= 7*7 %> $(id) `id`",
    "[click](javascript:alert(1)) **bold** | cell | ![x](http://example.invalid/x.png)",
    "#import \"/etc/passwd\" #read(\"x\") $ math $ @ref <label> _emph_ `raw`",
    "datum.x && 1 == 1 ? 'a' : 'b'",
    "=1+1", "+1+1", "-1+1", "@SUM(1,1)", "=HYPERLINK(\"http://example.invalid\",\"click\")", "=cmd|' /C calc'!A0",
    "'=1+1", "''", "＝1+1",
    "../../../../etc/passwd", "/etc/passwd", "..\\..\\windows\\system32", "CON", "NUL.txt", "a/b\\c:d*e?f",
    "\u202egnp.exe\u202c 反向", "\u200b零宽\u200d", "🚌👨‍👩‍👧‍👦 公交", "e\u0301 é", "ｆｕｌｌ　ｗｉｄｔｈ",
    "%00%0a%0d%2e%2e%2f", "null", "None", "NaN", "true", "1e400", "0x10", "第一行\n第二行", "制表\t符",
    "很长" * 1_000, "x" * 4_000, "?lang=en&q=1#top", "&amp;&lt;&#39;", "]]>", "<!--", "*/", "\\", "\\N", "\\u0041",
]  # fmt: skip
# Cannot be shown by any page or document: held back with a reason.
UNREADABLE = ["nul\x00byte", "bell\x07", "\x1b[31mred\x1b[0m", "\x7fdel"]


def poison(city: Path) -> dict[str, str]:
    """Give the names to things of a built city; returns app id → name of those whose name can be shown."""
    names = [*HARMLESS, *UNREADABLE]
    apps = _rename(city / "irs" / "apps", "appId", "name", names, "registeredOn < '2022-01-01'")
    _rename(city / "irs" / "components", "componentId", "name", HARMLESS[:20])
    _rename(city / "irs" / "modules", "moduleId", "name", HARMLESS)
    with sqlite3.connect(city / "project_library.db") as library:
        numbers = [row[0] for row in library.execute("select project_no from project order by project_no limit ?",
                                                     (len(HARMLESS),))]  # fmt: skip
        library.executemany(
            "update project set project_name = ? where project_no = ?", list(zip(HARMLESS, numbers, strict=False))
        )
    return {app: name for app, name in apps.items() if name not in UNREADABLE}


def _rename(folder: Path, key: str, column: str, names: list[str], where: str = "true") -> dict[str, str]:
    """Write names into all versions of some records of the IRS's own store."""
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select distinct \"{key}\" from read_parquet('{folder}/*.parquet') where {where} order by 1 limit ?",
            [len(names)],
        ).fetchall()
        given = {row[0]: name for row, name in zip(found, names, strict=False)}
        connection.execute(
            "create table given as select unnest($keys) as id, unnest($names) as name",
            {"keys": list(given), "names": list(given.values())},
        )
        for path in sorted(folder.glob("*.parquet")):
            partial = path.with_suffix(".partial")
            connection.execute(
                f'copy (select kept.* replace (coalesce(given.name, kept."{column}") as "{column}") '
                f"from read_parquet('{path}') as kept left join given on given.id = kept.\"{key}\" "
                f"order by kept.\"updatedAt\", kept._key) to '{partial}' (format parquet, row_group_size 20000)"
            )
            partial.replace(path)
    return given

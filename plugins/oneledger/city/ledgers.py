"""The published ledgers (一本账) of province and city as workbooks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from oneledger.city.apps import App
from oneledger.city.population import Population
from oneledger.city.sheets import NOTE, Sheet

D = dt.date
TRACKS = ("党政机关整体智治", "数字政府", "数字经济", "数字社会", "数字文化", "数字法治")


@dataclass(frozen=True)
class Ledger:
    """One published ledger: what its title says of its date, and the day from which it can be had."""

    level: str
    version: str
    published_text: str
    known_on: dt.date
    entries: int


LEDGERS = (
    Ledger("province", "S0", "2021年7月", D(2021, 7, 31), 36),
    Ledger("city", "S0", "2021年10月18日", D(2021, 10, 18), 46),
    Ledger("province", "S1", "2021年10月28日", D(2021, 10, 28), 44),
    Ledger("city", "S1", "2022年1月21日", D(2022, 1, 21), 58),
    Ledger("province", "S2", "2022年6月", D(2022, 6, 30), 40),
)


def write_ledgers(
    population: Population, folder: Path, copies: list[str], since: dt.date, last: dt.date
) -> dict[str, int]:
    """Write the ledgers published from ``since`` to ``last``; returns entries by file name."""
    written = {}
    for ledger in LEDGERS:
        if since <= ledger.known_on <= last:
            path = folder / f"yibenzhang_{ledger.level}_{ledger.version}.xlsx"
            written[path.name] = _write_ledger(population, path, ledger, copies)
    return written


def _write_ledger(population: Population, path: Path, ledger: Ledger, copies: list[str]) -> int:
    place = "浙江省" if ledger.level == "province" else "湖州市"
    known = [app for app in population.apps if app.department.level == "city" and app.registered_on <= ledger.known_on]
    entries = population.draw.shuffled(known, "ledger", ledger.level, ledger.version)[: ledger.entries]
    number = 0
    with Sheet(path, f"一本账{ledger.version}", (8, 22, 34, 24, 34)) as sheet:
        sheet.title(f"{place}数字化改革重大改革（重大应用）“一本账{ledger.version}”（{ledger.published_text}发布）")
        sheet.head(["序号", "跑道", "应用名称", "IRS应用编码", "牵头单位"])
        for suffix in copies:
            for place_of_track, track in enumerate(TRACKS):
                first = sheet.row
                for app in entries[place_of_track :: len(TRACKS)]:
                    number += 1
                    sheet.line([number, None, *_entry(population, app, suffix)])
                if sheet.row > first:
                    sheet.merge_down(1, first, sheet.row - 1, track)
        sheet.note(NOTE, "填报人：市委改革办")
    return number


def _entry(population: Population, app: App, suffix: str) -> list[str | None]:
    """Name, code and department; some entries came before their app had a code."""
    behind = f"（{suffix[1:]}）" if suffix else ""
    has_code = not population.draw.chance(0.12, app.app_id, "ledger code")
    return [app.name + behind, app.app_id + suffix if has_code else None, app.department.name + behind]

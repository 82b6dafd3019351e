"""How a circular writes: numbers, dates and the names of codes, in Chinese and in English."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from dataclasses import dataclass
from typing import Any

from oneledger.reports.content import Language

NONE = "—"
_QUARTER = re.compile(r"(\d{4})-Q([1-4])")
_CHINESE_DIGITS = "〇一二三四五六七八九十"
_QUARTERS = ("first", "second", "third", "fourth")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
Number = int | float | decimal.Decimal

TERMS: dict[str, dict[str, tuple[str, str]]] = {
    "side": {
        "service": ("服务侧（浙里办）", "service (Zheliban)"),
        "governance": ("治理侧（浙政钉）", "governance (Zhezhengding)"),
    },
    "portal": {
        "zheliban": ("浙里办", "Zheliban"),
        "zhezhengding": ("浙政钉", "Zhezhengding"),
        "standalone_app": ("独立APP", "own APP"),
    },
    "family": {
        "major_application": ("重大应用类", "major applications"),
        "application_system": ("应用系统类", "application systems"),
        "infrastructure": ("基础设施类", "infrastructure"),
        "operations": ("运维类", "operations"),
    },
    "band": {
        "5": ("五星级", "five stars"),
        "4": ("四星级", "four stars"),
        "3": ("三星级", "three stars"),
        "none": ("未得星", "no stars"),
        "withheld": ("暂不评", "withheld"),
    },
    "disposition": {
        "keep": ("保留", "keep"),
        "improve": ("整改提升", "improve"),
        "merge": ("整合", "merge"),
        "transfer": ("移交", "transfer"),
        "suspend": ("暂停", "suspend"),
        "shut_down": ("关停", "shut down"),
        "withheld": ("暂不作建议", "no proposal yet"),
        "not_applicable": ("不适用", "not applicable"),
    },
    "verdict": {"low_use": ("低频", "little used"), "unused": ("无人使用", "unused")},
    "measure": {
        "visitors_a_day": ("日均访客", "visitors a day"),
        "visits_a_day": ("日均访问", "visits a day"),
        "transactions_a_day": ("日均办件", "transactions a day"),
        "active_rate": ("日均活跃率", "daily active rate"),
    },
    "finding_state": {
        "open": ("整改中", "open"),
        "closing": ("接近销号", "closing"),
        "closed": ("已销号", "closed"),
        "reopened": ("反弹", "reopened"),
        "cannot_determine": ("无法判定", "cannot be determined"),
    },
    "movement": {
        "risen": ("上升", "risen"),
        "fallen": ("下降", "fallen"),
        "withheld": ("转为暂不评", "now withheld"),
        "resumed": ("恢复评价", "scored again"),
        "entered": ("新纳入", "entered"),
        "left": ("退出范围", "left"),
    },
    "level": {"city": ("市级", "city"), "county": ("县区", "county"), "province": ("省级", "province")},
    "owner_kind": {
        "municipal_department": ("市级部门", "municipal departments"),
        "county_department": ("县区部门", "county departments"),
    },
    "share_state": {
        "computed": ("已核算", "computed"),
        "not_applicable": ("不适用", "not applicable"),
        "withheld": ("暂不核算", "withheld"),
    },
    "comparison": {
        "at_most": ("不高于", "at most"),
        "at_least": ("不低于", "at least"),
        "below_found": ("低于发现时", "below when found"),
        "above_found": ("高于发现时", "above when found"),
        "equal": ("等于", "equal to"),
    },
    "unit": {
        "apps": ("个", "apps"),
        "projects": ("个", "projects"),
        "scenes": ("个", "scenes"),
        "components": ("个", "components"),
        "units": ("个", "units"),
        "release_ends": ("个", "release ends"),
        "days": ("天", "days"),
        "cny": ("万元", "million yuan"),
        "rate": ("%", "%"),
        "minutes": ("分钟", "minutes"),
    },
}


@dataclass(frozen=True)
class Wording:
    """One language. ``say`` chooses, the others format; what is not known is a dash, never 0."""

    language: Language

    @property
    def is_chinese(self) -> bool:
        return self.language == "zh"

    def say(self, chinese: str, english: str) -> str:
        return chinese if self.is_chinese else english

    def term(self, kind: str, code: str | None) -> str:
        """The name of a code; a code that has none stands as it is."""
        if code is None:
            return NONE
        return self.say(*TERMS[kind][code]) if code in TERMS[kind] else code

    def count(self, value: Number | None) -> str:
        return NONE if value is None else f"{int(value):,}"

    def number(self, value: Number | None, digits: int = 2) -> str:
        """With so many digits after the point, and none that say nothing."""
        if value is None:
            return NONE
        text = f"{value:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def fixed(self, value: Number | None, digits: int = 2) -> str:
        """With just so many digits, for columns."""
        return NONE if value is None else f"{value:,.{digits}f}"

    def percent(self, rate: Number | None, digits: int = 1) -> str:
        return NONE if rate is None else f"{float(rate) * 100:.{digits}f}%"

    def change(self, rate: Number | None, digits: int = 1) -> str:
        return NONE if rate is None else f"{float(rate) * 100:+.{digits}f}%"

    def signed(self, value: Number | None, digits: int = 2) -> str:
        return NONE if value is None else f"{value:+,.{digits}f}"

    def money(self, cny: Number | None) -> str:
        """Yuan as 万元 in Chinese, as million yuan in English."""
        if cny is None:
            return NONE
        return f"{float(cny) / 10_000:,.1f}" if self.is_chinese else f"{float(cny) / 1_000_000:,.2f}"

    def date(self, day: dt.date | None) -> str:
        if day is None:
            return NONE
        return (
            f"{day.year}年{day.month}月{day.day}日"
            if self.is_chinese
            else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
        )

    def month(self, day: dt.date) -> str:
        return f"{day.year}年{day.month}月" if self.is_chinese else f"{_MONTHS[day.month - 1]} {day.year}"

    def short_month(self, day: dt.date) -> str:
        return f"{day.year % 100:02d}-{day.month:02d}"

    def instant(self, at: dt.datetime) -> str:
        """An instant in the city's time."""
        return f"{self.date(at.date())} {at:%H:%M}"

    def period(self, period: str) -> str:
        """``2022-Q3`` as people say it; another period as it is called."""
        match = _QUARTER.fullmatch(period)
        if match is None:
            return period
        quarter = int(match[2])
        if self.is_chinese:
            return f"{match[1]}年第{_CHINESE_DIGITS[quarter]}季度"
        return f"{_QUARTERS[quarter - 1]} quarter of {match[1]}"

    def unit_value(self, value: Number | None, unit: str) -> str:
        """A finding's value in the unit in which it is printed, without it."""
        if value is None:
            return NONE
        if unit == "rate":
            return self.percent(value)
        if unit == "cny":
            return self.money(value)
        return self.number(value)

    def ordinal(self, number: int) -> str:
        """The number of a section: ``一、`` or ``1  ``."""
        return f"{chinese_number(number)}、" if self.is_chinese else f"{number}. "

    def annex(self, number: int) -> str:
        return f"附件{number}  " if self.is_chinese else f"Annex {number}. "

    def point(self, number: int) -> str:
        """The number of a point within a section: ``（一）`` or ``(1) ``."""
        return f"（{chinese_number(number)}）" if self.is_chinese else f"({number}) "

    def join(self, parts: list[str]) -> str:
        """An enumeration in a sentence."""
        if self.is_chinese:
            return "、".join(parts)
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def chinese_number(number: int) -> str:
    """1 to 99 as 一 … 九十九."""
    tens, ones = divmod(number, 10)
    if tens == 0:
        return _CHINESE_DIGITS[ones]
    return ("" if tens == 1 else _CHINESE_DIGITS[tens]) + "十" + (_CHINESE_DIGITS[ones] if ones else "")


def quantity(value: Any, singular: str, plural: str | None = None) -> str:
    """``1 app``, ``2 apps`` for English sentences; ``no apps`` for none."""
    plural = plural or f"{singular}s"
    return f"no {plural}" if value == 0 else f"{int(value):,} {singular if value == 1 else plural}"

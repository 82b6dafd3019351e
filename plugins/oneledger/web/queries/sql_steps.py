"""The SQL of a model as the steps that it is made of, each with what it does in a sentence."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

_MOST_NAMES = 6


@dataclass(frozen=True)
class SqlStep:
    """One CTE, or the last select (``name`` empty)."""

    name: str
    reads: tuple[str, ...]
    says_zh: str
    says_en: str
    sql: str


@functools.lru_cache(maxsize=256)
def sql_steps(sql: str) -> tuple[SqlStep, ...]:
    """The steps in their order; of SQL that is no select with names, one step with all of it."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    clause = query.args.get("with_") or query.args.get("with")
    steps = [_step(one.alias, one.this) for one in clause.expressions] if clause is not None else []
    last = query.copy()
    last.set("with_", None)
    last.set("with", None)
    return (*steps, _step("", last))


def _step(name: str, query: exp.Expr) -> SqlStep:
    reads = tuple(dict.fromkeys(_table(one) for one in query.find_all(exp.Table) if one.name))
    zh, en = [], []
    if isinstance(query, exp.SetOperation):
        parts = sum(1 for _ in query.find_all(exp.SetOperation)) + 1
        zh.append(f"合并 {parts} 个部分")
        en.append(f"puts {parts} parts together")
    if reads:
        zh.append(f"读取 {_named(reads)}")
        en.append(f"reads {_named(reads)}")
    select = query if isinstance(query, exp.Select) else None
    if select is not None:
        joins = select.args.get("joins") or []
        if joins:
            sides = {str(one.args.get("side") or "").lower() for one in joins}
            zh.append(f"关联 {len(joins)} 次" + ("（保留无对应的行）" if sides & {"left", "full"} else ""))
            en.append(f"joins {len(joins)}×" + (" (rows without a partner stay)" if sides & {"left", "full"} else ""))
        if select.args.get("where") is not None:
            zh.append("筛选行")
            en.append("keeps rows that meet conditions")
        group = select.args.get("group")
        if group is not None:
            keys = _keys(select, group)
            zh.append(f"按 {keys} 汇总" if keys else "汇总")
            en.append(f"adds up by {keys}" if keys else "adds up")
        elif any(True for _ in select.find_all(exp.AggFunc)) and not any(True for _ in select.find_all(exp.Window)):
            zh.append("汇总为一行")
            en.append("adds up to one row")
        if any(True for _ in select.find_all(exp.Window)):
            zh.append("开窗比较同组各行")
            en.append("compares rows of a group (window)")
        if select.args.get("qualify") is not None:
            zh.append("每组只留所选的行")
            en.append("keeps the chosen rows of each group")
        if select.args.get("distinct") is not None:
            zh.append("去重")
            en.append("drops repeats")
    return SqlStep(name, reads, "；".join(zh), "; ".join(en), query.sql(dialect="duckdb", pretty=True))


def _table(one: exp.Table) -> str:
    return ".".join(part for part in (one.db, one.name) if part)


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" … (+{more})" if more > 0 else "")


def _keys(select: exp.Select, group: exp.Group) -> str:
    if group.args.get("all"):
        named = [one.alias_or_name for one in select.expressions if not one.find(exp.AggFunc)]
    else:
        named = [one.name or one.sql(dialect="duckdb") for one in group.expressions]
    return _named(tuple(one for one in named if one and len(one) < 60))

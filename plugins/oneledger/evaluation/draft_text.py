"""A draft written out: the YAML that turns one set of rules into another."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from oneledger.evaluation.rule_tables import RuleRow, RuleSet, RuleTable, number_of

_ONE_LINE = 100_000


def draft_of(base: RuleSet, changed: RuleSet) -> str:
    """What ``overlay`` needs to make ``changed`` of ``base``, as YAML; empty when the rules in force are the same.

    Rows in force are compared by their key; rows that ended before stay as they are in both. A row names its whole key
    and the columns that change, a new row all that it holds.
    """
    lines: list[str] = []
    for name, table in changed.tables.items():
        if rows := list(_rows(base.tables.get(name), table)):
            lines += [f"{name}:", *(f"  - {_flow(row)}" for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _rows(before: RuleTable | None, after: RuleTable) -> Iterator[dict[str, str]]:
    old = _in_force(before) if before else {}
    new = _in_force(after)
    for key, row in old.items():
        named = dict(zip(after.shape.key, key, strict=True))
        if key not in new:
            yield {**named, "remove": "true"}
        elif differs := {column: new[key][column] for column in after.columns if new[key][column] != row[column]}:
            yield {**named, **differs}
    for key, row in new.items():
        if key not in old:
            yield {column: row[column] for column in after.columns if row[column]}


def _in_force(table: RuleTable) -> dict[tuple[str, ...], RuleRow]:
    return {
        tuple(row[column] for column in table.shape.key): row
        for row in table.rows
        if not row["effective_to"]
    }  # fmt: skip


def _flow(row: dict[str, str]) -> str:
    plain = {column: _plain(text) for column, text in row.items()}
    return yaml.safe_dump(
        plain, default_flow_style=True, allow_unicode=True, sort_keys=False, width=_ONE_LINE
    ).strip()  # fmt: skip


def _plain(text: str) -> str | int | float | bool:
    """Numbers without quotation marks, where they stay the same text."""
    if text == "true":
        return True
    value = number_of(text)
    if value is None:
        return text
    for plain in (int(value), value):
        if str(plain) == text:
            return plain
    return text

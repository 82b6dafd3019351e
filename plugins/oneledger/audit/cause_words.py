"""Why a published number changed, in a few words of both languages."""

from __future__ import annotations

from typing import Any

KINDS = {
    "new_day": "新的一天 a new day", "late": "迟到 late", "redelivered": "重报 redelivered",
    "judged_again": "重新判定 judged again", "withdrawn": "撤回 withdrawn",
}  # fmt: skip
_TOLD_BATCHES = 3


def because_of(because: dict[str, Any]) -> str:
    """A cause in a few words."""
    batches = list(because["batches"])
    more = f" … {because['batches_count']} batches" if len(batches) > _TOLD_BATCHES else ""
    told = [", ".join(batches[:_TOLD_BATCHES]) + more] if batches else []
    for label, names in (
        ("模型 models", because["models"]), ("规则 rules", because["rules"]), ("决定 decisions", because["decisions"]),
        ("合同 contracts", because["contracts"]),
    ):  # fmt: skip
        if names:
            told.append(f"{label} {', '.join(names[:_TOLD_BATCHES])}{' …' if len(names) > _TOLD_BATCHES else ''}")
    if because["is_code_unknown"]:
        told.append("模型或规则 models or rules changed")
    if because["is_as_of_changed"]:
        told.append("计算日 the as-of day")
    return "; ".join(told) or "–"

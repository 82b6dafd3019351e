"""What is wrong with a parameter, in Chinese and English; Pydantic says it in English only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MOST_SHOWN = 120
# By Pydantic's type of error, with what its context names.
_EXPECTED_ZH = {
    "missing": "必须给出",
    "literal_error": "应为 {expected} 之一",
    "enum": "应为 {expected} 之一",
    "string_pattern_mismatch": "格式应符合 {pattern}",
    "string_too_long": "最长 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "too_long": "最多 {max_length} 个",
    "too_short": "至少 {min_length} 个",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应不大于 {le}",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_parsing": "应为数字",
    "finite_number": "应为有限的数字",
    "bool_parsing": "应为 true 或 false",
    "date_parsing": "应为日期 yyyy-mm-dd",
    "date_from_datetime_parsing": "应为日期 yyyy-mm-dd",
    "date_from_datetime_inexact": "应为日期 yyyy-mm-dd",
    "datetime_parsing": "应为时刻 yyyy-mm-ddThh:mm:ss",
    "datetime_from_date_parsing": "应为时刻 yyyy-mm-ddThh:mm:ss",
    "string_type": "应为文本",
    "json_invalid": "应为 JSON",
}


def described(problems: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Pydantic's errors as ``parameter``, ``given`` (cut off when long) and ``expected`` (both languages)."""
    return [
        {
            "parameter": ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]),
            "given": str(one.get("input"))[:_MOST_SHOWN],
            "expected": _expected(one),
        }
        for one in problems
    ]


def _expected(problem: Mapping[str, Any]) -> str:
    template = _EXPECTED_ZH.get(problem["type"])
    if template is None:
        return str(problem["msg"])
    return f"{template.format_map(problem.get('ctx') or {})}。 {problem['msg']}."

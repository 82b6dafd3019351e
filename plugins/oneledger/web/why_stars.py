"""Why an app has its stars, in plain sentences made from the explanation of its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oneledger.web import formats

Sentence = tuple[str, str]
_LOSSES_TOLD = 3


def measured(value: float | None, unit: str) -> Sentence:
    """A measured value with its unit, in Chinese and English."""
    if value is None:
        return (formats.NOTHING, formats.NOTHING)
    if unit == "rate":
        return (formats.rate(value), formats.rate(value))
    if unit == "visitors_a_day":
        return (f"日均 {value:,.1f} 人次", f"{value:,.1f} visitors a day")
    if unit == "visitors_per_wan_cny":
        return (f"每万元 {value:,.1f} 人次", f"{value:,.1f} visitors per CNY 10k")
    if unit == "wan_cny":
        return (f"{value:,.2f} 万元", f"CNY {value * 10_000:,.0f}")
    if unit == "step":
        return {
            0: ("未申请", "no request"), 1: ("已申请", "asked"), 2: ("已获批", "at least one approved"),
        }.get(int(value), (f"{value:g}", f"{value:g}"))  # fmt: skip
    return (f"{value:,.6g}", f"{value:,.6g}")


def why(explained: Mapping[str, Any], units: Mapping[str, str]) -> list[Sentence]:
    """The sentences, the outcome first: score and its arithmetic, the bands, what cost most, what did not count.

    Args:
        explained: what ``evaluation.explaining.explain`` returns.
        units: metric_id → unit.
    """
    if not explained["is_evaluated"]:
        scope = explained["population"]
        return [
            (
                f"本轮未纳入评价：{scope['scope_reason_zh']}。",
                f"Not evaluated in this round: {_lower(scope['scope_reason_en'])}.",
            )
        ]
    score, stars = explained["score"], explained["stars"]
    if score["status"] == "withheld":
        return [
            (
                f"暂不评，不等于 0 分：{score['reason_zh']}（无法评定的权重 {score['withheld_weight']:g}）。",
                f"Withheld, which is not 0 points: {_lower(score['reason_en'])} (weight that cannot be judged: "
                f"{score['withheld_weight']:g}).",
            ),
            *_set_aside(explained["indicators"]),
        ]
    sentences = [_outcome(score["score"], stars), _arithmetic(score)]
    losses = _losses(explained["indicators"], units)
    if losses:
        sentences.append(losses)
    return [*sentences, *_set_aside(explained["indicators"])]


def _outcome(score: float, stars: Mapping[str, Any]) -> Sentence:
    """The score against the band that it reached, and the next one."""
    band, above = stars["band"], stars["next_band"]
    if band is not None:
        zh = f"得 {score:.2f} 分，{band['stars']} 星：高出 {band['stars']} 星线（{band['minimum_score']:g} 分）"
        zh += f" {stars['points_above_band']:.2f} 分"
        en = f"{score:.2f} points, {band['stars']} stars: {stars['points_above_band']:.2f} above the "
        en += f"{band['minimum_score']:g} that they need"
    else:
        zh, en = f"得 {score:.2f} 分，无星", f"{score:.2f} points, no stars"
    if above is None:
        return (f"{zh}。", f"{en}.")
    return (
        f"{zh}，距 {above['stars']} 星线（{above['minimum_score']:g} 分）还差 {above['points_missing']:.2f} 分。",
        f"{en}, and {above['points_missing']:.2f} short of {above['stars']} stars ({above['minimum_score']:g}).",
    )


def _arithmetic(score: Mapping[str, Any]) -> Sentence:
    """How the points of the indicators become a score out of 100."""
    points, weight = score["points"], score["scored_weight"]
    aside = score["not_applicable_weight"] + score["withheld_weight"]
    if not aside:
        return (
            f"全部指标都计分，{weight:g} 分中得 {points:.2f} 分。",
            f"Every indicator counted: {points:.2f} of {weight:g} points.",
        )
    return (
        f"计分指标 {weight:g} 分中得 {points:.2f} 分，折合百分为 {score['score']:.2f}；"
        f"其余 {aside:g} 分不计入，不算失分。",
        f"The indicators that count gave {points:.2f} of {weight:g} points, out of 100 that is {score['score']:.2f}; "
        f"the other weight of {aside:g} is left out and costs nothing.",
    )


def _losses(indicators: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> Sentence | None:
    lost = sorted(
        (one for one in indicators if one["status"] == "scored" and one["weight"] - one["points"] > 0.005),
        key=lambda one: one["points"] - one["weight"],
    )[:_LOSSES_TOLD]
    if not lost:
        return None
    zh, en = [], []
    for one in lost:
        value_zh, value_en = measured(one["value"], units.get(one["metric_id"], ""))
        gone = one["weight"] - one["points"]
        zh.append(f"{one['title_zh']}失 {gone:.2f} 分（{value_zh}，{one['weight']:g} 分中得 {one['points']:.2f}）")
        en.append(f"{_lower(one['title_en'])} −{gone:.2f} ({value_en}; {one['points']:.2f} of {one['weight']:g})")
    return (f"失分最多的是：{'；'.join(zh)}。", f"Most points were lost on: {'; '.join(en)}.")


def _set_aside(indicators: Sequence[Mapping[str, Any]]) -> list[Sentence]:
    """Indicators that gave no points and cost none, each with its reason."""
    words = {
        "not_applicable": ("不适用，不计入", "Not applicable, so not counted"),
        "withheld": ("数据不足，暂不评", "Withheld for want of data"),
    }
    sentences = []
    for status, (zh, en) in words.items():
        found = [one for one in indicators if one["status"] == status]
        if found:
            told_zh = "；".join(f"{one['title_zh']}（{one['reason_zh']}）" for one in found)
            told_en = "; ".join(f"{_lower(one['title_en'])} ({_lower(one['reason_en'])})" for one in found)
            sentences.append((f"{zh}：{told_zh}。", f"{en}: {told_en}."))
    return sentences


def _lower(text: str | None) -> str:
    """A title inside a sentence; what begins with a name or a short form stays."""
    if not text:
        return formats.NOTHING
    return text if text[:2].isupper() else text[0].lower() + text[1:]

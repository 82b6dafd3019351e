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
        return (f"每万元 {value:,.1f} 人次", f"{value:,.1f} visitors for each CNY 10,000")
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
    sentences = [_arithmetic(score), *_bands(score["score"], stars)]
    losses = _losses(explained["indicators"], units)
    if losses:
        sentences.append(losses)
    return [*sentences, *_set_aside(explained["indicators"])]


def _arithmetic(score: Mapping[str, Any]) -> Sentence:
    zh = f"计分指标满分 {score['scored_weight']:g}，得 {score['points']:.2f}，折合百分为 {score['score']:.2f} 分"
    en = (
        f"The indicators that count can give {score['scored_weight']:g} points and gave {score['points']:.2f}; "
        f"out of 100 that is {score['score']:.2f}"
    )
    aside = score["not_applicable_weight"] + score["withheld_weight"]
    if aside:
        return (
            f"{zh}；另有 {aside:g} 分权重不计入。",
            f"{en}; a weight of {aside:g} does not count.",
        )
    return (f"{zh}。", f"{en}.")


def _bands(score: float, stars: Mapping[str, Any]) -> list[Sentence]:
    band, above = stars["band"], stars["next_band"]
    sentences = []
    if band is not None:
        sentences.append(
            (
                f"{band['stars']}星线为 {band['minimum_score']:g} 分，高出 {stars['points_above_band']:.2f} 分。",
                f"{band['stars']} stars need {band['minimum_score']:g}; it is {stars['points_above_band']:.2f} above.",
            )
        )
    elif stars["bands"]:
        lowest = stars["bands"][0]
        sentences.append(
            (
                f"最低的{lowest['stars']}星线为 {lowest['minimum_score']:g} 分，未达到，因此无星。",
                f"The lowest band, {lowest['stars']} stars, needs {lowest['minimum_score']:g}; it is not reached, "
                "so there are no stars.",
            )
        )
    if above is not None:
        sentences.append(
            (
                f"距{above['stars']}星（{above['minimum_score']:g} 分）还差 {above['points_missing']:.2f} 分。",
                f"{above['points_missing']:.2f} are missing to {above['stars']} stars ({above['minimum_score']:g}).",
            )
        )
    return sentences


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

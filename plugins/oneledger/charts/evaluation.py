"""Charts of an evaluation: how the scores lie, and stars before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oneledger.charts.palette import SCREEN, Palette
from oneledger.charts.render import Specification

BIN = 5
# The more stars, the stronger the one colour.
_STRENGTH = {"5": 1.0, "4": 0.72, "3": 0.45, "none": 0.22}


def score_histogram(
    bins: Sequence[Mapping[str, Any]],
    cut_offs: Sequence[tuple[str, float]],
    *,
    titles: Mapping[str, str],
    palette: Palette = SCREEN,
) -> Specification:
    """Apps by score, in steps of five points, with the lines from which on there are stars.

    Args:
        bins: rows with ``from_score``, ``band`` (``5``, ``4``, ``3``, ``none``) and ``apps_count``; two bands can share
            a bin.
        cut_offs: name and lowest score of each band of stars.
        titles: ``score``, ``apps`` (axes) and ``band`` by band.
    """
    first = min((int(row["from_score"]) for row in bins), default=0)
    reached: dict[int, int] = {}
    values = []
    for row in sorted(bins, key=lambda one: (one["from_score"], list(_STRENGTH).index(one["band"]))):
        score, count = int(row["from_score"]), int(row["apps_count"])
        below = reached.get(score, 0)
        reached[score] = below + count
        values.append(
            {
                "from": score, "to": score + BIN, "below": below, "above": below + count,
                "strength": _STRENGTH[row["band"]],
                "said": f"{score}–{score + BIN}: {count} {titles['apps']}, {titles[row['band']]}",
            }
        )  # fmt: skip
    lines = [{"name": name, "score": score} for name, score in cut_offs]
    scale = {"domain": [min(first, 50), 100], "nice": False}
    return {
        "width": 520,
        "height": 210,
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "bar", "color": palette.accent, "stroke": palette.surface, "cornerRadiusEnd": 0},
                "encoding": {
                    "x": {"field": "from", "type": "quantitative", "scale": scale,
                          "axis": {"title": titles["score"], "tickMinStep": 10}},
                    "x2": {"field": "to"},
                    "y": {"field": "below", "type": "quantitative", "axis": {"title": titles["apps"]}},
                    "y2": {"field": "above"},
                    "fillOpacity": {"field": "strength", "type": "quantitative", "scale": None},
                    "description": {"field": "said"},
                },
            },
            {
                "data": {"values": lines},
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": palette.muted},
                "encoding": {"x": {"field": "score", "type": "quantitative", "scale": scale},
                             "description": {"field": "name"}},
            },
            {
                "data": {"values": lines},
                "mark": {"type": "text", "align": "center", "baseline": "bottom", "color": palette.ink, "fontSize": 11},
                "encoding": {"x": {"field": "score", "type": "quantitative", "scale": scale}, "y": {"value": -5},
                             "text": {"field": "name"}},
            },
        ],
    }  # fmt: skip


def stars_before_and_after(
    before: Mapping[str, int],
    after: Mapping[str, int],
    *,
    titles: Mapping[str, str],
    palette: Palette = SCREEN,
) -> Specification:
    """Apps by stars in two evaluations, beside each other.

    Args:
        before, after: apps by band, as ``drafting.distribution`` counts them.
        titles: ``before``, ``after``, ``apps`` and the name of each band.
    """
    values = [
        {"band": titles[band], "which": titles[which], "apps": counted[band],
         "said": f"{titles[band]}, {titles[which]}: {counted[band]} {titles['apps']}"}
        for which, counted in (("before", before), ("after", after))
        for band in counted
    ]  # fmt: skip
    bands = [titles[band] for band in before]
    encoding = {
        "x": {"field": "band", "type": "nominal", "sort": bands, "axis": {"title": None}},
        "xOffset": {"field": "which", "type": "nominal", "sort": [titles["before"], titles["after"]]},
        "y": {"field": "apps", "type": "quantitative", "axis": {"title": titles["apps"]}},
        "description": {"field": "said"},
    }
    return {
        "width": 520,
        "height": 210,
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "bar", "stroke": palette.muted, "strokeWidth": 0.6},
                "encoding": {**encoding, "color": {
                    "field": "which", "type": "nominal", "sort": [titles["before"], titles["after"]],
                    "scale": {"domain": [titles["before"], titles["after"]], "range": [palette.line, palette.accent]}}},
            },
            {
                "mark": {"type": "text", "dy": -7, "fontSize": 11, "color": palette.ink},
                "encoding": {**encoding, "text": {"field": "apps"}},
            },
        ],
    }  # fmt: skip

"""Where the boxes of a flow stand: a column a room, ordered so that few lines cross.

A general layout of layered graphs gives each step of the longest path a layer of its own, which makes a flow of six
rooms fifteen layers wide. Here the rooms are the layers and stay at the same place in every picture; what one box of a
room hands to another of the same room goes downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_SWEEPS = 6


@dataclass(frozen=True)
class Placed:
    """The top of a box in its column, and how high it is."""

    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def place(
    columns: Sequence[Sequence[str]],
    edges: Iterable[tuple[str, str]],
    heights: Mapping[str, float],
    *,
    gap: float,
) -> dict[str, Placed]:
    """Tops of all boxes, 0 the highest; boxes of a column do not overlap.

    Args:
        columns: the boxes of each column, left to right, in an order that says something (it decides ties).
        edges: from box to box; those that do not lie in ``columns`` are left out.
        heights: of each box.
        gap: between two boxes of a column.
    """
    column_of = {box: number for number, boxes in enumerate(columns) for box in boxes}
    given = {(a, b) for a, b in edges if a != b and a in column_of and b in column_of}
    across: dict[str, list[str]] = {box: [] for box in column_of}
    for a, b in given:
        if column_of[a] != column_of[b]:
            across[a].append(b)
            across[b].append(a)
    depth = _depths(columns, {(a, b) for a, b in given if column_of[a] == column_of[b]})
    middles: dict[str, float] = {}
    for boxes in columns:
        ordered = sorted(boxes, key=lambda box: depth[box])
        _stack(ordered, dict.fromkeys(ordered, 0.0), heights, gap, middles)
    for sweep in range(_SWEEPS):
        for boxes in columns if sweep % 2 == 0 else reversed(columns):
            wished = {
                box: sum(middles[other] for other in across[box]) / len(across[box]) if across[box] else middles[box]
                for box in boxes
            }
            ordered = sorted(boxes, key=lambda box: (depth[box], wished[box]))
            _stack(ordered, wished, heights, gap, middles)
    highest = min((middles[box] - heights[box] / 2 for box in column_of), default=0.0)
    return {box: Placed(middles[box] - heights[box] / 2 - highest, heights[box]) for box in column_of}


def _depths(columns: Sequence[Sequence[str]], inside: set[tuple[str, str]]) -> dict[str, int]:
    """The longest way to a box from others of its own column; a circle, which no flow has, would end at its length."""
    depth = {box: 0 for boxes in columns for box in boxes}
    for _ in range(max((len(boxes) for boxes in columns), default=0)):
        deeper = {b: depth[a] + 1 for a, b in inside if depth[a] + 1 > depth[b]}
        if not deeper:
            break
        for a, b in inside:
            depth[b] = max(depth[b], depth[a] + 1)
    return depth


def _stack(
    ordered: Sequence[str],
    wished: Mapping[str, float],
    heights: Mapping[str, float],
    gap: float,
    middles: dict[str, float],
) -> None:
    """Put boxes in this order as near to their wishes as they can stand; boxes that touch share the distance."""
    blocks: list[tuple[float, float, list[str]]] = []  # top, height, boxes
    for box in ordered:
        blocks.append((wished[box] - heights[box] / 2, heights[box], [box]))
        while len(blocks) > 1 and blocks[-2][0] + blocks[-2][1] + gap > blocks[-1][0]:
            lower, upper = blocks.pop(), blocks.pop()
            boxes = [*upper[2], *lower[2]]
            offset, wishes = 0.0, 0.0
            for one in boxes:
                wishes += wished[one] - heights[one] / 2 - offset
                offset += heights[one] + gap
            blocks.append((wishes / len(boxes), offset - gap, boxes))
    for top, _, boxes in blocks:
        at = top
        for one in boxes:
            middles[one] = at + heights[one] / 2
            at += heights[one] + gap

"""The picture of a flow: where boxes stand, and what it says to who cannot see it."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from oneledger.charts.graph import Box, Edge, Line, fitting, graph_svg, wrapped
from oneledger.charts.layout import place

_SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def flows(draw: st.DrawFn) -> tuple[list[list[str]], list[tuple[str, str]], dict[str, float]]:
    columns = [
        [f"{column}-{number}" for number in range(draw(st.integers(0, 6)))] for column in range(draw(st.integers(1, 4)))
    ]
    boxes = [box for column in columns for box in column]
    pairs = list(itertools.combinations(boxes, 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=20)) if pairs else []
    return columns, edges, {box: draw(st.sampled_from([20.0, 40.0, 97.5])) for box in boxes}


@given(flows())
def test_boxes_of_a_column_never_overlap_and_the_highest_begins_at_the_top(
    flow: tuple[list[list[str]], list[tuple[str, str]], dict[str, float]],
) -> None:
    columns, edges, heights = flow
    placed = place(columns, edges, heights, gap=8)
    for column in columns:
        stacked = sorted((placed[box] for box in column), key=lambda one: one.top)
        for upper, lower in itertools.pairwise(stacked):
            assert lower.top >= upper.top + upper.height + 8 - 1e-6
    if placed:
        assert abs(min(one.top for one in placed.values())) < 1e-6


@given(flows())
def test_what_a_box_hands_on_within_its_column_goes_downwards(
    flow: tuple[list[list[str]], list[tuple[str, str]], dict[str, float]],
) -> None:
    columns, edges, heights = flow
    placed = place(columns, edges, heights, gap=8)
    column_of = {box: number for number, column in enumerate(columns) for box in column}
    for one, other in edges:
        if column_of[one] == column_of[other]:
            assert placed[one].top < placed[other].top


def test_straight_lines_stay_uncrossed() -> None:
    columns = [["a", "b", "c"], ["z", "y", "x"]]
    placed = place(columns, [("a", "x"), ("b", "y"), ("c", "z")], dict.fromkeys("abcxyz", 20.0), gap=4)
    assert [placed[a].top - placed[b].top for a, b in (("a", "x"), ("b", "y"), ("c", "z"))] == [0, 0, 0]


def test_a_circle_within_a_column_ends() -> None:
    placed = place([["a", "b"]], [("a", "b"), ("b", "a")], {"a": 10.0, "b": 10.0}, gap=2)
    assert set(placed) == {"a", "b"}


def test_every_box_and_line_is_a_link_with_a_full_name_and_nothing_breaks_out_of_the_markup() -> None:
    boxes = [
        Box("s.a", 0, "来源 <b>", 'Source "a" & more', "/t/a?x=1&y=2", lines=(Line("s.a.c", "c", "column c", "/c/a"),)),
        Box("m.b", 1, "Mart", "Mart · m.b", "/t/b", kind="focus"),
    ]
    drawn = graph_svg(["Sources", "Marts"], boxes, [Edge("s.a.c", "m.b"), Edge("nowhere", "m.b")], title='A "flow"')
    root = ET.fromstring(drawn)
    assert root.get("role") == "group"
    assert root.get("aria-label") == 'A "flow"'
    links = root.findall(f".//{_SVG}a")
    assert [(one.get("href"), one.get("aria-label")) for one in links] == [
        ("/t/a?x=1&y=2", 'Source "a" & more'), ("/c/a", "column c"), ("/t/b", "Mart · m.b"),
    ]  # fmt: skip
    edges = root.findall(f".//{_SVG}path")
    assert [(one.get("data-from"), one.get("data-to")) for one in edges] == [("s.a.c", "m.b")]


def test_columns_without_a_box_take_no_room() -> None:
    drawn = graph_svg(
        ["Sources", "Rules", "Marts"], [Box("a", 0, "a", "a", "/a"), Box("b", 2, "b", "b", "/b")], [], title="t"
    )
    assert "Rules" not in drawn
    assert "Sources" in drawn


def test_a_text_too_long_for_its_box_ends_in_an_ellipsis_or_goes_on_in_a_second_line() -> None:
    assert fitting("应用月度使用", 200) == "应用月度使用"
    assert fitting("应用月度使用汇总表", 60) == "应用月度…"
    first, second = wrapped("Use of modules by month", 90)
    assert (first, second[:7]) == ("Use of", "modules")
    assert wrapped("Apps", 90) == ("Apps", "")

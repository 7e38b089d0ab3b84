"""Charts: numbers to SVG text that is well-formed, titled, free of inline style, and honest about zero."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.kit import charts


def parse(text: str) -> ET.Element:
    assert "style=" not in text
    root = ET.fromstring(text)
    assert root.tag == "svg" and root.find("title") is not None and root.get("role") == "img"
    return root


counts = st.integers(0, 10**9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(charts.STATES), max_size=400), st.text(max_size=30).filter(lambda t: all(ord(c) > 31 for c in t)))
def test_strip_is_well_formed_with_a_mark_each(states: list[str], title: str) -> None:
    """A strip has one titled mark for each cell; those to come are one frame."""
    states = [s for s in states if s != "future"] + [s for s in states if s == "future"]
    root = parse(charts.day_strip([charts.Cell(s, title) for s in states], title))
    marks = root.findall(".//rect")
    assert len(marks) == len([s for s in states if s != "future"]) + bool("future" in states)
    assert all(mark.find("title") is not None for mark in marks)


@settings(max_examples=60, deadline=None)
@given(st.lists(counts, max_size=6), st.integers(0, 10**9))
def test_bar_never_overflows_its_scale(values: list[int], extra: int) -> None:
    """Parts of a bar stay within the whole width, and zero parts are not drawn."""
    parts = [charts.Part(v, "good", "x") for v in values]
    root = parse(charts.stacked_bar(parts, "bar", scale=sum(values) + extra))
    drawn = root.findall("rect")
    assert len(drawn) == sum(1 for v in values if v)
    for mark in drawn:
        assert float(mark.get("x", "0")[:-1]) + float(mark.get("width", "0")[:-1]) <= 101


@settings(max_examples=40, deadline=None)
@given(st.lists(counts, max_size=60), st.lists(counts, max_size=60))
def test_area_chart_takes_any_counts(values: list[int], bars: list[int]) -> None:
    """Any counts, none at all included, give a chart; each bar above zero is drawn."""
    areas = [charts.AreaSeries("a", tuple(values)), charts.AreaSeries("b", tuple(v // 2 for v in values), "area-2")]
    root = parse(charts.area_chart(areas, bars, "areas", ticks=[charts.Tick(0, "a"), charts.Tick(1, "b")]))
    assert len(root.findall("rect")) == sum(1 for v in bars if v > 0)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1e12))
def test_axis_top_is_at_or_above_and_even(value: float) -> None:
    """The top of an axis is at or above the largest value, and its half is a whole number."""
    top = charts._nice(value)
    assert top >= value and top % 2 == 0 and top <= max(4.0, value * 2.01)


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 6, 7, 18, 40])
def test_proof_tree_lies_within_its_frame(steps: int) -> None:
    """Every node of a path and its label lie inside the drawing, however long the path is and whichever side its siblings stand on."""
    for pattern in (0, 0b1010101010101010101, 0b111101, (1 << 40) - 1):
        path = tuple(charts.Sibling(f"{i:064x}", bool(pattern >> i & 1), 1 << i) for i in range(steps))
        root = parse(charts.proof_tree(charts.Proof(3, 1 << steps, path), "proof"))
        width, height = float(root.get("width", "0")), float(root.get("height", "0"))
        for node in root.findall("circle"):
            assert 0 <= float(node.get("cx", "-1")) <= width and 0 <= float(node.get("cy", "-1")) <= height
        for label in root.findall("text[@class='mono']"):  # eight digits of at most 6.5 units
            begin = float(label.get("x", "-1")) - (52 if label.get("text-anchor") == "end" else 0)
            assert begin >= 0 and begin + 52 <= width
        text = "".join(root.itertext())
        assert ("more steps" in text) == (steps > 6)


def test_sparkline_needs_two_values() -> None:
    """A trend of one value says that there are not enough."""
    assert "not enough" in charts.sparkline([1], "x")
    parse(charts.sparkline([1, 5, 0], "x"))


def test_titles_are_escaped() -> None:
    """What a chart is given never becomes markup."""
    hostile = '<script>alert("1")</script>'
    text = charts.day_strip([charts.Cell("good", hostile, 'x" onload="y')], hostile)
    assert "<script>" not in text and 'onload="' not in text
    assert "<script>" not in charts.proof_tree(charts.Proof(0, 1, (), hostile, hostile), hostile)


def test_unknown_state_is_an_error() -> None:
    """A state without a colour role is refused, never drawn as another."""
    with pytest.raises(ValueError, match="no chart state"):
        charts.day_strip([charts.Cell("fine", "x")], "x")


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (1500, "1.5 k"), (12_000, "12 k"), (3_400_000, "3.4 M")])
def test_axis_labels(value: int, text: str) -> None:
    """Labels of an axis are short."""
    assert charts.short_number(value) == text

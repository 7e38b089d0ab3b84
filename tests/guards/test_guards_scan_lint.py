"""The linter: what is wrong with a detector is named before it runs."""

from __future__ import annotations

from typing import Any

import pytest

from affiant.guards import effort
from affiant.guards.detectors import pii
from affiant.guards.lint import Examples, lint
from affiant.guards.scan import Detector, Pattern


def _codes(regex: str, exact: str = "", **more: Any) -> list[str]:
    return [fault.code for fault in lint(Detector("d", (Pattern("r", "T", regex, exact, **more),)))]


@pytest.mark.parametrize("detector", pii.DETECTORS, ids=lambda detector: detector.name)
def test_our_own_detectors_pass_the_linter(detector: Detector) -> None:
    """No pattern is empty, slow, unbounded or refused by the automaton."""
    assert lint(detector) == []


@pytest.mark.parametrize(
    ("regex", "exact", "codes"),
    [
        ("a{0,3}", "", ["matches_empty"]),
        ("(?<=a)b", "", ["not_accepted"]),
        ("ab", "(?<=x)ab", []),
        ("a(b", "", ["not_python"]),
        ("ab", "a(b", ["not_python"]),
        ("ab", "a.*b", ["unbounded"]),
        ("ab", "(?:a{1,30}){1,30}b", ["slow"]),
        ("ab", "(?:[0-9]{1,12}-?){1,8}x", ["slow"]),
        ("ab", "(?:[0-9]{1,12}-){1,8}x", []),
        ("ab", "(?:a|ab|b){1,40}c", ["slow"]),
        ("ab", r"(a)b\1", ["not_judged"]),
    ],
)
def test_each_fault_has_its_code(regex: str, exact: str, codes: list[str]) -> None:
    """Slowness is told by counted steps, not by a clock."""
    assert _codes(regex, exact) == codes


def test_a_width_beyond_the_longest_span_is_a_fault() -> None:
    """A span cannot be longer than what pieces of a stream carry over."""
    assert _codes("ab", width=1_000_000) == ["too_wide"]
    assert _codes("ab", width=0) == ["too_wide"]


def test_examples_are_run() -> None:
    """None, a missed one and a counterexample that hits are faults."""
    detector = Detector("d", (Pattern("r", "T", "ab"),))
    assert [fault.code for fault in lint(detector, {})] == ["no_example"]
    assert [fault.code for fault in lint(detector, {"r": Examples(("ab", "cd"), ("xaby", "cd"))})] == [
        "example_missed",
        "counterexample_hit",
    ]
    assert lint(detector, {"r": Examples(("ab",), ("cd",))}) == []


def test_work_is_counted() -> None:
    """A linear pattern takes some steps per character, nested ones use up the budget."""
    import re

    linear, _ = effort.worst(re.compile("[a-z]{1,40}x"))
    nested, text = effort.worst(re.compile("(?:a{1,9}){1,9}x"), 5000)
    assert linear < 500 and nested == 5001 and text.startswith("aaaa")

"""The linter and the declarative form: what is wrong with a user's detector is named before it runs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from affiant.guards import effort
from affiant.guards.detectors import pii
from affiant.guards.detectors.declared import DeclarationError, declared
from affiant.guards.lint import Examples, lint
from affiant.guards.scan import Detector, Pattern, Scanner

GOOD = """
name: badge
rank: 40
patterns:
  - rule: number
    type: EMPLOYEE_BADGE
    regex: "EB-[0-9]{6}"
    context: [badge, Ausweis, 社員証]
    score: 0.6
    context_score: 0.95
    examples: ["my badge is EB-104233", "EB-104233"]
    counterexamples: ["EB-10", "EB-1042339", "xEB-104233"]
  - rule: desk
    type: DESK
    regex: "[0-9]{3}"
    context: [desk]
    needs_context: true
    examples: ["desk 104"]
    counterexamples: ["room 104"]
"""


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


def test_a_declaration_becomes_a_detector() -> None:
    """Words before a hit raise its score or are needed; examples pass the linter."""
    made = declared(yaml.safe_load(GOOD))
    assert lint(made.detector, made.examples) == []
    scanner = Scanner((made.detector,))
    assert [(found.type, found.score_ppm, found.rule) for found in scanner.find("EB-104233")] == [
        ("EMPLOYEE_BADGE", 600_000, "badge/number")
    ]
    assert [found.score_ppm for found in scanner.find("社員証EB-104233")] == [950_000]
    assert [found.score_ppm for found in scanner.find("Ausweis: EB-104233")] == [950_000]
    assert made.detector.rank == 40


def _changed(**changes: Any) -> dict[str, Any]:
    pattern = {"rule": "r", "type": "T", "regex": "ab"} | changes
    return {"name": "d", "patterns": [{key: value for key, value in pattern.items() if value is not None}]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "mapping"),
        ({"patterns": []}, "name must be"),
        ({"name": "D x", "patterns": [{}]}, "lower-case"),
        ({"name": "d"}, "at least one pattern"),
        ({"name": "d", "rank": "high", "patterns": [{}]}, "rank"),
        ({"name": "d", "patterns": ["x"]}, "pattern 1 of 'd'"),
        (_changed(colour="red"), "colour: not known"),
        (_changed(rule=None), "rule must be"),
        (_changed(type="lower"), "upper-case"),
        (_changed(regex="a("), "no valid pattern"),
        (_changed(exact="a("), "no valid pattern"),
        (_changed(width=True), "width"),
        (_changed(width=10**6), "width"),
        (_changed(score=2), "score must be"),
        (_changed(score="high"), "score must be"),
        (_changed(context="badge"), "context must be a list"),
        (_changed(needs_context=True), "without any word"),
        (_changed(ignore_case="yes"), "true or false"),
        ({"name": "d", "patterns": [{"rule": "r", "type": "T", "regex": "a"}] * 2}, "twice"),
    ],
)
def test_a_wrong_declaration_says_where_and_what(data: object, words: str) -> None:
    """The message names the place and what is wanted."""
    with pytest.raises(DeclarationError, match=words):
        declared(data)

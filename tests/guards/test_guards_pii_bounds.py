"""Hostile texts and cut texts: the work is bounded, and what is found does not depend on where a text was cut."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affiant.guards import cut
from affiant.guards.detectors import pii
from affiant.guards.scan import LOOKBACK, Candidate, Detector, Found, Scanner
from affiant.guards.text import Folded

SEEDS = [
    "7", "7 ", "1-", "4111 ", "61 62 ", "(1", "+1 ", "00 ", "a@", "a@b.c ", "1.", "1.1.1.1.", "::", "ff:", "http://", "http://a:b@",
    "Via A",
    "12 A", "Rua De ", "AB12", "DE89 3704 ", "born ", "passport 1 ", "123-45-6789-", "4111111111111111 ", "1/1/", "路1号",
    "a.b@c.de,", "\ud800", "call 12345678 ",
]  # fmt: skip
_asked = 0


def _counting(detector: Detector) -> Detector:
    def validate(candidate: Candidate) -> Iterable[Found]:
        global _asked
        _asked += 1
        return detector.validate(candidate)

    return Detector(detector.name, detector.patterns, validate, detector.rank)


@lru_cache(maxsize=1)
def _counted() -> Scanner:
    return Scanner([_counting(detector) for detector in pii.DETECTORS])


@lru_cache(maxsize=1)
def _scanner() -> Scanner:
    return Scanner(pii.DETECTORS)


def _questions(text: str) -> int:
    global _asked
    _asked = 0
    _counted().find(text)
    return _asked


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hostile_text_asks_at_most_in_proportion(seed: str) -> None:
    """Four times the text asks at most about four times as often, and never more than three questions a character."""
    small, large = ((seed * (size // len(seed))) for size in (5_000, 20_000))
    one, four = _questions(small), _questions(large)
    assert four <= 4 * one + 40 and four <= 3 * len(large)


def test_a_megabyte_of_digits_is_one_question_or_two() -> None:
    """A run of digits is a single hit, not one at each digit."""
    assert _questions("7" * 1_000_000) <= 4


def test_thousands_of_entities_are_all_found() -> None:
    """Nothing is dropped, each stands where it is."""
    text = "".join(f"user{number}@example.org 415-555-{number:04d}\n" for number in range(3000))
    found = _scanner().find(text)
    assert len(found) == 6000 and all(text[one.start : one.end].startswith(("user", "415")) for one in found)


FRAGMENTS = [
    "call me at ", "Telefon ", "ssn ", "card ", " ", " ", "\n", "-", ".", "/", "(", ")", "+", "+1", "0", "212", "555", "0100",
    "212-555-0100", "(212) 555-0100", "+49 30 901820", "030 901820", "06 12 34 56 78",
    "4111 1111 1111 1111", "4111", "1111", "536-22-8145", "536 22 8145",
    "john@example.com", "john@", "example", ".com", "日本", "電話", "é", "x12", "office", "id=", '"phone": ', "order 77 ",
    "\u200b", "//", "7 " * 30,
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
def test_cutting_at_safe_places_finds_the_same(source: str) -> None:
    """`find` over pieces that end at safe places, with its look-back, gives what it gives over the whole."""
    folded = Folded(source)
    text = folded.text
    whole = pii.find(text)
    places = [place for place in range(1, len(source)) if cut.safe(source, place)]
    borders = [0, *sorted({folded.index(place) for place in places}), len(text)]
    pieces: list[tuple[int, int, str]] = []
    for begin, end in pairwise(borders):
        floor = max(0, begin - pii.LOOKBACK - 1)
        pieces += [(start + floor, stop + floor, type_) for start, stop, type_ in pii.find(text[floor:end], begin - floor)]
    assert pieces == whole


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=10).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=20).map("".join),
)
def test_far_text_changes_nothing(middle: str, left: str, right: str) -> None:
    """Text beyond the look-back and behind an empty line decides about nothing."""
    pad = "\n" + "." * LOOKBACK + "\n"
    left = "x " * 200 + left
    within = left + pad + middle + "\n\n" + right
    shift = len(left)
    alone = _scanner().find(pad + middle)
    found = [one for one in _scanner().find(within, shift) if one.start < shift + len(pad) + len(middle)]
    assert [(one.start - shift, one.end - shift, one.type, one.score_ppm) for one in found] == [
        (one.start, one.end, one.type, one.score_ppm) for one in alone
    ]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.integers(0, 200))
def test_any_text_is_scanned(text: str, start: int) -> None:
    """No text raises; spans lie within it, in order, apart."""
    end = start
    for found in _scanner().find(text, start):
        assert end <= found.start < found.end <= len(text)
        end = found.end

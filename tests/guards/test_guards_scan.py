"""The scanner: one pass for all patterns, exact spans by character, overlaps by rank, bounded neighbourhoods, linear work."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.guards.scan import LOOKBACK, MAX_SPAN, WINDOW, Candidate, Detector, Found, Pattern, Scanner, ScannerError

WORD = Pattern("word", "WORD", r"\bk[a-z]{3}\b", r"k[a-z]{3}", width=8)
PAIR = Pattern("pair", "PAIR", r"key[ ]?=[ ]?[0-9]", r"key ?= ?(?P<v>[0-9]{1,8})", width=8, score_ppm=700_000)
UMLAUT = Pattern("umlaut", "UMLAUT", "stra(?:ß|ss)e", ignore_case=True)


def _spans(scanner: Scanner, text: str, start: int = 0) -> list[tuple[str, str]]:
    return [(found.rule, text[found.start : found.end]) for found in scanner.find(text, start)]


def test_patterns_of_several_detectors_are_found_in_one_pass_and_in_order() -> None:
    """Each span carries its detector's and its pattern's name; the group `v` is the span."""
    scanner = Scanner((Detector("a", (WORD, PAIR)), Detector("b", (UMLAUT,))))
    text = "kilo key = 42 Lange STRASSE, kurze Straße"
    assert _spans(scanner, text) == [("a/word", "kilo"), ("a/pair", "42"), ("b/umlaut", "STRASSE"), ("b/umlaut", "Straße")]
    assert scanner.types == ("PAIR", "UMLAUT", "WORD")
    assert [found.score_ppm for found in scanner.find(text)][1] == 700_000


@pytest.mark.parametrize("lead", ["", "é", "日本語 ", "\U0001f600", "\ud800", "\ud83d x \udc80", "\x00", "ß" * 999, "e\u0301"])
def test_offsets_are_those_of_characters(lead: str) -> None:
    """Whatever stands before, also outside the basic plane, also lone surrogates."""
    text = f"{lead} kilo {lead} key=7"
    scanner = Scanner((Detector("a", (WORD, PAIR)),))
    assert _spans(scanner, text) == [("a/word", "kilo"), ("a/pair", "7")]


def test_a_hit_within_a_character_is_tried_at_that_character() -> None:
    """A byte pattern may begin in the middle of a letter's bytes."""
    pattern = Pattern("after", "T", r"[\x80-\xff]9", r"(?s).9")
    assert _spans(Scanner((Detector("a", (pattern,)),)), "aé9日9x9") == [("a/after", "é9"), ("a/after", "日9")]


def test_overlaps_go_to_the_lower_rank_and_then_to_the_longer_span() -> None:
    """The winner does not depend on the order of detectors."""
    short = Detector("short", (Pattern("p", "S", "bcd"),), rank=10)
    long = Detector("long", (Pattern("p", "L", "abcde"),), rank=20)
    longer = Detector("longer", (Pattern("p", "X", "abcdef"),), rank=20)
    for detectors in ((short, long, longer), (longer, long, short)):
        assert _spans(Scanner(detectors), "abcdef abcdef") == [("short/p", "bcd"), ("short/p", "bcd")]
    assert _spans(Scanner((long, longer)), "abcdef") == [("longer/p", "abcdef")]


def test_spans_before_start_are_context_only() -> None:
    """What begins before `start` is not given, and takes nothing from what begins after."""
    scanner = Scanner((Detector("a", (WORD,)),))
    text = "kilo " * 400
    assert len(scanner.find(text)) == 400
    assert [found.start for found in scanner.find(text, 1001)] == list(range(1005, 2000, 5))
    assert scanner.find("key = 12", 3) == [] and Scanner((Detector("a", (PAIR,)),)).find("key = 12", 3)[0].start == 6


def test_a_validator_gives_none_one_or_several_spans() -> None:
    """A hit whose span it takes is not tried again within that span; one that it leaves is."""
    pattern = Pattern("run", "RUN", "[0-9]{2}", "[0-9]{2,9}")

    def halves(candidate: Candidate) -> Iterable[Found]:
        if candidate.value[0] == "0":
            return ()
        middle = (candidate.start + candidate.end) // 2
        return (Found(candidate.start, middle, "LEFT"), Found(middle, candidate.end, "RIGHT"))

    scanner = Scanner((Detector("d", (pattern,), halves),))
    assert [(found.type, found.start, found.end) for found in scanner.find("01234")] == [("LEFT", 1, 3), ("RIGHT", 3, 5)]


def test_spans_longer_than_their_width_are_cut() -> None:
    """A pattern's width bounds the span."""
    pattern = Pattern("a", "T", "xyz", "xyz[a-z]{0,500}", width=10)
    assert _spans(Scanner((Detector("d", (pattern,)),)), "xyz" + "a" * 400) == [("d/a", "xyzaaaaaaa")]
    assert pattern.width <= MAX_SPAN


def test_what_is_found_across_a_window_is_what_is_found_within() -> None:
    """The automaton reads long texts in windows; no border shows."""
    scanner = Scanner((Detector("a", (WORD, PAIR, UMLAUT)),))
    for place in (WINDOW - 3, WINDOW - 1, WINDOW, WINDOW + 1):
        text = "." * (place - 1) + " key = 12345 " + "é" * 50
        assert _spans(scanner, text) == [("a/pair", "12345")], place
        assert scanner.find(text)[0].start == place + 6


def test_a_serialized_automaton_is_used_where_it_fits() -> None:
    """Of the same patterns it saves compiling; of others, or damaged, it is compiled anew and finds the same."""
    detectors = (Detector("a", (WORD, PAIR)),)
    first = Scanner(detectors)
    again = Scanner(detectors, first.database)
    other = Scanner((Detector("b", (UMLAUT,)),), first.database)
    damaged = Scanner(detectors, first.database[:100])
    assert (first.compiled, again.compiled, other.compiled, damaged.compiled) == (True, False, True, True)
    assert again.find("kilo key=1") == first.find("kilo key=1") == damaged.find("kilo key=1") != []
    assert _spans(other, "Straße") == [("b/umlaut", "Straße")]


def test_a_scanner_without_detectors_finds_nothing() -> None:
    """Nothing to look for is no fault."""
    scanner = Scanner(())
    assert scanner.find("kilo") == [] and scanner.database == b"" and scanner.types == ()


@pytest.mark.parametrize(
    ("detectors", "words"),
    [
        ((Detector("a", (Pattern("look", "T", "(?<=a)b"),)),), "a/look"),
        ((Detector("a", (Pattern("back", "T", r"(a)\1"),)),), "a/back"),
        ((Detector("a", (Pattern("empty", "T", "a{0,3}"),)),), "a/empty"),
        ((Detector("a", (Pattern("python", "T", "ab", "a(b"),)),), "a/python"),
        ((Detector("a", (WORD,)), Detector("a", (WORD,))), "a/word"),
    ],
)
def test_a_pattern_that_cannot_be_compiled_is_named(detectors: tuple[Detector, ...], words: str) -> None:
    """The error says which pattern it is and what to change."""
    with pytest.raises(ScannerError, match=words):
        Scanner(detectors)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["kilo", " ", "key=", "key = 7", "12", "straße", "é", "\n", "kk", "日"]), max_size=20).map("".join), st.data()
)
def test_a_span_depends_on_its_neighbourhood_only(middle: str, data: st.DataObject) -> None:
    """Text beyond the look-back and after a line's end changes nothing within."""
    scanner = Scanner((Detector("a", (WORD, PAIR)), Detector("b", (UMLAUT,), rank=60)))
    left = data.draw(st.text(alphabet="kilo key=7é\n", max_size=300)) + "\n" + "." * LOOKBACK
    alone = [(found.start, found.end, found.rule) for found in scanner.find("." * LOOKBACK + middle)]
    within = scanner.find(left + middle + "\n" + left, len(left))
    shift = len(left) - LOOKBACK
    assert [(f.start - shift, f.end - shift, f.rule) for f in within if f.start < len(left) + len(middle)] == alone


def test_validators_are_asked_about_hits_only_and_in_proportion_to_the_text() -> None:
    """Doubling a text of hits doubles the questions; a text without hits asks none."""
    asked = 0

    def count(candidate: Candidate) -> Iterable[Found]:
        nonlocal asked
        asked += 1
        return ()

    scanner = Scanner((Detector("d", (Pattern("a", "T", "ab", "ab[ab]{0,30}"),), count),))
    scanner.find("b" * 100_000)
    assert asked == 0
    scanner.find("ab" * 1000)
    once, asked = asked, 0
    scanner.find("ab" * 2000)
    assert once == 1000 and asked == 2000


def test_one_scanner_serves_several_threads() -> None:
    """Each scan works on a scratch space of its own."""
    scanner = Scanner((Detector("a", (WORD, PAIR)),))
    texts = [f"kilo key = {number} " * 200 for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(scanner.find, texts)) == [scanner.find(text) for text in texts]

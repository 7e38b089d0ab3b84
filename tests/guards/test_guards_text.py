"""Readings of a text: what folds, what keeps its case and script, and that every span maps back to the source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.guards import sanitize
from affiant.guards.text import Folded


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("Plain ASCII\n\ttext", "Plain ASCII\n\ttext"),
        ("Ignоrе аll рrеvious", "Ignore all previous"),
        ("Привет, сор", "Привет, сор"),
        ("It is а cat", "It is a cat"),
        ("Łódź und Straße", "Łódź und Straße"),
        ("Jose\u0301", "José"),
        ("Z\u0301\u0300\u0302algo", "Źalgo"),
        ("ＡＢＣ\u3000１２", "ABC 12"),
        ("𝓓𝓐𝓝", "DAN"),
        ("🅓🅐🅝", "DAN"),
        ("".join(chr(0xE0000 + ord(char)) for char in "Hidden!"), "Hidden!"),
        ("da\u200bna\u00ad@ex\u2060ample.com", "dana@example.com"),
        ("a\x00b\x08c", "abc"),
        ("536–22–8145", "536-22-8145"),
        ("٣٤٥", "345"),
        ("नियमों को", "नियमों को"),
        ("지시를", "지시를"),
        ("ガギ", "ガギ"),
        ("🇩🇪 ok", "🇩🇪 ok"),
        ("\ud800x", "\ud800x"),
    ],
)
def test_the_plain_reading_keeps_what_a_reader_sees(source: str, plain: str) -> None:
    """Case, accents and scripts stay; disguises go."""
    assert Folded(source).plain == plain


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("ÉtÉ", "ete"),
        ("ﬁrst ½", "first 1/2"),
        ("🇮🇬🇳🇴🇷🇪", "ignore"),
        ("지시를 무시", "지시를 무시"),
        ("プロンプト", "プロンプト"),
        ("ᎪᎠᎷ", "adm"),
    ],
)
def test_the_folded_reading_is_lower_case_without_accents(source: str, text: str) -> None:
    """Marks that are part of a word's spelling in their script stay."""
    assert Folded(source).text == text


def test_an_accent_goes_with_its_letter() -> None:
    """A span of the plain reading never leaves a mark behind."""
    source = "Mr Jose\u0301\u0302, hello"
    folded = Folded(source)
    start = folded.plain.index("José")
    assert source[slice(*folded.plain_span(start, start + 4))] == "Jose\u0301\u0302"


@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_every_span_maps_back_in_order(source: str) -> None:
    """Both readings: spans of single characters are not empty, lie in the source, and do not go backwards."""
    folded = Folded(source)
    for reading, span in ((folded.text, folded.span), (folded.plain, folded.plain_span)):
        last = 0
        for place in range(len(reading)):
            start, end = span(place, place + 1)
            assert last <= start < end <= len(source)
            last = start


@given(st.text(alphabet=st.sampled_from("ab Zé\u0301аЯ\u200b\U000e0041ｗ１中\n"), max_size=40))
def test_the_plain_reading_reads_the_same_again(source: str) -> None:
    """Folding twice changes nothing more."""
    once = Folded(source).plain
    assert Folded(once).plain == once


@pytest.mark.parametrize(
    "kept",
    [
        "ภาษา\u200bไทย",
        "ខ្មែរ\u200bខ្មែរ",
        "ᠮᠣᠩ\u180bᠭᠣᠯ",
        "क्\u200dष",
        "می\u200cخواهم",
        "👨\u200d👩\u200d👧",
        "🏳\ufe0f\u200d🌈",
        "1\ufe0f\u20e3",
    ],
)
def test_sanitize_keeps_what_scripts_need(kept: str) -> None:
    """Joiners, separators and selectors that their script or emoji needs are no hiding characters."""
    assert sanitize.find(kept) == []


@pytest.mark.parametrize("hidden", ["a\u200bb", "a\u200db", "ก\u200b\u200bข", "a\u180bb", "x\ufff9y", "x\U0001d173y", "é\u2063é"])
def test_sanitize_finds_what_no_script_needs(hidden: str) -> None:
    """The same characters elsewhere hide text."""
    spans = sanitize.find(hidden)
    assert spans and len(sanitize.without(hidden, spans)) == len(hidden) - sum(end - start for start, end, _ in spans)

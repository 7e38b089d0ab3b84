"""Ordinary words as a sieve: nothing listed is held back, little else passes, German compounds are read from their end."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.guards.names.features import FIRST, FORM_BASE, FORM_ROWS, Featurizer, Lexicon, word_key
from affiant.guards.names.sieve import COMPOUND, GERMAN, LISTED, TAIL, UNKNOWN, Sieve, sieve_of

WORDS = sorted(GERMAN + word for word in ("straße", "straßen", "verkehr", "verkehrs", "ordnung", "kinder", "garten", "haus"))


@given(st.lists(st.text(st.characters(codec=None), max_size=12), max_size=30, unique=True))
def test_every_word_put_in_passes(words: list[str]) -> None:
    """Lone surrogates too."""
    sieve = sieve_of(words)
    assert all(word in sieve for word in words)


def test_few_other_words_pass() -> None:
    """About one in a hundred."""
    rng = random.Random(1)
    drawn = ["".join(rng.choices("abcdefghij", k=9)) for _ in range(6_000)]
    sieve = sieve_of(drawn[:3_000])
    assert sum(word in sieve for word in drawn[3_000:]) < 90


def test_an_empty_sieve_lets_nothing_through() -> None:
    """A lexicon without ordinary words knows none."""
    assert "a" not in Sieve(b"")
    assert Sieve(b"").german("straßenverkehr") == UNKNOWN


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("kinder", LISTED),
        ("kindergarten", COMPOUND),
        ("hausordnung", COMPOUND),
        ("verkehrsordnung", COMPOUND),
        ("xyzqordnung", TAIL),
        ("anna", UNKNOWN),
    ],
)
def test_german_compounds_are_read_from_their_end(word: str, found: int) -> None:
    """A listed word, two of them with or without a link, or a listed end."""
    assert sieve_of(WORDS).german(word) == found


def test_a_form_in_s_shows_its_stem() -> None:
    """A genitive that is on no list has a row for its stem's lists; a word that is listed itself has none."""
    lexicon = Lexicon({word_key("Bertha"): FIRST}, {"▁": 0}, np.ones((1, 4), np.float32), frozenset())
    featurize = Featurizer(lexicon, {})
    assert len(featurize("Berthas").rows) - len(featurize("Berthaz").rows) == 1


def test_an_ordinary_word_looks_other_than_an_unknown_one() -> None:
    """What the sieve says is a feature."""
    plain = Lexicon({}, {"▁": 0}, np.ones((1, 4), np.float32), frozenset())
    knowing = Lexicon({}, {"▁": 0}, np.ones((1, 4), np.float32), frozenset(), sieve_of(WORDS))

    def forms(lexicon: Lexicon) -> set[int]:
        return {row for row in Featurizer(lexicon, {})("Garten").rows.tolist() if FORM_BASE <= row < FORM_BASE + FORM_ROWS}

    assert forms(plain) != forms(knowing)

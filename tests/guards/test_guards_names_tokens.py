"""Tokens and decoding of the names tagger, without weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.guards.names.features import COUNTRY, Featurizer, Lexicon, case_of, shape_of, word_key
from affiant.guards.names.network import LOOKBACK_TOKENS, OFFSETS, Network, context_rows, shifted, times
from affiant.guards.names.spans import Decoder
from affiant.guards.names.tokens import FIRST, GLUED, NEW_LINE, SPACED, WEB_KEY, cut

PIECES = {"▁": 0, "▁Chi": 1, "le": 2, "北": 3, "北京": 4}
LEXICON = Lexicon({word_key("Chile"): COUNTRY}, PIECES, np.ones((5, 4), np.float32), frozenset({"北京"}))


@given(st.text(st.characters(codec=None)))
def test_tokens_are_in_order_and_cover_what_is_not_space(text: str) -> None:
    """Tokens never overlap, and only spaces (and what follows a name's letters as marks) lie between them."""
    tokens = cut(text)
    position = 0
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        position = end
    assert not text[position:].strip()
    assert len(tokens.keys) == len(tokens.starts) == len(tokens.glue)


def test_spacing_is_kept() -> None:
    """Each token says how it hangs together with the one before."""
    tokens = cut("Ann-Marie\nis here")
    assert tokens.keys == ["Ann", "-", "Marie", "is", "here"]
    assert tokens.glue == [FIRST, GLUED, GLUED, NEW_LINE, SPACED]


def test_ideographs_are_tokens_with_their_longest_piece() -> None:
    """A known piece is named by each of its ideographs, with the place in it."""
    tokens = cut("在北京。", {"北京"})
    assert [key.split("\x02") for key in tokens.keys[:3]] == [["在", "在", "S"], ["北", "北京", "B"], ["京", "北京", "E"]]
    assert tokens.starts == [0, 1, 2, 3]


def test_addresses_of_the_web_are_one_token() -> None:
    """E-mail addresses and URLs are not cut into name-like parts."""
    assert cut("mail anna.schmidt@mail.example or https://example.org/Anna now").keys.count(WEB_KEY) == 2


@pytest.mark.parametrize(("word", "shape"), [("Anna", "Xx"), ("McDonald", "XxXx"), ("USA", "X"), ("x9", "x0")])
def test_shape(word: str, shape: str) -> None:
    """Runs of alike letters are one."""
    assert shape_of(word) == shape


def test_case_depends_on_letters_alone() -> None:
    """The five cases differ."""
    assert len({case_of(word) for word in ("anna", "ANNA", "Anna", "McAnna", "7")}) == 5


def test_features_do_not_depend_on_what_was_met_before() -> None:
    """Forgetting changes nothing."""
    small, large = Featurizer(LEXICON, {"in": 1}, limit=1), Featurizer(LEXICON, {"in": 1})
    for key in ("Chile", "in", "\x01web", "000", "北\x02北京\x02B", "Chile"):
        one, other = small(key), large(key)
        assert one.rows.tolist() == other.rows.tolist()
        assert np.array_equal(one.vector, other.vector)
    assert large("chile").flags == COUNTRY


def _network(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    layers = []
    width = 8
    for index, offsets in enumerate(OFFSETS):
        inputs = len(offsets) * (width if index == 0 else 12)
        layers.append((rng.standard_normal((inputs, 12)).astype(np.float32), np.zeros(12, np.float32)))
    out = (rng.standard_normal((12, 7)).astype(np.float32), np.zeros(7, np.float32))
    return Network(rng.standard_normal((40, width)).astype(np.float32), np.zeros((8, width), np.float32), layers, out)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 5))
def test_a_token_is_settled_after_the_lookback(size: int, cut_at: int, seed: int) -> None:
    """Dropping what follows more than `LOOKBACK_TOKENS` later changes no probability."""
    network = _network()
    rng = np.random.default_rng(seed)
    embedded = rng.standard_normal((size, 8)).astype(np.float32)
    context = np.zeros(size, np.int32)
    short = min(size, cut_at)
    settled = max(0, short - LOOKBACK_TOKENS) if short < size else size
    whole, part = network.probabilities(embedded, context), network.probabilities(embedded[:short], context[:short])
    assert np.allclose(whole[:settled], part[:settled], atol=1e-5)


def test_context_is_settled_after_the_lookback() -> None:
    """The case of the surrounding text is read no further ahead than the network reads."""
    tokens = cut("We met Anna. THEN ALL OF IT WAS LOUD and quiet again in Rome that year. Who knows?")
    features = [Featurizer(LEXICON, {})(key) for key in tokens.keys]
    whole = context_rows(features, tokens.glue)
    for short in range(1, len(features)):
        settled = max(0, short - LOOKBACK_TOKENS)
        assert context_rows(features[:short], tokens.glue[:short])[:settled].tolist() == whole[:settled].tolist()


def test_shifting_brings_neighbours_side_by_side() -> None:
    """Beyond the ends stand zeros."""
    hidden = np.asarray([[1.0], [2.0], [3.0]], np.float32)
    assert shifted(hidden, (-1, 0, 2)).tolist() == [[0, 1, 3], [1, 2, 0], [2, 3, 0]]


@given(st.integers(1, 60), st.integers(1, 400))
def test_products_in_slices_are_products(rows: int, inner: int) -> None:
    """Slicing changes nothing but rounding."""
    rng = np.random.default_rng(rows)
    left, right = rng.standard_normal((rows, inner)).astype(np.float32), rng.standard_normal((inner, 96)).astype(np.float32)
    assert np.allclose(times(left, right), left @ right, atol=1e-3)


def test_control_characters_are_plain_marks() -> None:
    """The characters that keys use inside are no way to forge a key."""
    featurize = Featurizer(LEXICON, {})
    assert [featurize(key).case for key in cut("\x02 \x01 a\x02b").keys]


def _probabilities(tags: list[int]) -> np.ndarray:
    table = np.full((len(tags), 7), 0.01, np.float32)
    table[np.arange(len(tags)), tags] = 0.94
    return table


def test_spans_leave_out_marks_and_possessives() -> None:
    """What is called a name is trimmed to the name."""
    text = "Ann Lee's, Rome."
    tokens = cut(text)
    assert tokens.keys == ["Ann", "Lee", "'", "s", ",", "Rome", "."]
    found = Decoder({}).spans(_probabilities([1, 2, 2, 2, 0, 3, 4]), tokens)
    assert [(text[span.start : span.end], span.type) for span in found] == [("Ann Lee", "PERSON"), ("Rome", "LOCATION")]


def test_a_line_end_or_a_beginning_splits_a_run() -> None:
    """Neighbouring names stay two."""
    text = "Ann\nLee Bo"
    found = Decoder({}).spans(_probabilities([1, 2, 1]), cut(text))
    assert [text[span.start : span.end] for span in found] == ["Ann", "Lee", "Bo"]


def test_a_name_met_before_needs_less_evidence() -> None:
    """A surname counts as a person again; a bias against a type counts too."""
    tokens = cut("Ann Lee met Lee")
    table = _probabilities([1, 2, 0, 0])
    table[3] = [0.7, 0.2, 0.05, 0.02, 0.01, 0.01, 0.01]
    assert len(Decoder({}).spans(table, tokens)) == 2
    assert Decoder({"PERSON": 1e-6, "LOCATION": 1e-6, "ORGANIZATION": 1e-6}).spans(table, tokens) == []

"""The encoder stage without its engine: windows, batches, offsets, bad answers of a network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.guards.encoder import Encoded, Encoder, windows
from affiant.guards.encoder.scorer import FULL, LONGEST_TEXT

_BAD = 7


def _words(text: str) -> Encoded:
    """One piece a word; the word `attack` has the id `_BAD`, others their length plus 10."""
    ids, places, at = [], [], 0
    for word in text.split(" "):
        if word:
            ids.append(_BAD if word == "attack" else 10 + len(word))
            places.append((at, at + len(word)))
        at += len(word) + 1
    return ids, places


class _Network:
    """A logit of 3 for a row that holds `_BAD`, plus 1 where the row is data; -3 for others. Keeps what it was given."""

    def __init__(self) -> None:
        self.runs: list[list[list[int]]] = []

    def __call__(self, rows: Sequence[Sequence[int]], kinds: Sequence[int]) -> list[float]:
        self.runs.append([list(row) for row in rows])
        return [3.0 + kind if _BAD in row else -3.0 for row, kind in zip(rows, kinds, strict=True)]


def _encoder(network: _Network, **options: int) -> Encoder:
    return Encoder(_words, network, 1, 2, **options)


@given(st.integers(0, 3000), st.integers(1, 200), st.data())
def test_windows_lie_within_the_text_and_cover_it_unless_they_say_otherwise(pieces: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    most = data.draw(st.integers(1, 40))
    found, covered = windows(pieces, size=size, overlap=overlap, most=most)
    assert len(found) <= most
    assert all(0 <= start < end <= pieces and end - start <= size for start, end in found)
    seen = set(itertools.chain.from_iterable(range(start, end) for start, end in found))
    assert covered == (seen == set(range(pieces)))
    if pieces:
        assert found[0].start == 0
    if len(found) > 1:
        assert found[-1].end == pieces


@given(st.integers(2, 500), st.integers(2, 64))
def test_without_a_cap_neighbours_share_at_least_the_overlap(pieces: int, size: int) -> None:
    overlap = size // 4
    found, covered = windows(pieces, size=size, overlap=overlap, most=10_000)
    assert covered
    assert all(left.end - right.start >= overlap for left, right in itertools.pairwise(found))


@pytest.mark.parametrize(("size", "overlap", "most"), [(10, 10, 3), (10, -1, 3), (10, 2, 0), (0, 0, 1)])
def test_windows_that_cannot_be_are_refused(size: int, overlap: int, most: int) -> None:
    with pytest.raises(ValueError, match="choose"):
        windows(5, size=size, overlap=overlap, most=most)


def test_an_empty_text_scores_nothing_and_runs_nothing() -> None:
    network = _Network()
    assert _encoder(network).scores([("", False), ("   ", True)]) == [(0, 0, 0, 0, True)] * 2
    assert network.runs == []


def test_the_worst_window_counts_and_is_named_by_its_characters() -> None:
    text = "calm " * 300 + "attack here " + "calm " * 300
    network = _Network()
    score = _encoder(network).score(text)
    assert score.ppm > 900_000
    assert score.whole
    assert "attack" in text[score.start : score.end]
    assert score.windows == sum(len(run) for run in network.runs) > 1
    assert all(row[0] == 1 and row[-1] == 2 and len(row) <= 128 for run in network.runs for row in run)


def test_scores_keep_the_order_of_the_texts_and_share_runs() -> None:
    network = _Network()
    texts = [("calm and long " * 9, False), ("attack", False), ("fine", True), ("an attack", True)]
    scores = _encoder(network, batch=8).scores(texts)
    assert [score.ppm > FULL // 2 for score in scores] == [False, True, False, True]
    assert scores[3].ppm > scores[1].ppm  # the token type reached the network
    assert len(network.runs) == 1


def test_a_run_never_holds_more_than_the_batch() -> None:
    network = _Network()
    _encoder(network, batch=3, size=4, overlap=1, most=50).score("a b c d e f g h i j k l m n o p q r s t u v w x y z")
    assert max(len(run) for run in network.runs) == 3


def test_a_huge_text_is_read_at_both_ends_within_bounds_and_says_so() -> None:
    network = _Network()
    text = "attack " + "calm " * (LONGEST_TEXT // 2) + "attack"
    score = _encoder(network).score(text)
    assert not score.whole
    assert score.windows <= 24
    assert score.ppm > 900_000
    tail = _encoder(_Network()).score("calm " * (LONGEST_TEXT // 2) + "attack")
    assert tail.ppm > 900_000
    assert tail.end == 5 * (LONGEST_TEXT // 2) + 6


def test_a_network_that_answers_nonsense_is_an_error() -> None:
    short = Encoder(_words, lambda rows, kinds: [0.0] * (len(rows) + 1), 1, 2)
    with pytest.raises(ValueError, match="does not fit"):
        short.score("hello")
    broken = Encoder(_words, lambda rows, kinds: [float("nan")] * len(rows), 1, 2)
    with pytest.raises(ValueError, match="no number"):
        broken.score("hello")


@pytest.mark.parametrize("logit", [-1e9, 1e9, float("inf"), float("-inf")])
def test_extreme_logits_stay_in_range(logit: float) -> None:
    score = Encoder(_words, lambda rows, kinds: [logit] * len(rows), 1, 2).score("hello")
    assert 0 <= score.ppm <= FULL
    assert (score.ppm > FULL // 2) == (logit > 0)

"""Groundedness: what counts as supported, where it says so, and that the weights are those of the card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.guards.grounded import FULL, Grounded
from affiant.guards.grounded.features import NAMES
from affiant.guards.grounded.line import BOUND, Line
from affiant.guards.grounded.trees import LEAF, Trees
from affiant.guards.grounded.vectors import WordVectors, word_key

WEIGHTS = Path(__file__).parents[2] / "src" / "affiant" / "weights"
CONTEXT = (
    "Marie Curie was born in Warsaw in 1867. She won the Nobel Prize in Physics in 1903 together with her husband Pierre Curie and"
    " Henri Becquerel. In 1911 she received the Nobel Prize in Chemistry. The Curies discovered polonium and radium in Paris. She died in"
    " 1934 of an illness caused by radiation."
)


@pytest.fixture(scope="module")
def arrays() -> Mapping[str, Any]:
    with np.load(WEIGHTS / "grounded.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def model(arrays: Mapping[str, Any]) -> Grounded:
    return Grounded(arrays)


def test_the_weights_are_those_of_the_card(arrays: Mapping[str, Any]) -> None:
    card = json.loads((WEIGHTS / "grounded.json").read_text(encoding="utf-8"))
    data = (WEIGHTS / "grounded.npz").read_bytes()
    assert card["sha256"] == hashlib.sha256(data).hexdigest()
    assert card["bytes"] == len(data) <= 2_000_000
    assert arrays["default"][0] == pytest.approx(card["threshold"])


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Marie Curie was born in Warsaw in 1867.", "Marie Curie was born in Berlin in 1867."),
        ("Marie Curie was born in Warsaw in 1867.", "Marie Curie was born in Warsaw in 1871."),
        ("She received the Nobel Prize in Chemistry in 1911.", "She received the Nobel Prize in Literature in 1911."),
        ("She won the Nobel Prize in Physics in 1903.", "She did not win the Nobel Prize in Physics in 1903."),
        ("The Curies discovered polonium and radium.", "The Curies discovered uranium and played the violin."),
        ("She died in 1934.", "She moved to Australia and opened a bakery."),
    ],
)
def test_a_claim_with_a_wrong_fact_scores_higher(model: Grounded, good: str, bad: str) -> None:
    assert model.judge(good, CONTEXT).ungrounded_ppm < model.judge(bad, CONTEXT).ungrounded_ppm


@pytest.mark.parametrize(
    ("context", "good", "bad"),
    [
        ("Die Brücke wurde 1950 in Köln eröffnet. Sie ist 400 Meter lang.", "Die Brücke in Köln ist 400 Meter lang.",
         "Die Brücke in Hamburg ist 700 Meter lang."),
        ("Le pont a été ouvert à Lyon en 1950. Il mesure 400 mètres.", "Le pont de Lyon a été ouvert en 1950.",
         "Le musée de Marseille a été fermé en 1980."),
        ("El puente se inauguró en Sevilla en 1950 y mide 400 metros.", "El puente de Sevilla mide 400 metros.",
         "La catedral de Madrid tiene 90 ventanas."),
        ("这座桥于1950年在上海开通。它长400米。", "这座桥于1950年开通。", "博物馆在北京由国王建造。"),
        ("この橋は1950年に東京で開通した。長さは400メートル。", "橋は1950年に開通した。", "美術館は大阪で火事になった。"),
    ],
)  # fmt: skip
def test_other_languages_order_alike(model: Grounded, context: str, good: str, bad: str) -> None:
    assert model.judge(good, context).ungrounded_ppm < model.judge(bad, context).ungrounded_ppm


def test_the_unsupported_sentence_is_named_by_its_offsets(model: Grounded) -> None:
    answer = "Marie Curie was born in Warsaw in 1867. Später eröffnete Zoë eine Bäckerei in Ōsaka für 500 Gäste. She died in 1934."
    found = model.judge(answer, CONTEXT)
    worst = max(found.sentences, key=lambda sentence: sentence.ungrounded_ppm)
    assert answer[worst.start : worst.end] == "Später eröffnete Zoë eine Bäckerei in Ōsaka für 500 Gäste."
    assert worst in found.unsupported
    assert found.sentences[0] not in found.unsupported
    assert not found.supported


def test_one_sentence_has_the_score_of_the_whole(model: Grounded) -> None:
    found = model.judge("She died in 1934.", CONTEXT)
    assert [sentence.ungrounded_ppm for sentence in found.sentences] == [found.ungrounded_ppm]


@pytest.mark.parametrize("answer", ["", "   ", "...!", "\n\n"])
def test_an_answer_without_words_is_supported(model: Grounded, answer: str) -> None:
    found = model.judge(answer, CONTEXT)
    assert (found.ungrounded_ppm, found.sentences, found.supported) == (0, (), True)


@pytest.mark.parametrize("context", ["", " \n", "?!"])
def test_an_empty_context_supports_nothing(model: Grounded, context: str) -> None:
    found = model.judge("She died. In 1934.", context)
    assert found.ungrounded_ppm == FULL
    assert [sentence.ungrounded_ppm for sentence in found.unsupported] == [FULL, FULL]


def test_the_question_may_be_left_out(model: Grounded) -> None:
    with_question = model.judge("Warsaw", CONTEXT, "Where was Marie Curie born?")
    assert 0 <= with_question.ungrounded_ppm <= FULL
    assert with_question.ungrounded_ppm < model.judge("Lisbon", CONTEXT, "Where was Marie Curie born?").ungrounded_ppm


def test_the_same_texts_give_the_same_scores(model: Grounded, arrays: Mapping[str, Any]) -> None:
    answer = "Marie Curie was born in Warsaw. She liked bread."
    model.judge("Something else first.", "Another context.")
    assert model.judge(answer, CONTEXT) == Grounded(arrays).judge(answer, CONTEXT)


def test_texts_longer_than_what_is_looked_at_say_so(model: Grounded) -> None:
    assert model.judge("She died in 1934.", CONTEXT).complete
    assert not model.judge("word " * 50_000, CONTEXT).complete


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(codec=None) | st.sampled_from("ab1 .")), st.text(st.characters(codec=None) | st.sampled_from("ab1 .")))
def test_whatever_the_texts_scores_and_spans_are_in_range(model: Grounded, answer: str, context: str) -> None:
    found = model.judge(answer, context, context[:20])
    assert 0 <= found.ungrounded_ppm <= FULL
    last = 0
    for sentence in found.sentences:
        assert last <= sentence.start < sentence.end <= len(answer)
        assert 0 <= sentence.ungrounded_ppm <= FULL
        last = sentence.end


@pytest.mark.parametrize("part", ["a ", "a b. ", "1 ", "x" * 3_000, "not ", "，", "。", "1,000.", "Dr. ", "a\n", "\ud800 "])
def test_long_hostile_texts_are_judged(model: Grounded, part: str) -> None:
    text = part * (30_000 // len(part))
    assert 0 <= model.judge(text, text).ungrounded_ppm <= FULL


def test_missing_weights_are_named(arrays: Mapping[str, Any]) -> None:
    for gone in ("weights", "line_slope"):
        with pytest.raises(ValueError, match=f"lack {gone}"):
            Grounded({name: array for name, array in arrays.items() if name != gone})


def test_trees_give_what_their_leaves_say() -> None:
    trees = Trees(
        {
            "feature": np.array([[1, LEAF, LEAF], [LEAF, LEAF, LEAF]], dtype=np.int16),
            "threshold": np.array([[0.5, 0, 0], [0, 0, 0]], dtype=np.float32),
            "left": np.array([[1, 0, 0], [0, 0, 0]], dtype=np.int16),
            "right": np.array([[2, 0, 0], [0, 0, 0]], dtype=np.int16),
            "value": np.array([[0, -1, 2], [0.25, 0, 0]], dtype=np.float32),
            "bias": np.array([0.5], dtype=np.float32),
        },
        2,
    )
    rows = np.array([[9, 0.5], [9, 0.6]], dtype=np.float32)
    assert trees.log_odds(rows).tolist() == [-0.25, 2.75]
    with pytest.raises(ValueError, match="2 features"):
        trees.log_odds(np.zeros((1, 3), dtype=np.float32))


@pytest.mark.parametrize(("name", "value"), [("left", 0), ("right", 99), ("feature", 300)])
def test_trees_that_point_outside_are_refused(arrays: Mapping[str, Any], name: str, value: int) -> None:
    broken = {key: array.copy() for key, array in arrays.items()}
    broken[name][0, 0] = value
    with pytest.raises(ValueError, match="take the weights"):
        Trees(broken, len(NAMES))


def line_arrays(**changed: Any) -> dict[str, Any]:
    plain = {
        "line_centre": np.array([1, 5], dtype=np.float32),
        "line_spread": np.array([2, 1], dtype=np.float32),
        "line_slope": np.array([0.5, 0], dtype=np.float32),
        "line_offset": np.array([-0.25], dtype=np.float32),
    }
    return plain | changed


def test_a_sum_says_no_more_beyond_its_bound() -> None:
    line = Line(line_arrays(), 2)
    rows = np.array([[1, 0], [5, 99], [1e9, 0], [-1e9, 0]], dtype=np.float32)
    assert line.log_odds(rows).tolist() == [-0.25, 0.75, 0.5 * BOUND - 0.25, -0.5 * BOUND - 0.25]
    with pytest.raises(ValueError, match="2 features"):
        line.log_odds(np.zeros((1, 3), dtype=np.float32))


@pytest.mark.parametrize(
    "changed",
    [
        {"line_slope": np.zeros(3, dtype=np.float32)},
        {"line_offset": np.zeros(2, dtype=np.float32)},
        {"line_spread": np.zeros(2, dtype=np.float32)},
        {"line_spread": np.full(2, np.nan, dtype=np.float32)},
    ],
)
def test_a_sum_that_does_not_fit_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="take the weights"):
        Line(line_arrays(**changed), 2)


def test_a_score_is_half_of_trees_and_half_of_the_sum(model: Grounded, arrays: Mapping[str, Any]) -> None:
    answer = "She died in 1934."
    row = np.asarray([model.vector(answer, CONTEXT)], dtype=np.float32)
    odds = (Trees(arrays, len(NAMES)).log_odds(row)[0] + Line(arrays, len(NAMES)).log_odds(row)[0]) / 2
    assert model.judge(answer, CONTEXT).ungrounded_ppm == pytest.approx(FULL / (1 + np.exp(-odds)), abs=1)


def test_vectors_that_do_not_fit_are_refused() -> None:
    keys, rows = np.array([word_key("film")], dtype=np.uint32), np.array([3], dtype=np.uint16)
    with pytest.raises(ValueError, match="do not fit"):
        WordVectors(keys, rows, np.zeros((2, 4), dtype=np.int8))


def test_words_of_like_meaning_are_near() -> None:
    keys = np.array([word_key("film"), word_key("movie"), word_key("bread")], dtype=np.uint32)
    vectors = WordVectors(keys, np.arange(3, dtype=np.uint16), np.array([[100, 10], [100, 0], [0, 100]], dtype=np.int8))
    near = vectors.nearest(["film", "bread", "unknown"], vectors.matrix(["movie", "nothing"]))
    assert near[0] > 0.9
    assert near[1:] == [0.0, 0.0]
    assert vectors.nearest(["film"], vectors.matrix([])) == [0.0]


def test_sentences_that_only_frame_an_answer_are_not_judged(model: Grounded) -> None:
    answer = "Sure! Here is what I found:\n- She died in 1934.\nLet me know if you have more questions!"
    found = model.judge(answer, CONTEXT)
    assert [answer[sentence.start : sentence.end] for sentence in found.sentences] == ["- She died in 1934."]
    assert len(model.judge("Let me know if you need anything.", CONTEXT).sentences) == 1

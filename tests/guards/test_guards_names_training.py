"""Training of the names tagger on a handful of texts: gradients, partial labels, sameness."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest

pytest.importorskip("scipy")

from training.names.batches import Hiding, assemble, encode
from training.names.evaluate import count, interval, score
from training.names.examples import Example, Span, capitalize, fill, join, make, recase, swap
from training.names.fillers import Filler
from training.names.fit import Settings, train
from training.names.learn import Learner, Size, unshifted
from training.names.lists import LANGUAGES, Lists
from training.names.store import arrays_of, packed

from affiant.guards.names import NamesModel
from affiant.guards.names.features import FIRST, Featurizer, Lexicon, word_key

NAMES = ["Anna", "Bertha", "Carla", "Dora", "Emil"]
HAN = ["王伟", "李娜", "张敏"]


def _lists() -> Lists:
    groups = (*LANGUAGES, "other")
    han = {"zh": HAN, "ja": HAN}
    return Lists(
        first={group: han.get(group, NAMES) for group in groups},
        last={group: han.get(group, ["Maier", "Lopez", "Rossi"]) for group in groups},
        cities={group: [("Utopia", 500_000), ("Erewhon", 9_000)] for group in groups},
        places={group: ["北京"] if group in han else ["Lilliput"] for group in LANGUAGES},
        native={"zh": ["北京", "上海"], "ja": ["京都"]},
        countries={group: ["中国"] if group in han else ["Laputa"] for group in LANGUAGES},
        tongues=["laputian"],
        census=[f"Name{chr(97 + i % 26)}" for i in range(2000)],
        english_nouns=["dora", "lamp"],
        german_nouns=["Carla", "Haus", "Straßenbahnen"],
    )


LEXICON = Lexicon({word_key(name): FIRST for name in NAMES}, {"▁": 0, "▁the": 1, "a": 2}, np.ones((3, 4), np.float32), frozenset())
TINY = Settings(passes=2, made=30, batch=256, size=Size(8, 12), frequent=1, most_words=50)
REAL = [Example("Anna lives in Utopia.", (Span(0, 4, "PERSON"), Span(14, 20, "LOCATION")), "wikigold", "en")] * 3


def _weights() -> bytes:
    featurize, learner = train(REAL, [], _lists(), LEXICON, TINY)
    return packed(arrays_of(featurize, learner.network(), {}))


def test_training_twice_gives_the_same_bytes() -> None:
    """Same data, same settings, same file; and the file makes a model."""
    first = _weights()
    assert hashlib.sha256(first).digest() == hashlib.sha256(_weights()).digest()
    featurize, learner = train(REAL, [], _lists(), LEXICON, TINY)
    assert isinstance(NamesModel(arrays_of(featurize, learner.network(), {})).find("Anna is here."), list)


def test_the_loss_falls() -> None:
    """A few steps on one batch teach it."""
    featurize = Featurizer(LEXICON, {"lives": 1})
    learner = Learner(1, 4, Size(8, 12), 1)
    batch = assemble([encode(REAL[0], featurize)], learner.row_count, Hiding(0, 0, 0, 0), np.random.default_rng(0))
    losses = [learner.step(batch, 0.02, dropout=0.0) for _ in range(40)]
    assert losses[-1] < losses[0] / 4


def test_unshifting_is_the_transpose_of_shifting() -> None:
    """<shift x, y> = <x, unshift y>."""
    from affiant.guards.names.network import shifted

    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((9, 4)).astype(np.float32), rng.standard_normal((9, 12)).astype(np.float32)
    assert np.isclose((shifted(x, (-3, 0, 1)) * y).sum(), (x * unshifted(y, (-3, 0, 1), 4)).sum(), rtol=1e-4)


def test_what_a_source_does_not_annotate_stays_open() -> None:
    """A capitalized word may be an organization where only persons are annotated; an unclear span may be anything."""
    featurize = Featurizer(LEXICON, {})
    text = "Anna joined Initech in Rome"
    closed = encode(Example(text, (Span(0, 4, "PERSON"),), "a", "en"), featurize).allowed
    spans = (Span(0, 4, "PERSON"), Span(23, 27, "ANY"))
    opened = encode(Example(text, spans, "a", "en", frozenset({"PERSON", "LOCATION"})), featurize).allowed
    assert closed.tolist() == [2, 1, 1, 1, 1]
    assert opened.tolist() == [2, 1, 1 | 32 | 64, 1, 127]


def test_made_and_changed_texts_keep_their_spans() -> None:
    """Every span of a drawn text is a filler, not the text around it, whatever is done to the text."""
    filler = Filler(_lists(), random.Random(5))
    for example in make(200, filler):
        for span in example.spans:
            assert 0 <= span.start < span.end <= len(example.text)
    text, spans = fill("[Hi|Hello] {F}, {C}!", "en", filler)
    assert [span.type for span in spans] == ["PERSON", "LOCATION"]
    assert text[spans[1].end :] == "!"
    swapped = swap(Example(text, tuple(spans), "templates", "en"), filler, "en")
    assert swapped.text.endswith("!")
    assert swapped.spans[1].end == len(swapped.text) - 1
    for changed in (recase(swapped, filler.rng), capitalize(swapped, filler.rng)):
        assert changed.spans == swapped.spans
        assert changed.text.lower() == swapped.text.lower()
    for both in join([swapped] * 9, random.Random(0)):
        assert all(both.text[span.start : span.end].strip() for span in both.spans)


def test_nouns_get_capitals_as_in_german() -> None:
    """Some English texts have all their nouns capitalized, and nothing else; names stay as they are."""
    example = Example("the lamp that Anna saw was a dora or a lamp", (Span(14, 18, "PERSON"),), "a", "en")
    changed = {capitalize(example, random.Random(seed), frozenset({"lamp", "dora", "anna"})).text for seed in range(40)}
    assert "the Lamp that Anna saw was a Dora or a Lamp" in changed


def test_common_nouns_and_geography_fill_templates() -> None:
    """Common nouns are no names, geography is; both in the case they are written in."""
    filler = Filler(_lists(), random.Random(5))
    text, spans = fill("Die {W} am {G}", "de", filler)
    assert [span.type for span in spans] == ["LOCATION"]
    assert text[4].isupper()
    assert fill("{C}, {A}", "en", filler)[1][1].type == "LOCATION"


def test_scores() -> None:
    """Overlap counts a touch, strict the very span; unclear annotations count neither way."""
    from affiant.guards.scan import Found

    example = Example("Anna Lee in the Bank", (Span(0, 8, "PERSON"), Span(16, 20, "ANY")), "a", "en")
    found = [Found(0, 4, "PERSON"), Found(16, 20, "PERSON"), Found(9, 11, "PERSON")]
    assert count(example, found, "PERSON") == (2, 1, 1, 1)
    assert count(example, found, "PERSON", strict=True) == (2, 0, 1, 0)
    assert score([(2, 1, 1, 1)]).f1 == pytest.approx(2 / 3)
    low, high = interval([(1, 1, 1, 1), (1, 0, 1, 0)] * 20)
    assert low <= 0.5 <= high

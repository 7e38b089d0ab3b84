"""The shipped names tagger: easy sentences, offsets, hostile texts, its card."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import affiant
from affiant.guards.names import LOOKBACK_TOKENS, BadModel, NamesModel

WEIGHTS = Path(affiant.__file__).parent / "weights"


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(WEIGHTS / "names.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def model(arrays: dict[str, np.ndarray]) -> NamesModel:
    return NamesModel(arrays)


EASY = [
    ("My name is Sarah Johnson and I live in Chicago.", {"Sarah Johnson": "PERSON", "Chicago": "LOCATION"}),
    ("Angela Merkel wurde in Hamburg geboren und wohnt heute in Berlin.", {"Angela Merkel": "PERSON", "Berlin": "LOCATION"}),
    ("Bonjour, je m'appelle Pierre Dubois et j'habite à Lyon.", {"Pierre Dubois": "PERSON", "Lyon": "LOCATION"}),
    ("Carmen García López vive en Sevilla desde 2004.", {"Carmen García López": "PERSON", "Sevilla": "LOCATION"}),
    ("Il signor Marco Bianchi lavora a Torino.", {"Marco Bianchi": "PERSON", "Torino": "LOCATION"}),
    ("O senhor João Silva mora em Lisboa.", {"João Silva": "PERSON", "Lisboa": "LOCATION"}),
    ("Mijn naam is Jan de Vries en ik woon in Utrecht.", {"Jan de Vries": "PERSON", "Utrecht": "LOCATION"}),
    ("我叫王小明，住在上海。", {"王小明": "PERSON", "上海": "LOCATION"}),
    ("田中太郎さんは京都に住んでいます。", {"田中太郎": "PERSON", "京都": "LOCATION"}),
]


@pytest.mark.parametrize(("text", "names"), EASY)
def test_easy_names_are_found_in_each_language(model: NamesModel, text: str, names: dict[str, str]) -> None:
    """Each name is touched by a span of its type, and what is found are slices of the text."""
    found = model.find(text)
    for name, kind in names.items():
        start = text.index(name)
        assert any(span.type == kind and span.start < start + len(name) and start < span.end for span in found), (name, found)


def test_offsets_hold_after_characters_outside_the_basic_plane(model: NamesModel) -> None:
    """Offsets count code points, and spans end where the words do."""
    text = "😀😀 naïve — Dear Sarah Johnson,\n\nwe met in Chicago. 𝒳"
    spans = {text[span.start : span.end] for span in model.find(text)}
    assert {"Sarah Johnson", "Chicago"} <= spans


@pytest.mark.parametrize("text", ["", " \n\t ", "please restart the server and try again", "x = [i for i in range(10)]"])
def test_texts_without_names_give_nothing(model: NamesModel, text: str) -> None:
    """Plain prose and code hold no names."""
    assert model.find(text) == []


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=200))
def test_any_text_gives_ordered_spans(model: NamesModel, text: str) -> None:
    """Lone surrogates, controls and mixed scripts are read; spans are in order, in bounds, of known types."""
    position = 0
    for span in model.find(text):
        assert position <= span.start < span.end <= len(text)
        assert span.type in {"PERSON", "LOCATION", "ORGANIZATION"}
        assert 0 < span.score_ppm <= 1_000_000
        position = span.end


@pytest.mark.parametrize(
    "text",
    ["A" * 300_000, "Ab" * 150_000, "a.b@" * 75_000, "." * 300_000, "王" * 60_000, "\ud800" * 100_000, "é" * 100_000, "http://" * 40_000],
    ids=["letters", "cases", "mail-like", "marks", "ideographs", "surrogates", "accents", "url-like"],
)
def test_hostile_texts_are_read(model: NamesModel, text: str) -> None:
    """Texts without a space or of one character over and over neither fail nor stall."""
    for span in model.find(text):
        assert 0 <= span.start < span.end <= len(text)


def test_a_name_late_in_a_long_text_is_found(model: NamesModel) -> None:
    """Blocks are cut between lines, and offsets count from the text's start."""
    text = "This is an ordinary line of text about nothing at all.\n" * 2_000 + "My name is Sarah Johnson and I live in Chicago."
    spans = {text[span.start : span.end]: span for span in model.find(text)}
    assert spans["Sarah Johnson"].start == text.index("Sarah Johnson")


def test_the_same_text_is_judged_alike_whatever_was_read_before(arrays: dict[str, np.ndarray]) -> None:
    """Nothing carries over from text to text."""
    text = EASY[0][0]
    model = NamesModel(arrays)
    first = model.find(text)
    for other, _ in EASY:
        model.find(other)
    assert model.find(text) == first


def test_settled_spans_do_not_change_as_a_text_grows(model: NamesModel) -> None:
    """A span whose last token has `LOOKBACK_TOKENS` behind it is found in the longer text too."""
    text = "Yesterday Sarah Johnson of Siemens met Carlos Romero in Chicago to talk about the new plant, and nobody else came to the talk."
    words = text.split(" ")
    whole = {(span.start, span.end, span.type) for span in model.find(text)}
    rng = random.Random(1)
    for _ in range(20):
        short = " ".join(words[: rng.randrange(4, len(words))])
        limit = len(" ".join(short.split(" ")[: -LOOKBACK_TOKENS - 1]))
        settled = {(span.start, span.end, span.type) for span in model.find(short) if span.end <= limit}
        assert settled <= whole


def test_the_card_names_these_weights() -> None:
    """Hash and size are those of the file, and every source has a licence."""
    card = json.loads((WEIGHTS / "names.json").read_text("utf-8"))
    data = (WEIGHTS / "names.npz").read_bytes()
    assert card["sha256"] == hashlib.sha256(data).hexdigest()
    assert card["bytes"] == len(data) <= 6_000_000
    assert all(row["licence"] and row["rows"] for row in card["annotated_data"])
    assert card["lookback_tokens"] == LOOKBACK_TOKENS
    assert card["left_out"]["all"]["PERSON"]["f1"] > 0


@pytest.mark.parametrize("damage", ["missing", "format", "shape", "text"])
def test_a_damaged_model_is_refused(arrays: dict[str, np.ndarray], damage: str) -> None:
    """What cannot be read says how to get a good one."""
    broken = dict(arrays)
    if damage == "missing":
        del broken["table"]
    elif damage == "format":
        broken["format"] = np.asarray([99], np.int32)
    elif damage == "shape":
        broken["vectors"] = broken["vectors"][:-1]
    else:
        broken["pieces"] = np.frombuffer(b"\xff\xfe", np.uint8)
    with pytest.raises(BadModel, match="make models"):
        NamesModel(broken)

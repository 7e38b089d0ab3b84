"""Sentences and words, as groundedness reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.guards.grounded import split
from affiant.guards.grounded.frame import frames
from affiant.guards.grounded.lexicon import LANGUAGES
from affiant.guards.grounded.sentences import MAX_SENTENCE
from affiant.guards.grounded.words import Kind, Reader, fold, guess_language, number_value, stem


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith met Mr. Jones. They left at 3.30 p.m. on Monday.", ["Dr. Smith met Mr. Jones.", "They left at 3.30 p.m. on Monday."]),
        ('He said "Go." Then he left.', ['He said "Go."', "Then he left."]),
        ("Am 3. Mai kam er, z.B. mit Dr. Müller. Danach ging er.", ["Am 3. Mai kam er, z.B. mit Dr. Müller.", "Danach ging er."]),
        ("M. Dupont est là. Où est-il ?", ["M. Dupont est là.", "Où est-il ?"]),
        ("¿Dónde está? El Sr. Pérez llegó. ¡Bien!", ["¿Dónde está?", "El Sr. Pérez llegó.", "¡Bien!"]),
        ("这是第一句。这是第二句！第三句？", ["这是第一句。", "这是第二句！", "第三句？"]),
        ("彼は「行く。」と言った。終わり。", ["彼は「行く。」", "と言った。", "終わり。"]),
        ("- one item\n- another\n\nA paragraph", ["- one item", "- another", "A paragraph"]),
        ("lower case . as tokenised text . ends", ["lower case .", "as tokenised text .", "ends"]),
        ("Wait... what", ["Wait...", "what"]),
        ("", []),
        ("  \n ", []),
    ],
)  # fmt: skip
def test_sentences_of_many_languages(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in split(text)] == sentences


@given(st.text(st.characters() | st.sampled_from("ab .!?。\n")))
def test_spans_of_sentences_are_in_order_and_lose_no_word(text: str) -> None:
    spans = split(text)
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        assert end - start <= MAX_SENTENCE
        assert not any(char.isalnum() for char in text[last:start])
        last = end
    assert not any(char.isalnum() for char in text[last:])


def test_a_text_without_marks_is_cut_at_the_longest_sentence() -> None:
    spans = split("word " * 2_000)
    assert len(spans) >= 5
    assert split("a" * 5_000) == [(0, 2_000), (2_000, 4_000), (4_000, 5_000)]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("1,000", 1000),
        ("1.000", 1000),
        ("2.5", 2.5),
        ("2,5", 2.5),
        ("3rd", 3),
        ("45 , 700", 45700),
        ("1.234.567", 1234567),
        ("10:30", 1030),
    ],
)
def test_numbers_by_value(raw: str, value: float) -> None:
    assert number_value(raw) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2 million", "1,200,000"), ("two", "2"), ("fünf", "5"), ("third", "3rd"), ("zwei Millionen", "2000000"), ("3bn", "3 billion"),
        ("1,5", "1.5"),
    ],
)  # fmt: skip
def test_numbers_are_compared_by_value_in_words_and_digits(one: str, other: str) -> None:
    reader = Reader("de" if "ü" in one or "Mill" in one else "en")
    assert [word.stem for word in reader.words(one)] == [word.stem for word in reader.words(other)]


def test_numbers_too_long_for_a_float_are_read() -> None:
    (word,) = Reader().words("9" * 5_000)
    assert word.kind is Kind.NUMBER


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "running", "runs"), ("en", "companies", "company"), ("en", "was", "were"), ("en", "won", "win"),
        ("en", "founded", "founder"),
        ("de", "zeitungen", "zeitung"), ("fr", "nationales", "nationale"), ("es", "ciudades", "ciudad"), ("it", "ragazzi", "ragazzo"),
        ("pt", "cidades", "cidade"), ("nl", "mensen", "mens"),
    ],
)  # fmt: skip
def test_forms_of_a_word_share_a_stem(language: str, one: str, other: str) -> None:
    assert stem(one, language) == stem(other, language)


@given(st.text(st.characters(codec=None)), st.sampled_from(LANGUAGES))
def test_words_lie_where_they_say(text: str, language: str) -> None:
    last = 0
    for word in Reader(language).words(text):
        assert last <= word.start < word.end <= len(text)
        assert word.stem
        if word.kind is Kind.WORD:
            assert fold(text[word.start : word.end])[:8] == word.folded[:8]
        last = word.end


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat is on the mat and it is not there.", "en"), ("Die Katze ist nicht auf dem Dach und sie ist hier.", "de"),
        ("Le chat n'est pas sur la table et il est ici.", "fr"), ("El gato no está en la mesa pero es de los vecinos.", "es"),
        ("Il gatto non è sulla tavola ma è della vicina.", "it"), ("O gato não está na mesa mas é da vizinha.", "pt"),
        ("De kat is niet op het dak en zij is hier.", "nl"), ("12345", "en"),
    ],
)  # fmt: skip
def test_the_language_of_a_context_is_guessed(text: str, language: str) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "Here is a summary of the policy:",
        "Sure! Here are the steps:",
        "Let me know if you have more questions!",
        "I hope this helps.",
        "Hier ist eine Zusammenfassung:",
        "Voici un résumé :",
        "Natuurlijk!",
    ],
)
def test_sentences_that_frame_an_answer(text: str) -> None:
    assert frames(f"Zoë. {text}", 5, 5 + len(text))


@pytest.mark.parametrize(
    "text",
    [
        "Here is the fee: 500 dollars:",
        "Here is Rome, the capital of Peru.",
        "Here is the reason: the king died:",
        "Sure it was opened by the king.",
        "Claro que el puente es largo.",
        "The bridge is long.",
    ],
)
def test_sentences_that_claim_something_do_not_frame(text: str) -> None:
    assert not frames(text, 0, len(text))

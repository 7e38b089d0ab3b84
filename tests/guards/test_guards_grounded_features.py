"""Features of groundedness: facts bound to other words than in the context, what nobody asked for, and where a claim stands."""

from __future__ import annotations

from affiant.guards.grounded import split
from affiant.guards.grounded.align import ContextIndex
from affiant.guards.grounded.features import NAMES, claim_features, read
from affiant.guards.grounded.words import Reader

CONTEXT = (
    "The series was first broadcast by the network in Ohio on a rainy evening, and its last episode about the old mill followed in 1966."
    " Critics praised it. Anna Schmidt wrote the music. Peter Maier painted the posters in Rome."
)


def features(claim: str, question: str = "") -> dict[str, float]:
    """Those of a claim, by name."""
    reader = Reader("en")
    index = ContextIndex([reader.words(CONTEXT, *span) for span in split(CONTEXT)], lambda _: 0.5)
    texts = [reader.words(claim, *span) for span in split(claim)]
    return dict(
        zip(NAMES, claim_features([read(words, index, False) for words in texts], texts, index, reader.words(question)), strict=True)
    )


def test_a_true_number_beside_foreign_words_is_unbound() -> None:
    """1966 is in the context, but not near the first broadcast."""
    assert features("The network broadcast it in 1966.")["unbound.worst"] == 1
    assert features("The last episode followed in 1966.")["unbound.worst"] == 0


def test_a_true_name_beside_foreign_words_is_unbound() -> None:
    """Who painted and who wrote are told apart though all words are known."""
    assert (
        features("The posters were painted by Anna Schmidt.")["unbound.worst"]
        > features("The posters were painted by Peter Maier.")["unbound.worst"]
    )


def test_pairs_with_a_word_between_are_near_where_the_context_has_them_so() -> None:
    """As for neighbours; a claim too short for such pairs takes its recall."""
    assert features("Peter Maier painted posters.")["near_two.mean"] == 1
    assert features("Peter praised Anna, painted Critics.")["near_two.mean"] < 1
    assert features("Critics praised.")["near_two.mean"] == features("Critics praised.")["recall.mean"]


def test_a_claim_spread_over_neighbouring_sentences_stands_in_their_window() -> None:
    """The sentences before and after the best one count; distant ones do not."""
    assert features("Anna Schmidt wrote what critics praised.")["window.mean"] == 1
    assert features("Anna Schmidt wrote the last episode.")["window.mean"] < 1


def test_what_the_question_brings_is_not_unasked() -> None:
    """A word of the question is repeated, not invented."""
    claim = "The zebra was painted by Peter Maier."
    assert features(claim)["unasked"] == 0.5
    assert features(claim, "Who painted the zebra?")["unasked"] == 0

"""Leakage: passages of documents, canaries and markers are found again, in disguise too; ordinary text is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.guards.leakage import GRAM, NEAR, WINDOW, Protected, Tracker, Watch, Watchlist, canary_print, fingerprints
from affiant.guards.text import Folded

WORDS = [
    f"{head}{tail}" for head in ("al", "be", "cor", "du", "es", "fim", "gol") for tail in ("ta", "rin", "mo", "ska", "vel", "nu", "pox")
]
SECRET_PLAN = (
    "The merger with Northwind Traders will be announced on the ninth of March after the board has met in Lisbon. Until then the price of "
    "forty-one dollars a share is known to eleven people, whose names are kept by counsel. Nobody may trade in either share before then."
)


def _document(text: str, label: str = "confidential", tenant: str = "") -> Protected:
    return Protected("plan", "document", label, tenant, GRAM, fingerprints(text))


def _canary(text: str, tenant: str = "") -> Protected:
    words, value = canary_print(text)
    return Protected("mark", "canary", "restricted", tenant, words, frozenset([value]))


def test_a_passage_is_found_where_it_stands() -> None:
    """The span covers what matched, in the source's offsets."""
    passage = SECRET_PLAN[30:190]
    text = "Sure! Here is what I know. " + passage + " Anything else?"
    (leak,) = Watch([_document(SECRET_PLAN)]).find(text)
    assert leak.id == "plan" and leak.matched >= 3
    assert text.index(passage) - 1 <= leak.start < leak.end <= text.index(passage) + len(passage) + 1


@pytest.mark.parametrize(
    "disguise", [str.upper, lambda t: t.replace(" ", "\n"), lambda t: t.replace("e", "\u200be"), lambda t: t.replace("a", "а")]
)
def test_disguise_changes_nothing(disguise: object) -> None:
    """Case, white space, invisible characters and look-alikes are folded away."""
    assert Watch([_document(SECRET_PLAN)]).find(disguise(SECRET_PLAN))  # type: ignore[operator]


def test_common_words_are_no_leak() -> None:
    """Talk about the same subject in other words is left alone."""
    text = (
        "The board will meet in Lisbon in March. The merger has not been announced, and the price of the share is forty-one dollars today."
    )
    assert Watch([_document(SECRET_PLAN)]).find(text) == []


def test_a_canary_is_found_and_needs_its_whole_form() -> None:
    """One fingerprint of its own length."""
    watch = Watch([_canary("Zx9-Qp44-Ab71-Kk02")])
    assert watch.find("it says zx9-qp44-ab71-kk02, twice")[0].kind == "canary"
    assert watch.find("it says Zx9-Qp44-Ab71, once") == []


@pytest.mark.parametrize("text", ["", "short", "one two three four five six seven eight nine", "!!!"])
def test_a_canary_that_would_match_anything_is_refused(text: str) -> None:
    """Too short or too long."""
    with pytest.raises(ValueError, match="canary"):
        canary_print(text)


def test_who_may_see_what() -> None:
    """A label from its own on, a tenant's marker in its own exchanges only."""
    watchlist = Watchlist([_document(SECRET_PLAN), _canary("acme-marker-77120", "acme")])
    assert watchlist.for_exchange("internal", "acme").find(SECRET_PLAN)
    assert not watchlist.for_exchange("confidential", "acme").find(SECRET_PLAN)
    assert watchlist.for_exchange("restricted", "globex").find("see acme-marker-77120")
    assert not watchlist.for_exchange("restricted", "acme").find("see acme-marker-77120")
    assert not Watchlist().for_exchange("public", "")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=80, max_size=200), st.data())
def test_any_long_passage_is_found(words: list[str], data: st.DataObject) -> None:
    """Winnowing's promise, applied often enough for `ENOUGH` fingerprints."""
    length = 3 * WINDOW + GRAM + 8
    start = data.draw(st.integers(0, len(words) - length))
    passage = " ".join(words[start : start + length])
    assert Watch([_document(" ".join(words))]).find(f"well, {passage}. That is all.")


def test_a_short_document_is_known_by_what_it_has() -> None:
    """Fewer fingerprints than are asked for otherwise."""
    text = "one small note about the blue door key code"
    assert fingerprints(text)
    assert Watch([_document(text)]).find("It reads: one small note about the blue door key code, I think.")
    assert fingerprints("too short") == frozenset()


def test_matches_far_apart_do_not_add_up() -> None:
    """Three fingerprints must lie near each other."""
    words = SECRET_PLAN.split()
    pieces = [" ".join(words[n : n + GRAM + WINDOW - 1]) for n in (0, 14, 28)]
    filler = " ".join(f"filler{n}" for n in range(NEAR * 2))
    text = f" {filler} ".join(pieces)
    near = " ".join(pieces)
    watch = Watch([_document(SECRET_PLAN)])
    assert watch.find(near) and watch.find(text) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=60))
def test_a_stream_says_what_the_whole_says(sizes: list[int]) -> None:
    """Words may come in any pieces."""
    watch = Watch([_document(SECRET_PLAN), _canary("Zx9-Qp44-Ab71-Kk02")])
    words = ("It begins. " + SECRET_PLAN + " Zx9-Qp44-Ab71-Kk02 and so on.").split(" ")
    whole, tracker, place = watch.find(" ".join(words)), Tracker(watch), 0
    leaks, at = [], 0
    for size in [*sizes, len(words)]:
        piece = " ".join(words[place : place + size])
        if piece:
            leaks += tracker.words(Folded(piece), 0, at)
            at += len(piece) + 1
            place += size
    assert sorted(leaks, key=lambda leak: (leak.start, leak.id)) == whole and len(whole) == 2


def test_hostile_texts_are_linear() -> None:
    """A megabyte without a space, of one word, of surrogates."""
    watch = Watch([_document(SECRET_PLAN)])
    for text in ("x" * 1_000_000, "a " * 300_000, "\ud800" * 100_000):
        assert watch.find(text) == []

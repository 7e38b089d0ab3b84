"""Mnemonics of wallets: real ones in every length and layout, and what only looks like one."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from affiant.guards import Action, AnswerContext, AnswerGuard, GuardRule
from affiant.guards.detectors.secrets import DETECTORS, checks, seeds
from affiant.guards.detectors.secrets.seed_words import PLACE, WORDS
from affiant.guards.redact import Pseudonyms
from affiant.guards.scan import Scanner

_WORD = re.compile("[A-Za-z]+")
SCANNER = Scanner(DETECTORS)
KIND = "SECRET/wallet_seed_phrase"
SIZES = (12, 15, 18, 21, 24)
BEFORE = re.compile(
    r"(?i)(?:seed|mnemonic|recovery|secret|backup)(?:[ _-](?:phrase|words?|key|recovery))?[^a-z]{1,8}(?:is[ :\"']{1,4})?"
    r"[a-z]{3,8}(?:[ ,]{1,2}[a-z]{3,8}){11,23}(?![ ,]{0,4}[a-z])"
)
"""The rule until now."""
SHORT = """
    lorem ipsum dolor amet with from have been were than them some over into upon each only very much more most such like just both
    blue green orange purple violet crimson scarlet maroon amber golden silver bronze copper iron steel nickel zinc carbon neon argon
    north south east west left right above below behind beside under near front back upper lower inner outer first last third fourth
    alice bruno clara david emma felix greta henry irene jonas karla louis marta nils olga peter quinn rosa simon tina urban vera
""".split()  # noqa: SIM905 - words read better as a text
LAYOUTS: dict[str, Callable[[list[str]], str]] = {
    "after a telling word": lambda words: f"My seed phrase is: {' '.join(words)}",
    "alone": " ".join,
    "commas": lambda words: f"recovery words {', '.join(words)}. Thanks.",
    "commas alone": ",".join,
    "semicolons": "; ".join,
    "numbered lines": lambda words: "\n".join(f"{number}. {word}" for number, word in enumerate(words, 1)),
    "numbered": lambda words: " ".join(f"{number}) {word}" for number, word in enumerate(words, 1)),
    "lines": "\n".join,
    "lines of a file": "\r\n".join,
    "json": lambda words: '{"mnemonic": [' + ", ".join(f'"{word}"' for word in words) + "]}",
    "environment": lambda words: f'MNEMONIC="{" ".join(words)}"',
    "capitals": lambda words: f"BACKUP: {' '.join(words).upper()}",
    "table": lambda words: "wallet\n" + "\n".join(f"| {number} | {word} |" for number, word in enumerate(words, 1)),
    "prose": lambda words: f"I have a new phone and the wallet asks me for my words, which are {' '.join(words)} please help me",
    "hyphens": lambda words: f"seed: {'-'.join(words)}",
}


def _drawn(size: int, chance: random.Random) -> list[str]:
    """A mnemonic of random entropy, made as BIP-39 says."""
    bits = size // 3
    entropy = chance.randbytes(bits * 4)
    number = int.from_bytes(entropy, "big") << bits | hashlib.sha256(entropy).digest()[0] >> (8 - bits)
    return [WORDS[number >> 11 * place & 2047] for place in reversed(range(size))]


def _found(text: str) -> list[str]:
    return [text[hit.start : hit.end] for hit in SCANNER.find(text) if hit.type == KIND]


def test_the_list_is_the_one_of_bip_39() -> None:
    """Its digest is the published one; no word stands twice."""
    assert (
        hashlib.sha256(("\n".join(WORDS) + "\n").encode()).hexdigest() == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )
    assert len(PLACE) == len(WORDS) == 2048


def test_published_vectors() -> None:
    """Of BIP-39's reference implementation; another last word, or another order, is none."""
    first = "legal winner thank year wave sausage worth useful legal winner thank"
    vectors = (f"{first} yellow", "zoo " * 11 + "wrong", "zoo " * 23 + "vote")
    for words in (text.split() for text in vectors):
        places = [PLACE[word] for word in words]
        assert checks.mnemonic(places) and not checks.mnemonic([*places[:-1], places[-1] ^ 1])
        assert _found(" ".join(words)) == [" ".join(words)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES)
def test_every_real_one_is_found_whole(layout: str, size: int) -> None:
    """From its first word to its last, once, whatever sets the words apart; of prose that touches it a few words at most."""
    chance = random.Random(f"{layout}{size}")
    for _ in range(20):
        words = _drawn(size, chance)
        (found,) = _found(LAYOUTS[layout](words))
        covered = re.findall("[a-z]+", found.lower())
        assert " ".join(words) in " ".join(covered) and (covered == words or (layout == "prose" and len(covered) <= size + 2))


@pytest.mark.parametrize("layout", ["after a telling word", "alone", "commas", "numbered", "environment", "prose"])
def test_answers_are_redacted_in_any_pieces(layout: str) -> None:
    """No cut goes through a mnemonic: no two of its words are released, and pieces change nothing."""
    chance = random.Random(layout)
    for _ in range(10):
        words = _drawn(chance.choice(SIZES), chance)
        text = f"Here is what you wanted from me: {LAYOUTS[layout](words)}. That is all that there is to say about it."
        released = set()
        for size in (1, 7, 40, len(text)):
            scanner = AnswerGuard(AnswerContext((), Pseudonyms()), GuardRule(Action.REDACT), True).scanner()
            released.add("".join(scanner.feed(text[at : at + size]) for at in range(0, len(text), size)) + scanner.finish())
        (seen,) = released
        said = re.sub("[^a-z]+", " ", seen.lower())
        assert not [pair for pair in pairwise(words) if " ".join(pair) in said]
        assert seen.startswith("Here is what you wanted from me:") and seen.endswith("That is all that there is to say about it.")


def test_one_a_line_is_two() -> None:
    """Two mnemonics in lines of their own are two secrets, not one with a wrong checksum."""
    chance = random.Random(5)
    lines = [" ".join(_drawn(12, chance)) for _ in range(2)]
    assert _found("My seeds:\n" + "\n".join(lines) + "\nKeep them.") == lines


def test_twelve_short_words_are_no_mnemonic() -> None:
    """All of these were taken for one until now, and none is any more."""
    chance = random.Random(7)
    heads = ("secret: ", "The seed words: ", "backup ", "mnemonic - ", "recovery key: ")
    texts = [chance.choice(heads) + " ".join(chance.choices(SHORT, k=size)) + "." for size in SIZES for _ in range(100)]
    assert all(BEFORE.search(text) for text in texts)
    assert not [text for text in texts if _found(text)]


def test_words_of_the_list_in_any_order_are_seldom_one() -> None:
    """The checksum lets one in sixteen of twelve words pass; of twenty-four one in 256, and few more that hold a shorter one."""
    chance = random.Random(11)
    for size, most in ((12, 80), (24, 50)):
        passed = sum(bool(_found("seed: " + " ".join(chance.choices(WORDS, k=size)))) for _ in range(1000))
        assert passed <= most


def test_the_list_itself_is_no_mnemonic() -> None:
    """In one line, in lines of any length, after a telling word."""
    lines = ["\n".join(" ".join(WORDS[first : first + size]) for first in range(0, len(WORDS), size)) for size in (1, 12, 18, 24, 25)]
    for text in (" ".join(WORDS), "mnemonic words: " + ", ".join(WORDS), *lines):
        assert not _found(text)


@pytest.mark.parametrize(
    "text",
    ["secret 1234567890123 " * 3000, "seed " * 20_000, "seed\n" * 20_000, "wallet " + "0" * 200_000, "abandon " * 30_000,
     "seed the " * 9000, "1. abandon 2. ability 3. " * 5000],
    ids=["gaps", "heads", "lines", "digits", "one word", "prose", "numbers"],
)  # fmt: skip
def test_hostile_texts_take_linear_work(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words looked at are counted, not seconds: a few for each word of the text, however long it is."""
    looked = 0

    class Counting:
        match = staticmethod(_WORD.match)
        findall = staticmethod(_WORD.findall)
        search = staticmethod(_WORD.search)

        @staticmethod
        def finditer(text: str, start: int = 0) -> Iterator[re.Match[str]]:
            nonlocal looked
            for match in _WORD.finditer(text, start):
                looked += 1
                yield match

    monkeypatch.setattr(seeds, "_WORD", Counting)  # there is no other way to see how often a text is read
    SCANNER.find(text)
    assert looked <= 40 * (len(re.findall(r"\S+", text)) + 1)

"""One pass over a text for every word that a rule hangs on: gate words of rules, words of languages, concepts.

The words are one automaton, so that a text costs the same however many rules and languages there are. Leaves out: what the
words mean together (`rules`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import hyperscan
import numpy as np

from affiant.guards.injection.concepts import WORDS
from affiant.guards.injection.english import RULES
from affiant.guards.injection.languages import FREE_ENDS, LANGUAGES
from affiant.guards.text import Folded

ENGLISH = "en"
_EVERY, _EVERY_OF_LONG = 16, 128
"""Bytes within which a word counts once, as repeating it makes no difference: in a text of ordinary and of great length."""
_LONG = 65_536


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a language where it stands in a text.

    Args:
        start: character offset.
        end: character offset, exclusive.
        kind: its class, as in `languages`.
        text: the word as it reads folded.
    """

    start: int
    end: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands in a text.

    Args:
        gates: number of a rule of `english.RULES` -> character offsets of its gate words, in order.
        words: language -> its words, in order.
    """

    gates: dict[int, list[int]]
    words: dict[str, list[Word]]


@dataclass(frozen=True, slots=True)
class _Use:
    language: str
    kind: str
    begins: bool
    ends: bool


@dataclass(slots=True)
class _Literal:
    text: str
    rules: list[int]
    uses: list[_Use]


class Automaton:
    """All words as one automaton. May serve several threads."""

    def __init__(self) -> None:
        self._literals = _literals()
        data = [literal.text.encode() for literal in self._literals]
        self._lengths = [len(one) for one in data]
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(expressions=data, ids=list(range(len(data))), elements=len(data), flags=[0] * len(data), literal=True)
        self._scratches: list[hyperscan.Scratch] = []

    def see(self, text: str) -> Seen:
        """What stands in a folded text whose white space is squeezed."""
        data = text.encode("utf-8", "replace")
        every = min(_EVERY_OF_LONG, max(_EVERY, _EVERY * len(data) // _LONG))
        last: dict[int, int] = {}
        hits: list[tuple[int, int]] = []

        def on_match(number: int, _begin: int, end: int, _flags: int, _context: object) -> None:
            if end >= last.get(number, 0):
                last[number] = end + every
                hits.append((end, number))

        try:
            scratch = self._scratches.pop()
        except IndexError:
            scratch = hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=on_match, scratch=scratch)
        self._scratches.append(scratch)
        return self._sorted(text, data, hits)

    def _sorted(self, text: str, data: bytes, hits: list[tuple[int, int]]) -> Seen:
        gates: dict[int, list[int]] = defaultdict(list)
        words: dict[str, list[Word]] = defaultdict(list)
        counts = None
        if hits and len(data) != len(text):
            starts = (np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80
            counts = np.concatenate([[0], np.cumsum(starts)])
        for end, number in hits:
            literal = self._literals[number]
            stop = int(counts[end]) if counts is not None else end
            start = stop - len(literal.text)
            for rule in literal.rules:
                gates[rule].append(start)
            for use in literal.uses:
                if use.begins and start and text[start - 1].isalnum():
                    continue
                if use.ends and stop < len(text) and text[stop].isalnum():
                    continue
                words[use.language].append(Word(start, stop, use.kind, literal.text))
        for found in words.values():
            found.sort(key=lambda word: word.start)
        return Seen(dict(gates), dict(words))


def _literals() -> list[_Literal]:
    made: dict[str, _Literal] = {}
    for number, rule in enumerate(RULES):
        for gate in rule.gates:
            made.setdefault(gate, _Literal(gate, [], [])).rules.append(number)
    for language, kinds in [(ENGLISH, WORDS), *LANGUAGES.items()]:
        for kind, listed in kinds.items():
            for word in listed.split("|"):
                text = Folded(word.removesuffix("*")).text
                bound = text[0].isascii() or language not in FREE_ENDS
                use = _Use(language, kind, begins=bound and text[0].isalnum(), ends=bound and word[-1].isalpha())
                made.setdefault(text, _Literal(text, [], [])).uses.append(use)
    return list(made.values())


@lru_cache(maxsize=1)
def automaton() -> Automaton:
    """The automaton, compiled when first asked for."""
    return Automaton()

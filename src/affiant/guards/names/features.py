"""What the tagger sees of one token: rows of its embedding table, and a word vector.

A key's features depend on the key alone, so they are computed once and kept. Sources: the word itself where it is
frequent, affixes and letter n-grams (hashed), shape, flags from name and place lists (a form in -s beside its stem's),
whether English or German has it as an ordinary word, how common the word is in lower and in original case, and a
multilingual word vector (a translation has nearly the same one, so contexts learned in one language carry to others).
Leaves out: the network that reads them (`network`), how ordinary words are kept (`sieve`).
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from affiant.guards.names.sieve import COMPOUND, ENGLISH, LISTED, Sieve
from affiant.guards.names.tokens import PIECE_MARK, WEB_KEY

CONTEXT_ROWS, AFFIX_ROWS, GRAM_ROWS, FORM_ROWS, FLAG_BITS, FLAG_SETS = 32, 8192, 6144, 2048, 16, 512
AFFIX_BASE = CONTEXT_ROWS  # rows before: glue x case regime x sentence start
GRAM_BASE = AFFIX_BASE + AFFIX_ROWS
FORM_BASE = GRAM_BASE + GRAM_ROWS
FLAG_BASE = FORM_BASE + FORM_ROWS
SET_BASE = FLAG_BASE + FLAG_BITS
UNLISTED = SET_BASE + FLAG_SETS
FIXED_ROWS = UNLISTED + 1

(FIRST_COMMON, FIRST, LAST_COMMON, LAST, PLACE_BIG, PLACE, PLACE_INSIDE, COUNTRY, COUNTRY_INSIDE, ORG_WORD, HONORIFIC, CALENDAR, TONGUE,
 HAN_GIVEN, HAN_FAMILY, HAN_PLACE_END) = (1 << bit for bit in range(FLAG_BITS))  # fmt: skip
COMMON_NAME_FLAGS = FIRST_COMMON | LAST_COMMON | PLACE_BIG | COUNTRY
NAME_FLAGS = FIRST_COMMON | FIRST | LAST_COMMON | LAST | PLACE_BIG | PLACE | PLACE_INSIDE | COUNTRY | COUNTRY_INSIDE

LOWER, UPPER, TITLE, MIXED, OTHER = range(5)
_RANKS = (300, 1000, 3000, 10_000, 25_000, 50_000)

_SENTENCE_ENDS = frozenset(".!?。！？…")

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lexicon:
    """What is known of words before any training.

    Args:
        flags: list membership by `word_key`, a bit set of the constants above.
        pieces: row in `vectors` of each word piece, most frequent first; a piece that begins a word starts with "▁".
        vectors: multilingual vectors, float32 [pieces, dims], about unit variance.
        han: longer strings of ideographs that are read as one piece.
        ordinary: ordinary words of English and German.
    """

    flags: Mapping[int, int]
    pieces: Mapping[str, int]
    vectors: Floats
    han: frozenset[str]
    ordinary: Sieve = field(default_factory=lambda: Sieve(b""))


@dataclass(frozen=True, slots=True)
class Features:
    """What one key looks like.

    Args:
        rows: of the embedding table.
        weights: of those rows.
        vector: two word vectors side by side, as written and in lower case.
        case: of the letters, `LOWER` … `OTHER`.
        flags: list membership.
        ends: whether a sentence ends here.
    """

    rows: Ints
    weights: Floats
    vector: Floats
    case: int
    flags: int
    ends: bool


def word_key(word: str) -> int:
    """32-bit key of a word in any case, for `Lexicon.flags`."""
    return zlib.crc32(unicodedata.normalize("NFC", word).casefold().encode("utf-8", "surrogatepass"))


def _row(base: int, size: int, text: str) -> int:
    return base + zlib.crc32(text.encode("utf-8", "surrogatepass")) % size


def case_of(word: str) -> int:
    """Case of a word's letters."""
    if not word[:1].isalpha():
        return OTHER
    if word.islower():
        return LOWER
    if len(word) > 1 and word.isupper():
        return UPPER
    if word[0].isupper() and (len(word) == 1 or word[1:].islower()):
        return TITLE
    return MIXED if any(char.isupper() for char in word) else OTHER


def _rank(row: int | None) -> int:
    if row is None:
        return len(_RANKS) + 1
    return next((bucket for bucket, limit in enumerate(_RANKS) if row < limit), len(_RANKS))


def shape_of(word: str) -> str:
    """Word shape with runs collapsed, such as `Xx` or `xX0`."""
    shape: list[str] = []
    for char in word[:16]:
        kind = "X" if char.isupper() else "x" if char.islower() else "0" if char.isdigit() else "k" if "ァ" <= char <= "ヿ" else char
        if not shape or shape[-1] != kind:
            shape.append(kind)
    return "".join(shape)


class Featurizer:
    """Features by key, kept for the keys met (`limit` of them at most).

    Args:
        lexicon: lists and vectors.
        words: frequent words of the training data, each to its row above `FIXED_ROWS`.
        limit: keys kept; beyond, all are forgotten.
    """

    def __init__(self, lexicon: Lexicon, words: Mapping[str, int], limit: int = 50_000) -> None:
        self.lexicon, self.words, self.limit = lexicon, words, limit
        self.dims = int(lexicon.vectors.shape[1])
        self._known: dict[str, Features] = {}

    def __call__(self, key: str) -> Features:
        """Features of a token's key."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= self.limit:
                self._known.clear()
            found = self._known[key] = self._ideograph(key) if PIECE_MARK in key[1:] else self._word(key)
        return found

    def _finish(self, rows: list[int], grams: list[int], vector: Floats, case: int, flags: int, key: str) -> Features:
        lists = [FLAG_BASE + bit for bit in range(FLAG_BITS) if flags >> bit & 1]
        lists.append(_row(SET_BASE, FLAG_SETS, f"{flags}") if flags else UNLISTED)
        weights = [1.0] * len(rows) + [1 / max(1, len(grams)) ** 0.5] * len(grams) + [1.0] * len(lists)
        return Features(
            np.asarray(rows + grams + lists, np.int32), np.asarray(weights, np.float32), vector, case, flags,
            key in _SENTENCE_ENDS,
        )  # fmt: skip

    def _mean(self, word: str, begin: str = "▁") -> tuple[Floats, int]:
        """Mean vector of the word's pieces by longest match, and how many there are."""
        pieces, rest, rows = self.lexicon.pieces, begin + word[:24], []
        while rest:
            width = next((w for w in range(len(rest), 0, -1) if rest[:w] in pieces), 0)
            if width:
                if rest[:width] != "▁":
                    rows.append(pieces[rest[:width]])
                rest = rest[width:]
            else:
                rest = rest[1:]
        if not rows:
            return np.zeros(self.dims, np.float32), 0
        if len(rows) == 1:
            return self.lexicon.vectors[rows[0]], 1
        return np.add.reduce(self.lexicon.vectors[rows]) / np.float32(len(rows)), len(rows)

    def _word(self, key: str) -> Features:
        nothing = np.zeros(2 * self.dims, np.float32)
        if not key[0].isalpha():
            row = self.words.get(key, 0)
            rows = [FIXED_ROWS + row - 1] if row else []
            kind = "web" if key == WEB_KEY else "number" if key[0] == "0" else unicodedata.category(key[0])
            return self._finish([*rows, _row(FORM_BASE, FORM_ROWS, "mark " + kind)], [], nothing, OTHER, 0, key)
        word = unicodedata.normalize("NFC", key)
        lower, case, shape = word.lower(), case_of(word), shape_of(word)
        written = word.capitalize() if case == UPPER and len(word) > 3 else word
        pieces = self.lexicon.pieces
        vector, parts = self._mean(written)
        low_vector, low_parts = (vector, parts) if lower == written else self._mean(lower)
        rank, low_rank = _rank(pieces.get("▁" + written)), _rank(pieces.get("▁" + lower))
        forms = [
            f"shape {shape} {min(len(word), 5)}", f"case {case}", f"ranks {rank} {low_rank} {case}", f"low {low_rank} {min(len(word), 4)}",
            f"parts {min(parts, 4)} {min(low_parts, 4)}",
        ]  # fmt: skip
        affixes = [f"{n}<{lower[:n]}" for n in (1, 2, 3) if len(lower) > n] + [f"{n}>{lower[-n:]}" for n in (1, 2, 3, 4) if len(lower) > n]
        rows = [_row(FORM_BASE, FORM_ROWS, form) for form in forms] + [_row(AFFIX_BASE, AFFIX_ROWS, affix) for affix in affixes]
        padded = f"<{lower[:24]}>"
        grams = [_row(GRAM_BASE, GRAM_ROWS, padded[i : i + n]) for n in (3, 4) for i in range(len(padded) - n + 1)]
        if lower in self.words:
            rows.insert(0, FIXED_ROWS + self.words[lower] - 1)
        if any(lower[i] == lower[i + 1] == lower[i + 2] for i in range(len(lower) - 2)):
            rows.append(_row(FORM_BASE, FORM_ROWS, "drawn out"))
        flags = self.lexicon.flags.get(word_key(word), 0)
        stem = self.lexicon.flags.get(word_key(word[:-1]), 0) if lower[-1] == "s" and len(word) > 4 else 0
        if stem and not flags:
            rows.append(_row(SET_BASE, FLAG_SETS, f"{stem} s"))
        rows += [_row(FORM_BASE, FORM_ROWS, form) for form in self._ordinary(lower, case, flags)]
        return self._finish(rows, grams, np.concatenate([vector, low_vector]), case, flags, key)

    def _ordinary(self, lower: str, case: int, flags: int) -> list[str]:
        """Whether English or German has the word as an ordinary one, beside its case and the lists of names it is in."""
        ordinary = self.lexicon.ordinary
        english, german = ENGLISH + lower in ordinary, ordinary.german(lower)
        named = 2 if flags & COMMON_NAME_FLAGS else 1 if flags & NAME_FLAGS else 0
        either = 2 if english or german == LISTED else 1 if german == COMPOUND else 0
        return [f"english {english:d} {case} {named}", f"german {german} {case} {named}", f"ordinary {either} {case} {named}"]

    def _ideograph(self, key: str) -> Features:
        char, piece, place = key.split(PIECE_MARK)
        pieces, vectors = self.lexicon.pieces, self.lexicon.vectors
        own = pieces.get(char, pieces.get("▁" + char))
        whole = pieces.get(piece, pieces.get("▁" + piece))
        nothing = np.zeros(self.dims, np.float32)
        own_vector = vectors[own] if own is not None else nothing
        whole_vector = vectors[whole] if whole is not None else nothing
        forms = [f"han {place}", f"piece {place} {len(piece)} {_rank(whole)}", f"char {_rank(own)}"]
        rows = [_row(FORM_BASE, FORM_ROWS, form) for form in forms] + [_row(AFFIX_BASE, AFFIX_ROWS, f"p{piece}")]
        if char in self.words:
            rows.insert(0, FIXED_ROWS + self.words[char] - 1)
        flags = self.lexicon.flags.get(word_key(char), 0)
        if len(piece) > 1:
            of_piece = self.lexicon.flags.get(word_key(piece), 0)
            rows.append(_row(SET_BASE, FLAG_SETS, f"{of_piece} {place}"))
            flags |= of_piece & NAME_FLAGS
        return self._finish(rows, [_row(GRAM_BASE, GRAM_ROWS, "c" + char)], np.concatenate([whole_vector, own_vector]), OTHER, flags, key)

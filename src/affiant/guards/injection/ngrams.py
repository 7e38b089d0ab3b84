"""Hashed n-grams of characters and words, vectorized: what the cheap model of the cascade reads.

A text becomes an array of code points with runs of white space as one blank and every digit as 0. Each n-gram hashes to one of
`BUCKETS` columns. Character n-grams lie wherever the text goes; words are runs of word characters, and each character of a
script written without blanks is a word of its own, so that word n-grams serve there too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BITS = 18
BUCKETS = 1 << BITS
CHARACTERS = (4, 5)
"""Sizes of character n-grams."""

Codes = npt.NDArray[np.uint32]
Columns = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]

_BLANK, _ZERO = np.uint32(32), np.uint32(48)
_STEP = np.uint32(0x01000193)
_MIX = np.uint32(0x9E3779B1)
_LONGEST_WORD = 48
_POWERS = np.array([pow(0x01000193, exponent, 1 << 32) for exponent in range(_LONGEST_WORD)], dtype=np.uint32)


def _ascii_words() -> npt.NDArray[np.bool_]:
    table = np.zeros(128, dtype=np.bool_)
    table[[ord(char) for char in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_'"]] = True
    return table


_ASCII_WORDS = _ascii_words()
_PUNCTUATION = ((0x2000, 0x206F), (0x3000, 0x3030), (0xFF00, 0xFF0F))


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of a text.

    Args:
        columns: column of each n-gram, in `0..BUCKETS-1`; shape (grams,).
        places: character of the text at which each begins, in order; shape (grams,).
    """

    columns: Columns
    places: Places

    def within(self, start: int, end: int) -> Columns:
        """Distinct columns of the n-grams that begin in `start..end`, in order."""
        first, last = np.searchsorted(self.places, (start, end))
        found = np.sort(self.columns[first:last])
        if found.size < 2:
            return found
        fresh = np.empty(found.size, dtype=np.bool_)
        fresh[0] = True
        np.not_equal(found[1:], found[:-1], out=fresh[1:])
        return found[fresh]


def grams(text: str) -> Grams:
    """N-grams of a folded text; a lone surrogate counts as a character like others."""
    raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if raw.size == 0:
        return Grams(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64))
    codes, places = _squeezed(raw)
    columns = [_column(hashed, size) for size, hashed in zip(CHARACTERS, _characters(codes), strict=False)]
    where = [places[: len(column)] for column in columns]
    for kind, (hashed, at) in enumerate(_words(codes)):
        columns.append(_column(hashed, 8 + kind))
        where.append(places[at])
    begins = np.concatenate(where)
    order = np.argsort(begins, kind="stable")
    return Grams(np.concatenate(columns)[order], begins[order])


def _squeezed(raw: Codes) -> tuple[Codes, Places]:
    """Code points with white space squeezed and digits as 0, and where each stood."""
    codes = raw.copy()
    blank = (codes <= 32) | (codes == 0xA0) | (codes == 0x3000)
    codes[blank] = _BLANK
    codes[(codes >= 48) & (codes <= 57)] = _ZERO
    keep = np.ones(len(codes), dtype=np.bool_)
    keep[1:] = ~(blank[1:] & blank[:-1])
    places = np.flatnonzero(keep)
    return codes[places], places


def _characters(codes: Codes) -> list[Codes]:
    """Hashes of character n-grams, one array a size, as far as the text is long enough."""
    made: list[Codes] = []
    hashed = codes * _MIX
    for size in range(2, CHARACTERS[-1] + 1):
        if len(codes) < size:
            break
        hashed = hashed[:-1] * _STEP ^ codes[size - 1 :]
        if size in CHARACTERS:
            made.append(hashed)
    return made


def _words(codes: Codes) -> list[tuple[Codes, Places]]:
    """Hashes of words, pairs, triples and pairs with one word between, with the index of the first character."""
    starts, hashed = _word_hashes(codes)
    made = [(hashed, starts)]
    if len(hashed) > 1:
        pairs = hashed[:-1] * _STEP ^ hashed[1:]
        made.append((pairs, starts[:-1]))
        if len(hashed) > 2:
            made.append((pairs[:-1] * _STEP ^ hashed[2:], starts[:-2]))
            made.append((hashed[:-2] * _STEP ^ (hashed[2:] + _MIX), starts[:-2]))
    return made


def _word_hashes(codes: Codes) -> tuple[Places, Codes]:
    low = np.minimum(codes, 127)
    inside = _ASCII_WORDS[low] & (codes < 128)
    marks = np.zeros(len(codes), dtype=np.bool_)
    for first, last in _PUNCTUATION:
        marks |= (codes >= first) & (codes <= last)
    inside |= (codes >= 0xAA) & ~marks
    alone = (codes >= 0x3041) & (codes <= 0x9FFF)
    begins = inside.copy()
    begins[1:] &= ~inside[:-1] | alone[1:] | alone[:-1]
    starts = np.flatnonzero(begins)
    if starts.size == 0:
        return starts, np.zeros(0, dtype=np.uint32)
    word = np.cumsum(begins) - 1
    offset = np.minimum(np.arange(len(codes)) - starts[np.maximum(word, 0)], _LONGEST_WORD - 1)
    values = np.where(inside, (codes + np.uint32(1)) * _POWERS[np.maximum(offset, 0)], np.uint32(0))
    return starts, np.add.reduceat(values, starts).astype(np.uint32)


def _column(hashed: Codes, kind: int) -> Columns:
    mixed = (hashed ^ np.uint32(kind * 0x51ED270B & 0xFFFFFFFF)) * _MIX
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    return (mixed >> np.uint32(32 - BITS)).astype(np.int32)

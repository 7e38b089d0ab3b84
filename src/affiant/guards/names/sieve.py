"""Which words are ordinary ones of English or German, kept small: a sieve lets every listed word through and few others.

A Bloom filter of five probes; at ten bits a word about one unlisted word in a hundred passes too. German compounds are read
from their end, so that long words need no entry of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

PROBES = 5
BITS_A_WORD = 10
LONGEST_GERMAN = 12  # letters of a German word that has an entry; longer ones are read as compounds
_LEAST_TAIL, _LEAST_HEAD, _LOOSE_TAIL, _READ = 4, 3, 5, 40
_LINKS = ("", "s", "n", "en", "es", "e", "er")
ENGLISH, GERMAN = "e", "d"
UNKNOWN, LISTED, COMPOUND, TAIL = range(4)


class Sieve:
    """A set of words that may also let a word through that was never put in.

    Args:
        bits: eight places a byte.
    """

    def __init__(self, bits: bytes) -> None:
        self.bits = bits
        self._size = max(1, len(bits) * 8)

    def __contains__(self, word: str) -> bool:
        bits = self.bits
        return bool(bits) and all(bits[place >> 3] >> (place & 7) & 1 for place in places(word, self._size))

    def german(self, word: str) -> int:
        """`LISTED`, a `COMPOUND` of listed words, a word with a listed `TAIL`, or `UNKNOWN`; `word` in lower case."""
        length = len(word)
        if length <= LONGEST_GERMAN and GERMAN + word in self:
            return LISTED
        found = UNKNOWN
        if length < _LEAST_HEAD + _LEAST_TAIL or length > _READ:
            return found
        for cut in range(max(_LEAST_HEAD, length - LONGEST_GERMAN), length - _LEAST_TAIL + 1):
            if GERMAN + word[cut:] in self:
                if self._head(word[:cut]):
                    return COMPOUND
                if length - cut >= _LOOSE_TAIL:
                    found = TAIL
        return found

    def _head(self, head: str) -> bool:
        for link in _LINKS:
            stem = head[: len(head) - len(link)]
            if head.endswith(link) and _LEAST_HEAD <= len(stem) <= LONGEST_GERMAN and GERMAN + stem in self:
                return True
        return False


def places(word: str, size: int) -> list[int]:
    """The bits of a word among `size`."""
    number = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    first, step = number & 0xFFFFFFFF, number >> 32 | 1
    return [(first + index * step) % size for index in range(PROBES)]


def sieve_of(words: Collection[str]) -> Sieve:
    """A sieve that lets `words` through."""
    bits = bytearray(max(1, len(words) * BITS_A_WORD // 8))
    for word in words:
        for place in places(word, len(bits) * 8):
            bits[place >> 3] |= 1 << (place & 7)
    return Sieve(bytes(bits))

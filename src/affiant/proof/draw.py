"""How a sample is drawn: order rows by HMAC-SHA256(seed, row) and take the n lowest. Anyone with rows and seed can redraw it.

Leaves out: where a seed comes from, which decides what the draw is worth (docs/affidavit.md).
"""

from __future__ import annotations

import hashlib
from itertools import repeat
from operator import itemgetter
from typing import Any, Iterable, List, Sequence, Tuple

from .errors import Malformed

METHOD = "hmac-lowest-v1"


class Drawing:
    """A draw over rows that come in parts; holds no more than a few times `n` of them.

    Args:
        seed: not empty; a text seed is its UTF-8 bytes.
        n: how many to draw.

    Raises:
        Malformed: the seed is empty or `n` is negative.
    """

    def __init__(self, seed: bytes, n: int) -> None:
        if not seed or n < 0:
            raise Malformed("A sample needs a seed and a number of rows that is not negative.")
        # HMAC (RFC 2104) written out: the two padded keys are hashed once, not once a row.
        key = (hashlib.sha256(seed).digest() if len(seed) > 64 else seed).ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        self._n = n
        self._lowest: List[Tuple[bytes, bytes, Tuple[Any, ...]]] = []
        self._limit = b"\xff" * 33

    def add(self, rows: Iterable[bytes], cells: "Iterable[Tuple[Any, ...]]" = repeat(())) -> None:
        """Take the next rows (48 bytes each), with what is to be known of those that are drawn."""
        inner, outer, limit = self._inner.copy, self._outer.copy, self._limit
        for row, known in zip(rows, cells):  # noqa: B905 - Python 3.9
            inside, outside = inner(), outer()
            inside.update(row)
            outside.update(inside.digest())
            order = outside.digest()
            if order < limit:
                self._lowest.append((order, row, known))
        if len(self._lowest) > 4 * self._n + 1_000:
            self._cut()

    def _cut(self) -> None:
        self._lowest.sort(key=itemgetter(0, 1))
        del self._lowest[self._n :]
        if 0 < self._n == len(self._lowest):
            self._limit = self._lowest[-1][0]

    def drawn(self) -> List[bytes]:
        """The drawn rows, lowest first; all rows in that order where there are no more than `n`."""
        self._cut()
        return [row for _, row, _ in self._lowest]

    def cells(self) -> "List[Tuple[Any, ...]]":
        """What was given beside each drawn row, in the same order."""
        self._cut()
        return [known for _, _, known in self._lowest]


def draw(seed: bytes, rows: Sequence[bytes], n: int) -> List[bytes]:
    """The drawn rows of a population in memory, lowest first; as `Drawing`."""
    drawing = Drawing(seed, n)
    drawing.add(rows)
    return drawing.drawn()

"""How a sample is drawn: order rows by HMAC-SHA256(seed, row) and take the n lowest. Anyone with rows and seed can redraw it.

Leaves out: where a seed comes from, which decides what the draw is worth (docs/affidavit.md).
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
from typing import List, Sequence

from .errors import Malformed

METHOD = "hmac-lowest-v1"


def draw(seed: bytes, rows: Sequence[bytes], n: int) -> List[bytes]:
    """The drawn rows, lowest first; all rows in that order where there are no more than `n`.

    Args:
        seed: not empty; a text seed is its UTF-8 bytes.
        rows: 48-byte population rows.
        n: how many to draw.

    Raises:
        Malformed: the seed is empty or `n` is negative.
    """
    if not seed or n < 0:
        raise Malformed("A sample needs a seed and a number of rows that is not negative.")
    return heapq.nsmallest(n, rows, key=lambda row: hmac.new(seed, row, hashlib.sha256).digest())

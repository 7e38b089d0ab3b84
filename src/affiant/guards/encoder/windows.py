"""Windows over a text's word pieces: overlapping, of equal length, at most a given number of them.

A planted sentence is a small part of a document, so each window is scored by itself. Neighbours overlap by a quarter, so that
a sentence cut by one border stands whole in the next window unless it is longer than the overlap. Past the cap windows are
spread evenly from the first to the last piece, and the caller is told that the text was not read in full.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

PIECES = 126
"""Word pieces of a window, without the two marks at its ends."""
OVERLAP = 32
MOST = 24
"""Windows of one text at most: bounds the time that one text may take."""


class Window(NamedTuple):
    """Word pieces `start..end` (end exclusive) of a text."""

    start: int
    end: int


def windows(pieces: int, *, size: int = PIECES, overlap: int = OVERLAP, most: int = MOST) -> tuple[list[Window], bool]:
    """Windows over `pieces` word pieces, and whether they cover all of them. No pieces: no window, covered.

    Raises ValueError unless 0 <= overlap < size and most >= 1.
    """
    if not 0 <= overlap < size or most < 1:
        raise ValueError(
            f"windows of {size} pieces cannot overlap by {overlap} nor be {most} in number; choose 0 <= overlap < size, most >= 1"
        )
    if pieces <= 0:
        return [], True
    last = max(0, pieces - size)
    step = size - overlap
    needed = -(-last // step) + 1
    count = min(needed, most)
    if count == 1:
        return [Window(0, min(size, pieces))], pieces <= size
    starts = [last * index // (count - 1) for index in range(count)]
    found = [Window(start, start + size) for start in starts]
    covered = all(right.start <= left.end for left, right in pairwise(found))
    return found, covered

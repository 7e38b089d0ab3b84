"""Rows of integers and text by column: a few arrays for thousands of cells instead of a Python object for each.

As bytes, integers are their differences, each in as few bytes as the greatest needs, and text is its lengths likewise, then its UTF-8.
Leaves out: files (`rowfile`), and what columns mean.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affiant.kit.errors import BadInput

BLOCK = 4_096
Cells = tuple[Any, ...]
Numbers = NDArray[np.int64]
_NUMBERS = struct.Struct("<cq")
_TEXT = struct.Struct("<cI")
_WIDTHS: dict[bytes, np.dtype[Any]] = {b"1": np.dtype("<i1"), b"2": np.dtype("<i2"), b"4": np.dtype("<i4"), b"8": np.dtype("<i8")}


class Text:
    """Texts one after another.

    Args:
        ends: where each begins in `data` and the last one ends; one more than there are texts.
        data: UTF-8.
    """

    __slots__ = ("data", "ends")

    def __init__(self, ends: Numbers, data: bytes) -> None:
        self.ends, self.data = ends, data

    @classmethod
    def of(cls, cells: Sequence[str]) -> Text:
        """Texts out of strings."""
        data = [cell.encode() for cell in cells]
        return cls(_ends(list(map(len, data))), b"".join(data))

    @classmethod
    def joined(cls, parts: Sequence[Text]) -> Text:
        """The texts of several, one after another."""
        return cls(_ends(np.concatenate([part.lengths for part in parts])), b"".join(part.packed for part in parts))

    @property
    def lengths(self) -> Numbers:
        """Bytes of each."""
        return np.diff(self.ends)

    @property
    def packed(self) -> bytes:
        """Bytes of all, without any that lie around them."""
        return self.data[int(self.ends[0]) : int(self.ends[-1])]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, at: int) -> str:
        return self.data[int(self.ends[at]) : int(self.ends[at + 1])].decode()

    def part(self, start: int, stop: int) -> Text:
        """Some that lie together; they share the bytes."""
        return Text(self.ends[start : stop + 1], self.data)

    def tolist(self) -> list[str]:
        """All as strings."""
        data = self.packed
        places = pairwise((self.ends - self.ends[0]).tolist())
        if data.isascii():
            text = data.decode()
            return [text[start:stop] for start, stop in places]
        return [data[start:stop].decode() for start, stop in places]


Column = Numbers | Text | list[Any]
"""A list is a column that has something else than integers, or than text, in it: whoever takes it refuses it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, by column."""

    columns: list[Column]

    @classmethod
    def of(cls, rows: Sequence[Cells]) -> Block:
        """Rows as columns.

        Raises:
            BadInput: a number has more than 64 bits.
        """
        return cls([_column(cells) for cells in zip(*rows, strict=True)])

    @classmethod
    def joined(cls, parts: Sequence[Block]) -> Block:
        """The rows of several, one after another."""
        return parts[0] if len(parts) == 1 else cls([_joined(each) for each in zip(*(part.columns for part in parts), strict=True)])

    def __len__(self) -> int:
        return len(self.columns[0])

    def part(self, start: int, stop: int) -> Block:
        """Some rows that lie together; they share the bytes."""
        return Block([each.part(start, stop) if isinstance(each, Text) else each[start:stop] for each in self.columns])


Part = Sequence[Cells] | Block


def in_blocks(parts: Iterable[Part]) -> Iterator[Block]:
    """Rows that come in parts of any size, as blocks of `BLOCK` rows, the last one with what is left.

    Raises:
        BadInput: a number has more than 64 bits.
    """
    held: list[Block] = []
    count = 0
    for part in parts:
        at = 0
        while at < len(part):
            stop = min(at + BLOCK - count, len(part))
            held.append(part.part(at, stop) if isinstance(part, Block) else Block.of(part[at:stop]))
            count, at = count + stop - at, stop
            if count == BLOCK:
                yield Block.joined(held)
                held, count = [], 0
    if held:
        yield Block.joined(held)


def pack(column: Numbers | Text) -> bytes:
    """A column with at least one cell as bytes."""
    if isinstance(column, Text):
        lengths = pack(column.lengths)
        return _TEXT.pack(b"t", len(lengths)) + lengths + column.packed
    steps = np.diff(column)  # goes round where it must, and round again in `numbers`
    least, most = (int(steps.min()), int(steps.max())) if len(steps) else (0, 0)
    width = next(width for width, kind in _WIDTHS.items() if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max)
    return _NUMBERS.pack(width, int(column[0])) + steps.astype(_WIDTHS[width]).tobytes()


def numbers(data: bytes) -> Numbers:
    """The integers that were packed.

    Raises:
        ValueError: they are none.
    """
    try:
        width, first = _NUMBERS.unpack_from(data)
        steps = np.frombuffer(data, _WIDTHS[width], offset=_NUMBERS.size)
    except (struct.error, KeyError) as error:
        raise ValueError(f"no integers: {error}") from error
    found = np.empty(len(steps) + 1, np.int64)
    found[0] = first
    found[1:] = steps
    return np.cumsum(found, out=found)


def unpack(data: bytes) -> Numbers | Text:
    """The column that was packed.

    Raises:
        ValueError: it is none.
    """
    if data[:1] != b"t":
        return numbers(data)
    try:
        _, size = _TEXT.unpack_from(data)
    except struct.error as error:
        raise ValueError(f"no text: {error}") from error
    start = _TEXT.size + size
    text = Text(_ends(numbers(data[_TEXT.size : start])), data[start:])
    if int(text.ends[-1]) != len(text.data):
        raise ValueError("text is cut short")
    return text


def _ends(lengths: Sequence[int] | Numbers) -> Numbers:
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


def _column(cells: Sequence[Any]) -> Column:
    kinds = set(map(type, cells))
    if kinds == {str}:
        return Text.of(cells)
    if kinds != {int}:
        return list(cells)
    try:
        return np.array(cells, np.int64)
    except OverflowError as error:
        raise BadInput("A row has a number beyond 64 bits.", "Let the query give smaller ones.") from error


def _joined(parts: Sequence[Column]) -> Column:
    if all(isinstance(part, Text) for part in parts):
        return Text.joined([part for part in parts if isinstance(part, Text)])
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate([part for part in parts if isinstance(part, np.ndarray)])
    return [cell for part in parts for cell in (part if isinstance(part, list) else part.tolist())]

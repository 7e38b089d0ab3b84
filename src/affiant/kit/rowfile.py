"""Rows of integers and text in a file: written once in order, then read from any place, a block at a time.

A block holds `BLOCK` rows (the last one what is left), column by column, as msgpack within zlib; where blocks lie is kept in memory and is
what `RowFile.copied` gives to whoever stores them with other things. Millions of rows take a few bytes each there and none in
memory. Leaves out: what rows mean.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, overload

import msgspec

from affiant.kit.errors import BadInput, CouldNotLook

BLOCK = 4_096
Cells = tuple[Any, ...]
Columns = list[list[Any]]
Place = tuple[int, int]
"""(offset, length) of a block in its file, in bytes."""


class Descriptor:
    """An open file that is closed when nothing refers to it any more. Safe for several threads that read."""

    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def temporary(cls) -> Descriptor:
        """A new file without a name, in TMPDIR.

        Raises:
            CouldNotLook: none can be made there.
        """
        try:
            with tempfile.TemporaryFile(prefix="affiant-rows-") as file:
                return cls(os.dup(file.fileno()))
        except OSError as error:
            raise CouldNotLook(f"No temporary file can be made: {error.strerror}.", "Make room in TMPDIR, then try again.") from error

    @classmethod
    def reading(cls, path: Path) -> Descriptor:
        """A file that is there.

        Raises:
            OSError: it cannot be opened.
        """
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def __del__(self) -> None:
        os.close(self.number)


class RowFile(Sequence[Cells]):
    """Rows in a file.

    Args:
        descriptor: of the file; by default a temporary one, to be filled with `extend`.
        places: of the blocks in it.
        count: rows in them.
    """

    def __init__(self, descriptor: Descriptor | None = None, places: Iterable[Place] = (), count: int = 0) -> None:
        self._file = Descriptor.temporary() if descriptor is None else descriptor
        self._places = list(places)
        self._count = count
        self._end = sum(length for _, length in self._places)
        self._last: tuple[int, Columns] = (-1, [])

    def extend(self, rows: Sequence[Cells]) -> None:
        """Append one block: `BLOCK` rows, or fewer at the very end.

        Raises:
            CouldNotLook: there is no room for them. BadInput: a number has more than 64 bits.
            ValueError: the block before was the last one.
        """
        if self._count % BLOCK or not 0 < len(rows) <= BLOCK:
            raise ValueError(f"A block of {len(rows)} rows after {self._count}.")
        try:
            data = zlib.compress(msgspec.msgpack.encode(list(zip(*rows, strict=True))), 1)
            written = 0
            while written < len(data):
                written += os.pwrite(self._file.number, data[written:], self._end + written)
        except OSError as error:
            raise CouldNotLook(f"Rows cannot be written: {error.strerror}.", "Make room in TMPDIR, then try again.") from error
        except OverflowError as error:
            raise BadInput("A row has a number beyond 64 bits.", "Let the query give smaller ones.") from error
        self._places.append((self._end, len(data)))
        self._end += len(data)
        self._count += len(rows)

    @property
    def blocks(self) -> int:
        """How many there are."""
        return len(self._places)

    def columns(self, number: int) -> Columns:
        """The columns of one block.

        Raises:
            CouldNotLook: it is damaged.
        """
        known, columns = self._last
        if known == number:
            return columns
        offset, length = self._places[number]
        try:
            columns = msgspec.msgpack.decode(zlib.decompress(os.pread(self._file.number, length, offset)), type=Columns)
        except (OSError, zlib.error, msgspec.DecodeError) as error:
            raise CouldNotLook(f"Rows cannot be read: {error}.", "Run the control again.") from error
        self._last = (number, columns)
        return columns

    def copied(self, target: BinaryIO) -> list[Place]:
        """Append every block to another file; gives their places there."""
        places = []
        for offset, length in self._places:
            places.append((target.tell(), length))
            target.write(os.pread(self._file.number, length, offset))
        return places

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Cells]:
        return self._rows(0, self.blocks)

    def _rows(self, first: int, stop: int) -> Iterator[Cells]:
        for number in range(first, stop):
            yield from zip(*self.columns(number), strict=True)

    @overload
    def __getitem__(self, at: int) -> Cells: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Cells, ...]: ...

    def __getitem__(self, at: int | slice) -> Cells | tuple[Cells, ...]:
        if isinstance(at, slice):
            start, stop, step = at.indices(self._count)
            if step != 1:
                return tuple(self[number] for number in range(start, stop, step))
            first = start // BLOCK * BLOCK
            return tuple(islice(self._rows(first // BLOCK, -(-stop // BLOCK)), start - first, max(start, stop) - first))
        if not -self._count <= at < self._count:
            raise IndexError(at)
        number, place = divmod(at % self._count, BLOCK)
        return tuple(column[place] for column in self.columns(number))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RowFile):
            return NotImplemented
        return len(self) == len(other) and all(self.columns(number) == other.columns(number) for number in range(self.blocks))

    __hash__ = None  # type: ignore[assignment]


def in_blocks(parts: Iterable[Sequence[Cells]]) -> Iterator[Sequence[Cells]]:
    """Rows that come in parts of any size, as blocks."""
    waiting = chain.from_iterable(parts)
    while block := list(islice(waiting, BLOCK)):
        yield block

"""Rows of integers and text in a file: written once in order, then read from any place, a block at a time.

A block holds `BLOCK` rows (the last one what is left): the number of its columns, the length of each as it lies there, then each of them
(`blocks.pack`) within zlib of its own, so that who needs one need not read the others. Where blocks lie is kept in memory and is what
`RowFile.copied` gives to whoever stores them with other things. Millions of rows take a few bytes each there and none in memory.
Leaves out: what rows mean.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, overload

from affiant.kit.blocks import BLOCK, Block, Cells, Numbers, numbers, pack, unpack
from affiant.kit.errors import CouldNotLook

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

    def extend(self, block: Block) -> None:
        """Append one block: `BLOCK` rows, or fewer at the very end.

        Raises:
            CouldNotLook: there is no room for them.
            ValueError: the block before was the last one, or a column has something else than integers, or than text.
        """
        if self._count % BLOCK or not 0 < len(block) <= BLOCK:
            raise ValueError(f"A block of {len(block)} rows after {self._count}.")
        pieces = []
        for column in block.columns:
            if isinstance(column, list):
                raise ValueError("A column has neither integers nor text.")
            pieces.append(zlib.compress(pack(column), 1))
        data = struct.pack(f"<H{len(pieces)}I", len(pieces), *map(len, pieces)) + b"".join(pieces)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._file.number, data[written:], self._end + written)
        except OSError as error:
            raise CouldNotLook(f"Rows cannot be written: {error.strerror}.", "Make room in TMPDIR, then try again.") from error
        self._places.append((self._end, len(data)))
        self._end += len(data)
        self._count += len(block)

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
        with _reading():
            columns = [unpack(zlib.decompress(piece)).tolist() for piece in self._pieces(number)]
        self._last = (number, columns)
        return columns

    def numbers(self, number: int, *which: int) -> list[Numbers]:
        """Some columns of integers of one block.

        Raises:
            CouldNotLook: it is damaged.
        """
        with _reading():
            pieces = self._pieces(number)
            return [numbers(zlib.decompress(pieces[place])) for place in which]

    def some(self, number: int, places: Iterable[int]) -> list[Cells]:
        """Rows at some places of one block; the others are not made.

        Raises:
            CouldNotLook: it is damaged.
        """
        with _reading():
            columns = [unpack(zlib.decompress(piece)) for piece in self._pieces(number)]
            return [tuple(cell if isinstance(cell := column[place], str) else int(cell) for column in columns) for place in places]

    def _pieces(self, number: int) -> list[bytes]:
        """The columns of one block as they lie there."""
        offset, length = self._places[number]
        data = os.pread(self._file.number, length, offset)
        (count,) = struct.unpack_from("<H", data)
        lengths = struct.unpack_from(f"<{count}I", data, 2)
        at, pieces = 2 + 4 * count, []
        for each in lengths:
            pieces.append(data[at : at + each])
            at += each
        if at != len(data):
            raise ValueError("a block has another length")
        return pieces

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


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, IndexError, zlib.error, struct.error) as error:
        raise CouldNotLook(f"Rows cannot be read: {error}.", "Run the control again.") from error

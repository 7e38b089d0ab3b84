"""Leaf hashes of the entries that a run reads, many at a time.

Leaves out: whether the tree has them (`ledger` looks when it reads, `ledger.verify` at all of them).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from affiant.kit.blocks import Numbers
from affiant.ledger import LedgerReader
from affiant.proof.hashes import HASH_SIZE, leaf_hash
from affiant.proof.tiles import TILE_WIDTH

_HASH = np.dtype(f"V{HASH_SIZE}")


class Reader(Protocol):
    """What evidence needs of a ledger (`ledger.LedgerReader` has it)."""

    @property
    def size(self) -> int:
        """Number of entries."""
        ...

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Stored bytes of [start, stop)."""
        ...


class Leaves:
    """Leaf hashes of entries: of those that were loaded as they were hashed then, of others out of the tree's tiles."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._runs: list[tuple[int, bytearray]] = []

    def hashed(self, entries: Iterator[bytes], start: int) -> Iterator[bytes]:
        """The same entries, hashed on their way."""
        run = bytearray()
        self._runs.append((start, run))
        for entry in entries:
            run += leaf_hash(entry)
            yield entry

    def of(self, indexes: Numbers) -> bytes:
        """Leaf hashes of entries, by ascending index, one after another."""
        found = np.empty(len(indexes), _HASH)
        at = 0
        while at < len(indexes):
            first, hashes = self._near(int(indexes[at]))
            near = np.frombuffer(hashes, _HASH)
            stop = int(np.searchsorted(indexes, first + len(near)))
            found[at:stop] = near[indexes[at:stop] - first]
            at = stop
        return found.tobytes()

    def _near(self, index: int) -> tuple[int, bytes | bytearray]:
        """Leaf hashes of some entries that lie together, an entry among them; with the index of the first."""
        for start, run in self._runs:
            if start <= index < start + len(run) // HASH_SIZE:
                return start, run
        if isinstance(self._reader, LedgerReader):
            number = index // TILE_WIDTH
            if (number + 1) * TILE_WIDTH <= self._reader.checkpoint().size:
                return number * TILE_WIDTH, self._reader.leaf_tile(number)
            return index, self._reader.leaf_hash(index)
        return index, leaf_hash(next(iter(self._reader.entries(index, index + 1))))

"""Finding entries of older partitions: by reference in sorted files, by time and type through what each partition says of itself.

`derived/refs/<first>-<stop>.refs` holds, for each entry that has a reference, u64 (little endian) `crc32(ref) << 32 | index - first`,
sorted; a hit is confirmed by reading the entry. Eight bytes an entry instead of the hundred of a database index. The newest entries are
found in `index.Index`. Leaves out: DuckDB (`columnar`).
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import threading
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from affiant.ledger.index import Index

MASK = (1 << 32) - 1
_FOREVER = 1 << 62
_BIG = sys.byteorder == "big"
Entries = Callable[[int, int], Iterable[bytes]]


def write_refs(path: Path, start: int, refs: Iterable[tuple[str, int]]) -> None:
    """Write the lookup file of a partition."""
    crc = zlib.crc32
    words = array("Q", sorted([crc(ref.encode()) << 32 | (index - start) for ref, index in refs]))
    if _BIG:
        words.byteswap()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(words.tobytes())
    os.replace(temporary, path)


class _Words:
    """A file of sorted words, as a sequence."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self._count = os.fstat(file.fileno()).st_size // 8
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self._count else b""

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> int:
        return int(struct.unpack_from("<Q", self._map, place * 8)[0])

    def find(self, ref: str) -> list[int]:
        """Offsets that may be about `ref`."""
        low = zlib.crc32(ref.encode()) << 32
        place, found = bisect_left(self, low), []
        while place < self._count and (word := self[place]) >> 32 == low >> 32:
            found.append(word & MASK)
            place += 1
        return found


@dataclass(slots=True)
class Old:
    """A partition as its manifest describes it.

    Args:
        start: first index; `stop` is behind the last.
        first_at: time of its first entry; `last_at` the greatest of all, µs.
        counts: entries of each type; `rare` has the indexes of those of which there are few.
        path: of its references.
    """

    start: int
    stop: int
    first_at: int
    last_at: int
    counts: dict[str, int]
    rare: dict[str, list[int]]
    path: Path
    words: _Words | None = field(default=None)

    def find(self, ref: str) -> list[int]:
        """Indexes that may be about `ref`."""
        if self.words is None:
            self.words = _Words(self.path)
        return [self.start + offset for offset in self.words.find(ref)]


class _Head(msgspec.Struct, frozen=True):
    type: str
    at: int
    ref: str = ""


_read_head = msgspec.json.Decoder(_Head).decode


class Lookup:
    """Where entries are: partitions for the old ones, a database for the newest. Safe for several threads.

    Args:
        derived: `HOME/derived`.
        tail: finds the entries behind the partitions.
        entries: gives the entries [start, stop).
    """

    def __init__(self, derived: Path, tail: Index, entries: Entries) -> None:
        self._derived, self._tail, self._entries = derived, tail, entries
        self._lock = threading.Lock()
        self._stamp = (-1, -1)
        self._old: list[Old] = []

    def _partitions(self, size: int) -> list[Old]:
        """Those within the first `size` entries; reads them again when others were made."""
        with self._lock:
            stamp = (_changed(self._derived / "parquet" / "_manifest"), _changed(self._derived / "refs"))
            if stamp != self._stamp:
                self._old, self._stamp = self._read(), stamp
                self._tail.start = self._old[-1].stop if self._old else 0
            return [each for each in self._old if each.start < size]

    def _read(self) -> list[Old]:
        """Partitions that begin with the first entry held and follow one another; what lies behind a damaged one is left to the tail."""
        folder, due = self._derived / "parquet" / "_manifest", self._tail.begin
        found: list[Old] = []
        known = {each.path: each for each in self._old}
        try:
            names = sorted(path.name for path in folder.iterdir() if path.suffix == ".json")
        except OSError:
            return []
        for name in names:
            start, _, stop = name.removesuffix(".json").partition("-")
            path = self._derived / "refs" / f"{start}-{stop}.refs"
            if start.isdigit() and int(start) < due and not found:
                continue  # of entries that were pruned
            if not start.isdigit() or not stop.isdigit() or int(start) != due:
                break
            try:
                old = known.get(path) or _manifest(folder / name, path)
                if path.stat().st_size % 8:
                    break
            except (OSError, KeyError, TypeError, msgspec.DecodeError):
                break
            found.append(old)
            due = old.stop
        return found

    def find(self, ref: str, size: int) -> list[int]:
        """Indexes of the entries about `ref`, ascending."""
        found = []
        for old in self._partitions(size):
            for index in old.find(ref):
                if index < size and _read_head(next(iter(self._entries(index, index + 1)))).ref == ref:
                    found.append(index)
        return found + self._tail.find(ref, size)

    def between(self, from_us: int, to_us: int, size: int) -> Iterator[int]:
        """Indexes of the entries with from_us <= at < to_us, ascending."""
        for old in self._partitions(size):
            if old.last_at < from_us:
                continue
            for index, data in enumerate(self._entries(old.start, min(old.stop, size)), old.start):
                if from_us <= _read_head(data).at < to_us:
                    yield index
        yield from self._tail.between(from_us, to_us, size)

    def first_since(self, at_us: int, size: int) -> int | None:
        """Lowest index of an entry with at >= at_us, or None."""
        return next(self.between(at_us, _FOREVER, size), None)

    def of_types(self, types: tuple[str, ...], start: int, stop: int) -> Iterator[int]:
        """Indexes in [start, stop) of entries of these types, ascending."""
        for old in self._partitions(stop):
            if old.stop <= start or not any(old.counts.get(kind) for kind in types):
                continue
            if all(kind in old.rare for kind in types if old.counts.get(kind)):
                found: Iterable[int] = sorted(index for kind in types for index in old.rare.get(kind, ()))
            else:
                each = enumerate(self._entries(old.start, min(old.stop, stop)), old.start)
                found = (index for index, data in each if _read_head(data).type in types)
            yield from (index for index in found if start <= index < stop)
        yield from self._tail.of_types(types, start, stop)

    def counts(self, size: int) -> dict[str, int]:
        """How many entries there are of each type."""
        total: dict[str, int] = dict(self._tail.counts(size))
        for old in self._partitions(size):
            counts = old.counts
            if old.stop > size:
                counts = {}
                for data in self._entries(old.start, size):
                    kind = _read_head(data).type
                    counts[kind] = counts.get(kind, 0) + 1
            for kind, count in counts.items():
                total[kind] = total.get(kind, 0) + count
        return dict(sorted(total.items()))


def _manifest(path: Path, refs: Path) -> Old:
    raw = msgspec.json.decode(path.read_bytes())
    return Old(raw["start"], raw["stop"], raw["first_at"], raw["last_at"], raw["counts"], raw["rare"], refs)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

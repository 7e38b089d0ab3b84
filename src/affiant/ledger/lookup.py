"""Finding entries of older partitions: by reference in sorted files, by time and type through what each partition says of itself.

`derived/refs/<first>-<stop>.refs` holds, for each entry that has a reference, u64 (little endian) `crc32(ref) << 32 | index - first`,
sorted; a hit is confirmed by reading the entry. Eight bytes an entry instead of the hundred of a database index. The newest entries are
found in `index.Index`. Leaves out: DuckDB (`columnar`).
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MASK = (1 << 32) - 1
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

    def close(self) -> None:
        if isinstance(self._map, mmap.mmap):
            self._map.close()


@dataclass(slots=True)
class Old:
    """What is known of a partition for lookups: range, times, counts of types; `words` is opened on first use."""

    start: int
    stop: int
    first_at: int
    last_at: int
    counts: dict[str, int]
    path: Path
    words: _Words | None = field(default=None)

    def find(self, ref: str) -> list[int]:
        """Indexes that may be about `ref`."""
        if self.words is None:
            self.words = _Words(self.path)
        return [self.start + offset for offset in self.words.find(ref)]


def read_old(derived: Path, bits: Callable[[bytes], Any] = json.loads) -> list[Old]:
    """Partitions that begin at 0 and follow one another, as their manifests name them. The rest is looked up elsewhere."""
    folder, found, due = derived / "parquet" / "_manifest", [], 0
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".json")
    except OSError:
        return []
    for name in names:
        start, _, stop = name.removesuffix(".json").partition("-")
        path = derived / "refs" / f"{start}-{stop}.refs"
        if not start.isdigit() or not stop.isdigit() or int(start) != due or not path.exists():
            break
        try:
            raw = bits((folder / name).read_bytes())
            found.append(Old(int(start), int(stop), raw["first_at"], raw["last_at"], raw["counts"], path))
        except (OSError, ValueError, KeyError, TypeError):
            break
        due = int(stop)
    return found


def confirmed(old: Iterable[Old], ref: str, entries: Entries) -> Iterator[int]:
    """Indexes of the entries of partitions that are about `ref`, ascending."""
    needle = ref.encode()
    for partition in old:
        for index in partition.find(ref):
            data = next(iter(entries(index, index + 1)))
            if needle in data and json.loads(data).get("ref") == ref:
                yield index

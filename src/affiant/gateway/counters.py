"""Counters that survive this process: refusals while the writer is away (`run/unrecorded`), and losses under a fail-open policy.

A slot is 24 bytes, little endian: u64 count, i64 first and i64 last wall time in µs. In `run/unrecorded` slot n belongs to the
worker with number n; the supervisor reads all of them (layout: docs/architecture.md). `run/lost-N` holds one slot of the worker
itself, which turns it into `ledger.gap` when the writer is back.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

SLOTS = 64
_SLOT = struct.Struct("<Qqq")
_FILE_BYTES = SLOTS * (_SLOT.size + 8)


class Counter:
    """One mapped slot.

    Args:
        path: the file; made when it is not there.
        slot: number of the slot.
    """

    def __init__(self, path: Path, slot: int = 0, size: int = _FILE_BYTES) -> None:
        self._at = slot * _SLOT.size
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(handle).st_size < size:
                os.ftruncate(handle, size)
            self._map = mmap.mmap(handle, size)
        finally:
            os.close(handle)

    def add(self, now_us: int) -> None:
        """Count one."""
        count, first, _ = _SLOT.unpack_from(self._map, self._at)
        _SLOT.pack_into(self._map, self._at, count + 1, first if count else now_us, now_us)

    def read(self) -> tuple[int, int, int]:
        """Count, first and last time (µs)."""
        count, first, last = _SLOT.unpack_from(self._map, self._at)
        return int(count), int(first), int(last)

    def reset(self) -> None:
        """Begin anew at zero; only by the owner of the slot's meaning."""
        _SLOT.pack_into(self._map, self._at, 0, 0, 0)

    def close(self) -> None:
        """Unmap."""
        self._map.close()


def open_lost(run: Path, slot: int) -> Counter:
    """The counter of events lost under fail-open policies by one worker."""
    return Counter(run / f"lost-{slot}", 0, _SLOT.size)

"""`run/unrecorded`: refusals that workers counted while the ledger writer was away, and the one event they become.

The file is mapped by workers and supervisor. `SLOTS` slots of 24 bytes (little endian): u64 count since the file was made, i64
first and i64 last wall time in µs; only the worker of a slot writes it. Then `SLOTS` u64: how many of each the ledger knows,
written by the supervisor after the event is durable: a crash in between repeats a count, it never loses one.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

SLOTS = 64
_SLOT = struct.Struct("<Qqq")
_TOLD = struct.Struct("<Q")
_SIZE = SLOTS * (_SLOT.size + _TOLD.size)


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Refusals not yet in the ledger: how many, from when to when (µs), and the counts they bring each slot to."""

    from_us: int
    to_us: int
    count: int
    reached: tuple[int, ...]


class UnrecordedFile:
    """The supervisor's side of the mapped counters."""

    def __init__(self, path: Path) -> None:
        with open(path, "a+b") as file:
            if file.seek(0, 2) != _SIZE:
                file.truncate(_SIZE)
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._quiet_at_us = 0

    def pending(self, now_us: int) -> Unrecorded | None:
        """What the ledger does not know yet, or None.

        A slot's first time is that of its first refusal ever; the last look that found nothing new is a closer bound later on.
        """
        counts, first, last, total = [], 0, 0, 0
        for slot in range(SLOTS):
            count, slot_first, slot_last = _SLOT.unpack_from(self._map, slot * _SLOT.size)
            counts.append(count)
            new = count - _TOLD.unpack_from(self._map, self._told_at(slot))[0]
            if new > 0:
                begin = min(max(slot_first, self._quiet_at_us), slot_last)
                first = min(first, begin) if total else begin
                last = max(last, slot_last)
                total += new
        if not total:
            self._quiet_at_us = now_us
            return None
        return Unrecorded(first, last, total, tuple(counts))

    def told(self, known: Unrecorded) -> None:
        """The event for these is durable."""
        for slot, count in enumerate(known.reached):
            _TOLD.pack_into(self._map, self._told_at(slot), count)

    def close(self) -> None:
        """Unmap."""
        self._map.close()

    @staticmethod
    def _told_at(slot: int) -> int:
        return SLOTS * _SLOT.size + slot * _TOLD.size

"""Wall time, passed in. Durations and timeouts use `time.monotonic_ns`, never this.

Outside the demo and tests the wall clock is the system's. With `AFFIANT_CLOCK_FILE` set, every process of
a home reads it from one mapped file of 16 bytes (little endian): u64 mode (0 follow the system,
1 fixed) and i64 wall time in microseconds since the Unix epoch. Whoever owns the file advances it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Protocol

CLOCK_ENV = "AFFIANT_CLOCK_FILE"
_LAYOUT = struct.Struct("<Qq")
FOLLOW, FIXED = 0, 1


class Clock(Protocol):
    """Gives wall time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's own wall clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


class FixedClock:
    """A clock for tests that moves only when told."""

    def __init__(self, now_us: int) -> None:
        self.value_us = now_us

    def now_us(self) -> int:
        return self.value_us


class FileClock:
    """Reads wall time from a mapped file shared by all processes of a home (see module text)."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size, prot=mmap.PROT_READ)

    def now_us(self) -> int:
        mode, value = _LAYOUT.unpack_from(self._map)
        return int(value) if mode == FIXED else time.time_ns() // 1000


class ClockFile:
    """Owns a clock file: creates it and sets the time that every `FileClock` on it sees."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_LAYOUT.pack(FOLLOW, 0))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)

    def fix(self, now_us: int) -> None:
        """Set wall time; it stays there until the next call."""
        _LAYOUT.pack_into(self._map, 0, FIXED, now_us)

    def follow(self) -> None:
        """Let wall time be the system's again."""
        _LAYOUT.pack_into(self._map, 0, FOLLOW, 0)


def open_clock(environ: os._Environ[str] | dict[str, str] | None = None) -> Clock:
    """The clock that this process must use: mapped file if `AFFIANT_CLOCK_FILE` is set, else the system's."""
    path = (os.environ if environ is None else environ).get(CLOCK_ENV)
    return FileClock(Path(path)) if path else SystemClock()

"""Slices of limits for workers: what is granted in one window never exceeds the limit, and a holder wastes at most one slice.

Grants are noted in a small file before they are given, so that a restart of control within a window grants nothing twice. The
file is not synced: when the machine itself dies, so do the workers that held the slices. Leaves out: counting use (workers).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from affiant.kit.errors import CouldNotLook
from affiant.records.snapshot import Lease, LimitSnap

_COMPACT_LINES = 20_000
_Slot = tuple[str, str, int]


class LeaseBook:
    """What was granted, by (limit, subject, window); a limit for each (`key:*`) counts every subject by itself.

    Args:
        path: file of `limit subject window granted` lines.

    Raises:
        CouldNotLook: the file cannot be opened; granting blindly could exceed limits.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._granted: dict[_Slot, int] = {}
        self._limits: dict[str, LimitSnap] = {}
        self._lines = 0
        try:
            self._load()
            self._write()  # whole lines only: what is appended next never joins a torn one
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise CouldNotLook(f"{path} cannot be used: {error.strerror}.", "Make the home writable for Affiant.") from error

    def _load(self) -> None:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            parts = line.split(" ")
            if len(parts) == 4 and parts[2].isdigit() and parts[3].isdigit():  # a torn last line was never granted
                slot = (parts[0], parts[1], int(parts[2]))
                self._granted[slot] = self._granted.get(slot, 0) + int(parts[3])

    def set_limits(self, limits: Iterable[LimitSnap]) -> None:
        """Take the limits of a new snapshot."""
        self._limits = {limit.id: limit for limit in limits}

    def grant(self, lease: Lease, now_s: int) -> int:
        """How much of a limit a worker may use in a window; 0 if it is exhausted, unknown or the window is not now.

        What is left is granted even if it is less than wanted.

        Raises:
            CouldNotLook: the grant cannot be noted; nothing was granted.
        """
        limit = self._limits.get(lease.limit)
        if limit is None or lease.want <= 0 or any(char.isspace() for char in lease.subject):
            return 0
        current = now_s // limit.window_s
        if abs(lease.window - current) > 1:
            return 0
        slot = (limit.id, lease.subject if limit.scope.endswith(":*") else "-", lease.window)
        granted = min(limit.value - self._granted.get(slot, 0), lease.want)
        if granted <= 0:
            return 0
        if self._lines >= _COMPACT_LINES:
            self._compact(now_s)
        try:
            os.write(self._file, f"{slot[0]} {slot[1]} {slot[2]} {granted}\n".encode())
        except OSError as error:
            raise CouldNotLook(f"{self._path} cannot be written: {error.strerror}.", "Free space on that disk.") from error
        self._lines += 1
        self._granted[slot] = self._granted.get(slot, 0) + granted
        return granted

    def _compact(self, now_s: int) -> None:
        """Drop windows that are over, in memory and on disk."""
        kept: dict[_Slot, int] = {}
        for slot, granted in self._granted.items():
            limit = self._limits.get(slot[0])
            if limit is not None and slot[2] >= now_s // limit.window_s - 1:
                kept[slot] = granted
        self._granted, self._lines = kept, len(kept)
        self._write()
        os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def _write(self) -> None:
        """Replace the file by what is in memory."""
        temporary = self._path.with_suffix(".tmp")
        lines = (f"{slot[0]} {slot[1]} {slot[2]} {granted}\n" for slot, granted in self._granted.items())
        temporary.write_text("".join(lines), encoding="utf-8")
        os.replace(temporary, self._path)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

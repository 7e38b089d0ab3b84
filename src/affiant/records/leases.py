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

SLICES = 16
_COMPACT_LINES = 20_000


class LeaseBook:
    """What was granted, by (limit, window).

    Args:
        path: file of `limit window granted` lines.

    Raises:
        CouldNotLook: the file cannot be opened; granting blindly could exceed limits.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._granted: dict[tuple[str, int], int] = {}
        self._limits: dict[str, LimitSnap] = {}
        self._lines = 0
        try:
            self._load()
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise CouldNotLook(f"{path} cannot be used: {error.strerror}.", "Make the home writable for Affiant.") from error

    def _load(self) -> None:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            parts = line.split(" ")
            if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():  # a torn last line was never granted
                key = (parts[0], int(parts[1]))
                self._granted[key] = self._granted.get(key, 0) + int(parts[2])

    def set_limits(self, limits: Iterable[LimitSnap]) -> None:
        """Take the limits of a new snapshot."""
        self._limits = {limit.id: limit for limit in limits}

    def grant(self, lease: Lease, now_s: int) -> int:
        """How much of a limit a worker may use in a window; 0 if it is exhausted, unknown or the window is not now.

        A worker that wants less than a slice gets a slice; one that needs more at once (a large request) gets that.
        """
        limit = self._limits.get(lease.limit)
        if limit is None or lease.want <= 0:
            return 0
        current = now_s // limit.window_s
        if abs(lease.window - current) > 1:
            return 0
        key = (limit.id, lease.window)
        left = limit.value - self._granted.get(key, 0)
        granted = min(left, max(lease.want, -(-limit.value // SLICES)))
        if granted <= 0:
            return 0
        if self._lines >= _COMPACT_LINES:
            self._compact(now_s)
        os.write(self._file, f"{limit.id} {lease.window} {granted}\n".encode())
        self._lines += 1
        self._granted[key] = self._granted.get(key, 0) + granted
        return granted

    def _compact(self, now_s: int) -> None:
        """Drop windows that are over, in memory and on disk."""
        kept: dict[tuple[str, int], int] = {}
        for (name, window), granted in self._granted.items():
            limit = self._limits.get(name)
            if limit is not None and window >= now_s // limit.window_s - 1:
                kept[(name, window)] = granted
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text("".join(f"{name} {window} {granted}\n" for (name, window), granted in kept.items()), encoding="utf-8")
        os.replace(temporary, self._path)
        os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._granted, self._lines = kept, len(kept)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

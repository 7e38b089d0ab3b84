"""The next segment, made ahead: a file of zeros on disk, `segments/spare`, that becomes a segment by its name alone.

A write over zeros changes neither a file's size nor its blocks, so that its sync has no inode and no journal to write, which would
make it wait for whatever else lies in them, such as the tiles of a head. Made in a thread of its own, a piece at a time; a start
and a close remove one that was not used. Leaves out: when one is wanted, and what is written into it (`segment`).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

from affiant.ledger.fileops import NO_ROOM_ERRORS, FileOps

SPARE = "spare"
PIECE_BYTES = 1024 * 1024
PAUSES = 4  # as long as the piece took, so that the disk is left to callers most of the time
_ZEROS = bytes(PIECE_BYTES)


class Spare:
    """One file at most. `make` runs in a thread of its own; everything else in that of the segments' owner.

    Args:
        directory: where segments lie.
        ops: system calls.
        size: bytes of zeros.
    """

    def __init__(self, directory: Path, ops: FileOps, size: int) -> None:
        self.size = size
        self._directory = directory
        self._path = directory / SPARE
        self._ops = ops
        self._fd = -1
        self._lock = threading.Lock()
        self._ended = False
        self._remove()

    @property
    def ready(self) -> bool:
        """Whether its zeros are on disk."""
        return self._fd >= 0

    def make(self) -> bool:
        """Write zeros and put them on disk.

        Returns:
            False if there is no room for them, or the owner closed meanwhile: then nothing is left.

        Raises:
            OSError: the disk fails.
        """
        with self._lock:
            if self.ready or self._ended:
                return self.ready
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            try:
                done = self._fill(fd)
            except BaseException as error:
                os.close(fd)
                self._remove()
                if isinstance(error, OSError) and error.errno in NO_ROOM_ERRORS:
                    return False
                raise
            if not done:
                os.close(fd)
                self._remove()
                return False
            self._fd = fd
            return True

    def _fill(self, fd: int) -> bool:
        """Whether all zeros are on disk; each piece is synced before the next, so that a caller's own sync waits for no more than one."""
        self._ops.allocate(fd, 0, self.size)
        for offset in range(0, self.size, PIECE_BYTES):
            if self._ended:
                return False
            began = time.monotonic()
            piece, written = memoryview(_ZEROS)[: self.size - offset], 0
            while written < len(piece):
                written += self._ops.write(fd, piece[written:], offset + written)
            self._ops.datasync(fd)
            if offset + PIECE_BYTES < self.size:
                time.sleep((time.monotonic() - began) * PAUSES)
        self._ops.sync(fd)
        return True

    def take(self, name: str) -> int:
        """Give it a segment's name, which is on disk when this returns.

        Returns:
            The open file, which is the caller's from now on.

        Raises:
            OSError: the disk fails; the spare is gone, whatever name it has.
        """
        fd, self._fd = self._fd, -1
        try:
            self._path.rename(self._directory / name)
            self._ops.sync_directory(self._directory)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def close(self) -> None:
        """Remove it; one that is being made is broken off."""
        self._ended = True
        with self._lock:
            if self.ready:
                os.close(self._fd)
                self._fd = -1
                self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()

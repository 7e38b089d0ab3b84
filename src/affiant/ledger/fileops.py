"""The few system calls that durability rests on, behind one seam so that tests can make each of them fail.

Leaves out: what is written and when (`segment`, `tree`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

_KEEP_SIZE = 1
NO_ROOM_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _libc_fallocate() -> Callable[[int, int, int, int], int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    function.restype = ctypes.c_int
    return cast(Callable[[int, int, int, int], int], function)


_fallocate = _libc_fallocate()


class FileOps:
    """The real calls. A test gives a subclass that fails where it wants."""

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write at an offset; may write less than given."""
        return os.pwrite(fd, data, offset)

    def datasync(self, fd: int) -> None:
        """Put a file's bytes, and its size if that changed, on disk."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def sync(self, fd: int) -> None:
        """Put a file or directory on disk."""
        os.fsync(fd)

    def allocate(self, fd: int, offset: int, length: int) -> bool:
        """Reserve blocks without changing the file's size.

        Returns:
            False where the file system cannot reserve.

        Raises:
            OSError: there is no room.
        """
        if _fallocate is None:
            return False
        if _fallocate(fd, _KEEP_SIZE, offset, length) == 0:
            return True
        code = ctypes.get_errno()
        if code in NO_ROOM_ERRORS:
            raise OSError(code, os.strerror(code))
        return False

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(fd, size)

    def forget(self, fd: int) -> None:
        """Drop clean cached pages, so that the next read comes from the disk."""
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def free_bytes(self, path: Path) -> int:
        """Bytes that this process may still allocate in the file system of `path`."""
        stat = os.statvfs(path)
        return stat.f_bavail * stat.f_frsize

    def sync_directory(self, path: Path) -> None:
        """Put a directory's names on disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    def replace(self, path: Path, data: bytes, durable: bool) -> None:
        """Give a file new content at once: readers see the old bytes or the new ones.

        Args:
            durable: also put bytes and name on disk before returning.
        """
        temporary = path.with_name(path.name + ".tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            written = 0
            while written < len(data):
                written += self.write(fd, memoryview(data)[written:], written)
            if durable:
                self.sync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
        if durable:
            self.sync_directory(path.parent)

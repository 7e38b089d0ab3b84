"""How many entries are on disk, published to other processes through one mapped file, `run/durable`.

16 bytes of boot id, then u64 size (little endian). Readers of a running home see exactly what was acknowledged; after another boot
the file says nothing and the segments are read to their end. Leaves out: the entries.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

_LAYOUT = struct.Struct("<16sQ")
_SIZE_AT = 16
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> bytes:
    try:
        return bytes.fromhex(_BOOT.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)


def read_durable(run: Path) -> int | None:
    """The published size, or None if nothing was published since the machine started."""
    try:
        with open(run / "durable", "rb") as file:
            data = file.read(_LAYOUT.size)
    except OSError:
        return None
    if len(data) != _LAYOUT.size:
        return None
    boot, size = _LAYOUT.unpack(data)
    return int(size) if boot == _boot_id() and any(boot) else None


class DurableSize:
    """Owned by the writer."""

    def __init__(self, run: Path, size: int) -> None:
        path = run / "durable"
        if not path.exists() or path.stat().st_size != _LAYOUT.size:
            temporary = run / "durable.tmp"
            temporary.write_bytes(bytes(_LAYOUT.size))
            os.replace(temporary, path)
        # An existing file is taken over in place, so that a full disk does not stop a start; the size goes in before the boot id.
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)
        self.set(size)
        self._map[:_SIZE_AT] = _boot_id()

    def set(self, size: int) -> None:
        """Publish a size."""
        struct.pack_into("<Q", self._map, _SIZE_AT, size)

    def close(self) -> None:
        """Let go of the file; the last size stays published."""
        self._map.close()

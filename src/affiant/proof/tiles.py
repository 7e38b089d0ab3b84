"""Paths and bundles of C2SP tlog-tiles. A tile of level L holds the hashes of 256 complete subtrees of height 8 * L.

A bundle holds up to 256 entries, each after its length as two bytes, big endian. Leaves out: files (see `ledger`).
"""

from __future__ import annotations

import struct
from typing import Iterable, List

from .errors import Malformed

TILE_WIDTH = 256
MAX_ENTRY_BYTES = 65_535
_LENGTH = struct.Struct(">H")


def _path_number(number: int) -> str:
    """`1234067` as `x001/x234/067`."""
    if number < 0:
        raise Malformed(f"A tile cannot have the number {number}.")
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise Malformed(f"A tile cannot have the width {width}.")
    return "" if width == TILE_WIDTH else f".p/{width}"


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Path of a hash tile below the log's prefix; `width` below 256 names a partial one."""
    if not 0 <= level <= 63:
        raise Malformed(f"A tile cannot have the level {level}.")
    return f"tile/{level}/{_path_number(number)}{_partial(width)}"


def bundle_path(number: int, width: int = TILE_WIDTH) -> str:
    """Path of an entry bundle below the log's prefix; `width` below 256 names a partial one."""
    return f"tile/entries/{_path_number(number)}{_partial(width)}"


def pack_bundle(entries: Iterable[bytes]) -> bytes:
    """Bytes of a bundle.

    Raises:
        Malformed: an entry above 65,535 bytes.
    """
    parts: List[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise Malformed(f"An entry has {len(entry)} bytes; 65,535 are allowed.")
        parts += (_LENGTH.pack(len(entry)), entry)
    return b"".join(parts)


def unpack_bundle(data: bytes) -> List[bytes]:
    """Entries of a bundle.

    Raises:
        Malformed: it ends inside an entry.
    """
    entries: List[bytes] = []
    offset, size = 0, len(data)
    while offset < size:
        if offset + 2 > size:
            raise Malformed("A bundle ends inside a length.")
        end = offset + 2 + (data[offset] << 8 | data[offset + 1])
        if end > size:
            raise Malformed("A bundle ends inside an entry.")
        entries.append(data[offset + 2 : end])
        offset = end
    return entries

"""Frames of snapshot.sock: u32 big-endian length, then msgpack; and a socket name that fits however deep the home lies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from affiant.kit.errors import BadInput

MAX_FRAME_BYTES = 256 * 1024 * 1024
_MAX_PATH_BYTES = 107
_encoder = msgspec.msgpack.Encoder()


def pack(message: Any) -> bytes:
    """One message as a frame."""
    data = _encoder.encode(message)
    return len(data).to_bytes(4, "big") + data


async def read_frame(reader: asyncio.StreamReader, max_bytes: int = MAX_FRAME_BYTES) -> bytes | None:
    """The next frame's bytes; None at the end of the stream.

    Raises:
        BadInput: a frame longer than `max_bytes`.
    """
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > max_bytes:
            raise BadInput(f"A frame of {size} bytes is over the limit.", "Both ends must be the same version of Affiant.")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@contextmanager
def socket_name(path: Path) -> Iterator[str]:
    """A name under which a Unix socket can be bound or reached: the system allows 107 bytes, homes may lie deeper."""
    if len(os.fsencode(path)) <= _MAX_PATH_BYTES:
        yield str(path)
        return
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{path.name}"
    finally:
        os.close(handle)

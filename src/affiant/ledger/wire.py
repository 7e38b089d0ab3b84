"""Frames of `run/writer.sock`: u32 big-endian length, then a msgpack array. The messages are in docs/ledger.md.

Leaves out: what the messages do (`server`, `client`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from affiant.kit.errors import BadInput

MAX_FRAME_BYTES = 128 * 1024 * 1024
MAX_PATH_BYTES = 100
OTHER, OPENS, CLOSES = 0, 1, 2
MARKS = {"exchange.opened": OPENS, "exchange.closed": CLOSES}
_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()

Message = list[Any]


class Head(msgspec.Struct, frozen=True):
    """What the writer reads of an envelope."""

    type: str
    producer: str
    seq: int
    ref: str = ""


read_head = msgspec.json.Decoder(Head).decode


def pack_frame(message: list[Any] | tuple[Any, ...]) -> bytes:
    """One frame."""
    data = _encoder.encode(message)
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by these bytes.

        Raises:
            BadInput: a frame that is too large or no array; close the connection.
        """
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        offset, size = 0, len(buffer)
        while size - offset >= 4:
            (length,) = _LENGTH.unpack_from(buffer, offset)
            if length > MAX_FRAME_BYTES:
                raise BadInput(f"A frame of {length} bytes is too large.", "Send fewer entries at once.")
            if size - offset - 4 < length:
                break
            with memoryview(buffer) as view:
                message = _decode(view[offset + 4 : offset + 4 + length])
            messages.append(message)
            offset += 4 + length
        if offset:
            del buffer[:offset]
        return messages


def _decode(data: memoryview) -> Message:
    try:
        message = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadInput(f"A frame is not msgpack: {error}.", "Use Affiant's own client.") from None
    finally:
        data.release()
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise BadInput("A frame is no array that begins with a verb.", "Use Affiant's own client.")
    return message


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a socket that fits the system's limit of 107 bytes, however deep the home lies."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)

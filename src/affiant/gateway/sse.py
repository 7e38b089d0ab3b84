"""Server-sent events of a provider, cut out of bytes in any pieces. Leaves out: what they say (`streaming`)."""

from __future__ import annotations

from affiant.gateway.faults import LinkFault

MAX_EVENT_BYTES = 4 * 1024 * 1024
DONE = b"[DONE]"


class Events:
    """Takes bytes, gives the data of complete events."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Data of the events that this piece completes, in order.

        Raises:
            LinkFault: an event is too large.
        """
        buffer = self._buffer + piece if self._buffer else piece
        if b"\r" in buffer:
            tail = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
        *blocks, self._buffer = buffer.split(b"\n\n")
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise LinkFault("garbage", "An event of the provider is too large.", 200)
        found = []
        for block in blocks:
            data = self._data(block)
            if data is not None:
                found.append(data)
        return found

    @staticmethod
    def _data(block: bytes) -> bytes | None:
        if block.startswith(b"data: ") and b"\n" not in block:
            return block[6:]
        lines = []
        for line in block.split(b"\n"):
            if line.startswith(b"data:"):
                value = line[5:]
                lines.append(value[1:] if value.startswith(b" ") else value)
        return b"\n".join(lines) if lines else None

    @property
    def rest(self) -> bytes:
        """What is left incomplete."""
        return self._buffer

"""One connection to `run/writer.sock`, as the writer's side sees it: frames in, frames out.

Leaves out: what a message does (`server` in an embedded home, `serverhome.node` on servers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, cast

from affiant.kit.errors import BadInput
from affiant.ledger.wire import Frames, Message, pack_frame


class Owner(Protocol):
    """Who listens."""

    peers: set[Peer]

    def take(self, peer: Peer, messages: Sequence[Message]) -> None:
        """Messages came; at least one."""

    def gone(self, peer: Peer) -> None:
        """The connection dropped."""


class Peer(asyncio.Protocol):
    """One connection.

    Attributes:
        producer: set by a hello that was answered `ready`, else empty.
        transport: None once the connection is gone.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._frames = Frames()
        self.transport: asyncio.Transport | None = None
        self.producer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count as connected."""
        self.transport = cast(asyncio.Transport, transport)
        self._owner.peers.add(self)

    def data_received(self, data: bytes) -> None:
        """Hand on whole messages; what is no frame is answered and ends the connection."""
        try:
            messages = self._frames.feed(data)
        except BadInput as error:
            self.send("error", 0, "bad_entry", str(error))
            self.close()
            return
        if messages:
            self._owner.take(self, messages)

    def connection_lost(self, error: Exception | None) -> None:
        """Say so."""
        self._owner.peers.discard(self)
        self._owner.gone(self)
        self.transport = None

    def send(self, *message: Any) -> None:
        """Answer, if anybody is there."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(pack_frame(message))

    def close(self) -> None:
        """Disconnect."""
        if self.transport is not None:
            self.transport.close()

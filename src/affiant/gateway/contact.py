"""Contact with control: snapshots in, acknowledgements and lease requests out, over `run/snapshot.sock`.

A worker without a confirmation for `stale_ok` refuses; a confirmation counts from the look at records that it rests on, however late it
is read. Times here are monotonic seconds, never the wall clock, which a demonstration may stand still. Leaves out: what follows from a
snapshot (`tables`) and from losing contact (`watch`).
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from affiant.gateway.tables import Tables
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger.wire import reachable
from affiant.records.snapshot import Ack, Confirm, Grant, Lease, Push, ToWorker

RETRY_S = 0.1
LEASE_TIMEOUT_S = 1.0
_MAX_FRAME = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_decode = msgspec.msgpack.Decoder(ToWorker).decode
_encode = msgspec.msgpack.Encoder().encode


class _Link(asyncio.Protocol):
    def __init__(self, contact: Contact) -> None:
        self._contact = contact
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 4:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > _MAX_FRAME:
                self._contact.drop("a frame is too large")
                return
            if len(buffer) < 4 + length:
                return
            frame = bytes(buffer[4 : 4 + length])
            del buffer[: 4 + length]
            self._contact.received(frame)

    def connection_lost(self, error: Exception | None) -> None:
        self._contact.lost(self)


class Contact:
    """A worker's contact with control.

    Args:
        path: `HOME/run/snapshot.sock`.
        worker: name, such as `gateway-0`.
        in_flight: gives the number of exchanges open now.
        on_change: called with the new tables after they are in force.
        complain: told why a push cannot be used.
    """

    def __init__(
        self, path: Path, worker: str, in_flight: Callable[[], int], on_change: Callable[[Tables], object], complain: Callable[[str], None]
    ) -> None:
        self.tables: Tables | None = None
        self.confirmed_s = float("-inf")
        self._path, self._worker = path, worker
        self._in_flight, self._on_change, self._complain = in_flight, on_change, complain
        self._link: _Link | None = None
        self._transport: asyncio.Transport | None = None
        self._wake = asyncio.Event()
        self._leases: dict[int, asyncio.Future[int]] = {}
        self._number = 0
        self.serving: Callable[[], bool] = self.fresh

    def fresh(self) -> bool:
        """Whether the tables may be decided from now."""
        tables = self.tables
        return tables is not None and time.monotonic() - self.confirmed_s <= tables.stale_ok_s

    async def run(self) -> None:
        """Stay connected until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                if self._link is None:
                    try:
                        with reachable(self._path) as name:
                            transport, link = await loop.create_unix_connection(lambda: _Link(self), name)
                    except OSError:
                        await asyncio.sleep(RETRY_S)
                        continue
                    self._transport, self._link = transport, link
                    self._ack()
                self._wake.clear()
                await self._wake.wait()
                await asyncio.sleep(RETRY_S)
        finally:
            if self._transport is not None:
                self._transport.close()

    def received(self, frame: bytes) -> None:
        """One frame of control."""
        try:
            message = _decode(frame)
        except msgspec.DecodeError as error:
            self.drop(f"a frame cannot be read: {error}")
            return
        if isinstance(message, Grant):
            future = self._leases.pop(message.number, None)
            if future is None or future.done():
                return
            if message.granted < 0:
                future.set_exception(CouldNotLook("Control cannot tell what is left.", "Try again."))
            else:
                future.set_result(message.granted)
            return
        if isinstance(message, Push):
            try:
                tables = Tables(message.snapshot)
            except (BadInput, ValueError) as error:
                self._complain(f"snapshot {message.snapshot.epoch} cannot be used: {error}")
                return
            self.tables = tables
            self.confirmed_s = _seconds(message.looked_ns)
            self._on_change(tables)
        elif isinstance(message, Confirm) and self.tables is not None and message.epoch == self.tables.epoch:
            self.confirmed_s = max(self.confirmed_s, _seconds(message.looked_ns))
        self._ack()

    def _ack(self) -> None:
        epoch = self.tables.epoch if self.tables else 0
        self._send(Ack(self._worker, epoch, int(self.serving()), self._in_flight()))

    def _send(self, message: Ack | Lease) -> None:
        if self._transport is not None:
            data = _encode(message)
            self._transport.write(_LENGTH.pack(len(data)) + data)

    async def lease(self, limit: str, subject: str, window: int, want: int, need: int) -> int:
        """Ask for a slice of a limit; gives less than `need` where there is no more.

        Raises:
            CouldNotLook: control did not answer in time, or cannot tell.
        """
        if self._transport is None:
            raise CouldNotLook("Control cannot be reached.", "Try again.")
        self._number += 1
        number = self._number
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._leases[number] = future
        self._send(Lease(number, limit, subject, window, want, need))
        try:
            async with asyncio.timeout(LEASE_TIMEOUT_S):
                return await future
        except TimeoutError:
            raise CouldNotLook("Control did not answer in time.", "Try again.") from None
        finally:
            self._leases.pop(number, None)

    def drop(self, why: str) -> None:
        """Break the connection, to be made anew."""
        self._complain(why)
        if self._transport is not None:
            self._transport.abort()

    def lost(self, link: _Link) -> None:
        """The connection is gone; who waits for a lease is told."""
        if link is not self._link:
            return
        self._link = self._transport = None
        for future in self._leases.values():
            if not future.done():
                future.set_exception(CouldNotLook("Contact with control was lost.", "Try again."))
        self._wake.set()


def _seconds(looked_ns: int) -> float:
    """When the look at records began that a message rests on; now, if it does not say."""
    now_s = time.monotonic()
    return min(now_s, looked_ns / 1e9) if looked_ns else now_s

"""The upstream pool: keep-alive HTTP/1.1 connections to providers over llhttp. TLS 1.3 where the URL says https.

One connection serves one attempt at a time, in one of two ways: a whole body, or pieces as they come, with reading paused
while nobody takes them. Leaves out: what is sent and what an answer means (`forward`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from functools import lru_cache
from typing import cast

import httptools

from affiant.gateway.addresses import addresses_of
from affiant.gateway.faults import LinkFault
from affiant.gateway.tables import Endpoint

CONNECT_TIMEOUT_S = 5.0
IDLE_KEEP_S = 30.0
MAX_IDLE = 128  # connections kept per endpoint
MAX_BODY_BYTES = 32 * 1024 * 1024
_PAUSE_BYTES = 512 * 1024


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """TLS towards providers: system trust, names checked, 1.3 or nothing."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class Connection(asyncio.Protocol):
    """One connection to a provider; made by `Pool.take`."""

    def __init__(self, pool: Pool, endpoint: Endpoint) -> None:
        self._pool, self._endpoint = pool, endpoint
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self.idle_since_s = 0.0
        self.used = False
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._total = 0
        self._complete = False
        self._keep = False
        self._fault: LinkFault | None = None
        self._busy = False

    # -- used by one attempt

    def send(self, data: bytes) -> None:
        """Begin an attempt with the bytes of a request."""
        self._reset_if_used()
        self._busy = True
        if self._transport is None or self._transport.is_closing():
            self._fail(LinkFault("reset", "The provider closed the connection."))
            return
        self._transport.write(data)

    def _reset_if_used(self) -> None:
        if self.used:
            self._reset()
        self.used = True

    async def head(self, timeout_s: float) -> int:
        """The status, when headers are there.

        Raises:
            LinkFault: nothing usable came in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self.status:
            await self._wait(deadline)
        return self.status

    async def body(self, timeout_s: float) -> bytes:
        """The whole body.

        Raises:
            LinkFault: it did not come whole, in time, or within the size limit.
        """
        deadline = time.monotonic() + timeout_s
        while not self._complete:
            await self._wait(deadline)
        return b"".join(self._pieces)

    async def piece(self, timeout_s: float) -> bytes | None:
        """The next piece of the body; None at its proper end.

        Raises:
            LinkFault: it broke off, or nothing came in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._pieces:
            if self._complete:
                return None
            await self._wait(deadline)
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def end(self) -> None:
        """Give the connection back: kept where the answer came whole, closed otherwise."""
        if self._complete and self._keep and self._fault is None and self._transport is not None and not self._transport.is_closing():
            self._busy = False
            self._pieces.clear()
            self._pool.keep(self._endpoint, self)
        else:
            self.close()

    def abort(self, fault: LinkFault) -> None:
        """Break off from outside: whoever waits gets this fault."""
        self._fail(fault)
        self.close()

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def alive(self) -> bool:
        """Whether it may be used for another attempt."""
        return self._transport is not None and not self._transport.is_closing() and self._fault is None

    async def _wait(self, deadline: float) -> None:
        self._raise_fault()
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_later(max(0.0, deadline - time.monotonic()), self._timed_out)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None
        if not self._pieces:
            self._raise_fault()

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _timed_out(self) -> None:
        self._fail(LinkFault("timeout", "The provider did not answer in time."))

    def _fail(self, fault: LinkFault) -> None:
        if self._fault is None:
            self._fault = fault
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        if not self._busy or self._complete:
            self.close()  # bytes that nobody asked for: never to be taken for the next answer
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(LinkFault("garbage", "The provider's answer is no HTTP/1.1."))
            self.close()
            return
        if self._size > _PAUSE_BYTES and not self._paused and self._streamed() and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def _streamed(self) -> bool:
        return b"event-stream" in self.headers.get(b"content-type", b"")

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.forget(self._endpoint, self)
        if self._busy and not self._complete:
            if self.status and self._keep_until_close():
                self._complete = True
                self._wake()
            else:
                self._fail(LinkFault("reset", "The provider broke the connection off.", self.status))

    def _keep_until_close(self) -> bool:
        """Whether the body is one that the end of the connection ends."""
        return b"content-length" not in self.headers and b"chunked" not in self.headers.get(b"transfer-encoding", b"").lower()

    # -- llhttp

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) < 128:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()
            return
        if self.headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            self._fail(LinkFault("garbage", "The provider compressed an answer that was to be plain.", status))
        self.status = status

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._size += len(body)
        self._total += len(body)
        if self._total > MAX_BODY_BYTES:
            self._fail(LinkFault("garbage", "The provider's answer is too large.", self.status))
            self.close()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._complete = True
            self._keep = self._parser.should_keep_alive()


class Pool:
    """Connections to all providers of one worker."""

    def __init__(self, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self._idle: dict[Endpoint, list[Connection]] = {}
        self._connect_timeout_s = connect_timeout_s

    async def take(self, endpoint: Endpoint, fresh: bool = False) -> Connection:
        """A connection, kept or new.

        Args:
            fresh: never a kept one, such as after a kept one failed.

        Raises:
            LinkFault: none could be made.
        """
        idle = self._idle.get(endpoint)
        while idle and not fresh:
            connection = idle.pop()
            if connection.alive and time.monotonic() - connection.idle_since_s < IDLE_KEEP_S:
                return connection
            connection.close()
        return await self._connect(endpoint)

    async def _connect(self, endpoint: Endpoint) -> Connection:
        loop = asyncio.get_running_loop()
        context = tls_context() if endpoint.scheme == "https" else None
        fault = LinkFault("connect", "The provider cannot be reached.")
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                for address in await addresses_of(endpoint):
                    try:
                        _, connection = await loop.create_connection(
                            lambda: Connection(self, endpoint), address, endpoint.port, ssl=context,
                            server_hostname=endpoint.host if context else None,
                        )  # fmt: skip
                        return connection
                    except ssl.SSLError as error:
                        fault = LinkFault("tls", f"No TLS 1.3 with the provider: {error.reason}")
                    except OSError as error:
                        fault = LinkFault("connect", f"The provider cannot be reached: {error.strerror or error}")
        except TimeoutError:
            raise LinkFault("timeout", "The provider did not take the connection in time.") from None
        raise fault

    def keep(self, endpoint: Endpoint, connection: Connection) -> None:
        """Keep an idle connection."""
        idle = self._idle.setdefault(endpoint, [])
        if len(idle) >= MAX_IDLE:
            connection.close()
            return
        connection.idle_since_s = time.monotonic()
        idle.append(connection)

    def forget(self, endpoint: Endpoint, connection: Connection) -> None:
        """A connection is gone."""
        idle = self._idle.get(endpoint)
        if idle and connection in idle:
            idle.remove(connection)

    def close(self) -> None:
        """Close what is idle."""
        for idle in self._idle.values():
            for connection in list(idle):
                connection.close()
        self._idle.clear()

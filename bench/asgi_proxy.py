"""A bare raw-ASGI proxy: what a gateway in this language costs before it does anything. Run by uvicorn; UPSTREAM names host:port.

One kept-alive pool over llhttp, bodies passed on whole. Leaves out: streaming, errors, keys, guards, evidence.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools

HOST, _, PORT = os.environ.get("UPSTREAM", "127.0.0.1:8000").rpartition(":")
_idle: list[_Upstream] = []


class _Upstream(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self.answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.answer.set_result((self._parser.get_status_code(), b"".join(self._body)))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError("upstream closed"))
            self.answer.exception()

    async def ask(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        self._reset()
        self._transport.write(head + body)
        return await self.answer


async def _connection() -> _Upstream:
    if _idle:
        return _idle.pop()
    _, protocol = await asyncio.get_running_loop().create_connection(_Upstream, HOST, int(PORT))
    return protocol


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """The proxy."""
    if scope["type"] != "http":
        return
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = b"".join(parts)
    key = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    head = b"POST %b HTTP/1.1\r\nhost: upstream\r\ncontent-type: application/json\r\nauthorization: %b\r\ncontent-length: %d\r\n\r\n" % (
        scope["raw_path"], key, len(body),
    )  # fmt: skip
    upstream = await _connection()
    status, answer = await upstream.ask(head, body)
    _idle.append(upstream)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

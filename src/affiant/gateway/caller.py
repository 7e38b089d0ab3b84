"""The caller's side of one exchange: reading its body, answering it, noticing that it left. ASGI and nothing above it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from affiant.gateway.codes import Code
from affiant.gateway.faults import Refusal
from affiant.gateway.formats import Format, error_body
from affiant.gateway.live import Live

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 1024 * 1024
DRAIN_BYTES = 16 * 1024 * 1024
"""A body that is too large is taken and dropped up to here, so that its sender gets to read the refusal."""
_JSON = (b"content-type", b"application/json")
_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")


class CallerLeft(Exception):
    """The caller closed the connection."""


class Caller:
    """One request's connection.

    Args:
        exchange: its id, sent with every answer.
        spoken: the format of errors.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, exchange: str, spoken: Format) -> None:
        self.scope, self.spoken = scope, spoken
        self._receive, self._send, self._exchange = receive, send, exchange
        self.headers: list[tuple[bytes, bytes]] = [(b"x-affiant-exchange", exchange.encode()), (b"cache-control", b"no-store")]
        if spoken is Format.ANTHROPIC:
            self.headers.append((b"request-id", exchange.encode()))
        self.started = False
        self._hash = hashlib.sha256()
        self._digest = b""

    def header(self, wanted: bytes) -> bytes:
        """The last value of a header; b"" where it was not sent."""
        return next((bytes(value) for name, value in reversed(self.scope["headers"]) if name == wanted), b"")

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    async def body(self, most: int = MAX_BODY_BYTES) -> bytes:
        """The request body.

        Raises:
            Refusal: it is too large.
            CallerLeft: it never came whole.
        """
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerLeft
            piece = message.get("body", b"")
            size += len(piece)
            if size <= most:
                pieces.append(piece)
            elif size > DRAIN_BYTES:
                break
            if not message.get("more_body"):
                break
        if size > most:
            raise Refusal("request_too_large", detail=f"At most {most} bytes.")
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]

    def left(self) -> bool:
        """Whether the caller has left, without waiting."""
        asked: Any = self._receive()
        try:
            asked.send(None)
        except StopIteration as stop:
            return bool(stop.value["type"] == "http.disconnect")
        asked.close()
        return False

    # -- a whole answer

    async def answer(self, status: int, body: bytes, content_type: bytes = b"application/json", retry_after_s: int = 0) -> None:
        """Send a whole answer."""
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *self.headers]
        if retry_after_s:
            headers.append((b"retry-after", str(retry_after_s).encode()))
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, code: Code, param: str | None, detail: str, retry_after_s: int = 0) -> None:
        """Send an error."""
        if code.status == 503 and not retry_after_s:
            retry_after_s = 1
        await self.answer(code.status, error_body(self.spoken, code, self._exchange, param, detail), retry_after_s=retry_after_s)

    # -- a stream

    async def frames(self, data: bytes, live: Live, last: bool = False) -> None:
        """Send frames of a stream; the first ones begin it.

        While a slow caller takes them, cutting the exchange cancels the task.
        """
        if live.reason:
            return
        live.sending = True
        try:
            if not self.started:
                self.started = True
                await self._send({"type": "http.response.start", "status": 200, "headers": [_STREAM, *self.headers]})
            if not last:
                self._hash.update(data)
            await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        finally:
            live.sending = False

    async def end(self, data: bytes) -> None:
        """Send the last bytes of a stream that is not cut while it does so."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    def digest(self, final: bytes = b"") -> bytes:
        """SHA-256 over the frames released so far and `final`."""
        whole = self._hash.copy()
        whole.update(final)
        return whole.digest()

"""A small HTTP/1.1 client on one kept-alive connection: what a probe, a witness call or a demo caller needs, over a real socket.

Leaves out: TLS beyond the platform's default context, redirects, proxies, cookies. Parsing is llhttp's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

from affiant.kit.errors import BadInput, CouldNotLook

_MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end.

    Args:
        status: HTTP status.
        headers: lower-case names; the last value of a repeated one.
        body: whole body, of a stream too.
        complete: whether the message ended as HTTP says it must; False when the connection was cut.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True


class _Reading:
    """Callbacks of one response."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.size = 0
        self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.size += len(body)
        if self.size > _MAX_BODY:
            raise CouldNotLook("The answer is larger than 64 MiB.", "Ask for less.")
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.done = True


class Wire:
    """One connection to one origin; requests follow one another on it. Not for concurrent use.

    Args:
        url: `http://host:port` or `https://…`; a path is put before each request's own. `unix:PATH` for a Unix socket.
        timeout_s: longest wait for an answer to end.
    """

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self._socket_path = url[5:] if url.startswith("unix:") else ""
        parts = urlsplit("http://localhost" if self._socket_path else url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{url} is no http or https URL.", "Write it as http://host:port.")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send one request and read its answer.

        Raises:
            CouldNotLook: no connection, no answer in time, or bytes that are no HTTP.
        """
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
        fresh = self._writer is None
        try:
            reply = await asyncio.wait_for(self._exchange(data), self._timeout_s)
            if reply is None and not fresh:
                reply = await asyncio.wait_for(self._exchange(data), self._timeout_s)
        except (OSError, TimeoutError) as error:
            await self.close()
            raise CouldNotLook(f"{self._host}:{self._port} did not answer: {error or 'timed out'}.", "Is it running?") from error
        except httptools.HttpParserError as error:
            await self.close()
            raise CouldNotLook(f"{self._host}:{self._port} answered with bytes that are no HTTP: {error}.", "Check the URL.") from error
        if reply is None:
            raise CouldNotLook(f"{self._host}:{self._port} closed the connection without an answer.", "Is it running?")
        return reply

    async def close(self) -> None:
        """Close the connection, if any; the next request opens another."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            try:
                await writer.wait_closed()
            except (OSError, ssl.SSLError):
                return

    async def _exchange(self, data: bytes) -> Reply | None:
        """None when a kept-alive connection turns out to be closed before any byte of an answer."""
        if self._writer is None or self._reader is None:
            if self._socket_path:
                self._reader, self._writer = await asyncio.open_unix_connection(self._socket_path)
            else:
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        reading = _Reading()
        parser = httptools.HttpResponseParser(reading)
        started = False
        try:
            self._writer.write(data)
            await self._writer.drain()
            while not reading.done:
                piece = await self._reader.read(65_536)
                if not piece:
                    break
                started = True
                parser.feed_data(piece)
        except ConnectionError:
            if not started:
                await self.close()
                return None
        if not started:
            await self.close()
            return None
        keep = reading.done and parser.should_keep_alive()
        # A body without a length ends with the connection; llhttp reports no completion then.
        until_close = not reading.done and "content-length" not in reading.headers and "transfer-encoding" not in reading.headers
        reply = Reply(parser.get_status_code(), reading.headers, b"".join(reading.body), reading.done or until_close)
        if not keep:
            await self.close()
        return reply

"""The simulator's HTTP: one asyncio protocol over llhttp, light enough to be the far end of a benchmark.

Chat Completions, Responses, Messages and Embeddings are served at their paths. Any path prefix names a provider:
`/harbor/v1/chat/completions` counts for `harbor`, `/v1/…` for `sim`.
Beside the provider's API: `GET /usage?day=&held=` or `/harbor/usage` (CSV), `GET /sim/seen` (ids), `POST /sim/forget`, `GET /sim/health`.
Leaves out: TLS, HTTP/2, authentication of any key (each key is an account of its own).
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, cast
from urllib.parse import parse_qs

import httptools
import msgspec

from affiant.kit.clock import Clock, open_clock
from affiant.testing.simulator import answers
from affiant.testing.simulator.answers import Asked, Said, Wire
from affiant.testing.simulator.book import Book, Seen
from affiant.testing.simulator.chat import Chat
from affiant.testing.simulator.embeddings import Embeddings
from affiant.testing.simulator.messages import Messages
from affiant.testing.simulator.responses import Responses
from affiant.testing.simulator.script import PLAIN, Script, read_script

MODELS = ("sim-small", "sim-large", "sim-embed")
WIRES: dict[str, Wire] = {"completions": Chat(), "responses": Responses(), "messages": Messages(), "embeddings": Embeddings()}
"""By the last segment of a path."""
_REASON = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large", 429: "Too Many Requests"}
_MAX_BODY = 32 * 1024 * 1024
NOTICE = "Affiant provider simulator: a stand-in for a model provider. It has no model and accepts any key."


class Simulator:
    """A running simulator. `async with Simulator() as sim`, or `await sim.start()` and `await sim.stop()`.

    Args:
        port: 0 for a free one.
        accounts: key secret -> account label.
        clock: wall time that days of usage are counted by; default as `kit.clock.open_clock`.
        state: file in which counts are kept between starts.
        script: what happens where a request names no script.
        announce: whether to say on standard error that this is a stand-in.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        accounts: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        state: Path | None = None,
        script: Script = PLAIN,
        announce: bool = True,
    ) -> None:
        self.book = Book(accounts, state)
        self.script = script
        self.clock = clock or open_clock()
        self.number = 0
        self.failures: dict[str, int] = {}
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._saver: asyncio.Task[None] | None = None
        self.connections: set[_Connection] = set()
        if announce:
            print(NOTICE, file=sys.stderr, flush=True)  # noqa: T201 -- a stand-in announces itself

    async def start(self) -> Simulator:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self._host, self._port, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]
        self._saver = loop.create_task(self._save_often())
        return self

    async def stop(self) -> None:
        """Close every connection and keep the counts."""
        assert self._server is not None and self._saver is not None
        self._saver.cancel()
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)
        self.book.save()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Base URL without a path: `http://127.0.0.1:PORT`."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Simulator:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.book.save()


class _Connection(asyncio.Protocol):
    """One connection: requests are answered in order, one at a time."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._waiting: deque[tuple[str, str, dict[str, str], bytes]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._keep = True
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    # -- asyncio and parser callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sim.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sim.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Close now."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as fault:
            self._keep = False
            self._respond(400, answers.error(400, f"No HTTP: {fault}"))

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= _MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._keep = self._parser.should_keep_alive()
        method = self._parser.get_method().decode("ascii")
        item = (method, self._url.decode("latin-1"), self._headers, b"".join(self._body))
        self._url, self._headers, self._body, self._size = b"", {}, [], 0
        if self._task is not None:
            self._waiting.append(item)
        else:
            self._handle(*item)

    # -- answering

    def _handle(self, method: str, url: str, headers: dict[str, str], body: bytes) -> None:
        path, _, query = url.partition("?")
        segments = [part for part in path.split("/") if part]
        wire = WIRES.get(segments[-1]) if segments and method == "POST" else None
        if wire is not None and (segments[-1] != "completions" or segments[-2:-1] == ["chat"]):
            self._exchange(wire, segments, headers, body)
        elif segments[-1:] == ["models"] and method == "GET":
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "simulator"} for name in MODELS]
            self._respond(200, msgspec.json.encode({"object": "list", "data": data}))
        else:
            self._control(method, segments, parse_qs(query))

    def _control(self, method: str, segments: list[str], query: dict[str, list[str]]) -> None:
        book = self._sim.book
        if method == "GET" and segments[-1:] == ["usage"]:
            days = [int(day) for day in query.get("day", []) if day.isdigit()] or None
            held = frozenset(query["held"][0].split(",")) if "held" in query else None
            self._respond(200, book.usage_csv(days, "/".join(segments[:-1]), held).encode(), "text/csv")
        elif method == "GET" and segments == ["sim", "seen"]:
            self._respond(200, msgspec.json.encode([s.row() for s in book.requests]))
        elif method == "POST" and segments == ["sim", "forget"]:
            book.forget()
            self._respond(200, b"{}")
        elif method == "GET" and segments == ["sim", "health"]:
            self._respond(200, msgspec.json.encode({"simulator": 1, "requests": self._sim.number}))
        else:
            self._respond(404, answers.error(404, "The simulator has no such path."))

    def _exchange(self, wire: Wire, segments: list[str], headers: dict[str, str], body: bytes) -> None:
        base = segments[:-2] if segments[-1] == "completions" else segments[:-1]
        prefix = [part for part in base if part != "v1"]
        secret = wire.secret(headers)
        if not secret:
            self._respond(401, wire.error(401, "You didn't provide an API key."))
            return
        try:
            asked = wire.read(body)
        except msgspec.DecodeError as fault:
            self._respond(400, wire.error(400, f"The body is no request of this path: {fault}"))
            return
        sim = self._sim
        sim.number += 1
        account = sim.book.account_of(secret)
        seen = Seen(
            headers.get("x-affiant-request", ""), prefix[0] if prefix else "sim", account, asked.model,
            tokens_in=answers.count_tokens(asked.texts),
        )  # fmt: skip
        sim.book.begin(seen, sim.clock.now_us())
        script = read_script(headers.get("x-simulator-script", ""), asked.model, asked.end, sim.script)
        status = script.status
        if script.flaky:
            count = sim.failures[account] = sim.failures.get(account, 0) + 1
            status = 500 if count % script.flaky == 0 else status
        if status:
            seen.status = status
            extra = f"retry-after: {script.retry_after_s}\r\n" if status == 429 else ""
            self._respond(status, wire.error(status, f"Scripted failure {status}."), extra=extra)
        elif script.fault == "drop-first":
            self._transport.close()
        elif script.fault == "hang":
            self._run(asyncio.Event().wait())
        else:
            self._answer(wire, asked, script, seen)

    def _answer(self, wire: Wire, asked: Asked, script: Script, seen: Seen) -> None:
        sim = self._sim
        text, arguments = answers.compose(asked, script), answers.arguments_of(asked, script)
        seen.tokens_out = answers.count_tokens(text + arguments) if text else 0
        seen.status = 200
        usage = (seen.tokens_in, seen.tokens_out) if script.usage else None
        said = Said(sim.number, sim.clock.now_us() // 1_000_000, text, arguments, usage)
        if asked.stream:
            parts = wire.events(asked, said, script.chunk_chars)
            if script.fault == "garbage":
                parts[len(parts) // 2] = b"data: {]\xff\xfe this is no event\n\n"
            self._stream(parts, script, seen)
            return
        whole = wire.plain(asked, said)
        if script.fault == "garbage":
            whole = b"<html>\xff\xfe no JSON here</html>"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(whole)}\r\n{self._alive()}\r\n".encode()
        if script.slow_ms or script.fault == "drop":
            self._run(self._write_slow([head + whole[: len(whole) // 2], whole[len(whole) // 2 :]], script, seen))
        else:
            self._transport.write(head + whole)
            self._done(seen)

    def _stream(self, parts: list[bytes], script: Script, seen: Seen) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n{self._alive()}\r\n".encode()
        framed = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        framed.append(b"0\r\n\r\n")
        if script.piece_bytes:
            joined = b"".join(framed)
            framed = [joined[n : n + script.piece_bytes] for n in range(0, len(joined), script.piece_bytes)]
        if script.slow_ms or script.piece_bytes or script.fault == "drop":
            self._run(self._write_slow([head, *framed], script, seen))
        else:
            self._transport.write(head + b"".join(framed))
            self._done(seen)

    async def _write_slow(self, pieces: list[bytes], script: Script, seen: Seen) -> None:
        for number, piece in enumerate(pieces):
            if script.fault == "drop" and number >= len(pieces) // 2:
                await asyncio.sleep(0.005)
                self._transport.close()
                return
            await asyncio.sleep(script.slow_ms / 1000)
            self._transport.write(piece)
        self._done(seen)

    def _done(self, seen: Seen) -> None:
        self._sim.book.finish(seen, self._sim.clock.now_us())
        if not self._keep:
            self._transport.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._next)

    def _next(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        if fault := task.exception():
            raise fault
        while self._waiting and self._task is None:
            self._handle(*self._waiting.popleft())

    def _alive(self) -> str:
        return "" if self._keep else "connection: close\r\n"

    def _respond(self, status: int, body: bytes, kind: str = "application/json", extra: str = "") -> None:
        reason = _REASON.get(status, "Error")
        self._transport.write(
            f"HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}{self._alive()}\r\n".encode()
            + body
        )
        if not self._keep:
            self._transport.close()

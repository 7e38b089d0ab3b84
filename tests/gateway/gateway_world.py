"""A worker with everything around it that is real (writer, provider simulator, sockets), and a control that tests steer."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httptools
import msgspec
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from affiant.gateway import Timeouts, WorkerOptions, serve
from affiant.guards import GuardChain
from affiant.kit.clock import SystemClock
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Event, LedgerReader, Writer, WriterOptions, decode
from affiant.ledger.server import WriterServer
from affiant.records.snapshot import (
    Ack,
    Confirm,
    Grant,
    KeySnap,
    Lease,
    ModelSnap,
    PolicySnap,
    ProviderSnap,
    Push,
    RouteSnap,
    RuleSnap,
    Snapshot,
    TenantKeySnap,
    ToControl,
)
from affiant.testing import Simulator

RING = Keyring(bytes(range(32)), bytes(32), "local")
SECRET = "afk_test-secret"
TENANT_KEY, NO_TENANT_KEY = bytes([7]) * 32, bytes([9]) * 32
_LENGTH = struct.Struct(">I")


def rule(guard: str, action: str, how: str = "mask", **types: str) -> RuleSnap:
    return RuleSnap(guard, action, how, 500_000, types)


def policy(name: str, *rules: RuleSnap, loss: str = "refuse") -> PolicySnap:
    return PolicySnap(name, hashlib.sha256(name.encode()).hexdigest(), rules, loss)


DEFAULT = policy(
    "default",
    rule("sanitize", "redact", "remove"),
    rule("pii", "redact", "pseudonymize"),
    rule("injection", "block"),
    rule("output", "redact"),
)
STRICT = policy("strict", rule("sanitize", "block"), rule("pii", "block"), rule("injection", "block"), rule("output", "block"))


def key(name: str, secret: str, scope: tuple[str, ...] = ("*",), tenant: str = "acme", **more: int) -> KeySnap:
    return KeySnap(name, hashlib.sha256(secret.encode()).hexdigest(), "ann", tenant, scope, **more)


def snapshot(base_url: str, **more: Any) -> Snapshot:
    """What most tests decide from: providers of both formats (public, internal), models, routes chat/watch/warn/strict."""
    months = tuple(TenantKeySnap(t, m, k) for t, k in (("acme", TENANT_KEY), ("-", NO_TENANT_KEY)) for m in range(202501, 203513))
    values: dict[str, Any] = {
        "epoch": 1,
        "node": "n1",
        "origin": "test.example/log",
        "keys": (key("k1", SECRET),),
        "providers": (
            ProviderSnap("sim", "openai", base_url + "/sim/v1", "env:AFFIANT_TEST_PROVIDER", "eu", "private", ("public", "internal")),
            ProviderSnap("two", "openai", base_url + "/two/v1", "env:AFFIANT_TEST_PROVIDER", "eu", "private", ("public", "internal")),
            ProviderSnap("bay", "anthropic", base_url + "/bay/v1", "env:AFFIANT_TEST_PROVIDER", "eu", "private", ("public", "internal")),
            ProviderSnap("cove", "anthropic", base_url + "/cove/v1", "env:AFFIANT_TEST_PROVIDER", "eu", "private", ("public", "internal")),
        ),
        "models": (
            ModelSnap("small", "sim", "sim-small", "1", 1),
            ModelSnap("new", "sim", "sim-large", "2", 0),
            ModelSnap("spare", "two", "sim-small", "1", 1),
            ModelSnap("verse", "bay", "sim-small", "1", 1),
            ModelSnap("refrain", "cove", "sim-small", "1", 1),
        ),
        "routes": (
            RouteSnap("chat", ("small", "verse"), "default", "enforce", "internal", ""),
            RouteSnap("small", ("small",), "default", "enforce", "internal", "", 1),
            RouteSnap("watched", ("small", "verse"), "strict", "watch", "internal", ""),
            RouteSnap("warned", ("small", "verse"), "strict", "warn", "internal", ""),
            RouteSnap("strict", ("small", "verse"), "strict", "enforce", "internal", ""),
            RouteSnap("exact", ("small", "verse"), "default", "enforce", "internal", "", 0, 1),
            RouteSnap("secret", ("small",), "default", "enforce", "restricted", ""),
            RouteSnap("chain", ("new", "small", "spare", "verse", "refrain"), "default", "enforce", "internal", ""),
            RouteSnap("other", ("small",), "default", "enforce", "internal", "globex"),
            RouteSnap("nopolicy", ("small",), "gone", "enforce", "internal", ""),
        ),
        "policies": (DEFAULT, STRICT),
        "limits": (),
        "tenant_keys": months,
        "stale_ok_ms": 10_000,
    }
    return Snapshot(**{**values, **more})


class Control:
    """A control that tests steer."""

    def __init__(self, path: Path, first: Snapshot) -> None:
        self.snapshot = first
        self.silent = False
        self.acks: list[Ack] = []
        self.granted: dict[tuple[str, str, int], int] = {}
        self._path = path
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))
        self._tasks = [asyncio.create_task(self._confirm())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0.01)

    def push(self, **more: Any) -> None:
        """A changed snapshot, one epoch on."""
        self.snapshot = msgspec.structs.replace(self.snapshot, epoch=self.snapshot.epoch + 1, **more)
        for writer in self._writers:
            self._send(writer, Push(self.snapshot))

    def _send(self, writer: asyncio.StreamWriter, message: Any) -> None:
        data = msgspec.msgpack.encode(message)
        writer.write(_LENGTH.pack(len(data)) + data)

    async def _confirm(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if not self.silent:
                for writer in self._writers:
                    self._send(writer, Confirm(self.snapshot.epoch))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._send(writer, Push(self.snapshot))
        decoder = msgspec.msgpack.Decoder(ToControl)
        try:
            while True:
                (length,) = _LENGTH.unpack(await reader.readexactly(4))
                message = decoder.decode(await reader.readexactly(length))
                if isinstance(message, Lease):
                    limit = next(known for known in self.snapshot.limits if known.id == message.limit)
                    slot = (message.limit, message.subject, message.window)
                    left = limit.value - self.granted.get(slot, 0)
                    given = max(0, min(left, message.want))
                    self.granted[slot] = self.granted.get(slot, 0) + given
                    self._send(writer, Grant(message.number, given))
                else:
                    self.acks.append(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()


class LedgerProcess:
    """The writer of a home, in this loop, so that a test can take it away and bring it back."""

    def __init__(self, home: Home, **options: Any) -> None:
        self._home, self._options = home, options
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._writer = Writer.open(self._home, RING, SystemClock(), WriterOptions(**self._options))
        self._server = WriterServer(self._writer)
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._server.run(self._home.run / "writer.sock", ready.set))
        await asyncio.wait_for(ready.wait(), 10)

    async def stop(self) -> None:
        if self._task is not None:
            self._server.stop()
            await self._task
            self._writer.close()
            self._task = None


class Answer:
    """An HTTP answer as it came; `complete` is false where the connection broke off."""

    def __init__(self) -> None:
        self.status_code, self.complete = 0, False
        self.headers: dict[str, str] = {}
        self.content = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.complete = True

    def json(self) -> Any:
        return msgspec.json.decode(self.content)

    @property
    def code(self) -> str:
        return str(self.json()["error"]["code"])

    def frames(self) -> list[Any]:
        """Data of a stream's events; `[DONE]` as text."""
        found = [block[block.index(b"data: ") + 6 :] for block in self.content.split(b"\n\n") if block]
        return ["[DONE]" if data == b"[DONE]" else msgspec.json.decode(data) for data in found]

    def text(self) -> str:
        """Content of the first choice, plain or streamed."""
        if self.headers.get("content-type", "").startswith("application/json"):
            return str(self.json()["choices"][0]["message"]["content"])
        chunks = [frame for frame in self.frames() if isinstance(frame, dict) and "choices" in frame]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


class World:
    """One worker and all around it."""

    def __init__(self, home: Home, sim: Simulator, control: Control, ledger: LedgerProcess, url: str) -> None:
        self.home, self.sim, self.control, self.ledger, self.url = home, sim, control, ledger, url
        self.stop_worker: asyncio.Event

    def openai(self, secret: str = SECRET, retries: int = 0) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=secret, base_url=self.url + "/v1", max_retries=retries, timeout=20)

    def anthropic(self, secret: str = SECRET) -> AsyncAnthropic:
        return AsyncAnthropic(api_key=secret, base_url=self.url, max_retries=0, timeout=20)

    async def post(self, body: Any, secret: str | None = SECRET, path: str = "/v1/chat/completions", **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call("POST", path, content, secret, headers)

    async def get(self, path: str, secret: str | None = SECRET) -> Answer:
        return await self.call("GET", path, b"", secret, {})

    async def call(self, method: str, path: str, content: bytes, secret: str | None, headers: dict[str, str]) -> Answer:
        """One request over a connection of its own."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        sent = {"host": "gateway", "content-length": str(len(content)), "connection": "close", **headers}
        if secret is not None:
            sent["authorization"] = f"Bearer {secret}"
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in sent.items())
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
            answer = Answer()
            parser = httptools.HttpResponseParser(answer)
            while not answer.complete:
                data = await asyncio.wait_for(reader.read(65536), 20)
                if not data:
                    break
                parser.feed_data(data)
            answer.status_code = parser.get_status_code()
            return answer
        finally:
            writer.close()
            await writer.wait_closed()

    def events(self, *types: str) -> list[Event]:
        reader = LedgerReader(self.home)
        found = [decode(entry) for entry in reader.entries(0, reader.size)]
        return [event for event in found if not types or event.type in types]

    def of(self, exchange: str) -> list[Event]:
        """Events of one exchange in order."""
        return [event for event in self.events() if event.ref == exchange]


def ask(text: str, model: str = "chat", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


@contextlib.asynccontextmanager
async def world(
    timeouts: Timeouts | None = None,
    per_minute: int = 60,
    ledger_options: dict[str, Any] | None = None,
    ledger_up: bool = True,
    provider: str = "",
    worker_options: dict[str, Any] | None = None,
    chain: GuardChain | None = None,
    **more: Any,
) -> AsyncIterator[World]:
    os.environ["AFFIANT_TEST_PROVIDER"] = "provider-secret"
    with tempfile.TemporaryDirectory() as directory:
        home = create_home(Path(directory) / "home", "test.example/log", SystemClock().now_us(), "n1")
        Writer.create(home, RING, SystemClock()).close()
        sim = Simulator(announce=False)
        await sim.start()
        ledger = LedgerProcess(home, **{"grace_s": 0.5, **(ledger_options or {})})
        if ledger_up:
            await ledger.start()
        control = Control(home.run / "snapshot.sock", snapshot(provider or sim.url, **more))
        await control.start()
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        made = World(home, sim, control, ledger, f"http://127.0.0.1:{listening.getsockname()[1]}")
        stop, ready = asyncio.Event(), asyncio.Event()
        made.stop_worker = stop
        options = replace(WorkerOptions(0, 1.0, per_minute), timeouts=timeouts or Timeouts(), **(worker_options or {}))
        worker = asyncio.create_task(serve(home, SystemClock(), listening, stop, options, ready.set, chain))
        try:
            await asyncio.wait_for(ready.wait(), 10)
            for _ in range(200):
                if control.acks and control.acks[-1].epoch and (control.acks[-1].ready or not ledger_up):
                    break
                await asyncio.sleep(0.02)
            yield made
        finally:
            stop.set()
            await asyncio.wait_for(worker, 20)
            listening.close()
            await control.stop()
            await ledger.stop()
            await sim.stop()


class FakeProvider:
    """A provider that keeps what it received and answers what the test says.

    Args:
        answer: of the decoded request; bytes are written as they are and the connection is kept; a list is written piece by piece,
            a number in it is a pause in seconds, None breaks the connection off.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer = answer
        self.bodies: list[bytes] = []
        self.ids: list[str] = []
        self.paths: list[str] = []
        self.heads: list[dict[str, str]] = []

    async def __aenter__(self) -> FakeProvider:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                self.bodies.append(body)
                self.ids.append(fields["x-affiant-request"])
                self.paths.append(head.decode().split(" ")[1])
                self.heads.append(fields)
                answer = self.answer(msgspec.json.decode(body))
                for piece in answer if isinstance(answer, list) else [answer]:
                    if piece is None:
                        return
                    if isinstance(piece, bytes):
                        writer.write(piece)
                        await writer.drain()
                    else:
                        await asyncio.sleep(piece)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def whole(content: Any, **message: Any) -> bytes:
    """A provider's plain answer as HTTP."""
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
    data = msgspec.json.encode(body)
    return f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def http_chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def delta(text: str | None = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk of a provider's stream as HTTP."""
    made = {**({"content": text} if text is not None else {}), **more}
    choice = {"index": index, "delta": made, "finish_reason": finish, "logprobs": None}
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return http_chunk(b"data: " + msgspec.json.encode(body) + b"\n\n")


def streamed(*pieces: str, pause: float = 0.0) -> list[Any]:
    """A whole stream of these contents."""
    made: list[Any] = [STREAM_HEAD, delta("", role="assistant")]
    for piece in pieces:
        made += [delta(piece), pause] if pause else [delta(piece)]
    return [*made, delta(finish="stop"), http_chunk(b"data: [DONE]\n\n"), STREAM_END]

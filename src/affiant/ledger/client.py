"""How a process writes events: `LedgerClient` over `run/writer.sock`.

One connection, one batch in flight; what arrives meanwhile forms the next batch. Events are stamped when their batch leaves. A batch
that was sent is sent again, with the same numbers, until it is answered. Leaves out: a blocking form (`syncclient`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant import __version__
from affiant.kit.clock import Clock
from affiant.kit.errors import AffiantError, BadInput, LedgerFault, LedgerUnavailable, NoRoom
from affiant.ledger.envelope import Draft, encode
from affiant.ledger.wire import CLOSES, MARKS, OPENS, Frames, Message, pack_frame, reachable

BATCH_ROWS = 1_024
BATCH_BYTES = 4 * 1024 * 1024
RETRY_S = 0.05
_AWAY = "The ledger writer cannot be reached."
_AWAY_NEXT = "Nothing was acknowledged; try again when `affiant status` shows the writer."

_monotonic = time.monotonic

Late = Callable[[Draft, int], Draft | None]


def error_of(code: str, text: str) -> AffiantError:
    """The error that an answer of the writer stands for."""
    if code == "no_room":
        return NoRoom(text, "Free space on the disk of the home.")
    if code in ("too_large", "bad_entry"):
        return BadInput(text, "Report this as a fault of Affiant.")
    return LedgerUnavailable(text, _AWAY_NEXT)


@dataclass(slots=True)
class _Call:
    """One `append`: its drafts, who waits, until when (monotonic), and its place in the batch."""

    drafts: Sequence[Draft]
    future: asyncio.Future[int]
    deadline: float
    offset: int = 0


@dataclass(slots=True)
class _Flight:
    """The batch that was sent: number, frame, first number, calls in it, and (mark, exchange) of what opens or closes one."""

    number: int
    frame: bytes
    first_seq: int
    calls: list[_Call]
    marked: list[tuple[int, str]]


class _Link(asyncio.Protocol):
    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self._frames = Frames()

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            self._client.received(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.lost(self)


class LedgerClient:
    """Writes events of one process. Make it with `connect`; not for more than one event loop.

    Attributes:
        producer: node/role/incarnation in force.
        on_late: told (draft, index) of an event that was written although its caller had given up; may give a draft
            to write after it, such as the closing of an exchange that was opened too late.
        on_ended: told (old producer, ids of exchanges that were open) when the writer had ended this incarnation.
    """

    def __init__(self, path: Path, node: str, role: str, clock: Clock, timeout_s: float, software: str) -> None:
        self.on_late: Late | None = None
        self.on_ended: Callable[[str, frozenset[str]], None] | None = None
        self._path = path
        self._node = node
        self._role = role
        self._clock = clock
        self._timeout_s = timeout_s
        self._software = software
        self._transport: asyncio.Transport | None = None
        self._link: _Link | None = None
        self._ready = False
        self._away_since = 0.0
        self._flight: _Flight | None = None
        self._queue: deque[_Call] = deque()
        self._open: set[str] = set()
        self._lost: set[str] = set()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._closed = False
        self._fatal: AffiantError | None = None
        self._wake = asyncio.Event()
        self._hello_done: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._flush_planned = False
        self._new_incarnation()

    @classmethod
    async def connect(
        cls, path: Path, node: str, role: str, clock: Clock, timeout_s: float = 2.0, software: str = __version__, wait: bool = True
    ) -> LedgerClient:
        """Connect and write `producer.started`.

        Args:
            path: `HOME/run/writer.sock`.
            node: name of this node.
            role: gateway, control or supervisor.
            timeout_s: real seconds after which a caller is told that the writer is away.
            wait: return only when the writer has answered; otherwise connect in the background.

        Raises:
            LedgerUnavailable: it did not answer in time (nothing is left running).
        """
        client = cls(path, node, role, clock, timeout_s, software)
        loop = asyncio.get_running_loop()
        client._loop = loop
        client._away_since = time.monotonic()
        client._tasks = [loop.create_task(client._keep_connected()), loop.create_task(client._watch())]
        started = loop.create_future()
        client._queue.append(_Call([client._started()], started, time.monotonic() + timeout_s))
        if wait:
            try:
                await started
            except BaseException:
                await client.close()
                raise
        else:
            started.add_done_callback(lambda future: future.cancelled() or future.exception())
        return client

    _loop: asyncio.AbstractEventLoop

    def _new_incarnation(self) -> None:
        self.producer = f"{self._node}/{self._role}/{secrets.token_hex(6)}"
        self._seq = 0
        self._started_ns = time.monotonic_ns()

    def _started(self) -> Draft:
        body = {"role": self._role, "node": self._node, "software": self._software}
        return Draft("producer.started", body, actor=f"system:{self._role}")

    # -- what callers use

    @property
    def available(self) -> bool:
        """Whether the writer answers now."""
        return self._ready and self._fatal is None

    async def append(self, drafts: Sequence[Draft], marks: Sequence[int] | None = None, timeout_s: float | None = None) -> int:
        """Write events, together and in order; returns when they are on disk.

        Args:
            drafts: at least one.
            marks: not needed; if given they must be what the types say (1 opens an exchange, 2 closes it, else 0).
            timeout_s: instead of the client's own.

        Returns:
            Index of the first; the others follow at once.

        Raises:
            LedgerUnavailable: the writer is away, slow, or had ended the incarnation in which this exchange was opened. The
                events may still be written if they had been sent; see `on_late`.
            NoRoom: the disk has no room for opening exchanges.
            BadInput: an event that cannot be written.
        """
        if self._fatal is not None:
            raise self._fatal
        if self._closed or not drafts:
            raise BadInput("The client is closed, or nothing was given.", "Give at least one event.")
        if marks is not None or self._lost:
            self._check_drafts(drafts, marks)
        now = _monotonic()
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        if not self._ready and now - self._away_since > wait_s:
            raise LedgerUnavailable(_AWAY, _AWAY_NEXT)
        call = _Call(drafts, self._loop.create_future(), now + wait_s)
        self._queue.append(call)
        if not self._flush_planned and self._flight is None:
            self._flush_planned = True
            self._loop.call_soon(self._flush)
        return await call.future

    def _check_drafts(self, drafts: Sequence[Draft], marks: Sequence[int] | None) -> None:
        for position, draft in enumerate(drafts):
            mark = MARKS.get(draft.type, 0)
            if marks is not None and marks[position] != mark:
                raise BadInput(f"{draft.type} has the mark {mark}.", "Leave marks out.")
            if mark == CLOSES and draft.ref in self._lost:
                self._lost.discard(draft.ref)
                raise LedgerUnavailable(
                    f"The exchange {draft.ref} was interrupted: its producer had ended.", "It is listed as interrupted."
                )

    async def outbox(self, timeout_s: float | None = None) -> int:
        """Have all committed outbox rows moved into the ledger.

        Returns:
            Highest row id moved; 0 if none was due.

        Raises:
            LedgerUnavailable: they could not be moved now; they will be later.
        """
        return int(await self._ask("outbox", timeout_s))

    async def checkpoint(self, timeout_s: float | None = None) -> bytes:
        """A signed note over everything on disk now, kept in `checkpoints.log`.

        Raises:
            LedgerUnavailable: no answer in time.
        """
        return bytes(await self._ask("checkpoint", timeout_s))

    async def status(self, timeout_s: float | None = None) -> dict[str, Any]:
        """What the writer says of itself: pid, size, signed, free_bytes, room (0/1), producers, fault (text, "" if none).

        Raises:
            LedgerUnavailable: no answer in time.
        """
        return dict(await self._ask("status", timeout_s))

    async def close(self) -> None:
        """Wait for what is in flight, say good-bye (this incarnation ends), disconnect."""
        if self._closed:
            return
        self._closed = True
        deadline = time.monotonic() + self._timeout_s
        while self._ready and (self._flight is not None or self._queue) and time.monotonic() < deadline:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(0.005)
        if self._ready:
            with contextlib.suppress(LedgerUnavailable):
                await self._ask("bye", 1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)
        self._fail_all(LedgerUnavailable("The ledger client was closed.", _AWAY_NEXT))

    # -- connection

    async def _keep_connected(self) -> None:
        while True:
            if self._link is None:
                try:
                    with reachable(self._path) as name:
                        transport, link = await self._loop.create_unix_connection(lambda: _Link(self), name)
                except OSError:
                    await asyncio.sleep(RETRY_S)
                    continue
                self._transport, self._link = transport, link
                first = self._flight.first_seq if self._flight is not None else self._seq
                transport.write(pack_frame(("hello", self.producer, first)))
            self._wake.clear()
            await self._wake.wait()
            await asyncio.sleep(RETRY_S)

    async def _watch(self) -> None:
        """Tell callers whose time is up; one timer for all of them."""
        while True:
            await asyncio.sleep(0.05)
            now = time.monotonic()
            if self._flight is not None:
                self._expire(self._flight.calls, now)
            if self._queue and self._expire(self._queue, now):
                self._queue = deque(call for call in self._queue if not call.future.done())

    @staticmethod
    def _expire(calls: Sequence[_Call] | deque[_Call], now: float) -> bool:
        expired = False
        for call in calls:
            if call.deadline <= now and not call.future.done():
                call.future.set_exception(LedgerUnavailable("The ledger writer did not answer in time.", _AWAY_NEXT))
                expired = True
        return expired

    def lost(self, link: _Link) -> None:
        """The connection dropped: connect again; the batch in flight stays in flight."""
        if link is not self._link:
            return
        self._link = self._transport = None
        if self._ready:
            self._away_since = time.monotonic()
        self._ready = False
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_exception(LedgerUnavailable(_AWAY, _AWAY_NEXT))
        self._wake.set()

    def received(self, message: Message) -> None:
        """One answer of the writer."""
        verb = message[0]
        if verb == "ok" and self._flight is not None and message[1] == self._flight.number:
            self._acknowledged(message[2])
        elif verb in ("ok", "checkpoint", "status"):
            future = self._asked.pop(message[1], None)
            if future is not None and not future.done():
                future.set_result(message[2])
        elif verb == "ready":
            self._ready = True
            if self._flight is not None and self._transport is not None:
                self._transport.write(self._flight.frame)
            else:
                self._flush()
        elif verb == "ended":
            self._begin_again()
        elif verb == "error":
            self._refused(message[1], message[2], message[3])

    def _refused(self, number: int, code: str, text: str) -> None:
        error = error_of(code, text)
        if self._flight is not None and number == self._flight.number:
            flight, self._flight = self._flight, None
            if code == "bad_seq":
                self._give_up(LedgerFault(text, "Run `affiant ledger verify`; restart this process."))
            else:
                self._seq = flight.first_seq
            self._settle(self._without_room(flight.calls) if code == "no_room" else flight.calls, error)
            if self._seq == 0:
                self._requeue_started()
            self._flush()
        elif number in self._asked:
            future = self._asked.pop(number)
            if not future.done():
                future.set_exception(error)
        elif number == 0:
            self._give_up(LedgerFault(text, "Run `affiant ledger verify`; restart this process."))

    def _without_room(self, calls: list[_Call]) -> list[_Call]:
        """The calls to refuse: those that open exchanges; the rest of the batch is tried again without them."""
        opens = [call for call in calls if any(MARKS.get(draft.type) == OPENS for draft in call.drafts)]
        if not opens:
            return calls
        refused = set(map(id, opens))
        self._queue.extendleft(call for call in reversed(calls) if id(call) not in refused)
        return opens

    def _requeue_started(self) -> None:
        if not self._queue or self._queue[0].drafts[0].type != "producer.started":
            future: asyncio.Future[int] = self._loop.create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._queue.appendleft(_Call([self._started()], future, time.monotonic() + 3600))

    def _give_up(self, error: AffiantError) -> None:
        self._fatal = error
        self._ready = False
        self._fail_all(error)

    def _fail_all(self, error: AffiantError) -> None:
        if self._flight is not None:
            self._settle(self._flight.calls, error)
            self._flight = None
        self._settle(self._queue, error)
        self._queue.clear()
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_exception(error)

    @staticmethod
    def _settle(calls: Sequence[_Call] | deque[_Call], error: AffiantError) -> None:
        for call in calls:
            if not call.future.done():
                call.future.set_exception(error)

    def _begin_again(self) -> None:
        """The writer ended this incarnation: what it had open is interrupted; a new one starts with number 0."""
        old, was_open = self.producer, frozenset(self._open)
        self._lost |= self._open
        self._open.clear()
        error = LedgerUnavailable("The ledger writer had ended this process's incarnation.", "Open exchanges are listed as interrupted.")
        if self._flight is not None:
            self._settle(self._flight.calls, error)
            self._flight = None
        waiting = self._queue
        self._queue = deque()
        for call in waiting:
            if any(draft.ref in self._lost and MARKS.get(draft.type) == CLOSES for draft in call.drafts):
                self._settle([call], error)
            elif call.drafts[0].type != "producer.started":
                self._queue.append(call)
        self._new_incarnation()
        self._requeue_started()
        if self._transport is not None:
            self._transport.write(pack_frame(("hello", self.producer, 0)))
        if self.on_ended is not None:
            self.on_ended(old, was_open)

    # -- batches

    def _flush(self) -> None:
        """Stamp and send what waits, as one batch."""
        self._flush_planned = False
        if self._flight is not None or not self._ready or not self._queue or self._transport is None:
            return
        first = seq = self._seq
        at, mono = self._clock.now_us(), time.monotonic_ns() - self._started_ns
        producer = self.producer
        rows: list[tuple[int, int, str, bytes]] = []
        calls: list[_Call] = []
        size = 0
        queue, mark_of = self._queue, MARKS.get
        while queue and (not calls or (len(rows) < BATCH_ROWS and size < BATCH_BYTES)):
            call = queue.popleft()
            if call.future.done():
                continue
            call.offset = begin = seq - first
            try:
                for draft in call.drafts:
                    data = encode(draft, producer, seq, at, mono)
                    rows.append((seq, mark_of(draft.type, 0), draft.ref, data))
                    size += len(data)
                    seq += 1
            except BadInput as error:
                seq = first + begin
                del rows[begin:]
                call.future.set_exception(error)
                continue
            calls.append(call)
        if not rows:
            return
        self._number += 1
        self._seq = seq
        frame = pack_frame(("append", self._number, rows))
        self._flight = _Flight(self._number, frame, first, calls, [(mark, ref) for _, mark, ref, _ in rows if mark])
        self._transport.write(frame)

    def _acknowledged(self, first_index: int) -> None:
        flight, self._flight = self._flight, None
        assert flight is not None
        follow: list[Draft] = []
        for mark, ref in flight.marked:
            if mark == OPENS:
                self._open.add(ref)
            else:
                self._open.discard(ref)
        for call in flight.calls:
            future = call.future
            if not future.done():
                future.set_result(first_index + call.offset)
            elif self.on_late is not None:
                for index, draft in enumerate(call.drafts, first_index + call.offset):
                    after = self.on_late(draft, index)
                    if after is not None:
                        follow.append(after)
        if follow:
            unwatched: asyncio.Future[int] = self._loop.create_future()
            unwatched.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._queue.append(_Call(follow, unwatched, time.monotonic() + 3600))
        if self._queue and not self._flush_planned:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    async def _ask(self, verb: str, timeout_s: float | None) -> Any:
        if not self._ready or self._transport is None:
            raise self._fatal or LedgerUnavailable(_AWAY, _AWAY_NEXT)
        self._number += 1
        number = self._number
        future: asyncio.Future[Any] = self._loop.create_future()
        self._asked[number] = future
        self._transport.write(pack_frame((verb, number)))
        try:
            async with asyncio.timeout(timeout_s if timeout_s is not None else max(self._timeout_s, 5.0)):
                return await future
        except TimeoutError:
            self._asked.pop(number, None)
            raise LedgerUnavailable("The ledger writer did not answer in time.", _AWAY_NEXT) from None

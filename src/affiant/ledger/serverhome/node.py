"""The writer process of one node: `run/writer.sock` for its workers, PostgreSQL's commit as the acknowledgement.

One loop takes whatever all connections sent while the last commit ran, commits it at once, then answers, as the embedded writer
does. A gateway's batch is answered when it is committed, with a negative index: its place is not known yet. Whoever else appends is
answered when the batch has its place. Leaves out: places, endings and heads (`term`), checks (`batches`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant.kit.errors import AffiantError, Conflict, LedgerFault, LedgerUnavailable, NoRoom
from affiant.kit.home import Home
from affiant.ledger.peers import Peer
from affiant.ledger.serverhome.batches import check_producer, opens, pack_batch
from affiant.ledger.serverhome.sequencer import Sequencer
from affiant.ledger.serverhome.store import HEAD, PLACED, WAKE, Appended, LedgerStore, Row, new_incarnation
from affiant.ledger.wire import Message, reachable
from affiant.ledger.writer import RefusedError

_log = logging.getLogger("affiant.ledger")
UNPLACED = -(1 << 40)
RETRY_S = 0.2
LOOK_S = 0.02
MAX_GROUP_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Times of a node, in real seconds.

    Args:
        ttl_s: silence after which the sequencer ends this node's producers.
        grace_s: that a producer whose connection dropped has to come back.
        head_s: that a caller waits for a signed head at most.
    """

    ttl_s: float = 10.0
    grace_s: float = 2.0
    head_s: float = 10.0


@dataclass(slots=True)
class _Append:
    """A batch of a group and whom to tell."""

    row: Row
    peer: Peer
    number: int

    @property
    def waits(self) -> bool:
        """Whether it is answered only when it has its place."""
        return self.row.producer.split("/")[1] != "gateway"

    def answer(self, index: int) -> None:
        self.peer.send("ok", self.number, index)

    def refuse(self, error: AffiantError, code: str) -> None:
        self.peer.send("error", self.number, code, str(error))


class Node:
    """Serves one node until `stop`, or until another process serves under its name."""

    def __init__(self, home: Home, store: LedgerStore, sequencer: Sequencer, options: NodeOptions | None = None) -> None:
        self.options = options or NodeOptions()
        self.peers: set[Peer] = set()
        self.sequencer = sequencer
        self._home = home
        self._store = store
        self._incarnation = new_incarnation()
        self._connected: dict[str, Peer] = {}
        self._leaving: dict[str, tuple[float, str]] = {}
        self._queue: list[_Append] = []
        self._queued = asyncio.Event()
        self._placing: dict[int, _Append] = {}
        self._placed = asyncio.Event()
        self._headed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._groups = 0

    # -- life

    async def run(self, path: Path, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop`.

        Raises:
            Conflict: another process serves under this node's name.
            LedgerFault: the ledger contradicts what was signed.
        """
        loop = asyncio.get_running_loop()
        await self._store.register_node(self._home.node, self._incarnation, self.options.ttl_s)
        for name in await self._store.producers_of(self._home.node):
            if name.split("/")[1] != "records":
                self._leaving[name] = (time.monotonic() + self.options.grace_s, "restarted")
        ears = await self.sequencer.listen(self._heard)
        with reachable(path) as name:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            listener = await loop.create_unix_server(lambda: Peer(self), name, backlog=256)
            os.chmod(name, 0o600)
        works = (self.sequencer.run(), self._committing(), self._watching_places(), self._ticking(), self._hearing(ears))
        tasks: list[asyncio.Task[None]] = [loop.create_task(work) for work in works]
        sequencing = tasks[0]
        try:
            if ready is not None:
                ready()
            stopping = loop.create_task(self._stopping.wait())
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await self._finish(listener, tasks)
        finally:
            listener.close()
            for peer in list(self.peers):
                peer.close()
            for task in (*tasks, *self._answering):
                task.cancel()
            await asyncio.gather(*tasks, *self._answering, return_exceptions=True)
            await asyncio.sleep(0)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if not sequencing.cancelled():
            sequencing.result()

    async def _finish(self, listener: asyncio.Server, tasks: list[asyncio.Task[None]]) -> None:
        """Answer what was asked, then let the sequencer resign. A task that failed says why instead."""
        for task in tasks:
            if task.done():
                task.result()
        listener.close()
        deadline = time.monotonic() + 5.0
        while (self._queue or self._placing) and time.monotonic() < deadline:
            self._queued.set()
            await asyncio.sleep(0.01)
        self.sequencer.stop()
        await asyncio.wait(tasks[:1], timeout=5.0)

    def stop(self) -> None:
        """Finish and return from `run`."""
        self._stopping.set()

    async def _ticking(self) -> None:
        """Say that this node lives; end producers that did not come back."""
        kept = looked = 0.0
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            try:
                if now - kept > self.options.ttl_s / 4:
                    if not await self._store.keep_node(self._home.node, self._incarnation, self.options.ttl_s):
                        raise Conflict(f"Another process serves the node {self._home.node}.", "Give each home a node name of its own.")
                    kept = now
                if now - looked > 1.0:
                    await self.sequencer.reserve.look()
                    looked = now
                for name, (due, why) in list(self._leaving.items()):
                    if due <= now:
                        await self._store.end(name, why)
                        self._leaving.pop(name, None)
            except LedgerUnavailable as error:
                _log.warning("node: %s", error)
                await asyncio.sleep(RETRY_S)

    def _heard(self, word: str) -> None:
        if word == PLACED:
            self._placed.set()
        elif word == HEAD:
            self._headed.set()

    async def _hearing(self, ears: Any) -> None:
        """Keep hearing; without news, waiting callers are looked after twenty times a second."""
        try:
            while True:
                await asyncio.sleep(0.5)
                if ears.is_closed():
                    with contextlib.suppress(LedgerUnavailable):
                        ears = await self.sequencer.listen(self._heard)
        finally:
            await self._store.deaf(ears)

    # -- messages

    def take(self, peer: Peer, messages: Sequence[Message]) -> None:
        """What a connection sent."""
        for message in messages:
            self._take(peer, message)

    def _take(self, peer: Peer, message: Message) -> None:
        verb = message[0]
        try:
            if verb == "append":
                self._take_append(peer, int(message[1]), message[2])
            elif verb == "hello":
                self._start(self._hello(peer, str(message[1]), int(message[2])), peer, 0)
            elif verb == "bye":
                self._bye(peer, int(message[1]))
            elif verb in ("key", "prune"):
                ask = self._do_key if verb == "key" else self._do_prune
                self._start(ask(peer, int(message[1]), message[2]), peer, int(message[1]))
            elif verb in ("outbox", "checkpoint", "status"):
                work = {"outbox": self._do_outbox, "checkpoint": self._do_checkpoint, "status": self._do_status}[verb]
                self._start(work(peer, int(message[1])), peer, int(message[1]))
            else:
                peer.send("error", 0, "bad_entry", f"There is no verb {verb!r}.")
        except (IndexError, TypeError, ValueError) as error:
            peer.send("error", 0, "bad_entry", f"The message {verb!r} is not well formed: {error}")

    def _start(self, work: Any, peer: Peer, number: int) -> None:
        async def answering() -> None:
            try:
                await work
            except NoRoom as error:
                peer.send("error", number, "no_room", str(error))
            except AffiantError as error:
                if number:
                    peer.send("error", number, "io", str(error))
                else:
                    peer.close()

        task = asyncio.get_running_loop().create_task(answering())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _hello(self, peer: Peer, producer: str, next_seq: int) -> None:
        try:
            check_producer(producer)
        except RefusedError as error:
            peer.send("error", 0, error.code, error.text)
            return
        found = await (self._store.known(producer) if next_seq > 0 else self._store.hello(producer, self._home.node))
        if found is None or found[1]:
            peer.send("ended")
            return
        last = found[0]
        if next_seq > last + 1:
            peer.send("error", 0, "bad_seq", f"{producer} sends {next_seq}; {last + 1} is due: the ledger lost entries.")
            return
        before = self._connected.get(producer)
        if before is not None and before is not peer:
            before.producer = ""
            before.close()
        peer.producer = producer
        self._connected[producer] = peer
        self._leaving.pop(producer, None)
        peer.send("ready", (await self._store.ledger()).placed)

    def gone(self, peer: Peer) -> None:
        """A connection dropped: its producer has a grace to come back."""
        name = peer.producer
        if name and self._connected.get(name) is peer:
            del self._connected[name]
            self._leaving.setdefault(name, (time.monotonic() + self.options.grace_s, "disconnected"))

    def _bye(self, peer: Peer, number: int) -> None:
        if peer.producer:
            self._leaving[peer.producer] = (0.0, "stopped")
            self._connected.pop(peer.producer, None)
        peer.producer = ""
        peer.send("ok", number, 0)

    def _take_append(self, peer: Peer, number: int, rows: list[Any]) -> None:
        if not peer.producer:
            peer.send("error", number, "bad_seq", "Say hello first.")
            return
        try:
            row = pack_batch(peer.producer, rows)
        except RefusedError as error:
            peer.send("error", number, error.code, error.text)
            return
        self._queue.append(_Append(row, peer, number))
        self._queued.set()

    # -- committing

    async def _committing(self) -> None:
        """Commit group after group. A group whose answer was lost is sent again: what is in already is found to be known."""
        while True:
            await self._queued.wait()
            group = self._next_group()
            if not group:
                self._queued.clear()
                continue
            await self._commit(group)
            self._groups += 1

    def _next_group(self) -> list[_Append]:
        """What waits, one batch of each producer, up to a size."""
        group: list[_Append] = []
        rest: list[_Append] = []
        seen: set[str] = set()
        size = 0
        for append in self._queue:
            if append.row.producer in seen or (group and size + len(append.row.data) > MAX_GROUP_BYTES):
                rest.append(append)
                continue
            seen.add(append.row.producer)
            size += len(append.row.data)
            group.append(append)
        self._queue = rest
        return group

    async def _commit(self, group: list[_Append]) -> None:
        """Commit a group and answer it. Without room, what opens exchanges is refused first and the rest tried again within the reserve."""
        while True:
            if self.sequencer.reserve.short:
                group = _without_openings(group)
            if not group:
                return
            try:
                found = await self._store.append([append.row for append in group])
                break
            except NoRoom as error:
                if await self.sequencer.reserve.spend():
                    continue
                for append in group:
                    append.refuse(error, "no_room")
                return
            except LedgerUnavailable as error:
                _log.warning("commit: %s", error)
                await asyncio.sleep(RETRY_S)
        waits = False
        for append, answer in zip(group, found, strict=True):
            waits |= self._settle(append, answer)
        if waits:
            self.sequencer.wake()
            if self.sequencer.term is None:
                with contextlib.suppress(LedgerUnavailable):
                    await self._store.tell(WAKE)

    def _settle(self, append: _Append, answer: Appended) -> bool:
        """Answer one batch, or keep it until it has its place.

        Returns:
            Whether it waits for its place.
        """
        if answer.state in ("written", "known"):
            if answer.first_index >= 0 or not append.waits:
                append.answer(answer.first_index if answer.first_index >= 0 else UNPLACED)
                return False
            self._placing[answer.batch_id] = append
            self._placed.set()
            return True
        if answer.state in ("ended", "unknown"):
            self._connected.pop(append.peer.producer, None)
            append.peer.producer = ""
            append.peer.send("ended")
            append.refuse(LedgerFault(f"{append.row.producer} has ended.", "It is listed as ended."), "io")
            return False
        text = f"{append.row.producer} sends {append.row.first_seq}; {answer.due} is due."
        append.refuse(LedgerFault(text, "Run `affiant ledger verify`."), "bad_seq")
        return False

    async def _watching_places(self) -> None:
        """Answer batches as they get their places."""
        while True:
            await self._placed.wait()
            self._placed.clear()
            while self._placing:
                try:
                    found = await self._store.places(list(self._placing))
                except LedgerUnavailable as error:
                    _log.warning("places: %s", error)
                    found = {}
                    await asyncio.sleep(RETRY_S)
                for batch, index in found.items():
                    self._placing.pop(batch).answer(index)
                if self._placing:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._placed.wait(), 0.05)
                    self._placed.clear()

    # -- records, heads, status

    async def _do_outbox(self, peer: Peer, number: int) -> None:
        """Record changes are in the ledger when they are committed; here they get their places."""
        newest = await self._store.records_waiting()
        while newest and not await self._store.places([newest]):
            self.sequencer.wake()
            if self.sequencer.term is None:
                await self._store.tell(WAKE)
            await asyncio.sleep(LOOK_S)
        peer.send("ok", number, newest)

    async def _do_checkpoint(self, peer: Peer, number: int) -> None:
        ask = await self._store.ask()
        self.sequencer.wake()
        try:
            async with asyncio.timeout(self.options.head_s):
                while True:
                    self._headed.clear()
                    row = await self._store.ledger()
                    if row.answered >= ask:
                        peer.send("checkpoint", number, row.head.note)
                        return
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._headed.wait(), 0.1)
        except TimeoutError:
            raise LedgerUnavailable("No sequencer signed in time.", "Look at `status` of the nodes.") from None

    async def _do_key(self, peer: Peer, number: int, asked: Any) -> None:
        try:
            made = await self.sequencer.change(asked)
        except AffiantError as error:
            peer.send("error", number, error.code, str(error))
        else:
            peer.send("key", number, {"index": made.index, "vkey": made.vkey})

    async def _do_prune(self, peer: Peer, number: int, asked: Any) -> None:
        try:
            index = await self.sequencer.move_floor(asked)
        except AffiantError as error:
            peer.send("error", number, error.code, str(error))
        else:
            peer.send("prune", number, {"index": index})

    async def _do_status(self, peer: Peer, number: int) -> None:
        row = await self._store.ledger()
        leads = self.sequencer.term is not None
        peer.send("status", number, {
            "pid": os.getpid(), "size": row.placed, "signed": row.head.size, "free_bytes": 0, "room": int(not row.short),
            "producers": len(self._connected), "groups": self._groups, "producer": "", "fault": self.sequencer.fault,
            "home": "server", "node": self._home.node, "term": row.term, "sequencer": row.holder, "leads": int(leads),
            "archived": row.archived, "pruned": row.pruned,
        })  # fmt: skip


def _without_openings(group: list[_Append]) -> list[_Append]:
    """A group without the batches that open exchanges, which are refused."""
    why, rest = NoRoom("The disk of PostgreSQL is full.", "Make room there; open exchanges can be closed."), []
    for append in group:
        if opens(append.row):
            append.refuse(why, "no_room")
        else:
            rest.append(append)
    return rest

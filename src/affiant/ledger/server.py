"""The writer process: `run/writer.sock`, group commit, producers that come and go, heads on time.

One loop takes whatever all connections sent while the last sync ran, writes it with one sync, then answers.
Heads are signed in a second thread, the next segment is made ahead in a third.
Leaves out: what is checked and written (`writer`), frames (`wire`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant.kit.errors import AffiantError, LedgerUnavailable, NoRoom
from affiant.kit.keyring import open_keyring
from affiant.ledger import logkeys
from affiant.ledger.checkpoints import SignedHead
from affiant.ledger.peers import Peer
from affiant.ledger.wire import Message, reachable
from affiant.ledger.writer import Batch, RefusedError, Writer

_log = logging.getLogger("affiant.ledger")
MAX_UNSIGNED_BYTES = 256 * 1024 * 1024
BEHIND = 10
QUICK_SYNC_S = 0.003
GROW_ENTRIES = 512


@dataclass(slots=True)
class _Append:
    """A batch of a group and whom to tell: a peer, or the outbox pump that waits on `done`."""

    batch: Batch
    peer: Peer | None = None
    number: int = 0
    done: asyncio.Future[None] | None = None

    def written(self) -> None:
        if self.peer is not None:
            self.peer.send("ok", self.number, self.batch.first_index)
        if self.done is not None and not self.done.done():
            self.done.set_result(None)

    def no_room(self, text: str) -> None:
        if self.peer is not None:
            self.peer.send("error", self.number, "no_room", text)
        if self.done is not None and not self.done.done():
            self.done.set_exception(NoRoom(text, "Free space."))


def _behind() -> None:
    """Let this thread wait for others where cores are few: what it does is due soon, and callers wait for theirs now."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + BEHIND)  # 19 at most


class WriterServer:
    """Serves one writer until `stop` or a failure that only a restart can mend."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.peers: set[Peer] = set()
        self.requests: list[tuple[Peer, Message]] = []
        self.wake = asyncio.Event()
        self._connected: dict[str, Peer] = {}
        self._leaving: dict[str, float] = {}
        self._endings: dict[str, str] = {}
        self._disk = ThreadPoolExecutor(1, "ledger-disk")
        self._signer = ThreadPoolExecutor(1, "ledger-signer", _behind)
        self._records = ThreadPoolExecutor(1, "ledger-outbox")
        self._ahead = ThreadPoolExecutor(1, "ledger-ahead", _behind)
        self._stopping = False
        self._asked: list[tuple[Peer, int]] = []
        self._keys_asked: list[tuple[Peer, Message]] = []
        self._outbox_asked: list[tuple[Peer, int]] = []
        self._outbox_ready: list[_Append] = []
        self._pumping: asyncio.Task[None] | None = None
        self._outbox_fault: AffiantError | None = None
        self._sign_fault = ""
        self._next_outbox = 0.0
        self._last_signed = 0.0
        self._signing: asyncio.Task[None] | None = None
        self._making: asyncio.Future[bool] | None = None
        self._unsigned_bytes = 0
        self._room: bool | None = None
        self._groups = 0
        self._sync_s = 0.0
        self._growing = False

    # -- life

    async def run(self, path: Path, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop`.

        Raises:
            SyncError: bytes could not be put on disk; start again, which reads the disk.
            LedgerFault: the home is not as this process left it.
        """
        loop = asyncio.get_running_loop()
        for producer in self.writer.producers.live.values():
            if producer.name != self.writer.name and not producer.permanent:
                writers = producer.name.split("/")[1] == "writer"
                self._leaving[producer.name] = 0.0 if writers else time.monotonic() + self.writer.options.grace_s
                self._endings[producer.name] = "restarted"
        with reachable(path) as name:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            listener = await loop.create_unix_server(lambda: Peer(self), name, backlog=256)
            os.chmod(name, 0o600)
        ticker = loop.create_task(self._tick())
        try:
            await self._commit([], [self.writer.started_draft()])
            if ready is not None:
                ready()
            while not self._stopping or self.requests:
                await self.wake.wait()
                self.wake.clear()
                await self._group()
            await self._finish()
        finally:
            await self._close(listener, ticker)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def stop(self) -> None:
        """Finish what was asked, end this writer's own producer, sign, and return from `run`."""
        self._stopping = True
        self.wake.set()

    async def _finish(self) -> None:
        self._next_outbox = 0.0
        self.wake.set()
        while True:
            await self.wake.wait()
            self.wake.clear()
            await self._group()
            if self._pumping is None or self._pumping.done():
                break
        # Whoever is not connected now has no writer to come back to: waiting out its grace would leave what it had open without an end.
        await self._commit([], self._due_endings(float("inf")))
        await self._commit([], self.writer.ending(self.writer.name, "stopped"))
        await self._sign(keep=False)

    async def _close(self, listener: asyncio.Server, ticker: asyncio.Task[None]) -> None:
        ticker.cancel()
        listener.close()
        for peer in list(self.peers):
            peer.close()
        for task in (self._signing, self._pumping):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self.writer.drop_spare()
        for executor in (self._records, self._disk, self._signer, self._ahead):
            executor.shutdown(wait=True)
        await asyncio.sleep(0)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            due = any(at <= now for at in self._leaving.values()) or now >= self._next_outbox or self._sign_due(now)
            failed = self._signing is not None and self._signing.done() and self._signing.exception() is not None
            if due or failed or self._asked:
                self.wake.set()

    # -- producers

    def take(self, peer: Peer, messages: Sequence[Message]) -> None:
        """What a connection sent waits for the next group."""
        self.requests += [(peer, message) for message in messages]
        self.wake.set()

    def gone(self, peer: Peer) -> None:
        """A connection dropped: its producer has a grace to come back."""
        name = peer.producer
        if name and self._connected.get(name) is peer:
            del self._connected[name]
            self._leaving[name] = time.monotonic() + self.writer.options.grace_s
            self._endings.setdefault(name, "disconnected")

    def _hello(self, peer: Peer, producer: str, next_seq: int) -> None:
        known = self.writer.producers.live.get(producer)
        if producer in self.writer.producers.ended or (known is None and next_seq > 0):
            peer.send("ended")
            return
        last = known.last if known is not None else -1
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
        self._endings.pop(producer, None)
        peer.send("ready", self.writer.size)

    # -- one group

    async def _group(self) -> None:
        requests, self.requests = self.requests, []
        self._room = None
        if self._signing is not None and self._signing.done():
            self._signing.result()
            self._signing = None
        taken: set[str] = set()
        appends: list[_Append] = []
        for peer, message in requests:
            try:
                self._take(peer, message, appends, taken)
            except (IndexError, TypeError, ValueError) as error:
                peer.send("error", 0, "bad_entry", f"The message {message[0]!r} is not well formed: {error}")
        appends += self._outbox_ready
        self._outbox_ready = []
        await self._commit(appends, self._due_endings(time.monotonic()))
        if self._keys_asked:
            await self._change_keys()
        self._make_spare()
        self._start_pump()
        if self._asked or self._sign_due(time.monotonic()):
            await self._start_signing()
        if self.requests:
            self.wake.set()

    def _take(self, peer: Peer, message: Message, appends: list[_Append], taken: set[str]) -> None:
        verb = message[0]
        if verb == "append":
            self._take_append(peer, message, appends, taken)
        elif verb == "hello":
            if str(message[1]) in taken:
                self.requests.append((peer, message))
            else:
                self._hello(peer, str(message[1]), int(message[2]))
        elif verb == "bye":
            self._endings[peer.producer] = "stopped"
            self._leaving[peer.producer] = 0.0
            self._connected.pop(peer.producer, None)
            peer.send("ok", int(message[1]), self.writer.size)
            peer.producer = ""
        elif verb == "outbox":
            self._outbox_asked.append((peer, int(message[1])))
        elif verb == "checkpoint":
            self._asked.append((peer, int(message[1])))
        elif verb == "key":
            self._keys_asked.append((peer, message))
        elif verb == "status":
            peer.send("status", int(message[1]), self._status())
        else:
            peer.send("error", 0, "bad_entry", f"There is no verb {verb!r}.")

    def _take_append(self, peer: Peer, message: Message, appends: list[_Append], taken: set[str]) -> None:
        number = int(message[1])
        if not peer.producer:
            peer.send("error", number, "bad_seq", "Say hello first.")
            return
        if peer.producer in taken:
            self.requests.append((peer, message))
            return
        try:
            batch = self.writer.stage(peer.producer, message[2])
            if batch.first_index >= 0:
                peer.send("ok", number, batch.first_index)
                return
            if batch.opens and not self._has_room():
                raise RefusedError("no_room", f"Free space is below the reserve of {self.writer.options.reserve_bytes} bytes.")
        except RefusedError as error:
            peer.send("error", number, error.code, error.text)
            return
        taken.add(peer.producer)
        appends.append(_Append(batch, peer, number))

    def _has_room(self) -> bool:
        """Whether exchanges may be opened: one look for each group that opens some."""
        if self._room is None:
            self._room = self.writer.has_room()
        return self._room

    def _due_endings(self, until: float) -> list[Any]:
        """Drafts that end each producer whose grace is over at `until` (monotonic seconds)."""
        drafts: list[Any] = []
        for name in [name for name, due in self._leaving.items() if due <= until]:
            del self._leaving[name]
            why = self._endings.pop(name, "disconnected")
            if name in self.writer.producers.live:
                drafts += self.writer.ending(name, why)
        return drafts

    async def _commit(self, appends: list[_Append], drafts: list[Any]) -> None:
        """Write a group and answer it. Without room, openings are refused first and the rest tried again."""
        batches = [append.batch for append in appends]
        if drafts:
            batches.append(self.writer.own(drafts))
        if not batches:
            return
        try:
            await self._write(batches)
        except NoRoom as error:
            await self._without_room(appends, drafts, str(error))
            return
        self.writer.applied(batches)
        self._groups += 1
        for append in appends:
            append.written()
            self._unsigned_bytes += sum(map(len, append.batch.rows))
        if not self._growing:
            self._growing = True
            asyncio.get_running_loop().call_soon(self._grow)

    def _grow(self) -> None:
        """Let the tree take some entries: after the answers have left, while callers make up what they send next."""
        self._growing = self.writer.grow(GROW_ENTRIES)
        if self._growing:
            asyncio.get_running_loop().call_soon(self._grow)

    async def _write(self, batches: list[Batch]) -> None:
        """Write and sync: in this thread while syncs are quick (requests gather in the sockets), else in the disk thread.

        A hop to a thread and back costs more than a quick sync takes; a slow one must not keep hellos and status waiting.
        """
        began = time.monotonic()
        if self._sync_s < QUICK_SYNC_S:
            self.writer.write(batches)
        else:
            await asyncio.get_running_loop().run_in_executor(self._disk, self.writer.write, batches)
        self._sync_s += (time.monotonic() - began - self._sync_s) / 8

    def _make_spare(self) -> None:
        """Have the next segment made ahead, beside the groups."""
        if self._making is not None:
            if not self._making.done():
                return
            self._making.result()
            self._making = None
        if self.writer.spare_due():
            self._making = asyncio.get_running_loop().run_in_executor(self._ahead, self.writer.make_spare)

    async def _without_room(self, appends: list[_Append], drafts: list[Any], text: str) -> None:
        small = [append for append in appends if not append.batch.opens]
        for append in appends:
            if append.batch.opens:
                append.no_room(text)
        if len(small) < len(appends):
            await self._commit(small, drafts)
        elif drafts:
            await self._commit(small, [])
            self._postpone(drafts)
        elif len(small) > 1:
            for append in small:
                await self._commit([append], [])
        else:
            for append in small:
                append.no_room(text)

    def _postpone(self, drafts: list[Any]) -> None:
        """Endings that found no room are tried again later: whatever they end stays live until then."""
        for draft in drafts:
            if draft.type == "producer.ended":
                self._leaving[draft.body["producer"]] = time.monotonic() + 1.0
                self._endings[draft.body["producer"]] = draft.body["why"]

    # -- outbox

    def _start_pump(self) -> None:
        if self._pumping is not None and not self._pumping.done():
            return
        if self._pumping is not None:
            self._pumping.result()
        now = time.monotonic()
        if self._outbox_asked or now >= self._next_outbox:
            self._next_outbox = now + self.writer.options.outbox_s
            self._pumping = asyncio.get_running_loop().create_task(self._pump())

    async def _pump(self) -> None:
        """Move what the outbox holds; its batches join the groups, so that a busy records.db delays nobody else."""
        asked, self._outbox_asked = self._outbox_asked, []
        loop = asyncio.get_running_loop()
        highest = 0
        try:
            while True:
                rows, seen = await loop.run_in_executor(self._records, self.writer.outbox_rows)
                highest = max(highest, seen)
                if not rows:
                    break
                append = _Append(self.writer.outbox_batch(rows), done=loop.create_future())
                assert append.done is not None
                self._outbox_ready.append(append)
                self.wake.set()
                await append.done
                await loop.run_in_executor(self._records, self.writer.outbox_delete, rows)
        except NoRoom as error:
            self._answer_outbox(asked, "no_room", str(error))
        except AffiantError as error:
            if str(error) != str(self._outbox_fault):
                _log.error("outbox: %s", error)
            self._outbox_fault = error
            self._answer_outbox(asked, "io", str(error))
        else:
            self._outbox_fault = None
            for peer, number in asked:
                peer.send("ok", number, highest)
        if self._outbox_asked or self._stopping:
            self.wake.set()

    @staticmethod
    def _answer_outbox(asked: list[tuple[Peer, int]], code: str, text: str) -> None:
        for peer, number in asked:
            peer.send("error", number, code, text)

    # -- heads

    def _sign_due(self, now: float) -> bool:
        return self.writer.size > self.writer.head.size and now - self._last_signed >= self.writer.options.checkpoint_s

    async def _start_signing(self) -> None:
        """Sign beside the next groups; wait for an earlier signing if much is unsigned."""
        if self._signing is not None:
            if self._unsigned_bytes < MAX_UNSIGNED_BYTES:
                return
            await self._signing
        self._signing = asyncio.get_running_loop().create_task(self._sign(bool(self._asked)))

    async def _sign(self, keep: bool) -> None:
        asked, self._asked = self._asked, []
        self._unsigned_bytes = 0
        self._last_signed = time.monotonic()
        work = self.writer.cut()
        try:
            head: SignedHead = await asyncio.get_running_loop().run_in_executor(self._signer, self.writer.publish, work, keep)
        except LedgerUnavailable as error:
            self._sign_fault = str(error)
            for peer, number in asked:
                peer.send("error", number, "no_room" if isinstance(error, NoRoom) else "io", str(error))
            return
        self._sign_fault = ""
        for peer, number in asked:
            peer.send("checkpoint", number, head.note)
        if self._asked or self.requests:
            self.wake.set()

    async def _change_keys(self) -> None:
        """Rotate or revoke between two groups, while nothing else is written or signed."""
        if self._signing is not None:
            await self._signing
            self._signing = None
        asked, self._keys_asked = self._keys_asked, []
        for peer, message in asked:
            try:
                made = logkeys.change(self.writer, open_keyring(self.writer.home), message[2])
            except AffiantError as error:
                peer.send("error", int(message[1]), error.code, str(error))
            else:
                peer.send("key", int(message[1]), {"index": made.index, "vkey": str(made.vkey)})

    def _status(self) -> dict[str, Any]:
        writer = self.writer
        fault = str(self._outbox_fault) if self._outbox_fault is not None else self._sign_fault
        return {
            "pid": os.getpid(), "size": writer.size, "signed": writer.head.size, "free_bytes": writer.free_bytes(),
            "room": int(writer.has_room()), "producers": len(writer.producers.live), "groups": self._groups,
            "producer": writer.name, "fault": fault,
        }  # fmt: skip

"""Keeps workers in contact: pushes snapshots, confirms the epoch, counts confirmations, ends revocations, leases limits.

Lives in control's event loop; everything that waits for the disk or for PostgreSQL runs in helper threads. If records cannot be read it
confirms nothing, so that workers stop by themselves. Where nodes share records, what their workers confirmed counts, too (`nodes`).
Leaves out: what a worker does with a snapshot (gateway).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from affiant.kit.errors import AffiantError, CouldNotLook
from affiant.records.door import Records
from affiant.records.frames import pack, read_frame, socket_name
from affiant.records.granting import Granting
from affiant.records.leases import LeaseBook
from affiant.records.nodes import Elsewhere
from affiant.records.snapshot import Ack, Confirm, Lease, Push, Snapshot, ToControl
from affiant.records.tenants import month_of

POLL_S = 0.05
CONFIRM_S = 0.25
CONTACT_S = 1.0
SETTLE_S = 1.0
_MAX_FROM_WORKER = 64 * 1024
_decoder = msgspec.msgpack.Decoder(ToControl)


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One look at the workers of this node, given to observers every 250 ms.

    Args:
        at_us: wall time.
        mono_ns: monotonic time.
        epoch: newest epoch.
        workers: in contact.
        ready: of these, how many would serve now.
        in_flight: exchanges under way, all workers together.
    """

    at_us: int
    mono_ns: int
    epoch: int
    workers: int
    ready: int
    in_flight: int


@dataclass(slots=True, eq=False)
class _Worker:
    """One connection. `epoch` is -1 until its first Ack; `heard` is monotonic seconds of the last one."""

    writer: asyncio.StreamWriter
    heard: float
    name: str = ""
    epoch: int = -1
    ready: int = 0
    in_flight: int = 0
    since: float = field(default_factory=time.monotonic)


class SnapshotServer:
    """The server behind `HOME/run/snapshot.sock`.

    Args:
        records: the door; from now on workers confirm its revocations.
        path: the socket.
        leases: file of granted slices; by default beside derived data.
    """

    def __init__(self, records: Records, path: Path, leases: Path | None = None) -> None:
        self.records, self.path = records, path
        records.serving = True
        book = LeaseBook(leases or records.home.derived / "leases", records.slices is not None)
        self._limits = Granting(book, records.clock, records.slices, self._in_contact)
        self._thread = ThreadPoolExecutor(1, "snapshot")
        self._ending_thread = ThreadPoolExecutor(1, "revocations")
        self._ending: asyncio.Future[tuple[str, ...]] | None = None
        self._elsewhere = Elsewhere(0, 0)
        self._looked_ns = 0
        self._workers: set[_Worker] = set()
        self._observers: list[Callable[[ServiceView], None]] = []
        self._snapshot: Snapshot | None = None
        self._month = 0
        self._revoking = True
        self._changed = asyncio.Event()
        self._acked = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._started = 0.0
        self.revoking_fault: AffiantError | None = None
        """Why revocations that are in effect cannot be recorded as such. None while all is well."""
        self.fault: AffiantError | None = None
        """Why snapshots stand still: records could not be read. None while all is well."""

    @property
    def snapshot(self) -> Snapshot:
        """What workers decide from now.

        Raises:
            CouldNotLook: not started yet.
        """
        if self._snapshot is None:
            raise CouldNotLook("The snapshot server has not started.", "Start it first.")
        return self._snapshot

    @property
    def lease_fault(self) -> AffiantError | None:
        """Why limits cannot be leased. None while all is well."""
        return self._limits.fault

    @property
    def view(self) -> ServiceView:
        """The workers as they are now."""
        workers = [worker for worker in self._workers if worker.epoch >= 0]
        return ServiceView(
            self.records.clock.now_us(), time.monotonic_ns(), self.snapshot.epoch, len(workers),
            sum(1 for worker in workers if worker.ready), sum(worker.in_flight for worker in workers),
        )  # fmt: skip

    @property
    def ready(self) -> bool:
        """Whether at least one worker is in contact and would serve now."""
        return any(worker.ready and worker.epoch >= 0 for worker in self._workers)

    def observe(self, callback: Callable[[ServiceView], None]) -> None:
        """Have `callback` called in the event loop with each look at the workers; it must not block or raise."""
        self._observers.append(callback)

    def notify(self) -> None:
        """Look at records at once instead of at the next poll. From the event loop's thread."""
        self._changed.set()

    async def start(self) -> None:
        """Compile the first snapshot and listen.

        Raises:
            BadInput, CouldNotLook: records cannot be read, or the socket cannot be made.
        """
        self._started = time.monotonic()
        await self._refresh()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        try:
            with socket_name(self.path) as name:
                self._server = await asyncio.start_unix_server(self._serve, name)
            os.chmod(self.path, 0o600)
        except OSError as error:
            raise CouldNotLook(f"{self.path} cannot be made: {error.strerror}.", "Make the home writable for Affiant.") from error
        self._tasks = [asyncio.create_task(work) for work in (self._follow(), self._confirm(), self._limits.run())]

    async def stop(self) -> None:
        """Close the socket and every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._workers:  # else they may go on for a while, and the other nodes wait until that is over
            with contextlib.suppress(CouldNotLook):
                await asyncio.get_running_loop().run_in_executor(self._thread, self.records.nodes.leave)
        if self._server is not None:
            self._server.close()
            for worker in list(self._workers):
                self._drop(worker)
            await self._server.wait_closed()
        self._ending_thread.shutdown()
        self._thread.shutdown()
        with contextlib.suppress(CouldNotLook):
            await self._limits.close()

    async def wait_epoch(self, epoch: int, timeout_s: float) -> bool:
        """Wait until every worker in contact, of every node, decides from `epoch` or a later one; False if that did not happen in time."""

        def confirmed() -> bool:
            others = self._elsewhere.confirmed
            here = self.snapshot.epoch >= epoch and all(worker.epoch >= epoch for worker in self._workers)
            return here and (others is None or others >= epoch)

        self.notify()
        try:
            async with asyncio.timeout(timeout_s), self._acked:
                await self._acked.wait_for(confirmed)
        except TimeoutError:
            return False
        return True

    # -- following records

    async def _refresh(self) -> None:
        """Compile and push if records have moved on."""
        loop = asyncio.get_running_loop()
        month = month_of(self.records.clock.now_us())
        before = self._elsewhere
        self._elsewhere = look = await loop.run_in_executor(
            self._thread, self.records.nodes.look, self._confirmed(), len(self._workers)
        )  # fmt: skip
        if look.confirmed != before.confirmed:
            async with self._acked:
                self._acked.notify_all()
        if self._snapshot is not None and look.epoch == self._snapshot.epoch and month == self._month:
            self._looked_ns = look.began_ns
            return
        snapshot = await loop.run_in_executor(self._thread, self.records.compile)
        self._month, self._looked_ns = month, look.began_ns
        if self._snapshot is not None and snapshot.epoch == self._snapshot.epoch:
            return
        self._snapshot, self._revoking = snapshot, True
        self._limits.book.set_limits(snapshot.limits)
        frame = pack(Push(snapshot, look.began_ns))
        for worker in list(self._workers):
            worker.writer.write(frame)
        async with self._acked:
            self._acked.notify_all()

    async def _follow(self) -> None:
        while True:
            try:
                await self._refresh()
                await self._end_revocations()
                self.fault = None
            except AffiantError as error:
                self.fault = error  # shown by status; nothing is confirmed meanwhile, so workers go stale and refuse
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._changed.wait()
            self._changed.clear()

    def _confirmed(self) -> int:
        """The epoch that every worker of this node decides from, or a later one; 0 while that cannot be told."""
        if self._snapshot is None or (not self._workers and time.monotonic() - self._started < SETTLE_S):
            return 0  # workers of a control that died are on their way back; they may still decide from an older epoch
        return min((worker.epoch for worker in self._workers), default=self._snapshot.epoch)

    def _in_contact(self) -> bool:
        """Whether records answered a moment ago."""
        return self.fault is None and time.monotonic_ns() - self._looked_ns < CONTACT_S * 1e9

    async def _end_revocations(self) -> None:
        """Have `key.revoked` written for what every worker in contact, of every node, has confirmed.

        It is written beside the loop: a transaction may have to wait for another node's, and looking must not.
        """
        if self._ending is not None and self._ending.done():
            ended, self._ending = self._ending, None
            error = ended.exception()
            if error is not None and not isinstance(error, AffiantError):
                raise error
            self.revoking_fault = error
        if not self._revoking or self._ending is not None:
            return
        loop = asyncio.get_running_loop()
        lowest = await loop.run_in_executor(self._thread, self.records.revoking)
        if not lowest:
            self._revoking = False
            return
        others = self._elsewhere
        confirmed = self._confirmed() if others.confirmed is None else min(self._confirmed(), others.confirmed)
        if confirmed >= lowest:
            workers = len(self._workers) + others.workers
            self._ending = loop.run_in_executor(self._ending_thread, self.records.finish_revocations, confirmed, workers)

    async def _confirm(self) -> None:
        stale_s = self.snapshot.stale_ok_ms / 1000
        while True:
            if self.fault is None:
                frame = pack(Confirm(self.snapshot.epoch, self._looked_ns))
                for worker in list(self._workers):
                    worker.writer.write(frame)
            silent = time.monotonic() - stale_s
            for worker in [each for each in self._workers if each.heard < silent]:
                self._drop(worker)  # out of contact: it has stopped by itself, and no longer counts
            view = self.view
            for callback in self._observers:
                callback(view)
            await asyncio.sleep(CONFIRM_S)

    # -- connections

    def _drop(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        worker.writer.close()
        self._changed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker = _Worker(writer, time.monotonic())
        self._workers.add(worker)
        writer.write(pack(Push(self.snapshot, self._looked_ns)))
        try:
            while (frame := await read_frame(reader, _MAX_FROM_WORKER)) is not None:
                await self._take(worker, _decoder.decode(frame))
        except (msgspec.DecodeError, AffiantError) as error:
            self.fault = error if isinstance(error, AffiantError) else CouldNotLook(f"A worker sent {error}.", "Restart the workers.")
        finally:
            self._drop(worker)
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            async with self._acked:
                self._acked.notify_all()

    async def _take(self, worker: _Worker, message: Ack | Lease) -> None:
        if isinstance(message, Lease):
            self._limits.take(message, worker.writer.write)
            return
        moved = message.epoch != worker.epoch
        worker.name, worker.epoch, worker.heard = message.worker, message.epoch, time.monotonic()
        worker.ready, worker.in_flight = message.ready, message.in_flight
        if moved:
            self._changed.set()
            async with self._acked:
                self._acked.notify_all()

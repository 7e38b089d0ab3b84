"""The writer of one home: the only thing that appends to its ledger and signs its heads.

Pure of sockets: `server` feeds it over `run/writer.sock`; a command that holds `run/home.lock` uses it directly. Four steps may run
in four threads, each in one at a time: `stage`/`applied`/`grow`/`cut` (owner), `write` (disk), `publish` (tiles and signature),
`make_spare`. The tree grows beside the groups, a few entries at a time, so that a head has files to write and little to compute.
Leaves out: reading back at start (`recovery`), connections and grace (`server`).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import msgspec

from affiant import __version__
from affiant.kit.clock import Clock
from affiant.kit.errors import Conflict, LedgerFault, LedgerUnavailable, NoRoom
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger.anchorstore import check_anchors
from affiant.ledger.checkpoints import Publisher, SignedHead
from affiant.ledger.durable import DurableSize
from affiant.ledger.envelope import MAX_ENTRY_BYTES, Draft, encode
from affiant.ledger.fileops import NO_ROOM_ERRORS, FileOps
from affiant.ledger.logkeys import chain, due_events, publish, signing_key, tidied
from affiant.ledger.outbox import Outbox, OutboxRow
from affiant.ledger.producers import Producers
from affiant.ledger.recovery import State, recover, save_state, state_key
from affiant.ledger.segment import AHEAD_BYTES, SEGMENT_BYTES, Place, SegmentWriter, SyncError, pack, segment_firsts
from affiant.ledger.tiles import TileWriter
from affiant.ledger.tree import Tree
from affiant.ledger.wire import MARKS, OPENS, read_head

NO_SPARE_S = 10.0
_PRODUCER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[a-z]{1,32}/[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """Limits of a writer.

    Args:
        reserve_bytes: free space below which no exchange may be opened; refusals and closings go on.
        segment_bytes: size after which a new segment is begun.
        spare_after: bytes in a segment after which the next one is worth being made ahead (`spare`).
        state_every: entries between two state files.
        grace_s: real seconds that a producer whose connection dropped has to come back.
        checkpoint_s: real seconds from an entry on disk to a signed head that covers it.
        outbox_s: real seconds between looks at `records.db` when nobody asks.
    """

    reserve_bytes: int = 16 * 1024 * 1024
    segment_bytes: int = SEGMENT_BYTES
    spare_after: int = 8 * 1024 * 1024
    state_every: int = 50_000
    grace_s: float = 2.0
    checkpoint_s: float = 0.7
    outbox_s: float = 1.0


class RefusedError(Exception):
    """A batch that is not taken: `code` is one of no_room, too_large, bad_seq, bad_entry, io; nothing was written."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(slots=True)
class Batch:
    """Entries of one producer that go in together or not at all; `first_index` is known once they are on disk."""

    producer: str
    first_seq: int
    rows: list[bytes]
    marks: list[tuple[int, str]]
    first_index: int = -1
    ends: list[str] = field(default_factory=list)
    interrupts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def opens(self) -> bool:
        """Whether it opens an exchange."""
        return any(mark == OPENS for mark, _ in self.marks)


@dataclass(frozen=True, slots=True)
class Work:
    """What a head over the entries on disk needs: files (path, bytes, whether full), size and root, and what the state file would say."""

    files: list[tuple[str, bytes, bool]]
    size: int
    root: bytes
    place: Place
    producers: dict[str, Any] | None


class Writer:
    """See the module text. Make one with `Writer.create` (new home) or `Writer.open`."""

    def __init__(self, home: Home, keyring: Keyring, clock: Clock, options: WriterOptions, ops: FileOps, lock: int) -> None:
        self.home = home
        self.options = options
        self.size = 0
        self.producers = Producers()
        self.name = f"{home.node}/writer/{secrets.token_hex(6)}"
        self.outbox_name = f"{home.node}/records/0"
        self._clock = clock
        self._ops = ops
        self._lock = lock
        self.keyring = keyring
        self._key = signing_key(home, keyring)
        self._state_key = _state_key(keyring)
        self._tiles = TileWriter(home.ledger, ops)
        self._files: list[tuple[str, bytes, bool]] = []
        self._tree = Tree(self._put)
        self._outbox = Outbox(home.records_db)
        self._fresh: list[bytes] = []
        self._own_seq = 0
        self._started_ns = time.monotonic_ns()
        self._state_size = 0
        self._no_spare_until = 0.0
        self._segment: SegmentWriter
        self._publisher: Publisher
        self._durable: DurableSize

    # -- opening and closing

    @classmethod
    def create(cls, home: Home, keyring: Keyring, clock: Clock, options: WriterOptions | None = None, ops: FileOps | None = None) -> Writer:
        """Begin the ledger of a new home: its first entries and first signed head are on disk when this returns.

        Raises:
            Conflict: the home has a ledger, or another process writes to it.
            NoRoom: the disk is full.
        """
        options, ops = options or WriterOptions(), ops or FileOps()
        lock = _take_lock(home)
        try:
            if segment_firsts(home.segments) or (home.ledger / "checkpoint").exists():
                raise Conflict(f"{home.root} has a ledger.", "Serve it, or choose another directory.")
            writer = cls(home, keyring, clock, options, ops, lock)
            writer._segment = SegmentWriter.create(home.segments, ops, 0, options.segment_bytes)
            writer._publisher = Publisher(home, writer._key, ops, None)
            writer._durable = DurableSize(home.run, 0)
        except OSError as error:
            os.close(lock)
            raise _cannot_use(home, error) from error
        except BaseException:
            os.close(lock)
            raise
        try:
            vkey = str(writer._key.vkey)
            created = Draft(
                "ledger.created",
                {"origin": home.origin, "log_vkey": vkey, "node": home.node, "software": __version__},
                actor="system:ledger",
            )
            writer.append([created, writer.started_draft()])
            writer.checkpoint(keep=True)
            # The names that everything later lies under: the home's own, those in it, and its first files'.
            for directory in (home.ledger, home.root, home.root.parent):
                ops.sync_directory(directory)
        except OSError as error:
            writer.close()
            raise _cannot_use(home, error) from error
        except BaseException:
            writer.close()
            raise
        return writer

    @classmethod
    def open(cls, home: Home, keyring: Keyring, clock: Clock, options: WriterOptions | None = None, ops: FileOps | None = None) -> Writer:
        """Open the ledger of a home.

        Raises:
            Conflict: another process writes to it.
            LedgerFault: what lies on disk contradicts what was signed; see `recovery`.
        """
        options, ops = options or WriterOptions(), ops or FileOps()
        lock = _take_lock(home)
        try:
            keyring = tidied(home, keyring, clock.now_us())
            writer = cls(home, keyring, clock, options, ops, lock)
            found = recover(home, chain(home, keyring), writer._state_key, ops, writer._tiles)
            check_anchors(home, found.size, found.head)
            writer._tree, writer.producers, writer.size = found.tree, found.producers, found.size
            writer._tree.put = writer._put
            writer._publisher = Publisher(home, writer._key, ops, found.head)
            writer._segment = SegmentWriter(home.segments, ops, found.place, options.segment_bytes)
            writer._durable = DurableSize(home.run, found.size)
        except OSError as error:
            os.close(lock)
            raise _cannot_use(home, error) from error
        except BaseException:
            os.close(lock)
            raise
        try:
            due = due_events(keyring, found.head.size, found.key_statements)
            if due:
                writer.append(due)
            publish(home, keyring)
        except BaseException:
            writer.close()
            raise
        return writer

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the home. Everything acknowledged is on disk already.

        Raises:
            SyncError: see `SegmentWriter.close`; the home is let go all the same.
        """
        try:
            self._outbox.close()
            self._segment.close()
        finally:
            self._durable.close()
            os.close(self._lock)

    # -- what is known

    def now_us(self) -> int:
        """Wall time, µs."""
        return self._clock.now_us()

    def use_keys(self, keyring: Keyring) -> None:
        """Sign with a changed keyring's keys from the next head on."""
        self.keyring = keyring
        self._key = self._publisher.key = signing_key(self.home, keyring)
        self._state_key = _state_key(keyring)
        self._state_size = -self.options.state_every

    @property
    def vkey(self) -> str:
        """The verifier key of the log's key in force."""
        return str(self._key.vkey)

    @property
    def head(self) -> SignedHead:
        """The newest signed head."""
        head = self._publisher.current
        if head is None:
            raise LedgerFault("The ledger has no signed head.", "Create it anew: its creation was interrupted.")
        return head

    def free_bytes(self) -> int:
        """Bytes free in the segments' file system."""
        return self._ops.free_bytes(self.home.segments)

    def has_room(self) -> bool:
        """Whether exchanges may be opened."""
        if self._segment.reserves and not self._segment.reserve() and self._segment.ahead < AHEAD_BYTES // 2:
            return False
        return self.free_bytes() >= self.options.reserve_bytes

    # -- the next segment, made ahead

    def spare_due(self) -> bool:
        """Whether the next segment should be made ahead: there is much to write, and room beyond every reserve."""
        segment, spare = self._segment, self._segment.spare
        if spare.ready or segment.appended < self.options.spare_after or time.monotonic() < self._no_spare_until:
            return False
        return self.free_bytes() >= self.options.reserve_bytes + 4 * spare.size

    def make_spare(self) -> bool:
        """Make it; in a thread of its own.

        Returns:
            False if there was no room; it is not due again for a while.

        Raises:
            SyncError: the disk fails.
        """
        try:
            made = self._segment.spare.make()
        except OSError as error:
            raise SyncError(f"Making the next segment ahead failed: {error.strerror}") from error
        if not made:
            self._no_spare_until = time.monotonic() + NO_SPARE_S
        return made

    def drop_spare(self) -> None:
        """No segment is needed any more: one that is being made is broken off."""
        self._segment.spare.close()

    # -- appending: stage, write, applied

    def stage(self, producer: str, rows: list[Any]) -> Batch:
        """Check a batch [[seq, mark, ref, bytes], …]. One that is on disk already comes back with its `first_index`.

        Raises:
            RefusedError: it cannot be taken as it is.
        """
        if not rows or not _PRODUCER.fullmatch(producer):
            raise RefusedError("bad_entry", f"No entries, or {producer[:80]!r} is no producer's name.")
        if producer in self.producers.ended:
            raise RefusedError("bad_seq", f"{producer} has ended.")
        datas: list[bytes] = []
        marks: list[tuple[int, str]] = []
        try:
            first = rows[0][0]
            mark_of = MARKS.get
            for due, (seq, mark, ref, data) in enumerate(rows, first):
                if len(data) > MAX_ENTRY_BYTES:
                    raise RefusedError("too_large", f"Entry {seq} has {len(data)} bytes; {MAX_ENTRY_BYTES} are allowed.")
                head = read_head(data)
                if head.seq != seq or seq != due or head.producer != producer:
                    raise RefusedError("bad_seq", f"Entry {seq} says {head.producer} {head.seq}; {due} was due.")
                if mark != mark_of(head.type, 0) or (mark and ref != head.ref):
                    raise RefusedError("bad_entry", f"Entry {seq} of type {head.type} has mark {mark} and ref {ref!r}.")
                datas.append(data)
                marks.append((mark, ref))
        except (TypeError, ValueError, msgspec.DecodeError) as error:
            raise RefusedError("bad_entry", f"The batch is not [[seq, mark, ref, bytes], …]: {error}") from None
        batch = Batch(producer, first, datas, marks)
        known = self.producers.live.get(producer)
        last = known.last if known is not None else -1
        if first == last + 1:
            return batch
        index = known.index_of(first) if known is not None else None
        if first > last or index is None or first + len(rows) > last + 1:
            raise RefusedError("bad_seq", f"{producer} sends {first}; {last + 1} is due.")
        batch.first_index = index
        return batch

    def own(self, drafts: list[Draft]) -> Batch:
        """The writer's own entries, stamped; `producer.started` goes first. Write it before making another."""
        if self._own_seq == 0 and drafts[0].type != "ledger.created":
            drafts = [self.started_draft(), *drafts] if drafts[0].type != "producer.started" else drafts
        at, mono = self._clock.now_us(), time.monotonic_ns() - self._started_ns
        rows = [encode(draft, self.name, self._own_seq + n, at, mono) for n, draft in enumerate(drafts)]
        batch = Batch(self.name, self._own_seq, rows, [(MARKS.get(draft.type, 0), draft.ref) for draft in drafts])
        for draft in drafts:
            if draft.type == "exchange.interrupted":
                batch.interrupts.append((draft.body["producer"], draft.ref))
            elif draft.type == "producer.ended":
                batch.ends.append(draft.body["producer"])
        return batch

    def started_draft(self) -> Draft:
        return Draft("producer.started", {"role": "writer", "node": self.home.node, "software": __version__}, actor="system:ledger")

    def write(self, batches: list[Batch]) -> None:
        """Put staged batches on disk, one after another, with one sync.

        Raises:
            NoRoom: nothing was written.
            SyncError: unknown; stop the process.
        """
        self._segment.append(b"".join(pack(batch.rows) for batch in batches), self.size)

    def applied(self, batches: list[Batch]) -> None:
        """Take note of batches that `write` put on disk; gives each its `first_index`."""
        for batch in batches:
            batch.first_index = self.size
            self.size += len(batch.rows)
            self._fresh += batch.rows
            self.producers.wrote(batch.producer, batch.first_seq, batch.first_index, batch.marks)
            if batch.producer == self.name:
                self._own_seq = batch.first_seq + len(batch.rows)
            for name, ref in batch.interrupts:
                self.producers.interrupted(name, ref)
            for name in batch.ends:
                self.producers.end(name)
        self._durable.set(self.size)

    def append(self, drafts: list[Draft]) -> int:
        """Write the writer's own entries now.

        Returns:
            Index of the last of them.

        Raises:
            NoRoom: nothing was written.
        """
        batch = self.own(drafts)
        self.write([batch])
        self.applied([batch])
        return batch.first_index + len(batch.rows) - 1

    def ending(self, producer: str, why: str) -> list[Draft]:
        """Drafts that end a producer: `exchange.interrupted` for each exchange that it left open, then `producer.ended`."""
        known = self.producers.get(producer)
        interrupted = [
            Draft("exchange.interrupted", {"producer": producer, "opened": index}, ref=ref, actor="system:ledger")
            for ref, index in known.open.items()
        ]
        last = self._own_seq + len(interrupted) if producer == self.name else known.last
        body = {"producer": producer, "last_seq": last, "interrupted": len(interrupted), "why": why}
        return [*interrupted, Draft("producer.ended", body, actor="system:ledger")]

    def end_all(self, why: str = "restarted") -> int:
        """End every producer but this writer and the outbox: for a command that knows that nothing else runs.

        Returns:
            How many ended.
        """
        names = [p.name for p in self.producers.live.values() if p.name != self.name and not p.permanent]
        for name in names:
            self.append(self.ending(name, why))
        return len(names)

    # -- outbox

    def outbox_rows(self) -> tuple[list[OutboxRow], int]:
        """Rows due, and the highest row id seen; see `Outbox.take`. Runs in the disk thread."""
        known = self.producers.live.get(self.outbox_name)
        return self._outbox.take(known.last if known is not None else -1)

    def outbox_delete(self, rows: list[OutboxRow]) -> None:
        """Forget rows that are on disk. Runs in the disk thread."""
        self._outbox.delete(rows)

    def outbox_batch(self, rows: list[OutboxRow]) -> Batch:
        """Stage outbox rows.

        Raises:
            LedgerFault: the records room stored bytes that are no envelope of its producer.
        """
        try:
            return self.stage(self.outbox_name, [[row.seq, row.mark, row.ref, row.data] for row in rows])
        except RefusedError as error:
            raise LedgerFault(
                f"The outbox holds an event that cannot be taken: {error.text}", "Report this as a fault of Affiant."
            ) from error

    def pump_outbox(self) -> int:
        """Move all committed outbox rows into the ledger now.

        Returns:
            Highest row id moved, 0 if there was none.
        """
        highest = 0
        while True:
            rows, seen = self.outbox_rows()
            highest = max(highest, seen)
            if not rows:
                return highest
            batch = self.outbox_batch(rows)
            self.write([batch])
            self.applied([batch])
            self.outbox_delete(rows)

    # -- heads

    def _put(self, relative: str, data: bytes, full: bool) -> None:
        self._files.append((relative, data, full))

    def grow(self, most: int | None = None) -> bool:
        """Let the tree take entries that are on disk: all, or so many, more where many have gathered. Owner's thread.

        Returns:
            Whether some are left.
        """
        count = len(self._fresh) if most is None else max(most, len(self._fresh) // 4)
        entries = self._fresh[:count]
        del self._fresh[:count]
        self._tree.add(entries)
        return bool(self._fresh)

    def cut(self) -> Work:
        """What a head over everything on disk needs. Owner's thread; pass it to `publish`, in order."""
        self.grow()
        self._tree.put_partial()
        files, self._files = self._files, []
        place = Place(self._segment.first, self._segment.offset)
        due = self.size - self._state_size >= self.options.state_every
        if due:
            self._state_size = self.size
        return Work(files, self._tree.size, self._tree.root(), place, self.producers.dump() if due else None)

    def publish(self, work: Work, keep: bool = False) -> SignedHead:
        """Put tiles and bundles in their places and publish a signed head over them.

        Args:
            keep: keep the head in `checkpoints.log`.

        Raises:
            NoRoom: tiles or the head found no room; the next call makes up for it.
            LedgerFault: see `Publisher.publish`.
        """
        for relative, data, full in work.files:
            self._tiles.put(relative, data, full)
        try:
            self._tiles.settle(partial=work.producers is not None)
            head = self._publisher.publish(work.size, work.root, self._clock.now_us(), keep)
            self._tiles.published()
            if work.producers is not None:
                state = State(head.size, head.root, work.place, work.producers)
                save_state(self.home, self._state_key, state, self._ops)
        except OSError as error:
            if error.errno in NO_ROOM_ERRORS:
                raise NoRoom("The disk has no room for tiles and a checkpoint.", f"Free space under {self.home.root}.") from error
            raise SyncError(f"Publishing a checkpoint failed: {error.strerror}") from error
        return head

    def checkpoint(self, keep: bool = True) -> SignedHead:
        """Sign everything that is on disk now."""
        return self.publish(self.cut(), keep)


def _state_key(ring: Keyring) -> bytes:
    """Key of the state file: from the log's seed, and once that changed from a secret that stays."""
    return state_key(ring.master if ring.log_keys else ring.log_seed)


def _cannot_use(home: Home, error: OSError) -> LedgerUnavailable:
    if error.errno in NO_ROOM_ERRORS:
        return NoRoom(f"The disk of {home.root} is full.", "Free space and start again; nothing is lost.")
    return LedgerUnavailable(f"{error.filename or home.root} cannot be used: {error.strerror}.", "Let this user write to the home.")


def _take_lock(home: Home) -> int:
    """One writer a home, whoever started it."""
    try:
        fd = os.open(home.run / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _cannot_use(home, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Conflict(f"Another writer holds {home.root}.", "Stop it first.") from None
    return fd

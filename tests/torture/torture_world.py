"""A fixed run of a writer that can be broken off anywhere and gone on with, and what must hold afterwards."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ledger_world import NOW, RING, add_outbox, check, create, make_records, note, outbox_left, put

from affiant.kit.clock import FixedClock
from affiant.kit.home import Home
from affiant.ledger import Writer, WriterOptions
from affiant.ledger.fileops import FileOps

FULL = os.environ.get("AFFIANT_TORTURE") == "1"
PRODUCER = "n1/gateway/torture"
OPTIONS = WriterOptions(segment_bytes=40_000, state_every=100)
STEPS: tuple[tuple[str, int], ...] = (
    ("put", 3), ("outbox", 2), ("put", 1), ("sign", 0), ("put", 120), ("spare", 0), ("put", 130), ("sign", 1), ("outbox", 5), ("put", 2),
    ("sign", 0), ("spare", 0), ("put", 1), ("put", 260), ("put", 1), ("spare", 0), ("sign", 1), ("minute", 1), ("put", 4), ("sign", 0),
    ("outbox", 1), ("put", 1), ("sign", 1), ("spare", 0),
)  # fmt: skip
"""What the run does: put that many events, commit and move that many outbox rows, sign (1: keep the head), let a minute pass, make the
next segment ahead: one that is taken while the present one is short, one that is full before another is ready, one that is never used."""


@dataclass
class Run:
    """How far a run has come, over any number of writers; `acked` is what callers were told: number -> index."""

    home: Home
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    position: int = 0
    seq: int = 0
    committed: int = 0
    moved: int = 0
    acked: dict[int, int] = field(default_factory=dict)
    told: Callable[[Run], None] = lambda run: None

    def open(self, ops: FileOps | None = None) -> Writer:
        return Writer.open(self.home, RING, self.clock, OPTIONS, ops)

    def play(self, writer: Writer) -> None:
        """Go on to the end, or until something is raised; then it can be played again, on this writer or another."""
        while self.position < len(STEPS):
            what, count = STEPS[self.position]
            if what == "put":
                first = put(writer, PRODUCER, self.seq, [note(f"event {self.seq + n}") for n in range(count)])
                self.acked.update({self.seq + n: first + n for n in range(count)})
                self.seq += count
            elif what == "outbox":
                if self.committed < self.due_rows():
                    add_outbox(self.home, count)
                    self.committed += count
                writer.pump_outbox()
                self.moved = self.committed
            elif what == "spare":
                writer.make_spare()
            elif what == "minute":
                self.clock.value_us += 61_000_000
            else:
                head = writer.checkpoint(keep=bool(count))
                assert head.size == writer.size
            self.position += 1
            self.told(self)

    def due_rows(self) -> int:
        """Outbox rows that must be committed once the present step is done."""
        return sum(number for step, number in STEPS[: self.position + 1] if step == "outbox")

    def check(self) -> None:
        """The whole tree verifies; each acknowledged event is where it was said to be, each event of the run is there once."""
        reader = check(self.home)
        found: dict[str, list[tuple[int, int]]] = {}
        for index in range(reader.size):
            event = reader.event(index)
            found.setdefault(event.producer, []).append((event.seq, index))
        ours = dict(found.get(PRODUCER, []))
        assert len(ours) == len(found.get(PRODUCER, []))
        assert all(ours.get(seq) == index for seq, index in self.acked.items())
        rows = [seq for seq, _ in found.get("n1/records/0", [])]
        assert rows == list(range(len(rows)))
        assert self.moved <= len(rows) <= self.committed
        if self.position == len(STEPS):
            assert sorted(ours) == list(range(self.seq))
            assert len(rows) == self.committed
            assert outbox_left(self.home) == 0


def prepared(root: Path) -> Home:
    """A new home with a ledger and the outbox."""
    home = create(root)
    make_records(home)
    return home


@dataclass(frozen=True)
class Fault:
    """What happens at one call. `before`: the error alone; `after`: the effect, then the error; `short`: half a write, then the error."""

    how: str
    code: int

    def __str__(self) -> str:
        return f"{self.how}-{errno.errorcode[self.code]}" if self.code else self.how


FAULTS = (
    Fault("before", errno.EIO), Fault("after", errno.EIO), Fault("before", errno.ENOSPC), Fault("short", 0), Fault("short", errno.EIO),
    Fault("short", errno.ENOSPC),
)  # fmt: skip
ALWAYS = 1 << 60


class NthOps(FileOps):
    """Counts the calls that change a disk and lets one of them fail; from there on `broken` may keep all failing."""

    def __init__(self, at: int = ALWAYS, fault: Fault = FAULTS[0]) -> None:
        self.calls: list[str] = []
        self.struck = ""
        self._at = at
        self._fault = fault
        self._then = 0

    def _strike(self, call: str) -> bool:
        """Count; True if the fault is due now."""
        self.calls.append(call)
        if self._then and call == "write":
            code, self._then = self._then, 0
            raise OSError(code, os.strerror(code))
        if len(self.calls) - 1 != self._at:
            return False
        self.struck = call
        if self._fault.how == "before":
            raise OSError(self._fault.code, os.strerror(self._fault.code))
        return True

    def _after(self, due: bool) -> None:
        if due and self._fault.how == "after":
            raise OSError(self._fault.code, os.strerror(self._fault.code))

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        due = self._strike("write")
        if due and self._fault.how == "short" and len(data) > 1:
            self._then = self._fault.code
            return super().write(fd, bytes(data[: len(data) // 2]), offset)
        count = super().write(fd, data, offset)
        self._after(due)
        return count

    def datasync(self, fd: int) -> None:
        due = self._strike("datasync")
        super().datasync(fd)
        self._after(due)

    def sync(self, fd: int) -> None:
        due = self._strike("sync")
        super().sync(fd)
        self._after(due)

    def allocate(self, fd: int, offset: int, length: int) -> bool:
        due = self._strike("allocate")
        done = super().allocate(fd, offset, length)
        self._after(due)
        return done

    def truncate(self, fd: int, size: int) -> None:
        due = self._strike("truncate")
        super().truncate(fd, size)
        self._after(due)
